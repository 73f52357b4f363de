"""Model: a catalog with the names that GraphQL and expressions use for what it holds. Pure values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType
from typing import Literal

from db.catalog import Attribute, Column, PgType, Table, TableName
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
    """All entities, by GraphQL name and by table; `type_names` are those of enums and composite types, by the text
    that stands for them in SQL."""

    entities: Mapping[str, Entity]
    by_table: Mapping[TableName, Entity]
    notes: tuple[Note, ...] = ()
    type_names: Mapping[str, str] = field(default_factory=dict[str, str])

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
