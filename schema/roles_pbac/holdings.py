"""Whether what a rule would grant is its maker's to give: nobody grants what it does not hold.

Held is what one of the maker's own rules grants: the same capability on the same target, at least these rows and
columns, no mask less, no limit more. This is narrower than what could be proven, so that it can be: a filter that says
`$_PRINCIPAL` gives others other rows than the maker's, and what two rules give together is not looked for.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from db.catalog import TableName
from db.records import Rule
from schema.errors import AccessDenied, OperationError
from schema.expression.looks_at import own_columns
from schema.expression.parts import parts_of
from schema.expression.predicate import (
    ALWAYS,
    NEVER,
    Aggregated,
    Alike,
    And,
    Exists,
    IsNull,
    Operand,
    Outer,
    Predicate,
    PrincipalValue,
    Related,
    RowCount,
)
from schema.grants import GrantPart, Mask
from schema.model import Model
from schema.policy import Policy, RulesAmbiguous
from schema.principal import Principal

_WRITES = frozenset({"insert", "update"})


class GrantNotHeld(OperationError):
    """A rule would grant what its maker does not hold itself."""

    code = "GRANT_NOT_HELD"

    def __init__(self, capability: str, target: str) -> None:
        super().__init__(f"You cannot grant {capability} on {target} in this way: you do not hold as much by one rule.")


@dataclass(frozen=True, slots=True)
class Holdings:
    """What a principal holds on the tables of a model; `viewing` is the capability that lets it see their rows."""

    principal: Principal
    policy: Policy
    model: Model

    def check(self, rule: Rule, target: TableName, wanted: GrantPart, viewing: str = "select") -> None:
        """Nothing, where the principal holds what the rule says on one of its targets. Raises GrantNotHeld."""
        for capability in sorted(rule.capabilities):
            held = self._parts(target, capability)
            if not any(self._holds(part, wanted, target, capability, viewing) for part in held):
                raise GrantNotHeld(capability, str(target))

    def _parts(self, target: TableName, capability: str) -> tuple[GrantPart, ...]:
        try:
            return self.policy.get_grant(self.principal, target, capability).parts
        except (AccessDenied, RulesAmbiguous):
            return ()

    def _holds(self, held: GrantPart, wanted: GrantPart, target: TableName, capability: str, viewing: str) -> bool:
        return (
            _covers(held.rows, wanted.rows)
            and _is_within(wanted.max_seconds, held.max_seconds)
            and _is_within(wanted.valid_until, held.valid_until)
            and (capability != "select" or _holds_reading(held, wanted))
            and (capability not in _WRITES or _holds_writing(held, wanted))
            and self._sees(held, wanted, target, viewing)
        )

    def _sees(self, held: GrantPart, wanted: GrantPart, target: TableName, viewing: str) -> bool:
        """Whether what the rule looks at beyond the maker's own rule is for the maker to see: by who then sees which
        rows a condition tells what it compares."""
        added: list[Predicate] = [each for each in _conjuncts(wanted.rows) if each not in _conjuncts(held.rows)]
        for column, mask in wanted.masks.items():
            if mask != held.masks.get(column):
                added.append(mask.unless)
                added += [IsNull(mask.value)] if mask.value is not None else []
        if not added:
            return True
        if any(_leaves_the_table(each) for each in added):
            return False
        entity = self.model.by_table[target]
        looked_at = frozenset[str]().union(*(own_columns(each, entity) for each in added))
        return any(
            _covers(part.rows, wanted.rows) and all(part.reads(name) and name not in part.masks for name in looked_at)
            for part in self._parts(target, viewing)
        )


def _covers(held: Predicate, wanted: Predicate) -> bool:
    """Whether every row of one is, for everybody, a row of the other that the maker has."""
    if held == ALWAYS:
        return True
    return not _names_principal(held) and set(_conjuncts(held)) <= set(_conjuncts(wanted))


def _conjuncts(predicate: Predicate) -> tuple[Predicate, ...]:
    return predicate.operands if isinstance(predicate, And) else (predicate,)


def _names_principal(node: Predicate | Operand) -> bool:
    return any(isinstance(part, PrincipalValue) for part in parts_of(node))


def _leaves_the_table(predicate: Predicate) -> bool:
    away = (Exists, Related, Aggregated, RowCount, Outer, Alike)
    return any(isinstance(part, away) for part in parts_of(predicate))


def _holds_reading(held: GrantPart, wanted: GrantPart) -> bool:
    hidden = [name for name, mask in held.masks.items() if wanted.reads(name) and not _hides(mask, wanted, name)]
    aggregates = held.aggregates is None or wanted.aggregates == held.aggregates
    return (
        _is_listed(wanted.read_columns, held.read_columns)
        and not hidden
        and aggregates
        and _is_within(wanted.max_rows, held.max_rows)
    )


def _hides(mask: Mask, wanted: GrantPart, column: str) -> bool:
    """Whether the rule hides of a column what the mask of the maker's own hides, from everybody."""
    given = wanted.masks.get(column)
    if given is None:
        return False
    if given.kind == "null" and given.unless == NEVER:
        return True
    by_whom = _names_principal(mask.unless) or (mask.value is not None and _names_principal(mask.value))
    return given == mask and not by_whom


def _holds_writing(held: GrantPart, wanted: GrantPart) -> bool:
    presets = (*held.forced, *held.defaults)
    forced = all(each in wanted.forced and not isinstance(each[1], PrincipalValue) for each in held.forced)
    # What a rule presets is stored by all whom it is for, also where other rules let them write: who chose it could
    # have their rows named after itself.
    stored = all(each in presets for each in (*wanted.forced, *wanted.defaults))
    return forced and stored and _is_listed(wanted.write_columns, held.write_columns)


def _is_listed(wanted: Iterable[str] | None, held: frozenset[str] | None) -> bool:
    return held is None or (wanted is not None and held.issuperset(wanted))


def _is_within(wanted: "object | None", held: "object | None") -> bool:
    """Whether a limit is no wider than another; None is no limit."""
    return held is None or (wanted is not None and wanted <= held)  # type: ignore[operator]
