"""RowArguments: `where`, `order_by`, `distinct_on` and pages by keys, for all that is a set of rows.

The types of an entity are made when first asked for, each by the name that `derived_type_name` gives it, and their
fields only when looked at.
"""

from collections.abc import Callable
from typing import Final

from graphql import (
    GraphQLArgument,
    GraphQLEnumType,
    GraphQLInputField,
    GraphQLInputObjectType,
    GraphQLInt,
    GraphQLList,
    GraphQLNonNull,
    GraphQLString,
)

from db.catalog import Column
from schema.model import Entity, Model, Relation
from schema.names import column_members, condition_members, derived_type_name, free_type_name
from schema.query.building.operators import (
    COMPARISONS,
    ORDER_DIRECTION,
    ORDER_FUNCTION,
    SCALARS,
    column_test,
    comparisons_of,
)
from schema.query.building.types import ValueTypes
from schema.query.variables import InputType

_PAGE: Final = {
    "first": GraphQLArgument(GraphQLInt, description="How many rows at most, counted from the first."),
    "after": GraphQLArgument(GraphQLString, description="Only rows behind that of this cursor."),
    "last": GraphQLArgument(GraphQLInt, description="How many rows at most, counted from the last."),
    "before": GraphQLArgument(GraphQLString, description="Only rows in front of that of this cursor."),
}


class RowArguments:
    """The arguments and input types of one schema. `may_follow` says which relations its role knows."""

    def __init__(self, model: Model, types: ValueTypes, may_follow: Callable[[Relation], bool]) -> None:
        self._model = model
        self._types = types
        self._may_follow = may_follow
        self._inputs: dict[str, GraphQLInputObjectType] = {}
        self._columns: dict[str, GraphQLEnumType] = {}
        self._arguments: dict[str, dict[str, GraphQLArgument]] = {}

    def of(self, entity: Entity) -> dict[str, GraphQLArgument]:
        """All of them, for a list of rows of the entity."""
        if entity.name not in self._arguments:
            self._arguments[entity.name] = {
                "where": GraphQLArgument(self.where(entity), description="A condition that the rows satisfy."),
                "order_by": GraphQLArgument(_list_of(self.order(entity)), description="By what the rows are ordered."),
                "distinct_on": GraphQLArgument(
                    _list_of(self.column(entity)), description="Of rows that are equal in these, only the first."
                ),
                **_PAGE,
            }
        return self._arguments[entity.name]

    def where(self, entity: Entity) -> GraphQLInputObjectType:
        """`T_where`: a condition on the rows of an entity."""
        return self._input(entity, "_where", self._where_fields)

    def order(self, entity: Entity) -> GraphQLInputObjectType:
        """`T_order`: one or more orders of the rows of an entity."""
        return self._input(entity, "_order", self._order_fields)

    def column(self, entity: Entity) -> GraphQLEnumType:
        """`T_column`: the columns of an entity."""
        name = derived_type_name(self._model, entity, "_column")
        if name not in self._columns:
            members = column_members(entity)
            self._columns[name] = GraphQLEnumType(name, {member: member for member in members})
        return self._columns[name]

    def _where_fields(self, entity: Entity) -> dict[str, GraphQLInputField]:
        own = self.where(entity)
        fields = {
            "_and": GraphQLInputField(_list_of(own)),
            "_or": GraphQLInputField(_list_of(own)),
            "_not": GraphQLInputField(own),
            "_compare": GraphQLInputField(_list_of(self._input(entity, "_compare", self._compare_fields))),
        }
        for name, member in condition_members(entity).items():
            match member:
                case Column():
                    fields[name] = GraphQLInputField(self._test(entity, member))
                case Relation() if self._may_follow(member):
                    target = self._model.by_table[member.target]
                    many = member.many
                    fields[name] = GraphQLInputField(
                        self._input(target, "_where_many", self._where_many_fields) if many else self.where(target)
                    )
                case _:
                    pass
        return fields

    def _test(self, entity: Entity, column: Column) -> GraphQLInputObjectType:
        """The type of the tests that the column can be put to: shared by all tables, or of an enum's own."""
        enum = self._types.input(column.type)
        if not isinstance(enum, GraphQLEnumType):
            return column_test(entity.table, column)
        name = free_type_name(self._model, f"{enum.name}_where")
        if name not in self._inputs:
            self._inputs[name] = GraphQLInputObjectType(name, lambda: comparisons_of(enum))
        return self._inputs[name]

    def _where_many_fields(self, entity: Entity) -> dict[str, GraphQLInputField]:
        own = self.where(entity)
        return {
            "_some": GraphQLInputField(own, description="At least one of the rows satisfies it."),
            "_none": GraphQLInputField(own, description="None of the rows satisfies it."),
            "_every": GraphQLInputField(own, description="No row but satisfies it."),
            "_count": GraphQLInputField(SCALARS["Int"], description="How many rows there are that satisfy `_where`."),
            "_where": GraphQLInputField(own, description="Which rows `_count` counts."),
        }

    def _compare_fields(self, entity: Entity) -> dict[str, GraphQLInputField]:
        column = self.column(entity)
        fields = {name: GraphQLInputField(column) for name in COMPARISONS}
        return {"column": GraphQLInputField(GraphQLNonNull(column)), **fields}

    def _order_fields(self, entity: Entity) -> dict[str, GraphQLInputField]:
        fields = {name: GraphQLInputField(ORDER_DIRECTION) for name in entity.columns}
        for name, relation in entity.relations.items():
            if self._may_follow(relation):
                target = self._model.by_table[relation.target]
                many = relation.many
                fields[name] = GraphQLInputField(
                    self._input(target, "_order_many", self._order_many_fields) if many else self.order(target)
                )
        return fields

    def _order_many_fields(self, entity: Entity) -> dict[str, GraphQLInputField]:
        return {
            "function": GraphQLInputField(GraphQLNonNull(ORDER_FUNCTION)),
            "column": GraphQLInputField(self.column(entity), description="Of what; `count` needs none."),
            "direction": GraphQLInputField(ORDER_DIRECTION),
            "where": GraphQLInputField(self.where(entity), description="Of which rows."),
        }

    def _input(
        self, entity: Entity, suffix: str, fields: Callable[[Entity], dict[str, GraphQLInputField]]
    ) -> GraphQLInputObjectType:
        name = derived_type_name(self._model, entity, suffix)
        if name not in self._inputs:
            self._inputs[name] = GraphQLInputObjectType(name, lambda: fields(entity))
        return self._inputs[name]


def _list_of(type_: GraphQLInputObjectType | GraphQLEnumType) -> InputType:
    return GraphQLList(GraphQLNonNull(type_))
