"""One PostgreSQL for the whole run, and a database of its own for each test that asks.

The server is an embedded one, or that of OSTIARY_TEST_DSN (a superuser's). Under pytest-xdist the controller starts
it and tells the workers where it is, so that it is there once however many they are, and ends with the controller.
"""

import asyncio
import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from db.embedded import RunningServer, start_embedded
from tests.databases import Databases
from tests.folders import FolderFactory, cluster_folder
from tests.gateways import Gateway
from tests.wire import Person, Wire, make_person
from tests.worlds import World, open_world

WORKER_INPUT = "ostiary_dsn"
WORKER_FLIGHTS = "ostiary_flights"
NO_LOGIN_LIMITS = dict.fromkeys(
    (
        "login_limit_address",
        "login_limit_login",
        "login_limit_everywhere",
        "login_limit_tenant",
        "anonymous_limit_address",
        "anonymous_limit_tenant",
    ),
    "100000/minute",
)


class SharedServer:
    """The embedded server of a test run: started when first asked for, gone with its files at the end."""

    def __init__(self) -> None:
        self._opened = ExitStack()
        self._running: RunningServer | None = None

    def dsn(self) -> str:
        if self._running is None:
            folder = self._opened.enter_context(cluster_folder())
            self._running = asyncio.run(start_embedded(folder, fast=True))
            self._opened.callback(lambda stop: asyncio.run(stop()), self._running.stop)
        return self._running.dsn("postgres")

    def stop(self) -> None:
        self._opened.close()


SERVER = pytest.StashKey[SharedServer]()
GIVEN_DSN = pytest.StashKey[str | None]()
FLIGHTS_FOLDER = pytest.StashKey[str | None]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[SERVER] = SharedServer()
    # Taken out of the environment: a gateway that a test starts would call it an unknown setting.
    config.stash[GIVEN_DSN] = os.environ.pop("OSTIARY_TEST_DSN", None)
    config.stash[FLIGHTS_FOLDER] = getattr(config, "workerinput", {}).get(WORKER_FLIGHTS) or os.environ.pop(
        "OSTIARY_FLIGHTS_FOLDER", None
    )


def pytest_unconfigure(config: pytest.Config) -> None:
    config.stash[SERVER].stop()


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Called by pytest-xdist in the controller, before a worker starts."""
    node.workerinput[WORKER_FLIGHTS] = node.config.stash[FLIGHTS_FOLDER]
    node.workerinput[WORKER_INPUT] = node.config.stash[GIVEN_DSN] or node.config.stash[SERVER].dsn()


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """A folder for this test alone, in the place of pytest's own.

    That one is shut to all but its owner, so that an embedded server which root starts in it would have to keep its
    data outside, in /var/lib/ostiary, for good.
    """
    with cluster_folder() as folder:
        yield folder


@pytest.fixture(scope="session")
def tmp_path_factory() -> Iterator[FolderFactory]:
    """Folders that last for the whole run, in the place of pytest's own for the same reason."""
    with cluster_folder() as folder:
        yield FolderFactory(folder)


@pytest.fixture(scope="session")
def server_dsn(request: pytest.FixtureRequest) -> str:
    """The DSN of the shared server's database `postgres`, as a superuser."""
    config = request.config
    worker_input: dict[str, Any] = getattr(config, "workerinput", {})
    return worker_input.get(WORKER_INPUT) or config.stash[GIVEN_DSN] or config.stash[SERVER].dsn()


@pytest.fixture(scope="session")
def databases(server_dsn: str) -> Iterator[Databases]:
    """Makes and drops databases on the shared server; `create(template=…)` clones one that is costly to fill."""
    with Databases.open(server_dsn) as opened:
        yield opened


@pytest.fixture
def database(databases: Databases) -> Iterator[str]:
    """The DSN of a fresh, empty database that this test has for itself."""
    dsn = databases.create()
    yield dsn
    databases.drop(dsn)


@pytest.fixture(scope="session")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """One gateway process for all tests of this worker that only speak to it: with both demo tenants, and with limits
    on logins that a test suite does not reach."""
    with Gateway.start(
        tmp_path_factory.mktemp("gateway"),
        **NO_LOGIN_LIMITS,
    ) as running:
        yield running


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """The name of the argument in place of a long text: it may hold a random key, and then the workers of
    pytest-xdist would not agree on which tests there are."""
    return argname if isinstance(val, str | bytes) and len(val) > 30 else None


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
def world(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A second gateway, whose tenant has one of everything and no anonymous logins yet."""
    with open_world(databases, tmp_path_factory.mktemp("world"), **NO_LOGIN_LIMITS) as opened:
        yield opened


@pytest.fixture(scope="session")
def world_root(world: Wire) -> str:
    return str(world.enter(world.login("world"))["access_token"])
