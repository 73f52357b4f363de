"""The queries of table `role`, and of who is in which class."""

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from sqlalchemy import Integer, RowMapping, Select, func, insert, or_, select, update
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncConnection

from db import tables
from db.classes import insert_memberships, list_handed_on, set_classes_of_role
from db.errors import CheckViolated, UniqueViolated
from db.identities import is_identity, is_storable, require_storable
from db.provider_identities import forget_logins
from db.records import Claims, Role, Tenant
from db.references import require_roles
from db.sessions import end_sessions_of_role
from db.tenants import announce_change

# The creator of a role that no other role created: the first one of a tenant.
NO_CREATOR: Final = 0


def nobody_login(tenant_id: int) -> str:
    """The login of the role that anonymous callers have. It stays taken while anonymous logins are off."""
    return f"nobody{tenant_id}"


def normal_login(login: str) -> str:
    """The form in which logins are stored that people choose themselves: two that look alike are one.

    >>> normal_login(" Ann@Example.ORG ")
    'ann@example.org'
    """
    return unicodedata.normalize("NFKC", login).strip().casefold()


class Unchanged(Enum):
    UNCHANGED = "unchanged"


UNCHANGED: Final = Unchanged.UNCHANGED


@dataclass(frozen=True, slots=True)
class RoleChanges:
    """What becomes of a role; what is None stays. A parent of None means that the role has none any more."""

    login: str | None = None
    name: str | None = None
    parent_id: int | None | Unchanged = UNCHANGED
    capabilities: frozenset[str] | None = None
    class_ids: frozenset[int] | None = None
    deleted: bool | None = None
    claims: Claims | None | Unchanged = UNCHANGED


class LoginTaken(UniqueViolated):
    """Another role of the tenant has this login."""

    code = "LOGIN_TAKEN"

    def __init__(self, login: str) -> None:
        super().__init__(f"The login {login!r} is taken.", table="role")


class ParentCycle(CheckViolated):
    """A role would become its own ancestor."""

    code = "PARENT_CYCLE"

    def __init__(self) -> None:
        super().__init__("A role cannot be below itself.", table="role")


async def find_role(connection: AsyncConnection, tenant_id: int, role_id: int) -> Role | None:
    """The role if it is in this tenant, deleted or not."""
    if not is_identity(tenant_id):
        return None
    role = await find_role_anywhere(connection, role_id)
    return role if role is not None and role.tenant_id == tenant_id else None


async def find_nobody(connection: AsyncConnection, tenant: Tenant) -> Role | None:
    """The tenant's Nobody role, if it has one, deleted or not."""
    if tenant.nobody_role_id is None:
        return None
    return await find_role(connection, tenant.tenant_id, tenant.nobody_role_id)


async def find_role_anywhere(connection: AsyncConnection, role_id: int) -> Role | None:
    """The role of whichever tenant, deleted or not."""
    if not is_identity(role_id):
        return None
    row = (await connection.execute(_select_roles().where(tables.role.c.role_id == role_id))).mappings().one_or_none()
    return None if row is None else _to_role(row)


async def find_login(connection: AsyncConnection, tenant_id: int, login: str) -> Role | None:
    """The role with exactly this login; a deleted one, the latest, only where no other has it."""
    if not is_identity(tenant_id) or not is_storable(login):
        return None
    query = (
        _select_roles()
        .where(tables.role.c.tenant_id == tenant_id, tables.role.c.login == login)
        .order_by(tables.role.c.deleted, tables.role.c.role_id.desc())
        .limit(1)
    )
    row = (await connection.execute(query)).mappings().one_or_none()
    return None if row is None else _to_role(row)


async def find_login_like(connection: AsyncConnection, tenant_id: int, login: str) -> Role | None:
    """The role with exactly this login, or else one that somebody registered by it, however they wrote it."""
    forms = [login, normal_login(login)]
    if not is_identity(tenant_id) or not is_storable(login) or not is_storable(forms[1]):
        return None
    # A login that an administrator gave counts exactly.
    chosen = select(tables.identity.c.role_id).where(
        tables.identity.c.role_id == tables.role.c.role_id, tables.identity.c.subject == forms[1]
    )
    query = (
        _select_roles()
        .where(tables.role.c.tenant_id == tenant_id, tables.role.c.login.in_(forms))
        .where(or_(tables.role.c.login == login, chosen.exists()))
        .order_by(tables.role.c.deleted, tables.role.c.login != login, tables.role.c.role_id.desc())
        .limit(1)
    )
    row = (await connection.execute(query)).mappings().one_or_none()
    return None if row is None else _to_role(row)


async def find_public(connection: AsyncConnection, tenant_id: int, public_id: str) -> Role | None:
    """The role that clients know by this text of 24 hexadecimal characters, deleted or not."""
    if not is_identity(tenant_id) or not is_storable(public_id):
        return None
    query = _select_roles().where(tables.role.c.tenant_id == tenant_id, tables.role.c.public_id == public_id)
    row = (await connection.execute(query)).mappings().one_or_none()
    return None if row is None else _to_role(row)


async def list_roles(connection: AsyncConnection, tenant_id: int) -> tuple[Role, ...]:
    """All roles of a tenant, deleted ones too, by id."""
    query = _select_roles().where(tables.role.c.tenant_id == tenant_id).order_by(tables.role.c.role_id)
    return tuple(_to_role(row) for row in (await connection.execute(query)).mappings())


async def list_children(connection: AsyncConnection, tenant_id: int, role_id: int) -> frozenset[int]:
    """The ids of the roles whose parent this is, deleted ones too; not of those further below."""
    if not is_identity(tenant_id) or not is_identity(role_id):
        return frozenset()
    query = select(tables.role.c.role_id).where(
        tables.role.c.tenant_id == tenant_id, tables.role.c.parent_id == role_id
    )
    return frozenset((await connection.execute(query)).scalars())


async def insert_role(
    connection: AsyncConnection,
    *,
    tenant_id: int,
    login: str,
    name: str,
    parent_id: int | None,
    creator_id: int,
    capabilities: Iterable[str],
    class_ids: Iterable[int],
    password_hash: str | None,
    claims: Claims | None = None,
) -> Role:
    """The new role. Besides the classes named it joins those that its parent hands on: of kind `create` if the parent
    itself creates it. Raises LoginTaken, ForeignKeyViolated, InvalidValue."""
    require_storable(login=login, name=name)
    await announce_change(connection, tenant_id)
    await _require_login_free(connection, tenant_id, login)
    if parent_id is not None:
        await require_roles(connection, tenant_id, [parent_id])
    statement = (
        insert(tables.role)
        .values(
            tenant_id=tenant_id,
            login=login,
            name=name,
            parent_id=parent_id,
            creator_id=creator_id,
            capabilities=sorted(set(capabilities)),
            password_hash=password_hash,
            claims=claims or None,
            password_set_at=None if password_hash is None else func.now(),
            password_set_by=None if password_hash is None else creator_id,
        )
        .returning(tables.role.c.role_id)
    )
    role_id = (await connection.execute(statement)).scalar_one()
    handed_on = await list_handed_on(connection, tenant_id, creator_id) if parent_id == creator_id else frozenset[int]()
    await insert_memberships(connection, tenant_id, role_ids=[role_id], class_ids=handed_on.union(class_ids))
    return await _get_role(connection, role_id)


async def update_role(connection: AsyncConnection, tenant_id: int, role_id: int, changes: RoleChanges) -> Role | None:
    """The role as it now is, or None if the tenant has none of this id. A role that gets deleted loses its sessions.
    Raises LoginTaken, ParentCycle, ForeignKeyViolated, InvalidValue."""
    require_storable(login=changes.login, name=changes.name)
    await announce_change(connection, tenant_id)
    before = await find_role(connection, tenant_id, role_id)
    if before is None:
        return None
    login = before.login if changes.login is None else changes.login
    deleted = before.deleted if changes.deleted is None else changes.deleted
    if not deleted:
        await _require_login_free(connection, tenant_id, login, but_for=role_id)
    if isinstance(changes.parent_id, int):
        await require_roles(connection, tenant_id, [changes.parent_id])
        await _require_not_below(connection, role_id, changes.parent_id)
    values = {
        "login": login,
        "deleted": deleted,
        "name": before.name if changes.name is None else changes.name,
        "parent_id": before.parent_id if changes.parent_id is UNCHANGED else changes.parent_id,
        "capabilities": sorted(before.capabilities if changes.capabilities is None else changes.capabilities),
        "claims": (before.claims if changes.claims is UNCHANGED else changes.claims) or None,
    }
    await connection.execute(update(tables.role).where(tables.role.c.role_id == role_id).values(values))
    if login != before.login:
        await forget_logins(connection, role_id)
    if changes.class_ids is not None:
        await set_classes_of_role(connection, tenant_id, role_id, changes.class_ids)
    if deleted and not before.deleted:
        await end_sessions_of_role(connection, role_id)
    return await _get_role(connection, role_id)


async def set_password(
    connection: AsyncConnection, tenant_id: int, role_id: int, password_hash: str | None, set_by: int
) -> None:
    """Nothing. The role's sessions go on: which of them a new password ends is for the caller to say."""
    await announce_change(connection, tenant_id)
    await connection.execute(
        update(tables.role)
        .where(tables.role.c.tenant_id == tenant_id, tables.role.c.role_id == role_id)
        .values(password_hash=password_hash, password_set_at=func.now(), password_set_by=set_by)
    )


async def renew_password_hash(connection: AsyncConnection, role: Role, password_hash: str) -> None:
    """Nothing; the same password is stored in today's form, unless somebody else is at the role just now."""
    is_same = (tables.role.c.role_id == role.role_id) & (tables.role.c.password_hash == role.password_hash)
    # A login waits for nobody, and the next one tries again.
    free = select(tables.role.c.role_id).where(is_same).with_for_update(key_share=True, skip_locked=True)
    await connection.execute(
        update(tables.role).where(tables.role.c.role_id.in_(free)).values(password_hash=password_hash)
    )


async def set_deleted(connection: AsyncConnection, tenant_id: int, role_id: int, deleted: bool) -> Role | None:  # noqa: FBT001
    """The role as it now is, or None; see `update_role`."""
    return await update_role(connection, tenant_id, role_id, RoleChanges(deleted=deleted))


def _select_roles() -> Select[Any]:
    class_ids = func.ostiary.role_class_ids(tables.role.c.role_id, type_=ARRAY(Integer))
    return select(tables.role, class_ids.label("class_ids"))


async def _get_role(connection: AsyncConnection, role_id: int) -> Role:
    row = await connection.execute(_select_roles().where(tables.role.c.role_id == role_id))
    return _to_role(row.mappings().one())


async def _require_login_free(connection: AsyncConnection, tenant_id: int, login: str, *, but_for: int = 0) -> None:
    """Nothing. Raises LoginTaken where the unique index `role_login_key` would raise and end the transaction."""
    query = select(tables.role.c.role_id).where(
        tables.role.c.tenant_id == tenant_id,
        tables.role.c.login == login,
        tables.role.c.role_id != but_for,
        or_(~tables.role.c.deleted, tables.role.c.login == nobody_login(tenant_id)),
    )
    if (await connection.execute(query)).first() is not None:
        raise LoginTaken(login)


async def _require_not_below(connection: AsyncConnection, role_id: int, parent_id: int) -> None:
    line = (
        select(tables.role.c.role_id, tables.role.c.parent_id)
        .where(tables.role.c.role_id == parent_id)
        .cte(recursive=True)
    )
    above = tables.role.alias()
    # UNION, not UNION ALL: it ends even on a circle.
    line = line.union(select(above.c.role_id, above.c.parent_id).join(line, above.c.role_id == line.c.parent_id))
    query = select(line.c.role_id).where(line.c.role_id == role_id)
    if (await connection.execute(query)).first() is not None:
        raise ParentCycle


def _to_role(row: RowMapping) -> Role:
    return Role(
        role_id=row["role_id"],
        tenant_id=row["tenant_id"],
        login=row["login"],
        name=row["name"],
        parent_id=row["parent_id"],
        creator_id=row["creator_id"],
        capabilities=frozenset(row["capabilities"]),
        class_ids=frozenset(row["class_ids"]),
        deleted=row["deleted"],
        password_hash=row["password_hash"],
        created_at=row["created_at"],
        password_set_at=row["password_set_at"],
        password_set_by=row["password_set_by"],
        claims=row["claims"] or {},
        kind=row["kind"],
        public_id=row["public_id"],
    )
