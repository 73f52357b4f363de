"""Term: an operand whose type is known, wherever in an expression it is to stand."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Final, Literal, TypeAlias

from db.catalog import Column, PgType
from schema.errors import WrongType
from schema.expression import syntax
from schema.expression.predicate import Cast, ColumnOf, Operand, Outer, PrincipalValue, Related
from schema.expression.types import BOOL, FLOATS, INT4, INTEGERS, TEXT, is_text
from schema.model import Relation

Relations: TypeAlias = tuple[Relation, ...]
Bound: TypeAlias = tuple[Relations, ...]
"""The rows that a predicate can speak of where it stands, each as the way to it from the row that the expression is
about: that row first, the one at hand last."""

Untyped: TypeAlias = syntax.Literal | syntax.Boolean | syntax.Null | syntax.PrincipalAttribute
"""What takes its type from what stands beside it."""

HERE: Final[Bound] = ((),)
LISTS: Final = frozenset({"classes", "children", "capabilities"})
FLAGS: Final = frozenset({"is_guest"})


@dataclass(frozen=True, slots=True)
class Term:
    """`place` gives the operand for where it stands. `paths` are the ways to the rows that it needs.

    `strict`: null where a row that it needs is absent. `integral`: an integer, of whatever type. `bounded`: of so few
    digits that as many of its kind as an expression holds can be multiplied within a numeric. `collation` is empty for
    that of the database.
    """

    type: PgType
    paths: frozenset[Relations]
    place: Callable[[Bound], Operand]
    written: str
    position: int
    strict: bool = True
    integral: bool = False
    bounded: bool = False
    collation: str = ""
    is_deterministic: bool = True

    @property
    def kind(self) -> Literal["integer", "numeric", "float"] | None:
        """Which kind of number it is, if it is one."""
        if self.type.kind == "enum":
            return None
        if self.integral:
            return "integer"
        return "float" if self.type.base in FLOATS else "numeric" if self.type.base == "numeric" else None


def column_term(relations: Relations, column: Column, written: str, position: int, *, under_grant: bool) -> Term:
    """A column at the end of a path through relations."""

    def place(bound: Bound) -> Operand:
        index = max(
            (index for index, prefix in enumerate(bound) if relations[: len(prefix)] == prefix),
            key=lambda index: len(bound[index]),
        )
        value: ColumnOf | Related = ColumnOf(column.name, column.type)
        for relation in reversed(relations[len(bound[index]) :]):
            value = Related(relation.name, value, under_grant)
        return outer(value, len(bound) - 1 - index)

    is_integer = column.type.kind != "enum" and column.type.base in INTEGERS
    return Term(
        column.type,
        frozenset({relations}),
        place,
        written,
        position,
        integral=is_integer,
        bounded=is_integer or column.type.base in FLOATS,
        collation=column.collation,
        is_deterministic=column.is_deterministic,
    )


def value_term(operand: Operand, written: str, position: int, *, integral: bool = False) -> Term:
    """What is the same for every row."""
    nowhere = frozenset[Relations]()
    return Term(operand.type, nowhere, lambda _: operand, written, position, integral=integral, bounded=True)


def flag_term(node: syntax.PrincipalAttribute) -> Term:
    """An attribute that is true or false."""
    return value_term(PrincipalValue(node.name, BOOL), f"$_PRINCIPAL.{node.name}", node.position)


def principal_term(node: syntax.PrincipalAttribute) -> Term:
    """An attribute that is a number. Raises WrongType for a list."""
    if node.name in LISTS or node.claim:
        what = "a claim" if node.claim else "a list"
        raise WrongType(f"{node} is {what} and cannot be calculated with{at(node.position)}")
    return value_term(PrincipalValue(node.name, INT4), f"$_PRINCIPAL.{node.name}", node.position, integral=True)


def combined(
    terms: Iterable[Term], make: Callable[[list[Operand]], Operand], pg_type: PgType, written: str, position: int
) -> Term:
    """A term of several others. Raises WrongType where their texts are sorted by different collations."""
    parts = list(terms)
    collation, is_deterministic = shared_collation(parts)
    return Term(
        pg_type,
        frozenset[Relations]().union(*(part.paths for part in parts)),
        lambda bound: make([part.place(bound) for part in parts]),
        written,
        position,
        strict=all(part.strict for part in parts),
        collation=collation,
        is_deterministic=is_deterministic,
    )


def cast(term: Term, pg_type: PgType) -> Term:
    """The term as a value of the type."""
    if term.type.base == pg_type.base and term.type.kind != "enum":
        return term

    def place(bound: Bound) -> Operand:
        return Cast(term.place(bound), pg_type)

    return replace(term, type=pg_type, place=place)


def as_text(term: Term) -> Term:
    return term if term.type.base == "text" else cast(term, TEXT)


def shared_collation(terms: Iterable[Term]) -> tuple[str, bool]:
    """The collation by which texts meet, and whether by it only equal texts are equal. That of the database gives way
    to any other (PostgreSQL: Collation Support). Raises WrongType where two others meet."""
    found: dict[str, Term] = {term.collation: term for term in terms if term.collation}
    if len(found) > 1:
        one, other, *_ = found.values()
        raise WrongType(f"{one.written} and {other.written} have different collations{at(other.position)}")
    return next(((term.collation, term.is_deterministic) for term in found.values()), ("", True))


def outer(operand: Operand, levels: int) -> Operand:
    return Outer(levels, operand) if levels else operand


def described(operand: Term | Untyped) -> str:
    match operand:
        case Term():
            return f"{operand.written} is of type {operand.type.name}"
        case syntax.Literal():
            return "a string" if operand.kind == "string" else "a number"
        case syntax.Boolean():
            return "true" if operand.value else "false"
        case syntax.Null():
            return "null"
        case syntax.PrincipalAttribute():
            return str(operand)


def named(operand: Term | Untyped) -> str:
    """The operand where its type says nothing."""
    return operand.written if isinstance(operand, Term) else described(operand)


def at(position: int) -> str:
    """The end of a sentence about what stands there."""
    return f" (at character {position})."


def require_text(term: Term, where: str) -> Term:
    if not is_text(term.type):
        raise WrongType(f"{described(term)}, and {where} needs text{at(term.position)}")
    return term
