"""AggregateView: a table as those see it under `Aggregates` who share the same grants.

Whoever can read rows aggregates what it reads. Rows for aggregates only are there in groups that are large enough, and
in questions that look at no other columns than those by which the groups are made: so each answer is about whole
groups, and no difference of two answers is about fewer rows.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from db.catalog import TableName
from schema.expression.predicate import NEVER
from schema.grants import ColumnView, Grant
from schema.model import Entity, Model, Sight, Sights
from schema.policy import AGGREGATE
from schema.role_model import FindGrant, build_seen_entity

May = Callable[[Entity], bool]


@dataclass(frozen=True)
class AggregateView:
    """`whole` is the table with the rows for aggregates only, `rows` the one without them, if any can be read; both
    have the same columns. `asked` are the columns of arguments, `groups` those by which rows can be grouped, `grouped`
    the names of those that tell groups apart; None where there are no such rows."""

    whole: Entity
    rows: Entity | None
    asked: Entity
    groups: Entity
    grouped: frozenset[str] | None = None

    @classmethod
    def of(cls, entity: Entity) -> "AggregateView":
        """The view of a table whose rows can be read."""
        return cls(entity, entity, entity, entity)


def build_aggregate_views(model: Model, seen: Model, find_grant: FindGrant) -> Mapping[TableName, AggregateView]:
    """The views of all tables of which rows can be aggregated. `model` is the whole one, `seen` that of the role."""
    found: dict[TableName, AggregateView] = {}
    for table, entity in model.by_table.items():
        grant = find_grant(table, AGGREGATE)
        if grant is None:
            continue
        readable = seen.by_table[table] if find_grant(table, "select") is not None else None
        if grant.grouped is not None:
            found[table] = _build_view(entity, model, grant, readable, find_grant)
        elif readable is not None:
            found[table] = AggregateView.of(readable)
    return MappingProxyType(found)


def _build_view(
    entity: Entity, model: Model, grant: Grant, readable: Entity | None, find_grant: FindGrant
) -> AggregateView:
    listed = find_grant(entity.table.name, "select")
    crowds = tuple(part for part in grant.parts if part.aggregates == "only")
    together = Grant((*(listed.parts if listed else ()), *crowds))
    whole = build_seen_entity(entity, model, together, find_grant)
    if readable is not None:
        whole = replace(whole, relations=MappingProxyType({**whole.relations, **readable.relations}))
    grouped = grant.grouped or frozenset[str]()
    names = {name for name in whole.columns if entity.columns[name].name in grouped}
    relations = {name: relation for name, relation in whole.relations.items() if grouped.issuperset(relation.columns)}
    by_groups = replace(
        whole,
        columns=MappingProxyType({name: whole.columns[name] for name in whole.columns if name in names}),
        relations=MappingProxyType(relations),
    )
    if readable is None:
        return AggregateView(whole, None, by_groups, by_groups, grouped)
    groups = replace(
        whole,
        columns=MappingProxyType(
            {name: column for name, column in whole.columns.items() if name in names or name in readable.columns}
        ),
        relations=MappingProxyType({**readable.relations, **relations}),
    )
    return AggregateView(whole, _with_nulls(readable, whole, entity, model), readable, groups, grouped)


def _with_nulls(readable: Entity, whole: Entity, entity: Entity, model: Model) -> Entity:
    """The rows that can be read, with nothing in those columns that cannot."""
    further = [name for name in whole.columns if name not in readable.columns]
    if not further:
        return readable
    sights = readable.sights.columns if readable.sights else ()
    used = {column.name for column in entity.table.columns} | {sight.name for sight in sights}
    added: dict[str, Sight] = {}
    for name in further:
        number = 0
        while (free := f"unseen_{number}") in used:
            number += 1
        used.add(free)
        added[name] = Sight(free, entity.columns[name], ColumnView(NEVER))
    columns = {name: replace(sight.column, name=sight.name, not_null=False) for name, sight in added.items()}
    return replace(
        readable,
        columns=MappingProxyType({**readable.columns, **columns}),
        sights=Sights(model, (*sights, *added.values())),
    )
