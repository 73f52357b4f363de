"""Anonymous logins on and off: one Nobody role for each tenant, made once and flagged as deleted while they are off."""

from sqlalchemy.ext.asyncio import AsyncConnection

from db.records import Role
from db.roles import find_login, insert_role, nobody_login, set_deleted
from db.rules import insert_rule
from db.tenants import set_nobody
from schema.principal import NOBODY_CAPABILITIES
from schema.roles_pbac.context import ControlContext


async def find_nobody(connection: AsyncConnection, tenant_id: int) -> Role | None:
    """The tenant's Nobody role, deleted or not."""
    return await find_login(connection, tenant_id, nobody_login(tenant_id))


async def enable_anonymous_logins(context: ControlContext) -> int:
    """The id of the Nobody role, made now or brought back."""
    async with context.transaction.change() as connection:
        return await let_visitors_in(connection, context.tenant.tenant_id, creator_id=context.principal.role_id)


async def disable_anonymous_logins(context: ControlContext) -> None:
    """Nothing; nobody enters any more, and whoever is in is out."""
    async with context.transaction.change() as connection:
        await shut_visitors_out(connection, context.tenant.tenant_id)


async def let_visitors_in(connection: AsyncConnection, tenant_id: int, *, creator_id: int) -> int:
    """The id of the Nobody role, made now or brought back."""
    nobody = await find_nobody(connection, tenant_id)
    if nobody is None:
        nobody = await make_nobody(connection, tenant_id, creator_id=creator_id)
    elif nobody.deleted:
        await set_deleted(connection, tenant_id, nobody.role_id, deleted=False)
    return nobody.role_id


async def shut_visitors_out(connection: AsyncConnection, tenant_id: int) -> None:
    """Nothing; the Nobody role, if there is one, is flagged as deleted."""
    nobody = await find_nobody(connection, tenant_id)
    if nobody is not None and not nobody.deleted:
        await set_deleted(connection, tenant_id, nobody.role_id, deleted=True)


async def make_nobody(connection: AsyncConnection, tenant_id: int, *, creator_id: int) -> Role:
    """The new Nobody role, with the rule by which it sees the normal roles."""
    nobody = await insert_role(
        connection,
        tenant_id=tenant_id,
        login=nobody_login(tenant_id),
        name="Nobody",
        parent_id=None,
        creator_id=creator_id,
        capabilities=NOBODY_CAPABILITIES,
        class_ids=frozenset(),
        password_hash=None,
    )
    await set_nobody(connection, tenant_id, nobody.role_id)
    await insert_rule(
        connection,
        tenant_id=tenant_id,
        name="Nobody may view all normal roles",
        capabilities=frozenset({"view_role"}),
        targets=frozenset({"roles_pbac.roles"}),
        filter_text="normal = true",
        role_ids=frozenset({nobody.role_id}),
        class_ids=frozenset(),
        creator_id=creator_id,
    )
    return nobody
