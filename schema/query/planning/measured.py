"""plan_measures: what is asked of the rows of a set, or of a group, as a whole."""

from collections.abc import Mapping, Sequence
from typing import Final

from graphql import FieldNode

from db.catalog import Column
from schema.errors import WrongType
from schema.expression.types import INT8
from schema.model import Entity
from schema.names import column_members
from schema.query.building.aggregates import MEASURES, shared_ending
from schema.query.building.derived_names import type_name
from schema.query.measures import MeasureFunction, can_group, measured_type
from schema.query.plan import Measure, MeasureOutput, ObjectOutput, SummaryOutput, TypenameOutput
from schema.query.planning.context import Planning
from schema.query.planning.given import texts

COUNT: Final = Measure("count", (), INT8)
_ENDINGS: Final[Mapping[str, tuple[MeasureFunction, str]]] = {
    function: (function, ending) for ending, functions in MEASURES.items() for function in functions
}


def a_measure(function: MeasureFunction, column: Column) -> Measure:
    """The function over the column. Raises WrongType where it cannot be taken of one."""
    kind = measured_type(function, column.type)
    if kind is None:
        raise WrongType(f"{function} cannot be taken of {column.name}.")
    return Measure(function, (column,), kind)


def plan_measure(planning: Planning, entity: Entity, key: str, nodes: Sequence[FieldNode]) -> SummaryOutput | None:
    """What a field of the object of a set of rows asks; None for a field that is no function."""
    name = nodes[0].name.value
    if name == "count":
        return MeasureOutput(key, plan_count(planning, entity, nodes[0]))
    if name not in _ENDINGS:
        return None
    function, ending = _ENDINGS[name]
    own_type = type_name(planning.model, entity, shared_ending(entity, ending))
    return ObjectOutput(
        key,
        tuple(
            TypenameOutput(column, own_type)
            if each[0].name.value == "__typename"
            else MeasureOutput(column, a_measure(function, entity.columns[each[0].name.value]))
            for column, each in planning.fields(nodes).items()
        ),
    )


def plan_count(planning: Planning, entity: Entity, node: FieldNode) -> Measure:
    """The number of rows, of those in which none of `columns` is null, or of the different values of `distinct`."""
    members = column_members(entity)
    present = [members[name] for name in texts(planning.argument(node, "columns"))]
    unique = tuple(dict.fromkeys(members[name] for name in texts(planning.argument(node, "distinct"))))
    for column in unique:
        if not can_group(column.type):
            raise WrongType(f"Values of {column.name} cannot be told apart.")
    # A null alone is no value to count; a row of nulls would be one.
    whole = unique if len(unique) > 1 else ()
    return Measure("count", unique, INT8, present=tuple(dict.fromkeys([*present, *whole])))
