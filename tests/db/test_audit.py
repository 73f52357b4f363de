"""What the audit keeps."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from db.audit import delete_old_entries, insert_refusal, set_actor
from tests.control_rows import a_role, a_tenant

pytestmark = pytest.mark.postgres


async def entries(connection: AsyncConnection) -> list[tuple[object, ...]]:
    rows = await connection.execute(
        text("select action, kind, role_id, subject_id from ostiary.audit order by entry_id")
    )
    return [tuple(row) for row in rows]


async def test_an_actor_is_that_of_its_transaction_alone(control: AsyncEngine) -> None:
    async with control.begin() as connection:
        tenant = await a_tenant(connection)
        await set_actor(connection, 42)
        ann = await a_role(connection, tenant.tenant_id, "ann")
    async with control.begin() as connection:
        bob = await a_role(connection, tenant.tenant_id, "bob")
        found = await entries(connection)

    assert ("create", "role", 42, ann.role_id) in found
    assert ("create", "role", None, bob.role_id) in found


async def test_a_new_version_of_a_tenant_by_itself_is_nothing_to_tell(control: AsyncEngine) -> None:
    async with control.begin() as connection:
        tenant = await a_tenant(connection)
        await a_role(connection, tenant.tenant_id, "ann")
        found = await entries(connection)

    assert [entry[:2] for entry in found] == [("create", "tenant"), ("create", "role")]


async def test_a_refusal_is_told_of_what_can_be_a_tenant_and_kept_short(control: AsyncEngine) -> None:
    async with control.begin() as connection:
        for tenant_id in (7, 2**40, -1):
            told = {"login": "a\0" + "b" * 1000}
            await insert_refusal(connection, tenant_id, action="login_failed", kind="session", role_id=None, told=told)
        after = (await connection.execute(text("select after ->> 'login' from ostiary.audit"))).scalars().all()

    assert after == ["a" + "b" * 199]


async def test_old_entries_go_and_others_stay(control: AsyncEngine) -> None:
    async with control.begin() as connection:
        await insert_refusal(connection, 7, action="refused", kind="mutation", role_id=1, told={})
    now = datetime.now(UTC)
    async with control.begin() as connection:
        before = await delete_old_entries(connection, now - timedelta(hours=1))
        after = await delete_old_entries(connection, now + timedelta(hours=1))

    assert (before, after) == (0, 1)
