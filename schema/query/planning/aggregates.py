"""plan_aggregates: the functions asked of `Aggregates`, each over what its subquery picks."""

from collections.abc import Iterable, Sequence

from graphql import FieldNode

from schema.expression.predicate import all_of
from schema.model import Entity
from schema.query.building.schema import QuerySchema
from schema.query.plan import Aggregate, Aggregates, Fixed, FlatColumn, Hop, Read
from schema.query.planning.context import Planning
from schema.query.planning.filters import plan_filter
from schema.query.planning.given import texts
from schema.query.planning.orders import plan_ordering
from schema.query.planning.pages import plan_page
from schema.query.planning.subquery import (
    SubqueryInvalid,
    as_function,
    distinct_names,
    read_subquery,
    result_entity,
)


def plan_aggregates(planning: Planning, schema: QuerySchema, nodes: Sequence[FieldNode]) -> Aggregates:
    fields = planning.fields(nodes)
    return Aggregates(tuple((key, _aggregate(planning, schema, each[0])) for key, each in fields.items()))


def _aggregate(planning: Planning, schema: QuerySchema, node: FieldNode) -> Aggregate | Fixed:
    function = node.name.value
    if function == "__typename":
        return Fixed('"Aggregates"')
    value = planning.argument(node, "subquery")
    text = value.plain() if value is not None else ""
    root, fragments = read_subquery(text if isinstance(text, str) else "", schema)
    entity = schema.fields[root.name.value].entity
    inner = Planning(planning.model, planning.grants, fragments, {})
    columns = tuple(_flat_columns(inner, entity, [root], (), ""))
    result = result_entity(as_function(function), columns)
    read = Read(
        entity=entity,
        grant=planning.grant(entity, "select"),
        outputs=(),
        filter=all_of(
            plan_filter(inner, entity, inner.argument(root, "filter")),
            plan_filter(planning, entity, planning.argument(node, "filter")),
        ),
        order=plan_ordering(planning, result, planning.argument(node, "ordering")),
        limit=plan_page(planning, node, "limit"),
        offset=plan_page(planning, node, "offset"),
    )
    return Aggregate(
        function=as_function(function),
        read=read,
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
