"""Whether a rule would grant what it says: its targets are there, and its filter fits each of them."""

from dataclasses import replace

from db.records import NO_OPTIONS, Rule
from schema.expression.parse import parse_expression
from schema.model import Model
from schema.policy import CONTROL_TARGETS, compile_control_policy, compile_policy
from schema.roles_pbac.control_model import CONTROL_MODEL
from schema.roles_pbac.errors import RuleRefused


def check_rule(rule: Rule, model: Model) -> None:
    """Nothing. Raises ExpressionSyntaxError with the position, RuleRefused with the first target that does not fit."""
    if rule.filter.strip():
        parse_expression(rule.filter)
    bare = replace(rule.options, valid_from=None, valid_until=None)
    if bare != NO_OPTIONS and rule.targets & CONTROL_TARGETS.keys():
        raise RuleRefused("Of roles, classes and rules a rule grants whole rows: it has no columns, presets or masks.")
    faults = (
        *compile_policy([rule], model, tenant_id=rule.tenant_id).faults,
        *compile_control_policy([rule], CONTROL_MODEL, tenant_id=rule.tenant_id).faults,
    )
    for fault in faults:
        raise RuleRefused(fault.message)
