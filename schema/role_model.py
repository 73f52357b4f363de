"""build_role_model: a model as those see it who share the same grants.

Columns that no rule lets them read are not in it, nor are relations over such columns: so nothing that looks for a
column, be it an output, a filter, an ordering or an aggregate, can find them. Where it depends on the row whether a
column can be read, the column stands for what is seen of it (`Sight`), and so it does wherever it is used.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType

from db.catalog import Column, TableName
from schema.grants import Grant
from schema.model import Entity, Model, Relation, Sight, Sights

FindGrant = Callable[[TableName, str], Grant | None]


def build_role_model(model: Model, find_grant: FindGrant) -> Model:
    """The model itself where no rule says anything of columns."""
    seen = {table: _seen_entity(entity, model, find_grant) for table, entity in model.by_table.items()}
    if all(seen[table] is entity for table, entity in model.by_table.items()):
        return model
    by_table = {table: _without_hidden_relations(entity, seen, find_grant) for table, entity in seen.items()}
    return replace(
        model,
        entities=MappingProxyType({name: by_table[entity.table.name] for name, entity in model.entities.items()}),
        by_table=MappingProxyType(by_table),
    )


def build_seen_entity(entity: Entity, model: Model, select: Grant, find_grant: FindGrant) -> Entity:
    """The table as it is seen under a grant to select that is not the role's own on it. What rows are grouped by may
    be its key."""

    def find_own(table: TableName, capability: str) -> Grant | None:
        return select if (table, capability) == (entity.table.name, "select") else find_grant(table, capability)

    seen = _seen_entity(entity, model, find_own, with_keys=True)
    return _without_hidden_relations(seen, model.by_table, find_own)


def _seen_entity(entity: Entity, model: Model, find_grant: FindGrant, *, with_keys: bool = False) -> Entity:
    table = entity.table
    select = find_grant(table.name, "select")
    writing = [grant for each in ("insert", "update") if (grant := find_grant(table.name, each)) is not None]
    inputs = {
        name: column
        for name, column in entity.columns.items()
        if column.is_writable and any(grant.writes(column.name) for grant in writing)
    }
    all_inputs = not writing or inputs.keys() == entity.writable.keys()
    if select is None or all(_is_plain(select, each) for each in entity.columns.values()):
        return entity if all_inputs else replace(entity, inputs=MappingProxyType(inputs))
    sights = {sight.column.name: sight for sight in _sights(entity, select, with_keys=with_keys)}
    columns = {
        name: _as_seen(column, sights)
        for name, column in entity.columns.items()
        if column.name in sights or _is_plain(select, column)
    }
    return replace(
        entity,
        columns=MappingProxyType(columns),
        inputs=None if all_inputs and not sights and len(columns) == len(entity.columns) else MappingProxyType(inputs),
        hidden_columns=frozenset(each.name for each in entity.columns.values())
        - {column.name for column in columns.values()}
        - sights.keys()
        - {column.name for column in inputs.values()},
        sights=Sights(model, tuple(sights.values())) if sights else None,
    )


def _sights(entity: Entity, select: Grant, *, with_keys: bool) -> Iterator[Sight]:
    """What is seen of the columns that depend on the row. Of a key nothing by which rows are to be named: a key that is
    sometimes null is none."""
    used = {column.name for column in entity.table.columns}
    number = 0
    for column in entity.columns.values():
        view = select.view(column.name) if select.reads(column.name) else None
        if view is None or (column.name in entity.table.primary_key and not with_keys):
            continue
        while (name := f"seen_{number}") in used:
            number += 1
        used.add(name)
        yield Sight(name, column, view)


def _is_plain(grant: Grant, column: Column) -> bool:
    return grant.reads(column.name) and grant.view(column.name) is None


def _as_seen(column: Column, sights: Mapping[str, Sight]) -> Column:
    sight = sights.get(column.name)
    return column if sight is None else replace(column, name=sight.name, not_null=False)


def _without_hidden_relations(entity: Entity, seen: Mapping[TableName, Entity], find_grant: FindGrant) -> Entity:
    """The entity with those of its relations whose columns can all be read, on every row."""

    def reads(table: TableName, names: tuple[str, ...]) -> bool:
        grant = find_grant(table, "select")
        # Whoever has no grant on the table does not see the relation anyway.
        return grant is None or all(grant.reads(name) and grant.view(name) is None for name in names)

    def is_seen(relation: Relation) -> bool:
        junction = relation.junction
        return (
            reads(entity.table.name, relation.columns)
            and reads(relation.target, relation.target_columns)
            and (junction is None or reads(junction.table, (*junction.near, *junction.far)))
        )

    visible = {name: relation for name, relation in entity.relations.items() if is_seen(relation)}
    if len(visible) == len(entity.relations):
        return entity
    hidden = {name: relation for name, relation in entity.relations.items() if name not in visible}
    return replace(entity, relations=MappingProxyType(visible), hidden_relations=MappingProxyType(hidden))
