"""Model: a catalog with the names that GraphQL and expressions use for what it holds. Pure values."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from db.catalog import Column, Table, TableName


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


@dataclass(frozen=True)
class Entity:
    """A table as callers see it: `columns` and `relations` by their GraphQL names, `name` the name of its type."""

    name: str
    table: Table
    columns: Mapping[str, Column]
    relations: Mapping[str, Relation]


@dataclass(frozen=True)
class Note:
    """Something of the catalog that was renamed or left out, and why."""

    subject: str
    reason: str
    kind: Literal["renamed", "skipped"] = "renamed"


@dataclass(frozen=True)
class Model:
    """All entities, by GraphQL name and by table."""

    entities: Mapping[str, Entity]
    by_table: Mapping[TableName, Entity]
    notes: tuple[Note, ...] = ()
