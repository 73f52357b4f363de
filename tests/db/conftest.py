"""A migrated control database for each test that asks, and what most of its tests start from."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from db.engines import control_engine
from db.migrate import migrate
from db.records import Role, Tenant
from db.secrets import MasterKey
from tests.control_rows import MASTER_KEY, a_role, a_tenant
from tests.databases import Databases


@pytest.fixture(scope="session")
def control_template(databases: Databases) -> Iterator[str]:
    dsn = databases.create()
    asyncio.run(migrate(dsn))
    yield dsn
    databases.drop(dsn)


@pytest.fixture
def control_dsn(databases: Databases, control_template: str) -> Iterator[str]:
    """The DSN of a control database as `migrate` leaves it."""
    dsn = databases.create(template=control_template)
    yield dsn
    databases.drop(dsn)


@pytest.fixture
async def control(control_dsn: str) -> AsyncIterator[AsyncEngine]:
    engine = control_engine(control_dsn)
    yield engine
    await engine.dispose()


@pytest.fixture
async def connection(control: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """A transaction on the control database that nobody commits."""
    async with control.connect() as opened:
        yield opened


@pytest.fixture
def master_key() -> MasterKey:
    return MASTER_KEY


@pytest.fixture
async def tenant(connection: AsyncConnection) -> Tenant:
    return await a_tenant(connection)


@pytest.fixture
async def role(connection: AsyncConnection, tenant: Tenant) -> Role:
    return await a_role(connection, tenant.tenant_id, "ann")
