"""A filled control database, made once and cloned for each test, and a gateway on it."""

import asyncio
from collections.abc import AsyncGenerator, Iterator

import pytest

from tests.databases import Databases
from tests.doors import Doors, World, fill, open_doors
from tests.shelters import BuiltShelter, Shelter


@pytest.fixture(scope="session")
def filled(databases: Databases) -> tuple[str, World]:
    """The DSN of a filled control database to clone, and what is in it."""
    dsn = databases.create()
    return dsn, asyncio.run(fill(dsn))


@pytest.fixture
def control_dsn(databases: Databases, filled: tuple[str, World]) -> Iterator[str]:
    """The DSN of a filled control database that this test has for itself."""
    dsn = databases.create(template=filled[0])
    yield dsn
    databases.drop(dsn)


@pytest.fixture
async def doors(control_dsn: str, filled: tuple[str, World]) -> AsyncGenerator[Doors]:
    """A gateway with settings as they are by default."""
    async with open_doors(control_dsn, filled[1]) as opened:
        yield opened


@pytest.fixture(scope="session")
def built_shelter(databases: Databases) -> BuiltShelter:
    """Databases with a tenant that has guests, to be cloned."""
    return BuiltShelter.build(databases)


@pytest.fixture
async def shelter(databases: Databases, built_shelter: BuiltShelter) -> AsyncGenerator[Shelter]:
    """A gateway whose tenant has guests with rows, which this test has for itself."""
    async with built_shelter.open(databases) as opened:
        yield opened
