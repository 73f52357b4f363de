"""plan_list, plan_result: what a field selects of the rows of a table → a Read."""

from collections.abc import Sequence

from graphql import FieldNode

from db.catalog import Column, PgType
from schema.errors import AccessDenied, OperationError
from schema.expression.predicate import ALWAYS
from schema.model import Entity, Relation
from schema.query.building.scalars import is_key
from schema.query.plan import Argument, ColumnOutput, Output, Read, ReadOutput, TypenameOutput
from schema.query.planning.context import Planning
from schema.query.planning.filters import plan_filter
from schema.query.planning.orders import plan_ordering

INT8 = PgType("int8", "int8")


class InvalidPage(OperationError):
    """`limit` or `offset` is negative."""

    code = "INVALID_PAGE"


def plan_list(planning: Planning, entity: Entity, nodes: Sequence[FieldNode], relation: Relation | None = None) -> Read:
    """The rows of a root list, or of the collection that `relation` leads to."""
    node = nodes[0]
    return Read(
        entity=entity,
        grant=planning.grant(entity, "select"),
        outputs=plan_outputs(planning, entity, nodes),
        relation=relation,
        via=planning.via(relation) if relation else None,
        filter=plan_filter(planning, entity, planning.argument(node, "filter")),
        order=plan_ordering(planning, entity, planning.argument(node, "ordering")),
        limit=plan_page(planning, node, "limit"),
        offset=plan_page(planning, node, "offset"),
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


def plan_page(planning: Planning, node: FieldNode, name: str) -> Argument | None:
    """The value of `limit` or `offset`. Raises InvalidPage."""
    value = planning.argument(node, name)
    if value is None or value.is_null:
        return None

    def coerce(number: object) -> object:
        if not isinstance(number, int) or number < 0:
            raise InvalidPage(f"{name} must not be negative.")
        return number

    return value.argument(INT8, coerce)


def _output(planning: Planning, entity: Entity, key: str, nodes: Sequence[FieldNode]) -> Output:
    name = nodes[0].name.value
    if name == "__typename":
        return TypenameOutput(key, entity.name)
    if column := entity.columns.get(name):
        return ColumnOutput(key, column, as_id=is_key(entity.table, column))
    relation = entity.relations[name]
    target = planning.model.by_table[relation.target]
    if relation.many:
        return ReadOutput(key, plan_list(planning, target, nodes, relation))
    outputs = plan_outputs(planning, target, nodes)
    return ReadOutput(key, Read(target, planning.grant(target, "select"), outputs, relation=relation, many=False))
