"""Ids that one row holds of others: refused here with a sentence, where a foreign key would end the transaction."""

from collections.abc import Iterable

from sqlalchemy import Column, Integer, any_, literal, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncConnection

from db import tables
from db.errors import ForeignKeyViolated
from db.identities import is_identity


async def require_roles(connection: AsyncConnection, tenant_id: int, role_ids: Iterable[int]) -> None:
    """Nothing. Raises ForeignKeyViolated, naming the first of these that is no role of the tenant."""
    await _require(connection, tenant_id, role_ids, "role", tables.role.c.role_id)


async def require_classes(connection: AsyncConnection, tenant_id: int, class_ids: Iterable[int]) -> None:
    """Nothing. Raises ForeignKeyViolated, naming the first of these that is no role class of the tenant."""
    await _require(connection, tenant_id, class_ids, "role class", tables.role_class.c.class_id)


async def _require(
    connection: AsyncConnection, tenant_id: int, identities: Iterable[int], kind: str, column: Column[int]
) -> None:
    wanted = frozenset(identities)
    if not wanted:
        return
    query = select(column).where(
        column.table.c.tenant_id == tenant_id,
        column == any_(literal([number for number in wanted if is_identity(number)], ARRAY(Integer))),
    )
    missing = wanted.difference((await connection.execute(query)).scalars())
    if missing:
        raise ForeignKeyViolated(f"This tenant has no {kind} {min(missing)}.", table=column.table.name)
