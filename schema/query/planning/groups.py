"""plan_groups: the rows of a set in groups, and what is asked of each."""

from collections.abc import Iterable, Sequence
from typing import Final, cast, get_args

from graphql import FieldNode

from db.catalog import Column
from schema.errors import OperationError
from schema.expression.types import TEXT
from schema.model import Entity, Relation
from schema.query.building.derived_names import type_name
from schema.query.building.scalars import is_key
from schema.query.measures import MeasureFunction
from schema.query.plan import (
    Argument,
    Bucket,
    Grouping,
    GroupingOutput,
    GroupOrder,
    Groups,
    GroupsOutput,
    Hop,
    Measure,
    ObjectOutput,
    SummaryOutput,
    TypenameOutput,
)
from schema.query.planning.context import Planning
from schema.query.planning.given import Given
from schema.query.planning.having import Having
from schema.query.planning.measured import COUNT, a_measure, plan_measure
from schema.query.planning.orders import read_direction
from schema.query.planning.pages import plan_page

_BUCKETS: Final = frozenset(get_args(Bucket))


class GroupingInvalid(OperationError):
    """`by` names nothing to group by, or the key of a group is asked for what `by` does not name."""

    code = "GROUPING_INVALID"


def plan_groups(planning: Planning, entity: Entity, key: str, nodes: Sequence[FieldNode]) -> GroupsOutput:
    """The groups that `by` makes. Raises GroupingInvalid, InvalidPage."""
    node = nodes[0]
    by = planning.argument(node, "by")
    found = _groupings(planning, entity, by.items() if by else (), ())
    groupings = tuple({(way_of(each.path), each.column, each.bucket): each for each in found}.values())
    if not groupings:
        raise GroupingInvalid("Groups need at least one column in `by`.")

    having = Having(entity)
    condition = having.plan(planning.argument(node, "having"))

    def output(key: str, each: Sequence[FieldNode]) -> SummaryOutput:
        measured = plan_measure(planning, entity, key, each)
        if measured is not None:
            return measured
        if each[0].name.value == "key":
            return _key(planning, entity, key, each, groupings, ())
        return TypenameOutput(key, type_name(planning.model, entity, "group"))

    groups = Groups(
        groupings=groupings,
        outputs=tuple(output(name, each) for name, each in planning.fields(nodes).items()),
        zone=_zone(planning, node),
        tested=tuple(having.tested),
        having=condition,
        order=tuple(plan_group_order(planning, entity, planning.argument(node, "order_by"), groupings)),
        limit=plan_page(planning, node, "limit"),
        offset=plan_page(planning, node, "offset"),
    )
    return GroupsOutput(key, groups)


def plan_group_order(
    planning: Planning, entity: Entity, value: Given | None, groupings: Sequence[Grouping], path: tuple[Hop, ...] = ()
) -> Iterable[GroupOrder]:
    """The orders in their turn: by `_count`, by functions of a column, by keys also of related tables."""
    for item in value.items() if value else ():
        for name, member in item.fields():
            if member.is_null:
                continue
            if name == "_count" and not path:
                yield GroupOrder(COUNT, *read_direction(member))
            elif column := entity.columns.get(name):
                for what, direction in member.fields():
                    if direction.is_null:
                        continue
                    found = _ordered_by(column, what, groupings, path)
                    yield from (GroupOrder(by, *read_direction(direction)) for by in found)
            elif name in entity.relations:
                hop = planning.hop(entity, name)
                yield from plan_group_order(planning, hop.target, member, groupings, (*path, hop))
            else:
                raise GroupingInvalid(f"Of a related table groups cannot be ordered by {name}.")


def _ordered_by(
    column: Column, what: str, groupings: Sequence[Grouping], path: tuple[Hop, ...]
) -> Sequence[Measure | int]:
    if what != "key" and path:
        raise GroupingInvalid(f"Of a related table groups cannot be ordered by {what}.")
    if what != "key":
        return [a_measure(cast("MeasureFunction", what), column)]
    found = [
        index
        for index, grouping in enumerate(groupings)
        if grouping.column == column and way_of(grouping.path) == way_of(path)
    ]
    if not found:
        raise GroupingInvalid(f"The groups are not made by {column.name}.")
    return found


def _groupings(planning: Planning, entity: Entity, items: Iterable[Given], path: tuple[Hop, ...]) -> Iterable[Grouping]:
    for item in items:
        for name, member in item.fields():
            if member.is_null:
                continue
            if column := entity.columns.get(name):
                bucket = str(member.plain())
                period = cast("Bucket", bucket) if bucket in _BUCKETS else None
                yield Grouping(path, column, period, as_id=period is None and is_key(entity.table, column))
            else:
                hop = planning.hop(entity, name)
                yield from _groupings(planning, hop.target, (member,), (*path, hop))


def way_of(path: tuple[Hop, ...]) -> tuple[Relation, ...]:
    return tuple(hop.relation for hop in path)


def _key(
    planning: Planning,
    entity: Entity,
    key: str,
    nodes: Sequence[FieldNode],
    groupings: Sequence[Grouping],
    path: tuple[Hop, ...],
) -> ObjectOutput:
    outputs: list[SummaryOutput] = []
    for name, each in planning.fields(nodes).items():
        field = each[0].name.value
        if field == "__typename":
            outputs.append(TypenameOutput(name, type_name(planning.model, entity, "key")))
        elif field in entity.columns:
            outputs.append(GroupingOutput(name, _index(planning, entity, each[0], groupings, path)))
        else:
            hop = planning.hop(entity, field)
            outputs.append(_key(planning, hop.target, name, each, groupings, (*path, hop)))
    return ObjectOutput(key, tuple(outputs))


def _index(
    planning: Planning, entity: Entity, node: FieldNode, groupings: Sequence[Grouping], path: tuple[Hop, ...]
) -> int:
    """Which grouping the field of a key shows: the first by its column, or that of the period in `to`."""
    name = node.name.value
    to = planning.argument(node, "to")
    period = None if to is None or to.is_null else str(to.plain())
    for index, grouping in enumerate(groupings):
        is_meant = period is None or period == (grouping.bucket or "value")
        if way_of(grouping.path) == way_of(path) and grouping.column == entity.columns[name] and is_meant:
            return index
    raise GroupingInvalid(f"The groups are not made by {name}{f' to the {period}' if period else ''}.")


def _zone(planning: Planning, node: FieldNode) -> Argument | None:
    value = planning.argument(node, "zone")
    return None if value is None or value.is_null else value.argument(TEXT)
