"""plan_ordering: the entries of `ordering:` → orders by columns, also by those that relations lead to."""

from schema.expression.names import get_column, get_relation
from schema.expression.ordering import OrderTerm, parse_ordering
from schema.model import Entity
from schema.query.plan import Hop, Order
from schema.query.planning.context import Planning
from schema.query.planning.given import Given, texts


def plan_ordering(planning: Planning, entity: Entity, value: Given | None) -> tuple[Order, ...]:
    """The orders in their turn. Raises ExpressionSyntaxError, UnknownColumn."""
    return tuple(_order(planning, entity, term) for term in parse_ordering(texts(value)))


def _order(planning: Planning, entity: Entity, term: OrderTerm) -> Order:
    path: list[Hop] = []
    for step in term.path[:-1]:
        relation, _ = get_relation(entity, step, planning.model)
        path.append(planning.hop(entity, relation.name))
        entity = path[-1].target
    return Order(tuple(path), get_column(entity, term.path[-1]), term.descending)
