"""ValueTypes: PostgreSQL types → GraphQL types; enums and composite types have types of their own."""

from typing import Any, TypeAlias

from graphql import (
    ConstValueNode,
    GraphQLEnumType,
    GraphQLEnumValue,
    GraphQLField,
    GraphQLID,
    GraphQLInputField,
    GraphQLInputObjectType,
    GraphQLList,
    GraphQLObjectType,
    GraphQLScalarType,
    StringValueNode,
)

from db.catalog import Column, PgType, Table
from schema.comments import comment_of
from schema.enums import enum_names, label_of
from schema.model import Model, attribute_names
from schema.query.building.scalars import is_key, scalar_for

OutputType: TypeAlias = GraphQLScalarType | GraphQLEnumType | GraphQLObjectType | GraphQLList[Any]
InputType: TypeAlias = GraphQLScalarType | GraphQLEnumType | GraphQLInputObjectType | GraphQLList[Any]


class LabelEnum(GraphQLEnumType):
    """An enum of the database. Clients may also send a label in quotes, be it one that GraphQL cannot name."""

    def coerce_input_value(self, input_value: object, hide_suggestions: bool = False) -> Any:  # noqa: FBT001, FBT002
        label = label_of(self.labels, input_value) if isinstance(input_value, str) else None
        return super().coerce_input_value(str(input_value), hide_suggestions) if label is None else label

    def coerce_input_literal(self, value_node: ConstValueNode, hide_suggestions: bool = False) -> Any:  # noqa: FBT001, FBT002
        if isinstance(value_node, StringValueNode):
            label = label_of(self.labels, value_node.value)
            if label is not None:
                return label
        return super().coerce_input_literal(value_node, hide_suggestions)

    @property
    def labels(self) -> tuple[str, ...]:
        return tuple(value.value for value in self.values.values())


class CompositeInput(GraphQLInputObjectType):
    """The input of a composite type. A variable may hold its text form in place of an object."""


class ValueTypes:
    """The types of one schema, each made once."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._enums: dict[str, LabelEnum] = {}
        self._objects: dict[str, GraphQLObjectType] = {}
        self._inputs: dict[str, CompositeInput] = {}

    def column_output(self, table: Table, column: Column) -> OutputType:
        return GraphQLID if is_key(table, column) else self.output(column.type)

    def column_input(self, table: Table, column: Column) -> InputType:
        return GraphQLID if is_key(table, column) else self.input(column.type)

    def output(self, kind: PgType) -> OutputType:
        """The type of a value in answers."""
        match kind.kind:
            case "array" if kind.element is not None:
                return GraphQLList(self.output(kind.element))
            case "enum":
                return self._enum(kind)
            case "composite" if kind.attributes:
                return self._object(kind)
            case _:
                return scalar_for(kind)

    def input(self, kind: PgType) -> InputType:
        """The type of a value that is given."""
        match kind.kind:
            case "array" if kind.element is not None:
                return GraphQLList(self.input(kind.element))
            case "enum":
                return self._enum(kind)
            case "composite" if kind.attributes:
                return self._input(kind)
            case _:
                return scalar_for(kind)

    def _enum(self, kind: PgType) -> LabelEnum:
        name = self._model.type_name(kind)
        if name not in self._enums:
            mapped = {each: GraphQLEnumValue(label) for each, label in enum_names(kind.labels).items()}
            self._enums[name] = LabelEnum(name, mapped, description=comment_of(kind.comment).description)
        return self._enums[name]

    def _object(self, kind: PgType) -> GraphQLObjectType:
        name = self._model.type_name(kind)
        if name not in self._objects:
            self._objects[name] = GraphQLObjectType(
                name,
                lambda: {
                    each: GraphQLField(self.output(attribute.type)) for each, attribute in attribute_names(kind).items()
                },
                description=comment_of(kind.comment).description,
            )
        return self._objects[name]

    def _input(self, kind: PgType) -> CompositeInput:
        name = self._model.type_name(kind) + "Input"
        if name not in self._inputs:
            self._inputs[name] = CompositeInput(
                name,
                lambda: {
                    each: GraphQLInputField(self.input(attribute.type))
                    for each, attribute in attribute_names(kind).items()
                },
            )
        return self._inputs[name]
