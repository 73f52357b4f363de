"""shape_of: what of an operation's variables decides the plan. Requests of one shape share a plan; the rest are
arguments."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Literal, TypeAlias, cast

from graphql import (
    DocumentNode,
    FieldNode,
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLList,
    GraphQLNonNull,
    Node,
    VariableNode,
    Visitor,
    get_named_type,
    visit,
)

from schema.expression.lift import lift
from schema.query.building.types import LabelEnum
from schema.query.building.writes import COLUMN_NAME, ROWS
from schema.query.cursors import nulls_in
from schema.query.variables import InputType, Variable

#: How a variable is used: its text is parsed (filter), it is structure as it stands (verbatim: an ordering, a
#: condition), it is a cursor, of which the nulls within matter, or only its structure does (value): which fields of
#: input objects are given, enums, and nulls.
Use = Literal["filter", "verbatim", "cursor", "value"]
Shaper: TypeAlias = Callable[[object], Hashable]
_USES: dict[str, Use] = {
    "filter": "filter",
    "having": "filter",
    "ordering": "verbatim",
    "distincton": "verbatim",
    "subquery": "verbatim",
    "after": "cursor",
    "before": "cursor",
}


def variable_shapers(document: DocumentNode, variables: Sequence[Variable]) -> Mapping[str, tuple[Shaper, ...]]:
    """For each variable the functions that give its part of the shape, by its type and by how it is used over all
    operations and fragments of the document."""
    uses = _variable_uses(document)
    return {
        variable.name: tuple(_shaper(use, variable.type) for use in sorted(uses.get(variable.name, ())))
        for variable in variables
    }


def shape_of(shapers: Mapping[str, tuple[Shaper, ...]], variables: Mapping[str, object]) -> Hashable:
    """Equal for variables that lead to the same plan."""
    return tuple(
        [
            tuple([shaper(variables[name]) for shaper in each]) if name in variables else None
            for name, each in shapers.items()
        ]
    )


def _variable_uses(document: DocumentNode) -> Mapping[str, set[Use]]:
    uses: dict[str, set[Use]] = {}

    class Walk(Visitor):
        def enter_field(self, node: FieldNode, *_: object) -> None:
            for given in node.arguments or ():
                use = _USES.get(given.name.value, "value")
                # Only the whole of a `having` may be an expression; what stands within one is a value.
                use = "value" if use == "filter" and not isinstance(given.value, VariableNode) else use
                for variable in _variables_in(given.value):
                    uses.setdefault(variable, set()).add(use)

        def enter_directive(self, node: Node, *_: object) -> None:
            for variable in _variables_in(node):
                uses.setdefault(variable, set()).add("verbatim")

    visit(document, Walk())
    return uses


def _shaper(use: Use, type_: InputType) -> Shaper:
    match use:
        case "filter":
            structure = _structure_of(type_)
            return lambda value: lift(value).shape if isinstance(value, str) else structure(value)
        case "verbatim":
            return repr
        case "cursor":
            return lambda value: nulls_in(value) if isinstance(value, str) else None
        case "value":
            return _structure_of(type_)


def _structure_of(type_: InputType) -> Shaper:
    """How values of the type differ in structure. What a scalar holds never counts, be it a JSON object."""
    if isinstance(type_, GraphQLNonNull):
        return _structure_of(type_.of_type)
    if isinstance(get_named_type(type_), LabelEnum):
        return _is_null
    if type_ is COLUMN_NAME:
        return repr
    if isinstance(type_, GraphQLEnumType):
        return repr
    if isinstance(type_, GraphQLInputObjectType):
        return lambda value: _object_structure(value, type_)
    if isinstance(type_, GraphQLList) and is_rows(type_):
        item, members = _structure_of(type_.of_type), plain_members(get_named_type(type_))
        return lambda value: _rows_structure(value, members, item)
    if isinstance(type_, GraphQLList) and isinstance(get_named_type(type_), GraphQLInputObjectType | GraphQLEnumType):
        item = _structure_of(type_.of_type)
        return lambda value: tuple(map(item, cast("list[object]", value))) if isinstance(value, list) else None
    return _is_null


def _object_structure(value: object, type_: GraphQLInputObjectType) -> Hashable:
    if not isinstance(value, dict):
        return None
    members = cast("dict[str, object]", value)
    return tuple((name, _structure_of(type_.fields[name].type)(member)) for name, member in members.items())


def _is_null(value: object) -> bool:
    return value is None


def _rows_structure(value: object, members: frozenset[str], item: Shaper) -> Hashable:
    if not isinstance(value, list):
        return None
    rows = cast("list[object]", value)
    return uniform_members(rows, members) or tuple(map(item, rows))


def is_rows(type_: object) -> bool:
    """Whether a list of the type holds rows, which may be so many that their number should not make a plan."""
    named = get_named_type(cast("GraphQLInputObjectType", type_))
    return isinstance(named, GraphQLInputObjectType) and ROWS in named.extensions


def plain_members(type_: object) -> frozenset[str]:
    """The fields of a type of rows that hold one value, no list and no object."""
    return cast("frozenset[str]", cast("GraphQLInputObjectType", type_).extensions[ROWS])


def uniform_members(value: list[object], members: frozenset[str]) -> tuple[str, ...]:
    """The members that each of the objects has, in order, when all have the same and none but plain ones. Else none."""
    first = value[0] if value else None
    if not isinstance(first, dict) or not first:
        return ()
    names = cast("dict[str, object]", first).keys()
    if not names <= members or any(cast("dict[str, object]", item).keys() != names for item in value):
        return ()
    return tuple(sorted(names))


def _variables_in(node: Node) -> set[str]:
    found: set[str] = set()

    class Walk(Visitor):
        def enter_variable(self, variable: VariableNode, *_: object) -> None:
            found.add(variable.name.value)

    visit(node, Walk())
    return found
