"""TableView: a table as one view has it, and the documents by which facades ask for its rows. Pure.

A document holds names of the model alone; every value travels in a variable.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import cast

from graphql import GraphQLObjectType, get_named_type, is_leaf_type

from db.catalog import Column
from schema.errors import AccessDenied
from schema.model import Entity
from schema.names import condition_members
from schema.policy import AGGREGATE
from schema.query.building.schema import RootOperation
from schema.query.compiler import RoleView

Where = Mapping[str, object]


@dataclass(frozen=True)
class TableView:
    """A table that a view shows: `columns` are those that stand in answers as single values, `key` the only column of
    its primary key, and `roots` its root fields by what they do."""

    view: RoleView
    entity: Entity
    columns: Mapping[str, Column]
    key: str | None
    roots: Mapping[RootOperation, str]

    @property
    def name(self) -> str:
        return self.entity.name

    def related(self, name: str) -> "TableView | None":
        """The table that a relation leads to, where the view shows it."""
        relation = self.entity.relations.get(name)
        target = None if relation is None else self.view.schema.model.by_table.get(relation.target)
        object_type = self.view.schema.graphql.get_type(self.name)
        is_shown = isinstance(object_type, GraphQLObjectType) and name in object_type.fields
        return find_table(self.view, target.name) if target is not None and is_shown else None


@dataclass(frozen=True, slots=True)
class Picked:
    """What is selected of a row: columns, and rows beside it."""

    table: TableView
    columns: tuple[str, ...]
    related: Mapping[str, "Picked"] = field(default_factory=dict[str, "Picked"])
    #: A column that is asked for beside those, for what it tells.
    beside: str | None = None

    def text(self) -> str:
        """The selection, as GraphQL writes it; `$related` is how many rows of each collection at most."""
        names = dict.fromkeys(self.columns)
        for name in (self.table.key, self.beside):
            if name is not None and name in self.table.columns:
                names.setdefault(name)
        parts = list(names) or ["__typename"]
        for name, picked in self.related.items():
            many = self.table.entity.relations[name].many
            parts.append(f"{name}{'(limit:$related)' if many else ''}{picked.text()}")
        return "{" + " ".join(parts) + "}"

    @property
    def has_collections(self) -> bool:
        """Whether `$related` stands somewhere in the text."""
        return any(
            self.table.entity.relations[name].many or picked.has_collections for name, picked in self.related.items()
        )


@dataclass(frozen=True, slots=True)
class Document:
    """An operation whose answer stands under `rows` or `row`, and its variables."""

    text: str
    variables: Mapping[str, object]


def find_table(view: RoleView, name: str) -> TableView | None:
    """The table of this name that the view shows: exactly, or in another case where only one is meant."""
    entities = view.schema.model.entities
    entity = entities.get(name)
    if entity is None or not _is_shown(view, entity):
        alike = [each for each in entities.values() if each.name.lower() == name.lower() and _is_shown(view, each)]
        if len(alike) != 1:
            return None
        entity = alike[0]
    object_type = view.schema.graphql.get_type(entity.name)
    assert isinstance(object_type, GraphQLObjectType)
    columns = {
        column_name: column
        for column_name, column in entity.columns.items()
        if column_name in object_type.fields and is_leaf_type(get_named_type(object_type.fields[column_name].type))
    }
    roots: dict[RootOperation, str] = {
        root.operation: root_name for root_name, root in view.schema.fields.items() if root.entity is entity
    }
    return TableView(view, entity, MappingProxyType(columns), only_key(entity), MappingProxyType(roots))


def only_key(entity: Entity) -> str | None:
    """The column that names a row by itself."""
    if len(entity.table.primary_key) != 1:
        return None
    return next((name for name, column in entity.columns.items() if column.name == entity.table.primary_key[0]), None)


def list_document(
    picked: Picked,
    *,
    filter_text: str = "",
    where: Where | None = None,
    ordering: tuple[str, ...] = (),
    limit: int,
    offset: int = 0,
    related: int = 0,
) -> Document:
    """Rows under `rows`."""
    declared = f"$filter:String,$where:{_where_type(picked.table)},$ordering:[String],$limit:Int,$offset:Int"
    given = "filter:$filter,where:$where,ordering:$ordering,limit:$limit,offset:$offset"
    variables: dict[str, object] = {
        "filter": filter_text,
        "where": where or {},
        "ordering": list(ordering),
        "limit": limit,
        "offset": offset,
    }
    text = f"query({declared}{_related(picked)}){{rows:{picked.table.name}({given}){picked.text()}}}"
    return Document(text, _with_related(picked, variables, related))


def row_document(picked: Picked, key: object, *, related: int = 0) -> Document:
    """The row of this key under `rows`, a list of one or of none."""
    entity = picked.table.entity
    where = _where_type(picked.table)
    member = next(name for name, column in condition_members(entity).items() if column is entity.columns[_key(picked)])
    text = f"query($where:{where}{_related(picked)}){{rows:{picked.table.name}(where:$where,limit:1){picked.text()}}}"
    return Document(text, _with_related(picked, {"where": {member: {"_eq": key}}}, related))


def count_document(table: TableView, *, filter_text: str = "", where: Where | None = None) -> Document:
    """How many rows there are, under `Aggregates`, `rows`, `count`. Raises AccessDenied where it may not be told."""
    target = table.entity.table.name
    aggregates = table.view.schema.aggregates
    name = next((field for field, view in aggregates.items() if view.whole.table.name == target), None)
    if name is None:
        raise AccessDenied(AGGREGATE, str(target))
    asked = f"Aggregates{{rows:{name}(filter:$filter,where:$where){{count}}}}"
    text = f"query($filter:String,$where:{_where_type(table)}){{{asked}}}"
    return Document(text, {"filter": filter_text, "where": where or {}})


def count_in(data: Mapping[str, object]) -> object:
    """The count in the answer to such a document."""
    aggregates = cast("dict[str, dict[str, object]]", data["Aggregates"])
    return aggregates["rows"]["count"]


def insert_document(picked: Picked, values: Mapping[str, object], *, upsert: bool = False) -> Document:
    """The row that was stored, under `row`."""
    table = picked.table
    conflict = ",onconflict:update" if upsert else ""
    field_text = f"{table.roots['insert']}(input:$input{conflict})"
    text = f"mutation($input:{_input_type(table)}){{row:{field_text}{picked.text()}}}"
    return Document(text, {"input": dict(values)})


def update_document(picked: Picked, key: object, values: Mapping[str, object]) -> Document:
    """The row as it then stands, under `row`."""
    table, name = picked.table, _key(picked)
    field_text = f"{table.roots['update']}(input:$input,{name}:$key)"
    text = f"mutation($input:{_input_type(table)},$key:ID!){{row:{field_text}{picked.text()}}}"
    return Document(text, {"input": dict(values), "key": key})


def delete_document(picked: Picked, key: object) -> Document:
    """The row as it was, under `row`."""
    field_text = f"{picked.table.roots['delete']}({_key(picked)}:$key)"
    return Document(f"mutation($key:ID!){{row:{field_text}{picked.text()}}}", {"key": key})


def whole(table: TableView) -> Picked:
    """All columns of a row that can be shown, and no rows beside it."""
    return Picked(table, tuple(table.columns))


def _is_shown(view: RoleView, entity: Entity) -> bool:
    return isinstance(view.schema.graphql.get_type(entity.name), GraphQLObjectType)


def _key(picked: Picked) -> str:
    assert picked.table.key is not None
    return picked.table.key


def _related(picked: Picked) -> str:
    return ",$related:Int" if picked.has_collections else ""


def _with_related(picked: Picked, variables: dict[str, object], related: int) -> dict[str, object]:
    return variables | {"related": related} if picked.has_collections else variables


def _where_type(table: TableView) -> str:
    query = table.view.schema.graphql.query_type
    assert query is not None
    return str(query.fields[table.name].args["where"].type)


def _input_type(table: TableView) -> str:
    mutation = table.view.schema.graphql.mutation_type
    assert mutation is not None
    name = table.roots["insert"] if "insert" in table.roots else table.roots["update"]
    return str(mutation.fields[name].args["input"].type)
