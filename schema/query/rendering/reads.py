"""render_list, render_one: a Read → the JSON of its rows.

Rows are filtered, ordered and cut first, in a subquery of their own; only then are children joined to what is left.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import assert_never

from db.catalog import Column
from db.sql import Sql, concatenate, join, json_text, name, slot, sql
from schema.expression.predicate import ALWAYS, Constant, all_of
from schema.expression.totality import parted
from schema.expression.types import INT8
from schema.query.plan import (
    Argument,
    Call,
    CallOutput,
    ColumnOutput,
    CompositeOutput,
    Groups,
    Output,
    Read,
    ReadOutput,
    TypenameOutput,
)
from schema.query.rendering import calls
from schema.query.rendering.context import Rendering
from schema.query.rendering.json import render_array, render_column, render_composite
from schema.query.rendering.keyset import may_fail, within_page
from schema.query.rendering.orders import Ordered, is_plain, named_values, order_clause, render_orders
from schema.query.rendering.predicate import behind, render_argument, render_source, render_table


def render_list(rendering: Rendering, read: Read, parent: str) -> Sql:
    """A JSON array, `[]` where there is no row."""
    alias = rendering.aliases.new(read.entity)
    row, joins = _row(rendering, read, alias)
    rows = render_rows(rendering, read, alias, parent, joins)
    if not read.order or (_is_cut_in_order(read) and not joins):
        return render_array(row, rows.source, max_rows=read.max_rows)
    ordered = sql(
        "(select {row} as j from {source}{order}) as r",
        row=row,
        source=rows.source,
        order=order_clause(read.order, rows.values),
    )
    return render_array(sql("r.j"), ordered, max_rows=read.max_rows)


@dataclass(frozen=True, slots=True)
class Rows:
    """What stands behind `from`: the rows of a read, cut to its page, with what is joined to them; and the values by
    which they are to be ordered."""

    source: Sql
    values: tuple[Sql, ...]


def render_rows(rendering: Rendering, read: Read, alias: str, parent: str, joins: Sequence[Sql]) -> Rows:
    """The rows of a read under `alias`, with `joins` behind those that are left of them."""
    if is_cut(read):
        cut = _cut(rendering, read, alias, parent)
        return Rows(sql("{cut}{joins}", cut=cut, joins=join("", joins)), named_values(read.order, alias))
    ordered = render_orders(rendering, read.order, alias)
    source = sql(
        "{rows}{orders}{joins}{where}",
        rows=_rows(rendering, read, alias, parent),
        orders=ordered.joins,
        joins=join("", joins),
        where=where_clause(rendering, read, alias, parent),
    )
    return Rows(source, ordered.values)


def is_cut(read: Read) -> bool:
    """Whether only some of the rows are wanted."""
    pages = read.limit is not None or read.offset is not None or read.max_rows is not None
    return bool(pages or read.distinct_on or read.keyset)


def _is_cut_in_order(read: Read) -> bool:
    """Whether the subquery of the page gives its rows in their order, which only joins behind it might change."""
    return is_cut(read) and not (read.keyset is not None and read.keyset.backward)


def render_one(rendering: Rendering, read: Read, source: Sql | None = None) -> Sql:
    """The object of the row with the read's key, or `null`."""
    alias = rendering.aliases.new(read.entity)
    row, joins = _row(rendering, read, alias)
    return sql(
        "coalesce((select {row} from {source}{joins}{where}), 'null')",
        row=row,
        source=render_table(read.entity, alias, rendering.aliases, source),
        joins=join("", joins),
        where=where_clause(rendering, read, alias, ""),
    )


def render_written(rendering: Rendering, read: Read, source: Sql, json: Callable[[Sql], Sql]) -> Sql:
    """What is selected of rows that a statement has just written, which `source` holds: `json` of a row's object, which
    is `null` for a row that the caller may not see."""
    alias = rendering.aliases.new(read.entity)
    row, joins = _row(rendering, read, alias)
    if read.grant != ALWAYS:
        seen = rendering.condition(read.grant, read.entity, alias)
        row = sql("case when {seen} then {row} else 'null' end", seen=seen, row=row)
    return sql(
        "select {json} from {source}{joins}",
        json=json(row),
        source=render_table(read.entity, alias, rendering.aliases, source),
        joins=join("", joins),
    )


def render_columns(rendering: Rendering, read: Read, alias: str) -> tuple[Sql, list[Sql]]:
    """The JSON object of the row that stands under the alias, and the joins that its to-one fields need."""
    return _row(rendering, read, alias)


def _row(rendering: Rendering, read: Read, alias: str) -> tuple[Sql, list[Sql]]:
    """The JSON object of a row, and the joins that its to-one fields need."""
    parts: list[Sql] = []
    joins: list[Sql] = []
    for index, output in enumerate(read.outputs):
        parts.append(json_text('{"' if index == 0 else ',"', (output.key,), '":'))
        parts.append(_value(rendering, output, alias, joins))
    parts.append(json_text("}") if read.outputs else json_text("{}"))
    return concatenate(parts), joins


def _value(rendering: Rendering, output: Output, alias: str, joins: list[Sql]) -> Sql:
    match output:
        case ColumnOutput(_, column, as_id):
            return render_column(name(alias, column.name), column, as_id=as_id)
        case CompositeOutput(_, column, attributes):
            return render_composite(name(alias, column.name), column.type, attributes)
        case TypenameOutput(_, type_name):
            return json_text('"', (type_name,), '"')
        case CallOutput(_, value):
            return calls.render_call_value(value, alias)
        case ReadOutput(_, read) if read.call is not None:
            return calls.render_rows(rendering, read, alias)
        case ReadOutput(_, read) if read.many:
            return render_list(rendering, read, parent=alias)
        case ReadOutput(_, read):
            return _to_one(rendering, read, alias, joins)
        case _:
            assert_never(output)


def _to_one(rendering: Rendering, read: Read, parent: str, joins: list[Sql]) -> Sql:
    assert read.relation is not None
    alias = rendering.aliases.new(read.entity)
    joins.append(
        sql(
            " left join {source} on {meets} and {grant}",
            source=render_source(read.relation, read.entity, alias, rendering.aliases),
            meets=rendering.link(read.relation, parent, alias, read.via),
            grant=rendering.condition(read.grant, read.entity, alias),
        )
    )
    row, inner_joins = _row(rendering, read, alias)
    joins.extend(inner_joins)
    missing = name(alias, read.relation.target_columns[0])
    return sql("case when {missing} is null then 'null' else {row} end", missing=missing, row=row)


def _rows(rendering: Rendering, read: Read, alias: str, parent: str) -> Sql:
    if read.call is not None:
        return render_table(read.entity, alias, rendering.aliases, calls.render_source(read.call, parent))
    if parent and read.relation is not None:
        return render_source(read.relation, read.entity, alias, rendering.aliases)
    return render_table(read.entity, alias, rendering.aliases)


def where_clause(
    rendering: Rendering, read: Read, alias: str, parent: str, further: Sequence[Sql] = (), *, fenced: bool = False
) -> Sql:
    """` where …`, or nothing. What of the filter can raise, and `further` conditions if `fenced`, are evaluated on no
    row that the grant hides, or that is reached only over a row of a junction that is hidden."""
    conditions: list[Sql] = []
    if parent and read.relation is not None:
        conditions.append(rendering.link(read.relation, parent, alias, read.via))
    conditions.extend(key_conditions(read.key, alias))
    if read.call is not None:
        # A function that gives null gives a row of nulls.
        conditions.append(sql("not ({row} is null)", row=name(alias)))
    safe, risky = parted(read.filter or ALWAYS)
    if (guard := all_of(read.grant, safe)) != ALWAYS:
        conditions.append(rendering.condition(guard, read.entity, alias))
    guards = conditions
    if risky != ALWAYS:
        conditions = behind(guards, risky, rendering.condition(risky, read.entity, alias))
    if further and fenced and guards:
        further = [sql("(case when {guards} then {all} end)", guards=join(" and ", guards), all=join(" and ", further))]
    conditions = [*conditions, *further]
    return sql(" where {all}", all=join(" and ", conditions)) if conditions else sql("")


def _cut(rendering: Rendering, read: Read, alias: str, parent: str) -> Sql:
    """The rows of the page, as a subquery of the columns that are needed of them."""
    backward = read.keyset is not None and read.keyset.backward
    if not read.distinct_on:
        ordered = render_orders(rendering, read.order, alias)
        within = within_page(read.keyset, read.order, ordered.values) if read.keyset else []
        return sql(
            "(select {columns} from {rows}{joins}{where}{order}{limit}{offset}) as {alias}",
            columns=_cut_columns(read, alias, ordered),
            rows=_rows(rendering, read, alias, parent),
            joins=ordered.joins,
            where=where_clause(rendering, read, alias, parent, within, fenced=may_fail(read.order)),
            order=order_clause(read.order, ordered.values, backward=backward),
            limit=limit_of(read),
            offset=page(sql(" offset "), read.offset),
            alias=name(alias),
        )
    values = named_values(read.order, alias)
    within = within_page(read.keyset, read.order, values) if read.keyset else []
    return sql(
        "(select * from {rows}{within}{order}{limit}{offset}) as {alias}",
        rows=_distinct(rendering, read, alias, parent),
        within=sql(" where {all}", all=join(" and ", within)) if within else sql(""),
        order=order_clause(read.order, values, backward=backward),
        limit=limit_of(read),
        offset=page(sql(" offset "), read.offset),
        alias=name(alias),
    )


def _distinct(rendering: Rendering, read: Read, alias: str, parent: str) -> Sql:
    """Of rows that are equal in the columns of `distinct_on` the first, as a subquery. DISTINCT ON needs an order that
    begins with its columns; what is left is put into the wanted one afterwards."""
    ordered = render_orders(rendering, read.order, alias)
    distinct = join(", ", [name(alias, column.name) for column in read.distinct_on])
    return sql(
        "(select distinct on ({distinct}) {columns} from {rows}{joins}{where}{first}) as {alias}",
        distinct=distinct,
        columns=_cut_columns(read, alias, ordered),
        rows=_rows(rendering, read, alias, parent),
        joins=ordered.joins,
        where=where_clause(rendering, read, alias, parent),
        first=order_clause(read.order, ordered.values, first=distinct),
        alias=name(alias),
    )


def _cut_columns(read: Read, alias: str, ordered: Ordered) -> Sql:
    columns = [name(alias, column) for column in _needed_columns(read)]
    keys = [
        sql("{value} as {key}", value=value, key=name(f"o{index}"))
        for index, (order, value) in enumerate(zip(read.order, ordered.values, strict=True))
        if not is_plain(order)
    ]
    return join(", ", [*columns, *keys])


def exists_row(
    rendering: Rendering, read: Read, parent: str, among: Callable[[Sequence[Sql]], list[Sql]], after: Sql | None = None
) -> Sql:
    """Whether there is a row, of all that the read's pages together have, that satisfies the conditions which `among`
    makes of the values rows are ordered by; with `after` beside that many others."""
    alias = rendering.aliases.new(read.entity)
    if read.distinct_on:
        conditions = among(named_values(read.order, alias))
        source = sql(
            "{rows}{where}",
            rows=_distinct(rendering, read, alias, parent),
            where=sql(" where {all}", all=join(" and ", conditions)) if conditions else sql(""),
        )
    else:
        ordered = render_orders(rendering, read.order, alias)
        conditions = among(ordered.values)
        source = sql(
            "{rows}{joins}{where}",
            rows=_rows(rendering, read, alias, parent),
            joins=ordered.joins if conditions else sql(""),
            where=where_clause(rendering, read, alias, parent, conditions, fenced=may_fail(read.order)),
        )
    offset = sql("") if after is None else sql(" offset {after}", after=after)
    return sql("exists (select from {source}{offset})", source=source, offset=offset)


def _needed_columns(read: Read) -> list[str]:
    """The columns of a cut row that its outputs, relations and order use."""
    needed: dict[str, None] = {}
    for output in read.outputs:
        match output:
            case ColumnOutput(_, column, _) | CompositeOutput(_, column, _):
                needed[column.name] = None
            case CallOutput() | ReadOutput(_, Read(call=Call())):
                # A computed field takes the whole row.
                needed.update(dict.fromkeys(column.name for column in read.entity.table.columns))
            case ReadOutput(_, nested) if nested.relation:
                needed.update(dict.fromkeys(nested.relation.columns))
            case _:
                pass
    needed.update(dict.fromkeys(order.column.name for order in read.order if not order.path))
    return list(needed) or [read.entity.table.columns[0].name]


def key_conditions(key: Sequence[tuple[Column, Argument]], alias: str) -> list[Sql]:
    return [
        sql("{column} = {value}", column=name(alias, column.name), value=render_argument(value))
        for column, value in key
    ]


def limit_of(read: Read | Groups) -> Sql:
    """` limit …`, or nothing. Where there are too many rows, one more than may be is enough to know."""
    if read.max_rows is None:
        return page(sql(" limit "), read.limit)
    enough = slot(Constant(read.max_rows + 1, INT8), "int8")
    if read.limit is None:
        return sql(" limit {enough}", enough=enough)
    return sql(" limit least({limit}, {enough})", limit=render_argument(read.limit), enough=enough)


def page(word: Sql, value: Argument | None) -> Sql:
    return sql("") if value is None else sql("{word}{value}", word=word, value=render_argument(value))
