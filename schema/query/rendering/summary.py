"""render_summary: what is asked about a set of rows → a JSON object.

All measures of a set come of one scan, whatever their number; each `groups` is a scan of its own, and rows are read as
everywhere else.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

from db.catalog import Column
from db.sql import Sql, concatenate, join, json_text, name, sql
from schema.expression.predicate import ALWAYS
from schema.expression.types import INT8
from schema.model import Relation
from schema.query.measures import MeasureFunction, shown_type
from schema.query.plan import (
    Bucket,
    ColumnOutput,
    Grouping,
    GroupingOutput,
    GroupOrder,
    Groups,
    GroupsOutput,
    Hop,
    Measure,
    MeasureOutput,
    ObjectOutput,
    Order,
    PageOutput,
    Read,
    ReadOutput,
    Summary,
    SummaryOutput,
    TypenameOutput,
)
from schema.query.rendering.context import Rendering
from schema.query.rendering.json import render_array, render_column
from schema.query.rendering.orders import order_clause
from schema.query.rendering.pages import render_page_member
from schema.query.rendering.predicate import render_argument, render_source
from schema.query.rendering.reads import limit_of, page, render_list, render_rows

_FUNCTIONS: dict[MeasureFunction, Sql] = {
    "count": sql("count"),
    "sum": sql("sum"),
    "avg": sql("avg"),
    "stddev": sql("stddev_samp"),
    "stddev_pop": sql("stddev_pop"),
    "variance": sql("var_samp"),
    "var_pop": sql("var_pop"),
    "min": sql("min"),
    "max": sql("max"),
    "bool_and": sql("bool_and"),
    "bool_or": sql("bool_or"),
}
_BUCKETS: dict[Bucket, Sql] = {
    "year": sql("'year'"),
    "quarter": sql("'quarter'"),
    "month": sql("'month'"),
    "week": sql("'week'"),
    "day": sql("'day'"),
    "hour": sql("'hour'"),
    "minute": sql("'minute'"),
    "second": sql("'second'"),
}
_NO_COLUMN = Column("", INT8)


@dataclass(frozen=True, slots=True)
class _Scan:
    """What is asked of one scan, each value once and by the name that it has in the subquery `alias`."""

    alias: str
    measures: dict[Measure, str] = field(default_factory=dict[Measure, str])

    def measure(self, measure: Measure) -> Sql:
        return name(self.alias, self.measures.setdefault(measure, f"m{len(self.measures)}"))


def render_summary(rendering: Rendering, node: Summary) -> Sql:
    """A JSON object."""
    scan = _Scan("a")

    def value(output: SummaryOutput) -> Sql:
        match output:
            case PageOutput(_, member):
                return render_page_member(rendering, node.page, member)
            case GroupsOutput(_, groups):
                return _groups(rendering, node.rows, groups)
            case ReadOutput(_, read):
                return render_list(rendering, read, parent="")
            case _:
                raise TypeError(output)

    row = _object(node.outputs, scan, value)
    if not scan.measures:
        return sql("({row})", row=row)
    alias = rendering.aliases.new(node.rows.entity)
    return sql(
        "(select {row} from (select {measures} from {rows}) as {scan})",
        row=row,
        measures=join(", ", _measures(scan, alias)),
        rows=rows_of(rendering, node.rows, alias, _columns_of(scan.measures)),
        scan=name(scan.alias),
    )


def _object(outputs: tuple[SummaryOutput, ...], scan: _Scan, value: Callable[[SummaryOutput], Sql]) -> Sql:
    """The JSON of an object; `value` gives the JSON of what is neither a measure nor an object."""
    parts: list[Sql] = []
    for index, output in enumerate(outputs):
        parts.append(json_text('{"' if index == 0 else ',"', (output.key,), '":'))
        match output:
            case MeasureOutput(_, measure):
                parts.append(render_column(scan.measure(measure), _shown(measure), as_id=False))
            case ObjectOutput(_, inner):
                parts.append(_object(inner, scan, value))
            case TypenameOutput(_, type_name):
                parts.append(json_text('"', (type_name,), '"'))
            case _:
                parts.append(value(output))
    return concatenate([*parts, json_text("}") if outputs else json_text("{}")])


def _shown(measure: Measure) -> Column:
    kind = shown_type(measure.function, measure.columns[0].type) if measure.columns else None
    return Column("", kind or measure.type, not_null=measure.function == "count")


def _measures(scan: _Scan, alias: str) -> list[Sql]:
    return [
        sql("{value} as {name}", value=_measure(measure, alias), name=name(key))
        for measure, key in scan.measures.items()
    ]


def _measure(measure: Measure, alias: str) -> Sql:
    columns = join(", ", [name(alias, column.name) for column in measure.columns])
    if measure.function == "count" and measure.columns:
        columns = sql("distinct ({columns})", columns=columns)
    present = [sql("{column} is not null", column=name(alias, column.name)) for column in measure.present]
    return sql(
        "{function}({columns}){filter}",
        function=_FUNCTIONS[measure.function],
        columns=columns if measure.columns else sql("*"),
        filter=sql(" filter (where {present})", present=join(" and ", present)) if present else sql(""),
    )


def rows_of(rendering: Rendering, rows: Read, alias: str, columns: Iterable[Column], joins: Sequence[Sql] = ()) -> Sql:
    """What stands behind `from`: all rows that the read chooses, whatever its page, with `columns` of each."""
    chosen = replace(
        rows,
        outputs=tuple(ColumnOutput("", column, as_id=False) for column in columns),
        # Of equal rows the order says which is chosen; otherwise it is for the page alone.
        order=rows.order if rows.distinct_on else (),
        limit=None,
        offset=None,
        keyset=None,
        max_rows=None,
    )
    return render_rows(rendering, chosen, alias, "", joins).source


def _columns_of(measures: Iterable[Measure]) -> list[Column]:
    return [column for measure in measures for column in (*measure.columns, *measure.present)]


def _groups(rendering: Rendering, rows: Read, node: Groups) -> Sql:
    """A JSON array: groups by name in a subquery (g), then order and page."""
    scan = _Scan("g")

    def value(output: SummaryOutput) -> Sql:
        match output:
            case GroupingOutput(_, index):
                grouping = node.groupings[index]
                # Over a relation the value may be missing whatever the column says.
                column = Column("", grouping.column.type, not_null=grouping.column.not_null and not grouping.path)
                return render_column(name("g", f"k{index}"), column, as_id=grouping.as_id)
            case _:
                raise TypeError(output)

    row = _object(node.outputs, scan, value)
    order = _group_order(node, scan)
    alias = rendering.aliases.new(rows.entity)
    ways = _Ways(rendering, alias)
    keys = [_grouping(node, grouping, ways.to(grouping.path)) for grouping in node.groupings]
    named = [sql("{key} as {name}", key=key, name=name(f"k{index}")) for index, key in enumerate(keys)]
    columns = [*_columns_of((*scan.measures, *node.tested)), *_columns_to(rows, node.groupings)]
    tested = [
        sql("{value} as {name}", value=_measure(measure, alias), name=name(f"h{index}"))
        for index, measure in enumerate(node.tested)
    ]
    groups = sql(
        "select {values} from {rows} group by {keys}",
        values=join(", ", [*named, *tested, *_measures(scan, alias)]),
        rows=rows_of(rendering, rows, alias, columns, ways.joins),
        keys=join(", ", keys),
    )
    ordered = sql(
        "(select {row} as j from ({groups}) as g{having}{order}{limit}{offset}) as r",
        row=row,
        groups=groups,
        having=sql("")
        if node.having == ALWAYS
        else sql(" where {having}", having=rendering.condition(node.having, rows.entity, scan.alias)),
        order=order,
        limit=limit_of(node),
        offset=page(sql(" offset "), node.offset),
    )
    return render_array(sql("r.j"), ordered, max_rows=node.max_rows)


def _grouping(node: Groups, grouping: Grouping, alias: str) -> Sql:
    value = name(alias, grouping.column.name)
    if grouping.bucket is None:
        return value
    period = _BUCKETS[grouping.bucket]
    if grouping.column.type.base == "date":
        # A date alone would be taken for a moment in the session's time zone.
        return sql("date_trunc({period}, {value}::timestamp)::date", period=period, value=value)
    if grouping.column.type.base == "timestamptz" and node.zone is not None:
        zone = render_argument(node.zone)
        return sql("date_trunc({period}, {value}, {zone})", period=period, value=value, zone=zone)
    return sql("date_trunc({period}, {value})", period=period, value=value)


@dataclass(frozen=True, slots=True)
class _Ways:
    """The joins over to-one relations that values of a scan need, each once."""

    rendering: Rendering
    alias: str
    joins: list[Sql] = field(default_factory=list[Sql])
    aliases: dict[tuple[Relation, ...], str] = field(default_factory=dict[tuple[Relation, ...], str])

    def to(self, path: tuple[Hop, ...]) -> str:
        """The alias of the table at the end of the path."""
        if not path:
            return self.alias
        way = tuple(hop.relation for hop in path)
        if way not in self.aliases:
            parent, hop = self.to(path[:-1]), path[-1]
            inner = self.rendering.aliases.new(hop.target)
            self.joins.append(
                sql(
                    " left join {source} on {meets} and {grant}",
                    source=render_source(hop.relation, hop.target, inner, self.rendering.aliases),
                    meets=self.rendering.link(hop.relation, parent, inner, hop.via),
                    grant=self.rendering.condition(hop.grant, hop.target, inner),
                )
            )
            self.aliases[way] = inner
        return self.aliases[way]


def _columns_to(rows: Read, groupings: Iterable[Grouping]) -> list[Column]:
    """The columns of the rows themselves that the groupings need: their own, or those that lead to another table."""
    table = rows.entity.table
    return [
        column
        for grouping in groupings
        for column in (
            [table.by_name[name] for name in grouping.path[0].relation.columns] if grouping.path else [grouping.column]
        )
    ]


def _group_order(node: Groups, scan: _Scan) -> Sql:
    """The order that is asked for, and where the groups are cut also by their keys, so that pages fit together."""
    wanted = list(node.order)
    if node.limit is not None or node.offset is not None:
        ordered = {order.by for order in node.order}
        wanted += [GroupOrder(index, descending=False) for index in range(len(node.groupings)) if index not in ordered]
    return order_clause(
        [Order((), _NO_COLUMN, order.descending, order.nulls_first) for order in wanted],
        [
            scan.measure(order.by) if isinstance(order.by, Measure) else name(scan.alias, f"k{order.by}")
            for order in wanted
        ],
    )
