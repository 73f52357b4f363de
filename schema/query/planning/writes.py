"""plan_insert, plan_update, plan_delete: the mutations of one row by its key."""

from collections.abc import Sequence
from typing import Literal

from graphql import FieldNode

from db.catalog import Column
from schema.errors import OperationError
from schema.expression.predicate import all_of
from schema.model import Entity
from schema.query.building.scalars import is_key
from schema.query.plan import Argument, Delete, Insert, RowKeyValue, Update
from schema.query.planning.context import Planning
from schema.query.planning.reads import plan_result
from schema.query.planning.stored import plan_stored


class NothingToStore(OperationError):
    """A mutation has no `input`."""

    code = "NO_INPUT"


def plan_insert(planning: Planning, entity: Entity, nodes: Sequence[FieldNode]) -> Insert:
    given = _input(planning, entity, nodes[0])
    on_conflict = _on_conflict(planning, nodes[0])
    stored = plan_stored(planning, entity, "insert", given)
    result = plan_result(planning, entity, nodes, _written_key(entity))
    conflict_columns = _conflict_columns(entity, {column.name for column, _ in given})
    if on_conflict != "update":
        return Insert(entity, stored.values, stored.after, result, on_conflict, conflict_columns)
    changed = [(column, value) for column, value in given if column.name not in conflict_columns]
    update = plan_stored(planning, entity, "update", changed)
    taken = {column.name for column, _ in given}
    # What rules preset on a change is stored in a new row too: whichever it comes to, the row has it.
    preset_by_update = tuple((column, value) for column, value in update.preset if column.name not in taken)
    taken |= {column.name for column, _ in preset_by_update}
    kept = tuple((column, value) for column, value in stored.preset if column.name not in taken)
    return Insert(
        entity=entity,
        values=stored.given + preset_by_update + kept,
        check=all_of(stored.after, update.after),
        result=result,
        on_conflict=on_conflict,
        conflict_columns=conflict_columns,
        update_check=update.before,
        kept_columns=frozenset(column.name for column, _ in kept),
    )


def plan_update(planning: Planning, entity: Entity, nodes: Sequence[FieldNode]) -> Update:
    stored = plan_stored(planning, entity, "update", _input(planning, entity, nodes[0]))
    return Update(
        entity=entity,
        key=_key(planning, entity, nodes[0]),
        values=stored.values,
        grant=stored.before,
        check=stored.after,
        result=plan_result(planning, entity, nodes, _written_key(entity)),
    )


def plan_delete(planning: Planning, entity: Entity, nodes: Sequence[FieldNode]) -> Delete:
    key = _key(planning, entity, nodes[0])
    return Delete(entity, key, planning.grant(entity, "delete"), plan_result(planning, entity, nodes, key))


def _key(planning: Planning, entity: Entity, node: FieldNode) -> tuple[tuple[Column, Argument], ...]:
    return tuple(
        (column, value.argument(column.type))
        for name, column in entity.columns.items()
        if is_key(entity.table, column) and (value := planning.argument(node, name)) is not None
    )


def _input(planning: Planning, entity: Entity, node: FieldNode) -> tuple[tuple[Column, Argument], ...]:
    value = planning.argument(node, "input")
    if value is None or value.is_null:
        raise NothingToStore(f"{node.name.value} needs an input.")
    columns = ((entity.writable[name], member) for name, member in value.fields())
    return tuple((column, member.argument(column.type)) for column, member in columns)


def _on_conflict(planning: Planning, node: FieldNode) -> Literal["fail", "update", "ignore"]:
    value = planning.argument(node, "onconflict")
    match value and value.plain():
        case "update":
            return "update"
        case "ignore":
            return "ignore"
        case _:
            return "fail"


def _written_key(entity: Entity) -> tuple[tuple[Column, Argument], ...]:
    by_name = entity.table.by_name
    return tuple(
        (by_name[name], RowKeyValue(index, by_name[name].type)) for index, name in enumerate(entity.table.primary_key)
    )


def _conflict_columns(entity: Entity, given: set[str]) -> tuple[str, ...]:
    """The primary key if it is given whole, else the first unique key that is, else none: any conflict."""
    keys = (entity.table.primary_key, *entity.table.unique_keys)
    return next((key for key in keys if key and set(key) <= given), ())
