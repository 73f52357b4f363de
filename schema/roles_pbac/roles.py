"""Creating, changing and deleting roles: what the mutations of that name do."""

from dataclasses import dataclass

import strawberry
from sqlalchemy.ext.asyncio import AsyncConnection

from db.hierarchy import list_ancestors
from db.records import Claims, Role
from db.roles import (
    UNCHANGED,
    RoleChanges,
    Unchanged,
    find_role,
    insert_role,
    nobody_login,
    set_deleted,
    set_password,
    update_role,
)
from db.sessions import end_sessions_of_role
from schema.principal import NORMAL_CAPABILITIES
from schema.roles_pbac import rights
from schema.roles_pbac.claims import read_claims
from schema.roles_pbac.context import ControlContext
from schema.roles_pbac.control_model import ROLE_CLASSES, ROLES
from schema.roles_pbac.errors import BadInput, NoSuchRow, RoleProtected, WrongTenant
from schema.roles_pbac.inputs import RoleInput
from schema.roles_pbac.keys import is_given, listed, required
from schema.roles_pbac.passwords import PasswordRefused
from schema.roles_pbac.rows import require_after, require_before


@dataclass(frozen=True, slots=True)
class WantedRole:
    """A roleInput, read. None stands for what the caller left out, and UNCHANGED for a parent left out."""

    login: str
    name: str
    parent_id: int | None | Unchanged
    class_ids: frozenset[int] | None
    capabilities: frozenset[str] | None
    deleted: bool | None
    password: str | None
    claims: Claims | None | Unchanged = UNCHANGED


def read_role_input(context: ControlContext, given: RoleInput) -> WantedRole:
    """Raises WrongTenant, BadInput, PasswordRefused."""
    if given.tenantid != context.tenant.tenant_id:
        raise WrongTenant
    capabilities = frozenset(listed(given.capabilities)) if is_given(given.capabilities) else None
    rights.check_known(capabilities or ())
    password = given.password if is_given(given.password) else None
    if password is not None:
        context.password_rules.check(password)
    return WantedRole(
        login=required(given.login, "login"),
        name=required(given.name, "name"),
        parent_id=UNCHANGED if given.parentid is strawberry.UNSET else given.parentid,
        class_ids=frozenset(listed(given.classes)) if is_given(given.classes) else None,
        capabilities=capabilities,
        deleted=given.deleted if is_given(given.deleted) else None,
        password=password,
        claims=UNCHANGED if given.claims is strawberry.UNSET else read_claims(context.principal, given.claims),
    )


async def create_role(context: ControlContext, given: RoleInput) -> int:
    """The id of a new role. Without capabilities given it has the normal ones."""
    wanted = read_role_input(context, given)
    grant = context.policy.grant(context.principal, ROLES, "create_role")
    capabilities = NORMAL_CAPABILITIES if wanted.capabilities is None else wanted.capabilities
    rights.check_creation(context.principal, capabilities)
    _check_not_reserved(context, wanted.login)
    await context.lent.hold_back()
    # Before the tenant's row is locked: hashing takes its time.
    password_hash = await context.lent.hash_password(wanted.password) if wanted.password is not None else None
    async with context.transaction.change() as connection:
        parent_id = wanted.parent_id if isinstance(wanted.parent_id, int) else None
        await _check_parent(context, connection, parent_id)
        await _check_classes(context, connection, wanted.class_ids or frozenset(), "create_role")
        role = await insert_role(
            connection,
            tenant_id=context.tenant.tenant_id,
            login=wanted.login,
            name=wanted.name,
            parent_id=parent_id,
            creator_id=context.principal.role_id,
            capabilities=capabilities,
            class_ids=wanted.class_ids or frozenset(),
            password_hash=password_hash,
            claims=None if wanted.claims is UNCHANGED else wanted.claims,
        )
        if wanted.deleted:
            await set_deleted(connection, context.tenant.tenant_id, role.role_id, deleted=True)
        await require_after(context, connection, ROLES, role.role_id, "create_role", grant)
        return role.role_id


async def change_role(context: ControlContext, role_id: int, given: RoleInput) -> None:
    """A role changes itself in name and password, and others as rules allow; root passes."""
    wanted = read_role_input(context, given)
    if wanted.password is not None:
        await context.lent.hold_back()
    if role_id == context.principal.role_id and not context.principal.bypasses_policy:
        await _change_itself(context, wanted)
    else:
        await _change_other(context, role_id, wanted)


async def _change_itself(context: ControlContext, wanted: WantedRole) -> None:
    async with context.transaction.change() as connection:
        role = await _get_role(context, connection, context.principal.role_id)
        rights.check_may_change(context.principal, context.tenant, role)
        rights.check_own_change(
            role,
            login=wanted.login,
            parent_id=role.parent_id if wanted.parent_id is UNCHANGED else wanted.parent_id,
            capabilities=role.capabilities if wanted.capabilities is None else wanted.capabilities,
            class_ids=role.class_ids if wanted.class_ids is None else wanted.class_ids,
            deleted=bool(wanted.deleted),
        )
        await _store(context, connection, role, wanted)


async def _change_other(context: ControlContext, role_id: int, wanted: WantedRole) -> None:
    grant = context.policy.grant(context.principal, ROLES, "update_role")
    async with context.transaction.change() as connection:
        await require_before(context, connection, ROLES, role_id, grant)
        role = await _get_role(context, connection, role_id)
        rights.check_may_change(context.principal, context.tenant, role)
        if role_id == context.tenant.root_role_id:
            rights.check_root_change(
                role, parent_id=wanted.parent_id, capabilities=wanted.capabilities, deleted=wanted.deleted
            )
        if wanted.capabilities is not None:
            rights.check_addition(context.principal, wanted.capabilities, role.capabilities)
        if wanted.login != role.login:
            _check_not_reserved(context, wanted.login)
        if wanted.parent_id is not UNCHANGED and wanted.parent_id != role.parent_id:
            await _check_parent(context, connection, wanted.parent_id)
        if wanted.class_ids is not None:
            await _check_classes(context, connection, wanted.class_ids ^ role.class_ids, "update_role")
        await _store(context, connection, role, wanted)
        await require_after(context, connection, ROLES, role_id, "update_role", grant)


async def delete_role(context: ControlContext, role_id: int) -> None:
    """The role is flagged as deleted, and its sessions are over."""
    grant = context.policy.grant(context.principal, ROLES, "delete_role")
    async with context.transaction.change() as connection:
        await require_before(context, connection, ROLES, role_id, grant)
        role = await _get_role(context, connection, role_id)
        rights.check_may_change(context.principal, context.tenant, role)
        if role_id == context.tenant.root_role_id:
            raise RoleProtected("The tenant's root role cannot be deleted.")
        await set_deleted(connection, context.tenant.tenant_id, role_id, deleted=True)


async def _store(context: ControlContext, connection: AsyncConnection, role: Role, wanted: WantedRole) -> None:
    tenant_id = context.tenant.tenant_id
    changes = RoleChanges(
        login=wanted.login,
        name=wanted.name,
        parent_id=wanted.parent_id,
        capabilities=wanted.capabilities,
        # A role is also in classes that roles above it hand on, and does not join those by itself for being named.
        class_ids=None if wanted.class_ids == role.class_ids else wanted.class_ids,
        deleted=wanted.deleted,
        claims=wanted.claims,
    )
    await update_role(connection, tenant_id, role.role_id, changes)
    if wanted.password is not None:
        if role.password_hash and await context.lent.verify_password(role.password_hash, wanted.password):
            raise PasswordRefused("New password must be different from old password.")
        password_hash = await context.lent.hash_password(wanted.password)
        await set_password(connection, tenant_id, role.role_id, password_hash, context.principal.role_id)
    lost_login = wanted.capabilities is not None and "login" in role.capabilities - wanted.capabilities
    if wanted.password is not None or lost_login:
        await end_sessions_of_role(connection, role.role_id, context.now)


async def _get_role(context: ControlContext, connection: AsyncConnection, role_id: int) -> Role:
    role = await find_role(connection, context.tenant.tenant_id, role_id)
    if role is None:
        raise NoSuchRow("role", role_id)
    return role


async def _check_parent(context: ControlContext, connection: AsyncConnection, parent_id: object) -> None:
    """A parent takes in what its children have, and hands on its classes: who is bound by rules can only put a role
    below itself."""
    if not isinstance(parent_id, int):
        return
    if await find_role(connection, context.tenant.tenant_id, parent_id) is None:
        raise NoSuchRow("role", parent_id)
    principal = context.principal
    if principal.bypasses_policy or parent_id == principal.role_id:
        return
    if principal.role_id not in await list_ancestors(connection, context.tenant.tenant_id, parent_id):
        raise RoleProtected("The parent has to be yourself or a role below you.")


async def _check_classes(
    context: ControlContext, connection: AsyncConnection, class_ids: frozenset[int], capability: str
) -> None:
    """A class is what its rules grant: who is bound by rules can put a role into a class it is in itself, and into
    others where a rule grants it the capability on `roles_pbac.role_classes`."""
    principal = context.principal
    foreign = class_ids if principal.bypasses_policy else class_ids - principal.class_ids
    if not foreign:
        return
    grant = context.policy.grant(principal, ROLE_CLASSES, capability)
    for class_id in sorted(foreign):
        await require_before(context, connection, ROLE_CLASSES, class_id, grant)


def _check_not_reserved(context: ControlContext, login: str) -> None:
    if login == nobody_login(context.tenant.tenant_id):
        raise BadInput(f"The login {login!r} is kept for anonymous logins.")
