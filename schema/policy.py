"""What the rules of a tenant grant. Nothing is granted unless a rule does (default deny), and rules add up.

A rule is in scope for a principal whose role it lists, or one of whose classes it lists, or when it lists neither. It
grants its capabilities on its targets, to roles that hold the capability themselves, on the rows that satisfy its
filter. The tenant's root, and roles with the capability `admin`, are granted everything.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import blake2b
from typing import Final

from db.catalog import PgType, TableName
from db.errors import PublicError
from db.records import Rule
from schema.errors import AccessDenied
from schema.expression.check import check_expression
from schema.expression.parse import parse_expression
from schema.expression.predicate import ALWAYS, Constant, Predicate, any_of
from schema.model import Model
from schema.principal import Principal

CONTROL_TARGETS: Final = {
    f"roles_pbac.{name}": TableName("roles_pbac", name) for name in ("roles", "role_classes", "policy_rules")
}


@dataclass(frozen=True, slots=True)
class RuleFault:
    """Why a rule grants nothing on one of its targets, or at all; `target` is as the rule has it, or empty."""

    rule_id: int
    target: str
    message: str


def compile_policy(rules: Iterable[Rule], model: Model, *, tenant_id: int) -> "Policy":
    """The policy of one tenant on its own tables. Rules of another tenant take no part, and the names of control
    targets never mean a table of the tenant. Filters are compiled when first needed."""
    return _compile(rules, model, tenant_id, _tables_by_target(model), skipped=frozenset(CONTROL_TARGETS))


def compile_control_policy(rules: Iterable[Rule], model: Model, *, tenant_id: int) -> "Policy":
    """The policy of one tenant on CONTROL_TARGETS, which `model` must hold. Only their full names mean them: a tenant
    may well have a table `roles`."""
    others = frozenset(target for rule in rules for target in rule.targets if target not in CONTROL_TARGETS)
    return _compile(rules, model, tenant_id, CONTROL_TARGETS, skipped=others)


def _compile(
    rules: Iterable[Rule], model: Model, tenant_id: int, tables: Mapping[str, TableName], *, skipped: frozenset[str]
) -> "Policy":
    own = sorted((rule for rule in rules if rule.tenant_id == tenant_id), key=lambda rule: rule.rule_id)
    return Policy(tenant_id, model, [_Resolved.of(rule, tables, skipped) for rule in own])


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
        found.update((resolved.rule.rule_id, resolved) for resolved in self.by_role.get(principal.role_id, ()))
        for class_id in principal.class_ids:
            found.update((resolved.rule.rule_id, resolved) for resolved in self.by_class.get(class_id, ()))
        return [found[rule_id] for rule_id in sorted(found)]


class Policy:
    """The rules of one tenant, ready to be asked. It is made anew whenever a rule or the catalog changes."""

    def __init__(self, tenant_id: int, model: Model, resolved_rules: list[_Resolved]) -> None:
        self._tenant_id = tenant_id
        self._model = model
        self._rules = resolved_rules
        self._all = _Scopes()
        self._granting: dict[tuple[TableName, str], _Scopes] = {}
        self._filters: dict[tuple[int, TableName], Predicate | _Fault] = {}
        self._fingerprints: dict[object, str] = {}
        for resolved in resolved_rules:
            self._all.add(resolved)
            # Two spellings of one table in one rule are one target.
            for target in {target for _, target in resolved.targets}:
                for capability in resolved.rule.capabilities:
                    self._granting.setdefault((target, capability), _Scopes()).add(resolved)

    def grant(self, principal: Principal, table: TableName, capability: str) -> Predicate:
        """The condition that a row of `table` must satisfy for the principal to use `capability` on it.

        Raises AccessDenied where no rule is in scope, or the role itself has not the capability.
        """
        filters = self._filters_in_scope(principal, table, capability)
        if not filters:
            raise AccessDenied(capability, str(table))
        return any_of(*filters)

    def may(self, principal: Principal, table: TableName, capability: str) -> bool:
        """Whether there is a grant at all, be it on however few rows."""
        return bool(self._filters_in_scope(principal, table, capability))

    def fingerprint(self, principal: Principal) -> str:
        """A text that is the same for principals whose grants have the same structure, whoever they are: what is
        their own (ids, classes) reaches a plan as arguments. Different grants never share one."""
        # No more of the principal than what decides, so that roles without a rule of their own share an entry.
        key = (
            principal.tenant_id == self._tenant_id,
            principal.bypasses_policy,
            principal.capabilities,
            principal.role_id if principal.role_id in self._all.by_role else None,
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
                RuleFault(rule.rule_id, target, f"There is no table or view {target!r}, or there are several.")
                for target in resolved.unknown
            ]
            for written, target in resolved.targets:
                compiled = self._filter(rule, target)
                if isinstance(compiled, _Fault):
                    faults.append(RuleFault(rule.rule_id, written, compiled.message))
        return tuple(faults)

    def _filters_in_scope(self, principal: Principal, target: TableName, capability: str) -> list[Predicate]:
        # Also root and administrators are nobody in another tenant.
        if principal.tenant_id != self._tenant_id or not principal.may(capability):
            return []
        if principal.bypasses_policy:
            return [ALWAYS]
        scopes = self._granting.get((target, capability))
        if scopes is None:
            return []
        compiled = [self._filter(resolved.rule, target) for resolved in scopes.of(principal)]
        return [predicate for predicate in compiled if not isinstance(predicate, _Fault)]

    def _filter(self, rule: Rule, target: TableName) -> Predicate | _Fault:
        """A rule's filter as it applies to a target, or why it does not. Compiled once."""
        key = (rule.rule_id, target)
        if key not in self._filters:
            self._filters[key] = self._compile_filter(rule.filter, target)
        return self._filters[key]

    def _compile_filter(self, text: str, target: TableName) -> Predicate | _Fault:
        if not text.strip():
            return ALWAYS
        try:
            return check_expression(
                parse_expression(text), self._model.by_table[target], self._model, _constant, under_grant=False
            )
        except PublicError as error:
            return _Fault(error.message)

    def _compute_fingerprint(self, principal: Principal) -> str:
        if principal.tenant_id != self._tenant_id:
            return "none"
        if principal.bypasses_policy:
            return "all"
        grants: dict[tuple[str, str, str], set[str]] = {}
        for resolved in self._all.of(principal):
            text = resolved.rule.filter.strip()
            for capability in filter(principal.may, resolved.rule.capabilities):
                for _, target in resolved.targets:
                    grants.setdefault((capability, target.schema, target.name), set()).add(text)
        # Beside a rule without a filter, the others add nothing.
        structure = [(key, [""] if "" in texts else sorted(texts)) for key, texts in sorted(grants.items())]
        return blake2b(repr(structure).encode(errors="surrogatepass"), digest_size=16).hexdigest()


def _constant(_: int, value: object, pg_type: PgType, coerce: Callable[[object], object]) -> Constant:
    """A rule's literals stay in the plan: they belong to the grant, and plans are kept per grant."""
    return Constant(coerce(value), pg_type)


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
