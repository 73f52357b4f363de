"""Plotting: the writes of one mutation field in their order, along relations to-one, to-many and over junctions.

Each touches its table under the caller's grant for it, as if it were a mutation of its own. Rows that are to be
referred to must be ones that the caller may see; rows that refer to ours must be ones that the caller may change.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, cast

from db.catalog import Column
from schema.errors import OperationError, UnknownColumn
from schema.expression.predicate import Constant, Predicate
from schema.model import Entity, Junction, Relation
from schema.query.building.scalars import is_key
from schema.query.building.writes import MAX_AFFECTED, seen_columns
from schema.query.plan import (
    Argument,
    Change,
    Chosen,
    Conflict,
    DeleteRows,
    FindRow,
    InsertRows,
    UpdateRows,
    VariableColumn,
    Write,
    WrittenValue,
)
from schema.query.planning.changes import INT8, TEXT, ColumnChangedTwice, NothingToChange, plan_changes
from schema.query.planning.context import Planning
from schema.query.planning.given import Given
from schema.query.planning.stored import plan_stored

Members = Mapping[str, Given]
Key = tuple[tuple[Column, Argument], ...]
#: A write for each row that a request names: a request with more is better several.
MAX_WRITES = 1000


class TooManyWrites(OperationError):
    """A mutation names more rows along relations, or more values, than one operation may."""

    code = "TOO_MANY_WRITES"

    def __init__(self, what: str, limit: int) -> None:
        super().__init__(f"One mutation may have at most {limit} {what}. Send several.")


class KeyNeeded(OperationError):
    """An update that does not say by a key which row it is about."""

    code = "KEY_NEEDED"

    def __init__(self, field: str) -> None:
        super().__init__(f"An update in {field} needs a key.")


class LinkUnclear(OperationError):
    """What is to be done along a to-one relation is nothing, or more than one thing."""

    code = "LINK_UNCLEAR"

    def __init__(self, relation: str, allowed: str) -> None:
        super().__init__(f"{relation} needs exactly one of {allowed}.")


@dataclass
class Plotting:
    """The writes so far, and which columns of the rows that each writes are used by others."""

    planning: Planning
    writes: list[Write] = field(default_factory=list[Write])
    returns: dict[int, list[str]] = field(default_factory=dict[int, list[str]])

    def add(self, write: Write) -> int:
        if len(self.writes) == MAX_WRITES:
            raise TooManyWrites("writes along relations", MAX_WRITES)
        self.writes.append(write)
        return len(self.writes) - 1

    def value(self, number: int, column: str) -> WrittenValue:
        """A column of the row that write `number` writes or finds."""
        table = self.writes[number].entity.table
        returned = self.returns.setdefault(number, [])
        if column not in returned:
            returned.append(column)
        return WrittenValue(number, returned.index(column), table.by_name[column].type)

    def values(self, number: int, columns: Sequence[str], into: Entity, targets: Sequence[str]) -> Key:
        """The columns of a written row as values for columns of another table."""
        pairs = zip(columns, targets, strict=True)
        return tuple((into.table.by_name[target], self.value(number, column)) for column, target in pairs)

    def by_key(self, entity: Entity, capability: Literal["update", "delete"], members: Members) -> Chosen:
        """The row with the key among the members, if it still is as `if_match` and `if_version` say.

        These look into the row, so that it must be one that the caller may select."""
        expected = members["if_match"].fields() if "if_match" in members else ()
        version = members.get("if_version")
        matched = tuple((column, value.argument(column.type)) for column, value in _expected(entity, expected))
        token = version.argument(TEXT) if version is not None and not version.is_null else None
        return Chosen(
            self.planning.grant(entity, capability),
            key=key_of(entity, members["key"]) if "key" in members else (),
            seen=self.planning.grant(entity, "select") if matched or token is not None else None,
            expected=matched,
            version=token,
            at_least_one=True,
        )

    def insert(
        self,
        entity: Entity,
        columns: tuple[Column, ...],
        rows: tuple[tuple[Argument | None, ...], ...],
        conflict: Conflict | None = None,
    ) -> int:
        return self.add(plan_insert_of(self.planning, entity, columns, rows, conflict))

    def update(self, entity: Entity, chosen: Chosen, changes: Sequence[Change]) -> int:
        return self.add(plan_update_with(self.planning, entity, chosen, changes))

    def returned(self) -> tuple[tuple[str, ...], ...]:
        return tuple(tuple(self.returns.get(number, ())) for number in range(len(self.writes)))

    def find(self, entity: Entity, key: Given) -> int:
        chosen = Chosen(self.planning.grant(entity, "select"), key=key_of(entity, key), at_least_one=True)
        return self.add(FindRow(entity, chosen))


def plan_insert_of(
    planning: Planning,
    entity: Entity,
    columns: tuple[Column, ...],
    rows: tuple[tuple[Argument | None, ...], ...] | tuple[VariableColumn, ...],
    conflict: Conflict | None = None,
) -> InsertRows:
    """The rows under what the rules let be stored. A column that only some of them have is preset in the others."""
    stored = plan_stored(planning, entity, "insert", [(column, ANY_VALUE) for column in columns])
    defaults = dict(plan_stored(planning, entity, "insert", ()).preset)
    full = tuple(
        row
        if isinstance(row, VariableColumn)
        else tuple(defaults.get(column) if value is None else value for column, value in zip(columns, row, strict=True))
        for row in rows
    )
    return InsertRows(
        entity, columns, cast("tuple[VariableColumn, ...]", full), stored.after, conflict, preset=stored.preset
    )


def plan_update_with(planning: Planning, entity: Entity, chosen: Chosen, changes: Sequence[Change]) -> UpdateRows:
    """The update under what the rules let be stored. What works on values that stand looks into rows: the caller must
    be one who may select them."""
    stored = plan_stored(planning, entity, "update", [(each.column, ANY_VALUE) for each in changes])
    preset = [Change(column, "set", (value,)) for column, value in stored.preset]
    is_relative = any(each.operator != "set" for each in changes)
    seen = planning.grant(entity, "select") if is_relative else chosen.seen
    return UpdateRows(entity, replace(chosen, grant=stored.before, seen=seen), (*changes, *preset), stored.after)


def _expected(entity: Entity, members: Sequence[tuple[str, Given]]) -> list[tuple[Column, Given]]:
    """The columns of `if_match` with their values. A column that the caller does not see as it is cannot be asked."""
    seen = seen_columns(entity)
    for name, _ in members:
        if name not in seen:
            raise UnknownColumn(entity.name, name)
    return [(seen[name], value) for name, value in members]


def key_of(entity: Entity, value: Given) -> Key:
    """The columns of the key with the values that an object of type `T_rowkey` gives."""
    members = dict(value.fields())
    return tuple(
        (column, members[name].argument(column.type))
        for name, column in entity.columns.items()
        if is_key(entity.table, column)
    )


def plan_linked(plotting: Plotting, entity: Entity, item: Given, given: Key = ()) -> int:
    """The write of a new row with these values, after what it refers to and before what refers to it."""
    members = dict(item.fields())
    values = dict(given)
    for name, value in members.items():
        if (column := entity.writable.get(name)) is not None:
            _give(values, column, value.argument(column.type))
    for relation, value in _links(entity, members, many=False):
        for column, argument in _referred(plotting, entity, relation, value):
            _give(values, column, argument)
    number = plotting.insert(entity, tuple(values), (tuple(values.values()),))
    for relation, value in _links(entity, members, many=True):
        _plan_many(plotting, entity, number, relation, value)
    return number


def plan_update_of(plotting: Plotting, entity: Entity, members: Members, field_name: str, given: Key = ()) -> int:
    """The write that changes the row with the key among the members, which must also have the values `given`."""
    if "key" not in members:
        raise KeyNeeded(field_name)
    chosen = plotting.by_key(entity, "update", members)
    return _plan_change(plotting, entity, replace(chosen, key=(*chosen.key, *given)), members, field_name)


def _plan_change(plotting: Plotting, entity: Entity, chosen: Chosen, members: Members, field_name: str) -> int:
    changes = list(plan_changes(entity, members.items()))
    along = dict(members["relations"].fields()) if "relations" in members else {}
    if not changes and not along:
        raise NothingToChange(field_name)
    for relation, value in _links(entity, along, many=False):
        if set(dict(value.fields())) != {"update"}:
            changes += [
                Change(column, "set", (argument,)) for column, argument in _referred(plotting, entity, relation, value)
            ]
    if len({change.column for change in changes if change.operator == "set"}) < len(
        [change for change in changes if change.operator == "set"]
    ):
        raise ColumnChangedTwice(field_name)
    number = plotting.update(entity, chosen, changes) if changes else plotting.add(FindRow(entity, chosen))
    for relation, value in _links(entity, along, many=False):
        if change := dict(value.fields()).get("update"):
            target = plotting.planning.model.by_table[relation.target]
            key = plotting.values(number, relation.columns, target, relation.target_columns)
            inner = dict(change.fields())
            linked = plotting.by_key(target, "update", inner)
            _plan_change(plotting, target, replace(linked, key=(*linked.key, *key)), inner, relation.name)
    for relation, value in _links(entity, along, many=True):
        _plan_many(plotting, entity, number, relation, value)
    return number


def _links(entity: Entity, members: Members, *, many: bool) -> list[tuple[Relation, Given]]:
    found = [(entity.relations[name], value) for name, value in members.items() if name in entity.relations]
    return [(relation, value) for relation, value in found if relation.many == many and not value.is_null]


def _give(values: dict[Column, Argument], column: Column, argument: Argument) -> None:
    if column in values:
        raise ColumnChangedTwice(column.name)
    values[column] = argument


def _referred(plotting: Plotting, entity: Entity, relation: Relation, value: Given) -> Key:
    """The columns that refer to another row, with the key of the row that is created or connected."""
    target = plotting.planning.model.by_table[relation.target]
    members = dict(value.fields())
    if len(members) != 1:
        raise LinkUnclear(relation.name, "create, connect and, in an update, update")
    ((verb, given),) = members.items()
    by_name = entity.table.by_name
    if verb == "connect" and given.is_null:
        return tuple((by_name[column], Constant(None, by_name[column].type)) for column in relation.columns)
    if given.is_null or verb not in {"create", "connect"}:
        raise LinkUnclear(relation.name, "create, connect and, in an update, update")
    number = plan_linked(plotting, target, given) if verb == "create" else plotting.find(target, given)
    return plotting.values(number, relation.target_columns, entity, relation.columns)


def _plan_many(plotting: Plotting, entity: Entity, number: int, relation: Relation, value: Given) -> None:
    target = plotting.planning.model.by_table[relation.target]
    members = {name: given for name, given in value.fields() if not given.is_null}
    if relation.junction is not None:
        _Junction(plotting, number, relation, relation.junction, target).plan(members)
    else:
        ours = plotting.values(number, relation.columns, target, relation.target_columns)
        _Children(plotting, relation, target, ours).plan(members)


@dataclass
class _Children:
    """Rows of `target` that refer to ours by holding the values `ours`."""

    plotting: Plotting
    relation: Relation
    target: Entity
    ours: Key

    def plan(self, members: Members) -> None:
        plotting, target = self.plotting, self.target
        for key in _items(members, "disconnect"):
            self._refer(Chosen(self._grant("update"), (*key_of(target, key), *self.ours), at_least_one=True), None)
        for key in _items(members, "delete"):
            chosen = Chosen(self._grant("delete"), (*key_of(target, key), *self.ours), at_least_one=True)
            plotting.add(DeleteRows(target, chosen))
        if "set" in members:
            self._set(members["set"])
        for key in _items(members, "connect"):
            self._connect(key)
        for item in _items(members, "update"):
            plan_update_of(plotting, target, dict(item.fields()), self.relation.name, self.ours)
        self._create(_items(members, "create"))

    def _set(self, keys: Given) -> None:
        kept = tuple(key_of(self.target, key) for key in keys.items())
        others = Chosen(self._grant("update"), self.ours, seen=self._grant("select"), but=kept, max_affected=_MOST)
        self._refer(others, None)
        for key in keys.items():
            self._connect(key)

    def _connect(self, key: Given) -> None:
        self._refer(Chosen(self._grant("update"), key_of(self.target, key), at_least_one=True), self.ours)

    def _refer(self, chosen: Chosen, values: Key | None) -> None:
        """Lets the chosen rows refer to ours, or to none."""
        given = self.ours if values is None else values
        changes = tuple(
            Change(column, "set", (Constant(None, column.type) if values is None else argument,))
            for column, argument in given
        )
        self.plotting.update(self.target, chosen, changes)

    def _create(self, items: Sequence[Given]) -> None:
        """New rows: in one statement where nothing hangs on them."""
        rows = [dict(item.fields()) for item in items]
        names = list(dict.fromkeys(name for row in rows for name in row))
        if not all(name in self.target.writable for name in names):
            for item in items:
                plan_linked(self.plotting, self.target, item, self.ours)
        elif rows:
            columns = tuple(self.target.writable[name] for name in names)
            for column, _ in self.ours:
                if column in columns:
                    raise ColumnChangedTwice(column.name)
            values = tuple(
                (
                    *(argument for _, argument in self.ours),
                    *(row[n].argument(c.type) if n in row else None for n, c in zip(names, columns, strict=True)),
                )
                for row in rows
            )
            ours = tuple(column for column, _ in self.ours)
            self.plotting.insert(self.target, (*ours, *columns), values)

    def _grant(self, capability: str) -> Predicate:
        return self.plotting.planning.grant(self.target, capability)


@dataclass
class _Junction:
    """Rows of `target` that a junction links to the row of write `number`."""

    plotting: Plotting
    number: int
    relation: Relation
    junction: Junction
    target: Entity

    def plan(self, members: Members) -> None:
        for key in _items(members, "disconnect"):
            self._unlink(self.plotting.find(self.target, key))
        for key in _items(members, "delete"):
            found = self.plotting.find(self.target, key)
            self._unlink(found)
            chosen = Chosen(
                self.plotting.planning.grant(self.target, "delete"), key_of(self.target, key), at_least_one=True
            )
            self.plotting.add(DeleteRows(self.target, chosen))
        if "set" in members:
            self._set(members["set"])
        for key in _items(members, "connect"):
            self._link(self.plotting.find(self.target, key), anew=False)
        for item in _items(members, "update"):
            given = dict(item.fields())
            linked = Chosen(
                self._grant("select"), self._ends(self.plotting.find(self.target, given["key"])), at_least_one=True
            )
            self.plotting.add(FindRow(self._entity, linked))
            plan_update_of(self.plotting, self.target, given, self.relation.name)
        for item in _items(members, "create"):
            self._link(plan_linked(self.plotting, self.target, item), anew=True)

    def _set(self, keys: Given) -> None:
        found = [self.plotting.find(self.target, key) for key in keys.items()]
        kept = tuple(self._far(number) for number in found)
        chosen = Chosen(self._grant("delete"), self._near(), seen=self._grant("select"), but=kept, max_affected=_MOST)
        self.plotting.add(DeleteRows(self._entity, chosen))
        for number in found:
            self._link(number, anew=False)

    def _link(self, found: int, *, anew: bool) -> None:
        values = dict(self._ends(found))
        conflict = None if anew else Conflict("ignore", self._entity.table.primary_key)
        self.plotting.insert(self._entity, tuple(values), (tuple(values.values()),), conflict)

    def _unlink(self, found: int) -> None:
        chosen = Chosen(self._grant("delete"), self._ends(found), at_least_one=True)
        self.plotting.add(DeleteRows(self._entity, chosen))

    def _ends(self, found: int) -> Key:
        return (*self._near(), *self._far(found))

    def _near(self) -> Key:
        return self.plotting.values(self.number, self.relation.columns, self._entity, self.junction.near)

    def _far(self, found: int) -> Key:
        return self.plotting.values(found, self.relation.target_columns, self._entity, self.junction.far)

    @property
    def _entity(self) -> Entity:
        return self.plotting.planning.model.by_table[self.junction.table]

    def _grant(self, capability: str) -> Predicate:
        return self.plotting.planning.grant(self._entity, capability)


_MOST = Constant(MAX_AFFECTED, INT8)
#: Rules ask which columns are written, and not with what.
ANY_VALUE = Constant(None, INT8)


def _items(members: Members, verb: str) -> tuple[Given, ...]:
    return members[verb].items() if verb in members else ()
