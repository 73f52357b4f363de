"""What may be given to a role, and by whom; pure decisions that `roles.py` and `rules.py` ask for."""

from collections.abc import Iterable

from db.records import Role, Tenant
from schema.principal import CAPABILITIES, NORMAL_CAPABILITIES, Principal
from schema.roles_pbac.errors import BadInput, CapabilityNotHeld, RoleProtected

RULE_CAPABILITIES = frozenset(CAPABILITIES) - {"login", "admin"}


def check_known(capabilities: Iterable[str]) -> None:
    """Raises BadInput for the first name that is no capability."""
    for capability in sorted(set(capabilities) - set(CAPABILITIES)):
        raise BadInput(f"There is no capability {capability!r}.")


def check_creation(principal: Principal, capabilities: frozenset[str]) -> None:
    """A new role may have the normal capabilities, and what its creator holds. Raises CapabilityNotHeld."""
    _check_held(principal, capabilities - NORMAL_CAPABILITIES)


def check_addition(principal: Principal, capabilities: frozenset[str], before: frozenset[str]) -> None:
    """What a role has already may stay; what is added the principal must hold. Raises CapabilityNotHeld."""
    _check_held(principal, capabilities - before)


def check_rule_capabilities(principal: Principal, capabilities: frozenset[str]) -> None:
    """Raises BadInput for what no rule can grant, CapabilityNotHeld for what this principal cannot let it grant."""
    check_grantable(capabilities)
    _check_held(principal, capabilities)


def check_grantable(capabilities: frozenset[str]) -> None:
    """Raises BadInput for what no rule can grant."""
    for capability in sorted(capabilities - RULE_CAPABILITIES):
        raise BadInput(f"A rule cannot grant {capability!r}: it is for roles alone.")


def _check_held(principal: Principal, capabilities: frozenset[str]) -> None:
    if principal.bypasses_policy:
        return
    for capability in sorted(capabilities - principal.capabilities):
        raise CapabilityNotHeld(capability)


def check_may_change(principal: Principal, tenant: Tenant, role: Role) -> None:
    """Root is changed by itself alone, Nobody by `anonymous_logins` alone, and who can do more than the principal by
    those who can do as much: whoever sets a password can become the role. Raises RoleProtected."""
    if role.role_id == tenant.nobody_role_id:
        raise RoleProtected("The Nobody role is managed by anonymous_logins.")
    if role.role_id == principal.role_id:
        return
    if role.role_id == tenant.root_role_id:
        raise RoleProtected("The tenant's root role can only be changed by itself.")
    if not principal.bypasses_policy and role.capabilities - NORMAL_CAPABILITIES - principal.capabilities:
        raise RoleProtected("This role holds capabilities that you do not hold.")


def check_own_change(
    role: Role,
    *,
    login: str,
    parent_id: object,
    capabilities: frozenset[str],
    class_ids: frozenset[int],
    deleted: bool,
) -> None:
    """A role changes its own name and password, and may lay down capabilities and classes. Raises RoleProtected."""
    allowed = (
        login == role.login
        and parent_id == role.parent_id
        and capabilities <= role.capabilities
        and class_ids <= role.class_ids
        and not deleted
    )
    if not allowed:
        raise RoleProtected("Of itself a role can only change its name and its password.")


def check_root_change(
    role: Role, *, parent_id: object, capabilities: frozenset[str] | None, deleted: bool | None
) -> None:
    """Root stays what it is, whatever its name and password become. Raises RoleProtected."""
    keeps_parent = not isinstance(parent_id, int) or parent_id == role.parent_id
    keeps_capabilities = capabilities is None or capabilities >= role.capabilities
    if deleted or not keeps_parent or not keeps_capabilities:
        raise RoleProtected("The tenant's root role keeps its capabilities, has no parent and is not deleted.")
