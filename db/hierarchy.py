"""Parents and children of roles, beyond one step: what needs a recursive query."""

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

_SPREAD = text(
    """
    insert into ostiary.role_membership (tenant_id, class_id, role_id)
    with recursive member as (
      select m.class_id, m.role_id
        from ostiary.role_membership as m
        join ostiary.role_class as c on c.class_id = m.class_id and c.inherit = 'full'
       where m.tenant_id = :tenant_id
      union
      select member.class_id, child.role_id
        from member
        join ostiary.role as child on child.tenant_id = :tenant_id and child.parent_id = member.role_id
    )
    select :tenant_id, class_id, role_id from member
    on conflict do nothing
    """
)


async def list_ancestors(connection: AsyncConnection, tenant_id: int, role_id: int) -> frozenset[int]:
    """The parent, its parent, and so on to the top."""
    rows = await connection.execute(_ANCESTORS, {"tenant_id": tenant_id, "role_id": role_id})
    return frozenset(rows.scalars())


async def spread_classes(connection: AsyncConnection, tenant_id: int) -> None:
    """Puts the descendants of each member of a class with full inheritance into that class."""
    await connection.execute(_SPREAD, {"tenant_id": tenant_id})
