"""Arithmetic and bitwise operators: of which type the result is, and what has to be cast before.

Types are PostgreSQL's but for these, so that as little as can be fails on a row: integers are added, multiplied and
divided as numerics, which no integers overflow, and bits are those of a bigint. A divisor of zero gives null.
"""

from collections.abc import Callable
from typing import Final, cast

from db.catalog import PgType
from schema.errors import WrongType
from schema.expression import syntax
from schema.expression.coerce import coercer, negated, small_number
from schema.expression.predicate import Calculated, Operation, Value
from schema.expression.terms import Term, Untyped, at, combined, described, principal_term, value_term
from schema.expression.terms import cast as cast_term
from schema.expression.types import (
    DATE,
    FLOAT8,
    INT4,
    INT8,
    INTERVAL,
    NUMERIC,
    TIME,
    TIMESTAMP,
    TIMESTAMPTZ,
)

LiteralToValue = Callable[[int, object, PgType, Callable[[object], object]], Value]
"""What becomes of a literal: its index in the text, its value, the type it is needed as, and how to bring it there."""

Operand = Term | Untyped

_BITWISE: Final = frozenset({"&", "|", "#", "<<", ">>"})
_MOMENTS: Final = frozenset({"date", "timestamp", "timestamptz"})
_TIMES: Final = _MOMENTS | {"time", "interval"}


def calculate(left: Operand, operator: str, right: Operand, position: int, literal: LiteralToValue) -> Term:
    """The term of `left operator right`. Raises WrongType with the position of the operator."""
    operation = cast("Operation", operator)
    one = _typed(left, right, operation, position, literal, is_left=True)
    other = _typed(right, one, operation, position, literal, is_left=False)
    if one.kind and other.kind:
        return _numbers(one, operation, other, position)
    found = _times(one, operation, other, position)
    if found is None:
        raise WrongType(f"{described(one)} and {described(other)}: {operator} is not for these{at(position)}")
    return found


def negative(operand: Operand, position: int, literal: LiteralToValue) -> Term:
    """The term of `-operand`. Raises WrongType."""
    term = as_number(operand, literal)
    if term.kind:
        term = cast_term(term, FLOAT8 if term.kind == "float" else NUMERIC)
        return _result(("negative", position), (term,), term.type, integral=term.integral, bounded=term.bounded)
    if term.type.base == "interval":
        return _result(("negative", position), (term,), INTERVAL, total=False)
    raise WrongType(f"{described(term)} and has no opposite{at(position)}")


def positive(operand: Operand, position: int, literal: LiteralToValue) -> Term:
    """The term of `+operand`. Raises WrongType."""
    term = as_number(operand, literal)
    if not term.kind and term.type.base != "interval":
        raise WrongType(f"{described(term)} and has no sign{at(position)}")
    return term


def as_number(operand: Operand, literal: LiteralToValue) -> Term:
    """The operand where a number is looked for. A literal is one."""
    if isinstance(operand, syntax.Literal):
        return _numeric_literal(operand, literal)
    return _term(operand)


def _typed(
    node: Operand, beside: Operand, operation: Operation, position: int, literal: LiteralToValue, *, is_left: bool
) -> Term:
    """The operand with its type: that of a literal follows from what stands beside it."""
    if not isinstance(node, syntax.Literal):
        return _term(node)
    if operation in _BITWISE and node.kind != "decimal":
        return _literal(node, INT8, literal, integral=True)
    if not isinstance(beside, Term):
        return _numeric_literal(node, literal)
    if beside.kind == "float":
        return _literal(node, FLOAT8, literal)
    if beside.kind == "integer" and node.kind == "string":
        return _literal(node, INT8, literal, integral=True)
    if beside.kind:
        return _numeric_literal(node, literal)
    base = beside.type.base
    if base not in _TIMES or operation not in {"+", "-", "*", "/"}:
        raise WrongType(f"{described(beside)} and cannot be calculated with{at(position)}")
    if operation in {"*", "/"}:
        return _literal(node, FLOAT8, literal)
    if node.kind == "integer" and base == "date":
        return _literal(node, INT4, literal, integral=True)
    if node.kind != "string":
        raise WrongType(f"{described(beside)}: add an interval to it, like '1 day'{at(position)}")
    is_subtracted_from = operation == "-" and is_left
    return _literal(node, beside.type if is_subtracted_from else INTERVAL, literal)


def _term(node: Operand) -> Term:
    match node:
        case Term():
            return node
        case syntax.PrincipalAttribute():
            return principal_term(node)
        case _:
            raise WrongType(f"{described(node)} cannot be calculated with{at(node.position)}")


def _numeric_literal(node: syntax.Literal, literal: LiteralToValue) -> Term:
    coerce = negated(small_number) if node.negative else small_number
    value = literal(node.index, node.value, NUMERIC, coerce)
    return value_term(value, described(node), node.position, integral=node.kind == "integer")


def _literal(node: syntax.Literal, pg_type: PgType, literal: LiteralToValue, *, integral: bool = False) -> Term:
    coerce = negated(coercer(pg_type)) if node.negative else coercer(pg_type)
    return value_term(
        literal(node.index, node.value, pg_type, coerce), described(node), node.position, integral=integral
    )


def _numbers(left: Term, operation: Operation, right: Term, position: int) -> Term:
    what = (operation, position)
    kinds = {left.kind, right.kind}
    if operation in _BITWISE:
        if kinds != {"integer"}:
            raise WrongType(f"{described(left)} and {described(right)}: {operation} needs integers{at(position)}")
        return _result(what, (cast_term(left, INT8), cast_term(right, INT8)), INT8, integral=True, bounded=True)
    if operation == "^":
        exact = "numeric" in kinds and "float" not in kinds
        pg_type = NUMERIC if exact else FLOAT8
        terms = (cast_term(left, pg_type), cast_term(right, pg_type))
        return _result(what, terms, pg_type, bounded=not exact, total=False)
    if "float" in kinds and operation != "%":
        return _result(what, (cast_term(left, FLOAT8), cast_term(right, FLOAT8)), FLOAT8, bounded=True, total=False)
    integral = kinds == {"integer"}
    bounded = left.bounded and right.bounded
    return _result(
        ("div", position) if integral and operation == "/" else what,
        (cast_term(left, NUMERIC), cast_term(right, NUMERIC)),
        NUMERIC,
        integral=integral,
        bounded=bounded,
        total=bounded or operation == "%",
    )


def _times(left: Term, operation: Operation, right: Term, position: int) -> Term | None:
    """Dates, times and intervals (PostgreSQL: Date/Time Operators). At the ends of the calendar all of it fails."""
    what = (operation, position)
    bases = (left.type.base, right.type.base)
    match operation, *bases:
        case "+", _, "date" | "timestamp" | "timestamptz" if left.type.base not in _MOMENTS:
            return _times(right, operation, left, position)
        case "+" | "-", "date", _ if right.integral:
            return _result(what, (left, cast_term(right, INT4)), DATE, total=False)
        case "-", "date", "date":
            return _result(what, (left, right), INT4, integral=True, bounded=True, total=False)
        case "-", "time", "time":
            return _result(what, (left, right), INTERVAL)
        case "-", "date" | "timestamp" | "timestamptz", "date" | "timestamp" | "timestamptz":
            pg_type = TIMESTAMPTZ if "timestamptz" in bases else TIMESTAMP
            return _result(what, (cast_term(left, pg_type), cast_term(right, pg_type)), INTERVAL, total=False)
        case "+", "date", "time":
            return _result(what, (left, right), TIMESTAMP, total=False)
        case "+" | "-", "date" | "timestamp" | "timestamptz" | "time" | "interval", "interval":
            by_base = {"date": TIMESTAMP, "timestamp": TIMESTAMP, "timestamptz": TIMESTAMPTZ, "time": TIME}
            return _result(what, (left, right), by_base.get(left.type.base, INTERVAL), total=False)
        case "+", "interval", "time":
            return _result(what, (right, left), TIME, total=False)
        case "*" | "/", "interval", _ if right.kind:
            return _result(what, (left, cast_term(right, FLOAT8)), INTERVAL, total=False)
        case "*", _, "interval" if left.kind:
            return _result(what, (right, cast_term(left, FLOAT8)), INTERVAL, total=False)
        case _:
            return None


def _result(
    what: tuple[Operation, int],
    terms: tuple[Term, ...],
    pg_type: PgType,
    *,
    integral: bool = False,
    bounded: bool = False,
    total: bool = True,
) -> Term:
    operation, position = what
    term = combined(
        terms,
        lambda operands: Calculated(operation, tuple(operands), pg_type, total),
        pg_type,
        "the calculation",
        position,
    )
    return Term(
        term.type, term.paths, term.place, term.written, position, term.strict, integral=integral, bounded=bounded
    )
