"""The queries of table `identity`: by what somebody is known to a provider. Of each there is one in a tenant.

The login of a role stays the one fact by which people enter at `/auth`; an identity ties a provider's name for them to
it. One without a role was registered and not entered by: it has its own password, and whoever knows that may claim it.
"""

from datetime import datetime
from typing import Final

from sqlalchemy import RowMapping, delete, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from db import tables
from db.identities import is_identity, is_storable
from db.records import ProviderIdentity

ANONYMOUS: Final = "anon-user"
PASSWORD: Final = "local-userpass"  # noqa: S105 - the name of a provider


async def find_provider_identity(
    connection: AsyncConnection, tenant_id: int, provider: str, subject: str
) -> ProviderIdentity | None:
    """The identity of this subject, with a role or without."""
    if not is_identity(tenant_id) or not is_storable(subject):
        return None
    stored = tables.identity.c
    query = select(tables.identity).where(
        stored.tenant_id == tenant_id, stored.provider == provider, stored.subject == subject
    )
    row = (await connection.execute(query)).mappings().one_or_none()
    return None if row is None else _to_identity(row)


async def list_provider_identities(connection: AsyncConnection, role_id: int) -> tuple[ProviderIdentity, ...]:
    """The identities of a role, in the order in which it got them."""
    query = select(tables.identity).where(tables.identity.c.role_id == role_id).order_by(tables.identity.c.identity_id)
    return tuple(_to_identity(row) for row in (await connection.execute(query)).mappings())


async def claim_identity(
    connection: AsyncConnection,
    *,
    tenant_id: int,
    provider: str,
    subject: str,
    role_id: int | None,
    now: datetime,
    password_hash: str | None = None,
    claimed_hash: str | None = None,
) -> bool:
    """Whether the identity is the role's now: because nobody had it, because whose it was is deleted, or because it
    had no role and `claimed_hash`, which the caller has verified, is its password's. Of all who try at the same time
    one gets it: the others wait at the unique key, and find it taken."""
    given = {"role_id": role_id, "password_hash": password_hash, "created_at": now}
    made = await connection.execute(
        insert(tables.identity)
        .values(tenant_id=tenant_id, provider=provider, subject=subject, **given)
        .on_conflict_do_nothing(index_elements=["tenant_id", "provider", "subject"])
        .returning(tables.identity.c.identity_id)
    )
    if made.one_or_none() is not None:
        return True
    stored = tables.identity.c
    gone = select(tables.role.c.role_id).where(tables.role.c.role_id == stored.role_id, tables.role.c.deleted)
    free = gone.exists()
    if claimed_hash is not None:
        free |= stored.role_id.is_(None) & (stored.password_hash == claimed_hash)
    taken_over = await connection.execute(
        update(tables.identity)
        .where(stored.tenant_id == tenant_id, stored.provider == provider, stored.subject == subject, free)
        .values(given)
        .returning(stored.identity_id)
    )
    return taken_over.one_or_none() is not None


async def forget_logins(connection: AsyncConnection, role_id: int) -> None:
    """Nothing; the role is no longer known by the login that it registered with."""
    stored = tables.identity.c
    await connection.execute(delete(tables.identity).where(stored.role_id == role_id, stored.provider == PASSWORD))


async def delete_identities(connection: AsyncConnection, role_id: int) -> None:
    """Nothing; whoever registers next may have what this role was known by."""
    await connection.execute(delete(tables.identity).where(tables.identity.c.role_id == role_id))


async def delete_unclaimed(connection: AsyncConnection, *, before: datetime, max_rows: int) -> int:
    """How many registered logins went that nobody had entered by since this time."""
    stored = tables.identity.c
    oldest = (
        select(stored.identity_id)
        .where(stored.role_id.is_(None), stored.created_at < before)
        .order_by(stored.created_at)
        .limit(max_rows)
        .with_for_update(skip_locked=True)
    )
    return (await connection.execute(delete(tables.identity).where(stored.identity_id.in_(oldest)))).rowcount


def _to_identity(row: RowMapping) -> ProviderIdentity:
    return ProviderIdentity(
        identity_id=row["identity_id"],
        tenant_id=row["tenant_id"],
        provider=row["provider"],
        subject=row["subject"],
        role_id=row["role_id"],
        password_hash=row["password_hash"],
        verified=row["verified"],
        created_at=row["created_at"],
    )
