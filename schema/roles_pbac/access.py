"""ControlPolicy: what a principal may see and do in the control schema, as grants on the views of CONTROL_MODEL.

Nothing reaches beyond the principal's tenant. Within it root and administrators pass; everyone else sees itself, its
children and the classes it is in, and for the rest needs a capability of its own and a rule that grants it on
`roles_pbac.roles`, `roles_pbac.role_classes` or `roles_pbac.policy_rules`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from db.catalog import TableName
from db.records import Rule, RuleChoice
from schema.errors import AccessDenied
from schema.expression.predicate import (
    ALWAYS,
    NEVER,
    AnyOf,
    ColumnOf,
    Compare,
    Exists,
    Predicate,
    PrincipalValue,
    all_of,
    any_of,
)
from schema.grants import Grant, GrantPart
from schema.policy import AGGREGATE, COMPARE, compile_control_policy
from schema.principal import Principal
from schema.roles_pbac.control_model import (
    AUDIT,
    CAPABILITIES,
    CONTROL_MODEL,
    INTEGER,
    INTEGERS,
    PACKAGE_FUNCTIONS,
    PACKAGES,
    POLICY_RULES,
    ROLE_CLASSES,
    ROLE_CONTACTINFO,
    ROLES,
    TENANT_CONTACTINFO,
    TENANTS,
)

IN_TENANT: Final = Compare(ColumnOf("tenantid", INTEGER), "=", PrincipalValue("tenantid", INTEGER))
ITSELF: Final = Compare(ColumnOf("roleid", INTEGER), "=", PrincipalValue("roleid", INTEGER))
ITS_CHILD: Final = Compare(ColumnOf("parentid", INTEGER), "=", PrincipalValue("roleid", INTEGER))
ITS_CLASS: Final = AnyOf(ColumnOf("classid", INTEGER), PrincipalValue("classes", INTEGERS))
# Not with view_role: Nobody has that for all normal roles, and where people live is not for passers-by.
OF_ITSELF_OR_A_CHILD: Final = Exists("role", any_of(ITSELF, ITS_CHILD), under_grant=False)

VIEW_CAPABILITIES: Final = {ROLES: "view_role", ROLE_CLASSES: "view_class", POLICY_RULES: "view_rule"}
_OWN_ROWS: Final = {ROLES: any_of(ITSELF, ITS_CHILD), ROLE_CLASSES: ITS_CLASS, POLICY_RULES: NEVER}
_FOR_EVERYONE: Final = frozenset({CAPABILITIES, PACKAGES, PACKAGE_FUNCTIONS})
_FOR_ADMINISTRATORS: Final = frozenset({TENANTS, TENANT_CONTACTINFO})


@dataclass(frozen=True, slots=True)
class ControlGrants:
    """What the control policy gives one principal."""

    policy: "ControlPolicy"
    principal: Principal

    def grant(self, table: TableName, capability: str, /) -> Predicate:
        # Whoever sees roles, classes or rules may also count them.
        granted = "select" if capability in (AGGREGATE, COMPARE) else capability
        return self.policy.grant(self.principal, table, granted)

    def get_grant(self, table: TableName, capability: str, /) -> Grant:
        return Grant((GrantPart(self.grant(table, capability)),))


class ControlPolicy:
    """The tenant's rules on control targets, below what this schema lays down itself."""

    def __init__(self, rules: Sequence[Rule], *, tenant_id: int, choice: RuleChoice = "add_up") -> None:
        self._rules = compile_control_policy(rules, CONTROL_MODEL, tenant_id=tenant_id, choice=choice)

    def grant(self, principal: Principal, table: TableName, capability: str = "select") -> Predicate:
        """The rows of a view that the principal may see, or for another capability than `select` may act on.
        Raises AccessDenied where none is in scope; what it may see may be no rows at all."""
        if capability == "select":
            return self._visible(principal, table)
        if principal.bypasses_policy:
            return IN_TENANT
        if not principal.may(capability):
            raise AccessDenied(capability, str(table))
        return all_of(IN_TENANT, self._rules.grant(principal, table, capability))

    def sees_all(self, principal: Principal, table: TableName) -> bool:
        """Whether the principal may see every row of its tenant in one of the three targets."""
        return principal.bypasses_policy or self._granted(principal, table) == IN_TENANT

    def grants(self, principal: Principal) -> "ControlGrants":
        """The same, for one principal."""
        return ControlGrants(self, principal)

    def _visible(self, principal: Principal, table: TableName) -> Predicate:
        if table in _FOR_EVERYONE:
            return ALWAYS
        if table == AUDIT:
            return IN_TENANT if principal.is_root else NEVER
        if principal.bypasses_policy:
            return IN_TENANT
        if table in _FOR_ADMINISTRATORS:
            return NEVER
        if table == ROLE_CONTACTINFO:
            return all_of(IN_TENANT, OF_ITSELF_OR_A_CHILD)
        return all_of(IN_TENANT, any_of(_OWN_ROWS[table], self._granted(principal, table)))

    def _granted(self, principal: Principal, table: TableName) -> Predicate:
        try:
            return self.grant(principal, table, VIEW_CAPABILITIES[table])
        except AccessDenied:
            return NEVER
