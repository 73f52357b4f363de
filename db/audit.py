"""The queries of table `audit`. Changes of tenants, roles, classes and rules, and logins, come into it by triggers of
the control database, whoever makes them; what was refused is written here."""

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import delete, insert, text
from sqlalchemy.ext.asyncio import AsyncConnection

from db import tables
from db.identities import is_identity

_ACTOR = text("select set_config('ostiary.actor', :role_id, true)")
_RETENTION = text("select set_config('ostiary.audit_retention', 'on', true)")


async def set_actor(connection: AsyncConnection, role_id: int) -> None:
    """Nothing; the rest of the transaction is this role's doing. Without an actor it is the operator's."""
    await connection.execute(_ACTOR, {"role_id": str(role_id)})


async def insert_refusal(
    connection: AsyncConnection, tenant_id: int, *, action: str, kind: str, role_id: int | None, told: Mapping[str, str]
) -> None:
    """Nothing; that somebody was refused is in the audit, if the tenant can be one."""
    if is_identity(tenant_id):
        # PostgreSQL stores no zero character.
        after = {name: value.replace("\0", "")[:200] for name, value in told.items()}
        await connection.execute(
            insert(tables.audit).values(tenant_id=tenant_id, action=action, kind=kind, role_id=role_id, after=after)
        )


async def delete_old_entries(connection: AsyncConnection, before: datetime) -> int:
    """How many entries of before this moment were deleted: the only way in which any goes."""
    await connection.execute(_RETENTION)
    gone = await connection.execute(delete(tables.audit).where(tables.audit.c.happened_at < before))
    return gone.rowcount
