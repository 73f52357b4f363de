"""render_list, render_one: a Read → the JSON of its rows.

Rows are filtered, ordered and cut first, in a subquery of their own; only then are children joined to what is left.
"""

from collections.abc import Sequence
from typing import assert_never

from db.catalog import Column
from db.sql import Sql, concatenate, join, json_text, name, sql
from schema.expression.predicate import ALWAYS, all_of
from schema.expression.totality import can_raise
from schema.query.plan import Argument, ColumnOutput, Order, Output, Read, ReadOutput, TypenameOutput
from schema.query.rendering.context import Rendering
from schema.query.rendering.json import render_column
from schema.query.rendering.predicate import behind, render_argument, render_source, table_name


def render_list(rendering: Rendering, read: Read, parent: str) -> Sql:
    """A JSON array, `[]` where there is no row."""
    alias = rendering.aliases.new(read.entity)
    row, joins = _row(rendering, read, alias)
    is_cut = read.limit is not None or read.offset is not None
    source = sql(
        "{rows}{joins}{where}",
        rows=_cut(rendering, read, alias, parent) if is_cut else _rows(rendering, read, alias, parent),
        joins=join("", joins),
        where=sql("") if is_cut else where_clause(rendering, read, alias, parent),
    )
    if not read.order:
        return sql(
            "(select coalesce('[' || string_agg({row}, ',') || ']', '[]') from {source})", row=row, source=source
        )
    return sql(
        "(select coalesce('[' || string_agg(r.j, ',') || ']', '[]')"
        " from (select {row} as j from {source}{order}) as r)",
        row=row,
        source=source,
        order=order_by(rendering, read, alias, named=is_cut),
    )


def render_one(rendering: Rendering, read: Read, source: Sql | None = None) -> Sql:
    """The object of the row with the read's key, or `null`."""
    alias = rendering.aliases.new(read.entity)
    row, joins = _row(rendering, read, alias)
    return sql(
        "coalesce((select {row} from {source} as {alias}{joins}{where}), 'null')",
        row=row,
        source=source or table_name(read.entity),
        alias=name(alias),
        joins=join("", joins),
        where=where_clause(rendering, read, alias, ""),
    )


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
        case TypenameOutput(_, type_name):
            return json_text('"', (type_name,), '"')
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
            source=render_source(read.relation, read.entity, alias),
            meets=rendering.link(read.relation, parent, alias, read.via),
            grant=rendering.condition(read.grant, read.entity, alias),
        )
    )
    row, inner_joins = _row(rendering, read, alias)
    joins.extend(inner_joins)
    missing = name(alias, read.relation.target_columns[0])
    return sql("case when {missing} is null then 'null' else {row} end", missing=missing, row=row)


def _rows(rendering: Rendering, read: Read, alias: str, parent: str) -> Sql:
    if parent and read.relation is not None:
        return render_source(read.relation, read.entity, alias)
    return sql("{table} as {alias}", table=table_name(read.entity), alias=name(alias))


def where_clause(rendering: Rendering, read: Read, alias: str, parent: str) -> Sql:
    conditions: list[Sql] = []
    if parent and read.relation is not None:
        conditions.append(rendering.link(read.relation, parent, alias, read.via))
    conditions.extend(key_conditions(read.key, alias))
    wanted = read.filter or ALWAYS
    if can_raise(wanted):
        if read.grant != ALWAYS:
            conditions.append(rendering.condition(read.grant, read.entity, alias))
        conditions = behind(conditions, wanted, rendering.condition(wanted, read.entity, alias))
    elif (guard := all_of(read.grant, wanted)) != ALWAYS:
        conditions.append(rendering.condition(guard, read.entity, alias))
    return sql(" where {all}", all=join(" and ", conditions)) if conditions else sql("")


def _cut(rendering: Rendering, read: Read, alias: str, parent: str) -> Sql:
    """The rows that limit and offset leave, as a subquery of the columns that are needed of them."""
    columns = [name(alias, column) for column in _needed_columns(read)]
    keys = [
        sql("{value} as {key}", value=_order_value(rendering, order, alias), key=name(f"o{index}"))
        for index, order in enumerate(read.order)
        if order.path
    ]
    return sql(
        "(select {columns} from {rows}{where}{order}{limit}{offset}) as {alias}",
        columns=join(", ", [*columns, *keys]),
        rows=_rows(rendering, read, alias, parent),
        where=where_clause(rendering, read, alias, parent),
        order=order_by(rendering, read, alias, named=False),
        limit=page(sql(" limit "), read.limit),
        offset=page(sql(" offset "), read.offset),
        alias=name(alias),
    )


def order_by(rendering: Rendering, read: Read, alias: str, *, named: bool) -> Sql:
    if not read.order:
        return sql("")
    terms = [
        sql(
            "{value}{direction}",
            value=name(alias, f"o{index}") if named and order.path else _order_value(rendering, order, alias),
            direction=sql(" desc") if order.descending else sql(""),
        )
        for index, order in enumerate(read.order)
    ]
    return sql(" order by {terms}", terms=join(", ", terms))


def _order_value(rendering: Rendering, order: Order, alias: str) -> Sql:
    if not order.path:
        return name(alias, order.column.name)
    hop, *rest = order.path
    inner = rendering.aliases.new(hop.target)
    value = _order_value(rendering, Order(tuple(rest), order.column, order.descending), inner)
    if hop.relation.many:
        value = sql("max({value})", value=value) if order.descending else sql("min({value})", value=value)
    return sql(
        "(select {value} from {source} where {meets} and {grant})",
        value=value,
        source=render_source(hop.relation, hop.target, inner),
        meets=rendering.link(hop.relation, alias, inner, hop.via),
        grant=rendering.condition(hop.grant, hop.target, inner),
    )


def _needed_columns(read: Read) -> list[str]:
    """The columns of a cut row that its outputs, relations and order use."""
    needed: dict[str, None] = {}
    for output in read.outputs:
        match output:
            case ColumnOutput(_, column, _):
                needed[column.name] = None
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


def page(word: Sql, value: Argument | None) -> Sql:
    return sql("") if value is None else sql("{word}{value}", word=word, value=render_argument(value))
