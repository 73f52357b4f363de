"""The tree of `syntax`, against a table → the tree of `predicate`; or a refusal in one sentence.

What is refused although the grammar knows it is either not total (arithmetic can overflow and divide by zero, and would
so speak of rows that policy hides) or not translated: UnsupportedExpression.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, assert_never

from db.catalog import PgType
from schema.errors import UnsupportedExpression, WrongType
from schema.expression import syntax
from schema.expression.coerce import coercer, like_pattern, negated
from schema.expression.names import get_column, get_relation
from schema.expression.predicate import (
    ALWAYS,
    NEVER,
    AnyOf,
    ColumnOf,
    Compare,
    Comparison,
    Constant,
    Exists,
    IsNull,
    Matches,
    Not,
    Predicate,
    PrincipalValue,
    Value,
    all_of,
    any_of,
)
from schema.expression.tokens import shortened
from schema.expression.types import (
    BOOL,
    INT4,
    INT4_ARRAY,
    INT8,
    NUMERIC,
    TEXT,
    TEXT_ARRAY,
    is_comparable,
    is_ordered,
    is_text,
    literal_type,
    takes_literal,
)
from schema.model import Entity, Model, Relation

LiteralToValue = Callable[[int, object, PgType, Callable[[object], object]], Value]
"""What becomes of a literal: its index in the text, its value, the type it is needed as, and how to bring it there."""

_MAX_RELATIONS: Final = 16
_MAX_PATHS: Final = 100
_LISTS: Final = frozenset({"classes", "children", "capabilities"})


def check_expression(
    expression: syntax.Expression,
    entity: Entity,
    model: Model,
    literal: LiteralToValue,
    *,
    under_grant: bool,
) -> Predicate:
    """The predicate that `expression` is about rows of `entity`.

    `under_grant` says whether related rows count only as far as the caller may see them. Raises UnknownColumn,
    WrongType, UnsupportedExpression.
    """
    return _Checker(entity, model, literal, under_grant).condition(expression, wanted=True)


@dataclass(frozen=True, slots=True)
class _Column:
    """A column at the end of a path through relations."""

    relations: tuple[Relation, ...]
    column: ColumnOf
    written: str


_Operand = _Column | syntax.Literal | syntax.Boolean | syntax.Null | syntax.PrincipalAttribute
_ValueNode = syntax.Literal | syntax.Boolean | syntax.PrincipalAttribute


@dataclass(slots=True)
class _Checker:
    """Walks one expression. `wanted` says whether a row is looked for where the condition is true or where it is false:
    NOT is carried down to the comparisons, because through a relation that leads nowhere both are unknown."""

    entity: Entity
    model: Model
    literal: LiteralToValue
    under_grant: bool
    paths: int = 0

    def condition(self, node: syntax.Expression, *, wanted: bool) -> Predicate:
        match node:
            case syntax.Disjunction() | syntax.Conjunction():
                parts = [self.condition(operand, wanted=wanted) for operand in node.operands]
                return any_of(*parts) if isinstance(node, syntax.Disjunction) is wanted else all_of(*parts)
            case syntax.Negation():
                return self.condition(node.operand, wanted=not wanted)
            case syntax.Comparison():
                return self.comparison(self.operand(node.left), node.operator, self.operand(node.right), wanted=wanted)
            case syntax.Membership():
                return self.membership(node, wanted=wanted)
            case syntax.Match():
                return self.match(node, wanted=wanted)
            case syntax.Boolean():
                return ALWAYS if node.value is wanted else NEVER
            case syntax.Path():
                return self.comparison(
                    self.operand(node), "=", syntax.Boolean(value=True, position=node.position), wanted=wanted
                )
            case _:
                operand = self.operand(node)
                raise WrongType(f"Not a condition by itself: {_described(operand)}.")

    def operand(self, node: syntax.Expression) -> _Operand:
        match node:
            case syntax.Path():
                return self.column(node)
            case syntax.Literal() | syntax.Boolean() | syntax.Null() | syntax.PrincipalAttribute():
                return node
            case syntax.Call():
                raise UnsupportedExpression(
                    f"The function {shortened(node.name)!r} cannot be called in an expression yet."
                )
            case syntax.Calculation():
                raise UnsupportedExpression(f"The operator {node.operators[0]} cannot be used in an expression yet.")
            case syntax.Signed():
                raise UnsupportedExpression("A sign can only stand before a number.")
            case _:
                raise UnsupportedExpression("A condition in parentheses cannot be compared with something.")

    def column(self, path: syntax.Path) -> _Column:
        *through, last = path.names
        if len(through) > _MAX_RELATIONS:
            raise UnsupportedExpression(f"A path leads through at most {_MAX_RELATIONS} relations.")
        self.paths += bool(through)
        if self.paths > _MAX_PATHS:
            raise UnsupportedExpression(f"An expression has at most {_MAX_PATHS} paths through relations.")
        entity, relations = self.entity, list[Relation]()
        for name in through:
            relation, entity = get_relation(entity, name, self.model)
            relations.append(relation)
        column = get_column(entity, last)
        return _Column(tuple(relations), ColumnOf(column.name, column.type), str(path))

    def comparison(self, left: _Operand, operator: Comparison, right: _Operand, *, wanted: bool) -> Predicate:
        if isinstance(left, syntax.Null):
            return self.null_test(right, operator, wanted=wanted)
        if isinstance(right, syntax.Null):
            return self.null_test(left, operator, wanted=wanted)
        for one, other in ((left, right), (right, left)):
            if isinstance(other, syntax.PrincipalAttribute) and other.name in _LISTS:
                if operator not in {"=", "!="}:
                    raise WrongType(f"$_PRINCIPAL.{other.name} is a list: use IN, = or !=.")
                return self.membership_in_list(one, other, is_in=operator == "=", wanted=wanted)
        match left, right:
            case _Column(), _Column():
                return self.columns(left, operator, right, wanted=wanted)
            case _Column(), _:
                value = self.value_beside(left, right)
                return self.reach(left.relations, Compare(left.column, operator, value), wanted=wanted)
            case _, _Column():
                value = self.value_beside(right, left)
                return self.reach(right.relations, Compare(value, operator, right.column), wanted=wanted)
            case _:
                pg_type = _common_type((left, right))
                values = (self.value(left, pg_type), self.value(right, pg_type))
                return _flipped(Compare(values[0], operator, values[1]), wanted=wanted)

    def columns(self, left: _Column, operator: Comparison, right: _Column, *, wanted: bool) -> Predicate:
        if not is_comparable(left.column.type, right.column.type):
            raise WrongType(f"{_described(left)} and {_described(right)}: these cannot be compared.")
        if left.relations != right.relations:
            raise UnsupportedExpression(
                f"{left.written} and {right.written} are of different rows and cannot be compared yet."
            )
        return self.reach(left.relations, Compare(left.column, operator, right.column), wanted=wanted)

    def null_test(self, operand: _Operand, operator: Comparison, *, wanted: bool) -> Predicate:
        if operator not in {"=", "!="}:
            raise WrongType(f"null can be compared with = and != only, not with {operator}.")
        is_null = operator == "="
        match operand:
            case _Column():
                test = IsNull(operand.column, negated=not is_null)
                return self.reach(operand.relations, test, wanted=wanted, where_absent=is_null)
            case syntax.PrincipalAttribute():
                if operand.name in _LISTS:
                    raise WrongType(f"$_PRINCIPAL.{operand.name} is a list and never null.")
                return IsNull(PrincipalValue(operand.name, INT4), negated=is_null is not wanted)
            case syntax.Null():
                return ALWAYS if is_null is wanted else NEVER
            case syntax.Literal() | syntax.Boolean():
                return NEVER if is_null is wanted else ALWAYS
            case _:
                assert_never(operand)

    def membership(self, node: syntax.Membership, *, wanted: bool) -> Predicate:
        operand = self.operand(node.operand)
        if isinstance(operand, syntax.Null):
            raise WrongType("null cannot be looked for in a list; use = null.")
        if isinstance(node.items, syntax.PrincipalAttribute):
            if node.items.name not in _LISTS:
                raise WrongType(f"$_PRINCIPAL.{node.items.name} is not a list; use =.")
            return self.membership_in_list(operand, node.items, is_in=not node.negated, wanted=wanted)
        if isinstance(operand, syntax.PrincipalAttribute) and operand.name in _LISTS:
            raise WrongType(f"$_PRINCIPAL.{operand.name} is a list and cannot be an item of one.")
        items = [self.operand(item) for item in node.items]
        columns = [item for item in items if isinstance(item, _Column)]
        if not columns:
            return self.membership_in_values(operand, _values_of(items), is_in=not node.negated, wanted=wanted)
        if isinstance(operand, _Column) and operand.relations and len(items) > 1:
            raise UnsupportedExpression(f"{operand.written} can be looked for in a list of values only.")
        # x IN [1, y] is x IN [1] OR x = y, and its opposite is x NOT IN [1] AND x != y.
        values = _values_of([item for item in items if not isinstance(item, _Column)])
        parts = [self.membership_in_values(operand, values, is_in=not node.negated, wanted=wanted)] if values else []
        operator: Comparison = "!=" if node.negated else "="
        parts += [self.comparison(operand, operator, column, wanted=wanted) for column in columns]
        return all_of(*parts) if node.negated is wanted else any_of(*parts)

    def membership_in_values(
        self, operand: _Operand, items: list[_ValueNode], *, is_in: bool, wanted: bool
    ) -> Predicate:
        if isinstance(operand, _Column):
            self.refuse_unordered(operand)
            pg_type = literal_type(operand.column.type, with_decimals=_has_decimals(items))
            values = tuple(self.value_beside(operand, item, pg_type) for item in items)
            test = AnyOf(operand.column, values, negated=not is_in) if values else NEVER if is_in else ALWAYS
            return self.reach(operand.relations, test, wanted=wanted)
        assert not isinstance(operand, syntax.Null)
        if not items:
            return NEVER if is_in is wanted else ALWAYS
        pg_type = _common_type((operand, *items))
        value = self.value(operand, pg_type)
        return AnyOf(value, tuple(self.value(item, pg_type) for item in items), negated=is_in is not wanted)

    def membership_in_list(
        self, operand: _Operand, items: syntax.PrincipalAttribute, *, is_in: bool, wanted: bool
    ) -> Predicate:
        of_texts = items.name == "capabilities"
        if isinstance(operand, _Column):
            array = _list_type(operand.column.type, of_texts=of_texts)
            if array is None:
                raise WrongType(f"{_described(operand)} and cannot be looked for in $_PRINCIPAL.{items.name}.")
            test = AnyOf(operand.column, PrincipalValue(items.name, array), negated=not is_in)
            return self.reach(operand.relations, test, wanted=wanted)
        wrong = isinstance(operand, syntax.Null | syntax.Boolean) or (
            isinstance(operand, syntax.PrincipalAttribute) and (of_texts or operand.name in _LISTS)
        )
        if wrong or isinstance(operand, syntax.Null):
            raise WrongType(f"{_described(operand)} cannot be looked for in $_PRINCIPAL.{items.name}.")
        if isinstance(operand, syntax.Literal) and of_texts and operand.kind != "string":
            raise WrongType("A number cannot be looked for in $_PRINCIPAL.capabilities.")
        value = self.value(operand, TEXT if of_texts else INT8)
        array = TEXT_ARRAY if of_texts else INT4_ARRAY
        return AnyOf(value, PrincipalValue(items.name, array), negated=is_in is not wanted)

    def match(self, node: syntax.Match, *, wanted: bool) -> Predicate:
        operand, pattern = self.operand(node.operand), self.operand(node.pattern)
        word = node.operator.upper()
        if not isinstance(operand, _Column):
            raise UnsupportedExpression(f"Only a column can stand before {word}.")
        if not is_text(operand.column.type):
            raise WrongType(f"{_described(operand)}, and {word} needs text.")
        if isinstance(pattern, _Column):
            # A column's value may end in a lone backslash, which PostgreSQL refuses row by row.
            raise UnsupportedExpression(f"The pattern of {word} cannot be a column.")
        if not isinstance(pattern, syntax.Literal) or pattern.kind != "string":
            raise WrongType(f"The pattern of {word} must be a string in quotes.")
        value = self.literal(pattern.index, pattern.value, TEXT, like_pattern)
        test = Matches(operand.column, value, node.operator, node.negated)
        return self.reach(operand.relations, test, wanted=wanted)

    def value_beside(self, column: _Column, node: _Operand, pg_type: PgType | None = None) -> Value:
        """A literal or an attribute of the principal as what it is compared with a column needs it."""
        self.refuse_unordered(column)
        assert not isinstance(node, _Column | syntax.Null)
        wrong = WrongType(f"{_described(column)} and cannot be compared with {_described(node)}.")
        match node:
            case syntax.Boolean():
                if column.column.type.base != "bool":
                    raise wrong
                return Constant(node.value, BOOL)
            case syntax.Literal():
                if not takes_literal(column.column.type, node.kind):
                    raise wrong
                wanted_type = pg_type or literal_type(column.column.type, with_decimals=_has_decimals([node]))
                return self.value(node, wanted_type)
            case syntax.PrincipalAttribute():
                array = _list_type(column.column.type, of_texts=False)
                if array is None or array.element is None:
                    raise wrong
                return PrincipalValue(node.name, array.element)

    def value(self, node: _Operand, pg_type: PgType) -> Value:
        assert not isinstance(node, _Column | syntax.Null)
        match node:
            case syntax.Boolean():
                return Constant(node.value, BOOL)
            case syntax.Literal():
                coerce = negated(coercer(pg_type)) if node.negative else coercer(pg_type)
                return self.literal(node.index, node.value, pg_type, coerce)
            case syntax.PrincipalAttribute():
                return PrincipalValue(node.name, INT4)

    def refuse_unordered(self, column: _Column) -> None:
        if not is_ordered(column.column.type):
            raise WrongType(f"{_described(column)} and can only be compared with null.")

    def reach(
        self, relations: tuple[Relation, ...], test: Predicate, *, wanted: bool, where_absent: bool | None = None
    ) -> Predicate:
        """`test` made at the end of the way. Through a collection it holds if it does for some related row; through
        a to-one that leads nowhere it is `where_absent`, or unknown."""
        if not relations:
            return _flipped(test, wanted=wanted)
        relation, rest = relations[0], relations[1:]
        if relation.many:
            some = self.exists(relation, self.reach(rest, test, wanted=True, where_absent=where_absent))
            return some if wanted else Not(some)
        # Where nothing is related, no related row of a collection further on satisfies anything.
        absent = False if any(further.many for further in rest) else where_absent
        if absent is wanted:
            return Not(self.exists(relation, self.reach(rest, test, wanted=not wanted, where_absent=where_absent)))
        return self.exists(relation, self.reach(rest, test, wanted=wanted, where_absent=where_absent))

    def exists(self, relation: Relation, where: Predicate) -> Predicate:
        return Exists(relation.name, where, self.under_grant)


def _flipped(test: Predicate, *, wanted: bool) -> Predicate:
    """The predicate that is true where `test` is what is wanted. Where it is unknown, both are."""
    if wanted:
        return test
    match test:
        case IsNull():
            return IsNull(test.operand, not test.negated)
        case Matches():
            return Matches(test.operand, test.pattern, test.operator, not test.negated)
        case AnyOf():
            return AnyOf(test.operand, test.items, not test.negated)
        case _:
            return NEVER if test == ALWAYS else ALWAYS if test == NEVER else Not(test)


def _values_of(items: list[_Operand]) -> list[_ValueNode]:
    for item in items:
        if isinstance(item, syntax.Null):
            raise WrongType("null cannot be an item of a list; use = null beside it.")
        if isinstance(item, syntax.PrincipalAttribute) and item.name in _LISTS:
            raise WrongType(f"$_PRINCIPAL.{item.name} is a list and cannot be an item of one.")
    return [item for item in items if not isinstance(item, _Column | syntax.Null)]


def _has_decimals(nodes: list[_ValueNode] | list[syntax.Literal]) -> bool:
    return any(isinstance(node, syntax.Literal) and node.kind == "decimal" for node in nodes)


def _common_type(nodes: tuple[_Operand, ...]) -> PgType:
    """The type in which values meet that no column stands beside: numbers as numeric, strings as text."""
    booleans = [isinstance(node, syntax.Boolean) for node in nodes]
    if any(booleans):
        if not all(booleans):
            raise WrongType("true and false can only be compared with a boolean.")
        return BOOL
    literals = [node for node in nodes if isinstance(node, syntax.Literal)]
    all_strings = len(literals) == len(nodes) and all(node.kind == "string" for node in literals)
    return TEXT if all_strings else NUMERIC


def _list_type(pg_type: PgType, *, of_texts: bool) -> PgType | None:
    """As what list ids or texts of the principal can stand beside a column of the type, if they can."""
    if is_text(pg_type):
        return TEXT_ARRAY
    is_number = pg_type.kind != "enum" and pg_type.base in {"int2", "int4", "int8", "numeric", "float4", "float8"}
    return INT4_ARRAY if is_number and not of_texts else None


def _described(operand: _Operand) -> str:
    match operand:
        case _Column():
            return f"{operand.written} is of type {operand.column.type.name}"
        case syntax.Literal():
            return "a string" if operand.kind == "string" else "a number"
        case syntax.Boolean():
            return "true" if operand.value else "false"
        case syntax.Null():
            return "null"
        case syntax.PrincipalAttribute():
            return f"$_PRINCIPAL.{operand.name}"
