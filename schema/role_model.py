"""build_role_model: a model as those see it who share the same grants.

Columns that no rule lets them read are not in it, nor are relations over such columns, nor those to tables of which
they may read nothing: so nothing that looks for a column, be it an output, a filter, an ordering or an aggregate, can
find them, and no refusal can tell of them. Where it depends on the row whether a column can be read, the column stands
for what is seen of it (`Sight`), and so it does wherever it is used.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from db.catalog import Column, TableName
from schema.grants import Grant
from schema.model import Entity, Model, Relation, Sight, Sights

FindGrant = Callable[[TableName, str], Grant | None]


def build_role_model(model: Model, find_grant: FindGrant) -> Model:
    """The model itself where all of it is seen."""
    selects = {table: find_grant(table, "select") for table in model.by_table}
    seen = {table: _seen_entity(entity, model, find_grant) for table, entity in model.by_table.items()}
    by_table = {table: _without_hidden_relations(entity, selects.get) for table, entity in seen.items()}
    if all(by_table[table] is entity for table, entity in model.by_table.items()):
        return model
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
    return _without_hidden_relations(seen, lambda table: find_own(table, "select"))


def _seen_entity(entity: Entity, model: Model, find_grant: FindGrant, *, with_keys: bool = False) -> Entity:
    table = entity.table
    select = find_grant(table.name, "select")
    writing = [grant for each in ("insert", "update") if (grant := find_grant(table.name, each)) is not None]
    if select is not None and not select.is_whole:
        entity = replace(entity, is_whole=False)
    sights: dict[str, Sight] = {}
    given = _inputs(entity, select, writing)
    if select is None:
        # Whoever reads no row names columns all the same: those of the key, and those that it writes.
        columns = {
            name: each for name, each in entity.columns.items() if each.name in table.primary_key or name in given
        }
    else:
        sights = {sight.column.name: sight for sight in _sights(entity, select, with_keys=with_keys)}
        columns = {
            name: _as_seen(column, sights)
            for name, column in entity.columns.items()
            if column.name in sights or _is_plain(select, column)
        }
    if not sights and len(columns) == len(entity.columns) and given.keys() == entity.writable.keys():
        return entity
    known = {column.name for column in (*columns.values(), *given.values())} | sights.keys()
    return replace(
        entity,
        columns=MappingProxyType(columns),
        inputs=MappingProxyType(given),
        hidden_columns=frozenset(each.name for each in entity.columns.values()) - known,
        sights=Sights(model, tuple(sights.values())) if sights else None,
    )


def _inputs(entity: Entity, select: Grant | None, writing: Sequence[Grant]) -> dict[str, Column]:
    """The columns that can be given values: to be stored; or, where nothing can be stored, to be compared with what
    stands before a row is deleted."""
    return {
        name: column
        for name, column in entity.columns.items()
        if column.is_writable
        and (
            any(grant.writes(column.name) for grant in writing)
            if writing
            else select is not None and _is_plain(select, column)
        )
    }


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


def _without_hidden_relations(entity: Entity, find_select: Callable[[TableName], Grant | None]) -> Entity:
    """The entity with those of its relations that lead to what can be read, over columns that can be read on every
    row."""
    own = find_select(entity.table.name)

    def reads(table: TableName, names: tuple[str, ...]) -> bool:
        grant = find_select(table)
        return grant is not None and all(grant.reads(name) and grant.view(name) is None for name in names)

    def is_seen(relation: Relation) -> bool:
        junction = relation.junction
        # Whoever may write rows without reading any may still link them.
        return (
            (own is None or reads(entity.table.name, relation.columns))
            and reads(relation.target, relation.target_columns)
            and (junction is None or reads(junction.table, (*junction.near, *junction.far)))
        )

    visible = {name: relation for name, relation in entity.relations.items() if is_seen(relation)}
    if len(visible) == len(entity.relations):
        return entity
    hidden = {name: relation for name, relation in entity.relations.items() if name not in visible}
    return replace(entity, relations=MappingProxyType(visible), hidden_relations=MappingProxyType(hidden))
