"""Creating, changing and deleting role classes: what the mutations of that name do."""

from db.classes import INHERITANCE, ClassChanges, delete_class, insert_class, update_class
from schema.roles_pbac.context import ControlContext
from schema.roles_pbac.control_model import ROLE_CLASSES
from schema.roles_pbac.errors import BadInput, WrongTenant
from schema.roles_pbac.inputs import RoleClassInput
from schema.roles_pbac.keys import is_given, parse_keys, required
from schema.roles_pbac.rows import require_after, require_before


async def create_class(context: ControlContext, given: RoleClassInput) -> int:
    """The id of a new class."""
    grant = context.policy.grant(context.principal, ROLE_CLASSES, "create_class")
    name, inherit, members = read_class_input(context, given)
    async with context.transaction.change() as connection:
        created = await insert_class(
            connection,
            tenant_id=context.tenant.tenant_id,
            name=name,
            inherit=inherit,
            creator_id=context.principal.role_id,
            member_ids=members or frozenset(),
        )
        await require_after(context, connection, ROLE_CLASSES, created.class_id, "create_class", grant)
        return created.class_id


async def change_class(context: ControlContext, class_id: int, given: RoleClassInput) -> None:
    grant = context.policy.grant(context.principal, ROLE_CLASSES, "update_class")
    name, inherit, members = read_class_input(context, given)
    async with context.transaction.change() as connection:
        await require_before(context, connection, ROLE_CLASSES, class_id, grant)
        await update_class(connection, context.tenant.tenant_id, class_id, ClassChanges(name, inherit, members))
        await require_after(context, connection, ROLE_CLASSES, class_id, "update_class", grant)


async def remove_class(context: ControlContext, class_id: int) -> None:
    grant = context.policy.grant(context.principal, ROLE_CLASSES, "delete_class")
    async with context.transaction.change() as connection:
        await require_before(context, connection, ROLE_CLASSES, class_id, grant)
        await delete_class(connection, context.tenant.tenant_id, class_id)


def read_class_input(context: ControlContext, given: RoleClassInput) -> tuple[str, str, frozenset[int] | None]:
    """Name, inheritance and members; the last are None where they were left out. Raises WrongTenant, BadInput."""
    if given.tenantid != context.tenant.tenant_id:
        raise WrongTenant
    inherit = given.inherit.strip().lower()
    if inherit not in INHERITANCE:
        raise BadInput("A class inherits none, create or full.")
    members = parse_keys("role", given.members) if is_given(given.members) else None
    return required(given.name, "name"), inherit, members
