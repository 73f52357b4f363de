"""render_plan: a plan → SQL whose one value is the JSON of the response, put together by `||`.

Concatenation costs PostgreSQL least (less than json_agg, far less than jsonb), keeps the order of the selection and
knows no limit on the length of a response key. Rows are filtered, ordered and cut first, in a subquery of their own;
only then are children joined to what is left.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import assert_never

from db.catalog import Column, PgType
from db.sql import Sql, Statement, concatenate, join, json_text, name, slot, sql, to_statement
from schema.expression.predicate import ALWAYS, Constant, Predicate, all_of
from schema.model import Entity, Model, Relation
from schema.query.plan import (
    Aggregate,
    Aggregates,
    Argument,
    ColumnOutput,
    Delete,
    Fixed,
    FlatColumn,
    Insert,
    Order,
    Output,
    Plan,
    Read,
    ReadOutput,
    TypenameOutput,
    Update,
)
from schema.query.render_predicate import (
    Aliases,
    render_argument,
    render_link,
    render_predicate,
    render_source,
    table_name,
)

_NUMBERS = frozenset({"int2", "int4", "bool"})
_PLAIN = frozenset({"uuid", "date"})
_JSON = frozenset({"json", "jsonb"})
_SELF_QUOTING = frozenset({"float4", "float8", "numeric", "timestamp", "timestamptz"})


_FUNCTIONS = {"avg": sql("avg"), "count": sql("count"), "max": sql("max"), "min": sql("min"), "sum": sql("sum")}


@dataclass(frozen=True, slots=True)
class Step:
    """One statement of a mutation, run on the key that the step before gave."""

    statement: Statement
    kind: str  # "write" gives the key, "judge" gives (holds, json), "read" gives json, "end" gives a row if it hit


def render_query(plan: Plan, model: Model) -> Statement:
    """One statement for a whole read operation; its value is the bytes of the response."""
    renderer = _Renderer(model)
    parts: list[Sql] = [json_text('{"data":{')]
    for index, output in enumerate(plan.outputs):
        parts.append(json_text('"' if index == 0 else ',"', (output.key,), '":'))
        match output.node:
            case Read() as read:
                parts.append(renderer.many(read, parent=""))
            case Aggregates() as aggregates:
                parts.append(renderer.aggregates(aggregates))
            case Fixed(json):
                parts.append(slot(Constant(json, PgType("text", "text")), "text"))
            case _:
                raise TypeError(output.node)
    parts.append(json_text("}}"))
    return to_statement(sql("select {json}", json=concatenate(parts)))


def render_mutation(node: Insert | Update | Delete, model: Model) -> tuple[Step, ...]:
    """The statements of one root field, in the order in which they run."""
    renderer = _Renderer(model)
    match node:
        case Insert():
            return renderer.insert(node)
        case Update():
            return renderer.update(node)
        case Delete():
            return renderer.delete(node)


class _Renderer:
    def __init__(self, model: Model) -> None:
        self.model = model
        self.aliases = Aliases()

    def many(self, read: Read, parent: str) -> Sql:
        """A JSON array, `[]` where there is no row."""
        alias = self.aliases.new(read.entity)
        row, joins = self._row(read, alias)
        is_cut = read.limit is not None or read.offset is not None
        source = sql(
            "{rows}{joins}{where}",
            rows=self._cut(read, alias, parent) if is_cut else self._rows(read, alias, parent),
            joins=join("", joins),
            where=sql("") if is_cut else self._where(read, alias, parent),
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
            order=self._order_by(read, alias, named=is_cut),
        )

    def aggregates(self, node: Aggregates) -> Sql:
        """The JSON object with an array of rows for each function."""
        parts: list[Sql] = []
        for index, (key, output) in enumerate(node.outputs):
            parts.append(json_text('{"' if index == 0 else ',"', (key,), '":'))
            parts.append(json_text('"Aggregates"') if isinstance(output, Fixed) else self._aggregate(output))
        return concatenate([*parts, json_text("}")])

    def _aggregate(self, node: Aggregate) -> Sql:
        """Flattened rows (f), grouped and named (g), then `having`, order and page on what came of it."""
        read, result = node.read, node.result
        parts: list[Sql] = []
        for index, (key, column) in enumerate(result.columns.items()):
            parts.append(json_text('{"' if index == 0 else ',"', (key,), '":'))
            parts.append(render_column(name("g", column.name), column, as_id=False))
        having = (
            sql("")
            if node.having == ALWAYS
            else sql(" where {having}", having=self._condition(node.having, result, "g"))
        )
        return sql(
            "(select coalesce('[' || string_agg(r.j, ',') || ']', '[]') from (select {row} as j from ({groups}) as g"
            "{having}{order}{limit}{offset}) as r)",
            row=concatenate([*parts, json_text("}")]),
            groups=self._groups(node),
            having=having,
            order=self._order_by(read, "g", named=False),
            limit=_page(sql(" limit "), read.limit),
            offset=_page(sql(" offset "), read.offset),
        )

    def _groups(self, node: Aggregate) -> Sql:
        alias = self.aliases.new(node.read.entity)
        joins: list[Sql] = []
        values = [self._flat(column, alias, joins) for column in node.columns]
        distinct = [str(index) for index, column in enumerate(node.columns) if column.name in node.distinct_on]
        flat = sql(
            "select {distinct}{values} from {table} as {alias}{joins}{where}",
            distinct=sql("distinct on ({values}) ", values=join(", ", [values[int(index)] for index in distinct]))
            if distinct
            else sql(""),
            values=join(", ", [sql("{v} as {n}", v=value, n=name(f"c{index}")) for index, value in enumerate(values)]),
            table=table_name(node.read.entity),
            alias=name(alias),
            joins=join("", joins),
            where=self._where(node.read, alias, ""),
        )
        groups = [name("f", f"c{index}") for index in range(1, len(values))]
        named = zip(groups, list(node.result.columns.values())[1:], strict=True)
        return sql(
            "select {function}(f.c0) as {key}{columns} from ({flat}) as f{grouping}",
            function=_FUNCTIONS[node.function],
            key=name(node.function),
            columns=join("", [sql(", {group} as {key}", group=group, key=name(c.name)) for group, c in named]),
            flat=flat,
            grouping=sql(" group by {groups}", groups=join(", ", groups)) if groups else sql(""),
        )

    def _flat(self, column: FlatColumn, alias: str, joins: list[Sql]) -> Sql:
        for hop in column.path:
            inner = self.aliases.new(hop.target)
            joins.append(
                sql(
                    " left join {source} on {meets} and {grant}",
                    source=render_source(hop.relation, hop.target, inner),
                    meets=self._link(hop.relation, alias, inner, hop.via),
                    grant=self._condition(hop.grant, hop.target, inner),
                )
            )
            alias = inner
        return name(alias, column.column.name)

    def one(self, read: Read, source: Sql | None = None) -> Sql:
        """The object of the row with the read's key, or `null`."""
        alias = self.aliases.new(read.entity)
        row, joins = self._row(read, alias)
        return sql(
            "coalesce((select {row} from {source} as {alias}{joins}{where}), 'null')",
            row=row,
            source=source or table_name(read.entity),
            alias=name(alias),
            joins=join("", joins),
            where=self._where(read, alias, ""),
        )

    def _row(self, read: Read, alias: str) -> tuple[Sql, list[Sql]]:
        """The JSON object of a row, and the joins that its to-one fields need."""
        parts: list[Sql] = []
        joins: list[Sql] = []
        for index, output in enumerate(read.outputs):
            parts.append(json_text('{"' if index == 0 else ',"', (output.key,), '":'))
            parts.append(self._value(output, alias, joins))
        parts.append(json_text("}") if read.outputs else json_text("{}"))
        return concatenate(parts), joins

    def _value(self, output: Output, alias: str, joins: list[Sql]) -> Sql:
        match output:
            case ColumnOutput(_, column, as_id):
                return render_column(name(alias, column.name), column, as_id=as_id)
            case TypenameOutput(_, type_name):
                return json_text('"', (type_name,), '"')
            case ReadOutput(_, read) if read.many:
                return self.many(read, parent=alias)
            case ReadOutput(_, read):
                return self._to_one(read, alias, joins)
            case _:
                assert_never(output)

    def _to_one(self, read: Read, parent: str, joins: list[Sql]) -> Sql:
        assert read.relation is not None
        alias = self.aliases.new(read.entity)
        joins.append(
            sql(
                " left join {source} on {meets} and {grant}",
                source=render_source(read.relation, read.entity, alias),
                meets=self._link(read.relation, parent, alias, read.via),
                grant=self._condition(read.grant, read.entity, alias),
            )
        )
        row, inner_joins = self._row(read, alias)
        joins.extend(inner_joins)
        missing = name(alias, read.relation.target_columns[0])
        return sql("case when {missing} is null then 'null' else {row} end", missing=missing, row=row)

    def _rows(self, read: Read, alias: str, parent: str) -> Sql:
        if parent and read.relation is not None:
            return render_source(read.relation, read.entity, alias)
        return sql("{table} as {alias}", table=table_name(read.entity), alias=name(alias))

    def _where(self, read: Read, alias: str, parent: str) -> Sql:
        conditions: list[Sql] = []
        if parent and read.relation is not None:
            conditions.append(self._link(read.relation, parent, alias, read.via))
        conditions.extend(_key_conditions(read.key, alias))
        guard = all_of(read.grant, read.filter or ALWAYS)
        if guard != ALWAYS:
            conditions.append(self._condition(guard, read.entity, alias))
        return sql(" where {all}", all=join(" and ", conditions)) if conditions else sql("")

    def _cut(self, read: Read, alias: str, parent: str) -> Sql:
        """The rows that limit and offset leave, as a subquery of the columns that are needed of them."""
        columns = [name(alias, column) for column in _needed_columns(read)]
        keys = [
            sql("{value} as {key}", value=self._order_value(order, alias), key=name(f"o{index}"))
            for index, order in enumerate(read.order)
            if order.path
        ]
        return sql(
            "(select {columns} from {rows}{where}{order}{limit}{offset}) as {alias}",
            columns=join(", ", [*columns, *keys]),
            rows=self._rows(read, alias, parent),
            where=self._where(read, alias, parent),
            order=self._order_by(read, alias, named=False),
            limit=_page(sql(" limit "), read.limit),
            offset=_page(sql(" offset "), read.offset),
            alias=name(alias),
        )

    def _order_by(self, read: Read, alias: str, *, named: bool) -> Sql:
        if not read.order:
            return sql("")
        terms = [
            sql(
                "{value}{direction}",
                value=name(alias, f"o{index}") if named and order.path else self._order_value(order, alias),
                direction=sql(" desc") if order.descending else sql(""),
            )
            for index, order in enumerate(read.order)
        ]
        return sql(" order by {terms}", terms=join(", ", terms))

    def _order_value(self, order: Order, alias: str) -> Sql:
        if not order.path:
            return name(alias, order.column.name)
        hop, *rest = order.path
        inner = self.aliases.new(hop.target)
        value = self._order_value(Order(tuple(rest), order.column, order.descending), inner)
        if hop.relation.many:
            value = sql("max({value})", value=value) if order.descending else sql("min({value})", value=value)
        return sql(
            "(select {value} from {source} where {meets} and {grant})",
            value=value,
            source=render_source(hop.relation, hop.target, inner),
            meets=self._link(hop.relation, alias, inner, hop.via),
            grant=self._condition(hop.grant, hop.target, inner),
        )

    def _link(self, relation: Relation, parent: str, alias: str, via: Predicate | None) -> Sql:
        return render_link(relation, parent, alias, via or ALWAYS, self.model, self.aliases)

    def _condition(self, predicate: Predicate, entity: Entity, alias: str) -> Sql:
        return render_predicate(predicate, entity, alias, self.model, self.aliases)

    def insert(self, node: Insert) -> tuple[Step, ...]:
        alias = self.aliases.new(node.entity)
        columns = join(", ", [name(column.name) for column, _ in node.values])
        values = join(", ", [render_argument(value) for _, value in node.values])
        write = sql(
            "insert into {table} as {alias} {values}{conflict}",
            table=table_name(node.entity),
            alias=name(alias),
            values=sql("({columns}) values ({values})", columns=columns, values=values)
            if node.values
            else sql("default values"),
            conflict=self._conflict(node, alias),
        )
        check = node.check if node.update_check is None else all_of(node.check, node.update_check)
        return self._written(write, node.entity, alias, check, node.result)

    def _conflict(self, node: Insert, alias: str) -> Sql:
        if node.on_conflict == "fail":
            return sql("")
        target = join(", ", [name(column) for column in node.conflict_columns])
        where = sql(" ({target})", target=target) if node.conflict_columns else sql("")
        changed = [column for column, _ in node.values if column.name not in node.conflict_columns]
        if node.on_conflict == "ignore" or not node.conflict_columns:
            return sql(" on conflict{where} do nothing", where=where) if node.on_conflict == "ignore" else sql("")
        sets = [sql("{column} = excluded.{column}", column=name(column.name)) for column in changed] or [
            sql("{column} = {alias}.{column}", column=name(node.conflict_columns[0]), alias=name(alias))
        ]
        return sql(
            " on conflict{where} do update set {sets} where {grant}",
            where=where,
            sets=join(", ", sets),
            grant=self._condition(node.update_check or ALWAYS, node.entity, alias),
        )

    def update(self, node: Update) -> tuple[Step, ...]:
        alias = self.aliases.new(node.entity)
        values = node.values or node.key
        sets = [
            sql("{column} = {value}", column=name(column.name), value=render_argument(value))
            for column, value in values
        ]
        write = sql(
            "update {table} as {alias} set {sets} where {where}",
            table=table_name(node.entity),
            alias=name(alias),
            sets=join(", ", sets),
            where=join(" and ", [*_key_conditions(node.key, alias), self._condition(node.grant, node.entity, alias)]),
        )
        return self._written(write, node.entity, alias, node.grant, node.result)

    def _written(self, write: Sql, entity: Entity, alias: str, check: Predicate, result: Read) -> tuple[Step, ...]:
        """The write, and what reads the row as it now stands: whether the policy holds for it, and its JSON."""
        if not entity.table.primary_key:
            row = self.aliases.new(entity)
            judged = sql(
                "with w as ({write} returning *) select {check}, {json} from w as {row}",
                write=write,
                check=self._condition(check, entity, row),
                json=self.one(result, source=sql("w")),
                row=name(row),
            )
            return (Step(to_statement(judged), "judge"),)
        key = join(", ", [name(alias, column) for column in entity.table.primary_key])
        row = self.aliases.new(entity)
        judged = sql(
            "select {check}, {json} from {table} as {row} where {key}",
            check=self._condition(check, entity, row),
            json=self.one(result),
            table=table_name(entity),
            row=name(row),
            key=join(" and ", _key_conditions(result.key, row)),
        )
        return (
            Step(to_statement(sql("{write} returning {key}", write=write, key=key)), "write"),
            Step(to_statement(judged), "judge"),
        )

    def delete(self, node: Delete) -> tuple[Step, ...]:
        alias = self.aliases.new(node.entity)
        conditions = [*_key_conditions(node.key, alias), self._condition(node.grant, node.entity, alias)]
        end = sql(
            "delete from {table} as {alias} where {where} returning 1",
            table=table_name(node.entity),
            alias=name(alias),
            where=join(" and ", conditions),
        )
        return (
            Step(to_statement(sql("select {json}", json=self.one(node.result))), "read"),
            Step(to_statement(end), "end"),
        )


def render_column(value: Sql, column: Column, *, as_id: bool) -> Sql:
    """The JSON of a column's value, as text that is never null."""
    text = _json_value(value, column.type, as_id=as_id)
    return text if column.not_null else sql("coalesce({text}, 'null')", text=text)


def _json_value(value: Sql, kind: PgType, *, as_id: bool) -> Sql:
    if kind.kind == "array":
        return sql("to_json({value})::text", value=value)
    if kind.base in _PLAIN or (as_id and kind.base in {"int2", "int4", "int8"}):
        return sql("""('"' || {value} || '"')""", value=value)
    if as_id:
        return sql("to_json({value}::text)::text", value=value)
    if kind.base in _NUMBERS or kind.base in _JSON:
        return sql("{value}::text", value=value)
    if kind.base in {"int8", "oid"}:
        return sql(
            """(case when {value} between -9007199254740991 and 9007199254740991 then {value}::text"""
            """ else '"' || {value} || '"' end)""",
            value=value,
        )
    if kind.base in _SELF_QUOTING:
        return sql("to_json({value})::text", value=value)
    return sql("to_json({value}::text)::text", value=value)


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


def _key_conditions(key: Sequence[tuple[Column, Argument]], alias: str) -> list[Sql]:
    return [
        sql("{column} = {value}", column=name(alias, column.name), value=render_argument(value))
        for column, value in key
    ]


def _page(word: Sql, value: Argument | None) -> Sql:
    return sql("") if value is None else sql("{word}{value}", word=word, value=render_argument(value))
