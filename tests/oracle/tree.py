"""The tree of a random expression, and its text in Ostiary's language of filters.

The judges share this tree and nothing else: one evaluates it row by row, one writes SQL of it, and Ostiary gets the
text.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Literal, TypeAlias, assert_never

from tests.oracle.shape import Value

Comparison = Literal["=", "!=", "<", ">", "<=", ">="]
Attribute = Literal["roleid", "parentid", "tenantid", "classes", "children", "capabilities"]


@dataclass(frozen=True)
class Col:
    """A column, at the end of a path of relations."""

    path: tuple[str, ...]
    column: str


@dataclass(frozen=True)
class Lit:
    """A value; `quoted` where a number or the like is written as text."""

    value: Value
    quoted: bool = False


@dataclass(frozen=True)
class Who:
    """An attribute of whoever asks."""

    attribute: Attribute


@dataclass(frozen=True)
class Calc:
    operator: Literal["+", "-", "*", "/", "%"]
    left: "Operand"
    right: "Operand"


@dataclass(frozen=True)
class Call:
    function: Literal["abs", "coalesce", "lower", "upper", "length", "concat"]
    arguments: tuple["Operand", ...]


@dataclass(frozen=True)
class Agg:
    """An aggregate over the whole table, or over the rows of the last collection on the path; of None, of rows."""

    function: Literal["count", "min", "max", "sum"]
    of: Col | None


Operand: TypeAlias = Col | Lit | Who | Calc | Call | Agg


@dataclass(frozen=True)
class Cmp:
    left: Operand
    operator: Comparison
    right: Operand


@dataclass(frozen=True)
class NullTest:
    operand: Operand
    negated: bool


@dataclass(frozen=True)
class Among:
    operand: Operand
    items: tuple[Lit | Col, ...] | Who
    negated: bool


@dataclass(frozen=True)
class Like:
    operand: Operand
    pattern: str
    word: Literal["like", "ilike"]
    negated: bool


@dataclass(frozen=True)
class Flag:
    """A boolean column by itself."""

    column: Col


@dataclass(frozen=True)
class Truth:
    value: bool


@dataclass(frozen=True)
class All:
    parts: tuple["Test", ...]


@dataclass(frozen=True)
class Any:
    parts: tuple["Test", ...]


@dataclass(frozen=True)
class Neg:
    part: "Test"


Atom: TypeAlias = Cmp | NullTest | Among | Like | Flag
Test: TypeAlias = Atom | Truth | All | Any | Neg


def columns_of(node: "Test | Operand") -> Iterator[Col]:
    """The columns that a test speaks of, but for those within aggregates."""
    if isinstance(node, Col):
        yield node
    for part in parts_of(node):
        yield from columns_of(part)


def parts_of(node: "Test | Operand") -> tuple["Test | Operand", ...]:
    """What a test or an operand is put together from, but for what an aggregate is of."""
    match node:
        case Calc(_, left, right) | Cmp(left, _, right):
            return left, right
        case Call(_, parts) | All(parts) | Any(parts):
            return parts
        case NullTest(part) | Like(part) | Flag(part) | Neg(part):
            return (part,)
        case Among(operand, items):
            return (operand, *items) if isinstance(items, tuple) else (operand, items)
        case Col() | Lit() | Who() | Agg() | Truth():
            return ()
        case _:
            assert_never(node)


def looks_beyond(node: "Test | Operand") -> bool:
    """Whether a test needs other rows than the one at hand."""
    is_beyond = isinstance(node, Agg) or (isinstance(node, Col) and bool(node.path))
    return is_beyond or any(map(looks_beyond, parts_of(node)))


def may_fail(node: "Test | Operand") -> bool:
    """Whether a test works out something that could be more than a row allows: of a mask that is refused."""
    return isinstance(node, Calc | Call | Agg) or any(map(may_fail, parts_of(node)))


def text_of(node: "Test | Operand") -> str:
    """The test in Ostiary's language."""
    match node:
        case Cmp(left, operator, right):
            return f"{text_of(left)} {operator} {text_of(right)}"
        case NullTest(operand, negated):
            return f"{text_of(operand)} {'!=' if negated else '='} null"
        case Among(operand, items, negated):
            listed = text_of(items) if isinstance(items, Who) else f"[{', '.join(map(text_of, items))}]"
            return f"{text_of(operand)} {'not ' if negated else ''}in {listed}"
        case Like(operand, pattern, word, negated):
            return f"{text_of(operand)} {'not ' if negated else ''}{word} {_quoted(pattern)}"
        case Flag(column):
            return text_of(column)
        case Truth(value):
            return str(value).lower()
        case All(parts):
            return "(" + " and ".join(map(text_of, parts)) + ")"
        case Any(parts):
            return "(" + " or ".join(map(text_of, parts)) + ")"
        case Neg(part):
            return f"not ({text_of(part)})"
        case _:
            return _operand_text(node)


def _operand_text(node: Operand) -> str:
    match node:
        case Col(path, column):
            return ".".join((*path, column))
        case Lit():
            return _literal_text(node)
        case Who(attribute):
            return f"$_PRINCIPAL.{attribute}"
        case Calc(operator, left, right):
            return f"({text_of(left)} {operator} {text_of(right)})"
        case Call(function, arguments):
            return f"{function}({', '.join(map(text_of, arguments))})"
        case Agg(function, of):
            return f"{function}({'*' if of is None else text_of(of)})"
        case _:
            assert_never(node)


def _literal_text(node: Lit) -> str:
    match node.value:
        case bool() as value:
            return str(value).lower()
        case int() | float() | Decimal() as value:
            return f'"{value}"' if node.quoted else str(value)
        case date() as value:
            return _quoted(value.isoformat())
        case str() as value:
            return '"' + value.replace('"', '""') + '"' if node.quoted else _quoted(value)
        case None:
            return "null"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
