"""The queries of table `tenant`, and the announcement of every change that belongs to one."""

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import RowMapping, Select, Text, Update, cast, func, insert, literal, or_, select, update
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.ext.asyncio import AsyncConnection

from db import tables
from db.engines import locate
from db.guest_policy import parse_guest_policy
from db.identities import is_identity, is_storable
from db.records import Facade, RuleChoice, Tenant
from db.secrets import MasterKey, seal, unseal

CHANGE_CHANNEL: Final = "ostiary_change"
DSN_PURPOSE: Final = "tenant dsn"


async def find_tenant(connection: AsyncConnection, tenant_id: int, master_key: MasterKey) -> Tenant | None:
    if not is_identity(tenant_id):
        return None
    query = _select_tenants().where(tables.tenant.c.tenant_id == tenant_id)
    row = (await connection.execute(query)).mappings().one_or_none()
    return None if row is None else _to_tenant(row, master_key)


async def find_tenant_of_app(
    connection: AsyncConnection, app_id: str, facade: Facade, master_key: MasterKey
) -> Tenant | None:
    """The tenant that clients of another system know by this id, if it opens their facade and is not suspended: its
    own id, or its name as long as no other tenant that opens the facade has the same."""
    if not is_storable(app_id):
        return None
    stored = tables.tenant.c
    is_meant = or_(stored.name == app_id, cast(stored.tenant_id, Text) == app_id)
    query = _select_tenants().where(is_meant, stored.facades.contains([facade]), ~stored.suspended)
    found = [_to_tenant(row, master_key) for row in (await connection.execute(query)).mappings()]
    # A name must not take what is meant for another tenant's id.
    found = [tenant for tenant in found if str(tenant.tenant_id) == app_id] or found
    return found[0] if len(found) == 1 else None


async def list_tenants(connection: AsyncConnection, master_key: MasterKey) -> tuple[Tenant, ...]:
    """All tenants, suspended ones too, by id."""
    rows = await connection.execute(_select_tenants().order_by(tables.tenant.c.tenant_id))
    return tuple(_to_tenant(row, master_key) for row in rows.mappings())


async def insert_tenant(
    connection: AsyncConnection, *, name: str, dsn: str, master_key: MasterKey, schemas: Sequence[str] = ("public",)
) -> Tenant:
    """A new tenant, still without a root role. Raises InvalidDsn; whether the database answers is not tried."""
    location = locate(dsn)
    statement = (
        insert(tables.tenant)
        .values(
            name=name,
            host=location.host,
            database=location.database,
            sealed_dsn=seal(master_key, dsn.encode(), purpose=DSN_PURPOSE),
            schemas=list(schemas),
        )
        .returning(tables.tenant)
    )
    tenant = _to_tenant((await connection.execute(statement)).mappings().one(), master_key)
    await notify(connection, {"tenantid": tenant.tenant_id, "version": tenant.version})
    return tenant


async def set_root(connection: AsyncConnection, tenant_id: int, role_id: int) -> None:
    await connection.execute(_update(tenant_id).values(root_role_id=role_id))
    await announce_change(connection, tenant_id)


async def set_nobody(connection: AsyncConnection, tenant_id: int, role_id: int) -> None:
    await connection.execute(_update(tenant_id).values(nobody_role_id=role_id))
    await connection.execute(update(tables.role).where(tables.role.c.role_id == role_id).values(kind="nobody"))
    await announce_change(connection, tenant_id)


async def set_suspended(connection: AsyncConnection, tenant_id: int, suspended: bool) -> None:  # noqa: FBT001
    await connection.execute(_update(tenant_id).values(suspended=suspended))
    await announce_change(connection, tenant_id)


async def set_conceal_logins(connection: AsyncConnection, tenant_id: int, conceals: bool | None) -> None:  # noqa: FBT001
    """Nothing; whether the tenant's doors tell who can log in. None leaves it to the gateway's setting."""
    await connection.execute(_update(tenant_id).values(conceal_logins=conceals))
    await announce_change(connection, tenant_id)


async def set_rule_choice(connection: AsyncConnection, tenant_id: int, rule_choice: RuleChoice) -> None:
    """Nothing; how the tenant's rules that apply to one role go together."""
    await connection.execute(_update(tenant_id).values(rule_choice=rule_choice))
    await announce_change(connection, tenant_id)


async def set_only_trusted(connection: AsyncConnection, tenant_id: int, only_trusted: bool) -> None:  # noqa: FBT001
    """Nothing; whether /query answers the tenant's trusted documents and no others."""
    await connection.execute(_update(tenant_id).values(only_trusted=only_trusted))
    await announce_change(connection, tenant_id)


async def set_facades(connection: AsyncConnection, tenant_id: int, facades: Collection[Facade]) -> None:
    """Nothing; the tenant opens these facades and no others."""
    await connection.execute(_update(tenant_id).values(facades=sorted(facades)))
    await announce_change(connection, tenant_id)


async def announce_change(connection: AsyncConnection, tenant_id: int) -> None:
    """Nothing; the tenant has a new version, and once the transaction commits every listener hears of it.

    The lock on the tenant's row makes changes of one tenant follow each other: what is read behind this call still
    holds when it is written, so a check needs no lock of its own.
    """
    if not is_identity(tenant_id):
        return
    statement = _update(tenant_id).values(version=tables.tenant.c.version + 1).returning(tables.tenant.c.version)
    version = (await connection.execute(statement)).scalar_one_or_none()
    if version is not None:
        await notify(connection, {"tenantid": tenant_id, "version": version})


async def notify(connection: AsyncConnection, *payloads: Mapping[str, object]) -> None:
    """Nothing; each payload goes to CHANGE_CHANNEL when the transaction commits."""
    texts = [json.dumps(payload, separators=(",", ":")) for payload in payloads]
    await connection.execute(select(func.pg_notify(CHANGE_CHANNEL, func.unnest(literal(texts, ARRAY(Text))))))


def _select_tenants() -> Select[Any]:
    """Tenants, with what they have chosen for their guests beside them: null where that is nothing."""
    chosen = func.to_jsonb(tables.guest_policy.table_valued(), type_=JSONB).label("guest_policy")
    return select(tables.tenant, chosen).outerjoin(
        tables.guest_policy, tables.guest_policy.c.tenant_id == tables.tenant.c.tenant_id
    )


def _update(tenant_id: int) -> Update:
    return update(tables.tenant).where(tables.tenant.c.tenant_id == tenant_id)


def _to_tenant(row: RowMapping, master_key: MasterKey) -> Tenant:
    return Tenant(
        tenant_id=row["tenant_id"],
        name=row["name"],
        root_role_id=row["root_role_id"],
        nobody_role_id=row["nobody_role_id"],
        suspended=row["suspended"],
        dsn=unseal(master_key, row["sealed_dsn"], purpose=DSN_PURPOSE).decode(),
        schemas=tuple(row["schemas"]),
        version=row["version"],
        conceal_logins=row["conceal_logins"],
        rule_choice=row["rule_choice"],
        guests=parse_guest_policy(row.get("guest_policy")),
        only_trusted=row["only_trusted"],
        facades=frozenset(row["facades"]),
    )
