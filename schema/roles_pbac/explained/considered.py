"""explain_access: whether a role may use an operation on a target, and why, rule by rule.

The verdict and the rules that count are the policy's own. Why another rule does not count is asked of the same policy,
step by step: so a rule counts exactly where each of its checks holds.
"""

from dataclasses import dataclass
from typing import Final, Literal

from db.records import Rule
from schema.expression.predicate import ALWAYS
from schema.grants import Grant
from schema.policy import AGGREGATE, Decision, capability_for
from schema.roles_pbac.explained.filters import FilterPart, read_filter
from schema.roles_pbac.explained.rulebook import Rulebook, Target
from schema.roles_pbac.explained.subject import Subject

Verdict = Literal["allowed", "conditioned", "denied", "ambiguous"]
"""On every row; on the rows that satisfy a condition; not at all; refused, as several rules of one rank count."""

CheckName = Literal["period", "scope", "target", "capability", "fit", "most_specific", "aggregates"]
_CHANGING: Final = frozenset({"insert", "update", "delete"})


@dataclass(frozen=True, slots=True)
class Check:
    """What a rule has to pass in order to count."""

    name: CheckName
    holds: bool
    why: str


@dataclass(frozen=True, slots=True)
class Considered:
    """A rule with its checks, up to those that make no sense without the ones before. `filter` is there where it fits
    the target, and has one; `missing_claims` are those that the filter looks at and the role lacks."""

    rule: Rule
    counts: bool
    checks: tuple[Check, ...]
    filter: FilterPart | None = None
    missing_claims: tuple[str, ...] = ()

    def failed(self) -> tuple[CheckName, ...]:
        return tuple(check.name for check in self.checks if not check.holds)


@dataclass(frozen=True, slots=True)
class Explanation:
    """Everything but the rows. `grant` is what the verdict rests on: all that ambiguous rules say together, too."""

    subject: Subject
    target: Target
    operation: str
    verdict: Verdict
    why: str
    grant: Grant | None
    rules: tuple[Considered, ...]

    @property
    def limits(self) -> "Limits":
        return Limits.of(self.grant, self.operation)


@dataclass(frozen=True, slots=True)
class Limits:
    """How many rows a list or groups may have, and how long an operation may take; None for no limit of a rule's."""

    max_rows: int | None = None
    max_seconds: float | None = None

    @classmethod
    def of(cls, grant: Grant | None, operation: str) -> "Limits":
        """What a grant says of an operation, as far as it can be said: only what is read has a number of rows."""
        if grant is None:
            return cls()
        return cls(grant.max_rows if capability_for(operation) == "select" else None, grant.max_seconds)


@dataclass(frozen=True, slots=True)
class Judgement:
    """What comes of an operation, and why; `grant` and `decision` are the policy's."""

    verdict: Verdict
    why: str
    decision: Decision

    @property
    def is_granted(self) -> bool:
        """Whether there are rows, be it few or none, on which the operation goes through."""
        return self.verdict in {"allowed", "conditioned"}


def judge(rulebook: Rulebook, subject: Subject, target: Target, operation: str) -> Judgement:
    """What the gateway does with the operation."""
    principal = subject.principal
    decision = rulebook.decide(principal, target, operation)
    if subject.is_deleted:
        return Judgement("denied", "The role is flagged as deleted, and cannot sign in.", decision)
    if subject.is_shut_out:
        return Judgement("denied", "The role is a guest, and the tenant lets no visitors in.", decision)
    if not _takes(target, operation):
        return Judgement("denied", f"{target.written} is a view that takes no {operation}.", decision)
    if principal.bypasses_policy:
        who = "the tenant's root role" if principal.is_root else "a role with the capability admin"
        return Judgement("allowed", f"No rule binds {who}.", decision)
    capability = capability_for(operation)
    if not principal.may(capability):
        who = "The role itself" if principal.lender_id is None else "The Nobody role, of which a guest borrows,"
        return Judgement("denied", f"{who} has not the capability {capability}.", decision)
    if decision.grant is None:
        return Judgement("denied", f"No rule grants {operation} on {target.written} to the role.", decision)
    if decision.is_ambiguous:
        count = len(decision.counting)
        return Judgement("ambiguous", f"The most specific rule is to count, and {count} of one rank do.", decision)
    numbers = ", ".join(str(rule.rule_id) for rule in decision.granting)
    granted = f"Granted by rule {numbers}" if len(decision.granting) == 1 else f"Granted by the rules {numbers}"
    if decision.grant.rows == ALWAYS:
        return Judgement("allowed", f"{granted}.", decision)
    if decision.grant.grouped is not None:
        return Judgement("conditioned", f"{granted}, on the rows of groups that are large enough.", decision)
    return Judgement("conditioned", f"{granted}, on the rows that satisfy its filter.", decision)


def _takes(target: Target, operation: str) -> bool:
    """Whether there is such an operation on the target at all, whatever rules say: some views take no changes."""
    if target.is_control or target.entity is None or operation not in _CHANGING:
        return True
    table = target.entity.table
    return table.is_insertable if operation == "insert" else table.is_updatable


def explain_access(rulebook: Rulebook, subject: Subject, target: Target, operation: str) -> Explanation:
    judgement = judge(rulebook, subject, target, operation)
    explaining = _Explaining(rulebook, subject, target, operation, judgement.decision)
    return Explanation(
        subject,
        target,
        operation,
        judgement.verdict,
        judgement.why,
        None if judgement.verdict == "denied" else judgement.decision.grant,
        tuple(explaining.consider(rule) for rule in rulebook.rules),
    )


class _Explaining:
    """Considers rules for one question."""

    def __init__(
        self, rulebook: Rulebook, subject: Subject, target: Target, operation: str, decision: Decision
    ) -> None:
        self._rulebook = rulebook
        self._subject = subject
        self._target = target
        self._operation = operation
        self._policy = rulebook.whole_policy_of(target)
        self._in_force = {rule.rule_id for rule in rulebook.in_force}
        self._scoped = {rule.rule_id for rule in self._policy.rules_for(subject.principal)}
        self._fitting = {rule.rule_id for rule in decision.fitting}
        self._counting = {rule.rule_id for rule in decision.counting}
        # Of what is ambiguous it is told what is too many.
        is_too_much = decision.is_ambiguous and decision.grant is not None
        granting = decision.counting if is_too_much else decision.granting
        self._granting = {rule.rule_id for rule in granting}
        self._crowd = next((rule for rule in granting if rule.options.aggregates == "only"), None)

    def consider(self, rule: Rule) -> Considered:
        is_there = self._target.name in self._policy.targets_of(rule)
        checks = [
            self._period(rule),
            self._scope(rule),
            self._about(rule, is_there=is_there),
            self._capability(rule),
        ]
        if is_there:
            checks.append(self._fit(rule))
        if rule.rule_id in self._fitting and self._rulebook.choice == "most_specific":
            checks.append(self._most_specific(rule))
        if is_there and capability_for(self._operation) == "select" and rule.options.aggregates in {"only", "none"}:
            checks.append(self._aggregates(rule))
        entity = self._target.entity
        is_read = is_there and entity is not None and checks[4].holds
        tree = read_filter(rule.filter, entity, self._rulebook.model_of(self._target)) if is_read and entity else None
        return Considered(
            rule,
            rule.rule_id in self._granting,
            tuple(checks),
            tree,
            self._subject.missing_claims(tree.predicate) if tree is not None else (),
        )

    def _period(self, rule: Rule) -> Check:
        begins, ends = rule.options.valid_from, rule.options.valid_until
        if rule.rule_id in self._in_force:
            why = "It has no period." if begins is None and ends is None else "Its period is now."
            return Check("period", holds=True, why=why)
        if begins is not None and begins > self._rulebook.now:
            return Check("period", holds=False, why=f"It begins at {begins.isoformat()}.")
        return Check("period", holds=False, why=f"It ended at {ends.isoformat() if ends else ''}.")

    def _scope(self, rule: Rule) -> Check:
        holds = rule.rule_id in self._scoped
        if not holds:
            return Check("scope", holds=False, why="It lists neither the role nor a class that the role is in.")
        if not rule.role_ids and not rule.class_ids:
            return Check("scope", holds=True, why="It is for every role of the tenant.")
        if self._subject.principal.role_id in rule.role_ids:
            return Check("scope", holds=True, why="It lists the role.")
        if self._subject.principal.lender_id in rule.role_ids:
            return Check("scope", holds=True, why="It lists the Nobody role, of which a guest borrows.")
        class_id = min(rule.class_ids & self._subject.principal.class_ids)
        how = self._subject.membership_text(class_id)
        return Check("scope", holds=True, why=f"It lists {self._subject.class_text(class_id)}, {how}.")

    def _about(self, rule: Rule, *, is_there: bool) -> Check:
        listed = ", ".join(sorted(rule.targets))
        verb = "It is about" if is_there else "It is only about"
        return Check("target", holds=is_there, why=f"{verb} {listed}.")

    def _capability(self, rule: Rule) -> Check:
        holds = capability_for(self._operation) in rule.capabilities
        verb = "It grants" if holds else "It only grants"
        return Check("capability", holds=holds, why=f"{verb} {', '.join(sorted(rule.capabilities))}.")

    def _fit(self, rule: Rule) -> Check:
        fault = self._policy.find_fault(rule, self._target.name)
        return Check("fit", holds=fault is None, why=fault or "What it says fits the target.")

    def _aggregates(self, rule: Rule) -> Check:
        if rule.options.aggregates == "none":
            why = "Its rows can be read, and are in no aggregate."
            return Check("aggregates", holds=self._operation != AGGREGATE, why=why)
        columns = ", ".join(sorted(rule.options.group_columns or ())) or "no column"
        why = f"Its rows are for aggregates only, where {rule.options.min_group_size} of them are alike in {columns}"
        if self._operation != AGGREGATE or self._crowd in (None, rule):
            return Check("aggregates", holds=self._operation == AGGREGATE, why=f"{why}.")
        return Check("aggregates", holds=False, why=f"{why}, and of several such rules the first counts.")

    def _most_specific(self, rule: Rule) -> Check:
        rank, has_several = self._policy.rank(rule, self._subject.principal)
        names = ("the role", "a class of the role", "everybody")[rank]
        rung = f"It is for {names}, with {'several targets' if has_several else 'a single target'}"
        if rule.rule_id in self._counting:
            return Check("most_specific", holds=True, why=f"{rung}: nothing is more specific.")
        return Check(
            "most_specific",
            holds=False,
            why=f"{rung}, and another rule is more specific, or of the same rank and without a filter.",
        )
