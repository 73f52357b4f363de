"""The functions that an expression may call, and of which type the result of each is."""

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from db.catalog import PgType
from schema.errors import UnknownFunction, WrongType
from schema.expression import syntax
from schema.expression.calculate import LiteralToValue, Operand, as_number
from schema.expression.coerce import coercer, negated
from schema.expression.predicate import Calculated, Constant, Operation
from schema.expression.terms import (
    Term,
    as_text,
    at,
    cast,
    combined,
    described,
    principal_term,
    require_text,
    value_term,
)
from schema.expression.tokens import shortened
from schema.expression.types import (
    BOOL,
    DATE,
    FLOAT8,
    INT4,
    INT8,
    NUMERIC,
    TEXT,
    TIMESTAMP,
    TIMESTAMPTZ,
    is_text,
    literal_type,
    takes_literal,
)


def call(node: syntax.Call, arguments: list[Operand], literal: LiteralToValue) -> Term:
    """The term of a call. Raises UnknownFunction, WrongType."""
    name = node.name.lower()
    found = _FUNCTIONS.get(name)
    if found is None:
        raise UnknownFunction(shortened(node.name))
    fewest, most, make = found
    if node.star or not fewest <= len(arguments) <= most:
        takes = str(fewest) if fewest == most else f"{fewest} to {most}" if most < _MANY else f"at least {fewest}"
        raise WrongType(f"{name} takes {takes} arguments{at(node.position)}")
    return make(node, arguments, literal)


def _text_function(operation: Operation, pg_type: PgType = TEXT) -> "_Make":
    def make(node: syntax.Call, arguments: list[Operand], literal: LiteralToValue) -> Term:
        terms = [_text(argument, node, literal) for argument in arguments]
        chosen: Operation = "trim_of" if operation == "trim" and len(terms) == 2 else operation
        return _called(node, chosen, terms, pg_type, integral=pg_type is INT4)

    return make


def _text(argument: Operand, node: syntax.Call, literal: LiteralToValue) -> Term:
    if isinstance(argument, syntax.Literal) and argument.kind == "string":
        return _literal(argument, TEXT, literal)
    if not isinstance(argument, Term):
        raise WrongType(f"{node.name.lower()} needs text, not {described(argument)}{at(argument.position)}")
    return as_text(require_text(argument, node.name.lower()))


def _number(argument: Operand, node: syntax.Call, literal: LiteralToValue) -> Term:
    term = as_number(argument, literal)
    if term.kind is None:
        raise WrongType(f"{described(term)}, and {node.name.lower()} needs a number{at(term.position)}")
    return cast(term, FLOAT8 if term.kind == "float" else NUMERIC)


def _abs(node: syntax.Call, arguments: list[Operand], literal: LiteralToValue) -> Term:
    term = _number(arguments[0], node, literal)
    return _called(node, "abs", [term], term.type, integral=term.integral, bounded=term.bounded)


def _round(node: syntax.Call, arguments: list[Operand], literal: LiteralToValue) -> Term:
    term = _number(arguments[0], node, literal)
    if len(arguments) == 1:
        total = term.kind == "float" or term.bounded
        return _called(node, "round", [term], term.type, total, integral=term.integral, bounded=term.bounded)
    places = arguments[1]
    if not isinstance(places, syntax.Literal) or places.kind != "integer":
        raise WrongType(f"The decimals that round keeps are written as an integer{at(places.position)}")
    term = cast(term, NUMERIC)
    terms = [term, _literal(places, INT4, literal)]
    # Rounding up may add a digit to a numeric that has as many as there can be.
    return _called(node, "round_to", terms, NUMERIC, total=term.bounded, bounded=term.bounded)


def _concat(node: syntax.Call, arguments: list[Operand], literal: LiteralToValue) -> Term:
    terms: list[Term] = []
    for argument in arguments:
        match argument:
            case syntax.Literal():
                terms.append(_literal(argument, TEXT, literal))
            case Term() if argument.type.kind in {"base", "domain", "enum"}:
                terms.append(argument)
            case syntax.PrincipalAttribute():
                terms.append(principal_term(argument))
            case _:
                raise WrongType(f"{described(argument)} cannot be part of a text{at(argument.position)}")
    return _called(node, "concat", terms, TEXT, strict=False)


def _coalesce(node: syntax.Call, arguments: list[Operand], literal: LiteralToValue) -> Term:
    typed = [
        principal_term(argument) if isinstance(argument, syntax.PrincipalAttribute) else argument
        for argument in arguments
    ]
    terms = [argument for argument in typed if isinstance(argument, Term)]
    literals = [argument for argument in typed if isinstance(argument, syntax.Literal)]
    strings = bool(literals) and all(each.kind == "string" for each in literals)
    pg_type = _meeting_type(terms, node) if terms else TEXT if strings else NUMERIC
    if any(each.kind == "decimal" for each in literals) and pg_type is INT8:
        pg_type = NUMERIC
    parts: list[Term] = []
    for argument in typed:
        match argument:
            case Term():
                parts.append(cast(argument, pg_type))
            case syntax.Literal() if takes_literal(pg_type, argument.kind):
                parts.append(
                    _literal(argument, literal_type(pg_type, with_decimals=pg_type.base == "numeric"), literal)
                )
            case syntax.Boolean() if pg_type.base == "bool":
                parts.append(value_term(Constant(argument.value, BOOL), described(argument), argument.position))
            case _:
                raise WrongType(f"{described(argument)} is no {pg_type.name}, as the others are{at(argument.position)}")
    integral = pg_type is INT8
    return _called(node, "coalesce", parts, pg_type, strict=False, integral=integral, bounded=integral)


def _meeting_type(terms: list[Term], node: syntax.Call) -> PgType:
    """The type of what may be any of the terms (PostgreSQL: UNION, CASE, and Related Constructs)."""
    kinds = {term.kind for term in terms}
    bases = {term.type.base for term in terms}
    if None not in kinds:
        if "float" in kinds:
            return FLOAT8
        return NUMERIC if "numeric" in bases else INT8
    if len({term.type.name for term in terms}) == 1:
        return terms[0].type
    if all(is_text(term.type) for term in terms):
        return TEXT
    if bases <= {"date", "timestamp", "timestamptz"}:
        return TIMESTAMPTZ if "timestamptz" in bases else TIMESTAMP
    one, other = terms[0], next(term for term in terms if term.type.name != terms[0].type.name)
    raise WrongType(f"{described(one)} and {described(other)}: {node.name.lower()} needs one type{at(other.position)}")


def _literal(node: syntax.Literal, pg_type: PgType, literal: LiteralToValue) -> Term:
    coerce = negated(coercer(pg_type)) if node.negative else coercer(pg_type)
    return value_term(literal(node.index, node.value, pg_type, coerce), described(node), node.position)


def _called(
    node: syntax.Call,
    operation: Operation,
    terms: list[Term],
    pg_type: PgType,
    total: bool = True,  # noqa: FBT001, FBT002 - as in Calculated
    *,
    strict: bool = True,
    integral: bool = False,
    bounded: bool = False,
) -> Term:
    term = combined(
        terms,
        lambda operands: Calculated(operation, tuple(operands), pg_type, total),
        pg_type,
        f"{node.name.lower()}()",
        node.position,
    )
    return replace(term, strict=strict and term.strict, integral=integral, bounded=bounded)


def _moment(operation: Operation, pg_type: PgType) -> "_Make":
    return lambda node, _, __: _called(node, operation, [], pg_type)


_Make = Callable[[syntax.Call, list[Operand], LiteralToValue], Term]
_MANY: Final = 100
_FUNCTIONS: Final[dict[str, tuple[int, int, _Make]]] = {
    "abs": (1, 1, _abs),
    "coalesce": (1, _MANY, _coalesce),
    "concat": (1, _MANY, _concat),
    "current_date": (0, 0, _moment("current_date", DATE)),
    "length": (1, 1, _text_function("length", INT4)),
    "lower": (1, 1, _text_function("lower")),
    "now": (0, 0, _moment("now", TIMESTAMPTZ)),
    "round": (1, 2, _round),
    "trim": (1, 2, _text_function("trim")),
    "upper": (1, 1, _text_function("upper")),
}
FUNCTIONS: Final = frozenset(_FUNCTIONS)
