"""build_query_schema: a model → the GraphQL types of /query, holding only what the role could ever be granted."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from graphql import (
    DirectiveLocation,
    GraphQLArgument,
    GraphQLBoolean,
    GraphQLDirective,
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputField,
    GraphQLInputObjectType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    specified_directives,
)

from db.catalog import TableName
from schema.aggregate_view import AggregateView
from schema.comments import comment_of
from schema.model import Entity, Model, Relation, Routine
from schema.query.building.aggregates import AggregateTypes
from schema.query.building.arguments import key_arguments, list_arguments
from schema.query.building.conditions import RowArguments
from schema.query.building.every_type import every_type
from schema.query.building.routines import MayCall, RoutineTypes
from schema.query.building.types import ValueTypes
from schema.query.building.writes import ROWS, RowOperation, WriteOperation, WriteTypes, plain_columns, write_fields

RootOperation = RowOperation | WriteOperation
May = Callable[[Entity, RowOperation], bool]

ON_CONFLICT: Final = GraphQLEnumType(
    "OnConflict",
    {name: name for name in ("fail", "update", "ignore")},
    description="What happens when a row with the same key exists: an error, its update, or nothing.",
)


DRY_RUN: Final = GraphQLDirective(
    "dry_run",
    [DirectiveLocation.MUTATION],
    description="All is done and checked, told, and then undone.",
)


@dataclass(frozen=True, slots=True)
class RootField:
    """What a root field stands for."""

    operation: RootOperation
    entity: Entity


@dataclass(frozen=True)
class QuerySchema:
    """The types, what their root fields stand for, and the tables under `Aggregates`, by the names of the fields;
    `calls` are the mutations that call something."""

    graphql: GraphQLSchema
    model: Model
    fields: Mapping[str, RootField]
    aggregates: Mapping[str, AggregateView] = field(default_factory=dict[str, AggregateView])
    calls: Mapping[str, Routine] = field(default_factory=dict[str, Routine])

    def mutation_type(self, field: str) -> str:
        """The name of the type that a field of Mutation gives."""
        mutation = self.graphql.mutation_type
        return "" if mutation is None else str(mutation.fields[field].type)


def _no_calls(_: Routine) -> bool:
    return False


def build_query_schema(
    model: Model,
    may: May,
    may_call: MayCall = _no_calls,
    views: Mapping[TableName, AggregateView] | None = None,
) -> QuerySchema:
    """The schema of whoever `may` speaks for. `views` are what it may aggregate, None for all that it may read."""
    builder = _Builder(model, may, may_call, views)
    objects = {entity.name: builder.object_type(entity) for entity in builder.visible()}
    builder.objects.update(objects)
    aggregates = builder.aggregate_types()
    query, mutation = builder.query_fields(), builder.mutation_fields()
    if aggregates.fields:
        query["Aggregates"] = GraphQLField(aggregates.root())
    if (functions := builder.routines.functions()) is not None:
        query["Functions"] = GraphQLField(functions)
    if not query:
        query = {"_nothing": GraphQLField(GraphQLBoolean, description="This role may read no table.")}
    roots = [GraphQLObjectType("Query", query)]
    if mutation:
        roots.append(GraphQLObjectType("Mutation", mutation))
    graphql = GraphQLSchema(
        *roots,
        types=every_type([*objects.values(), *builder.inputs.values(), *aggregates.types, *roots]),
        directives=(*specified_directives, DRY_RUN) if mutation else specified_directives,
        # One odd table must not shut a tenant out, and a look at every type of a thousand tables takes its time.
        assume_valid=True,
    )
    return QuerySchema(
        graphql, model, MappingProxyType(builder.roots), aggregates.fields, MappingProxyType(builder.calls)
    )


class _Builder:
    def __init__(
        self, model: Model, may: May, may_call: MayCall, views: Mapping[TableName, AggregateView] | None
    ) -> None:
        self.model = model
        self.views = views
        self.may = may
        self.objects: dict[str, GraphQLObjectType] = {}
        self.inputs: dict[str, GraphQLInputObjectType] = {}
        self.types = ValueTypes(model)
        self.calls: dict[str, Routine] = {}
        self.roots: dict[str, RootField] = {}
        self.rows = RowArguments(model, self._may_follow)
        self.routines = RoutineTypes(model, self.types, may_call, self._object_of, self.rows.of)

    def visible(self) -> list[Entity]:
        return [
            entity
            for entity in self.model.entities.values()
            if any(self.may(entity, operation) for operation in ("select", "insert", "update", "delete"))
        ]

    def object_type(self, entity: Entity) -> GraphQLObjectType:
        return GraphQLObjectType(
            entity.name, lambda: self._object_fields(entity), description=comment_of(entity.table.comment).description
        )

    def _object_fields(self, entity: Entity) -> dict[str, GraphQLField]:
        readable = self.may(entity, "select")
        fields: dict[str, GraphQLField] = {}
        for name, column in entity.columns.items():
            comment = comment_of(column.comment)
            kind = self.types.column_output(entity.table, column)
            if readable or column.name in entity.table.primary_key:
                required = column.not_null or column.name in entity.table.primary_key
                fields[name] = GraphQLField(
                    GraphQLNonNull(kind) if required else kind,
                    description=comment.description,
                    deprecation_reason=comment.deprecation,
                )
        for name, relation in entity.relations.items() if readable else ():
            if not self._may_follow(relation):
                continue
            target = self.model.by_table[relation.target]
            kind = self.objects[target.name]
            fields[name] = (
                GraphQLField(GraphQLList(kind), args={**list_arguments(), **self.rows.of(target)})
                if relation.many
                else GraphQLField(kind)
            )
        if readable:
            fields |= self.routines.computed(entity)
        return fields or {"_nothing": GraphQLField(GraphQLBoolean, description="This role may read no column.")}

    def _may_follow(self, relation: Relation) -> bool:
        """Whether the role may read the target, and the junction on the way to it."""
        tables = [relation.target, *([relation.junction.table] if relation.junction else [])]
        ends = [self.model.by_table.get(table) for table in tables]
        return all(end is not None and self.may(end, "select") for end in ends)

    def query_fields(self) -> dict[str, GraphQLField]:
        fields: dict[str, GraphQLField] = {}
        for entity in self.model.entities.values():
            if self.may(entity, "select"):
                comment = comment_of(entity.table.comment)
                self.roots[entity.name] = RootField("select", entity)
                fields[entity.name] = GraphQLField(
                    GraphQLList(self.objects[entity.name]),
                    args={**list_arguments(), **self.rows.of(entity)},
                    description=comment.description,
                    deprecation_reason=comment.deprecation,
                )
        return fields

    def aggregate_types(self) -> AggregateTypes:
        return AggregateTypes(
            self.model,
            self._aggregate_views(),
            self._may_follow,
            rows=lambda entity: self.objects[entity.name] if self.may(entity, "select") else None,
            row_arguments=self.rows,
            value_types=self.types,
        )

    def _aggregate_views(self) -> list[AggregateView]:
        entities = self.model.entities.values()
        if self.views is None:
            return [AggregateView.of(entity) for entity in entities if self.may(entity, "select")]
        return [self.views[entity.table.name] for entity in entities if entity.table.name in self.views]

    def mutation_fields(self) -> dict[str, GraphQLField]:
        fields: dict[str, GraphQLField] = {}
        for entity in self.visible():
            kind, keys = self.objects[entity.name], key_arguments(entity)
            # A type of input that has no field would make the whole schema invalid.
            takes_values = bool(entity.writable)
            if takes_values and self.may(entity, "insert") and entity.table.is_insertable:
                given = {"input": self._input(entity), "onconflict": GraphQLArgument(ON_CONFLICT, default_value="fail")}
                self._mutation(fields, "create", "insert", entity, GraphQLField(kind, args=given))
            if takes_values and keys and self.may(entity, "update") and entity.table.is_updatable:
                given = {"input": self._input(entity), **keys}
                self._mutation(fields, "update", "update", entity, GraphQLField(kind, args=given))
            if keys and self.may(entity, "delete") and entity.table.is_updatable:
                self._mutation(fields, "delete", "delete", entity, GraphQLField(kind, args=keys))
        for name, (routine, call) in self.routines.mutations().items():
            self.calls[name] = routine
            fields[name] = call
        return fields | self._further_mutations(set(fields))

    def _further_mutations(self, taken: set[str]) -> dict[str, GraphQLField]:
        """The mutations beside those of the contract, which have taken their names already."""
        types = WriteTypes(
            self.model, self.may, lambda entity: self.objects[entity.name], self._row_input, self.rows, self.types
        )
        fields: dict[str, GraphQLField] = {}
        for entity in self.visible():
            for wanted, (operation, mutation) in write_fields(types, entity).items():
                name, number = wanted, 1
                while name in taken or name in fields:
                    number += 1
                    name = f"{wanted}_{number}"
                self.roots[name] = RootField(operation, entity)
                fields[name] = mutation
        return fields

    def _object_of(self, table: TableName) -> GraphQLObjectType | None:
        entity = self.model.by_table.get(table)
        return self.objects[entity.name] if entity is not None and self.may(entity, "select") else None

    def _mutation(
        self,
        fields: dict[str, GraphQLField],
        verb: str,
        operation: RowOperation,
        entity: Entity,
        field: GraphQLField,
    ) -> None:
        name = f"{verb}_{entity.name}"
        self.roots[name] = RootField(operation, entity)
        fields[name] = field

    def _input(self, entity: Entity) -> GraphQLArgument:
        return GraphQLArgument(self._row_input(entity))

    def _row_input(self, entity: Entity) -> GraphQLInputObjectType:
        if entity.name not in self.inputs:
            self.inputs[entity.name] = GraphQLInputObjectType(
                f"{entity.name}Input",
                {
                    name: GraphQLInputField(
                        self.types.column_input(entity.table, column),
                        description=comment_of(column.comment).description,
                    )
                    for name, column in entity.writable.items()
                },
                extensions={ROWS: plain_columns(entity)},
            )
        return self.inputs[entity.name]
