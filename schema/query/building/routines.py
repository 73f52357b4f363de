"""RoutineTypes: functions and procedures → the fields that call them, as far as the role may."""

from collections.abc import Callable
from typing import Any, TypeAlias

from graphql import (
    GraphQLArgument,
    GraphQLBoolean,
    GraphQLField,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
)

from db.catalog import TableName
from schema.comments import comment_of
from schema.model import Entity, Model, Routine
from schema.query.building.arguments import list_arguments
from schema.query.building.types import OutputType, ValueTypes

MayCall: TypeAlias = Callable[[Routine], bool]
ArgumentsOf: TypeAlias = Callable[[Entity], dict[str, GraphQLArgument]]
ObjectOf: TypeAlias = Callable[[TableName], GraphQLObjectType | None]


class RoutineTypes:
    """The fields of one schema. `object_of` gives the type of a table's rows, or None where they are hidden, and
    `arguments_of` what lists of them take."""

    def __init__(
        self, model: Model, types: ValueTypes, may_call: MayCall, object_of: ObjectOf, arguments_of: ArgumentsOf
    ) -> None:
        self._model = model
        self._types = types
        self._may_call = may_call
        self._object_of = object_of
        self._arguments_of = arguments_of
        self._records: dict[str, GraphQLObjectType] = {}

    def functions(self) -> GraphQLObjectType | None:
        """The object with a field for each function that only reads; None where there is none."""
        fields = {
            name: field
            for name, routine in self._model.routines.items()
            if not routine.function.changes_state and (field := self._field(routine)) is not None
        }
        return GraphQLObjectType("Functions", fields) if fields else None

    def mutations(self) -> dict[str, tuple[Routine, GraphQLField]]:
        """The mutations that call what may change things, each with what it calls."""
        return {
            f"call_{name}": (routine, field)
            for name, routine in self._model.routines.items()
            if routine.function.changes_state and (field := self._field(routine)) is not None
        }

    def computed(self, entity: Entity) -> dict[str, GraphQLField]:
        """The computed fields of a table's rows."""
        fields = {name: self._field(routine) for name, routine in entity.computed.items()}
        return {name: field for name, field in fields.items() if field is not None}

    def _field(self, routine: Routine) -> GraphQLField | None:
        """None where the role may not call it, or may see none of the rows that it gives."""
        if not self._may_call(routine):
            return None
        given = self._result(routine)
        if given is None:
            return None
        result, further = given
        is_set = routine.function.returns_set
        comment = comment_of(routine.function.comment)
        return GraphQLField(
            GraphQLList(result) if is_set else result,
            args=self._arguments(routine) | (further if is_set else {}),
            description=comment.description,
            deprecation_reason=comment.deprecation,
        )

    def _result(self, routine: Routine) -> tuple[OutputType, dict[str, GraphQLArgument]] | None:
        """The type of what it gives, and what lists of it take."""
        if routine.rows_of is not None:
            table = self._object_of(routine.rows_of)
            arguments = self._arguments_of(self._model.by_table[routine.rows_of])
            return None if table is None else (table, list_arguments() | arguments)
        if routine.record is not None:
            return self._record(routine.record), list_arguments()
        if routine.gives_nothing:
            return GraphQLBoolean, {}
        return self._types.output(routine.function.result), {}

    def _record(self, record: Entity) -> GraphQLObjectType:
        if record.name not in self._records:
            fields = {name: GraphQLField(self._types.output(each.type)) for name, each in record.columns.items()}
            self._records[record.name] = GraphQLObjectType(record.name, fields)
        return self._records[record.name]

    def _arguments(self, routine: Routine) -> dict[str, GraphQLArgument]:
        arguments: dict[str, GraphQLArgument] = {}
        for name, parameter in routine.arguments.items():
            kind: Any = self._types.input(parameter.type)
            is_needed = routine.function.is_strict and not parameter.has_default and not parameter.is_variadic
            arguments[name] = GraphQLArgument(GraphQLNonNull(kind) if is_needed else kind)
        return arguments
