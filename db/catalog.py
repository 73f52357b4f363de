"""What a tenant's database holds, as frozen values. Names are those of the database, untouched."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Literal

RelationKind = Literal["table", "view", "materialized_view", "foreign_table", "partitioned_table"]


@dataclass(frozen=True, slots=True)
class PgType:
    """A PostgreSQL type as a column has it. `base` is the built-in type under a domain; `name` quotes itself when
    needed and can be written behind `::`."""

    name: str
    base: str
    kind: Literal["base", "enum", "domain", "composite", "range", "array"] = "base"
    element: "PgType | None" = None
    labels: tuple[str, ...] = ()


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

    @cached_property
    def by_name(self) -> Mapping[str, Column]:
        return MappingProxyType({column.name: column for column in self.columns})


@dataclass(frozen=True)
class Catalog:
    """Tables and views in the order of their names. `fingerprint` changes when anything here does."""

    tables: tuple[Table, ...]
    fingerprint: str = ""
    version: int = field(default=0)

    @cached_property
    def by_name(self) -> Mapping[TableName, Table]:
        return MappingProxyType({table.name: table for table in self.tables})
