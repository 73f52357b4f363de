"""Whether a rule would grant what it says: its targets are there, and its filter fits each of them."""

from dataclasses import replace

from db.records import Rule
from schema.expression.parse import parse_expression
from schema.model import Model
from schema.policy import CONTROL_TARGETS, compile_policy
from schema.roles_pbac.access import compile_control_policy
from schema.roles_pbac.errors import RuleRefused


def check_rule(rule: Rule, model: Model) -> None:
    """Nothing. Raises ExpressionSyntaxError with the position, RuleRefused with the first target that does not fit."""
    if rule.filter.strip():
        parse_expression(rule.filter)
    control, others = rule.targets & CONTROL_TARGETS.keys(), rule.targets - CONTROL_TARGETS.keys()
    tables = replace(rule, targets=frozenset(others))
    faults = compile_policy([tables], model, tenant_id=rule.tenant_id).faults if others else ()
    if control:
        faults += compile_control_policy([rule], tenant_id=rule.tenant_id).faults
    for fault in faults:
        raise RuleRefused(fault.message)
