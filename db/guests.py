"""The queries of a guest's life, on tables `role` and `guest`: it comes, becomes an account or part of one, or goes.

None of them announces a change of the tenant, since no rule and no other role is concerned: a guest that comes or goes
costs the loaded tenants nothing, however many there are. Who is whom is told session by session.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

from sqlalchemy import RowMapping, func, insert, select, text, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from db import tables
from db.classes import insert_class
from db.guest_policy import row_of
from db.provider_identities import PASSWORD, claim_identity, delete_identities
from db.records import Guest, GuestPolicy, Role
from db.roles import find_role
from db.sessions import announce_sessions, end_sessions_of_role, lock_session
from db.tenants import announce_change

GUEST_CLASS: Final = "GuestUser"
ACCOUNT_CLASS: Final = "AuthenticatedUser"

NotConverted = Literal["session_over", "not_a_guest", "login_taken"]

_INSERT: Final = text("""
    with made as (
        insert into ostiary.role (tenant_id, login, name, creator_id, kind, public_id, created_at)
        values (:tenant_id, :login, :name, 0, 'guest', :public_id, :now)
        returning role_id
    ), noted as (
        insert into ostiary.guest (role_id, tenant_id, created_at, last_seen_at)
        select role_id, :tenant_id, :now, :now from made
    ), known as (
        insert into ostiary.identity (tenant_id, provider, subject, role_id, created_at)
        select :tenant_id, 'anon-user', :public_id, role_id, :now from made
    )
    select role_id from made
""")

# When a guest's last session ended or will end; whoever has none any more was seen last when it was seen last.
_SESSION_END: Final = """
    coalesce((select max(least(session.ended_at, session.expires_at,
                               coalesce(session.last_used_at, session.created_at)
                                   + session.idle_seconds * interval '1 second'))
                from ostiary.session where session.role_id = guest.role_id), guest.last_seen_at)
"""
# A use that another process has not stored yet may be a sixtieth of the idle limit ahead of what stands here.
_NOT_IN_USE: Final = """
    not exists (select from ostiary.session
                 where session.role_id = role.role_id and session.ended_at is null and session.expires_at > :alive
                   and (session.idle_seconds is null
                        or coalesce(session.last_used_at, session.created_at)
                               + session.idle_seconds * interval '1.05 seconds' > :alive))
    and not exists (select from ostiary.role as child where child.parent_id = role.role_id)
"""
_BASIS: Final = {
    "last_use": "guest.last_seen_at",
    "creation": "guest.created_at",
    "session_end": _SESSION_END,
}


@dataclass(frozen=True, slots=True)
class NewAccount:
    """What makes an account of a guest. `claimed_hash` is the password's hash of a registered login without a role,
    whose password the caller has verified: it becomes the account's."""

    login: str
    password_hash: str
    name: str | None = None
    claimed_hash: str | None = None


@dataclass(frozen=True, slots=True)
class Converted:
    """The account that a guest has become, and its sessions, which go on."""

    role: Role
    session_ids: tuple[str, ...]


async def set_guest_policy(connection: AsyncConnection, tenant_id: int, policy: GuestPolicy) -> GuestPolicy:
    """The policy as it is stored: with the classes GuestUser and AuthenticatedUser, which are made the first time."""
    await announce_change(connection, tenant_id)
    values = row_of(policy)
    chosen = select(tables.guest_policy).where(tables.guest_policy.c.tenant_id == tenant_id)
    before = (await connection.execute(chosen)).mappings().one_or_none()
    for column, name in (("guest_class_id", GUEST_CLASS), ("account_class_id", ACCOUNT_CLASS)):
        values[column] = before[column] if before is not None else None
        exists = select(tables.role_class.c.class_id).where(tables.role_class.c.class_id == values[column])
        if (await connection.execute(exists)).one_or_none() is None:
            made = await insert_class(connection, tenant_id=tenant_id, name=name, inherit="none", creator_id=0)
            values[column] = made.class_id
    statement = upsert(tables.guest_policy).values(tenant_id=tenant_id, **values)
    await connection.execute(statement.on_conflict_do_update(index_elements=["tenant_id"], set_=values))
    return GuestPolicy(
        **{
            name: getattr(policy, name)
            for name in GuestPolicy.__dataclass_fields__
            if name not in {"guest_class_id", "account_class_id"}
        },
        guest_class_id=values["guest_class_id"],
        account_class_id=values["account_class_id"],
    )


async def count_live_guests(connection: AsyncConnection, tenant_id: int) -> int:
    """How many guests the tenant has, as they are counted when they come and go."""
    total = select(func.coalesce(func.sum(tables.guest_tally.c.live), 0))
    return int((await connection.execute(total.where(tables.guest_tally.c.tenant_id == tenant_id))).scalar_one())


async def insert_guest(connection: AsyncConnection, tenant_id: int, *, public_id: str, now: datetime) -> Role:
    """A new guest, with the identity by which its provider knows it. No process has to hear of it."""
    login, name = f"guest:{public_id}", "Guest"
    given = {"tenant_id": tenant_id, "login": login, "name": name, "public_id": public_id, "now": now}
    role_id: int = (await connection.execute(_INSERT, given)).scalar_one()
    return Role(
        role_id=role_id,
        tenant_id=tenant_id,
        login=login,
        name=name,
        parent_id=None,
        creator_id=0,
        capabilities=frozenset(),
        class_ids=frozenset(),
        deleted=False,
        password_hash=None,
        created_at=now,
        kind="guest",
        public_id=public_id,
    )


async def insert_account(
    connection: AsyncConnection,
    tenant_id: int,
    account: NewAccount,
    *,
    public_id: str,
    capabilities: frozenset[str],
    now: datetime,
) -> Role | None:
    """A new account that somebody made for itself, with its identity; None where the login is taken."""
    try:
        async with connection.begin_nested():
            statement = (
                insert(tables.role)
                .values(
                    tenant_id=tenant_id,
                    login=account.login,
                    name=account.name or account.login,
                    creator_id=0,
                    capabilities=sorted(capabilities),
                    password_hash=account.password_hash,
                    password_set_at=now,
                    public_id=public_id,
                    created_at=now,
                )
                .returning(tables.role.c.role_id)
            )
            role_id: int = (await connection.execute(statement)).scalar_one()
    except IntegrityError:
        return None
    if not await _claim_login(connection, tenant_id, role_id, account, now):
        return None
    return await find_role(connection, tenant_id, role_id)


async def convert_guest(
    connection: AsyncConnection,
    tenant_id: int,
    role_id: int,
    session_id: str,
    account: NewAccount,
    *,
    capabilities: frozenset[str],
    now: datetime,
) -> Converted | NotConverted:
    """The account that the guest has become, or why it has not: then the caller rolls back. Its id, its rows and its
    sessions stay. Whether the session is idle is for the caller to know, who hears of uses first.

    The lock on the role decides between attempts at the same time, and between them and the sweep, which passes by
    what is locked; the unique keys of logins decide between guests that want the same one.
    """
    role = await lock_role(connection, tenant_id, role_id)
    session = await lock_session(connection, session_id)
    is_open = session is not None and session.role_id == role_id and session.ended_at is None
    if session is None or not is_open or now >= session.expires_at or role is None or role["deleted"]:
        return "session_over"
    if role["kind"] != "guest":
        return "not_a_guest"
    values: dict[str, Any] = {
        "kind": "account",
        "login": account.login,
        "name": account.name or account.login,
        "capabilities": sorted(capabilities),
        "password_hash": account.password_hash,
        "password_set_at": now,
        "password_set_by": role_id,
    }
    try:
        async with connection.begin_nested():
            await connection.execute(update(tables.role).where(tables.role.c.role_id == role_id).values(values))
    except IntegrityError:
        return "login_taken"
    # The key of the role before that of the identity, here as in `insert_account`: else two could wait for each other.
    if not await _claim_login(connection, tenant_id, role_id, account, now):
        return "login_taken"
    await connection.execute(
        update(tables.guest).where(tables.guest.c.role_id == role_id).values(converted_at=now, last_seen_at=now)
    )
    session_ids = await announce_sessions(connection, role_id)
    converted = await find_role(connection, tenant_id, role_id)
    assert converted is not None
    return Converted(converted, session_ids)


async def lock_role(connection: AsyncConnection, tenant_id: int, role_id: int) -> RowMapping | None:
    """Kind and deletion of a role that nobody else changes before the transaction ends; None where it is gone."""
    stored = tables.role.c
    query = (
        select(stored.role_id, stored.kind, stored.deleted, stored.capabilities)
        .where(stored.tenant_id == tenant_id, stored.role_id == role_id)
        .with_for_update()
    )
    return (await connection.execute(query)).mappings().one_or_none()


async def bury_guest(connection: AsyncConnection, role_id: int, *, adopted_by: int, now: datetime) -> tuple[str, ...]:
    """The sessions that are over now: the guest is a tombstone that says which account has its rows."""
    session_ids = await announce_sessions(connection, role_id)
    await connection.execute(update(tables.role).where(tables.role.c.role_id == role_id).values(deleted=True))
    await connection.execute(
        update(tables.guest).where(tables.guest.c.role_id == role_id).values(adopted_by=adopted_by, last_seen_at=now)
    )
    await end_sessions_of_role(connection, role_id, now)
    return session_ids


async def delete_own_role(connection: AsyncConnection, role_id: int, now: datetime) -> tuple[str, ...]:
    """The sessions that are over now: the role is flagged as deleted by its own wish, and its logins are free."""
    session_ids = await announce_sessions(connection, role_id)
    await connection.execute(update(tables.role).where(tables.role.c.role_id == role_id).values(deleted=True))
    await delete_identities(connection, role_id)
    await end_sessions_of_role(connection, role_id, now)
    return session_ids


async def list_guests(connection: AsyncConnection, tenant_id: int, *, max_rows: int) -> tuple[Guest, ...]:
    """The tenant's guests, those who were not seen for the longest time first."""
    role, guest, session = tables.role, tables.guest, tables.session
    live = (
        select(func.count())
        .where(session.c.role_id == guest.c.role_id, session.c.ended_at.is_(None), session.c.expires_at > func.now())
        .scalar_subquery()
    )
    query = (
        select(guest, role.c.public_id, live.label("live_sessions"))
        .join(role, role.c.role_id == guest.c.role_id)
        .where(guest.c.tenant_id == tenant_id, guest.c.converted_at.is_(None), guest.c.adopted_by.is_(None))
        .where(role.c.kind == "guest", ~role.c.deleted)
        .order_by(guest.c.last_seen_at, guest.c.role_id)
        .limit(max_rows)
    )
    return tuple(_to_guest(row) for row in (await connection.execute(query)).mappings())


async def claim_due_guests(
    connection: AsyncConnection,
    tenant_id: int,
    policy: GuestPolicy,
    *,
    before: datetime,
    alive: datetime,
    max_rows: int,
) -> tuple[int, ...]:
    """Guests that may go, locked: not seen, made, or with a session since `before`, as the policy counts, and with no
    session that is open at `alive`. Whoever is being converted at this moment is passed by."""
    query = text(f"""
        select role.role_id
        from ostiary.guest join ostiary.role on role.role_id = guest.role_id
        where guest.tenant_id = :tenant_id and guest.converted_at is null and guest.adopted_by is null
          and role.kind = 'guest' and not role.deleted
          and {_BASIS[policy.retention_from]} <= :before and {_NOT_IN_USE}
        order by guest.last_seen_at, guest.role_id
        limit :max_rows
        for update of role skip locked
    """)  # noqa: S608 - texts of this file
    given = {"tenant_id": tenant_id, "before": before, "alive": alive, "max_rows": max_rows}
    return tuple((await connection.execute(query, given)).scalars())


async def delete_guests(connection: AsyncConnection, role_ids: tuple[int, ...], *, alive: datetime) -> tuple[int, ...]:
    """Which of these, whom the transaction has locked, went: whoever is no guest any more, or has come back, stays."""
    query = text(f"""
        delete from ostiary.role
        where role.role_id = any (:role_ids) and role.kind = 'guest' and not role.deleted and {_NOT_IN_USE}
        returning role.role_id
    """)  # noqa: S608 - texts of this file
    gone = await connection.execute(query, {"role_ids": list(role_ids), "alive": alive})
    return tuple(sorted(gone.scalars()))


async def _claim_login(
    connection: AsyncConnection, tenant_id: int, role_id: int, account: NewAccount, now: datetime
) -> bool:
    return await claim_identity(
        connection,
        tenant_id=tenant_id,
        provider=PASSWORD,
        subject=account.login,
        role_id=role_id,
        now=now,
        claimed_hash=account.claimed_hash,
    )


def _to_guest(row: RowMapping) -> Guest:
    return Guest(
        role_id=row["role_id"],
        tenant_id=row["tenant_id"],
        public_id=row["public_id"],
        created_at=row["created_at"],
        last_seen_at=row["last_seen_at"],
        live_sessions=row["live_sessions"],
    )
