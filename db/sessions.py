"""The queries of table `session`: what a login opened, what each refresh turns over, and what ends it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import ColumnElement, RowMapping, and_, case, delete, func, insert, or_, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from db import tables
from db.records import Session
from db.tenants import notify

# A client that lost the answer to its refresh asks again within seconds, and is not to be logged out for it.
REFRESH_GRACE: Final = timedelta(seconds=10)


_STORE_USES: Final = text("""
    with uses as (
        select * from unnest(cast(:ids as text[]), cast(:times as timestamptz[])) as use (session_id, used_at)
    ), stored as (
        update ostiary.session set last_used_at = greatest(session.last_used_at, uses.used_at)
        from uses
        where session.session_id = uses.session_id
          and session.session_id in (
              select session_id from ostiary.session as free
              where free.session_id in (select session_id from uses) and free.ended_at is null
              for no key update skip locked)
        returning session.role_id, session.last_used_at
    ), free as (
        select guest.role_id from ostiary.guest
        where guest.role_id in (select role_id from stored)
        for no key update skip locked
    )
    update ostiary.guest set last_seen_at = greatest(guest.last_seen_at, stored.last_used_at)
    from (select role_id, max(last_used_at) as last_used_at from stored group by role_id) as stored, free
    where guest.role_id = stored.role_id and free.role_id = guest.role_id
""")


@dataclass(frozen=True, slots=True)
class Rotated:
    """The token was the current one; `session.refresh_jti` is its successor, issued at `session.rotated_at`."""

    session: Session


@dataclass(frozen=True, slots=True)
class GraceReuse:
    """The token was turned over a moment ago. `session.refresh_jti`, issued at `session.rotated_at`, is the successor
    that it has, so that the same claims can be given again."""

    session: Session


@dataclass(frozen=True, slots=True)
class Reused:
    """The token was turned over long ago: somebody kept a copy. The session has been ended."""

    session: Session


@dataclass(frozen=True, slots=True)
class SessionOver:
    """There is no such session, or it has ended or expired."""


Rotation = Rotated | GraceReuse | Reused | SessionOver


async def insert_session(connection: AsyncConnection, session: Session) -> None:
    """Nothing. No process has to hear of it: what is new is in nobody's memory."""
    await connection.execute(
        insert(tables.session).values(
            session_id=session.session_id,
            tenant_id=session.tenant_id,
            role_id=session.role_id,
            created_at=session.created_at,
            expires_at=session.expires_at,
            ended_at=session.ended_at,
            refresh_jti=session.refresh_jti,
            previous_jti=session.previous_jti,
            rotated_at=session.rotated_at,
            last_used_at=session.last_used_at,
            idle_seconds=session.idle_seconds,
            facade=session.facade,
            device_id=session.device_id,
            secret_hash=session.secret_hash,
        )
    )


async def find_session(connection: AsyncConnection, session_id: str) -> Session | None:
    """The session, whether it goes on or not."""
    query = select(tables.session).where(tables.session.c.session_id == session_id)
    row = (await connection.execute(query)).mappings().one_or_none()
    return None if row is None else _to_session(row)


async def find_session_by_secret(connection: AsyncConnection, secret_hash: str) -> Session | None:
    """The session whose token, not a JWT, has this SHA-256, whether it goes on or not."""
    query = select(tables.session).where(tables.session.c.secret_hash == secret_hash)
    row = (await connection.execute(query)).mappings().one_or_none()
    return None if row is None else _to_session(row)


async def list_open_sessions(connection: AsyncConnection, role_id: int, now: datetime) -> tuple[Session, ...]:
    """The sessions of a role that go on, the oldest first."""
    stored = tables.session.c
    query = (
        select(tables.session)
        .where(stored.role_id == role_id, stored.ended_at.is_(None), stored.expires_at > now)
        .order_by(stored.created_at, stored.session_id)
    )
    sessions = [_to_session(row) for row in (await connection.execute(query)).mappings()]
    return tuple(session for session in sessions if session.is_open(now))


async def lock_session(connection: AsyncConnection, session_id: str) -> Session | None:
    """The session, which nobody else changes before the transaction ends."""
    query = select(tables.session).where(tables.session.c.session_id == session_id).with_for_update()
    row = (await connection.execute(query)).mappings().one_or_none()
    return None if row is None else _to_session(row)


async def announce_sessions(connection: AsyncConnection, role_id: int) -> tuple[str, ...]:
    """The ids of a role's sessions; once the transaction commits every process reads anew whom they stand for."""
    query = select(tables.session).where(tables.session.c.role_id == role_id, tables.session.c.ended_at.is_(None))
    sessions = [_to_session(row) for row in (await connection.execute(query)).mappings()]
    await _announce(connection, sessions)
    return tuple(session.session_id for session in sessions)


async def store_uses(connection: AsyncConnection, uses: Mapping[str, datetime]) -> None:
    """Nothing; the sessions, and the guests whose they are, were last used at these times or later. Who is being
    changed by somebody else at this moment is left out: a use is not worth waiting for."""
    await connection.execute(_STORE_USES, {"ids": list(uses), "times": list(uses.values())})


async def rotate_session(
    connection: AsyncConnection,
    session_id: str,
    *,
    expected_jti: str,
    new_jti: str,
    now: datetime,
    expires_at: datetime | None = None,
    grace: timedelta = REFRESH_GRACE,
) -> Rotation:
    """What became of a refresh token with `expected_jti`. The caller commits in each case, also when it then refuses,
    for else a reused session would go on. With `expires_at` a rotation moves the session's end.

    One UPDATE decides, so of uses at the same time one rotates and each other sees what that one left: PostgreSQL
    lets them wait for the row and then reads it again (READ COMMITTED, "Transaction Isolation" 13.2.1).
    """
    stored = tables.session.c
    is_current = stored.refresh_jti == expected_jti
    in_grace = and_(stored.previous_jti == expected_jti, stored.rotated_at > now - grace)
    statement = (
        update(tables.session)
        .where(stored.session_id == session_id, stored.ended_at.is_(None), stored.expires_at > now)
        .values(
            refresh_jti=case((is_current, new_jti), else_=stored.refresh_jti),
            previous_jti=case((is_current, stored.refresh_jti), else_=stored.previous_jti),
            rotated_at=case((is_current, now), else_=stored.rotated_at),
            expires_at=case((is_current, expires_at or stored.expires_at), else_=stored.expires_at),
            ended_at=case((or_(is_current, in_grace), None), else_=now),
        )
        .returning(tables.session)
    )
    row = (await connection.execute(statement)).mappings().one_or_none()
    if row is None:
        return SessionOver()
    session = _to_session(row)
    if session.ended_at is not None:
        await _announce(connection, [session])
        return Reused(session)
    return Rotated(session) if session.refresh_jti == new_jti else GraceReuse(session)


async def end_session(connection: AsyncConnection, session_id: str, now: datetime) -> bool:
    """Whether there was a session to end."""
    return bool(await _end(connection, tables.session.c.session_id == session_id, now))


async def end_sessions_of_role(connection: AsyncConnection, role_id: int, now: datetime | None = None) -> int:
    """How many sessions were ended, each of them announced; by the database's clock if no time is given."""
    return await _end(connection, tables.session.c.role_id == role_id, now or func.now())


async def delete_sessions(connection: AsyncConnection, *, expired_before: datetime, max_rows: int) -> int:
    """How many were deleted of those that expired before a time, the oldest first."""
    oldest = (
        select(tables.session.c.session_id)
        .where(tables.session.c.expires_at < expired_before)
        .order_by(tables.session.c.expires_at)
        .limit(max_rows)
        .with_for_update(skip_locked=True)
    )
    statement = delete(tables.session).where(tables.session.c.session_id.in_(oldest))
    return (await connection.execute(statement)).rowcount


async def _end(connection: AsyncConnection, which: ColumnElement[bool], now: datetime | ColumnElement[datetime]) -> int:
    statement = (
        update(tables.session)
        .where(which, tables.session.c.ended_at.is_(None))
        .values(ended_at=now)
        .returning(tables.session)
    )
    ended = [_to_session(row) for row in (await connection.execute(statement)).mappings()]
    await _announce(connection, ended)
    return len(ended)


async def _announce(connection: AsyncConnection, sessions: Iterable[Session]) -> None:
    payloads = [{"tenantid": session.tenant_id, "session": session.session_id} for session in sessions]
    await notify(connection, *payloads)


def _to_session(row: RowMapping) -> Session:
    return Session(
        session_id=row["session_id"],
        tenant_id=row["tenant_id"],
        role_id=row["role_id"],
        created_at=row["created_at"],
        expires_at=row["expires_at"],
        ended_at=row["ended_at"],
        refresh_jti=row["refresh_jti"],
        previous_jti=row["previous_jti"],
        rotated_at=row["rotated_at"],
        last_used_at=row["last_used_at"],
        idle_seconds=row["idle_seconds"],
        facade=row["facade"],
        device_id=row["device_id"],
        secret_hash=row["secret_hash"],
    )
