"""Aggregates in an expression: over all rows of the table, or over the rows that a collection leads to."""

from dataclasses import replace
from typing import Final, cast

from db.catalog import PgType
from schema.errors import UnsupportedExpression, WrongType
from schema.expression import syntax
from schema.expression.predicate import Aggregated, AggregateFunction, Operand, Way
from schema.expression.terms import (
    HERE,
    Bound,
    Relations,
    Term,
    Untyped,
    as_text,
    at,
    described,
    named,
    outer,
)
from schema.expression.terms import cast as cast_term
from schema.expression.types import FLOAT8, INT8, INTERVAL, NUMERIC

AGGREGATE_FUNCTIONS: Final[frozenset[str]] = frozenset({"avg", "count", "max", "min", "sum"})
# Of what PostgreSQL from version 14 on has a greatest and a least (Aggregate Functions).
_MAXIMA: Final = frozenset(
    {"int2", "int4", "int8", "numeric", "float4", "float8", "money", "oid", "bpchar", "inet", "pg_lsn"}
    | {"date", "time", "timetz", "timestamp", "timestamptz", "interval"}
)
_TEXTS: Final = frozenset({"text", "varchar", "name", "citext"})


def aggregate(node: syntax.Call, arguments: list[Term | Untyped], *, under_grant: bool) -> Term:
    """The term of `avg`, `count`, `max`, `min` or `sum`. Raises WrongType, UnsupportedExpression."""
    function = cast("AggregateFunction", node.name.lower())
    if node.star and function == "count":
        return _term(node, None, (), INT8, under_grant=under_grant)
    if node.star or len(arguments) != 1:
        raise WrongType(f"{function} takes 1 argument{at(node.position)}")
    [argument] = arguments
    if not isinstance(argument, Term) or not argument.paths:
        raise WrongType(f"{function} needs a column, not {named(argument)}{at(argument.position)}")
    collections = {path for path in map(to_last_collection, argument.paths) if path}
    if len(collections) > 1:
        raise UnsupportedExpression(f"{function} goes through one collection, not several{at(argument.position)}")
    pg_type, operand, total = _typed(function, argument)
    path = next(iter(collections), ())
    term = _term(node, operand, path, pg_type, under_grant=under_grant, total=total)
    if function in {"max", "min"}:
        return replace(term, collation=argument.collation, is_deterministic=argument.is_deterministic)
    return term


def to_last_collection(path: Relations) -> Relations:
    """The path as far as its last collection."""
    last = max((index for index, relation in enumerate(path) if relation.many), default=-1)
    return path[: last + 1]


def _term(
    node: syntax.Call,
    operand: Term | None,
    path: Relations,
    pg_type: PgType,
    *,
    under_grant: bool,
    total: bool = True,
) -> Term:
    function = cast("AggregateFunction", node.name.lower())
    # What is aggregated stands one relation further than the row itself; over the same table it is about no other row.
    inner: Bound = ((), path) if path else HERE

    def place(bound: Bound) -> Operand:
        aggregated = Aggregated(
            function,
            operand.place(inner) if operand else None,
            pg_type,
            under_grant,
            tuple(Way(relation.name) for relation in path),
            total=total,
        )
        return outer(aggregated, len(bound) - 1)

    is_integer = pg_type is INT8 or (function in {"max", "min", "sum"} and operand is not None and operand.integral)
    return Term(
        pg_type,
        frozenset({()}),
        place,
        f"{function}()",
        node.position,
        strict=False,
        integral=is_integer,
        bounded=is_integer or (operand is not None and operand.bounded),
    )


def _typed(function: AggregateFunction, argument: Term) -> tuple[PgType, Term, bool]:
    """The type of the result, what is aggregated, and whether that cannot fail."""
    base, kind = argument.type.base, argument.kind
    if function == "count":
        return INT8, argument, True
    if function in {"max", "min"} and (argument.type.kind == "enum" or base in _MAXIMA):
        return argument.type, argument, True
    if function in {"max", "min"} and base in _TEXTS:
        text = as_text(argument)
        return text.type, text, True
    if function in {"avg", "sum"}:
        match kind:
            case "float":
                return FLOAT8, cast_term(argument, FLOAT8), False
            case "integer" | "numeric":
                return NUMERIC, cast_term(argument, NUMERIC), argument.bounded
            case _ if base == "interval":
                return INTERVAL, argument, False
            case _:
                pass
    raise WrongType(f"{described(argument)}, of which there is no {function}{at(argument.position)}")
