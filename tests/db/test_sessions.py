"""Sessions: one successor for each refresh token, grace for lost answers, and an end for copies."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from db.records import Role, Session
from db.roles import set_deleted
from db.sessions import (
    GraceReuse,
    Reused,
    Rotated,
    SessionOver,
    delete_sessions,
    end_session,
    end_sessions_of_role,
    find_session,
    insert_session,
    rotate_session,
)
from db.tenants import CHANGE_CHANNEL
from tests.control_rows import a_role, a_tenant

pytestmark = pytest.mark.postgres

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)


def a_session(role: Role, session_id: str = "s") -> Session:
    return Session(
        session_id=session_id,
        tenant_id=role.tenant_id,
        role_id=role.role_id,
        created_at=NOON,
        expires_at=NOON + timedelta(days=7),
        ended_at=None,
        refresh_jti="first",
        previous_jti=None,
        rotated_at=None,
    )


def seconds(number: float) -> timedelta:
    return timedelta(seconds=number)


@pytest.fixture
async def session(connection: AsyncConnection, role: Role) -> Session:
    opened = a_session(role)
    await insert_session(connection, opened)
    return opened


@pytest.fixture
async def committed(control: AsyncEngine) -> Session:
    """A session that every connection sees."""
    async with control.begin() as connection:
        opened = a_session(await a_role(connection, (await a_tenant(connection)).tenant_id, "ann"))
        await insert_session(connection, opened)
    return opened


@pytest.fixture
async def heard(control_dsn: str) -> AsyncIterator["asyncio.Queue[dict[str, Any]]"]:
    payloads: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    listener = await asyncpg.connect(control_dsn)
    await listener.add_listener(CHANGE_CHANNEL, lambda *event: payloads.put_nowait(json.loads(event[3])))
    yield payloads
    await listener.close()


async def test_a_session_is_found_as_it_was_inserted(connection: AsyncConnection, session: Session) -> None:
    assert await find_session(connection, "s") == session
    assert await find_session(connection, "t") is None


async def test_the_current_token_is_turned_over(connection: AsyncConnection, session: Session) -> None:
    now = NOON + seconds(60)

    rotation = await rotate_session(connection, "s", expected_jti="first", new_jti="second", now=now)

    assert isinstance(rotation, Rotated)
    assert (rotation.session.refresh_jti, rotation.session.previous_jti) == ("second", "first")
    assert (rotation.session.rotated_at, rotation.session.expires_at) == (now, session.expires_at)
    assert await find_session(connection, "s") == rotation.session


async def test_a_rotation_can_move_the_end_and_a_repeat_does_not(connection: AsyncConnection, session: Session) -> None:
    assert session.ended_at is None
    for jti, end in (("second", NOON + timedelta(days=8)), ("third", NOON + timedelta(days=9))):
        await rotate_session(connection, "s", expected_jti="first", new_jti=jti, now=NOON, expires_at=end)

    found = await find_session(connection, "s")

    assert found is not None
    assert found.expires_at == NOON + timedelta(days=8)


async def test_a_second_use_within_ten_seconds_finds_the_same_successor(
    connection: AsyncConnection, session: Session
) -> None:
    first = await rotate_session(connection, "s", expected_jti="first", new_jti="second", now=NOON)

    again = await rotate_session(connection, "s", expected_jti="first", new_jti="third", now=NOON + seconds(9.9))

    assert isinstance(first, Rotated)
    assert again == GraceReuse(first.session)
    assert again.session.session_id == session.session_id


async def test_a_second_use_after_ten_seconds_ends_the_session(connection: AsyncConnection, session: Session) -> None:
    late = NOON + seconds(10)
    await rotate_session(connection, "s", expected_jti="first", new_jti="second", now=NOON)

    rotation = await rotate_session(connection, "s", expected_jti="first", new_jti="third", now=late)

    assert isinstance(rotation, Reused)
    assert rotation.session.ended_at == late
    # The successor, in whosever hands it is, is worth nothing either.
    assert await rotate_session(connection, session.session_id, expected_jti="second", new_jti="x", now=late) == (
        SessionOver()
    )


async def test_grace_is_for_the_direct_predecessor_alone(connection: AsyncConnection, session: Session) -> None:
    await rotate_session(connection, "s", expected_jti="first", new_jti="second", now=NOON)
    await rotate_session(connection, "s", expected_jti="second", new_jti="third", now=NOON + seconds(1))

    rotation = await rotate_session(connection, "s", expected_jti="first", new_jti="x", now=NOON + seconds(2))

    assert isinstance(rotation, Reused)
    assert rotation.session.session_id == session.session_id


async def test_a_session_that_expired_or_never_was_is_not_turned_over(
    connection: AsyncConnection, session: Session
) -> None:
    for session_id, now in (("t", NOON), ("s", session.expires_at)):
        rotation = await rotate_session(connection, session_id, expected_jti="first", new_jti="second", now=now)
        assert rotation == SessionOver()
    assert await find_session(connection, "s") == session


async def test_twelve_uses_of_one_token_at_once_give_one_successor(control: AsyncEngine, committed: Session) -> None:
    async def refresh(number: int) -> Rotated | GraceReuse | Reused | SessionOver:
        async with control.begin() as connection:
            return await rotate_session(
                connection, committed.session_id, expected_jti="first", new_jti=f"new {number}", now=NOON
            )

    rotations = await asyncio.gather(*(refresh(number) for number in range(12)))

    [rotated] = [rotation for rotation in rotations if isinstance(rotation, Rotated)]
    assert [rotation for rotation in rotations if rotation != rotated] == [GraceReuse(rotated.session)] * 11


async def test_twelve_uses_at_once_of_a_token_that_is_long_gone_end_the_session_once(
    control: AsyncEngine, committed: Session, heard: "asyncio.Queue[dict[str, Any]]"
) -> None:
    async with control.begin() as connection:
        await rotate_session(connection, committed.session_id, expected_jti="first", new_jti="second", now=NOON)

    async def refresh(number: int) -> Rotated | GraceReuse | Reused | SessionOver:
        async with control.begin() as connection:
            later = NOON + seconds(60)
            return await rotate_session(connection, "s", expected_jti="first", new_jti=f"new {number}", now=later)

    rotations = await asyncio.gather(*(refresh(number) for number in range(12)))

    assert sorted(type(rotation).__name__ for rotation in rotations) == ["Reused"] + ["SessionOver"] * 11
    assert await asyncio.wait_for(heard.get(), 5) == {"tenantid": committed.tenant_id, "session": "s"}
    assert heard.empty()


async def test_an_ended_session_is_over_and_heard_of(
    control: AsyncEngine, committed: Session, heard: "asyncio.Queue[dict[str, Any]]"
) -> None:
    async with control.begin() as connection:
        assert await end_session(connection, "s", NOON + seconds(5))
        assert not await end_session(connection, "s", NOON + seconds(6))
        assert not await end_session(connection, "t", NOON)

    async with control.connect() as connection:
        found = await find_session(connection, "s")
    assert found is not None
    assert found.ended_at == NOON + seconds(5)
    assert await asyncio.wait_for(heard.get(), 5) == {"tenantid": committed.tenant_id, "session": "s"}


async def test_all_sessions_of_a_role_end_and_no_others(connection: AsyncConnection, role: Role) -> None:
    bob = await a_role(connection, role.tenant_id, "bob")
    for owner, session_id in ((role, "a"), (role, "b"), (bob, "c")):
        await insert_session(connection, a_session(owner, session_id))

    assert await end_sessions_of_role(connection, role.role_id, NOON) == 2
    assert await end_sessions_of_role(connection, role.role_id, NOON) == 0

    ended = await connection.scalars(
        text("select session_id from ostiary.session where ended_at is not null order by 1")
    )
    assert list(ended) == ["a", "b"]


async def test_a_deleted_role_comes_back_without_its_sessions(connection: AsyncConnection, session: Session) -> None:
    await set_deleted(connection, session.tenant_id, session.role_id, True)
    await set_deleted(connection, session.tenant_id, session.role_id, False)

    found = await find_session(connection, session.session_id)

    assert found is not None
    assert found.ended_at is not None


async def test_a_session_of_a_role_in_another_tenant_cannot_be_stored(connection: AsyncConnection, role: Role) -> None:
    other = await a_role(connection, (await a_tenant(connection, "other")).tenant_id, "bob")

    with pytest.raises(IntegrityError):
        await connection.execute(
            text(
                "insert into ostiary.session (session_id, tenant_id, role_id, created_at, expires_at, refresh_jti)"
                f" values ('x', {role.tenant_id}, {other.role_id}, now(), now(), 'j')"
            )
        )


async def test_sessions_long_expired_are_deleted_the_oldest_first(connection: AsyncConnection, role: Role) -> None:
    for day in (3, 1, 2, 20):
        opened = a_session(role, f"day {day}")
        await insert_session(connection, opened)
        await connection.execute(
            text("update ostiary.session set expires_at = :end where session_id = :id"),
            {"end": NOON + timedelta(days=day), "id": opened.session_id},
        )

    assert await delete_sessions(connection, expired_before=NOON + timedelta(days=10), max_rows=2) == 2

    left = await connection.scalars(text("select session_id from ostiary.session order by expires_at"))
    assert list(left) == ["day 3", "day 20"]


async def test_fifty_thousand_sessions_are_searched_by_index_and_end_together(
    connection: AsyncConnection, role: Role
) -> None:
    bob = await a_role(connection, role.tenant_id, "bob")
    await connection.execute(
        text(
            "insert into ostiary.session (session_id, tenant_id, role_id, created_at, expires_at, refresh_jti)"
            f" select 's' || n, {role.tenant_id}, case when n < 5 then {bob.role_id} else {role.role_id} end,"
            " now(), now() + n * interval '1 s', 'j' from generate_series(1, 50000) n"
        )
    )
    await connection.execute(text("analyze ostiary.session"))
    conditions = ["session_id = 's77'", f"role_id = {bob.role_id} and ended_at is null", "expires_at < now()"]

    plans = [
        "\n".join(await connection.scalars(text(f"explain select * from ostiary.session where {condition}")))
        for condition in conditions
    ]

    assert ["Seq Scan" in plan for plan in plans] == [False, False, False]
    assert await end_sessions_of_role(connection, role.role_id, NOON) == 49_996
