"""Pages by keys: which rows lie behind a cursor, and the cursor of a row.

With the order `a, b desc` the rows behind (1, 2) are those where `a > 1 or a = 1 and b < 2`. Nulls stand where the
order says; whether a cursor holds one is known when the plan is made, so that each comparison is as simple as can be.
"""

from collections.abc import Sequence

from db.sql import Sql, join, slot, sql
from schema.expression.predicate import CursorValue
from schema.expression.totality import can_raise
from schema.query.cursors import CursorPad
from schema.query.plan import Bound, Keyset, Order
from schema.query.rendering.orders import has_nulls_first, is_plain
from schema.query.rendering.predicate import render_argument


def within_page(keyset: Keyset, orders: Sequence[Order], values: Sequence[Sql]) -> list[Sql]:
    """The conditions on rows between the page's cursors; `values` are those that the rows are ordered by."""
    conditions: list[Sql] = []
    if keyset.after is not None:
        conditions.append(_beyond(keyset.after, orders, values, backward=False))
    if keyset.before is not None:
        conditions.append(_beyond(keyset.before, orders, values, backward=True))
    return conditions


def outside_page(bound: Bound, orders: Sequence[Order], values: Sequence[Sql], *, backward: bool) -> Sql:
    """The condition on rows that a cursor shuts out: its own, and those in front of it (with `backward`, behind)."""
    ties = [_tie(value, argument) for value, argument in zip(values, bound.values, strict=True)]
    return sql(
        "({beyond} or ({ties}))",
        beyond=_beyond(bound, orders, values, backward=not backward),
        ties=join(" and ", ties),
    )


def may_fail(orders: Sequence[Order]) -> bool:
    """Whether finding the values of a row can fail, so that no row that policy hides may be asked for them."""
    return any(order.function in {"sum", "avg"} or can_raise(order.where) for order in orders)


def render_cursor(keyset: Keyset, values: Sequence[Sql]) -> Sql:
    """The cursor of a row, by the values it is ordered by: text that `CursorKey.read` reads."""
    texts = join(", ", [sql("{value}::text", value=value) for value in values])
    return sql(
        "(select translate(encode(sha256({outer} || sha256({inner} || c.v)) || c.v, 'base64'), '+/=' || chr(10), '-_')"
        " from (select convert_to(json_build_array({texts})::text, 'UTF8') as v) as c)",
        outer=slot(CursorPad(keyset.context, "outer"), "bytea"),
        inner=slot(CursorPad(keyset.context, "inner"), "bytea"),
        texts=texts,
    )


def _beyond(bound: Bound, orders: Sequence[Order], values: Sequence[Sql], *, backward: bool) -> Sql:
    terms = list(zip(orders, values, bound.values, strict=True))
    if row := _row_comparison(terms, backward=backward):
        return row
    ways: list[Sql] = []
    ties: list[Sql] = []
    for order, value, argument in terms:
        step = _step(order, value, argument, backward=backward)
        if step is not None:
            ways.append(join(" and ", [*ties, step]))
        ties.append(_tie(value, argument))
    if not ways:
        return sql("false")
    found = sql("({ways})", ways=join(" or ", [sql("({way})", way=way) for way in ways]))
    edge = _edge(*terms[0], backward=backward) if len(terms) > 1 else None
    return sql("({edge} and {found})", edge=edge, found=found) if edge is not None else found


def _row_comparison(terms: Sequence[tuple[Order, Sql, CursorValue | None]], *, backward: bool) -> Sql | None:
    """`(a, b) > ($1, $2)`, which an index on both serves; where all go one way and none can be null."""
    descending = {order.descending for order, _, _ in terms}
    if len(descending) > 1 or any(argument is None or _may_be_null(order) for order, _, argument in terms):
        return None
    arguments = [render_argument(argument) for _, _, argument in terms if argument is not None]
    return sql(
        "(({values}) {operator} ({arguments}))",
        values=join(", ", [value for _, value, _ in terms]),
        operator=sql("<") if descending.pop() != backward else sql(">"),
        arguments=join(", ", arguments),
    )


def _step(order: Order, value: Sql, argument: CursorValue | None, *, backward: bool) -> Sql | None:
    """The condition on a value to come behind that of the cursor. None: there is no such value."""
    nulls_first = has_nulls_first(order) != backward
    if argument is None:
        return sql("{value} is not null", value=value) if nulls_first else None
    further = sql(
        "{value} {operator} {argument}",
        value=value,
        operator=sql("<") if order.descending != backward else sql(">"),
        argument=render_argument(argument),
    )
    if nulls_first or not _may_be_null(order):
        return further
    return sql("({further} or {value} is null)", further=further, value=value)


def _tie(value: Sql, argument: CursorValue | None) -> Sql:
    if argument is None:
        return sql("{value} is null", value=value)
    return sql("{value} = {argument}", value=value, argument=render_argument(argument))


def _edge(order: Order, value: Sql, argument: CursorValue | None, *, backward: bool) -> Sql | None:
    """What every row beyond satisfies by its first value alone: where an index on it begins to read."""
    if argument is None or not is_plain(order) or (_may_be_null(order) and has_nulls_first(order) == backward):
        return None
    return sql(
        "{value} {operator} {argument}",
        value=value,
        operator=sql("<=") if order.descending != backward else sql(">="),
        argument=render_argument(argument),
    )


def _may_be_null(order: Order) -> bool:
    return order.function != "count" if order.function else bool(order.path) or not order.column.not_null
