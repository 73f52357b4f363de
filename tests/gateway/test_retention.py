"""How long the audit is kept."""

import asyncio
from collections.abc import AsyncGenerator

import pytest
from sqlalchemy import text

from gateway.retention import keep_audit
from tests.doors import Doors, World, open_doors

pytestmark = pytest.mark.postgres

OLD_ENTRY = "insert into ostiary.audit (tenant_id, action, kind, happened_at) values (1, 'x', 'y', 'epoch')"


@pytest.fixture
async def doors(control_dsn: str, filled: tuple[str, World]) -> AsyncGenerator[Doors]:
    """A gateway that itself deletes nothing."""
    async with open_doors(control_dsn, filled[1], audit_days=0) as opened:
        yield opened


async def old_entries(doors: Doors) -> int:
    async with doors.change() as connection:
        return int(await connection.scalar(text("select count(*) from ostiary.audit where happened_at = 'epoch'")) or 0)


async def test_old_entries_of_the_audit_go_by_themselves(doors: Doors) -> None:
    await doors.execute(OLD_ENTRY)

    async with keep_audit(doors.state.engine, 1, doors.clock), asyncio.timeout(30):
        while await old_entries(doors):
            await asyncio.sleep(0.01)


async def test_an_audit_that_is_kept_for_ever_loses_nothing(doors: Doors) -> None:
    await doors.execute(OLD_ENTRY)

    async with keep_audit(doors.state.engine, 0, doors.clock):
        # Long enough for whatever would have begun.
        for _ in range(20):
            await old_entries(doors)

    assert await old_entries(doors) == 1
