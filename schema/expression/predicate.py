"""A condition on the rows of one table, checked against the catalog: what policy and `filter:` become.

Every node is total: evaluating it on any row gives true, false or null and never an error, so it may stand beside a
policy in one WHERE (see `docs/security.md`). Values are sources, not values: a plan is shared by requests that differ
only in them.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Literal

from db.catalog import PgType
from schema.principal import Attribute

Comparison = Literal["=", "!=", "<", ">", "<=", ">="]
Matching = Literal["like", "ilike"]


@dataclass(frozen=True, slots=True)
class Constant:
    """A value fixed in the plan, already as asyncpg wants it for `type`."""

    value: object
    type: PgType


@dataclass(frozen=True, slots=True)
class Lifted:
    """The literal number `index` of an expression's text, brought to `type` by `coerce` at each request."""

    index: int
    type: PgType
    coerce: Callable[[object], object]
    source: str = "filter"


@dataclass(frozen=True, slots=True)
class PrincipalValue:
    """`$_PRINCIPAL.<attribute>` of whoever calls. `type` is int4 or text, or an array of one of them."""

    attribute: Attribute
    type: PgType


Value = Constant | Lifted | PrincipalValue


@dataclass(frozen=True, slots=True)
class ColumnOf:
    """A column of the table that the predicate is about."""

    name: str
    type: PgType


@dataclass(frozen=True, slots=True)
class Always:
    """True for every row."""


@dataclass(frozen=True, slots=True)
class Never:
    """True for no row."""


@dataclass(frozen=True, slots=True)
class Compare:
    left: ColumnOf | Value
    operator: Comparison
    right: ColumnOf | Value


@dataclass(frozen=True, slots=True)
class IsNull:
    operand: ColumnOf | Value
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Matches:
    """LIKE or ILIKE. The coercion of `pattern` has refused one that ends in a lone escape, which PostgreSQL would."""

    operand: ColumnOf
    pattern: Value
    operator: Matching
    negated: bool = False


@dataclass(frozen=True, slots=True)
class AnyOf:
    """`operand IN [...]` with the items one by one, or with one value that is an array."""

    operand: ColumnOf | Value
    items: tuple[Value, ...] | PrincipalValue
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Not:
    operand: "Predicate"


@dataclass(frozen=True, slots=True)
class And:
    operands: tuple["Predicate", ...]


@dataclass(frozen=True, slots=True)
class Or:
    operands: tuple["Predicate", ...]


@dataclass(frozen=True, slots=True)
class Exists:
    """Some row reached by the relation (to-one or collection) satisfies `where`. Rendering adds the grant of the
    relation's table where `under_grant` is true: a caller's filter sees related rows as the caller may, while a
    rule's filter sees them whole. `via` is the condition on the row of the junction, if the relation has one."""

    relation: str
    where: "Predicate"
    under_grant: bool
    via: "Predicate" = field(default_factory=lambda: ALWAYS)


Predicate = Always | Never | Compare | IsNull | Matches | AnyOf | Not | And | Or | Exists

ALWAYS: Final = Always()
NEVER: Final = Never()


def all_of(*operands: Predicate) -> Predicate:
    """The conjunction, without what adds nothing to it."""
    needed = tuple(operand for operand in operands if operand != ALWAYS)
    if NEVER in needed:
        return NEVER
    return needed[0] if len(needed) == 1 else And(needed) if needed else ALWAYS


def any_of(*operands: Predicate) -> Predicate:
    """The disjunction, without what adds nothing to it."""
    if ALWAYS in operands:
        return ALWAYS
    needed = tuple(dict.fromkeys(operand for operand in operands if operand != NEVER))
    return needed[0] if len(needed) == 1 else Or(needed) if needed else NEVER
