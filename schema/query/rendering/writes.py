"""render_insert, render_update, render_delete: a write by key → its statements, in the order in which they run."""

from dataclasses import replace

from db.sql import Sql, join, name, sql, stop, to_statement
from schema.expression.predicate import ALWAYS, Predicate, all_of
from schema.model import Entity
from schema.query.plan import Delete, Insert, Read, Update
from schema.query.rendering.at_once import is_at_once
from schema.query.rendering.context import Rendering
from schema.query.rendering.predicate import render_argument, table_name
from schema.query.rendering.reads import key_conditions, render_one, render_written
from schema.query.rendering.step import Step


def render_insert(rendering: Rendering, node: Insert) -> tuple[Step, ...]:
    alias = rendering.aliases.new(node.entity)
    columns = join(", ", [name(column.name) for column, _ in node.values])
    values = join(", ", [render_argument(value) for _, value in node.values])
    write = sql(
        "insert into {table} as {alias} {values}{conflict}",
        table=table_name(node.entity),
        alias=name(alias),
        values=sql("({columns}) values ({values})", columns=columns, values=values)
        if node.values
        else sql("default values"),
        conflict=_conflict(rendering, node, alias),
    )
    check = node.check if node.update_check is None else all_of(node.check, node.update_check)
    return _written(rendering, write, node.entity, alias, check, node.result)


def _conflict(rendering: Rendering, node: Insert, alias: str) -> Sql:
    if node.on_conflict == "fail":
        return sql("")
    target = join(", ", [name(column) for column in node.conflict_columns])
    where = sql(" ({target})", target=target) if node.conflict_columns else sql("")
    fixed = node.kept_columns.union(node.conflict_columns)
    changed = [column for column, _ in node.values if column.name not in fixed]
    if node.on_conflict == "ignore" or not node.conflict_columns:
        return sql(" on conflict{where} do nothing", where=where) if node.on_conflict == "ignore" else sql("")
    sets = [sql("{column} = excluded.{column}", column=name(column.name)) for column in changed] or [
        sql("{column} = {alias}.{column}", column=name(node.conflict_columns[0]), alias=name(alias))
    ]
    return sql(
        " on conflict{where} do update set {sets} where {grant}",
        where=where,
        sets=join(", ", sets),
        grant=rendering.condition(node.update_check or ALWAYS, node.entity, alias),
    )


def render_update(rendering: Rendering, node: Update) -> tuple[Step, ...]:
    alias = rendering.aliases.new(node.entity)
    values = node.values or node.key
    sets = [
        sql("{column} = {value}", column=name(column.name), value=render_argument(value)) for column, value in values
    ]
    write = sql(
        "update {table} as {alias} set {sets} where {where}",
        table=table_name(node.entity),
        alias=name(alias),
        sets=join(", ", sets),
        where=join(" and ", [*key_conditions(node.key, alias), rendering.condition(node.grant, node.entity, alias)]),
    )
    moves = moves_keys(node.entity, {column.name for column, _ in node.values})
    return _written(rendering, write, node.entity, alias, node.check, node.result, moves=moves)


def moves_keys(entity: Entity, changed: set[str]) -> bool:
    """Whether columns change to which other tables may refer."""
    keys = (entity.table.primary_key, *entity.table.unique_keys)
    return any(changed.intersection(key) for key in keys)


def _written(
    rendering: Rendering,
    write: Sql,
    entity: Entity,
    alias: str,
    check: Predicate,
    result: Read,
    *,
    moves: bool = False,
) -> tuple[Step, ...]:
    """The write, and what reads the row as it now stands: whether the policy holds for it, and its JSON. In one
    statement where that can be, or where there is no key by which to find the row again."""
    if not entity.table.primary_key or is_at_once(entity, (check,), result, moves_keys=moves):
        return (Step(to_statement(_at_once(rendering, write, check, replace(result, key=()))), "answer"),)
    key = join(", ", [name(alias, column) for column in entity.table.primary_key])
    row = rendering.aliases.new(entity)
    judged = sql(
        "select {check}, {json} from {table} as {row} where {key}",
        check=rendering.condition(check, entity, row),
        json=render_one(rendering, result),
        table=table_name(entity),
        row=name(row),
        key=join(" and ", key_conditions(result.key, row)),
    )
    return (
        Step(to_statement(sql("{write} returning {key}", write=write, key=key)), "keys"),
        Step(to_statement(judged), "judge"),
    )


def _at_once(rendering: Rendering, write: Sql, check: Predicate, result: Read) -> Sql:
    """The write and the JSON of its row as one statement, which the row ends where the policy does not hold for it."""
    row = rendering.aliases.new(result.entity)
    answer = render_written(rendering, result, sql("w"), lambda json: json)
    if check != ALWAYS:
        answer = sql(
            "select case when {check} then ({answer}) else {stop} end from w as {row}",
            check=rendering.condition(check, result.entity, row),
            answer=answer,
            stop=stop("policy"),
            row=name(row),
        )
    return sql("with w as ({write} returning *) {answer}", write=write, answer=answer)


def render_delete(rendering: Rendering, node: Delete) -> tuple[Step, ...]:
    """One statement: what it reads of tables is as they stood before it, and so is the row that it gives back."""
    alias = rendering.aliases.new(node.entity)
    conditions = [*key_conditions(node.key, alias), rendering.condition(node.grant, node.entity, alias)]
    delete = sql(
        "delete from {table} as {alias} where {where} returning *",
        table=table_name(node.entity),
        alias=name(alias),
        where=join(" and ", conditions),
    )
    answer = render_written(rendering, replace(node.result, key=()), sql("w"), lambda json: json)
    return (Step(to_statement(sql("with w as ({delete}) {answer}", delete=delete, answer=answer)), "answer"),)
