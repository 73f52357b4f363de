"""The schemas that a login reply carries, as clients read them."""

from collections.abc import Iterator

import pytest

from tests.databases import Databases
from tests.houses import TABLES, House
from tests.wire import Introspected, Json, Wire
from tests.worlds import World


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
def world_schema(world: Wire) -> Introspected:
    return Introspected.of(world.post("/auth", world.login("world").body()).json())


@pytest.fixture(scope="session")
def house_template(databases: Databases) -> Iterator[str]:
    """A database like TABLES, to be cloned."""
    dsn = databases.create()
    databases.execute_in(dsn, TABLES)
    yield dsn
    databases.drop(dsn)


@pytest.fixture
def house(world: World, databases: Databases, house_template: str) -> Iterator[House]:
    """A tenant that this test has for itself."""
    dsn = databases.create(template=house_template)
    yield House.open(world, dsn)
    databases.drop(dsn)


@pytest.fixture
def neighbour(world: World, databases: Databases, house_template: str) -> Iterator[House]:
    """Another such tenant, for what must not pass between two."""
    dsn = databases.create(template=house_template)
    yield House.open(world, dsn)
    databases.drop(dsn)
