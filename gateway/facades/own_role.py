"""change_own: a role changes its own name and password, as the mutation of /roles_pbac does it."""

from datetime import UTC, datetime

from graphql import DocumentNode

from db.rules import list_rules
from db.tenants import find_tenant
from gateway.auth.refusals import TokenRevoked
from gateway.roles_pbac import lent
from gateway.state import AppState
from schema.principal import Principal
from schema.roles_pbac.access import ControlPolicy
from schema.roles_pbac.context import ControlContext, Transaction
from schema.roles_pbac.inputs import RoleInput
from schema.roles_pbac.passwords import PasswordRules
from schema.roles_pbac.roles import change_role


async def change_own(state: AppState, principal: Principal, address: str, *, name: str, password: str | None) -> None:
    """Nothing; the name is the role's, and so is the password, where one is given: then all its sessions are over.
    Raises TokenRevoked, PasswordRefused, TooManyAttempts and what the mutation raises."""
    context = await _context(state, principal, address)
    given = RoleInput(tenantid=principal.tenant_id, login=principal.login, name=name)
    if password is not None:
        given.password = password
    try:
        await change_role(context, principal.role_id, given)
        await context.transaction.commit()
    finally:
        await context.transaction.close()
    await context.lent.refresh(principal.tenant_id)


async def _context(state: AppState, principal: Principal, address: str) -> ControlContext:
    async with state.engine.connect() as connection:
        tenant = await find_tenant(connection, principal.tenant_id, state.master_key)
        rules = await list_rules(connection, principal.tenant_id)
    if tenant is None or tenant.suspended:
        raise TokenRevoked
    return ControlContext(
        principal=principal,
        tenant=tenant,
        policy=ControlPolicy(rules, tenant_id=tenant.tenant_id, choice=tenant.rule_choice),
        transaction=Transaction(state.engine, principal.tenant_id, role_id=principal.role_id),
        lent=lent(state, principal, address),
        now=datetime.fromtimestamp(state.clock(), UTC),
        document=DocumentNode(definitions=()),
        password_rules=PasswordRules(
            min_length=state.settings.password_min_length, refuses_common=state.settings.password_refuse_common
        ),
    )
