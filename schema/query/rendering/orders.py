"""render_orders: the values that rows are ordered by, and the joins that they need; order_clause: `order by`.

To-one relations are joined, once for all orders that lead over them; what is made of the rows of a collection is a
subselect.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from db.sql import Sql, join, name, sql
from schema.query.plan import Hop, Order
from schema.query.rendering.context import Rendering
from schema.query.rendering.predicate import behind, render_source

_FUNCTIONS = {"avg": sql("avg"), "count": sql("count"), "max": sql("max"), "min": sql("min"), "sum": sql("sum")}


@dataclass(frozen=True, slots=True)
class Ordered:
    """A value for each order, and `left join`s behind the rows themselves."""

    values: tuple[Sql, ...]
    joins: Sql


def render_orders(rendering: Rendering, orders: Sequence[Order], alias: str) -> Ordered:
    """By what the rows of `alias` are ordered."""
    joins: dict[tuple[str, ...], tuple[str, Sql]] = {}
    values = tuple(_value(rendering, order, alias, joins) for order in orders)
    return Ordered(values, join("", [each for _, each in joins.values()]))


def is_plain(order: Order) -> bool:
    """Whether it is by a column of the rows themselves."""
    return not order.path


def named_values(orders: Sequence[Order], alias: str) -> tuple[Sql, ...]:
    """The same values, of rows that a subquery gave: all that are no plain columns are called o0, o1 … there."""
    return tuple(
        name(alias, order.column.name if is_plain(order) else f"o{index}") for index, order in enumerate(orders)
    )


def order_clause(
    orders: Sequence[Order], values: Sequence[Sql], *, backward: bool = False, first: Sql | None = None
) -> Sql:
    """` order by …`, or nothing; `first` goes before the orders, `backward` turns them round."""
    terms = [*([first] if first is not None else ())]
    for order, value in zip(orders, values, strict=True):
        descending = order.descending != backward
        nulls_first = has_nulls_first(order) != backward
        terms.append(sql("{value}{direction}", value=value, direction=_DIRECTIONS[descending, nulls_first]))
    return sql(" order by {terms}", terms=join(", ", terms)) if terms else sql("")


def has_nulls_first(order: Order) -> bool:
    return order.descending if order.nulls_first is None else order.nulls_first


_DIRECTIONS = {
    (False, False): sql(""),
    (False, True): sql(" nulls first"),
    (True, True): sql(" desc"),
    (True, False): sql(" desc nulls last"),
}


def _value(rendering: Rendering, order: Order, alias: str, joins: dict[tuple[str, ...], tuple[str, Sql]]) -> Sql:
    path: tuple[str, ...] = ()
    for place, hop in enumerate(order.path):
        if hop.relation.many:
            return _made_of(rendering, order, order.path[place:], alias)
        path += (hop.relation.name,)
        if path not in joins:
            inner = rendering.aliases.new(hop.target)
            joins[path] = (
                inner,
                sql(
                    " left join {source} on {meets} and {grant}",
                    source=render_source(hop.relation, hop.target, inner, rendering.aliases),
                    meets=rendering.link(hop.relation, alias, inner, hop.via),
                    grant=rendering.condition(hop.grant, hop.target, inner),
                ),
            )
        alias = joins[path][0]
    return name(alias, order.column.name)


def _made_of(rendering: Rendering, order: Order, path: tuple[Hop, ...], alias: str) -> Sql:
    """What a function makes of the rows of a collection; if none is named, the first value in the order's direction."""
    hop, *rest = path
    inner = rendering.aliases.new(hop.target)
    if rest:
        value = _made_of(rendering, order, tuple(rest), inner)
    else:
        value = sql("*") if order.counts_rows else name(inner, order.column.name)
    function = order.function or ("max" if order.descending else "min")
    if hop.relation.many:
        value = sql("{function}({value})", function=_FUNCTIONS[function], value=value)
    meets = rendering.link(hop.relation, alias, inner, hop.via)
    where = order.where if order.function else hop.grant
    return sql(
        "(select {value} from {source} where {all})",
        value=value,
        source=render_source(hop.relation, hop.target, inner, rendering.aliases),
        all=join(" and ", behind([meets], where, rendering.condition(where, hop.target, inner))),
    )
