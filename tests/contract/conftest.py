"""The schemas that a login reply carries, as clients read them."""

import pytest

from tests.wire import Introspected, Json, Wire


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
