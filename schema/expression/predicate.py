"""A condition on the rows of one table, checked against the catalog: what policy and `filter:` become.

Most nodes are total: evaluating them on any row gives true, false or null and never an error, so they may stand beside
a policy in one WHERE (see `docs/security.md`). Of what is not, `totality.can_raise` tells. Values are sources, not
values: a plan is shared by requests that differ only in them.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from db.catalog import PgType
from schema.principal import Named

_TEXT: Final = PgType("text", "text")

Comparison = Literal["=", "!=", "<", ">", "<=", ">="]
Matching = Literal["like", "ilike"]
AggregateFunction = Literal["avg", "count", "max", "min", "sum"]
Operator = Literal["+", "-", "*", "/", "%", "^", "&", "|", "#", "<<", ">>"]
FunctionName = Literal[
    "lower",
    "upper",
    "length",
    "abs",
    "round",
    "round_to",
    "coalesce",
    "concat",
    "trim",
    "trim_of",
    "now",
    "current_date",
]
Operation = Operator | FunctionName | Literal["negative", "div"]
"""What is calculated. `/`, `%` and `div` (which cuts off the decimals) give null where the divisor is zero; `<<` and
`>>` shift by the lowest six bits of what they are told."""


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
    coerce: Callable[[object], object] = field(repr=False)
    source: str = "filter"


@dataclass(frozen=True, slots=True)
class PrincipalValue:
    """`$_PRINCIPAL.<attribute>` of whoever calls. `type` is int4 or text, or an array of one of them; that of a claim
    is whatever it stands beside."""

    attribute: Named
    type: PgType
    claim: str = ""


@dataclass(frozen=True, slots=True)
class VariableValue:
    """The operation's variable at `path`, brought to `type` by `coerce` at each request."""

    path: tuple[str | int, ...]
    type: PgType
    coerce: Callable[[object], object] = field(repr=False)


@dataclass(frozen=True, slots=True)
class ComposedValue:
    """A value that the document puts together from variables: `compose` does so at each request, and `coerce` brings
    it to `type`. `written` is its text, by which equal ones are known."""

    written: str
    compose: Callable[[Mapping[str, object]], object] = field(compare=False, repr=False)
    type: PgType
    coerce: Callable[[object], object] = field(repr=False)


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
class Related:
    """A value of the row that a to-one relation leads to, or null. What `under_grant` says and becomes is told at
    Exists."""

    relation: str
    operand: "ColumnOf | Related"
    under_grant: bool
    via: "Predicate" = field(default_factory=lambda: ALWAYS)
    grant: "Predicate" = field(default_factory=lambda: ALWAYS)

    @property
    def type(self) -> PgType:
        return self.operand.type


@dataclass(frozen=True, slots=True)
class Outer:
    """A value of the row from which, `levels` relations ago, Exists or an aggregate has come to the one at hand."""

    levels: int
    operand: "Operand"

    @property
    def type(self) -> PgType:
        return self.operand.type


@dataclass(frozen=True, slots=True)
class Cast:
    operand: "Operand"
    type: PgType


@dataclass(frozen=True, slots=True)
class Calculated:
    """`total` says whether it has a value, or null, for all values of its operands."""

    operation: Operation
    operands: tuple["Operand", ...]
    type: PgType
    total: bool = True


@dataclass(frozen=True, slots=True)
class Way:
    """A relation on the way to the rows of an aggregate, with the grants on its table and its junction."""

    relation: str
    via: "Predicate" = field(default_factory=lambda: ALWAYS)
    grant: "Predicate" = field(default_factory=lambda: ALWAYS)


@dataclass(frozen=True, slots=True)
class Aggregated:
    """A function over the rows that `ways` lead to, or without any over all rows of the same table under `grant`.
    Without an operand the rows are counted. What `under_grant` says and becomes is told at Exists."""

    function: AggregateFunction
    operand: "Operand | None"
    type: PgType
    under_grant: bool
    ways: tuple[Way, ...] = ()
    grant: "Predicate" = field(default_factory=lambda: ALWAYS)
    total: bool = True


@dataclass(frozen=True, slots=True)
class JsonAt:
    """What a jsonb column holds at a path of keys and indexes: jsonb, or with `as_text` its text."""

    column: ColumnOf
    path: Value
    as_text: bool = False

    @property
    def type(self) -> PgType:
        return _TEXT if self.as_text else self.column.type


Operand = ColumnOf | JsonAt | Value | Related | Outer | Cast | Calculated | Aggregated


@dataclass(frozen=True, slots=True)
class Always:
    """True for every row."""


@dataclass(frozen=True, slots=True)
class Never:
    """True for no row."""


@dataclass(frozen=True, slots=True)
class Compare:
    left: Operand
    operator: Comparison
    right: Operand


@dataclass(frozen=True, slots=True)
class IsNull:
    operand: Operand
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Matches:
    """LIKE or ILIKE. A pattern that ends in a lone escape is an error: the coercion of a literal refuses it, and what
    else may be such a pattern is not total."""

    operand: Operand
    pattern: Operand
    operator: Matching
    negated: bool = False


@dataclass(frozen=True, slots=True)
class AnyOf:
    """`operand IN [...]` with the items one by one, or with one value that is an array."""

    operand: Operand
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
    """Some row reached by the relation (to-one or collection) satisfies `where`. Planning replaces `under_grant` by
    the `grant` on the relation's table: a caller's filter sees related rows as the caller may, while a rule's filter
    sees them whole. `via` is the condition on the row of the junction, if the relation has one. The relation is one of
    the row at hand, or of the one `outer` levels before it (see Outer)."""

    relation: str
    where: "Predicate"
    under_grant: bool
    via: "Predicate" = field(default_factory=lambda: ALWAYS)
    grant: "Predicate" = field(default_factory=lambda: ALWAYS)
    outer: int = 0


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
RAISING: Final[frozenset[TestOperator]] = frozenset({"~", "!~", "~*", "!~*"})


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


@dataclass(frozen=True, slots=True)
class Alike:
    """At least `least` rows of the same table satisfy `rows` and have the values of this row in `columns`."""

    columns: tuple[ColumnOf, ...]
    least: int
    rows: "Predicate"


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
    | Alike
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
