"""A gateway with two tenants in its control database, and clients that knock at its doors."""

import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import httpx2
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from db.engines import control_engine
from db.errors import DatabaseUnavailable
from db.migrate import migrate
from db.passwords import hash_password
from db.roles import insert_role
from db.secrets import MasterKey
from db.tenants import insert_tenant, set_nobody, set_root
from gateway.app import create_app
from gateway.auth.bearer import authenticate
from gateway.auth.replies import door
from gateway.settings import Settings
from gateway.state import AppState
from schema.principal import NOBODY_CAPABILITIES, NORMAL_CAPABILITIES, Principal

MASTER_KEY = MasterKey(bytes(range(32)))
PASSWORD = "correct horse battery staple"
ADDRESS = "203.0.113.7"


@lru_cache
def hashed(password: str) -> str:
    return hash_password(password)


@dataclass(frozen=True)
class World:
    """Ids of what the control database holds. The todo tenant allows anonymous logins, the flights tenant does not."""

    todo: int
    flights: int
    root: int
    admin: int
    ann: int
    nobody: int
    stranger: int


async def a_role(connection: AsyncConnection, tenant_id: int, login: str, **given: Any) -> int:
    values: dict[str, Any] = {
        "name": login,
        "parent_id": None,
        "creator_id": 0,
        "capabilities": NORMAL_CAPABILITIES,
        "class_ids": (),
        "password_hash": hashed(PASSWORD),
    }
    role = await insert_role(connection, tenant_id=tenant_id, login=login, **(values | given))
    return role.role_id


async def fill(dsn: str) -> World:
    """The world, made in an empty database."""
    await migrate(dsn)
    engine = control_engine(dsn)
    async with engine.begin() as connection:
        tenants = [
            await insert_tenant(connection, name=name, dsn="postgresql:///none", master_key=MASTER_KEY)
            for name in ("todo", "flights")
        ]
        todo, flights = (tenant.tenant_id for tenant in tenants)
        root = await a_role(connection, todo, "root")
        await set_root(connection, todo, root)
        admin = await a_role(connection, todo, "admin", capabilities={"login", "admin"}, parent_id=root)
        ann = await a_role(connection, todo, "ann@example.org", parent_id=root)
        await a_role(connection, todo, "machine", capabilities={"select"})
        nobody = await a_role(connection, todo, f"nobody{todo}", capabilities=NOBODY_CAPABILITIES, password_hash=None)
        await set_nobody(connection, todo, nobody)
        await set_root(connection, flights, await a_role(connection, flights, "root"))
        stranger = await a_role(connection, flights, "stranger")
    await engine.dispose()
    return World(todo, flights, root, admin, ann, nobody, stranger)


@dataclass(frozen=True)
class Text:
    body: bytes
    etag: str


@dataclass
class FixedTenants:
    """Tenants whose schemas are short texts that name the role, so that a test sees whose schema came."""

    refreshed: list[int | None] = field(default_factory=list[int | None])

    async def role_schemas(self, principal: Principal) -> tuple[Text, Text]:
        return self._text("query", principal), self._text("control", principal)

    async def ping(self, tenant_id: int) -> None:
        if tenant_id > 1000:
            raise DatabaseUnavailable

    async def refresh(self, tenant_id: int) -> None:
        self.refreshed.append(tenant_id)

    async def refresh_all(self) -> None:
        self.refreshed.append(None)

    async def notice_changes(self) -> None:
        pass

    async def close(self) -> None:
        self.refreshed.clear()

    def _text(self, kind: str, principal: Principal) -> Text:
        name = f"{kind} of role {principal.role_id}"
        filler = "type T { a: Int } " * 500
        return Text(json.dumps({"gql": f"# {name}\n{filler}", "json": {"__schema": {"of": name}}}).encode(), name)


@dataclass
class MovableClock:
    """The time that a test sets; it stands still."""

    now: float = 1_800_000_000.25

    def __call__(self) -> float:
        return self.now


@dataclass
class Doors:
    """A running gateway, and clients of it."""

    app: Starlette
    client: httpx2.AsyncClient
    clock: MovableClock
    tenants: FixedTenants
    world: World

    @property
    def state(self) -> AppState:
        return self.app.state.ostiary

    async def log_in(self, login: str = "ann@example.org", **given: Any) -> dict[str, Any]:
        reply = await self.client.post(
            "/auth?schema=none", json={"login": login, "password": PASSWORD, "tenantid": self.world.todo} | given
        )
        assert reply.status_code == 200, reply.text
        return reply.json()

    async def whoami(self, token: str) -> httpx2.Response:
        return await self.client.get("/whoami", headers=bearer(token))

    async def refresh(self, token: str) -> httpx2.Response:
        return await self.client.get("/auth?schema=none", headers=bearer(token))

    def from_address(self, address: str) -> httpx2.AsyncClient:
        return a_client(self.app, address)

    @asynccontextmanager
    async def change(self) -> AsyncGenerator[AsyncConnection]:
        """A transaction on the control database as another process would run it."""
        async with self.state.engine.begin() as connection:
            yield connection

    async def execute(self, statement: str, **values: object) -> None:
        async with self.change() as connection:
            await connection.execute(text(statement), values)


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def a_client(app: Starlette, address: str = ADDRESS) -> httpx2.AsyncClient:
    transport = httpx2.ASGITransport(app, client=(address, 4711))
    return httpx2.AsyncClient(transport=transport, base_url="http://gateway.test")


@door
async def whoami(request: Request, state: AppState) -> Response:
    """What an access token gives access to, in these tests."""
    principal = await authenticate(request.headers.getlist("authorization"), state)
    return JSONResponse({"roleid": principal.role_id, "login": principal.login, "root": principal.is_root})


@asynccontextmanager
async def open_doors(dsn: str, world: World, **given: Any) -> AsyncGenerator[Doors]:
    """A gateway on a control database that `fill` has filled."""
    values: dict[str, Any] = {"database_url": dsn, "master_key": MASTER_KEY.secret.hex(), "_env_file": None}
    clock, tenants = MovableClock(), FixedTenants()
    app = create_app(Settings(**(values | given)), open_tenants=lambda *_: tenants, clock=clock)
    app.router.routes.append(Route("/whoami", whoami, methods=["GET"]))
    async with app.router.lifespan_context(app), a_client(app) as client:
        yield Doors(app, client, clock, tenants, world)
