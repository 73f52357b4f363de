import asyncio
from collections.abc import AsyncGenerator, Iterator

import pytest

from db.migrate import migrate
from tests.control import Control
from tests.databases import Databases


@pytest.fixture(scope="session")
def control_template(databases: Databases) -> Iterator[str]:
    """A migrated control database to clone."""
    dsn = databases.create()
    asyncio.run(migrate(dsn))
    yield dsn
    databases.drop(dsn)


@pytest.fixture
async def control(databases: Databases, control_template: str) -> AsyncGenerator[Control]:
    dsn = databases.create(template=control_template)
    async with Control.open(dsn) as opened:
        yield opened
    databases.drop(dsn)
