"""smallest_change: the least that would have to be otherwise for the verdict to be the contrary.

A change is made on trial, and the policy asked again: only what turns the verdict is ever told.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal, assert_never

from db.records import Rule
from schema.policy import capability_for
from schema.roles_pbac.explained.considered import CheckName, Considered, Explanation, explain_access, judge
from schema.roles_pbac.explained.filters import JudgedPart, fewest_tests
from schema.roles_pbac.explained.rulebook import Rulebook, Target
from schema.roles_pbac.explained.subject import Subject

ChangeKind = Literal[
    "restore_role",
    "let_visitors_in",
    "give_capability",
    "take_capability",
    "join_class",
    "list_role",
    "be_in_force",
    "grant_capability",
    "revoke_capability",
    "name_target",
    "open_rows",
    "count_rows",
    "new_rule",
    "row_satisfies",
    "row_fails",
    "say_claim",
    "more_alike",
]
#: Where changes of the same size would do, the one that touches least beside the question.
_ORDER: Final[tuple[ChangeKind, ...]] = (
    "join_class",
    "list_role",
    "be_in_force",
    "grant_capability",
    "revoke_capability",
    "take_capability",
    "count_rows",
    "open_rows",
    "new_rule",
    "name_target",
)
MAX_TRIALS: Final = 20


@dataclass(frozen=True, slots=True)
class Change:
    """One step, as a sentence. What it is about beside the role: a rule, a capability, a class, a target, tests of a
    filter, by their texts, or claims."""

    kind: ChangeKind
    sentence: str
    rule_id: int | None = None
    capability: str | None = None
    class_id: int | None = None
    target: str | None = None
    tests: tuple[str, ...] = ()
    claims: tuple[str, ...] = ()


def smallest_change(rulebook: Rulebook, explanation: Explanation) -> tuple[Change, ...]:
    """The steps, all of which it takes; none where nothing that rules and roles can be would do."""
    subject, target, operation = explanation.subject, explanation.target, explanation.operation
    is_granted = explanation.verdict in {"allowed", "conditioned"}
    candidates = _losing(rulebook, explanation) if is_granted else _winning(explanation)
    # Sorting is stable: of several that are alike, the rule of the lowest id.
    for steps in sorted(candidates, key=_size)[:MAX_TRIALS]:
        changed_rulebook, changed = made(steps, rulebook, subject, operation)
        if judge(changed_rulebook, changed, target, operation).is_granted is not is_granted:
            return steps
    return ()


def smallest_change_for_row(
    rulebook: Rulebook,
    explanation: Explanation,
    judged: Sequence[tuple[Considered, tuple[JudgedPart, ...]]],
    *,
    is_allowed: bool,
) -> tuple[Change, ...]:
    """The same for one row, of which `judged` is what the filters of the rules that count come to."""
    otherwise = smallest_change(rulebook, explanation)
    if not judged or explanation.verdict != "conditioned" or any(not parts for _, parts in judged):
        return otherwise
    if not is_allowed:
        rule, tests = min(
            ((rule, fewest_tests(parts, "true")) for rule, parts in judged), key=lambda found: len(found[1])
        )
        return _row_satisfies(rule, tests, explanation.subject)
    tests = tuple(dict.fromkeys(test for _, parts in judged for test in fewest_tests(parts, "not true")))
    if otherwise and len(tests) > len(otherwise):
        return otherwise
    return (Change("row_fails", f"Let the row no longer satisfy: {'; '.join(tests)}.", tests=tests),)


def _row_satisfies(rule: Considered, tests: tuple[str, ...], subject: Subject) -> tuple[Change, ...]:
    named, rule_id = _named(rule.rule), rule.rule.rule_id
    if not tests:
        options = rule.rule.options
        columns = ", ".join(sorted(options.group_columns or ())) or "no column"
        sentence = f"Let {options.min_group_size} rows of {named} be like this one in {columns}."
        return (Change("more_alike", sentence, rule_id=rule_id),)
    claims = _missing_claims(rule, tests, subject)
    steps = (Change("row_satisfies", f"Let the row satisfy, of {named}: {'; '.join(tests)}.", rule_id, tests=tests),)
    if not claims:
        return steps
    sentence = f"Let root say of the role, in its claims: {', '.join(claims)}."
    return (Change("say_claim", sentence, claims=claims), *steps)


def _missing_claims(rule: Considered, tests: tuple[str, ...], subject: Subject) -> tuple[str, ...]:
    """The claims without which none of the tests can hold."""
    parts = (part for _, part in rule.filter.in_order()) if rule.filter is not None else ()
    found = (subject.missing_claims(part.predicate) for part in parts if part.text in tests)
    return tuple(dict.fromkeys(claim for claims in found for claim in claims))


def _size(steps: tuple[Change, ...]) -> tuple[int, int]:
    return len(steps), max((_ORDER.index(step.kind) for step in steps if step.kind in _ORDER), default=0)


def _winning(explanation: Explanation) -> Iterator[tuple[Change, ...]]:
    """What could let a role do what it may not."""
    subject, target, operation = explanation.subject, explanation.target, explanation.operation
    before: tuple[Change, ...] = ()
    if subject.is_deleted:
        before += (Change("restore_role", "Take the flag away by which the role is deleted."),)
    if subject.is_shut_out:
        before += (Change("let_visitors_in", "Let visitors in, by anonymous_logins(enable: true)."),)
    capability = capability_for(operation)
    if not subject.principal.may(capability):
        sentence = f"Give {subject.lender_name} the capability {capability}."
        before += (Change("give_capability", sentence, capability=capability),)
    if explanation.verdict == "ambiguous":
        counting = [each.rule for each in explanation.rules if each.counts]
        yield tuple(_revoked(rule, operation) for rule in counting[1:])
        return
    if before:
        yield before
    yield (*before, _new_rule(target, operation))
    for considered in explanation.rules:
        steps = [_mended(considered, check, subject, target, operation) for check in considered.failed()]
        if all(step is not None for step in steps):
            yield (*before, *(step for step in steps if step is not None))


def _losing(rulebook: Rulebook, explanation: Explanation) -> Iterator[tuple[Change, ...]]:
    """What could keep a role from doing what it may."""
    principal, operation = explanation.subject.principal, explanation.operation
    if principal.is_root:
        return
    if "admin" in principal.capabilities:
        admin = Change("take_capability", "Take the capability admin from the role.", capability="admin")
        yield (admin,)
        # It is then bound by the rules, which may well let it do the same.
        bound = made((admin,), rulebook, explanation.subject, operation)
        for steps in _losing(bound[0], explain_access(*bound, explanation.target, operation)):
            yield (admin, *steps)
        return
    yield _revocations(rulebook, explanation)
    capability = capability_for(operation)
    sentence = f"Take the capability {capability} from {explanation.subject.lender_name}."
    yield (Change("take_capability", sentence, capability=capability),)


def _revocations(rulebook: Rulebook, explanation: Explanation) -> tuple[Change, ...]:
    """What takes the grants of all rules away: where the most specific counts, one that is gone uncovers others."""
    operation, steps = explanation.operation, tuple[Change, ...]()
    while counting := [each.rule for each in explanation.rules if each.counts]:
        steps += tuple(_revoked(rule, operation) for rule in counting)
        changed, subject = made(steps, rulebook, explanation.subject, operation)
        explanation = explain_access(changed, subject, explanation.target, operation)
        if explanation.verdict not in {"allowed", "conditioned"}:
            break
    return steps


def _new_rule(target: Target, operation: str) -> Change:
    capability = capability_for(operation)
    sentence = f"Make a rule that grants {capability} on {target.written} to the role."
    return Change("new_rule", sentence, capability=capability, target=target.written)


def _revoked(rule: Rule, operation: str) -> Change:
    capability = capability_for(operation)
    sentence = f"Let {_named(rule)} no longer grant {capability}."
    return Change("revoke_capability", sentence, rule_id=rule.rule_id, capability=capability)


def _mended(
    considered: Considered, check: CheckName, subject: Subject, target: Target, operation: str
) -> Change | None:
    """The step after which a rule passes a check; None where there is none that could be named."""
    rule, named = considered.rule, _named(considered.rule)
    match check:
        case "period":
            return Change("be_in_force", f"Let the period of {named} be now.", rule_id=rule.rule_id)
        case "scope":
            class_id = min(rule.class_ids, default=None)
            if class_id is None or rule.role_ids:
                return Change("list_role", f"List the role in {named}.", rule_id=rule.rule_id)
            sentence = f"Put the role into {subject.class_text(class_id)}, which {named} lists."
            return Change("join_class", sentence, rule_id=rule.rule_id, class_id=class_id)
        case "target":
            sentence = f"Let {named} be about {target.written} as well."
            return Change("name_target", sentence, rule_id=rule.rule_id, target=target.written)
        case "capability":
            capability = capability_for(operation)
            sentence = f"Let {named} grant {capability} as well."
            return Change("grant_capability", sentence, rule_id=rule.rule_id, capability=capability)
        case "aggregates" if operation == "select":
            sentence = f"Let {named} be about rows one by one, and no longer about aggregates only."
            return Change("open_rows", sentence, rule_id=rule.rule_id)
        case "aggregates" if rule.options.aggregates == "none":
            sentence = f"Let the rows of {named} be in aggregates as well."
            return Change("count_rows", sentence, rule_id=rule.rule_id)
        case "fit" | "most_specific" | "aggregates":
            return None
        case _:
            assert_never(check)


def _named(rule: Rule) -> str:
    return f"rule {rule.rule_id} ({rule.name})"


def made(steps: Iterable[Change], rulebook: Rulebook, subject: Subject, operation: str) -> tuple[Rulebook, Subject]:
    """The rules and the role as they are after the steps, but for what concerns a row."""
    for step in steps:
        subject = _of_role(step, subject)
        if step.kind == "new_rule" and step.target is not None:
            rulebook = rulebook.with_rules((*rulebook.rules, _made_rule(rulebook, subject, step.target, operation)))
        else:
            rules = tuple(
                _of_rule(step, rule, subject) if rule.rule_id == step.rule_id else rule for rule in rulebook.rules
            )
            rulebook = rulebook if rules == rulebook.rules else rulebook.with_rules(rules)
    return rulebook, subject


def _made_rule(rulebook: Rulebook, subject: Subject, target: str, operation: str) -> Rule:
    return Rule(
        rule_id=max((rule.rule_id for rule in rulebook.rules), default=0) + 1,
        tenant_id=rulebook.tenant_id,
        name="A new rule",
        capabilities=frozenset({capability_for(operation)}),
        targets=frozenset({target}),
        role_ids=frozenset({subject.principal.role_id}),
    )


def _of_role(step: Change, subject: Subject) -> Subject:
    principal = subject.principal
    match step.kind:
        case "restore_role":
            return replace(subject, is_deleted=False)
        case "let_visitors_in":
            return replace(subject, is_shut_out=False)
        case "give_capability" if step.capability is not None:
            return replace(
                subject, principal=replace(principal, capabilities=principal.capabilities | {step.capability})
            )
        case "take_capability":
            return replace(
                subject, principal=replace(principal, capabilities=principal.capabilities - {step.capability})
            )
        case "join_class" if step.class_id is not None:
            return replace(subject, principal=replace(principal, class_ids=principal.class_ids | {step.class_id}))
        case _:
            return subject


def _of_rule(step: Change, rule: Rule, subject: Subject) -> Rule:
    match step.kind:
        case "list_role":
            return replace(rule, role_ids=rule.role_ids | {subject.principal.role_id})
        case "be_in_force":
            return replace(rule, options=replace(rule.options, valid_from=None, valid_until=None))
        case "open_rows" | "count_rows":
            options = replace(rule.options, aggregates=None, min_group_size=None, group_columns=None)
            return replace(rule, options=options)
        case "grant_capability" if step.capability is not None:
            return replace(rule, capabilities=rule.capabilities | {step.capability})
        case "revoke_capability":
            return replace(rule, capabilities=rule.capabilities - {step.capability})
        case "name_target" if step.target is not None:
            return replace(rule, targets=rule.targets | {step.target})
        case _:
            return rule
