"""A condition on the rows of one table, checked against the catalog: what policy and `filter:` become.

A node is total unless `can_raise` says otherwise: evaluating it on any row gives true, false or null and never an
error, so it may stand beside a policy in one WHERE (see `docs/security.md`). What can raise stands behind it: `fence`.
Values are sources, not values: a plan is shared by requests that differ only in them.
"""

from collections.abc import Callable, Mapping
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


@dataclass(frozen=True, slots=True)
class VariableValue:
    """The operation's variable at `path`, brought to `type` by `coerce` at each request."""

    path: tuple[str | int, ...]
    type: PgType
    coerce: Callable[[object], object]


@dataclass(frozen=True, slots=True)
class ComposedValue:
    """A value that the document puts together from variables: `compose` does so at each request, and `coerce` brings
    it to `type`. `written` is its text, by which equal ones are known."""

    written: str
    compose: Callable[[Mapping[str, object]], object] = field(compare=False)
    type: PgType
    coerce: Callable[[object], object]


@dataclass(frozen=True, slots=True)
class CursorValue:
    """Part `index` of the cursor that `cursor` gives, which must be one for `context`."""

    cursor: "Constant | VariableValue"
    context: str
    index: int
    type: PgType


Value = Constant | Lifted | PrincipalValue | VariableValue | ComposedValue | CursorValue


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

    operand: "ColumnOf | JsonAt"
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


@dataclass(frozen=True, slots=True)
class JsonAt:
    """What a jsonb column holds at a path of keys and indexes: jsonb, or with `as_text` its text."""

    column: ColumnOf
    path: Value
    as_text: bool = False


@dataclass(frozen=True, slots=True)
class RowCount:
    """How many rows the collection leads to that satisfy `where`, over junction rows that satisfy `via`."""

    relation: str
    where: "Predicate"
    via: "Predicate" = field(default_factory=lambda: ALWAYS)


TestOperator = Literal[
    "= any", "<> all", "is null", "json is null", "@>", "<@", "&&", "-|-", "<<", ">>", "?", "?|", "?&",
    "~", "!~", "~*", "!~*", "json =", "json <>", "json <", "json <=", "json >", "json >=",
]  # fmt: skip
#: These fail on a pattern that is none, or that is too costly on some text.
_RAISING: Final[frozenset[TestOperator]] = frozenset({"~", "!~", "~*", "!~*"})


@dataclass(frozen=True, slots=True)
class Applied:
    """An operand beside a value, by an operator that `Compare` has not."""

    operand: ColumnOf | JsonAt | RowCount
    operator: TestOperator
    value: Value


@dataclass(frozen=True, slots=True)
class Counted:
    """A comparison of how many related rows there are."""

    operand: RowCount
    operator: Comparison
    value: Value


SearchMode = Literal["web", "plain", "phrase", "raw"]


@dataclass(frozen=True, slots=True)
class Search:
    """A full-text search in a tsvector or a text. Without `config` it is the database's own."""

    operand: ColumnOf
    query: Value
    mode: SearchMode
    config: str | None = None


@dataclass(frozen=True, slots=True)
class NotTrue:
    """True where the operand is false or unknown."""

    operand: "Predicate"


@dataclass(frozen=True, slots=True)
class Fenced:
    """`condition`, evaluated on no row but those that satisfy `guard`."""

    guard: "Predicate"
    condition: "Predicate"


Predicate = (
    Always
    | Never
    | Compare
    | IsNull
    | Matches
    | AnyOf
    | Not
    | And
    | Or
    | Exists
    | Applied
    | Counted
    | Search
    | NotTrue
    | Fenced
)

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


def can_raise(predicate: Predicate) -> bool:
    """Whether evaluating the predicate can fail on a row, and so tell that the row is there."""
    match predicate:
        case Applied(operand, operator, value):
            # A range is cast from its text, which may be none.
            return (
                operator in _RAISING
                or value.type.kind in {"range", "composite"}
                or (isinstance(operand, RowCount) and can_raise(operand.where))
            )
        case Counted(operand):
            return can_raise(operand.where)
        case Search(operand, _, mode):
            # A text may be too long for a tsvector.
            return mode == "raw" or operand.type.base != "tsvector"
        case Not(operand) | NotTrue(operand):
            return can_raise(operand)
        case And(operands) | Or(operands):
            return any(can_raise(operand) for operand in operands)
        case Exists(_, where):
            return can_raise(where)
        case Fenced(_, condition):
            return can_raise(condition)
        case _:
            return False


def fence(guard: Predicate, condition: Predicate) -> Predicate:
    """Both, such that what can raise is evaluated on no row that the guard hides; the rest stays beside the guard,
    where indexes serve both."""
    parts = condition.operands if isinstance(condition, And) else (condition,)
    guarded = all_of(guard, *(part for part in parts if not can_raise(part)))
    risky = all_of(*(part for part in parts if can_raise(part)))
    if risky == ALWAYS or guarded == NEVER:
        return guarded
    return risky if guarded == ALWAYS else all_of(guarded, Fenced(guarded, risky))
