"""What a tenant's database holds, as frozen values. Names are those of the database, untouched."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Literal

RelationKind = Literal["table", "view", "materialized_view", "foreign_table", "partitioned_table"]


@dataclass(frozen=True, slots=True)
class PgType:
    """A PostgreSQL type as a column has it. A domain is the type under it; `name` quotes itself when needed and can be
    written behind `::`; `base` is its bare name. `row_of` is the table whose rows a composite type describes."""

    name: str
    base: str
    kind: Literal["base", "enum", "domain", "composite", "range", "array", "pseudo"] = "base"
    element: "PgType | None" = None
    labels: tuple[str, ...] = ()
    schema: str = "pg_catalog"
    attributes: "tuple[Attribute, ...]" = ()
    row_of: "TableName | None" = None
    comment: str | None = None


@dataclass(frozen=True, slots=True)
class Attribute:
    """A field of a composite type."""

    name: str
    type: PgType


@dataclass(frozen=True, slots=True)
class Column:
    name: str
    type: PgType
    not_null: bool = False
    has_default: bool = False
    is_generated: bool = False
    is_identity: Literal["", "always", "by default"] = ""
    comment: str | None = None
    #: Of a text, unless it is that of the database; and whether by it only equal texts are equal.
    collation: str = ""
    is_deterministic: bool = True

    @property
    def is_writable(self) -> bool:
        return not self.is_generated and self.is_identity != "always"


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """A constraint: `columns` of the table that owns it point at `target_columns` of `target`."""

    name: str
    columns: tuple[str, ...]
    target: "TableName"
    target_columns: tuple[str, ...]


@dataclass(frozen=True, slots=True, order=True)
class TableName:
    schema: str
    name: str

    def __str__(self) -> str:
        return self.name if self.schema == "public" else f"{self.schema}.{self.name}"


@dataclass(frozen=True, slots=True, order=True)
class FunctionName(TableName):
    """The name of a function; equal to no table's, even one that is called the same."""


@dataclass(frozen=True)
class Table:
    name: TableName
    columns: tuple[Column, ...]
    primary_key: tuple[str, ...] = ()
    unique_keys: tuple[tuple[str, ...], ...] = ()
    foreign_keys: tuple[ForeignKey, ...] = ()
    kind: RelationKind = "table"
    comment: str | None = None
    is_insertable: bool = True
    is_updatable: bool = True
    #: Whether triggers or rules of the database's owner run before a change of a row, or after one, or in its place.
    has_early_triggers: bool = False
    has_late_triggers: bool = False
    #: The columns of each constraint and unique index by its name.
    constraints: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])

    @cached_property
    def by_name(self) -> Mapping[str, Column]:
        return MappingProxyType({column.name: column for column in self.columns})


@dataclass(frozen=True, slots=True)
class Parameter:
    """What a function is given; `name` is empty where it has none."""

    name: str
    type: PgType
    has_default: bool = False
    is_variadic: bool = False


@dataclass(frozen=True)
class Function:
    """A function or procedure that the gateway's database user may call. `outputs` are its OUT parameters and the
    columns of `returns table`; then `result` is a pseudo-type. A procedure without outputs, and what returns `void`,
    gives nothing."""

    name: FunctionName
    parameters: tuple[Parameter, ...]
    result: PgType
    outputs: tuple[Attribute, ...] = ()
    returns_set: bool = False
    volatility: Literal["immutable", "stable", "volatile"] = "volatile"
    is_strict: bool = False
    is_procedure: bool = False
    comment: str | None = None

    @property
    def changes_state(self) -> bool:
        return self.is_procedure or self.volatility == "volatile"


@dataclass(frozen=True)
class Catalog:
    """Tables and views, and functions, in the order of their names. `fingerprint` changes when anything here does."""

    tables: tuple[Table, ...]
    fingerprint: str = ""
    functions: tuple[Function, ...] = ()

    @cached_property
    def by_name(self) -> Mapping[TableName, Table]:
        return MappingProxyType({table.name: table for table in self.tables})
