"""holds: whether a test holds of a row, reckoned value by value in three-valued logic, as docs/expressions.md says."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from functools import reduce
from typing import Any as Anything
from typing import TypeAlias, assert_never

from tests.oracle.policy import TENANT, Person
from tests.oracle.shape import LABELS, Kind, Row, Shape, related
from tests.oracle.tree import (
    Agg,
    All,
    Among,
    Any,
    Atom,
    Calc,
    Call,
    Cmp,
    Col,
    Flag,
    Like,
    Lit,
    Neg,
    NullTest,
    Operand,
    Test,
    Truth,
    Who,
    columns_of,
)

Path: TypeAlias = tuple[str, ...]
Binding: TypeAlias = dict[Path, Row]
Known: TypeAlias = bool | None
"""True, false, or unknown."""


@dataclass(frozen=True)
class Sees:
    """The rows that a test can look at, and who asks."""

    shape: Shape
    state: Mapping[str, Sequence[Row]]
    person: Person


def negation(known: Known) -> Known:
    return None if known is None else not known


def conjunction(parts: Sequence[Known]) -> Known:
    return False if False in parts else None if None in parts else True


def disjunction(parts: Sequence[Known]) -> Known:
    return True if True in parts else None if None in parts else False


def holds(test: Test, table: str, row: Row, sees: Sees) -> Known:
    match test:
        case Truth(value):
            return value
        case All(parts):
            return conjunction([holds(part, table, row, sees) for part in parts])
        case Any(parts):
            return disjunction([holds(part, table, row, sees) for part in parts])
        case Neg(part):
            return negation(holds(part, table, row, sees))
        case _:
            return _atom(test, table, row, sees)


def _atom(test: Atom, table: str, row: Row, sees: Sees) -> Known:
    paths = {column.path for column in columns_of(test)}
    ways = sorted({way for path in paths for way in _collections(path, table, sees.shape)}, key=len)
    if not ways:
        return _decide(test, table, {(): row}, sees)
    # Of some related rows it is true, or it is not: nothing is unknown then.
    return any(_decide(test, table, binding, sees) is True for binding in _bindings(ways, table, {(): row}, sees))


def _collections(path: Path, table: str, shape: Shape) -> list[Path]:
    """The beginnings of a path as far as its last collection."""
    last = 0
    for place, name in enumerate(path, 1):
        relation = shape.relations(table)[name]
        last = place if relation.many else last
        table = relation.target
    return [path[:place] for place in range(1, last + 1)]


def _bindings(ways: Sequence[Path], table: str, bound: Binding, sees: Sees) -> list[Binding]:
    if not ways:
        return [bound]
    way, *rest = ways
    origin = table_at(sees.shape, table, way[:-1])
    relation = sees.shape.relations(origin)[way[-1]]
    return [
        found
        for row in related(sees.shape, sees.state, relation, bound[way[:-1]])
        for found in _bindings(rest, table, {**bound, way: row}, sees)
    ]


def table_at(shape: Shape, table: str, path: Path) -> str:
    """The table at the end of a path."""
    for name in path:
        table = shape.relations(table)[name].target
    return table


def kind_of(shape: Shape, table: str, column: Col) -> Kind:
    return shape.by_name[table_at(shape, table, column.path)].by_name[column.column].kind


def _decide(test: Atom, table: str, bound: Binding, sees: Sees) -> Known:
    def value(operand: Operand) -> Anything:
        return _value(operand, table, bound, sees)

    match test:
        case Cmp(left, operator, right):
            kind = _kind(left, table, sees.shape) or _kind(right, table, sees.shape) or "text"
            return compare(value(left), operator, value(right), kind)
        case NullTest(operand, negated):
            return (value(operand) is None) is not negated
        case Among(operand, items, negated):
            # A relation that leads nowhere gives no value to look for.
            if _is_absent(operand, table, bound, sees):
                return None
            kind = _kind(operand, table, sees.shape) or "text"
            found = value(operand)
            if isinstance(items, Who):
                listed: list[Anything] = sorted(attribute(sees.person, items))
            else:
                listed = [value(item) for item in items]
                kind = kind if items else "text"
            known = disjunction([compare(found, "=", item, kind) for item in listed])
            return negation(known) if negated else known
        case Like(operand, pattern, word, negated):
            text = value(operand)
            if text is None:
                return None
            folded = word == "ilike"
            matches = is_like(_lower(text) if folded else text, _lower(pattern) if folded else pattern)
            return matches is not negated
        case Flag(column):
            return value(column)
        case _:
            assert_never(test)


def attribute(person: Person, who: Who) -> Anything:
    match who.attribute:
        case "roleid":
            return person.role
        case "parentid":
            return person.parent
        case "tenantid":
            return TENANT
        case "classes":
            return person.classes
        case "children":
            return person.children
        case "capabilities":
            return person.capabilities


def _is_absent(operand: Operand, table: str, bound: Binding, sees: Sees) -> bool:
    match operand:
        case Col(path):
            return _row_at(path, table, bound, sees) is None
        case Calc(_, left, right):
            return _is_absent(left, table, bound, sees) or _is_absent(right, table, bound, sees)
        case Call("coalesce" | "concat"):
            return False
        case Call(_, arguments):
            return any(_is_absent(argument, table, bound, sees) for argument in arguments)
        case _:
            return False


def _row_at(path: Path, table: str, bound: Binding, sees: Sees) -> Row | None:
    """The row at the end of a path, of which the collections are bound."""
    for place in range(len(path), -1, -1):
        if path[:place] in bound:
            row = bound[path[:place]]
            here = table_at(sees.shape, table, path[:place])
            for name in path[place:]:
                relation = sees.shape.relations(here)[name]
                found = related(sees.shape, sees.state, relation, row)
                if not found:
                    return None
                row, here = found[0], relation.target
            return row
    raise AssertionError(path)


def _value(operand: Operand, table: str, bound: Binding, sees: Sees) -> Anything:
    match operand:
        case Col(path, column):
            row = _row_at(path, table, bound, sees)
            return None if row is None else row[column]
        case Lit(value):
            return value
        case Who():
            return attribute(sees.person, operand)
        case Calc(operator, left, right):
            return _calculate(
                operator,
                _value(left, table, bound, sees),
                _value(right, table, bound, sees),
                is_integer=_is_integer(operand, table, sees.shape),
            )
        case Call(function, arguments):
            return _call(function, [_value(argument, table, bound, sees) for argument in arguments])
        case Agg():
            return _aggregate(operand, table, bound[()], sees)
        case _:
            assert_never(operand)


def _is_integer(operand: Operand, table: str, shape: Shape) -> bool:
    match operand:
        case Calc(_, left, right):
            return _is_integer(left, table, shape) and _is_integer(right, table, shape)
        case Lit(value):
            return isinstance(value, int)
        case Call(_, arguments):
            return all(_is_integer(argument, table, shape) for argument in arguments)
        case Col():
            return kind_of(shape, table, operand) == "int"
        case _:
            return True


def _calculate(operator: str, left: Anything, right: Anything, *, is_integer: bool) -> Fraction | None:
    if left is None or right is None or (operator in "/%" and right == 0):
        return None
    one, other = Fraction(left), Fraction(right)
    match operator:
        case "+":
            return one + other
        case "-":
            return one - other
        case "*":
            return one * other
        case "/":
            return Fraction(_truncated(one / other)) if is_integer else one / other
        case _:
            return one - other * _truncated(one / other)


def _truncated(value: Fraction) -> int:
    return math.floor(value) if value >= 0 else -math.floor(-value)


def _call(function: str, values: list[Anything]) -> Anything:
    match function:
        case "coalesce":
            return next((value for value in values if value is not None), None)
        case "concat":
            return "".join(value for value in values if value is not None)
        case _ if values[0] is None:
            return None
        case "abs":
            return abs(values[0])
        case "lower":
            return _lower(values[0])
        case "upper":
            return "".join(letter.upper() if letter.isascii() else letter for letter in values[0])
        case _:
            return len(values[0])


def _lower(text: str) -> str:
    """In the collation C letters beyond ASCII have no case."""
    return "".join(letter.lower() if letter.isascii() else letter for letter in text)


def _aggregate(node: Agg, table: str, row: Row, sees: Sees) -> Anything:
    path = node.of.path if node.of else ()
    ways = _collections(path, table, sees.shape)
    of_table: list[Binding] = [{(): each} for each in sees.state[table]]
    found = _bindings(ways, table, {(): row}, sees) if ways else of_table
    if node.of is None:
        return len(found)
    values = [_value(node.of, table, bound, sees) for bound in found]
    return total(node.function, [value for value in values if value is not None], kind_of(sees.shape, table, node.of))


def total(function: str, values: Sequence[Anything], kind: Kind) -> Anything:
    """What an aggregate function makes of values that are not null."""
    if function == "count":
        return len(values)
    if not values:
        return None
    match function:
        case "sum":
            return sum(map(Fraction, values)) if kind != "float" else math.fsum(values)
        case "avg":
            return sum(map(Fraction, values)) / len(values)
        case "min":
            return min(values, key=order_key(kind))
        case _:
            return max(values, key=order_key(kind))


def order_key(kind: Kind) -> Callable[[Anything], Anything]:
    """By what values of the kind are sorted, as PostgreSQL does: labels as they were declared, NaN behind all."""
    match kind:
        case "enum":
            return LABELS.index
        case "float":
            return lambda value: (math.isnan(value), 0.0 if math.isnan(value) else value)
        case _:
            return lambda value: value


def _kind(operand: Operand, table: str, shape: Shape) -> Kind | None:
    """The kind of a column that decides how it is compared, if there is one."""
    match operand:
        case Col():
            return kind_of(shape, table, operand)
        case Agg("min" | "max", Col() as of):
            return kind_of(shape, table, of)
        case Call("coalesce", arguments):
            return next((kind for argument in arguments if (kind := _kind(argument, table, shape))), None)
        case Calc() | Agg() | Call("abs" | "length"):
            return "numeric"
        case Call():
            return "text"
        case _:
            return None


def compare(left: Anything, operator: str, right: Anything, kind: Kind) -> Known:
    if left is None or right is None:
        return None
    one, other = (_comparable(value, kind) for value in (left, right))
    if kind == "text" and not (isinstance(one, str) and isinstance(other, str)):
        # An id beside a text is one.
        one, other = (str(one), str(other)) if isinstance(left, str) or isinstance(right, str) else (one, other)
    match operator:
        case "=":
            return one == other
        case "!=":
            return one != other
        case "<":
            return one < other
        case ">":
            return one > other
        case "<=":
            return one <= other
        case _:
            return one >= other


def _comparable(value: Anything, kind: Kind) -> Anything:
    match kind:
        case "float":
            return order_key("float")(float(value))
        case "int" | "numeric":
            return Fraction(value)
        case "enum":
            return LABELS.index(value)
        case "date":
            return date.fromisoformat(value) if isinstance(value, str) else value
        case _:
            return value


def is_like(text: str, pattern: str) -> bool:
    """Whether the text is as the pattern says: `%` any text, `_` any character, a backslash before what stands for
    itself."""
    reached = [True] + [False] * len(text)
    for wildcard, character in _pieces(pattern):
        if wildcard == "%":
            reached = [any(reached[: place + 1]) for place in range(len(text) + 1)]
        else:
            reached = [False] + [
                reached[place] and (wildcard == "_" or text[place] == character) for place in range(len(text))
            ]
    return reached[-1]


def _pieces(pattern: str) -> list[tuple[str, str]]:
    def add(found: tuple[list[tuple[str, str]], bool], character: str) -> tuple[list[tuple[str, str]], bool]:
        pieces, escaped = found
        if not escaped and character == "\\":
            return pieces, True
        wildcard = character if character in "%_" and not escaped else ""
        return [*pieces, (wildcard, character)], False

    start: tuple[list[tuple[str, str]], bool] = ([], False)
    return reduce(add, pattern, start)[0]
