"""Tenants: each tenant's database, model, policy and views, loaded at first use and replaced whole when they change."""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from cachetools import LRUCache
from sqlalchemy.ext.asyncio import AsyncEngine

from db.catalog import TableName
from db.catalog_mark import read_catalog_mark
from db.errors import PublicError, StoreError
from db.read_catalog import read_catalog
from db.records import Rule, Tenant
from db.rules import list_rules
from db.secrets import MasterKey
from db.tenant_database import TenantDatabase
from db.tenants import find_tenant
from gateway.documents import Documents, trusted_documents
from schema.aggregate_view import build_aggregate_views
from schema.bounded import Bounded
from schema.expression.predicate import Predicate
from schema.grants import Grant
from schema.model import Entity, Model, Routine
from schema.names import build_model
from schema.policy import Policy, compile_policy
from schema.principal import Principal
from schema.query.building.schema import RowOperation, build_query_schema
from schema.query.building.schema_text import SchemaText, schema_text
from schema.query.compiler import RoleView
from schema.query.cursors import CursorKey, cursor_key
from schema.query.document import Limits
from schema.query.tenant_schema import tenant_schema
from schema.role_model import build_role_model
from schema.validity import TimedPolicy

log = logging.getLogger(__name__)

MAX_VIEWS = 500
MAX_RECENT = 10_000


class NoSuchTenant(PublicError):
    """There is no tenant with this id."""

    code = "NO_SUCH_TENANT"

    def __init__(self, tenant_id: int) -> None:
        super().__init__(f"No such tenant {tenant_id}.")


@dataclass(frozen=True, slots=True)
class PrincipalGrants:
    """What the policy gives one principal, and with it all of the same fingerprint."""

    policy: Policy
    principal: Principal

    def grant(self, table: TableName, capability: str, /) -> Predicate:
        return self.policy.grant(self.principal, table, capability)

    def get_grant(self, table: TableName, capability: str, /) -> Grant:
        return self.policy.get_grant(self.principal, table, capability)


@dataclass
class LoadedTenant:
    """A tenant as it stood when it was loaded; a change makes a new one, and what runs finishes on the old."""

    tenant: Tenant
    database: TenantDatabase
    model: Model
    catalog_fingerprint: str
    timed_policy: TimedPolicy[Policy]
    limits: Limits
    cursors: CursorKey
    clock: Callable[[], float] = time.time
    documents: Documents = field(default_factory=Documents)
    views: LRUCache[str, RoleView] = field(default_factory=lambda: LRUCache(MAX_VIEWS))
    #: By which a change of the database is noticed; see db.catalog_mark.
    catalog_mark: str = ""
    texts: LRUCache[str, SchemaText] = field(default_factory=lambda: LRUCache(MAX_VIEWS))
    recent: Bounded[str, tuple[Principal, Policy, RoleView]] = field(default_factory=lambda: Bounded(MAX_RECENT))

    @property
    def policy(self) -> Policy:
        """The policy of the rules that are in force now."""
        return self.timed_policy.at(self.clock())

    def is_like(self, other: "LoadedTenant") -> bool:
        """Whether the other is the same tenant with the same rules, tables and database."""
        return (
            self.tenant == other.tenant
            and self.database is other.database
            and self.catalog_fingerprint == other.catalog_fingerprint
        )

    def view(self, principal: Principal) -> RoleView:
        """The schema, grants and plans of the principal, shared with all who may do the same."""
        policy = self.policy
        # A session has the same principal, as an object, until something about it changes.
        recent = self.recent.get(principal.session_id)
        if recent is not None and recent[0] is principal and recent[1] is policy:
            return recent[2]
        view = self._shared_view(policy, principal)
        self.recent[principal.session_id] = principal, policy, view
        return view

    def _shared_view(self, policy: Policy, principal: Principal) -> RoleView:
        fingerprint = policy.fingerprint(principal)
        view = self.views.get(fingerprint)
        if view is None:
            view = self._build_view(policy, principal)
            self.views[fingerprint] = view
        return view

    def schema_text(self, principal: Principal) -> SchemaText:
        """The schema of /query as the principal may see it."""
        fingerprint = self.policy.fingerprint(principal)
        text = self.texts.get(fingerprint)
        if text is None:
            text = schema_text(self.view(principal).schema.graphql)
            self.texts[fingerprint] = text
        return text

    def _build_view(self, policy: Policy, principal: Principal) -> RoleView:
        def may(entity: Entity, operation: RowOperation) -> bool:
            return policy.may(principal, entity.table.name, operation)

        def may_call(routine: Routine) -> bool:
            return policy.may(principal, routine.function.name, routine.capability)

        def find_grant(table: TableName, capability: str) -> Grant | None:
            return policy.find_shown(principal, table, capability)

        seen = build_role_model(self.model, find_grant)
        views = build_aggregate_views(self.model, seen, find_grant)
        built = build_query_schema(seen, may, may_call, views)
        grants = PrincipalGrants(policy, principal)
        return RoleView(built, grants, self.limits, tenant_schema(built.graphql).answer, self.cursors)


class Tenants:
    """The loaded tenants of this process. `resolve_dsn` turns a stored DSN into one that can be connected to."""

    def __init__(
        self,
        engine: AsyncEngine,
        master_key: MasterKey,
        control_schema: SchemaText,
        limits: Limits,
        resolve_dsn: Callable[[str], str],
        open_database: Callable[[str], TenantDatabase] = TenantDatabase,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._engine = engine
        self._master_key = master_key
        self._control_schema = control_schema
        self._limits = limits
        self._resolve_dsn = resolve_dsn
        self._open_database = open_database
        self._clock = clock
        self._loaded: dict[int, LoadedTenant] = {}
        self._databases: dict[int, tuple[str, TenantDatabase]] = {}
        self._locks: dict[int, asyncio.Lock] = {}
        #: Which were asked for since changes were looked for last, and for which they are looked for at all: where
        #: nobody asks, nobody looks.
        self._used: set[int] = set()
        self._watched: set[int] = set()

    async def get(self, tenant_id: int, version: int = 0) -> LoadedTenant:
        """The tenant as of this version or a later one, read from the databases when what is loaded is older.

        The caller's principal knows the version it was read at: so no policy older than its principal is ever used,
        even where no notice of a change has arrived. Raises NoSuchTenant, StoreError.
        """
        self._used.add(tenant_id)
        loaded = self._loaded.get(tenant_id)
        if loaded is None or loaded.tenant.version < version:
            return await self._load(tenant_id, version)
        if tenant_id in self._watched:
            return loaded
        await self._notice(loaded)
        return self._loaded.get(tenant_id) or await self._load(tenant_id, version)

    def recall(self, principal: Principal) -> LoadedTenant | None:
        """The principal's tenant, if it is loaded, no older than the principal, and watched for changes."""
        tenant_id = principal.tenant_id
        if tenant_id not in self._watched:
            return None
        self._used.add(tenant_id)
        loaded = self._loaded.get(tenant_id)
        return loaded if loaded is not None and loaded.tenant.version >= principal.tenant_version else None

    async def notice_changes(self) -> None:
        """Nothing; of the tenants that somebody has asked for since the last time, those whose tables have changed are
        as their databases now have them. The others are looked at when they are asked for again."""
        used, self._used = self._used, set()
        self._watched &= used
        for tenant_id in used:
            loaded = self._loaded.get(tenant_id)
            if loaded is not None:
                await self._notice(loaded)

    async def catch_up(self, loaded: LoadedTenant) -> LoadedTenant | None:
        """The tenant as it is now, where that is not what it was; None where nothing has changed. Raises StoreError."""
        tenant_id = loaded.tenant.tenant_id
        current = self._loaded.get(tenant_id)
        if current is loaded:
            mark = await read_catalog_mark(loaded.database, loaded.tenant.schemas)
            if mark == loaded.catalog_mark:
                return None
            current = await self._load(tenant_id, None, instead_of=loaded)
        return current if current is not loaded else None

    async def refresh(self, tenant_id: int) -> None:
        """Nothing; what is known of the tenant is as its databases now have it."""
        if tenant_id in self._loaded:
            await self._load(tenant_id, version=None)

    async def refresh_all(self) -> None:
        """Nothing; the same for every loaded tenant, since changes may have been missed."""
        for tenant_id in list(self._loaded):
            await self.refresh(tenant_id)

    async def role_schemas(self, principal: Principal) -> tuple[SchemaText, SchemaText]:
        """The schemas of /query and of /roles_pbac as the principal may see them."""
        loaded = await self.get(principal.tenant_id, principal.tenant_version)
        return loaded.schema_text(principal), self._control_schema

    async def ping(self, tenant_id: int) -> None:
        """Nothing, when the tenant's database answers. Raises NoSuchTenant, StoreError."""
        loaded = await self.get(tenant_id)
        await loaded.database.fetch_text("select 'ok'::text", [])

    async def close(self) -> None:
        """Nothing; every connection to a tenant's database is closed."""
        self._loaded.clear()
        databases, self._databases = self._databases, {}
        for _, database in databases.values():
            await database.close()

    async def _notice(self, loaded: LoadedTenant) -> None:
        """Nothing; the tenant is loaded anew where its tables have changed. What cannot be reached stays as it is."""
        tenant_id = loaded.tenant.tenant_id
        self._watched.add(tenant_id)
        try:
            await self.catch_up(loaded)
        except (StoreError, NoSuchTenant) as error:
            log.warning("changes of tenant %d could not be looked for: %s", tenant_id, error.code)

    async def _load(self, tenant_id: int, version: int | None, instead_of: LoadedTenant | None = None) -> LoadedTenant:
        """The tenant as of `version` or later; with None as it is now. What has taken the place of `instead_of`
        meanwhile will do."""
        async with self._locks.setdefault(tenant_id, asyncio.Lock()):
            loaded = self._loaded.get(tenant_id)
            if loaded is not None and version is not None and loaded.tenant.version >= version:
                return loaded
            if instead_of is not None and loaded is not None and loaded is not instead_of:
                return loaded
            fresh = await self._read(tenant_id)
            if fresh is None:
                self._loaded.pop(tenant_id, None)
                raise NoSuchTenant(tenant_id)
            self._watched.add(tenant_id)
            if loaded is not None and loaded.is_like(fresh):
                # Nothing that matters: its views and plans are worth keeping.
                loaded.catalog_mark = fresh.catalog_mark
                return loaded
            self._loaded[tenant_id] = fresh
            return fresh

    async def _read(self, tenant_id: int) -> LoadedTenant | None:
        async with self._engine.connect() as connection:
            tenant = await find_tenant(connection, tenant_id, self._master_key)
            rules = await list_rules(connection, tenant_id)
        if tenant is None:
            return None
        database = await self._database(tenant)
        # Before the catalog, so that no change between the two is missed.
        mark = await read_catalog_mark(database, tenant.schemas)
        catalog = await read_catalog(database, tenant.schemas)
        before = self._loaded.get(tenant_id)
        unchanged = before is not None and before.catalog_fingerprint == catalog.fingerprint
        model = before.model if before is not None and unchanged else build_model(catalog)

        def compile_rules(in_force: Sequence[Rule]) -> Policy:
            return compile_policy(in_force, model, tenant_id=tenant_id, choice=tenant.rule_choice)

        policy = TimedPolicy(rules, compile_rules)
        cursors = cursor_key(self._master_key.secret, tenant_id)
        return LoadedTenant(
            tenant,
            database,
            model,
            catalog.fingerprint,
            policy,
            self._limits,
            cursors,
            self._clock,
            Documents(trusted_documents(self._engine, tenant_id), only_trusted=tenant.only_trusted),
            catalog_mark=mark,
        )

    async def _database(self, tenant: Tenant) -> TenantDatabase:
        dsn = self._resolve_dsn(tenant.dsn)
        known = self._databases.get(tenant.tenant_id)
        if known is not None and known[0] == dsn:
            return known[1]
        database = self._open_database(dsn)
        self._databases[tenant.tenant_id] = (dsn, database)
        if known is not None:
            await known[1].close()
        return database
