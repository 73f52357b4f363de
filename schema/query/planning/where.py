"""plan_where: a `where:` → a predicate under the caller's grants. Also what mutations and aggregates pick rows by.

A value that is null is SQL's null: beside it every comparison is unknown, so no row satisfies it, nor its opposite. In
place of a condition, null is refused: nobody should delete every row for a variable that was never set.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, cast

from db.catalog import Column, PgType
from schema.errors import OperationError, WrongType
from schema.expression.coerce import coercer, json_text, like_pattern, prefix_pattern
from schema.expression.predicate import (
    ALWAYS,
    Applied,
    ColumnOf,
    Compare,
    Comparison,
    Counted,
    Exists,
    IsNull,
    JsonAt,
    Matches,
    Matching,
    Not,
    NotTrue,
    Predicate,
    RowCount,
    Search,
    SearchMode,
    TestOperator,
    all_of,
    any_of,
)
from schema.expression.totality import fence
from schema.expression.types import BOOL, INT8, TEXT, TEXT_ARRAY, is_comparable, literal_type
from schema.model import Entity, Relation
from schema.names import column_members, condition_members
from schema.query.plan import Hop
from schema.query.planning.context import Planning
from schema.query.planning.given import Given, Sent

MAX_CONDITIONS: Final = 1000
MAX_RELATIONS: Final = 100
MAX_DEPTH: Final = 50

JSONB: Final = PgType("jsonb", "jsonb")
_COMPARISONS: Final[Mapping[str, Comparison]] = {
    "_eq": "=",
    "_neq": "!=",
    "_gt": ">",
    "_gte": ">=",
    "_lt": "<",
    "_lte": "<=",
}
_JSON_COMPARISONS: Final[Mapping[str, TestOperator]] = {
    "_eq": "json =",
    "_neq": "json <>",
    "_gt": "json >",
    "_gte": "json >=",
    "_lt": "json <",
    "_lte": "json <=",
}
_PATTERNS: Final[Mapping[str, tuple[Matching, bool]]] = {
    "_like": ("like", False),
    "_nlike": ("like", True),
    "_ilike": ("ilike", False),
    "_nilike": ("ilike", True),
    "_starts_with": ("like", False),
}
_REGEXES: Final[Mapping[str, TestOperator]] = {"_regex": "~", "_nregex": "!~", "_iregex": "~*", "_niregex": "!~*"}
_SETS: Final[Mapping[str, TestOperator]] = {
    "_contains": "@>",
    "_contained_in": "<@",
    "_overlaps": "&&",
    "_adjacent": "-|-",
    "_left_of": "<<",
    "_right_of": ">>",
}
_KEYS: Final[Mapping[str, tuple[TestOperator, PgType]]] = {
    "_has_key": ("?", TEXT),
    "_has_keys_any": ("?|", TEXT_ARRAY),
    "_has_keys_all": ("?&", TEXT_ARRAY),
}
_RANGE_ELEMENTS: Final = {
    "int4range": "int4",
    "int8range": "int8",
    "numrange": "numeric",
    "tsrange": "timestamp",
    "tstzrange": "timestamptz",
    "daterange": "date",
    "int4multirange": "int4",
    "int8multirange": "int8",
    "nummultirange": "numeric",
    "tsmultirange": "timestamp",
    "tstzmultirange": "timestamptz",
    "datemultirange": "date",
}


class InvalidCondition(OperationError):
    """A `where` that is null where a condition must stand, or too large."""

    code = "INVALID_CONDITION"


def plan_where(planning: Planning, entity: Entity, value: Given | None) -> Predicate:
    """The predicate on rows of the entity; nothing given, or null for the whole, is no condition.

    Related rows count as far as the caller may see them. Raises InvalidCondition, WrongType, InvalidValue.
    """
    if value is None or value.is_null:
        return ALWAYS
    return _Conditions(planning).all_in(entity, value, depth=1)


@dataclass(slots=True)
class _Conditions:
    """Walks one `where`."""

    planning: Planning
    conditions: int = 0
    relations: int = field(default=0)

    def all_in(self, entity: Entity, value: Given, depth: int) -> Predicate:
        """The conjunction of the members of a `T_where`."""
        if depth > MAX_DEPTH:
            raise InvalidCondition(f"A condition is at most {MAX_DEPTH} levels deep.")
        members = condition_members(entity)
        parts: list[Predicate] = []
        for name, given in value.fields():
            self.count(name, given)
            match name:
                case "_and":
                    parts += [self.all_in(entity, item, depth + 1) for item in _conditions_in(given)]
                case "_or":
                    parts.append(any_of(*(self.all_in(entity, item, depth + 1) for item in _conditions_in(given))))
                case "_not":
                    parts.append(Not(self.all_in(entity, given, depth + 1)))
                case "_compare":
                    parts += [_between_columns(entity, item) for item in _conditions_in(given)]
                case _:
                    parts.append(self.member(entity, members[name], given, depth + 1))
        return all_of(*parts)

    def member(self, entity: Entity, member: Column | Relation, given: Given, depth: int) -> Predicate:
        if isinstance(member, Column):
            tests = given.fields()
            self.conditions += len(tests)
            return all_of(*(plan_test(member, name, value) for name, value in tests))
        self.relations += 1
        if self.relations > MAX_RELATIONS:
            raise InvalidCondition(f"A condition looks through at most {MAX_RELATIONS} relations.")
        hop = self.planning.hop(entity, member.name)
        if not member.many:
            return _exists(hop, self.all_in(hop.target, given, depth))
        return self.collection(hop, given, depth)

    def collection(self, hop: Hop, given: Given, depth: int) -> Predicate:
        """The tests of the rows that a collection leads to."""
        parts: list[Predicate] = []
        counted: Predicate = ALWAYS
        count: Given | None = None
        for name, value in given.fields():
            self.count(name, value)
            if name == "_count":
                count = value
                continue
            where = self.all_in(hop.target, value, depth)
            match name:
                case "_some":
                    parts.append(_exists(hop, where))
                case "_none":
                    parts.append(Not(_exists(hop, where)))
                case "_every":
                    parts.append(Not(_exists(hop, NotTrue(where))))
                case _:
                    counted = where
        if count is not None:
            number = RowCount(hop.relation.name, fence(self.planning.counted(hop).grant, counted), hop.via)
            parts += [_count_test(number, name, value) for name, value in count.fields()]
        return all_of(*parts)

    def count(self, name: str, given: Given) -> None:
        self.conditions += 1
        if self.conditions > MAX_CONDITIONS:
            raise InvalidCondition(f"A condition has at most {MAX_CONDITIONS} parts.")
        if given.is_null:
            raise InvalidCondition(f"null is no condition for {name}; leave it out, or test _is_null.")


def _exists(hop: Hop, where: Predicate) -> Predicate:
    return Exists(hop.relation.name, fence(hop.grant, where), under_grant=False, via=hop.via)


def _conditions_in(given: Given) -> tuple[Given, ...]:
    items = given.items()
    if any(item.is_null for item in items):
        raise InvalidCondition("null is no condition.")
    return items


def _between_columns(entity: Entity, given: Given) -> Predicate:
    """`{column: a, _gt: b}`: a column beside others of the same row."""
    members = column_members(entity)
    named = {name: members[str(value.plain())] for name, value in given.fields() if not value.is_null}
    left = named.pop("column")
    parts: list[Predicate] = []
    for name, right in named.items():
        if not is_comparable(left.type, right.type):
            raise WrongType(f"{left.name} and {right.name} cannot be compared.")
        parts.append(Compare(_operand(left), _COMPARISONS[name], _operand(right)))
    return all_of(*parts)


def _operand(column: Column) -> ColumnOf:
    return ColumnOf(column.name, column.type)


def plan_test(column: Column, name: str, given: Given) -> Predicate:
    operand, kind = _operand(column), column.type
    if kind.base == "jsonb" and kind.kind != "array":
        return _json_tests(operand, name, given)
    if name == "_is_null":
        return _null_test(operand, given)
    if name in _COMPARISONS:
        return Compare(operand, _COMPARISONS[name], given.argument(literal_type(kind, with_decimals=False)))
    if name in {"_in", "_nin"}:
        array = array_of(literal_type(kind, with_decimals=False))
        return Applied(operand, "= any" if name == "_in" else "<> all", given.argument(array))
    if name in _PATTERNS:
        return _pattern_test(operand, name, given)
    if name in _REGEXES:
        return Applied(operand, _REGEXES[name], given.argument(TEXT))
    if name in _SETS:
        return Applied(operand, _SETS[name], given.argument(kind))
    if name == "_has":
        # The same as `= any`, and what a GIN index knows.
        return Applied(operand, "@>", given.argument(_holder(kind), _one_item(kind) if kind.kind == "array" else None))
    return _search(operand, given)


def _holder(kind: PgType) -> PgType:
    """The type of what `_has` looks for: an array of the one item, or the element of a range."""
    if kind.kind == "array":
        return kind
    if kind.base not in _RANGE_ELEMENTS:
        raise WrongType(f"_has is for ranges of PostgreSQL's own, not for {kind.name}.")
    return PgType(_RANGE_ELEMENTS[kind.base], _RANGE_ELEMENTS[kind.base])


def _one_item(kind: PgType) -> Callable[[object], object]:
    coerce = coercer(kind)
    return _ONE_ITEM.setdefault(kind, lambda value: None if value is None else coerce([value]))


_ONE_ITEM: Final[dict[PgType, Callable[[object], object]]] = {}


def _pattern_test(operand: ColumnOf | JsonAt, name: str, given: Given) -> Predicate:
    matching, negated = _PATTERNS[name]
    coerce = prefix_pattern if name == "_starts_with" else like_pattern
    return Matches(operand, given.argument(TEXT, coerce), matching, negated)


def _null_test(operand: ColumnOf, given: Given) -> Predicate:
    """A variable stays an argument; what is written is part of the plan, and an index can serve it."""
    if isinstance(given, Sent) or given.is_null:
        return Applied(operand, "is null", given.argument(BOOL))
    return IsNull(operand, negated=given.plain() is not True)


def _count_test(operand: RowCount, name: str, given: Given) -> Predicate:
    if name == "_is_null":
        raise WrongType("A count is never null.")
    if name in _COMPARISONS:
        return Counted(operand, _COMPARISONS[name], given.argument(INT8))
    return Applied(operand, "= any" if name == "_in" else "<> all", given.argument(array_of(INT8)))


def _json_tests(column: ColumnOf, name: str, given: Given) -> Predicate:
    if name != "_path":
        return _json_test(column, name, given)
    parts: list[Predicate] = []
    for item in _conditions_in(given):
        tests = dict(item.fields())
        path = tests.pop("path").argument(TEXT_ARRAY)
        for test, value in tests.items():
            is_text = test in _PATTERNS
            at = JsonAt(column, path, as_text=is_text)
            parts.append(_pattern_test(at, test, value) if is_text else _json_test(at, test, value))
    return all_of(*parts)


def _json_test(operand: ColumnOf | JsonAt, name: str, given: Given) -> Predicate:
    if name == "_is_null":
        return Applied(operand, "json is null", given.argument(BOOL))
    if name in _KEYS:
        operator, kind = _KEYS[name]
        return Applied(operand, operator, given.argument(kind))
    value = given.argument(JSONB, json_value)
    return Applied(operand, _JSON_COMPARISONS.get(name) or _SETS[name], value)


def json_value(value: object) -> object:
    return None if value is None else json_text(value)


def _search(operand: ColumnOf, given: Given) -> Predicate:
    if given.is_null:
        raise InvalidCondition("null is no condition for _search; leave it out.")
    parts = dict(given.fields())
    mode, config = (parts.get(name) for name in ("mode", "config"))
    return Search(
        operand,
        parts["query"].argument(TEXT),
        cast("SearchMode", mode.plain() if mode is not None and not mode.is_null else "web"),
        str(config.plain()) if config is not None and not config.is_null else None,
    )


def array_of(kind: PgType) -> PgType:
    return PgType(f"{kind.name}[]", f"_{kind.base}", "array", kind)
