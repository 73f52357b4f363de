"""write_fields: the mutations beside those of the contract, for many rows and for rows along relations.

Their names follow those of the contract's, and never take one from a table: `update_films_where` is a table's if there
is a table `films_where`, and then the mutation of `films` gets a number.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, cast

from graphql import (
    GraphQLArgument,
    GraphQLField,
    GraphQLID,
    GraphQLInputField,
    GraphQLInputObjectType,
    GraphQLInt,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLScalarType,
    GraphQLString,
)

from db.catalog import Column
from schema.comments import comment_of
from schema.model import Entity, Model
from schema.names import derived_type_name
from schema.query.building.arguments import list_arguments
from schema.query.building.conditions import RowArguments
from schema.query.building.scalars import GenericScalar
from schema.query.building.types import ValueTypes

RowOperation = Literal["select", "insert", "update", "delete"]
WriteOperation = Literal[
    "insert_rows", "upsert_rows", "update_where", "delete_where", "update_many", "update_by_key", "delete_by_key"
]

#: Which of its rows a mutation changes at most, unless it says otherwise.
MAX_AFFECTED: Final = 100
#: Lists of objects of a type with this extension are rows: requests that differ only in their number share a plan,
#: if no columns are given but those that the extension names.
ROWS: Final = "rows"

_NUMBERS: Final = frozenset({"int2", "int4", "int8", "float4", "float8", "numeric", "money"})
_JSON: Final = frozenset({"json", "jsonb"})


COLUMN_NAME: Final = GraphQLScalarType("ColumnName", description="The name of a column of the table at hand.")
_PLACE: Final = {
    "column": GraphQLInputField(GraphQLNonNull(COLUMN_NAME)),
    "path": GraphQLInputField(
        GraphQLNonNull(GraphQLList(GraphQLNonNull(GraphQLString))), description="Keys, and numbers from 0 in arrays."
    ),
}
PATH: Final = GraphQLInputObjectType("JsonPath", _PLACE, description="A place within a JSON column.")
PATH_VALUE: Final = GraphQLInputObjectType(
    "JsonPathValue", {**_PLACE, "value": GraphQLInputField(GenericScalar)}, description="A JSON value and its place."
)


@dataclass
class WriteTypes:
    """The types of these mutations, each made when it is first needed."""

    model: Model
    may: Callable[[Entity, RowOperation], bool]
    object_type: Callable[[Entity], GraphQLObjectType]
    row_input: Callable[[Entity], GraphQLInputObjectType]
    rows: RowArguments
    values: ValueTypes
    made: dict[str, GraphQLInputObjectType] = field(default_factory=dict[str, GraphQLInputObjectType])

    def name(self, entity: Entity, suffix: str) -> str:
        """The name of a type of the entity, which no table has."""
        return derived_type_name(self.model, entity, suffix)

    def input(
        self, entity: Entity, suffix: str, fields: Callable[[], Mapping[str, GraphQLInputField]], *, rows: bool = False
    ) -> GraphQLInputObjectType:
        name = self.name(entity, suffix)
        if name not in self.made:
            extensions = {ROWS: plain_columns(entity)} if rows else {}
            self.made[name] = GraphQLInputObjectType(name, lambda: dict(fields()), extensions=extensions)
        return self.made[name]

    def key(self, entity: Entity) -> GraphQLInputObjectType:
        def fields() -> dict[str, GraphQLInputField]:
            return {
                name: GraphQLInputField(GraphQLNonNull(GraphQLID))
                for name, column in entity.columns.items()
                if column.name in entity.table.primary_key
            }

        return self.input(entity, "_rowkey", fields)

    def insert(self, entity: Entity) -> GraphQLInputObjectType:
        """A new row: its columns, and what is to be done along its relations."""
        return self.input(
            entity,
            "_insert",
            lambda: {**self._columns(entity), **self.relations(entity)},
            rows=True,
        )

    def choosing(self, entity: Entity) -> dict[str, GraphQLArgument]:
        """The arguments that choose rows: conditions, which are for those who may look into rows."""
        # Columns that look otherwise than they are can be found again only by a key.
        if not self.may(entity, "select") or (entity.sights is not None and not entity.table.primary_key):
            return {}
        return {
            "filter": list_arguments()["filter"],
            "where": GraphQLArgument(self.rows.where(entity), description="A condition that the rows satisfy."),
        }

    def changes(self, entity: Entity) -> dict[str, GraphQLInputField]:
        """What an update can do to a row. What works on values that stand is for columns that the role sees."""
        row = self.row_input(entity)
        found = {"set": GraphQLInputField(row, description="Values in place of those that stand.")}
        columns = list(seen_columns(entity).values()) if self.may(entity, "select") else []
        if any(map(is_number, columns)):
            found["inc"] = GraphQLInputField(row, description="Numbers to add.")
        if any(map(is_list, columns)):
            found |= {
                "append": GraphQLInputField(row, description="Items to add behind those that stand."),
                "prepend": GraphQLInputField(row, description="Items to add before those that stand."),
                "remove": GraphQLInputField(row, description="Items to take out, wherever they stand."),
            }
        if any(map(is_json, columns)):
            found |= {
                "concat": GraphQLInputField(row, description="JSON to put together with what stands, as || does."),
                "set_path": GraphQLInputField(_list_of(PATH_VALUE), description="JSON values at places."),
                "delete_path": GraphQLInputField(_list_of(PATH), description="Places to be emptied."),
            }
        return found

    def matches(self, entity: Entity) -> dict[str, GraphQLInputField]:
        """What a row must still be for a mutation by its key to happen."""
        if not self.may(entity, "select"):
            return {}
        found: dict[str, GraphQLInputField] = {}
        if entity.writable:
            row = self.row_input(entity)
            found["if_match"] = GraphQLInputField(row, description="Values that the row must still have.")
        if has_versions(entity):
            version = GraphQLInputField(GraphQLString, description="The version that the row must still have.")
            found["if_version"] = version
        return found

    def update(self, entity: Entity) -> GraphQLInputObjectType:
        """A change of one row: by its key, or of the row that a to-one relation leads to."""
        return self.input(
            entity,
            "_update",
            lambda: {
                "key": GraphQLInputField(self.key(entity), description="Which row, where that is not clear already."),
                **self.changes(entity),
                **self.matches(entity),
                **self.along(entity),
            },
        )

    def along(self, entity: Entity) -> dict[str, GraphQLInputField]:
        """The argument for what is to be done along relations, where there are any."""
        if not self.relations(entity):
            return {}
        kind = self.input(entity, "_relations", lambda: self.relations(entity))
        return {"relations": GraphQLInputField(kind, description="What to do along relations.")}

    def relations(self, entity: Entity) -> dict[str, GraphQLInputField]:
        """What can be done along the relations of a row: to-one, to-many and over junctions."""
        found: dict[str, GraphQLInputField] = {}
        for name, relation in entity.relations.items():
            target = self.model.by_table[relation.target]
            if not (target.table.primary_key and target.has_key and self.may(target, "select")):
                continue
            junction = relation.junction and self.model.by_table.get(relation.junction.table)
            if relation.junction is not None and (junction is None or not self.may(junction, "insert")):
                continue
            found[name] = GraphQLInputField(self._links(target) if relation.many else self._link(target))
        return found

    def result(self, entity: Entity) -> GraphQLObjectType:
        """How many rows were changed, and which."""
        fields = {
            "affected_rows": GraphQLField(GraphQLNonNull(GraphQLInt), description="How many rows were changed."),
            "returning": GraphQLField(
                GraphQLList(self.object_type(entity)), description="Those of them that the caller may see."
            ),
        }
        if self.may(entity, "select") and has_versions(entity):
            versions = GraphQLField(GraphQLList(GraphQLString), description="The versions of these, for `if_version`.")
            fields["versions"] = versions
        return GraphQLObjectType(self.name(entity, "_mutation"), fields)

    def _columns(self, entity: Entity) -> dict[str, GraphQLInputField]:
        return {
            name: GraphQLInputField(
                self.values.column_input(entity.table, column), description=comment_of(column.comment).description
            )
            for name, column in entity.writable.items()
        }

    def _link(self, target: Entity) -> GraphQLInputObjectType:
        def fields() -> dict[str, GraphQLInputField]:
            found = {"connect": GraphQLInputField(self.key(target), description="What to refer to; null for none.")}
            if self._may_create(target):
                found["create"] = GraphQLInputField(self.insert(target), description="A new row to refer to.")
            if self.may(target, "update") and target.table.is_updatable:
                found["update"] = GraphQLInputField(self.update(target), description="A change of what is referred to.")
            return found

        return self.input(target, "_link", fields)

    def _links(self, target: Entity) -> GraphQLInputObjectType:
        def fields() -> dict[str, GraphQLInputField]:
            keys = _list_of(self.key(target))
            found = {
                "connect": GraphQLInputField(keys, description="Rows to link."),
                "disconnect": GraphQLInputField(keys, description="Rows to unlink."),
                "set": GraphQLInputField(keys, description="The rows that shall be linked, and no others."),
            }
            if self._may_create(target):
                found["create"] = GraphQLInputField(_list_of(self.insert(target)), description="New rows, linked.")
            if self.may(target, "update") and target.table.is_updatable:
                found["update"] = GraphQLInputField(_list_of(self.update(target)), description="Changes of linked.")
            if self.may(target, "delete") and target.table.is_updatable:
                found["delete"] = GraphQLInputField(keys, description="Linked rows to delete.")
            return found

        return self.input(target, "_links", fields)

    def _may_create(self, target: Entity) -> bool:
        return self.may(target, "insert") and target.table.is_insertable and bool(target.writable)


def plain_columns(entity: Entity) -> frozenset[str]:
    """The columns whose values are neither lists nor objects, so that those of many rows can be sent as one list."""
    return frozenset(name for name, column in entity.writable.items() if column.type.kind in {"base", "enum"})


def seen_columns(entity: Entity) -> dict[str, Column]:
    """The columns that can be written and are seen as they are on every row: a change of what stands, or a condition on
    it, tells what stands."""
    return {name: column for name, column in entity.writable.items() if entity.columns.get(name) == column}


def has_versions(entity: Entity) -> bool:
    """Whether it may be told that a row has changed: not where that may be a column which is hidden. Nor where a rule
    lists all columns that there are: whether there are others must not be told either."""
    return entity.table.kind == "table" and entity.is_whole


def write_fields(types: WriteTypes, entity: Entity) -> dict[str, tuple[WriteOperation, GraphQLField]]:
    """The mutations of an entity under their wanted names."""
    table = entity.table
    may_insert = types.may(entity, "insert") and table.is_insertable and bool(entity.writable)
    may_update = types.may(entity, "update") and table.is_updatable and bool(entity.writable)
    may_delete = types.may(entity, "delete") and table.is_updatable
    found: dict[str, tuple[WriteOperation, GraphQLField]] = {}
    result = types.result(entity)
    name = entity.name
    max_affected = GraphQLArgument(
        GraphQLInt, default_value=MAX_AFFECTED, description="To change more rows than this is refused; null lifts it."
    )
    if may_insert:
        objects = GraphQLArgument(GraphQLNonNull(_list_of(types.insert(entity))))
        found[f"insert_{name}"] = "insert_rows", GraphQLField(result, args={"objects": objects})
    if may_insert and may_update and (table.primary_key or table.unique_keys):
        columns = GraphQLList(GraphQLNonNull(types.rows.column(entity)))
        arguments = {
            "objects": GraphQLArgument(
                GraphQLNonNull(GraphQLList(GraphQLNonNull(types.row_input(entity)))), description="Rows."
            ),
            "conflict_columns": GraphQLArgument(columns, description="A key; by default the primary one."),
            "update_columns": GraphQLArgument(columns, description="What to update; by default all that is given."),
        }
        found[f"upsert_{name}"] = "upsert_rows", GraphQLField(result, args=arguments)
    if may_update:
        arguments = {**types.choosing(entity), **_arguments(types.changes(entity)), "max_affected": max_affected}
        found[f"update_{name}_where"] = "update_where", GraphQLField(result, args=arguments)
    if may_delete:
        arguments = {**types.choosing(entity), "max_affected": max_affected}
        found[f"delete_{name}_where"] = "delete_where", GraphQLField(result, args=arguments)
    if may_update and table.primary_key and entity.has_key:
        updates = GraphQLArgument(GraphQLNonNull(_list_of(types.update(entity))))
        found[f"update_{name}_many"] = "update_many", GraphQLField(result, args={"updates": updates})
        key = {"key": GraphQLInputField(GraphQLNonNull(types.key(entity)))}
        one = _arguments({**types.update(entity).fields, **key})
        found[f"update_{name}_by_key"] = "update_by_key", GraphQLField(types.object_type(entity), args=one)
    if may_delete and table.primary_key and entity.has_key:
        one = _arguments({"key": GraphQLInputField(GraphQLNonNull(types.key(entity))), **types.matches(entity)})
        found[f"delete_{name}_by_key"] = "delete_by_key", GraphQLField(types.object_type(entity), args=one)
    return found


def _arguments(fields: Mapping[str, GraphQLInputField]) -> dict[str, GraphQLArgument]:
    return {
        name: GraphQLArgument(cast("GraphQLInputObjectType", field.type), description=field.description)
        for name, field in fields.items()
    }


def _list_of(kind: GraphQLInputObjectType) -> GraphQLList[GraphQLNonNull[GraphQLInputObjectType]]:
    return GraphQLList(GraphQLNonNull(kind))


def is_number(column: Column) -> bool:
    return column.type.base in _NUMBERS and column.type.kind != "array"


def is_list(column: Column) -> bool:
    return column.type.kind == "array"


def is_json(column: Column) -> bool:
    return column.type.base in _JSON and column.type.kind != "array"
