"""Model: a catalog with the names that GraphQL and expressions use for what it holds. Pure values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType
from typing import Literal

from db.catalog import Attribute, Column, Function, Parameter, PgType, Table, TableName
from schema.grants import ColumnView
from schema.spelling import free_name, legal_name


@dataclass(frozen=True, slots=True)
class Junction:
    """The table between two others in a many-to-many relation: `near` columns meet ours, `far` columns the target's."""

    table: TableName
    near: tuple[str, ...]
    far: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Relation:
    """A way from one table to another: rows where `target_columns` of the target equal our `columns`, through
    `junction` if there is one."""

    name: str
    target: TableName
    columns: tuple[str, ...]
    target_columns: tuple[str, ...]
    many: bool
    junction: Junction | None = None


@dataclass(frozen=True, slots=True)
class Sight:
    """A column that looks different from row to row: `name` is that of what is seen of it."""

    name: str
    column: Column
    view: ColumnView


@dataclass(frozen=True, eq=False)
class Sights:
    """What is seen of the columns of a table; its conditions are about rows of `model`, where nothing is hidden."""

    model: "Model"
    columns: tuple[Sight, ...]


@dataclass(frozen=True)
class Entity:
    """A table as callers see it: `columns` and `relations` by their GraphQL names, `name` the name of its type.

    `inputs` are the columns that callers may give values, None for all that can have one. What a caller may not see is
    in none of these; `hidden_relations` are for the filters of rules alone, and `sights` for the SQL.
    """

    name: str
    table: Table
    columns: Mapping[str, Column]
    relations: Mapping[str, Relation]
    computed: "Mapping[str, Routine]" = field(default_factory=dict[str, "Routine"])
    inputs: Mapping[str, Column] | None = None
    hidden_relations: Mapping[str, Relation] = field(default_factory=dict[str, Relation])
    hidden_columns: frozenset[str] = frozenset()
    sights: Sights | None = None
    #: Whether callers may read every column, whichever there are: by what rules say, not by what columns there are.
    is_whole: bool = True

    @property
    def writable(self) -> Mapping[str, Column]:
        """The columns that callers may give values, by their GraphQL names."""
        if self.inputs is not None:
            return self.inputs
        return {name: column for name, column in self.columns.items() if column.is_writable}

    @property
    def has_key(self) -> bool:
        """Whether callers can name a row by its primary key."""
        return frozenset(self.table.primary_key) <= {column.name for column in self.columns.values()}

    def relation(self, name: str) -> Relation:
        """The relation of this name, be it one that callers see or one of a rule's filter."""
        return self.relations[name] if name in self.relations else self.hidden_relations[name]


@dataclass(frozen=True)
class Routine:
    """A function or procedure as callers see it. It gives rows of the table `rows_of`, or of `record` (its OUT
    parameters), or else values. With `computed_on`, its first parameter takes a row of that table, and `arguments` are
    the others by their GraphQL names."""

    name: str
    function: Function
    arguments: Mapping[str, Parameter]
    computed_on: TableName | None = None
    rows_of: TableName | None = None
    record: Entity | None = None

    @property
    def capability(self) -> Literal["select", "update"]:
        """What a rule must grant on it."""
        return "update" if self.function.changes_state else "select"

    @property
    def gives_nothing(self) -> bool:
        return self.function.result.base == "void" or (self.function.is_procedure and self.record is None)


@dataclass(frozen=True)
class Note:
    """Something of the catalog that was renamed or left out, and why."""

    subject: str
    reason: str
    kind: Literal["renamed", "skipped"] = "renamed"


@dataclass(frozen=True)
class Model:
    """All entities, by GraphQL name and by table; `type_names` are those of enums and composite types, by the text
    that stands for them in SQL. `routines` are those that are no computed fields; `taken` are all names
    of types that are given already."""

    entities: Mapping[str, Entity]
    by_table: Mapping[TableName, Entity]
    notes: tuple[Note, ...] = ()
    type_names: Mapping[str, str] = field(default_factory=dict[str, str])
    routines: Mapping[str, Routine] = field(default_factory=dict[str, Routine])
    taken: frozenset[str] = frozenset()

    def type_name(self, kind: PgType) -> str:
        """The GraphQL name of an enum or composite type."""
        return self.type_names.get(kind.name, kind.base)


@lru_cache(maxsize=1024)
def attribute_names(kind: PgType) -> Mapping[str, Attribute]:
    """The attributes of a composite type by their GraphQL names: those of columns."""
    named: dict[str, Attribute] = {}
    for attribute in kind.attributes:
        named[free_name((legal_name(attribute.name),), set(named))] = attribute
    return MappingProxyType(named)
