"""Given: the value of an argument, be it written in the document or sent in a variable.

What is written is part of the plan; what is sent differs from request to request, so a plan may look at its structure
(`fields`, `items`, `is_null`, enums, which `shape` keeps apart) and takes the rest as an argument.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias, cast

from graphql import (
    FloatValueNode,
    ListValueNode,
    NullValueNode,
    ObjectValueNode,
    ValueNode,
    VariableNode,
    print_ast,
    value_from_ast_untyped,
)

from db.catalog import PgType
from schema.expression.coerce import Coercion, WrittenFloat, coercer
from schema.expression.predicate import ComposedValue, Constant, VariableValue

Variables: TypeAlias = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Written:
    """A value that stands in the document, with variables perhaps somewhere within."""

    node: ValueNode
    variables: Variables

    @property
    def is_null(self) -> bool:
        return isinstance(self.node, NullValueNode)

    @property
    def variable(self) -> str:
        return ""

    def fields(self) -> "tuple[tuple[str, Given], ...]":
        """The members of an object in their order, without those of absent variables. Empty for anything else."""
        if not isinstance(self.node, ObjectValueNode):
            return ()
        members = ((field.name.value, given(field.value, self.variables)) for field in self.node.fields)
        return tuple((name, member) for name, member in members if member is not None)

    def items(self) -> "tuple[Given, ...]":
        """The items of a list; any other value is a list of itself (GraphQL September 2025, 3.12)."""
        if self.is_null:
            return ()
        if not isinstance(self.node, ListValueNode):
            return (self,)
        items = (given(node, self.variables) for node in self.node.values)
        return tuple(item for item in items if item is not None)

    def plain(self) -> object:
        """The value as plain Python, variables filled in."""
        match self.node:
            case NullValueNode():
                return None
            case ListValueNode():
                return [item.plain() for item in self.items()]
            case ObjectValueNode():
                return {name: member.plain() for name, member in self.fields()}
            case FloatValueNode():
                return WrittenFloat(self.node.value)
            case _:
                return value_from_ast_untyped(self.node)

    def argument(self, kind: PgType, coerce: Coercion | None = None) -> Constant | VariableValue | ComposedValue:
        """The value for a statement, brought to the type. Raises WrongType, InvalidValue."""
        if _holds_variable(self.node):
            # What variables hold differs from request to request, and the plan serves them all.
            node = self.node
            return ComposedValue(
                print_ast(node), lambda variables: Written(node, variables).plain(), kind, coerce or coercer(kind)
            )
        value = self.plain()
        return Constant(None if value is None else frozen((coerce or coercer(kind))(value)), kind)


@dataclass(frozen=True, slots=True)
class Sent:
    """A variable's value, or what stands in it at `path`."""

    path: tuple[str | int, ...]
    value: object

    @property
    def is_null(self) -> bool:
        return self.value is None

    @property
    def variable(self) -> str:
        return str(self.path[0]) if len(self.path) == 1 else ""

    def fields(self) -> "tuple[tuple[str, Given], ...]":
        if not isinstance(self.value, dict):
            return ()
        members = cast("dict[str, object]", self.value)
        return tuple((name, Sent((*self.path, name), member)) for name, member in members.items())

    def items(self) -> "tuple[Given, ...]":
        if self.value is None:
            return ()
        if not isinstance(self.value, list):
            return (self,)
        items = cast("list[object]", self.value)
        return tuple(Sent((*self.path, index), item) for index, item in enumerate(items))

    def plain(self) -> object:
        return self.value

    def argument(self, kind: PgType, coerce: Coercion | None = None) -> Constant | VariableValue | ComposedValue:
        return VariableValue(self.path, kind, coerce or coercer(kind))


Given: TypeAlias = Written | Sent


def given(node: ValueNode | None, variables: Variables) -> Given | None:
    """What is given by a value of the document; None where nothing is, or a variable that was not sent."""
    if node is None:
        return None
    if isinstance(node, VariableNode):
        name = node.name.value
        return Sent((name,), variables[name]) if name in variables else None
    return Written(node, variables)


def _holds_variable(node: ValueNode) -> bool:
    match node:
        case VariableNode():
            return True
        case ListValueNode():
            return any(_holds_variable(item) for item in node.values)
        case ObjectValueNode():
            return any(_holds_variable(field.value) for field in node.fields)
        case _:
            return False


def frozen(value: object) -> object:
    """The value with its lists as tuples, so that it can be part of a plan."""
    return tuple(frozen(item) for item in cast("list[object]", value)) if isinstance(value, list) else value


def texts(value: Given | None) -> list[str]:
    """The texts of a list of texts, or of one text in place of a list."""
    listed: object = None if value is None else value.plain()
    items = cast("list[object]", listed) if isinstance(listed, list) else [listed]
    return [entry for entry in items if isinstance(entry, str)]
