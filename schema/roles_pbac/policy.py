"""What stands under `Policy`: why a role may do something, all that it may, and what other rules would change.

Who asks must be able to see rules, and learns nothing of other rules, roles, classes and rows than it may see.
"""

from collections.abc import Sequence
from dataclasses import replace

import strawberry

from db.records import Rule
from schema.principal import Principal
from schema.roles_pbac import rights
from schema.roles_pbac.context import ControlContext
from schema.roles_pbac.control_model import POLICY_RULES, ROLE_CLASSES, ROLES
from schema.roles_pbac.errors import BadInput, NoSuchRow
from schema.roles_pbac.explained import asked as questions
from schema.roles_pbac.explained.asked import Asked, ControlDatabase, Visible
from schema.roles_pbac.explained.rulebook import Rulebook
from schema.roles_pbac.explained.subject import Subject
from schema.roles_pbac.fields import ControlInfo, GenericScalar
from schema.roles_pbac.inputs import PolicyRuleChange, PolicyRuleInput
from schema.roles_pbac.keys import is_given, parse_key
from schema.roles_pbac.policy_types import PolicyDiff, PolicyExplanation, PolicyLine, PolicyMatrix
from schema.roles_pbac.rows import find_visible
from schema.roles_pbac.rules import wanted_rule
from schema.roles_pbac.targets import check_rule

MAX_CHANGES = 100


@strawberry.type(description="What the policy says, and why, for those who may see its rules.")
class Policy:
    @strawberry.field(description="Whether a role may use an operation on a target, or on its row with this key.")
    async def explain(
        self,
        info: ControlInfo,
        roleid: strawberry.ID,
        target: str,
        operation: str,
        key: GenericScalar | None = strawberry.UNSET,
    ) -> PolicyExplanation | None:
        context = info.context
        asked, subject = await _read_question(context, roleid)
        what = questions.get_target(asked, target, operation)
        if not is_given(key):
            return PolicyExplanation.of(await questions.explain(asked, subject, what, operation))
        if what.is_control:
            async with context.transaction.use() as connection:
                control = ControlDatabase(connection)
                return PolicyExplanation.of(await questions.explain(asked, subject, what, operation, key, control))
        database = await context.lent.tenant_database()
        return PolicyExplanation.of(await questions.explain(asked, subject, what, operation, key, database))

    @strawberry.field(description="What a role may do with each target.")
    async def may(self, info: ControlInfo, roleid: strawberry.ID) -> PolicyMatrix | None:
        asked, subject = await _read_question(info.context, roleid)
        return PolicyMatrix(
            roleid=strawberry.ID(str(subject.principal.role_id)),
            complete=asked.visible.is_complete,
            targets=[PolicyLine.of(line) for line in questions.may(asked, subject)],
        )

    @strawberry.field(description="What roles would gain and lose if these rules were made, changed and deleted.")
    async def diff(self, info: ControlInfo, rules: list[PolicyRuleChange]) -> PolicyDiff | None:
        context = info.context
        for change in rules:
            context.policy.grant(context.principal, POLICY_RULES, _capability(change))
        asked = await _read_asked(context)
        async with context.transaction.use() as connection:
            subjects = await questions.read_subjects(connection, asked)
        after = proposed(asked, rules, context.principal)
        return PolicyDiff.of(await questions.diff(asked, after, subjects, context.lent.tenant_database))


def proposed(asked: Asked, changes: Sequence[PolicyRuleChange], principal: Principal | None) -> Rulebook:
    """The rules as the changes would leave them. Raises what making them would raise for the principal; an operator
    has none, and may propose everything. A rule that is not there, or not for the caller, is NoSuchRow."""
    if len(changes) > MAX_CHANGES:
        raise BadInput(f"At most {MAX_CHANGES} rules can be proposed at once.")
    rules = {rule.rule_id: rule for rule in asked.rulebook.rules}
    number = max(rules, default=0)
    for change in changes:
        rule_id = parse_key("rule", change.ruleid) if is_given(change.ruleid) else None
        if rule_id is not None and rule_id not in rules:
            raise NoSuchRow("policy_rule", rule_id)
        if change.remove is True:
            if rule_id is None:
                raise BadInput("A rule that is to be removed needs its 'ruleid'.")
            del rules[rule_id]
            continue
        if rule_id is None:
            number += 1
        before = None if rule_id is None else rules[rule_id]
        made = _checked(asked, change.input, before, principal)
        rules[rule_id or number] = replace(made, rule_id=rule_id or number)
    return asked.rulebook.with_rules(tuple(rules[number] for number in sorted(rules)))


def _checked(asked: Asked, given: PolicyRuleInput | None, before: Rule | None, principal: Principal | None) -> Rule:
    if given is None or given is strawberry.UNSET:
        raise BadInput("A rule that is to be made or changed needs its 'input'.")
    wanted = wanted_rule(asked.tenant.tenant_id, given, before)
    rights.check_grantable(wanted.capabilities)
    if principal is not None:
        rights.check_rule_capabilities(principal, wanted.capabilities)
    check_rule(wanted, asked.rulebook.model)
    return wanted


def _capability(change: PolicyRuleChange) -> str:
    if change.remove is True:
        return "delete_rule"
    return "update_rule" if is_given(change.ruleid) else "create_rule"


async def _read_question(context: ControlContext, roleid: strawberry.ID) -> tuple[Asked, Subject]:
    """What is asked of, and about whom. Raises AccessDenied, NoSuchRow."""
    asked = await _read_asked(context)
    async with context.transaction.use() as connection:
        return asked, await questions.read_subject(connection, asked, parse_key("role", roleid))


async def _read_asked(context: ControlContext) -> Asked:
    """Raises AccessDenied for who may see no rule."""
    async with context.transaction.use() as connection:
        visible = Visible(
            rule_ids=await find_visible(context, connection, POLICY_RULES),
            role_ids=await find_visible(context, connection, ROLES),
            class_ids=await find_visible(context, connection, ROLE_CLASSES),
        )
    model = await context.lent.tenant_model()
    async with context.transaction.use() as connection:
        return await questions.read_asked(
            connection, context.tenant, model, context.now, principal=context.principal, visible=visible
        )
