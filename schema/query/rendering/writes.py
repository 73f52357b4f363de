"""render_insert, render_update, render_delete: a write by key → its statements, in the order in which they run."""

from db.sql import Sql, join, name, sql, to_statement
from schema.expression.predicate import ALWAYS, Predicate, all_of
from schema.model import Entity
from schema.query.plan import Delete, Insert, Read, Update
from schema.query.rendering.context import Rendering
from schema.query.rendering.predicate import render_argument, table_name
from schema.query.rendering.reads import key_conditions, render_one
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
    return _written(rendering, write, node.entity, alias, node.check, node.result)


def _written(
    rendering: Rendering, write: Sql, entity: Entity, alias: str, check: Predicate, result: Read
) -> tuple[Step, ...]:
    """The write, and what reads the row as it now stands: whether the policy holds for it, and its JSON."""
    if not entity.table.primary_key:
        row = rendering.aliases.new(entity)
        judged = sql(
            "with w as ({write} returning *) select {check}, {json} from w as {row}",
            write=write,
            check=rendering.condition(check, entity, row),
            json=render_one(rendering, result, source=sql("w")),
            row=name(row),
        )
        return (Step(to_statement(judged), "judge"),)
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
        Step(to_statement(sql("{write} returning {key}", write=write, key=key)), "write"),
        Step(to_statement(judged), "judge"),
    )


def render_delete(rendering: Rendering, node: Delete) -> tuple[Step, ...]:
    alias = rendering.aliases.new(node.entity)
    conditions = [*key_conditions(node.key, alias), rendering.condition(node.grant, node.entity, alias)]
    end = sql(
        "delete from {table} as {alias} where {where} returning 1",
        table=table_name(node.entity),
        alias=name(alias),
        where=join(" and ", conditions),
    )
    return (
        Step(to_statement(sql("select {json}", json=render_one(rendering, node.result))), "read"),
        Step(to_statement(end), "end"),
    )
