"""Clients of the shared gateway, and of a second: its tenant has one of everything, and no anonymous logins yet."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from tests.databases import Databases
from tests.gateways import ROOT, Gateway, logins_in
from tests.wire import Introspected, Json, Person, Wire, make_person


@pytest.fixture(scope="session")
def wire(gateway: Gateway) -> Iterator[Wire]:
    with gateway.client() as client:
        yield Wire(gateway, client)


@pytest.fixture(scope="session")
def todo(wire: Wire) -> int:
    return wire.login("todo").tenant_id


@pytest.fixture(scope="session")
def flights(wire: Wire) -> int:
    return wire.login("flights").tenant_id


@pytest.fixture(scope="session")
def root(wire: Wire) -> str:
    """An access token of the todo tenant's root."""
    return str(wire.enter(wire.login("todo"))["access_token"])


@pytest.fixture(scope="session")
def flights_root(wire: Wire) -> str:
    return str(wire.enter(wire.login("flights"))["access_token"])


@pytest.fixture
def nobody(gateway: Gateway) -> str:
    """An access token of the todo tenant's Nobody role."""
    return gateway.anonymous("todo")


@pytest.fixture
def person(wire: Wire, root: str, todo: int) -> Person:
    """A user of the todo tenant that this test has for itself."""
    return make_person(wire, root, todo)


@pytest.fixture(scope="session")
def todo_reply(wire: Wire) -> Json:
    """The whole login reply of the todo tenant's root."""
    return dict(wire.post("/auth", wire.login("todo").body()).json())


@pytest.fixture(scope="session")
def todo_schema(todo_reply: Json) -> Introspected:
    return Introspected.of(todo_reply)


@pytest.fixture(scope="session")
def control_schema(todo_reply: Json) -> Introspected:
    return Introspected.of(todo_reply, "rpb_schema")


@pytest.fixture(scope="session")
def world(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wire]:
    """A gateway on a control database of its own, with the tenant of world.sql, added as an operator adds one."""
    control, tenant = databases.create(), databases.create()
    asyncio.run(_fill(tenant))
    folder = tmp_path_factory.mktemp("world")
    with Gateway.start(folder, database_url=control) as gateway:
        settings = {"OSTIARY_DATA_DIR": str(folder), "OSTIARY_DATABASE_URL": control, "COLUMNS": "200"}
        added = subprocess.run(
            [sys.executable, "-m", "gateway", "tenant", "add", "world", "--dsn", tenant],
            cwd=ROOT,
            env=dict(os.environ) | settings,
            capture_output=True,
            text=True,
            check=True,
        )
        gateway.logins.update(logins_in(added.stdout))
        with gateway.client() as client:
            yield Wire(gateway, client)
    databases.drop(control)
    databases.drop(tenant)


@pytest.fixture(scope="session")
def world_root(world: Wire) -> str:
    return str(world.enter(world.login("world"))["access_token"])


@pytest.fixture(scope="session")
def world_schema(world: Wire) -> Introspected:
    return Introspected.of(world.post("/auth", world.login("world").body()).json())


async def _fill(dsn: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(Path(__file__).with_name("world.sql").read_text("utf-8"))
    finally:
        await connection.close()
