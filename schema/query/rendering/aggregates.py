"""render_aggregates: what `Aggregates` asks for → the JSON of its result rows."""

from dataclasses import replace

from db.sql import Sql, concatenate, join, json_text, name, sql
from schema.expression.predicate import ALWAYS
from schema.expression.totality import any_aggregate, can_raise
from schema.query.plan import Aggregate, Aggregates, ColumnOutput, Fixed, FlatColumn, Read, Summary
from schema.query.rendering.context import Rendering
from schema.query.rendering.json import render_array, render_column
from schema.query.rendering.orders import named_values, order_clause
from schema.query.rendering.predicate import AGGREGATES, render_source, table_name
from schema.query.rendering.reads import is_cut, limit_of, page, render_rows
from schema.query.rendering.summary import render_summary


def render_aggregates(rendering: Rendering, node: Aggregates) -> Sql:
    """The JSON object with an array of rows for each function."""
    parts: list[Sql] = []
    for index, (key, output) in enumerate(node.outputs):
        parts.append(json_text('{"' if index == 0 else ',"', (key,), '":'))
        match output:
            case Fixed():
                parts.append(json_text('"Aggregates"'))
            case Summary():
                parts.append(render_summary(rendering, output))
            case Aggregate():
                parts.append(_aggregate(rendering, output))
    return concatenate([*parts, json_text("}")])


def _aggregate(rendering: Rendering, node: Aggregate) -> Sql:
    """Flattened rows (f), grouped and named (g), then `having`, order and page on what came of it.

    PostgreSQL would look for rows by a `having` on what groups them before it groups, so also on rows that policy
    hides; not so behind MATERIALIZED, where it also can be asked of the result as a whole.
    """
    read, result = node.read, node.result
    parts: list[Sql] = []
    for index, (key, column) in enumerate(result.columns.items()):
        parts.append(json_text('{"' if index == 0 else ',"', (key,), '":'))
        parts.append(render_column(name("g", column.name), column, as_id=False))
    having = (
        sql("")
        if node.having == ALWAYS
        else sql(" where {having}", having=rendering.condition(node.having, result, "g"))
    )
    apart = can_raise(node.having) or any_aggregate(node.having)
    groups, table = _groups(rendering, node), table_name(result)
    before = sql("with {table} as materialized ({groups}) ", table=table, groups=groups) if apart else sql("")
    ordered = sql(
        "(select {row} as j from {groups} as g{having}{order}{limit}{offset}) as r",
        row=concatenate([*parts, json_text("}")]),
        groups=table if apart else sql("({groups})", groups=groups),
        having=having,
        order=order_clause(read.order, named_values(read.order, "g")),
        limit=limit_of(read),
        offset=page(sql(" offset "), read.offset),
    )
    return render_array(sql("r.j"), ordered, before, max_rows=read.max_rows)


def _groups(rendering: Rendering, node: Aggregate) -> Sql:
    alias = rendering.aliases.new(node.read.entity)
    joins: list[Sql] = []
    values = [_flat(rendering, column, alias, joins) for column in node.columns]
    distinct = join(
        ", ", [value for value, column in zip(values, node.columns, strict=True) if column.name in node.distinct_on]
    )
    rows = render_rows(rendering, _needed(node), alias, "", joins)
    flat = sql(
        "select {distinct}{values} from {rows}{order}",
        distinct=sql("distinct on ({values}) ", values=distinct) if node.distinct_on else sql(""),
        values=join(", ", [sql("{v} as {n}", v=value, n=name(f"c{index}")) for index, value in enumerate(values)]),
        rows=rows.source,
        # Which of several rows stays is for the order of the subquery to say.
        order=order_clause(node.page.order, rows.values, first=distinct) if node.distinct_on else sql(""),
    )
    groups = [name("f", f"c{index}") for index in range(1, len(values))]
    named = zip(groups, list(node.result.columns.values())[1:], strict=True)
    return sql(
        "select {function}(f.c0) as {key}{columns} from ({flat}) as f{grouping}",
        function=AGGREGATES[node.function],
        key=name(node.function),
        columns=join("", [sql(", {group} as {key}", group=group, key=name(c.name)) for group, c in named]),
        flat=flat,
        grouping=sql(" group by {groups}", groups=join(", ", groups)) if groups else sql(""),
    )


def _needed(node: Aggregate) -> Read:
    """The subquery's rows, with the columns that are needed of them; in order where it says which rows there are."""
    table = node.page.entity.table
    columns = [
        column
        for flat in node.columns
        for column in ([table.by_name[name] for name in flat.path[0].relation.columns] if flat.path else [flat.column])
    ]
    is_ordered = bool(is_cut(node.page) or node.distinct_on)
    outputs = tuple(ColumnOutput("", column, as_id=False) for column in columns)
    return replace(node.page, outputs=outputs, order=node.page.order if is_ordered else ())


def _flat(rendering: Rendering, column: FlatColumn, alias: str, joins: list[Sql]) -> Sql:
    for hop in column.path:
        inner = rendering.aliases.new(hop.target)
        joins.append(
            sql(
                " left join {source} on {meets} and {grant}",
                source=render_source(hop.relation, hop.target, inner, rendering.aliases),
                meets=rendering.link(hop.relation, alias, inner, hop.via),
                grant=rendering.condition(hop.grant, hop.target, inner),
            )
        )
        alias = inner
    return name(alias, column.column.name)
