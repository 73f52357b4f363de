"""The queries of tables `role_class` and `role_membership`."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Integer, RowMapping, all_, any_, delete, func, insert, literal, select, update
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from db import tables
from db.errors import CheckViolated
from db.identities import is_identity, require_storable
from db.records import RoleClass
from db.references import require_classes, require_roles
from db.tenants import announce_change

# How a class passes from a role to those below it: not at all; to a child that the member itself creates; to all.
INHERITANCE: Final = ("none", "create", "full")


@dataclass(frozen=True, slots=True)
class ClassChanges:
    """What becomes of a role class; what is None stays. `member_ids` are all who are in it by themselves."""

    name: str | None = None
    inherit: str | None = None
    member_ids: frozenset[int] | None = None


async def find_class(connection: AsyncConnection, tenant_id: int, class_id: int) -> RoleClass | None:
    if not is_identity(tenant_id) or not is_identity(class_id):
        return None
    query = select(tables.role_class).where(
        tables.role_class.c.tenant_id == tenant_id, tables.role_class.c.class_id == class_id
    )
    row = (await connection.execute(query)).mappings().one_or_none()
    return None if row is None else _to_class(row)


async def list_classes(connection: AsyncConnection, tenant_id: int) -> tuple[RoleClass, ...]:
    """All classes of a tenant, by id."""
    query = (
        select(tables.role_class)
        .where(tables.role_class.c.tenant_id == tenant_id)
        .order_by(tables.role_class.c.class_id)
    )
    return tuple(_to_class(row) for row in (await connection.execute(query)).mappings())


async def insert_class(
    connection: AsyncConnection,
    *,
    tenant_id: int,
    name: str,
    inherit: str,
    creator_id: int,
    member_ids: Iterable[int] = (),
) -> RoleClass:
    """The new class. Raises CheckViolated for an unknown `inherit`, ForeignKeyViolated for an unknown member."""
    require_storable(name=name)
    _require_inheritance(inherit)
    await announce_change(connection, tenant_id)
    statement = (
        insert(tables.role_class)
        .values(tenant_id=tenant_id, name=name, inherit=inherit, creator_id=creator_id)
        .returning(tables.role_class)
    )
    created = _to_class((await connection.execute(statement)).mappings().one())
    await insert_memberships(connection, tenant_id, role_ids=member_ids, class_ids=[created.class_id])
    return created


async def update_class(
    connection: AsyncConnection, tenant_id: int, class_id: int, changes: ClassChanges
) -> RoleClass | None:
    """The class as it now is, or None if the tenant has none of this id. Raises as `insert_class` does."""
    require_storable(name=changes.name)
    await announce_change(connection, tenant_id)
    before = await find_class(connection, tenant_id, class_id)
    if before is None:
        return None
    inherit = before.inherit if changes.inherit is None else changes.inherit
    _require_inheritance(inherit)
    statement = (
        update(tables.role_class)
        .where(tables.role_class.c.class_id == class_id)
        .values(name=before.name if changes.name is None else changes.name, inherit=inherit)
        .returning(tables.role_class)
    )
    after = _to_class((await connection.execute(statement)).mappings().one())
    if changes.member_ids is not None:
        await _set_members(connection, tenant_id, class_id, changes.member_ids)
    return after


async def delete_class(connection: AsyncConnection, tenant_id: int, class_id: int) -> RoleClass | None:
    """The class that was, or None. Rules go on naming its id, which is never given again: taking it out could leave a
    rule that names nobody, and such a rule holds for everybody."""
    await announce_change(connection, tenant_id)
    before = await find_class(connection, tenant_id, class_id)
    if before is not None:
        await connection.execute(delete(tables.role_class).where(tables.role_class.c.class_id == class_id))
    return before


async def list_handed_on(connection: AsyncConnection, tenant_id: int, role_id: int) -> frozenset[int]:
    """The classes of a role that a child joins when the role creates it."""
    query = select(tables.role_class.c.class_id).where(
        tables.role_class.c.tenant_id == tenant_id,
        tables.role_class.c.inherit == "create",
        tables.role_class.c.class_id == any_(func.ostiary.role_class_ids(role_id, type_=ARRAY(Integer))),
    )
    return frozenset((await connection.execute(query)).scalars())


async def list_memberships(connection: AsyncConnection, tenant_id: int, role_id: int) -> frozenset[int]:
    """The classes that a role is in by itself, without those that have been handed on to it from above."""
    if not is_identity(tenant_id) or not is_identity(role_id):
        return frozenset()
    query = select(tables.role_membership.c.class_id).where(
        tables.role_membership.c.tenant_id == tenant_id, tables.role_membership.c.role_id == role_id
    )
    return frozenset((await connection.execute(query)).scalars())


async def insert_memberships(
    connection: AsyncConnection, tenant_id: int, *, role_ids: Iterable[int], class_ids: Iterable[int]
) -> None:
    """Nothing; each of the roles is in each of the classes. Raises ForeignKeyViolated when the tenant lacks one."""
    roles, classes = sorted(set(role_ids)), sorted(set(class_ids))
    await require_roles(connection, tenant_id, roles)
    await require_classes(connection, tenant_id, classes)
    rows = [
        {"tenant_id": tenant_id, "role_id": role_id, "class_id": class_id} for role_id in roles for class_id in classes
    ]
    if rows:
        await connection.execute(upsert(tables.role_membership).on_conflict_do_nothing(), rows)


async def set_classes_of_role(
    connection: AsyncConnection, tenant_id: int, role_id: int, class_ids: Iterable[int]
) -> None:
    """Nothing; the role is in these classes by itself and in no others."""
    wanted = frozenset(class_ids)
    await insert_memberships(connection, tenant_id, role_ids=[role_id], class_ids=wanted)
    await connection.execute(
        delete(tables.role_membership).where(
            tables.role_membership.c.role_id == role_id,
            tables.role_membership.c.class_id != all_(literal(sorted(wanted), ARRAY(Integer))),
        )
    )


async def _set_members(connection: AsyncConnection, tenant_id: int, class_id: int, role_ids: Iterable[int]) -> None:
    wanted = frozenset(role_ids)
    await insert_memberships(connection, tenant_id, role_ids=wanted, class_ids=[class_id])
    await connection.execute(
        delete(tables.role_membership).where(
            tables.role_membership.c.tenant_id == tenant_id,
            tables.role_membership.c.class_id == class_id,
            tables.role_membership.c.role_id != all_(literal(sorted(wanted), ARRAY(Integer))),
        )
    )


def _require_inheritance(inherit: str) -> None:
    if inherit not in INHERITANCE:
        raise CheckViolated(f"A class is inherited in one of these ways: {', '.join(INHERITANCE)}.", table="role_class")


def _to_class(row: RowMapping) -> RoleClass:
    return RoleClass(
        class_id=row["class_id"],
        tenant_id=row["tenant_id"],
        name=row["name"],
        inherit=row["inherit"],
        creator_id=row["creator_id"],
        created_at=row["created_at"],
    )
