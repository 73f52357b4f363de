"""The nodes of a plan. No behaviour, no SQL; every node that touches rows carries its grant."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from db.catalog import Column, Parameter, PgType
from schema.expression.predicate import ALWAYS, CursorValue, Predicate, Value
from schema.model import Entity, Relation, Routine
from schema.query.measures import MeasureFunction


@dataclass(frozen=True, slots=True)
class RowKeyValue:
    """Part `index` of the key of the row that the step before has written."""

    index: int
    type: PgType


@dataclass(frozen=True, slots=True)
class WrittenValue:
    """What write number `write` of the same mutation field gives of its first row: column `index` of those that
    Writes.returns has for it."""

    write: int
    index: int
    type: PgType


@dataclass(frozen=True, slots=True)
class ResultPart:
    """Member `index` of what write number `write` gives: the number of its rows, then lists of texts."""

    write: int
    index: int


@dataclass(frozen=True, slots=True)
class VariableColumn:
    """The member `member` of each object in the list at `path`, each brought to `type` by `coerce`."""

    path: tuple[str | int, ...]
    member: str
    type: PgType
    coerce: Callable[[object], object] = field(repr=False)


Argument = Value | RowKeyValue | WrittenValue


@dataclass(frozen=True, slots=True)
class ColumnOutput:
    key: str
    column: Column
    as_id: bool


@dataclass(frozen=True, slots=True)
class AttributeOutput:
    """An attribute of a composite value, and what is selected of it if it is composite too."""

    key: str
    name: str
    type: PgType
    attributes: "tuple[AttributeOutput | TypenameOutput, ...]" = ()


@dataclass(frozen=True, slots=True)
class CompositeOutput:
    """What is selected of a column whose values are composite, or arrays of those."""

    key: str
    column: Column
    attributes: "tuple[AttributeOutput | TypenameOutput, ...]"


@dataclass(frozen=True, slots=True)
class TypenameOutput:
    key: str
    type_name: str


@dataclass(frozen=True, slots=True)
class ReadOutput:
    key: str
    read: "Read"


@dataclass(frozen=True, slots=True)
class Call:
    """A call that the policy allows, with what is given for its parameters. `row_of` is the entity of which a row is
    its first argument, for a computed field."""

    routine: Routine
    arguments: tuple[tuple[Parameter, Argument], ...]
    row_of: Entity | None = None


@dataclass(frozen=True, slots=True)
class KeptRows:
    """The rows of `entity` that the step before has kept, as one value."""

    entity: Entity


@dataclass(frozen=True, slots=True)
class CallValue:
    """What a call gives when that is no rows: a value, a list of values, or `true` where it gives nothing."""

    call: Call
    attributes: tuple[AttributeOutput | TypenameOutput, ...] = ()


@dataclass(frozen=True, slots=True)
class CallOutput:
    """A computed field that is no rows."""

    key: str
    value: CallValue


Output = ColumnOutput | CompositeOutput | TypenameOutput | ReadOutput | CallOutput


@dataclass(frozen=True, slots=True)
class Hop:
    """The way over a relation to rows of `target`, seen under its grant; `via` is the grant on the junction."""

    relation: Relation
    target: Entity
    grant: Predicate
    via: Predicate


AggregateFunction = Literal["avg", "count", "max", "min", "sum"]


@dataclass(frozen=True, slots=True)
class Order:
    """By a column of the table, or by one reached over `path`; with `function`, by what it makes of the rows at the end
    of the path that satisfy `where`, which holds their grant. Nulls count as the greatest unless `nulls_first` says
    where they stand."""

    path: tuple[Hop, ...]
    column: Column
    descending: bool
    nulls_first: bool | None = None
    function: AggregateFunction | None = None
    where: Predicate = ALWAYS
    counts_rows: bool = False


@dataclass(frozen=True, slots=True)
class Bound:
    """The row where a page begins or ends: its value for each order, None where that is null."""

    values: tuple[CursorValue | None, ...]


@dataclass(frozen=True, slots=True)
class Keyset:
    """A page by keys. Its read's order is total, `context` is what its cursors are for; `backward` counts the limit
    from the end."""

    context: str
    after: Bound | None = None
    before: Bound | None = None
    backward: bool = False


@dataclass(frozen=True, slots=True)
class Read:
    """Rows of one table: those that grant and filter let through, then ordered, then cut.

    `relation` leads here from the parent's row, over junction rows that satisfy `via`; a to-one read gives an object
    or null. `key` picks a row by its key. Of rows that are equal in `distinct_on` the first in order is taken.
    With `call` they are the rows that a function gives. More than `max_rows` stop the operation."""

    entity: Entity
    grant: Predicate
    outputs: tuple[Output, ...]
    relation: Relation | None = None
    via: Predicate | None = None
    filter: Predicate | None = None
    key: tuple[tuple[Column, Argument], ...] = ()
    order: tuple[Order, ...] = ()
    limit: Argument | None = None
    offset: Argument | None = None
    many: bool = True
    distinct_on: tuple[Column, ...] = ()
    keyset: Keyset | None = None
    call: "Call | KeptRows | None" = None
    max_rows: int | None = None


@dataclass(frozen=True, slots=True)
class Insert:
    """A new row, which as stored must satisfy `check`. On a conflict over `conflict_columns`: fail, ignore, or update
    of all that is not in `kept_columns`; the row must satisfy `update_check` before and after."""

    entity: Entity
    values: tuple[tuple[Column, Argument], ...]
    check: Predicate
    result: Read
    on_conflict: Literal["fail", "update", "ignore"] = "fail"
    conflict_columns: tuple[str, ...] = ()
    update_check: Predicate | None = None
    kept_columns: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Update:
    """A change of the row with this key: `grant` binds it as it stands, and `check` as it is stored."""

    entity: Entity
    key: tuple[tuple[Column, Argument], ...]
    values: tuple[tuple[Column, Argument], ...]
    grant: Predicate
    check: Predicate
    result: Read


@dataclass(frozen=True, slots=True)
class Delete:
    """The end of the row with this key, which `result` reads before."""

    entity: Entity
    key: tuple[tuple[Column, Argument], ...]
    grant: Predicate
    result: Read


@dataclass(frozen=True, slots=True)
class Fixed:
    """A JSON text that needs no database: `__typename` at the root, and introspection."""

    json: str


@dataclass(frozen=True, slots=True)
class FlatColumn:
    """A column of the flattened rows under an aggregate: by its name there, reached over to-one relations."""

    name: str
    path: tuple[Hop, ...]
    column: Column


@dataclass(frozen=True, slots=True)
class Aggregate:
    """A function over the first column, a row per combination of the others. `page` chooses the rows, by the order and
    page of the subquery; `having` and the order of `read` name columns of the result: the function, and the group
    columns."""

    function: AggregateFunction
    read: Read
    page: Read
    columns: tuple[FlatColumn, ...]
    distinct_on: tuple[str, ...]
    result: Entity
    having: Predicate


@dataclass(frozen=True, slots=True)
class Measure:
    """A function over those rows in which no column of `present` is null. `count` counts the different values of its
    columns, or without any the rows."""

    function: MeasureFunction
    columns: tuple[Column, ...]
    type: PgType
    present: tuple[Column, ...] = ()


Bucket = Literal["year", "quarter", "month", "week", "day", "hour", "minute", "second"]


@dataclass(frozen=True, slots=True)
class Grouping:
    """What rows of a group have in common: a column reached over to-one relations, or the `bucket` that it lies in."""

    path: tuple[Hop, ...]
    column: Column
    bucket: Bucket | None
    as_id: bool


@dataclass(frozen=True, slots=True)
class MeasureOutput:
    key: str
    measure: Measure


@dataclass(frozen=True, slots=True)
class GroupingOutput:
    """The value of the grouping of this index."""

    key: str
    grouping: int


@dataclass(frozen=True, slots=True)
class ObjectOutput:
    """An object in the response that is none in the database: `sum`, or the key of a group."""

    key: str
    outputs: "tuple[SummaryOutput, ...]"


PageMember = Literal["has_next_page", "has_previous_page", "start_cursor", "end_cursor"]


@dataclass(frozen=True, slots=True)
class PageOutput:
    key: str
    member: PageMember


@dataclass(frozen=True, slots=True)
class GroupsOutput:
    key: str
    groups: "Groups"


SummaryOutput = MeasureOutput | GroupingOutput | ObjectOutput | PageOutput | GroupsOutput | ReadOutput | TypenameOutput


@dataclass(frozen=True, slots=True)
class GroupOrder:
    """By a measure, or by the value of the grouping of this index."""

    by: Measure | int
    descending: bool
    nulls_first: bool | None = None


@dataclass(frozen=True, slots=True)
class Groups:
    """The rows of a summary in groups. `zone` is the time zone of buckets. Of the groups those that satisfy `having`,
    which knows the measures of `tested` as columns h0, h1 …, then ordered, then cut. More than `max_rows` stop the
    operation."""

    groupings: tuple[Grouping, ...]
    outputs: tuple[SummaryOutput, ...]
    zone: Argument | None = None
    tested: tuple[Measure, ...] = ()
    having: Predicate = ALWAYS
    order: tuple[GroupOrder, ...] = ()
    limit: Argument | None = None
    offset: Argument | None = None
    max_rows: int | None = None


@dataclass(frozen=True, slots=True)
class Summary:
    """What is asked about a set of rows. Measures and groups are of all the rows that `rows` chooses, whatever its
    order and page; each read among the outputs is of the page, and what is told of the page is of `page`."""

    rows: Read
    outputs: tuple[SummaryOutput, ...]
    page: Read


@dataclass(frozen=True, slots=True)
class Aggregates:
    """The object that holds aggregates and summaries under their response keys."""

    outputs: "tuple[tuple[str, Aggregate | Summary | Fixed], ...]"


@dataclass(frozen=True, slots=True)
class Functions:
    """The object that holds what functions give under their response keys."""

    outputs: tuple[tuple[str, Read | CallValue | Fixed], ...]


@dataclass(frozen=True, slots=True)
class CallMutation:
    """The call of what may change things."""

    result: Read | CallValue


ChangeOperator = Literal["set", "inc", "append", "prepend", "remove", "concat", "set_path", "delete_path"]


@dataclass(frozen=True, slots=True)
class Change:
    """What an update makes of a column: of its value as it stands, for all operators but `set`."""

    column: Column
    operator: ChangeOperator
    values: tuple[Argument, ...]


@dataclass(frozen=True, slots=True)
class Conflict:
    """What becomes of a row whose `columns` another has: nothing, or an update of `updated` in the other, if `grant`
    lets it be changed; as stored it must satisfy `check`."""

    action: Literal["ignore", "update"]
    columns: tuple[str, ...]
    updated: tuple[Column, ...] = ()
    grant: Predicate = ALWAYS
    check: Predicate = ALWAYS


@dataclass(frozen=True, slots=True)
class InsertRows:
    """New rows, which as stored must satisfy `check`. `rows` are their values in the order of `columns`, None for the
    column's default; or there is a VariableColumn for each column. `preset` are values that all of them have."""

    entity: Entity
    columns: tuple[Column, ...]
    rows: tuple[tuple[Argument | None, ...], ...] | tuple[VariableColumn, ...]
    check: Predicate
    conflict: Conflict | None = None
    preset: tuple[tuple[Column, Argument], ...] = ()


@dataclass(frozen=True, slots=True)
class Chosen:
    """The rows that a change is about: of those that `grant` lets be changed, and `seen` lets be looked at if that is
    needed, the ones with this key, or whose parent is the row with these values, or that the filter lets through.

    With `expected` and `version` they must still be as these say. `at_least_one` refuses when there is none."""

    grant: Predicate
    key: tuple[tuple[Column, Argument], ...] = ()
    seen: Predicate | None = None
    filter: Predicate | None = None
    expected: tuple[tuple[Column, Argument], ...] = ()
    version: Argument | None = None
    but: "tuple[tuple[tuple[Column, Argument], ...], ...]" = ()
    max_affected: Argument | None = None
    at_least_one: bool = False


@dataclass(frozen=True, slots=True)
class UpdateRows:
    """A change of rows, which as stored must satisfy `check`."""

    entity: Entity
    chosen: Chosen
    changes: tuple[Change, ...]
    check: Predicate


@dataclass(frozen=True, slots=True)
class DeleteRows:
    entity: Entity
    chosen: Chosen


@dataclass(frozen=True, slots=True)
class FindRow:
    """A row that others are to refer to; it must be one that the caller may see."""

    entity: Entity
    chosen: Chosen


Write = InsertRows | UpdateRows | DeleteRows | FindRow


@dataclass(frozen=True, slots=True)
class WriteOutput:
    """A field of what a mutation of rows gives: `read` belongs to `returning`."""

    key: str
    field: Literal["affected_rows", "returning", "versions", "__typename"]
    read: Read | None = None


@dataclass(frozen=True, slots=True)
class Writes:
    """Writes in their order, as one mutation field. The answer is about the rows of the writes numbered `roots`: the
    row itself, or an object of `outputs`. `returns` are, for each write, the columns that others need of it."""

    entity: Entity
    capability: Literal["insert", "update", "delete"]
    writes: tuple[Write, ...]
    roots: tuple[int, ...]
    returns: tuple[tuple[str, ...], ...]
    result: Read | None = None
    outputs: tuple[WriteOutput, ...] = ()
    type_name: str = ""


RootNode = Read | Aggregates | Functions | Insert | Update | Delete | Writes | CallMutation | Fixed


@dataclass(frozen=True, slots=True)
class RootOutput:
    key: str
    node: RootNode


@dataclass(frozen=True, slots=True)
class Plan:
    operation: Literal["query", "mutation"]
    outputs: tuple[RootOutput, ...]
