"""plan_aggregates: the functions asked of `Aggregates`, each over what its subquery picks, and summaries of tables."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from graphql import FieldNode

from schema.expression.predicate import ALWAYS, all_of
from schema.model import Entity
from schema.policy import COMPARE
from schema.query.building.schema import QuerySchema
from schema.query.plan import Aggregate, Aggregates, Fixed, FlatColumn, Hop, Read, Summary
from schema.query.planning.context import Planning
from schema.query.planning.filters import plan_filter
from schema.query.planning.given import texts
from schema.query.planning.orders import plan_ordering
from schema.query.planning.pages import plan_page
from schema.query.planning.reads import plan_rows
from schema.query.planning.subquery import (
    SubqueryInvalid,
    as_function,
    distinct_names,
    read_subquery,
    result_entity,
)
from schema.query.planning.summary import plan_summary


def plan_aggregates(planning: Planning, schema: QuerySchema, nodes: Sequence[FieldNode]) -> Aggregates:
    fields = planning.fields(nodes)
    return Aggregates(tuple((key, _output(planning, schema, each)) for key, each in fields.items()))


def _output(planning: Planning, schema: QuerySchema, nodes: Sequence[FieldNode]) -> Aggregate | Summary | Fixed:
    name = nodes[0].name.value
    if name == "__typename":
        return Fixed('"Aggregates"')
    if name in schema.aggregates:
        return plan_summary(planning, schema.aggregates[name], nodes)
    return _aggregate(planning, schema, nodes[0])


def _aggregate(planning: Planning, schema: QuerySchema, node: FieldNode) -> Aggregate:
    function = node.name.value
    value = planning.argument(node, "subquery")
    text = value.plain() if value is not None else ""
    root, fragments = read_subquery(text if isinstance(text, str) else "", schema)
    entity = schema.fields[root.name.value].entity
    inner = Planning(planning.model, planning.grants, fragments, {})
    columns = tuple(_flat_columns(inner, entity, [root], (), ""))
    result = result_entity(as_function(function), columns)
    rows = plan_rows(inner, entity, root, (), grant=planning.grant(entity, COMPARE))
    own_filter = plan_filter(planning, entity, planning.argument(node, "filter"))
    read = Read(
        entity=entity,
        grant=rows.grant,
        outputs=(),
        filter=all_of(rows.filter or ALWAYS, own_filter),
        order=plan_ordering(planning, result, planning.argument(node, "ordering")),
        limit=plan_page(planning, node, "limit"),
        offset=plan_page(planning, node, "offset"),
        max_rows=planning.max_rows(entity, COMPARE),
    )
    return Aggregate(
        function=as_function(function),
        read=read,
        page=replace(rows, filter=read.filter),
        columns=columns,
        distinct_on=distinct_names(texts(planning.argument(node, "distincton")), columns),
        result=result,
        having=plan_filter(planning, result, planning.argument(node, "having")),
    )


def _flat_columns(
    planning: Planning, entity: Entity, nodes: Sequence[FieldNode], path: tuple[Hop, ...], prefix: str
) -> Iterable[FlatColumn]:
    """The columns that a subquery selects, those of to-one relations as `<relation>_<column>`."""
    for key, each in planning.fields(nodes).items():
        name = each[0].name.value
        if column := entity.columns.get(name):
            yield FlatColumn(prefix + key, path, column)
        elif relation := entity.relations.get(name):
            if relation.many:
                raise SubqueryInvalid(f"An aggregate cannot group by the collection {name}.")
            hop = planning.hop(entity, name)
            yield from _flat_columns(planning, hop.target, each, (*path, hop), f"{prefix}{key}_")
