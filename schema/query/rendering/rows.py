"""render_writes: writes of many rows, and along relations → their statements, in the order in which they run.

A single write is one statement where that can be (at_once.py). Otherwise each write gives the number of its rows, their
keys and what other writes need of them; then each is judged by the rows as they are stored when all is done, and last
the answer is read by the keys.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Literal, assert_never

from db.catalog import Column
from db.sql import Sql, concatenate, join, json_text, name, slot, sql, stop, to_statement
from schema.expression.predicate import ALWAYS, Predicate, all_of
from schema.expression.totality import fence
from schema.model import Entity
from schema.query.plan import (
    Argument,
    Change,
    Chosen,
    DeleteRows,
    FindRow,
    InsertRows,
    Read,
    ResultPart,
    UpdateRows,
    VariableColumn,
    Write,
    WriteOutput,
    Writes,
)
from schema.query.rendering.at_once import is_at_once
from schema.query.rendering.context import Rendering
from schema.query.rendering.predicate import render_argument, render_table, table_name
from schema.query.rendering.reads import key_conditions, render_columns
from schema.query.rendering.step import Step
from schema.query.rendering.writes import moves_keys

#: Element types whose lists asyncpg sends as they are; lists of others travel as texts.
_NATIVE = frozenset({"int2", "int4", "int8", "float4", "float8", "bool", "text", "varchar"})
_VERSION = "ostiary version"
_PLACE = "ostiary place"


def render_writes(rendering: Rendering, node: Writes) -> tuple[Step, ...]:
    if not node.writes:
        return (Step(to_statement(sql("select {json}", json=_object(node, sql("0"), _no_rows))), "answer"),)
    if len(node.writes) == 1 and _is_at_once(node, node.writes[0]):
        return (_step(_at_once(rendering, node, node.writes[0]), "answer", node.writes[0]),)
    steps = [
        _step(_render_keys(rendering, write, returns), "keys", write)
        for write, returns in zip(node.writes, node.returns, strict=True)
    ]
    for number, write in enumerate(node.writes):
        check = _check(write)
        if check != ALWAYS:
            steps.append(_step(_judge(rendering, write, check, number, node), "judge", write))
    steps.append(Step(to_statement(_answer(rendering, node)), "answer"))
    return tuple(steps)


def _step(statement: Sql, kind: Literal["keys", "judge", "answer"], write: Write) -> Step:
    capability = {InsertRows: "insert", UpdateRows: "update", DeleteRows: "delete", FindRow: "select"}[type(write)]
    return Step(to_statement(statement), kind, write.entity.name, capability)


def _is_at_once(node: Writes, write: Write) -> bool:
    if isinstance(write, DeleteRows) or not write.entity.table.primary_key:
        return True
    reads = [node.result] if node.result else [output.read for output in node.outputs if output.read]
    if any(output.field == "versions" for output in node.outputs) and write.entity.table.kind != "table":
        return False
    moves = isinstance(write, UpdateRows) and moves_keys(write.entity, {c.column.name for c in write.changes})
    checks = (_check(write),)
    return not isinstance(write, FindRow) and all(
        is_at_once(write.entity, checks, read, moves_keys=moves) for read in (reads or [None])
    )


def _check(write: Write) -> Predicate:
    """What the rows must satisfy as they are stored."""
    match write:
        case InsertRows(check=check, conflict=conflict):
            return all_of(check, conflict.check) if conflict is not None else check
        case UpdateRows(check=check):
            return check
        case DeleteRows() | FindRow():
            return ALWAYS
        case _:
            assert_never(write)


def _render_write(rendering: Rendering, write: Write, alias: str) -> Sql:
    """The statement without its `returning`, or for a row that is only looked for the query of its rows."""
    match write:
        case InsertRows():
            return _insert(rendering, write, alias)
        case UpdateRows(entity, chosen, changes):
            return sql(
                "update {table} as {alias} set {sets}{where}",
                table=table_name(entity),
                alias=name(alias),
                sets=join(", ", _sets(changes, alias)),
                where=_where(rendering, entity, chosen, alias),
            )
        case DeleteRows(entity, chosen):
            return sql(
                "delete from {table} as {alias}{where}",
                table=table_name(entity),
                alias=name(alias),
                where=_where(rendering, entity, chosen, alias),
            )
        case FindRow(entity, chosen):
            return sql(
                "from {table} as {alias}{where}",
                table=table_name(entity),
                alias=name(alias),
                where=_where(rendering, entity, chosen, alias),
            )
        case _:
            assert_never(write)


def _insert(rendering: Rendering, write: InsertRows, alias: str) -> Sql:
    head = sql("insert into {table} as {alias}", table=table_name(write.entity), alias=name(alias))
    conflict = _conflict(rendering, write, alias)
    if not write.columns and not write.preset:
        # SQL has `default values` for one row alone.
        key = name(write.entity.table.columns[0].name)
        rows = join(", ", [sql("(default)") for _ in write.rows])
        return sql("{head} ({key}) values {rows}{conflict}", head=head, key=key, rows=rows, conflict=conflict)
    preset = [column for column, _ in write.preset]
    columns = join(", ", [name(column.name) for column in (*write.columns, *preset)])
    return sql("{head} ({columns}) {rows}{conflict}", head=head, columns=columns, rows=_rows(write), conflict=conflict)


def _rows(write: InsertRows) -> Sql:
    preset = [render_argument(value) for _, value in write.preset]
    sources = [row for row in write.rows if isinstance(row, VariableColumn)]
    if sources:
        aliases = [name(f"c{index}") for index in range(len(sources))]
        values = [
            alias if _is_native(source) else sql("{a}::{t}", a=alias, t=Sql((source.type.name,)))
            for alias, source in zip(aliases, sources, strict=True)
        ]
        return sql(
            "select {values} from unnest({lists}) as u ({aliases})",
            values=join(", ", [*values, *preset]),
            lists=join(", ", [_list(source) for source in sources]),
            aliases=join(", ", aliases),
        )
    rows = [
        sql("({values})", values=join(", ", [*(_value_or_default(value) for value in row), *preset]))
        for row in write.rows
        if not isinstance(row, VariableColumn)
    ]
    return sql("values {rows}", rows=join(", ", rows))


def _value_or_default(value: Argument | None) -> Sql:
    return sql("default") if value is None else render_argument(value)


def _list(source: VariableColumn) -> Sql:
    return slot(source, f"{source.type.name}[]" if _is_native(source) else "text[]")


def _is_native(source: VariableColumn) -> bool:
    return source.type.base in _NATIVE and source.type.kind == "base"


def _conflict(rendering: Rendering, write: InsertRows, alias: str) -> Sql:
    conflict = write.conflict
    if conflict is None:
        return sql("")
    target = join(", ", [name(column) for column in conflict.columns])
    if conflict.action == "ignore":
        return sql(" on conflict ({target}) do nothing", target=target)
    sets = [sql("{column} = excluded.{column}", column=name(column.name)) for column in conflict.updated]
    return sql(
        " on conflict ({target}) do update set {sets} where {grant}",
        target=target,
        sets=join(", ", sets),
        grant=rendering.condition(conflict.grant, write.entity, alias),
    )


def _where(rendering: Rendering, entity: Entity, chosen: Chosen, alias: str) -> Sql:
    conditions = [*key_conditions(chosen.key, alias), *_unchanged(chosen, alias)]
    sights = entity.sights is not None and chosen.filter not in (None, ALWAYS)
    wanted = ALWAYS if sights else chosen.filter or ALWAYS
    guard = fence(all_of(*dict.fromkeys((chosen.grant, chosen.seen or ALWAYS))), wanted)
    if guard != ALWAYS:
        conditions.append(rendering.condition(guard, entity, alias))
    if sights:
        conditions.append(_is_found(rendering, entity, chosen, alias))
    conditions += [sql("not ({same})", same=join(" and ", key_conditions(other, alias))) for other in chosen.but]
    return sql(" where {all}", all=join(" and ", conditions)) if conditions else sql("")


def _is_found(rendering: Rendering, entity: Entity, chosen: Chosen, alias: str) -> Sql:
    """The condition that the row is one which the filter finds where it looks at columns as the caller sees them: the
    table that is changed has them only as they are."""
    row = rendering.aliases.new(entity)
    guard = fence(chosen.seen or ALWAYS, chosen.filter or ALWAYS)
    same = [
        sql("{one} = {other}", one=name(row, column), other=name(alias, column)) for column in entity.table.primary_key
    ]
    return sql(
        "exists (select from {rows} where {all})",
        rows=render_table(entity, row, rendering.aliases),
        all=join(" and ", [*same, rendering.condition(guard, entity, row)]),
    )


def _unchanged(chosen: Chosen, alias: str) -> list[Sql]:
    """The conditions that the row is still as the caller knows it. Compared as texts, since not every type has `=`."""
    found = [
        sql(
            "{column}::text is not distinct from {value}::text",
            column=name(alias, column.name),
            value=render_argument(value),
        )
        for column, value in chosen.expected
    ]
    if chosen.version is not None:
        found.append(sql("{alias}.xmin::text = {value}", alias=name(alias), value=render_argument(chosen.version)))
    return found


def _sets(changes: tuple[Change, ...], alias: str) -> list[Sql]:
    """An assignment for each column; several changes of one JSON column work one upon the other."""
    found: dict[Column, Sql] = {}
    for change in changes:
        stands = found.get(change.column, name(alias, change.column.name))
        found[change.column] = _changed(change, stands)
    return [
        sql("{column} = {value}", column=name(column.name), value=_of_column(column, value))
        for column, value in found.items()
    ]


def _of_column(column: Column, value: Sql) -> Sql:
    return sql("({value})::json", value=value) if column.type.base == "json" else value


def _changed(change: Change, stands: Sql) -> Sql:
    value, *more = [render_argument(value) for value in change.values]
    jsonb = sql("({stands})::jsonb", stands=stands) if change.column.type.base == "json" else stands
    match change.operator:
        case "set":
            return value
        case "inc":
            return sql("{stands} + {value}", stands=stands, value=value)
        case "append":
            return sql("array_cat({stands}, {value})", stands=stands, value=value)
        case "prepend":
            return sql("array_cat({value}, {stands})", stands=stands, value=value)
        case "remove":
            # Without its last item a list is empty, and not null.
            return sql(
                "case when {stands} is not null then coalesce((select array_agg(i.v order by i.o)"
                " from unnest({stands}) with ordinality as i (v, o)"
                " where (i.v = any ({value})) is not true), '{}') end",
                stands=stands,
                value=value,
            )
        case "concat":
            return sql("coalesce({jsonb} || {value}, {value})", jsonb=jsonb, value=value)
        case "set_path":
            # The JSON null is a value, where SQL's would make the whole column null.
            return sql(
                "jsonb_set(coalesce({jsonb}, '{}'), {path}, coalesce({value}, 'null'))",
                jsonb=jsonb,
                path=value,
                value=more[0],
            )
        case "delete_path":
            return sql("{jsonb} #- {path}", jsonb=jsonb, path=value)
        case _:
            assert_never(change.operator)


def _guarded(rendering: Rendering, write: Write, value: Sql, row: str, *, checked: bool) -> Sql:
    """The value over the written rows, which stand in `w` under the alias `row`, unless a guard stops the statement."""
    guards: list[Sql] = []
    match write:
        case InsertRows(conflict=conflict) if conflict is not None and conflict.action == "update":
            guards.append(sql("when count(*) < {n} then {stop}", n=_number_of(write), stop=stop("policy")))
        case UpdateRows(entity, chosen) | DeleteRows(entity, chosen) | FindRow(entity, chosen):
            if chosen.max_affected is not None:
                limit = render_argument(chosen.max_affected)
                guards.append(sql("when count(*) > {limit} then {stop}", limit=limit, stop=stop("many")))
            if chosen.at_least_one:
                guards.append(sql("when count(*) = 0 then {stop}", stop=_missing(rendering, entity, chosen)))
        case _:
            pass
    check = _check(write)
    if checked and check != ALWAYS:
        holds = rendering.condition(check, write.entity, row)
        guards.append(sql("when bool_or(({holds}) is not true) then {stop}", holds=holds, stop=stop("policy")))
    return sql("case {guards} else {value} end", guards=join(" ", guards), value=value) if guards else value


def _missing(rendering: Rendering, entity: Entity, chosen: Chosen) -> Sql:
    """What to say when no row was chosen: with something expected of it, whether it is there without."""
    if not chosen.expected and chosen.version is None:
        return stop("missing")
    alias = rendering.aliases.new(entity)
    plainly = replace(chosen, expected=(), version=None)
    return sql(
        "case when exists (select from {table} as {alias}{where}) then {changed} else {missing} end",
        table=table_name(entity),
        alias=name(alias),
        where=_where(rendering, entity, plainly, alias),
        changed=stop("changed"),
        missing=stop("missing"),
    )


def _number_of(write: InsertRows) -> Sql:
    first = write.rows[0]
    if isinstance(first, VariableColumn):
        return sql("cardinality({list})", list=_list(first))
    return Sql((str(len(write.rows)),))


def _at_once(rendering: Rendering, node: Writes, write: Write) -> Sql:
    """The write and its answer as one statement."""
    alias = rendering.aliases.new(write.entity)
    row = rendering.aliases.new(write.entity)
    joins: list[Sql] = []

    def listed(output: WriteOutput) -> Sql:
        assert output.read is not None
        if output.field == "versions":
            item = sql("to_json({version})::text", version=name(row, _VERSION))
        else:
            item, more = render_columns(rendering, output.read, row)
            joins.extend(more)
        return _list_of(item, _seen(rendering, output.read, row), name(row, _PLACE))

    if node.result is not None:
        item, joins = render_columns(rendering, node.result, row)
        if node.result.grant != ALWAYS:
            item = sql(
                "case when {seen} then {item} else 'null' end",
                seen=rendering.condition(node.result.grant, write.entity, row),
                item=item,
            )
        json = sql("min({item})", item=item)
    else:
        json = _object(node, sql("count(*)"), listed)
    version = any(output.field == "versions" for output in node.outputs)
    source = sql("w")
    if any(output.read for output in node.outputs):
        # A join might change the order in which the rows were written.
        source = sql("(select *, row_number() over () as {place} from w)", place=name(_PLACE))
    return sql(
        "with w as ({write} returning *{version}) select {json} from {rows}{joins}",
        write=_render_write(rendering, write, alias),
        version=sql(", {a}.xmin::text as {v}", a=name(alias), v=name(_VERSION)) if version else sql(""),
        json=_guarded(rendering, write, json, row, checked=True),
        rows=render_table(write.entity, row, rendering.aliases, source),
        joins=join("", joins),
    )


def _render_keys(rendering: Rendering, write: Write, returns: tuple[str, ...]) -> Sql:
    """The write as a statement whose one row is the number of rows, and lists of what is needed of them as texts."""
    alias = rendering.aliases.new(write.entity)
    row = rendering.aliases.new(write.entity)
    columns = [*returns, *write.entity.table.primary_key]
    lists = [
        sql("coalesce(array_agg({column}::text), array[]::text[])", column=name(row, f"k{index}"))
        for index in range(len(columns))
    ]
    given = [
        sql("{column} as {key}", column=name(alias, column), key=name(f"k{index}"))
        for index, column in enumerate(columns)
    ]
    statement = _render_write(rendering, write, alias)
    listed = join(", ", given) if given else sql("1")
    source = (
        sql("select {listed} {rows}", listed=listed, rows=statement)
        if isinstance(write, FindRow)
        else sql("{statement} returning {listed}", statement=statement, listed=listed)
    )
    return sql(
        "with w as ({source}) select {columns} from w as {row}",
        source=source,
        columns=join(", ", [_guarded(rendering, write, sql("count(*)::text"), row, checked=False), *lists]),
        row=name(row),
    )


def _judge(rendering: Rendering, write: Write, check: Predicate, number: int, node: Writes) -> Sql:
    """Whether the policy holds for the rows as they now stand."""
    row = rendering.aliases.new(write.entity)
    return sql(
        "select coalesce(bool_and(({check}) is true), true), '' from {rows}",
        check=rendering.condition(check, write.entity, row),
        rows=_rows_by_key(rendering, write.entity, (number,), node, row),
    )


def _answer(rendering: Rendering, node: Writes) -> Sql:
    """The answer, read by the keys of what the roots have written."""
    if node.result is not None:
        return sql("select {json}", json=_by_key(rendering, node, node.result, is_list=False))

    def listed(output: WriteOutput) -> Sql:
        assert output.read is not None
        return _by_key(rendering, node, output.read, is_list=True, is_version=output.field == "versions")

    return sql("select {json}", json=_object(node, _total(node), listed))


def _total(node: Writes) -> Sql:
    counts = [sql("{n}::int8", n=slot(ResultPart(root, 0), "text")) for root in node.roots]
    return sql("({sum})", sum=join(" + ", counts)) if counts else sql("0")


def _by_key(rendering: Rendering, node: Writes, read: Read, *, is_list: bool, is_version: bool = False) -> Sql:
    row = rendering.aliases.new(read.entity)
    item, joins = (
        (sql("to_json({row}.xmin::text)::text", row=name(row)), [])
        if is_version
        else render_columns(rendering, read, row)
    )
    value = _list_of(item, sql(""), sql("k.o")) if is_list else sql("coalesce(min({item}), 'null')", item=item)
    return sql(
        "(select {value} from {rows}{joins}{where})",
        value=value,
        rows=_rows_by_key(rendering, read.entity, node.roots, node, row),
        joins=join("", joins),
        where=sql(" where {seen}", seen=rendering.condition(read.grant, read.entity, row))
        if read.grant != ALWAYS
        else sql(""),
    )


def _rows_by_key(rendering: Rendering, entity: Entity, numbers: tuple[int, ...], node: Writes, row: str) -> Sql:
    """The rows that the writes have written, as they now stand, in that order under `k.o`."""
    primary_key = entity.table.primary_key
    lists = [
        join(" || ", [slot(ResultPart(number, 1 + len(node.returns[number]) + place), "text[]") for number in numbers])
        for place in range(len(primary_key))
    ]
    names = [name(f"k{place}") for place in range(len(primary_key))]
    meets = [
        sql("{c} = k.{k}::{t}", c=name(row, column), k=key, t=Sql((entity.table.by_name[column].type.name,)))
        for column, key in zip(primary_key, names, strict=True)
    ]
    return sql(
        "unnest({lists}) with ordinality as k ({names}, o) join {rows} on {meets}",
        lists=join(", ", lists),
        names=join(", ", names),
        rows=render_table(entity, row, rendering.aliases),
        meets=join(" and ", meets),
    )


def _object(node: Writes, count: Sql, listed: Callable[[WriteOutput], Sql]) -> Sql:
    parts: list[Sql] = []
    for index, output in enumerate(node.outputs):
        parts.append(json_text('{"' if index == 0 else ',"', (output.key,), '":'))
        match output.field:
            case "affected_rows":
                parts.append(sql("{count}::text", count=count))
            case "__typename":
                parts.append(json_text('"', (node.type_name,), '"'))
            case _:
                parts.append(listed(output))
    parts.append(json_text("}"))
    return concatenate(parts)


def _list_of(item: Sql, seen: Sql, place: Sql) -> Sql:
    return sql(
        "coalesce('[' || string_agg({item}, ',' order by {place}){seen} || ']', '[]')",
        item=item,
        seen=seen,
        place=place,
    )


def _seen(rendering: Rendering, read: Read, row: str) -> Sql:
    if read.grant == ALWAYS:
        return sql("")
    return sql(" filter (where {seen})", seen=rendering.condition(read.grant, read.entity, row))


def _no_rows(_: WriteOutput) -> Sql:
    return sql("'[]'")
