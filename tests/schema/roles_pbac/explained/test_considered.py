"""An explanation says what the policy does, and its reasons are those of the policy."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from db.records import Rule, RuleChoice, RuleOptions
from schema.errors import AccessDenied
from schema.expression.predicate import ALWAYS
from schema.policy import Policy, RulesAmbiguous, capability_for, compile_control_policy, compile_policy
from schema.principal import CAPABILITIES, NORMAL_CAPABILITIES
from schema.roles_pbac.control_model import CONTROL_MODEL
from schema.roles_pbac.explained.changes import made, smallest_change
from schema.roles_pbac.explained.considered import Explanation, explain_access, judge
from schema.roles_pbac.explained.rulebook import NoSuchTarget, Rulebook
from schema.roles_pbac.explained.subject import Subject
from schema.validity import TimedPolicy
from tests.builders import a_model, a_principal, a_rule

NOW = datetime(2026, 5, 1, tzinfo=UTC)
DAY = timedelta(days=1)
LATER = NOW + DAY
MODEL = a_model()
TARGETS = ("item", "list", "roles_pbac.roles")
SPELLINGS = {"item": ["item", "public.item"], "list": ["list"], "roles_pbac.roles": ["roles_pbac.roles"]}
OPERATIONS = ("select", "aggregate", "insert", "view_role")
CAPABILITIES_OF_RULES = ("select", "insert", "view_role")
MOMENTS = st.sampled_from([None, NOW - 2 * DAY, NOW - DAY, NOW, NOW + DAY])

RULES = st.builds(
    lambda **given: given,
    capabilities=st.sets(st.sampled_from(CAPABILITIES_OF_RULES), min_size=1),
    targets=st.sets(st.sampled_from([*(each for many in SPELLINGS.values() for each in many), "gone"]), min_size=1),
    filter=st.sampled_from(["", "id = 1", "roleid = 1", "list.id = 2 or id = 3", "false"]),
    role_ids=st.sets(st.sampled_from([7, 8, 9]), max_size=1),
    class_ids=st.sets(st.sampled_from([10, 11, 12]), max_size=2),
    valid_from=MOMENTS,
    valid_until=MOMENTS,
    aggregates=st.sampled_from([None, None, None, "none", "only"]),
)
SUBJECTS = st.builds(
    lambda capabilities, class_ids, root, deleted, lender_id: Subject(
        replace(a_principal(capabilities=capabilities, class_ids=class_ids, is_root=root), lender_id=lender_id),
        is_deleted=deleted,
    ),
    capabilities=st.sets(st.sampled_from([*CAPABILITIES_OF_RULES, "login", "admin"])),
    class_ids=st.sets(st.sampled_from([10, 11])),
    root=st.sampled_from([False, False, False, False, True]),
    deleted=st.sampled_from([False, False, False, False, False, True]),
    lender_id=st.sampled_from([None, None, 9]),
)


@dataclass(frozen=True)
class Rules:
    """What makes a rulebook, without the model, which is too long to be shown."""

    rules: tuple[Rule, ...]
    choice: RuleChoice

    @property
    def book(self) -> Rulebook:
        return Rulebook(1, self.rules, MODEL, self.choice, NOW)


@st.composite
def rulebooks(draw: st.DrawFn) -> Rules:
    rules: list[Rule] = []
    for number, given_rule in enumerate(draw(st.lists(RULES, max_size=6)), start=1):
        options = {name: given_rule.pop(name) for name in ("valid_from", "valid_until", "aggregates")}
        if options["aggregates"] == "only":
            options |= {"min_group_size": 2, "group_columns": frozenset({"id"})}
        rules.append(replace(a_rule(number, **given_rule), options=RuleOptions(**options)))
    choices: list[RuleChoice] = ["add_up", "most_specific"]
    return Rules(tuple(rules), draw(st.sampled_from(choices)))


def explain(rulebook: Rulebook, subject: Subject, target: str = "item", operation: str = "select") -> Explanation:
    return explain_access(rulebook, subject, rulebook.get_target(target), operation)


def outcome(rulebook: Rulebook, subject: Subject, target: str, operation: str) -> str:
    """What the gateway comes to, by the policy as the gateway itself makes it of all rules."""

    def compile_rules(rules: object) -> Policy:
        made_of: tuple[Rule, ...] = tuple(rules)  # pyright: ignore[reportArgumentType]
        if target in {"item", "list"}:
            return compile_policy(made_of, MODEL, tenant_id=1, choice=rulebook.choice)
        return compile_control_policy(made_of, CONTROL_MODEL, tenant_id=1, choice=rulebook.choice)

    policy = TimedPolicy(rulebook.rules, compile_rules).at(NOW.timestamp())
    if subject.is_deleted:
        return "denied"
    try:
        grant = policy.grant(subject.principal, rulebook.get_target(target).name, operation)
    except AccessDenied:
        return "denied"
    except RulesAmbiguous:
        return "ambiguous"
    return "allowed" if grant == ALWAYS else "conditioned"


@settings(max_examples=400, deadline=None)
@given(rulebooks(), SUBJECTS, st.sampled_from(TARGETS), st.sampled_from(OPERATIONS))
def test_the_verdict_is_that_of_the_gateway(rules: Rules, subject: Subject, target: str, operation: str) -> None:
    rulebook = rules.book
    assert explain(rulebook, subject, target, operation).verdict == outcome(rulebook, subject, target, operation)


@settings(max_examples=400, deadline=None)
@given(rulebooks(), SUBJECTS, st.sampled_from(TARGETS), st.sampled_from(OPERATIONS))
def test_a_rule_counts_exactly_where_all_that_is_said_of_it_holds(
    rules: Rules, subject: Subject, target: str, operation: str
) -> None:
    rulebook = rules.book
    explanation = explain(rulebook, subject, target, operation)

    is_asked = subject.principal.may(capability_for(operation)) and not subject.principal.bypasses_policy
    assert [each.rule for each in explanation.rules] == list(rulebook.rules)
    for each in explanation.rules:
        assert each.counts is (is_asked and not each.failed()), each


def test_a_rule_that_covers_others_is_taken_away_with_them() -> None:
    both = tuple(a_rule(number, capabilities={"select"}, targets={"item"}) for number in (1, 2))
    rulebook = Rules(both, "most_specific").book

    steps = smallest_change(rulebook, explain(rulebook, Subject(a_principal(capabilities=()))))

    assert [(step.kind, step.rule_id) for step in steps] == [("revoke_capability", 1), ("revoke_capability", 2)]


@settings(max_examples=400, deadline=None)
@given(rulebooks(), SUBJECTS, st.sampled_from(TARGETS), st.sampled_from(OPERATIONS))
def test_the_smallest_change_turns_the_verdict(rules: Rules, subject: Subject, target: str, operation: str) -> None:
    rulebook = rules.book
    explanation = explain(rulebook, subject, target, operation)

    steps = smallest_change(rulebook, explanation)

    granted = {"allowed", "conditioned"}
    changed_rulebook, changed = made(steps, rulebook, subject, operation)
    if subject.principal.is_root and not subject.is_deleted:
        assert steps == ()
        return
    assert (explanation.verdict in granted) is not (outcome(changed_rulebook, changed, target, operation) in granted)
    for step in steps:
        fewer = tuple(each for each in steps if each is not step)
        rest, of_whom = made(fewer, rulebook, subject, operation)
        assert (explanation.verdict in granted) is (judge(rest, of_whom, explanation.target, operation).is_granted)


@pytest.mark.parametrize(
    ("rule", "capabilities", "sentence"),
    [
        (a_rule(role_ids=[8]), NORMAL_CAPABILITIES, "List the role in rule 1 (rule 1)."),
        (
            a_rule(class_ids=[5]),
            NORMAL_CAPABILITIES,
            "Put the role into class 5 (clerks), which rule 1 (rule 1) lists.",
        ),
        (a_rule(capabilities=["insert"]), NORMAL_CAPABILITIES, "Let rule 1 (rule 1) grant select as well."),
        (a_rule(), ["insert"], "Give the role the capability select."),
        (a_rule(targets=["list"]), NORMAL_CAPABILITIES, "Make a rule that grants select on item to the role."),
        (a_rule(), NORMAL_CAPABILITIES, "Let rule 1 (rule 1) no longer grant select."),
        (a_rule(capabilities=["insert"]), ["admin"], "Take the capability admin from the role."),
    ],
)
def test_the_smallest_change_is_a_sentence(rule: Rule, capabilities: list[str], sentence: str) -> None:
    rulebook = Rulebook(1, (rule,), MODEL, "add_up", NOW)
    subject = Subject(a_principal(capabilities=capabilities), class_names={5: "clerks"})

    steps = smallest_change(rulebook, explain(rulebook, subject))

    assert [step.sentence for step in steps] == [sentence]


def test_who_is_no_longer_an_administrator_may_still_do_what_rules_let_it() -> None:
    rulebook = Rulebook(1, (a_rule(),), MODEL, "add_up", NOW)

    steps = smallest_change(rulebook, explain(rulebook, Subject(a_principal(capabilities=["admin", "select"]))))

    assert [step.sentence for step in steps] == [
        "Take the capability admin from the role.", "Let rule 1 (rule 1) no longer grant select."
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("rule", "check", "why"),
    [
        (a_rule(), "scope", "It is for every role of the tenant."),
        (a_rule(role_ids=[7]), "scope", "It lists the role."),
        (a_rule(class_ids=[5]), "scope", "It lists class 5 (clerks), which the role is in by itself."),
        (a_rule(class_ids=[6]), "scope", "It lists class 6, which has been handed on to the role from above."),
        (a_rule(class_ids=[9]), "scope", "It lists neither the role nor a class that the role is in."),
        (a_rule(targets=["list", "person"]), "target", "It is only about list, person."),
        (a_rule(capabilities=["insert", "delete"]), "capability", "It only grants delete, insert."),
        (a_rule(filter="nothing = 1"), "fit", "item has no column 'nothing'."),
        (replace(a_rule(), options=RuleOptions(valid_until=NOW)), "period", f"It ended at {NOW.isoformat()}."),
        (replace(a_rule(), options=RuleOptions(valid_from=LATER)), "period", f"It begins at {LATER.isoformat()}."),
    ],
)  # fmt: skip
def test_each_check_says_why(rule: Rule, check: str, why: str) -> None:
    rulebook = Rulebook(1, (rule,), MODEL, "add_up", NOW)
    subject = Subject(a_principal(class_ids=[5, 6]), own_class_ids=frozenset({5}), class_names={5: "clerks"})

    [considered] = explain(rulebook, subject).rules

    assert {each.name: each.why for each in considered.checks}[check] == why


def test_the_ladder_of_the_most_specific_rule_is_told() -> None:
    rules = (a_rule(1), a_rule(2, class_ids=[5], filter="id = 1"), a_rule(3, role_ids=[7], targets=["item", "list"]))
    rulebook = Rulebook(1, rules, MODEL, "most_specific", NOW)

    explanation = explain(rulebook, Subject(a_principal(class_ids=[5])))

    assert [each.counts for each in explanation.rules] == [False, False, True]
    assert [each.checks[-1].why.partition(",")[0] for each in explanation.rules] == [
        "It is for everybody", "It is for a class of the role", "It is for the role"
    ]  # fmt: skip


def test_what_is_no_target_is_refused() -> None:
    with pytest.raises(NoSuchTarget, match="There is no target 'nothing'"):
        Rulebook(1, (), MODEL, "add_up", NOW).get_target("nothing")


def test_every_capability_can_be_asked_about() -> None:
    rulebook = Rulebook(1, (), MODEL, "add_up", NOW)

    assert {explain(rulebook, Subject(a_principal()), "item", each).verdict for each in CAPABILITIES} == {"denied"}
