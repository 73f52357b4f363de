"""What the rules of a tenant grant. Nothing is granted unless a rule does (default deny), and rules add up.

A rule is in scope for a principal whose role it lists, or one of whose classes it lists, or when it lists neither. It
grants its capabilities on its targets, to roles that hold the capability themselves, on the rows that satisfy its
filter. The tenant's root, and roles with the capability `admin`, are granted everything. A tenant may choose that of
the rules in scope only the most specific counts (`_most_specific`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from hashlib import blake2b
from typing import Final

from db.catalog import FunctionName, TableName
from db.errors import PublicError
from db.records import NO_OPTIONS, Rule, RuleChoice, RuleOptions
from schema.errors import AccessDenied, OperationError
from schema.expression.predicate import ALWAYS, Predicate
from schema.grants import UNBOUND, Grant, GrantPart
from schema.model import Entity, Model
from schema.principal import Principal
from schema.rule_expressions import RuleExpressions
from schema.rule_options import compile_options

CONTROL_TARGETS: Final = {
    f"roles_pbac.{name}": TableName("roles_pbac", name) for name in ("roles", "role_classes", "policy_rules")
}


#: What nobody holds by itself: rows that may be aggregated, and those of them that may also be read one by one. Rules
#: grant both with `select`.
AGGREGATE: Final = "aggregate"
COMPARE: Final = "compare"


def capability_for(operation: str) -> str:
    """The capability that an operation takes."""
    return "select" if operation in (AGGREGATE, COMPARE) else operation


class RulesAmbiguous(OperationError):
    """Several rules of one rank limit the rows, and the tenant wants the most specific one."""

    code = "RULES_AMBIGUOUS"

    def __init__(self, capability: str, target: str, together: Grant) -> None:
        self.together = together
        super().__init__(f"Several policy rules of the same rank have a filter for {capability} on {target}.")


@dataclass(frozen=True, slots=True)
class RuleFault:
    """Why a rule grants nothing on one of its targets, or at all; `target` is as the rule has it, or empty."""

    rule_id: int
    target: str
    message: str


def compile_policy(rules: Sequence[Rule], model: Model, *, tenant_id: int, choice: RuleChoice = "add_up") -> "Policy":
    """The policy of one tenant on its own tables. Rules of another tenant take no part, and the names of control
    targets never mean a table of the tenant. Filters are compiled when first needed."""
    resolved = _resolve(rules, tenant_id, targets_of(model), skipped=frozenset(CONTROL_TARGETS))
    return Policy(tenant_id, model, resolved, choice)


def compile_control_policy(
    rules: Sequence[Rule], model: Model, *, tenant_id: int, choice: RuleChoice = "add_up"
) -> "Policy":
    """The policy of one tenant on CONTROL_TARGETS, which `model` must hold. Only their full names mean them: a tenant
    may well have a table `roles`."""
    others = frozenset(target for rule in rules for target in rule.targets if target not in CONTROL_TARGETS)
    return Policy(tenant_id, model, _resolve(rules, tenant_id, CONTROL_TARGETS, skipped=others), choice)


def targets_of(model: Model) -> dict[str, TableName]:
    """Every spelling by which a rule may name something of a tenant's own."""
    return _functions_by_target(model) | _tables_by_target(model)


def _resolve(
    rules: Sequence[Rule], tenant_id: int, tables: Mapping[str, TableName], *, skipped: frozenset[str]
) -> "list[_Resolved]":
    own = sorted((rule for rule in rules if rule.tenant_id == tenant_id), key=lambda rule: rule.rule_id)
    return [_Resolved.of(rule, tables, skipped) for rule in own]


@dataclass(frozen=True, slots=True)
class _Fault:
    """Why a filter does not fit a target. Not the error itself, which would keep its traceback alive."""

    message: str


@dataclass(frozen=True, slots=True)
class _Resolved:
    """A rule with what its targets stand for, as far as they stand for anything."""

    rule: Rule
    targets: tuple[tuple[str, TableName], ...]
    unknown: tuple[str, ...]

    @classmethod
    def of(cls, rule: Rule, tables: Mapping[str, TableName], skipped: frozenset[str]) -> "_Resolved":
        looked_for = sorted(rule.targets - skipped)
        found = tuple((written, tables[written]) for written in looked_for if written in tables)
        return cls(rule, found, tuple(written for written in looked_for if written not in tables))

    def rank(self, principal: Principal) -> tuple[int, bool]:
        """How specific the rule is, the most specific first: by whom it names, then by whether it has one target."""
        rule = self.rule
        scope = (
            0
            if rule.role_ids.intersection(principal.rule_role_ids)
            else 1
            if rule.class_ids & principal.class_ids
            else 2
        )
        known = {written for written, _ in self.targets}
        return scope, len({table for _, table in self.targets}) + len(rule.targets - known) > 1

    @property
    def is_unconditional(self) -> bool:
        return not self.rule.filter.strip() and self.rule.options == NO_OPTIONS


@dataclass(frozen=True, slots=True)
class Decision:
    """How a grant comes about. Of the rules in scope that grant the capability on the target, some are `fitting`: their
    filters and options suit it. Those that are `counting` are the most specific ones, where the tenant wants these
    alone. Those that are `granting` have a part of the grant each, in the same order: what a rule says of aggregates
    may be the contrary of what is asked. Where none of them is asked, because the role may nothing or everything, all
    are empty."""

    grant: Grant | None = None
    fitting: tuple[Rule, ...] = ()
    counting: tuple[Rule, ...] = ()
    granting: tuple[Rule, ...] = ()
    is_ambiguous: bool = False


@dataclass(slots=True)
class _Scopes:
    """Rules by whom they are for, so that looking for those of a principal passes by all the others."""

    everybody: list[_Resolved] = field(default_factory=list[_Resolved])
    by_role: dict[int, list[_Resolved]] = field(default_factory=dict[int, list[_Resolved]])
    by_class: dict[int, list[_Resolved]] = field(default_factory=dict[int, list[_Resolved]])

    def add(self, resolved: _Resolved) -> None:
        rule = resolved.rule
        if not rule.role_ids and not rule.class_ids:
            self.everybody.append(resolved)
        for role_id in rule.role_ids:
            self.by_role.setdefault(role_id, []).append(resolved)
        for class_id in rule.class_ids:
            self.by_class.setdefault(class_id, []).append(resolved)

    def of(self, principal: Principal) -> list[_Resolved]:
        """The rules in scope, each once, in the order of their ids."""
        found = {resolved.rule.rule_id: resolved for resolved in self.everybody}
        for role_id in principal.rule_role_ids:
            found.update((resolved.rule.rule_id, resolved) for resolved in self.by_role.get(role_id, ()))
        for class_id in principal.class_ids:
            found.update((resolved.rule.rule_id, resolved) for resolved in self.by_class.get(class_id, ()))
        return [found[rule_id] for rule_id in sorted(found)]


class Policy:
    """The rules of one tenant, ready to be asked. It is made anew whenever a rule or the catalog changes."""

    def __init__(
        self, tenant_id: int, model: Model, resolved_rules: list[_Resolved], choice: RuleChoice = "add_up"
    ) -> None:
        self._tenant_id = tenant_id
        self._choice: RuleChoice = choice
        self._model = model
        self._rules = resolved_rules
        self._by_id = {resolved.rule.rule_id: resolved for resolved in resolved_rules}
        self._all = _Scopes()
        self._granting: dict[tuple[TableName, str], _Scopes] = {}
        self._parts: dict[tuple[int, TableName], GrantPart | _Fault] = {}
        self._fingerprints: dict[object, str] = {}
        for resolved in resolved_rules:
            self._all.add(resolved)
            # Two spellings of one table in one rule are one target.
            for target in {target for _, target in resolved.targets}:
                for capability in resolved.rule.capabilities:
                    self._granting.setdefault((target, capability), _Scopes()).add(resolved)

    def grant(self, principal: Principal, table: TableName, capability: str) -> Predicate:
        """The condition that a row of `table` must satisfy for the principal to use `capability` on it.

        Raises AccessDenied where no rule is in scope, or the role itself has not the capability; RulesAmbiguous.
        """
        return self.get_grant(principal, table, capability).rows

    def get_grant(self, principal: Principal, table: TableName, capability: str) -> Grant:
        """The same, with what it says of columns."""
        grant = self._find_grant(principal, table, capability)
        if grant is None:
            raise AccessDenied(AGGREGATE if capability == COMPARE else capability, str(table))
        return grant

    def find_shown(self, principal: Principal, table: TableName, capability: str) -> Grant | None:
        """What the schema shows that may be granted: where rules are ambiguous, all that they say."""
        try:
            return self._find_grant(principal, table, capability)
        except RulesAmbiguous as ambiguous:
            return ambiguous.together.used(capability)

    def may(self, principal: Principal, table: TableName, capability: str) -> bool:
        """Whether there is a grant at all, be it on however few rows."""
        return self.find_shown(principal, table, capability) is not None

    def fingerprint(self, principal: Principal) -> str:
        """A text that is the same for principals whose grants have the same structure, whoever they are: what is
        their own (ids, classes) reaches a plan as arguments. Different grants never share one."""
        # No more of the principal than what decides, so that roles without a rule of their own share an entry.
        key = (
            principal.tenant_id == self._tenant_id,
            principal.bypasses_policy,
            principal.capabilities,
            tuple(role_id for role_id in principal.rule_role_ids if role_id in self._all.by_role),
            frozenset(class_id for class_id in principal.class_ids if class_id in self._all.by_class),
        )
        if key not in self._fingerprints:
            self._fingerprints[key] = self._compute_fingerprint(principal)
        return self._fingerprints[key]

    @cached_property
    def faults(self) -> tuple[RuleFault, ...]:
        """Why rules grant less than they say. Compiles all filters."""
        faults: list[RuleFault] = []
        for resolved in self._rules:
            rule = resolved.rule
            faults += [RuleFault(rule.rule_id, "", "The rule has no targets.")] * (not rule.targets)
            faults += [RuleFault(rule.rule_id, "", "The rule has no capabilities.")] * (not rule.capabilities)
            faults += [
                RuleFault(
                    rule.rule_id, target, f"There is no table, view or function {target!r}, or there are several."
                )
                for target in resolved.unknown
            ]
            for written, target in resolved.targets:
                compiled = self._part(rule, target)
                if isinstance(compiled, _Fault):
                    faults.append(RuleFault(rule.rule_id, written, compiled.message))
        return tuple(faults)

    @property
    def parts(self) -> tuple[tuple[Rule, TableName, GrantPart], ...]:
        """What each rule gives on each of its targets, where it gives anything. Compiles all filters."""
        found = (
            (each.rule, target, self._part(each.rule, target)) for each in self._rules for _, target in each.targets
        )
        return tuple((rule, target, part) for rule, target, part in found if isinstance(part, GrantPart))

    def decide(self, principal: Principal, target: TableName, capability: str) -> Decision:
        """The grant, and how it comes about."""
        granted = capability_for(capability)
        # Also root and administrators are nobody in another tenant.
        if principal.tenant_id != self._tenant_id or not principal.may(granted):
            return Decision()
        if principal.bypasses_policy:
            return Decision(UNBOUND)
        scopes = self._granting.get((target, granted))
        if scopes is None:
            return Decision()
        fitting = [each for each in scopes.of(principal) if not isinstance(self._part(each.rule, target), _Fault)]
        counting = _most_specific(principal, fitting) if self._choice == "most_specific" else fitting
        parts = [self._part(each.rule, target) for each in counting]
        grant = Grant(tuple(part for part in parts if not isinstance(part, _Fault)))
        used = zip(counting, grant.parts_used(capability), strict=False)
        return Decision(
            grant.used(capability) if grant.parts else None,
            tuple(each.rule for each in fitting),
            tuple(each.rule for each in counting),
            tuple(each.rule for each, part in used if part is not None),
            is_ambiguous=self._choice == "most_specific" and len(grant.parts) > 1,
        )

    def rules_for(self, principal: Principal) -> tuple[Rule, ...]:
        """The rules in scope, whatever they are about."""
        return tuple(each.rule for each in self._all.of(principal)) if principal.tenant_id == self._tenant_id else ()

    def targets_of(self, rule: Rule) -> frozenset[TableName]:
        """What the targets of one of its rules stand for."""
        found = self._by_id.get(rule.rule_id)
        return frozenset(target for _, target in found.targets) if found is not None else frozenset()

    def rank(self, rule: Rule, principal: Principal) -> tuple[int, bool]:
        """How specific one of its rules is for a principal that it is for: 0 where it lists the role, 1 a class, 2
        neither; and whether it has several targets."""
        return self._by_id[rule.rule_id].rank(principal)

    def find_fault(self, rule: Rule, target: TableName) -> str | None:
        """Why a rule gives nothing on one of its targets, if it does not."""
        part = self._part(rule, target)
        return part.message if isinstance(part, _Fault) else None

    def _find_grant(self, principal: Principal, target: TableName, capability: str) -> Grant | None:
        decision = self.decide(principal, target, capability)
        if decision.is_ambiguous and decision.grant is not None:
            raise RulesAmbiguous(capability_for(capability), str(target), decision.grant)
        return decision.grant

    def _part(self, rule: Rule, target: TableName) -> GrantPart | _Fault:
        """What a rule gives on a target, or why it gives nothing. Compiled once."""
        key = (rule.rule_id, target)
        if key not in self._parts:
            is_function = isinstance(target, FunctionName)
            self._parts[key] = (
                _function_part(rule) if is_function else self._compile_part(rule, self._model.by_table[target])
            )
        return self._parts[key]

    def _compile_part(self, rule: Rule, entity: Entity) -> GrantPart | _Fault:
        expressions = RuleExpressions(entity, self._model)
        try:
            return compile_options(rule.options, expressions.condition(rule.filter), expressions)
        except PublicError as error:
            return _Fault(error.message)

    def _compute_fingerprint(self, principal: Principal) -> str:
        if principal.tenant_id != self._tenant_id:
            return "none"
        if principal.bypasses_policy:
            return "all"
        grants: dict[tuple[str, str, str, str], list[_Resolved]] = {}
        for resolved in self._all.of(principal):
            for capability in filter(principal.may, resolved.rule.capabilities):
                for target in {target for _, target in resolved.targets}:
                    kind = type(target).__name__
                    grants.setdefault((capability, kind, target.schema, target.name), []).append(resolved)
        structure = [(key, self._structure(principal, rules)) for key, rules in sorted(grants.items())]
        return blake2b(repr((self._choice, structure)).encode(errors="surrogatepass"), digest_size=16).hexdigest()

    def _structure(self, principal: Principal, rules: list[_Resolved]) -> list[str]:
        """What rules for one capability on one target come to, whatever their ids."""
        if self._choice == "most_specific":
            # Whether a filter fits its target is not looked at here, so how the others rank belongs to it.
            return [_text(each, each.rank(principal)) for each in rules]
        if any(each.is_unconditional for each in rules):
            # Beside it the others add nothing but what they preset.
            presetting = (each for each in rules if each.rule.options.forced or each.rule.options.defaults)
            return ["", *(_text(each) for each in presetting)]
        # Presets are taken from the first rule that has one, so that order counts where there are options.
        plain = sorted({_text(each) for each in rules if each.rule.options == NO_OPTIONS})
        return plain + [_text(each) for each in rules if each.rule.options != NO_OPTIONS]


def _function_part(rule: Rule) -> GrantPart | _Fault:
    """What a rule gives on a function: it may be called, or not."""
    options = replace(rule.options, valid_from=None, valid_until=None, max_seconds=None)
    if rule.filter.strip() or options != NO_OPTIONS:
        return _Fault("A filter and column options speak of the rows of a table, and cannot be on a function.")
    return GrantPart(ALWAYS, max_seconds=rule.options.max_seconds, valid_until=rule.options.valid_until)


def _text(resolved: _Resolved, *more: object) -> str:
    rule = resolved.rule
    options = () if rule.options == NO_OPTIONS else (_ordered(rule.options),)
    return repr((rule.filter.strip(), *options, *more))


def _ordered(options: RuleOptions) -> tuple[object, ...]:
    """The options in a form that is written the same way each time: sets have no order of their own."""
    lists = (options.read_columns, options.write_columns, options.group_columns)
    bare = replace(
        options, read_columns=None, write_columns=None, group_columns=None, valid_from=None, valid_until=None
    )
    return (*(None if names is None else sorted(names) for names in lists), bare)


def _most_specific(principal: Principal, rules: list[_Resolved]) -> list[_Resolved]:
    """Of the rules with the best rank one that has no filter, else all of them: they are then too many if several."""
    best = min((each.rank(principal) for each in rules), default=None)
    candidates = [each for each in rules if each.rank(principal) == best]
    return [each for each in candidates if each.is_unconditional][:1] or candidates


def _tables_by_target(model: Model) -> dict[str, TableName]:
    """Every spelling by which a rule may name a table. One that could mean several tables means none, so that no rule
    grants more than it says; of an unqualified name, the table in `public` goes before the others."""
    spellings: dict[str, set[TableName]] = {}
    for table in model.by_table:
        spellings.setdefault(f"{table.schema}.{table.name}", set()).add(table)
    for by_name in (
        [(table.name, table) for table in model.by_table if table.schema == "public"],
        [(table.name, table) for table in model.by_table if table.schema != "public"],
        # The names of the root fields, of which the portal makes its list of targets.
        [(name, entity.table.name) for name, entity in model.entities.items()],
    ):
        further: dict[str, set[TableName]] = {}
        for name, table in by_name:
            further.setdefault(name, set()).add(table)
        spellings = further | spellings
    return {spelling: tables.pop() for spelling, tables in spellings.items() if len(tables) == 1}


def _functions_by_target(model: Model) -> dict[str, TableName]:
    """Every spelling by which a rule may name a function: as a table is named, which goes before it, or with `()`."""
    routines = [*model.routines.values()]
    routines += [routine for entity in model.entities.values() for routine in entity.computed.values()]
    names = [routine.function.name for routine in routines]
    spellings: dict[str, set[TableName]] = {}
    for name in names:
        spellings.setdefault(f"{name.schema}.{name.name}", set()).add(name)
    for is_public in (True, False):
        further: dict[str, set[TableName]] = {}
        for name in names:
            if (name.schema == "public") is is_public:
                further.setdefault(name.name, set()).add(name)
        spellings = further | spellings
    found = {spelling: named.pop() for spelling, named in spellings.items() if len(named) == 1}
    return found | {f"{spelling}()": name for spelling, name in found.items()}
