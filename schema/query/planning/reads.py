"""plan_list, plan_result: what a field selects of the rows of a table → a Read."""

from collections.abc import Sequence
from dataclasses import replace

from graphql import FieldNode

from db.catalog import Column
from schema.errors import AccessDenied
from schema.expression.predicate import ALWAYS, Predicate, all_of
from schema.model import Entity, Relation
from schema.query.building.scalars import is_key
from schema.query.plan import Argument, ColumnOutput, CompositeOutput, Output, Read, ReadOutput, TypenameOutput
from schema.query.planning import calls
from schema.query.planning.attributes import is_composite, plan_attributes
from schema.query.planning.context import Planning
from schema.query.planning.filters import plan_filter
from schema.query.planning.orders import plan_distinct_on, plan_order_by, plan_ordering
from schema.query.planning.pages import plan_pages
from schema.query.planning.where import plan_where


def plan_list(planning: Planning, entity: Entity, nodes: Sequence[FieldNode], relation: Relation | None = None) -> Read:
    """The rows of a root list, or of the collection that `relation` leads to."""
    rows = plan_rows(planning, entity, nodes[0], plan_outputs(planning, entity, nodes), relation)
    return replace(rows, max_rows=planning.max_rows(entity))


def plan_rows(
    planning: Planning,
    entity: Entity,
    node: FieldNode,
    outputs: tuple[Output, ...],
    relation: Relation | None = None,
    *,
    by_keys: bool = False,
    grant: Predicate | None = None,
) -> Read:
    """The rows that the arguments of a field pick and order: `filter` and `where`, `ordering` and `order_by`,
    `distinct_on`, and a page of them. `by_keys` makes it a page that has cursors, whatever is given; `grant`
    takes the place of the one on the entity."""
    order = (
        *plan_ordering(planning, entity, planning.argument(node, "ordering")),
        *plan_order_by(planning, entity, planning.argument(node, "order_by")),
    )
    page = plan_pages(planning, entity, node, order, by_keys=by_keys)
    return Read(
        entity=entity,
        grant=planning.grant(entity, "select") if grant is None else grant,
        outputs=outputs,
        relation=relation,
        via=planning.via(relation) if relation else None,
        filter=all_of(
            plan_filter(planning, entity, planning.argument(node, "filter")),
            plan_where(planning, entity, planning.argument(node, "where")),
        ),
        order=page.order,
        limit=page.limit,
        offset=page.offset,
        distinct_on=plan_distinct_on(planning, entity, planning.argument(node, "distinct_on")),
        keyset=page.keyset,
    )


def plan_result(
    planning: Planning, entity: Entity, nodes: Sequence[FieldNode], key: tuple[tuple[Column, Argument], ...]
) -> Read:
    """The written row as the caller may see it; without a grant to select, its key alone."""
    try:
        grant = planning.grant(entity, "select")
    except AccessDenied:
        grant = ALWAYS
    return Read(entity, grant, plan_outputs(planning, entity, nodes), key=key, many=False)


def plan_outputs(planning: Planning, entity: Entity, nodes: Sequence[FieldNode]) -> tuple[Output, ...]:
    """What is selected of each row."""
    return tuple(_output(planning, entity, key, each) for key, each in planning.fields(nodes).items())


def _output(planning: Planning, entity: Entity, key: str, nodes: Sequence[FieldNode]) -> Output:
    name = nodes[0].name.value
    if name == "__typename":
        return TypenameOutput(key, entity.name)
    if column := entity.columns.get(name):
        if is_composite(column.type) and not is_key(entity.table, column):
            return CompositeOutput(key, column, plan_attributes(planning, column.type, nodes))
        return ColumnOutput(key, column, as_id=is_key(entity.table, column))
    if routine := entity.computed.get(name):
        return calls.plan_computed(planning, entity, routine, key, nodes)
    relation = entity.relations[name]
    target = planning.model.by_table[relation.target]
    if relation.many:
        return ReadOutput(key, plan_list(planning, target, nodes, relation))
    outputs = plan_outputs(planning, target, nodes)
    return ReadOutput(key, Read(target, planning.grant(target, "select"), outputs, relation=relation, many=False))
