"""Creating, changing and deleting policy rules: what the mutations of that name do."""

import strawberry
from sqlalchemy.ext.asyncio import AsyncConnection

from db.records import NO_OPTIONS, Rule
from db.rules import RuleChanges, delete_rule, find_rule, insert_rule, list_rules, update_rule
from schema.policy import compile_control_policy, compile_policy
from schema.roles_pbac import rights
from schema.roles_pbac.access import VIEW_CAPABILITIES
from schema.roles_pbac.context import ControlContext
from schema.roles_pbac.control_model import CONTROL_MODEL, POLICY_RULES
from schema.roles_pbac.errors import BadInput, NoSuchRow, RuleRefused
from schema.roles_pbac.holdings import Holdings
from schema.roles_pbac.inputs import PolicyRuleInput
from schema.roles_pbac.keys import is_given, listed, parse_keys, required
from schema.roles_pbac.rows import require_after, require_before
from schema.roles_pbac.rule_options import read_options
from schema.roles_pbac.targets import check_rule
from schema.validity import is_in_force


async def create_rule(context: ControlContext, given: PolicyRuleInput) -> int:
    """The id of a new rule."""
    grant = context.policy.grant(context.principal, POLICY_RULES, "create_rule")
    wanted = await read_rule_input(context, given, None)
    async with context.transaction.change() as connection:
        await _check_held(context, connection, wanted)
        rule = await insert_rule(
            connection,
            tenant_id=context.tenant.tenant_id,
            name=wanted.name,
            capabilities=wanted.capabilities,
            targets=wanted.targets,
            filter_text=wanted.filter,
            role_ids=wanted.role_ids,
            class_ids=wanted.class_ids,
            creator_id=context.principal.role_id,
            options=wanted.options,
        )
        await require_after(context, connection, POLICY_RULES, rule.rule_id, "create_rule", grant)
        return rule.rule_id


async def change_rule(context: ControlContext, rule_id: int, given: PolicyRuleInput) -> None:
    """What the input leaves out stays as it is."""
    grant = context.policy.grant(context.principal, POLICY_RULES, "update_rule")
    async with context.transaction.change() as connection:
        await require_before(context, connection, POLICY_RULES, rule_id, grant)
        before = await find_rule(connection, context.tenant.tenant_id, rule_id)
        if before is None:
            raise NoSuchRow("policy_rule", rule_id)
        _check_may_take_away(context)
        wanted = await read_rule_input(context, given, before)
        await _check_held(context, connection, wanted)
        await update_rule(
            connection,
            context.tenant.tenant_id,
            rule_id,
            RuleChanges(
                name=wanted.name,
                capabilities=wanted.capabilities,
                targets=wanted.targets,
                filter=wanted.filter,
                role_ids=wanted.role_ids,
                class_ids=wanted.class_ids,
                options=wanted.options,
            ),
        )
        await require_after(context, connection, POLICY_RULES, rule_id, "update_rule", grant)


async def remove_rule(context: ControlContext, rule_id: int) -> None:
    grant = context.policy.grant(context.principal, POLICY_RULES, "delete_rule")
    async with context.transaction.change() as connection:
        await require_before(context, connection, POLICY_RULES, rule_id, grant)
        _check_may_take_away(context)
        await delete_rule(connection, context.tenant.tenant_id, rule_id)


async def read_rule_input(context: ControlContext, given: PolicyRuleInput, before: Rule | None) -> Rule:
    """The rule as it is to be, all of it checked but for who its roles and classes are. Raises BadInput,
    CapabilityNotHeld, and what a bad filter raises."""
    wanted = wanted_rule(context.tenant.tenant_id, given, before)
    rights.check_rule_capabilities(context.principal, wanted.capabilities)
    check_rule(wanted, await context.lent.tenant_model())
    return wanted


def wanted_rule(tenant_id: int, given: PolicyRuleInput, before: Rule | None) -> Rule:
    """The rule that an input describes. Raises BadInput."""
    wanted = Rule(
        rule_id=before.rule_id if before else 0,
        tenant_id=tenant_id,
        name=required(given.name, "name"),
        filter=_text(given.filter, before.filter if before else ""),
        capabilities=_names(given.capabilities, before.capabilities if before else frozenset()),
        targets=_names(given.targets, before.targets if before else frozenset()),
        role_ids=_ids("role", given.roles, before.role_ids if before else frozenset()),
        class_ids=_ids("class", given.classes, before.class_ids if before else frozenset()),
        options=read_options(given, before.options if before else NO_OPTIONS),
    )
    if not wanted.capabilities:
        raise BadInput("A rule needs at least one capability.")
    if not wanted.targets:
        raise BadInput("A rule needs at least one target.")
    if wanted.options.aggregates == "only" and wanted.capabilities - {"select"}:
        raise BadInput("A rule for aggregates only grants select, and nothing else.")
    rights.check_known(wanted.capabilities)
    return wanted


async def _check_held(context: ControlContext, connection: AsyncConnection, wanted: Rule) -> None:
    """Nothing, where the principal holds what the rule would grant, by the rules as they are stored now. Raises
    GrantNotHeld."""
    principal, tenant = context.principal, context.tenant
    if principal.bypasses_policy:
        return
    stored = await list_rules(connection, tenant.tenant_id)
    rules = [rule for rule in stored if is_in_force(rule, context.now)]
    model = await context.lent.tenant_model()
    made = compile_policy([wanted], model, tenant_id=tenant.tenant_id)
    policy = compile_policy(rules, model, tenant_id=tenant.tenant_id, choice=tenant.rule_choice)
    for rule, target, part in made.parts:
        Holdings(principal, policy, model).check(rule, target, part)
    made = compile_control_policy([wanted], CONTROL_MODEL, tenant_id=tenant.tenant_id)
    policy = compile_control_policy(rules, CONTROL_MODEL, tenant_id=tenant.tenant_id, choice=tenant.rule_choice)
    for rule, target, part in made.parts:
        Holdings(principal, policy, CONTROL_MODEL).check(rule, target, part, VIEW_CAPABILITIES[target])


def _check_may_take_away(context: ControlContext) -> None:
    """Where the most specific rule counts, one that is gone uncovers others, which may grant more. Raises
    RuleRefused."""
    if context.tenant.rule_choice == "most_specific" and not context.principal.bypasses_policy:
        raise RuleRefused("Where the most specific rule counts, rules are changed by root and administrators alone.")


def _text(given: object, before: str) -> str:
    """Null takes a filter away: only leaving it out keeps it."""
    return before if given is strawberry.UNSET else str(given or "")


def _names(given: list[str | None] | None, before: frozenset[str]) -> frozenset[str]:
    return frozenset(listed(given)) if is_given(given) else before


def _ids(kind: str, given: list[strawberry.ID | None] | None, before: frozenset[int]) -> frozenset[int]:
    return parse_keys(kind, given) if is_given(given) else before
