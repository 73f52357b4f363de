"""plan_insert, plan_update, plan_delete: the mutations of one row by its key."""

from collections.abc import Sequence
from typing import Literal

from graphql import FieldNode

from db.catalog import Column
from schema.errors import OperationError
from schema.model import Entity
from schema.query.building.scalars import is_key
from schema.query.plan import Argument, Delete, Insert, RowKeyValue, Update
from schema.query.planning.context import Planning
from schema.query.planning.reads import plan_result


class NothingToStore(OperationError):
    """A mutation has no `input`."""

    code = "NO_INPUT"


def plan_insert(planning: Planning, entity: Entity, nodes: Sequence[FieldNode]) -> Insert:
    check = planning.grant(entity, "insert")
    values = _input(planning, entity, nodes[0])
    on_conflict = _on_conflict(planning, nodes[0])
    return Insert(
        entity=entity,
        values=values,
        check=check,
        result=plan_result(planning, entity, nodes, _written_key(entity)),
        on_conflict=on_conflict,
        conflict_columns=_conflict_columns(entity, {column.name for column, _ in values}),
        update_check=planning.grant(entity, "update") if on_conflict == "update" else None,
    )


def plan_update(planning: Planning, entity: Entity, nodes: Sequence[FieldNode]) -> Update:
    return Update(
        entity=entity,
        key=_key(planning, entity, nodes[0]),
        values=_input(planning, entity, nodes[0]),
        grant=planning.grant(entity, "update"),
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
    columns = ((entity.columns[name], member) for name, member in value.fields())
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
