"""A gateway in process, with a clock that a test moves, whose one tenant has guests and a database with their rows."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import asyncpg
import httpx2
from sqlalchemy import text
from starlette.applications import Starlette

from db.engines import control_engine
from db.guests import set_guest_policy
from db.migrate import migrate
from db.records import GuestPolicy, RuleOptions
from db.rules import insert_rule
from db.secrets import seal
from db.tenants import DSN_PURPOSE, find_tenant
from gateway.app import create_app
from gateway.auth.sweep import sweep_tenant
from gateway.provision import create_tenant
from gateway.serve import tenants_opener
from gateway.settings import Settings
from gateway.state import AppState
from schema.roles_pbac.anonymous import make_nobody
from tests.conftest import NO_LOGIN_LIMITS
from tests.databases import Databases
from tests.doors import MASTER_KEY, MovableClock, a_client, bearer
from tests.wire import PASSWORD

TABLES = """
create table folder (id integer generated always as identity primary key, owner integer, name text not null,
                     unique (owner, name));
create table note (
    id integer generated always as identity primary key, owner integer not null, body text not null,
    folder_id integer references folder on delete cascade
);
create table profile (owner integer primary key, nick text not null);
create table mark (id integer generated always as identity primary key, whose integer references profile (owner));
create table letter (id integer primary key, sender integer, reader text);
create table price (id integer primary key, amount integer);
insert into price select number, number from generate_series(1, 1000) as number;
"""
OWN = "owner = $_PRINCIPAL.roleid"
DAY = 86_400


@dataclass
class Person:
    """Somebody with a session, and perhaps a login."""

    role_id: int
    access: str = field(repr=False)
    refresh: str = field(repr=False)
    login: str = ""


@dataclass
class Shelter:
    app: Starlette
    client: httpx2.AsyncClient
    clock: MovableClock
    tenant_id: int
    tenant_dsn: str

    @property
    def state(self) -> AppState:
        return self.app.state.ostiary

    @property
    def now(self) -> datetime:
        return datetime.fromtimestamp(self.clock.now, UTC)

    async def choose(self, policy: GuestPolicy) -> GuestPolicy:
        """What the tenant has chosen for its guests, known to this process at once."""
        async with self.state.engine.begin() as connection:
            stored = await set_guest_policy(connection, self.tenant_id, policy)
        self.state.principals.drop_tenant(self.tenant_id)
        await self.state.tenants.refresh(self.tenant_id)
        return stored

    async def guest(self) -> Person:
        reply = await self.client.post("/auth/guest?schema=none", json={"tenantid": self.tenant_id})
        assert reply.status_code == 200, reply.text
        return _person(reply.json())

    async def account(self, login: str) -> Person:
        body = {"tenantid": self.tenant_id, "login": login, "password": PASSWORD}
        assert (await self.client.post("/auth/register", json=body)).status_code == 201
        return await self.log_in(login)

    async def log_in(self, login: str) -> Person:
        body = {"tenantid": self.tenant_id, "login": login, "password": PASSWORD}
        reply = await self.client.post("/auth?schema=none", json=body)
        assert reply.status_code == 200, reply.text
        return _person(reply.json(), login)

    async def convert(self, person: Person, login: str) -> httpx2.Response:
        body = {"login": login, "password": PASSWORD}
        return await self.client.post("/auth/convert", json=body, headers=bearer(person.access))

    async def adopt(self, account: Person, guest: Person, **given: object) -> httpx2.Response:
        body = {"guest_token": guest.access} | given
        return await self.client.post("/auth/adopt", json=body, headers=bearer(account.access))

    async def whoami(self, person: Person) -> httpx2.Response:
        return await self.client.get("/auth/session", headers=bearer(person.access))

    async def log_out(self, person: Person) -> None:
        await self.client.delete("/auth/session", headers=bearer(person.access))

    async def ask(self, person: Person, document: str) -> dict[str, Any]:
        reply = await self.client.post("/query", json={"query": document}, headers=bearer(person.access))
        body = reply.json()
        assert "errors" not in body, body
        return dict(body["data"])

    async def write_note(self, person: Person, body: str) -> int:
        made = await self.ask(person, f'mutation {{ create_note(input: {{ body: "{body}" }}) {{ id }} }}')
        return int(made["create_note"]["id"])

    async def notes(self, person: Person) -> list[str]:
        return sorted(row["body"] for row in (await self.ask(person, "{ note { body } }"))["note"])

    async def sweep(self) -> int:
        """How many guests went, by the clock of the test."""
        async with self.state.engine.connect() as connection:
            tenant = await find_tenant(connection, self.tenant_id, MASTER_KEY)
        assert tenant is not None
        return await sweep_tenant(self.state.engine, self.state.tenants, tenant, self.now)

    async def rows(self, query: str, *arguments: object) -> list[tuple[Any, ...]]:
        """What a query in the tenant's database gives."""
        connection = await asyncpg.connect(self.tenant_dsn)
        try:
            return [tuple(row) for row in await connection.fetch(query, *arguments)]
        finally:
            await connection.close()

    async def control(self, query: str, **values: object) -> list[Any]:
        """The rows of a query in the control database, or nothing of another statement."""
        async with self.state.engine.begin() as connection:
            result = await connection.execute(text(query), values)
            return [tuple(row) for row in result] if result.returns_rows else []


def _person(reply: dict[str, Any], login: str = "") -> Person:
    return Person(int(reply["roleid"]), str(reply["access_token"]), str(reply["refresh_token"]), login)


async def build_shelter(control_dsn: str, tenant_dsn: str) -> int:
    """The id of a tenant that was added to an empty control database; guests see and write their own rows."""
    await migrate(control_dsn)
    connection_to_tenant = await asyncpg.connect(tenant_dsn)
    await connection_to_tenant.execute(TABLES)
    await connection_to_tenant.close()
    engine = control_engine(control_dsn)
    async with engine.begin() as connection:
        tenant, root, _ = await create_tenant(connection, name="shelter", dsn=tenant_dsn, master_key=MASTER_KEY)
        await make_nobody(connection, tenant.tenant_id, creator_id=root.role_id)
        policy = await set_guest_policy(connection, tenant.tenant_id, GuestPolicy(mode="identity"))
        assert policy.guest_class_id is not None
        assert policy.account_class_id is not None
        await insert_rule(
            connection,
            tenant_id=tenant.tenant_id,
            name="Everybody has rows of their own",
            capabilities=frozenset({"select", "insert", "update", "delete"}),
            targets=frozenset({"note", "folder", "profile"}),
            filter_text=OWN,
            role_ids=frozenset(),
            class_ids=frozenset({policy.guest_class_id, policy.account_class_id}),
            creator_id=root.role_id,
            options=RuleOptions(forced=(("owner", "$_PRINCIPAL.roleid"),)),
        )
    await engine.dispose()
    return tenant.tenant_id


@asynccontextmanager
async def open_shelter(control_dsn: str, tenant_dsn: str, tenant_id: int, **given: Any) -> AsyncGenerator[Shelter]:
    """A gateway on what `build_shelter` has built. It lets no guests go by itself."""
    values: dict[str, Any] = {
        "database_url": control_dsn,
        "master_key": MASTER_KEY.secret.hex(),
        "_env_file": None,
        "guest_sweep_seconds": 0,
        "catalog_watch_seconds": 0,
    }
    values.update(NO_LOGIN_LIMITS)
    values.update(given)
    clock = MovableClock()
    opener = tenants_opener(lambda dsn: dsn)
    app = create_app(Settings(**values), open_tenants=opener, clock=clock)
    async with app.router.lifespan_context(app), a_client(app) as client:
        yield Shelter(app, client, clock, tenant_id, tenant_dsn)


@dataclass(frozen=True)
class BuiltShelter:
    """Databases of a shelter, to be cloned."""

    control_dsn: str
    tenant_dsn: str
    tenant_id: int

    @classmethod
    def build(cls, databases: Databases) -> "BuiltShelter":
        control, tenant = databases.create(), databases.create()
        return cls(control, tenant, asyncio.run(build_shelter(control, tenant)))

    @asynccontextmanager
    async def open(self, databases: Databases, **given: Any) -> AsyncGenerator[Shelter]:
        """A shelter that a test has for itself."""
        control, tenant = (databases.create(template=dsn) for dsn in (self.control_dsn, self.tenant_dsn))
        await _move(control, self.tenant_id, tenant)
        async with open_shelter(control, tenant, self.tenant_id, **given) as shelter:
            yield shelter
        for dsn in (control, tenant):
            databases.drop(dsn)


async def _move(control_dsn: str, tenant_id: int, tenant_dsn: str) -> None:
    """Nothing; the tenant of the cloned control database is on the cloned database."""

    sealed = seal(MASTER_KEY, tenant_dsn.encode(), purpose=DSN_PURPOSE)
    connection = await asyncpg.connect(control_dsn)
    try:
        await connection.execute("update ostiary.tenant set sealed_dsn = $1 where tenant_id = $2", sealed, tenant_id)
    finally:
        await connection.close()
