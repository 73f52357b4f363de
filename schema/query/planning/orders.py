"""plan_ordering, plan_order_by: `ordering:` and `order_by:` → orders by columns, also by those of related rows."""

from typing import Final, cast

from db.catalog import Column
from schema.errors import OperationError, WrongType
from schema.expression.names import get_column, get_relation
from schema.expression.ordering import MAX_TERMS, OrderTerm, parse_ordering
from schema.expression.totality import fence
from schema.expression.types import NUMBERS, TEXTS, is_ordered
from schema.model import Entity
from schema.names import column_members
from schema.query.plan import AggregateFunction, Hop, Order
from schema.query.planning.context import Planning
from schema.query.planning.given import Given, texts
from schema.query.planning.where import plan_where

MAX_PATH: Final = 16
#: min and max of other types are not known to every PostgreSQL.
_HAVE_EXTREMES: Final = (
    NUMBERS | TEXTS | {"date", "time", "timetz", "timestamp", "timestamptz", "interval", "money", "inet", "oid"}
)
_HAVE_SUMS: Final = NUMBERS | {"interval"}


class InvalidOrder(OperationError):
    """An `order_by` that names no column to take the maximum of, or goes on for too long."""

    code = "INVALID_ORDER"


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


def plan_order_by(planning: Planning, entity: Entity, value: Given | None) -> tuple[Order, ...]:
    """The orders in their turn; null in place of a direction or an object is none. Raises WrongType, InvalidOrder."""
    entries = value.items() if value is not None else ()
    orders = tuple(order for entry in entries for order in _orders(planning, entity, entry, ()))
    if len(orders) > MAX_TERMS:
        raise InvalidOrder(f"An order has at most {MAX_TERMS} columns.")
    return orders


def plan_distinct_on(planning: Planning, entity: Entity, value: Given | None) -> tuple[Column, ...]:
    """The columns in which rows must differ. Raises WrongType where values of one cannot be compared."""
    members = column_members(entity)
    columns = [members[str(item.plain())] for item in (value.items() if value is not None else ())]
    for column in columns:
        _refuse_unordered(column)
    return tuple(dict.fromkeys(columns))


def _orders(planning: Planning, entity: Entity, value: Given, path: tuple[Hop, ...]) -> list[Order]:
    if len(path) > MAX_PATH:
        raise InvalidOrder(f"An order leads through at most {MAX_PATH} relations.")
    orders: list[Order] = []
    for name, given in value.fields():
        if given.is_null:
            continue
        if column := entity.columns.get(name):
            _refuse_unordered(column)
            orders.append(Order(path, column, *read_direction(given)))
            continue
        hop = planning.hop(entity, name)
        if hop.relation.many:
            orders.append(_aggregate_order(planning, hop, given, path))
        else:
            orders += _orders(planning, hop.target, given, (*path, hop))
    return orders


def _aggregate_order(planning: Planning, hop: Hop, value: Given, path: tuple[Hop, ...]) -> Order:
    """`{function: max, column: dep_delay, direction: desc, where: …}` on a collection."""
    parts = {name: given for name, given in value.fields() if not given.is_null}
    function = cast("AggregateFunction", parts["function"].plain())
    column = hop.target.table.columns[0]
    if "column" in parts:
        column = column_members(hop.target)[str(parts["column"].plain())]
    elif function != "count":
        raise InvalidOrder(f"An order by {function} needs a column.")
    allowed = {"min": _HAVE_EXTREMES, "max": _HAVE_EXTREMES, "avg": _HAVE_SUMS, "sum": _HAVE_SUMS}.get(function)
    if allowed is not None and not (column.type.base in allowed or (column.type.kind == "enum" and function[0] == "m")):
        raise WrongType(f"There is no {function} of {column.name}, whose type is {column.type.name}.")
    descending, nulls_first = read_direction(parts["direction"]) if "direction" in parts else (False, None)
    hop = planning.counted(hop)
    where = fence(hop.grant, plan_where(planning, hop.target, parts.get("where")))
    return Order((*path, hop), column, descending, nulls_first, function, where, counts_rows="column" not in parts)


def read_direction(value: Given) -> tuple[bool, bool | None]:
    """Whether it goes down, and whether nulls stand first."""
    direction, _, nulls = str(value.plain()).partition("_nulls_")
    return direction == "desc", {"first": True, "last": False}.get(nulls)


def _refuse_unordered(column: Column) -> None:
    if not is_ordered(column.type):
        raise WrongType(f"The values of {column.name} have no order: its type is {column.type.name}.")
