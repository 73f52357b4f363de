"""Where roles can be reached: what the mutations of that name do. A role looks after its own row; for those of others
it takes what changing the role takes."""

from sqlalchemy.ext.asyncio import AsyncConnection

from db.contactinfo import ContactInfo, delete_contactinfo, insert_contactinfo, update_contactinfo
from schema.roles_pbac.context import ControlContext
from schema.roles_pbac.control_model import ROLES
from schema.roles_pbac.errors import BadInput, NoSuchRow
from schema.roles_pbac.inputs import RoleContactinfoInput
from schema.roles_pbac.keys import parse_key
from schema.roles_pbac.rows import require_before


async def create_contactinfo(context: ControlContext, given: RoleContactinfoInput) -> int:
    """The id of the role whose contact information this now is."""
    role_id = parse_key("role", given.roleid)
    async with context.transaction.change() as connection:
        await _require_reach(context, connection, role_id)
        await insert_contactinfo(connection, context.tenant.tenant_id, role_id, _read(given))
    return role_id


async def change_contactinfo(context: ControlContext, role_id: int, given: RoleContactinfoInput) -> None:
    if parse_key("role", given.roleid) != role_id:
        raise BadInput("The contact information of one role cannot become that of another.")
    async with context.transaction.change() as connection:
        await _require_reach(context, connection, role_id)
        if not await update_contactinfo(connection, context.tenant.tenant_id, role_id, _read(given)):
            raise NoSuchRow("contact information of role", role_id)


async def remove_contactinfo(context: ControlContext, role_id: int) -> None:
    async with context.transaction.change() as connection:
        await _require_reach(context, connection, role_id)
        if not await delete_contactinfo(connection, context.tenant.tenant_id, role_id):
            raise NoSuchRow("contact information of role", role_id)


async def _require_reach(context: ControlContext, connection: AsyncConnection, role_id: int) -> None:
    if role_id == context.principal.role_id and role_id != context.tenant.nobody_role_id:
        return
    grant = context.policy.grant(context.principal, ROLES, "update_role")
    await require_before(context, connection, ROLES, role_id, grant)


def _read(given: RoleContactinfoInput) -> ContactInfo:
    return ContactInfo(given.address, given.city, given.stateprov, given.mailcd, given.phone, given.email)
