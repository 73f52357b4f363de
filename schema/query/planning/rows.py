"""plan_insert_rows and its like: the mutations of many rows, and of one with all that hangs on it."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final, Literal, cast

from graphql import FieldNode

from db.catalog import Column
from schema.errors import AccessDenied, OperationError
from schema.expression.coerce import coercer
from schema.expression.predicate import ALWAYS, Constant, Predicate, all_of
from schema.model import Entity
from schema.names import column_members
from schema.query.building.writes import MAX_AFFECTED, plain_columns
from schema.query.plan import (
    Argument,
    Chosen,
    Conflict,
    DeleteRows,
    Read,
    VariableColumn,
    WriteOutput,
    Writes,
)
from schema.query.planning.changes import INT8, NothingToChange, plan_changes
from schema.query.planning.context import Planning
from schema.query.planning.filters import plan_filter
from schema.query.planning.given import Given, Sent
from schema.query.planning.links import (
    ANY_VALUE,
    Plotting,
    TooManyWrites,
    plan_insert_of,
    plan_linked,
    plan_update_of,
    plan_update_with,
)
from schema.query.planning.reads import plan_outputs
from schema.query.planning.stored import plan_stored
from schema.query.planning.where import plan_where
from schema.query.shape import uniform_members

#: PostgreSQL's protocol counts the arguments of a statement in 16 bits; the rest is for the conditions.
MAX_VALUES: Final = 32_000


class NoSuchKey(OperationError):
    """`conflict_columns` are no key of the table, or of a key that is not given."""

    code = "NO_SUCH_KEY"

    def __init__(self, target: str) -> None:
        super().__init__(f"conflict_columns must be the columns of a unique key of {target}.")


def plan_insert_rows(planning: Planning, entity: Entity, nodes: Sequence[FieldNode]) -> Writes:
    """New rows, in one statement where nothing is to be done along their relations."""
    objects = _objects(planning, nodes[0])
    planning.grant(entity, "insert")
    columns, rows = _rows(entity, objects)
    if rows:
        plotting = Plotting(planning, [plan_insert_of(planning, entity, columns, rows)])
        return _answer(plotting, entity, "insert", nodes, (0,))
    plotting = Plotting(planning)
    roots = tuple(plan_linked(plotting, entity, item) for item in objects.items())
    return _answer(plotting, entity, "insert", nodes, roots)


def plan_upsert_rows(planning: Planning, entity: Entity, nodes: Sequence[FieldNode]) -> Writes:
    """New rows, or changes of those that have their keys."""
    columns, rows = _rows(entity, _objects(planning, nodes[0]))
    insert = plan_insert_of(planning, entity, columns, rows or ())
    key, updated = _conflict(planning, entity, nodes[0], columns)
    update = plan_stored(planning, entity, "update", [(column, ANY_VALUE) for column in updated])
    if not rows:
        return _answer(Plotting(planning), entity, "insert", nodes, ())
    # What rules preset on a change is stored in a new row too: whichever it comes to, the row has it.
    by_update = tuple((column, value) for column, value in update.preset if column not in columns)
    kept = tuple((column, value) for column, value in insert.preset if column not in dict(by_update))
    conflict = Conflict("ignore", key)
    if updated:
        changed = (*updated, *(column for column, _ in by_update))
        conflict = Conflict("update", key, changed, update.before, update.after)
    insert = replace(insert, conflict=conflict, preset=(*by_update, *kept))
    return _answer(Plotting(planning, [insert]), entity, "insert", nodes, (0,))


def plan_update_where(planning: Planning, entity: Entity, nodes: Sequence[FieldNode]) -> Writes:
    node = nodes[0]
    changes = plan_changes(entity, planning.arguments(node))
    if not changes:
        raise NothingToChange(node.name.value)
    update = plan_update_with(planning, entity, _chosen(planning, entity, node, "update"), changes)
    return _answer(Plotting(planning, [update]), entity, "update", nodes, (0,))


def plan_delete_where(planning: Planning, entity: Entity, nodes: Sequence[FieldNode]) -> Writes:
    delete = DeleteRows(entity, _chosen(planning, entity, nodes[0], "delete"))
    return _answer(Plotting(planning, [delete]), entity, "delete", nodes, (0,))


def plan_update_many(planning: Planning, entity: Entity, nodes: Sequence[FieldNode]) -> Writes:
    """Updates one after the other, each of a row by its key."""
    value = planning.argument(nodes[0], "updates")
    plotting = Plotting(planning)
    items = value.items() if value is not None else ()
    roots = tuple(plan_update_of(plotting, entity, dict(item.fields()), nodes[0].name.value) for item in items)
    return _answer(plotting, entity, "update", nodes, roots)


def plan_update_by_key(planning: Planning, entity: Entity, nodes: Sequence[FieldNode]) -> Writes:
    plotting = Plotting(planning)
    root = plan_update_of(plotting, entity, dict(planning.arguments(nodes[0])), nodes[0].name.value)
    result = _result(planning, entity, nodes)
    return Writes(entity, "update", tuple(plotting.writes), (root,), plotting.returned(), result)


def plan_delete_by_key(planning: Planning, entity: Entity, nodes: Sequence[FieldNode]) -> Writes:
    plotting = Plotting(planning)
    chosen = plotting.by_key(entity, "delete", dict(planning.arguments(nodes[0])))
    delete = DeleteRows(entity, chosen)
    return Writes(entity, "delete", (delete,), (0,), ((),), _result(planning, entity, nodes))


def _objects(planning: Planning, node: FieldNode) -> Given:
    value = planning.argument(node, "objects")
    assert value is not None  # the argument is required
    return value


def _rows(
    entity: Entity, objects: Given
) -> tuple[tuple[Column, ...], tuple[tuple[Argument | None, ...], ...] | tuple[VariableColumn, ...] | None]:
    """The values of rows without relations, by columns; None for rows with."""
    sent = cast("list[object]", objects.value) if isinstance(objects, Sent) and isinstance(objects.value, list) else []
    if isinstance(objects, Sent) and (members := uniform_members(sent, plain_columns(entity))):
        columns = tuple(entity.writable[name] for name in members)
        return columns, tuple(
            VariableColumn(objects.path, name, column.type, coercer(column.type))
            for name, column in zip(members, columns, strict=True)
        )
    items = [dict(item.fields()) for item in objects.items()]
    names = list(dict.fromkeys(name for item in items for name in item))
    if not all(name in entity.writable for name in names):
        return (), None
    columns = tuple(entity.writable[name] for name in names)
    if len(items) * len(columns) > MAX_VALUES:
        raise TooManyWrites("values that are not sent as one variable", MAX_VALUES)
    return columns, tuple(
        tuple(
            item[name].argument(column.type) if name in item else None
            for name, column in zip(names, columns, strict=True)
        )
        for item in items
    )


def _conflict(
    planning: Planning, entity: Entity, node: FieldNode, given: Sequence[Column]
) -> tuple[tuple[str, ...], tuple[Column, ...]]:
    """The key by which rows are the same, and what is updated then."""
    keys = [set(key) for key in (entity.table.primary_key, *entity.table.unique_keys) if key]
    named = _columns(entity, planning.argument(node, "conflict_columns"))
    key = tuple(column.name for column in named) if named is not None else entity.table.primary_key
    if set(key) not in keys:
        raise NoSuchKey(entity.name)
    updated = _columns(entity, planning.argument(node, "update_columns"))
    return key, tuple(column for column in given if column.name not in key) if updated is None else updated


def _columns(entity: Entity, value: Given | None) -> tuple[Column, ...] | None:
    if value is None or value.is_null:
        return None
    members = column_members(entity)
    columns = (members[str(item.plain())] for item in value.items())
    # What is seen of a column stands for it.
    by_seen = {sight.name: sight.column for sight in entity.sights.columns} if entity.sights else {}
    return tuple(by_seen.get(column.name, column) for column in columns)


def _chosen(planning: Planning, entity: Entity, node: FieldNode, capability: Literal["update", "delete"]) -> Chosen:
    """The rows that the arguments choose. What looks into rows sees only those that the caller may select: how many
    were changed must not tell what is in a row that policy hides."""
    grant = planning.grant(entity, capability)
    condition = plan_condition(planning, entity, node)
    seen = planning.grant(entity, "select") if condition != ALWAYS else None
    return Chosen(grant, seen=seen, filter=condition, max_affected=_max_affected(planning, node))


def plan_condition(planning: Planning, entity: Entity, node: FieldNode) -> Predicate:
    """What the arguments of a mutation say of its rows."""
    return all_of(
        plan_filter(planning, entity, planning.argument(node, "filter")),
        plan_where(planning, entity, planning.argument(node, "where")),
    )


def _max_affected(planning: Planning, node: FieldNode) -> Argument | None:
    value = planning.argument(node, "max_affected")
    if value is None:
        return Constant(MAX_AFFECTED, INT8)
    return None if value.is_null else value.argument(INT8)


def _result(planning: Planning, entity: Entity, nodes: Sequence[FieldNode]) -> Read:
    """The written rows as the caller may see them; without a grant to select, their keys alone."""
    try:
        grant = planning.grant(entity, "select")
    except AccessDenied:
        grant = ALWAYS
    return Read(entity, grant, plan_outputs(planning, entity, nodes), many=False)


def _answer(
    plotting: Plotting,
    entity: Entity,
    capability: Literal["insert", "update", "delete"],
    nodes: Sequence[FieldNode],
    roots: tuple[int, ...],
) -> Writes:
    planning = plotting.planning
    outputs = tuple(_output(planning, entity, key, each) for key, each in planning.fields(nodes).items())
    return Writes(entity, capability, tuple(plotting.writes), roots, plotting.returned(), outputs=outputs)


def _output(planning: Planning, entity: Entity, key: str, nodes: Sequence[FieldNode]) -> WriteOutput:
    match nodes[0].name.value:
        case "returning":
            return WriteOutput(key, "returning", _result(planning, entity, nodes))
        case "versions":
            return WriteOutput(key, "versions", Read(entity, planning.grant(entity, "select"), ()))
        case "affected_rows":
            return WriteOutput(key, "affected_rows")
        case _:
            return WriteOutput(key, "__typename")
