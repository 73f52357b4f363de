"""The roles above a role, beyond its parent."""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

_ANCESTORS = text(
    """
    with recursive above as (
      select parent_id from ostiary.role where tenant_id = :tenant_id and role_id = :role_id
      union
      select r.parent_id from above join ostiary.role as r on r.tenant_id = :tenant_id and r.role_id = above.parent_id
    )
    select parent_id from above where parent_id is not null
    """
)


async def list_ancestors(connection: AsyncConnection, tenant_id: int, role_id: int) -> frozenset[int]:
    """The parent, its parent, and so on to the top."""
    rows = await connection.execute(_ANCESTORS, {"tenant_id": tenant_id, "role_id": role_id})
    return frozenset(rows.scalars())
