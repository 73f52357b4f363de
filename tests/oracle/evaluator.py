"""Evaluator: the judge that goes row by row; what a change does by the rules, and how the tables stand after it.

It goes by docs/policy.md and docs/mutations.md as they stand, and by nothing of Ostiary's own code.
"""

from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, assert_never

from tests.oracle.interpreter import (
    attribute,
    compare,
)
from tests.oracle.policy import Capability, Grants
from tests.oracle.questions import (
    Change,
    Create,
    CreateMany,
    Delete,
    DeleteWhere,
    Update,
    UpdateWhere,
    Where,
    Write,
)
from tests.oracle.rights import (
    chooses_all,
    is_plain,
    lists,
)
from tests.oracle.shape import Row, State, Value
from tests.oracle.sight import UNSEEN, Refused, Sight
from tests.oracle.tree import Test, Who


@dataclass(frozen=True)
class Outcome:
    """What a change gives, and how the tables stand after it."""

    data: Any
    state: State


@dataclass
class Evaluator(Sight):
    """A person under the rules of a tenant, over tables that stand like this."""

    def change(self, change: Change) -> Outcome:
        """All of it, or nothing. Raises Refused."""
        for write in change.writes:
            self.require_write(write)
        after = self
        data: list[Any] = []
        for write in change.writes:
            found, state = after.write(write)
            data.append(found)
            after = after.at(state)
        return Outcome(data, after.state)

    def require_write(self, write: Write) -> None:
        """Nothing, when the person may write so at all: that is told before anything is written."""
        if self.all_parts(write.table, "select"):
            self.parts(write.table, "select")
        for name in write.returning:
            self.require(write.table, name)
        capability: Capability = "update"
        match write:
            case Create(values=values):
                capability, names = "insert", [name for name, _ in values]
            case CreateMany(rows=rows):
                capability, names = "insert", [name for row in rows for name, _ in row]
            case Update(values=values):
                names = [name for name, _ in values]
                self._require_key(write.table)
            case UpdateWhere(values=values, added=added):
                names = [name for name, _ in (*values, *added)]
            case Delete() | DeleteWhere():
                capability, names = "delete", []
                if isinstance(write, Delete):
                    self._require_key(write.table)
            case _:
                assert_never(write)
        parts = self.parts(write.table, capability)
        if capability != "delete":
            if not any(self._is_writable(parts, name) for name in self.shape.by_name[write.table].by_name):
                raise UNSEEN
            self.require_writable(parts, names)
        if isinstance(write, UpdateWhere | DeleteWhere):
            added = write.added if isinstance(write, UpdateWhere) else ()
            self._require_chosen(write.table, write.filter, write.where, [name for name, _ in added])

    def _require_chosen(self, table: str, test: Test | None, where: Where | None, added: Sequence[str]) -> None:
        if test is None and where is None and not added:
            return
        if not self.all_parts(table, "select"):
            raise UNSEEN
        self.require_test(table, test)
        if chooses_all(test, where) and not added:
            return
        parts = self.parts(table, "select")
        self.require_where(table, where)
        for name in added:
            self.require(table, name)
            if not is_plain(parts, name):
                raise UNSEEN

    def at(self, state: State) -> "Evaluator":
        return Evaluator(self.shape, self.rules, self.choice, state, self.person)

    def write(self, write: Write) -> tuple[Any, State]:
        match write:
            case Create():
                return self.create(write)
            case CreateMany():
                return self.create_many(write)
            case Update():
                return self.update(write)
            case UpdateWhere():
                return self.update_where(write)
            case Delete():
                return self.delete(write)
            case DeleteWhere():
                return self.delete_where(write)
            case _:
                assert_never(write)

    def create(self, write: Create) -> tuple[Any, State]:
        given = dict(write.values)
        row = self.new_row(write.table, given)
        if write.on_conflict == "ignore" and self._conflicts(write.table, given, row):
            arbiter = self._arbiter(write.table, given)
            reasons = self.faults(self._with(write.table, [], [row]), but_for=arbiter)
            if any(reason.startswith("NOT_NULL") for reason in reasons):
                raise Refused(*reasons)
            return None, self.state
        state = self._with(write.table, [], [row])
        after = self.check(state, write.table, "insert", [(row, tuple(given))])
        return after.shown(write.table, row, write.returning), state

    def _arbiter(self, table: str, given: Mapping[str, Value]) -> tuple[str, ...] | None:
        known = self.shape.by_name[table]
        return next((key for key in (known.key, *known.unique) if set(key) <= given.keys()), None)

    def _conflicts(self, table: str, given: Mapping[str, Value], row: Row) -> bool:
        """Whether a row has the key already: the primary one if it is given, else a unique one, else any."""
        known = self.shape.by_name[table]
        key = self._arbiter(table, given)
        keys = [key] if key else [known.key, *known.unique]
        return any(same(each, row, names) for names in keys for each in self.state[table])

    def create_many(self, write: CreateMany) -> tuple[Any, State]:
        names = tuple(dict.fromkeys(name for row in write.rows for name, _ in row))
        rows = [self.new_row(write.table, dict(given)) for given in write.rows]
        state = self._with(write.table, [], rows)
        after = self.check(state, write.table, "insert", [(row, names) for row in rows])
        return after.many(write.table, rows, write.returning), state

    def new_row(self, table: str, given: Mapping[str, Value]) -> Row:
        presets = self.presets(self.parts(table, "insert"), given)
        return {name: given.get(name, presets.get(name)) for name in self.shape.by_name[table].by_name}

    def require_writable(self, parts: Sequence[Grants], names: Iterable[str]) -> None:
        for name in names:
            if not self._is_writable(parts, name):
                raise UNSEEN

    def _is_writable(self, parts: Sequence[Grants], name: str) -> bool:
        return any(lists(part, name) and name not in dict(part.forced) for part in parts)

    def presets(self, parts: Sequence[Grants], given: Iterable[str]) -> dict[str, Value]:
        found: dict[str, Value] = {}
        for part in parts:
            for name, value in (*part.forced, *part.defaults):
                if name not in given:
                    found.setdefault(name, self._preset(value))
        return found

    def _preset(self, value: "Value | Who") -> Value:
        return attribute(self.person, value) if isinstance(value, Who) else value

    def may_touch(self, table: str, parts: Sequence[Grants], row: Row, names: Sequence[str]) -> bool:
        """Whether each of the columns is one that a rule lets be changed in the row as it stands."""
        for name in names or [None]:
            listing = [part for part in parts if name is None or lists(part, name)]
            if not any(self.satisfies(part.filter, table, row) for part in listing):
                return False
        return True

    def is_stored_well(self, table: str, parts: Sequence[Grants], row: Row, names: Sequence[str]) -> bool:
        """The same for a row as it is stored, which has the values that the rule forces."""
        for name in names or [None]:
            listing = [part for part in parts if name is None or lists(part, name)]
            if not any(
                self.satisfies(part.filter, table, row) and self._has_forced(table, part, row) for part in listing
            ):
                return False
        return True

    def _has_forced(self, table: str, part: Grants, row: Row) -> bool:
        columns = self.shape.by_name[table].by_name
        for name, value in part.forced:
            wanted = self._preset(value)
            if wanted is None and not isinstance(value, Who):
                if row[name] is not None:
                    return False
            elif compare(row[name], "=", wanted, columns[name].kind) is not True:
                return False
        return True

    def check(
        self, state: State, table: str, capability: Capability, stored: Sequence[tuple[Row, Sequence[str]]]
    ) -> "Evaluator":
        """The evaluator of the tables as they then stand. Raises Refused where constraints or rules forbid that."""
        after = self.at(state)
        reasons = self.faults(state)
        parts = self.parts(table, capability)
        if not all(after.is_stored_well(table, parts, row, names) for row, names in stored):
            reasons.add("POLICY_VIOLATED")
        if reasons:
            raise Refused(*reasons)
        return after

    def update(self, write: Update) -> tuple[Any, State]:
        parts = self.parts(write.table, "update")
        values = dict(write.values)
        found = [
            row
            for row in self.state[write.table]
            if same(row, dict(write.key), tuple(dict(write.key)))
            and self.may_touch(write.table, parts, row, tuple(values))
        ]
        if not found:
            raise Refused("NOT_FOUND")
        return self._updated(write.table, found, values, {}, write.returning, is_many=False)

    def _require_key(self, table: str) -> None:
        if self.all_parts(table, "select") and not set(self.shape.by_name[table].key) <= set(
            self.visible_columns(table)
        ):
            raise UNSEEN

    def update_where(self, write: UpdateWhere) -> tuple[Any, State]:
        parts = self.parts(write.table, "update")
        values = dict(write.values)
        added = dict(write.added)
        names = (*values, *added)
        chosen = self._chosen(write.table, write.filter, write.where, looks=bool(added))
        rows = [row for row in chosen if self.may_touch(write.table, parts, row, names)]
        return self._updated(write.table, rows, values, added, write.returning, is_many=True)

    def _chosen(self, table: str, test: Test | None, where: Where | None, *, looks: bool = False) -> list[Row]:
        """The rows that conditions choose; without any all, be they visible or not."""
        if chooses_all(test, where) and not looks:
            return list(self.state[table])
        return [row for row, _ in self.chosen(table, test, where)]

    def _updated(
        self,
        table: str,
        rows: Sequence[Row],
        values: Mapping[str, Value],
        added: Mapping[str, int],
        returning: Sequence[str],
        *,
        is_many: bool,
    ) -> tuple[Any, State]:
        parts = self.parts(table, "update")
        names = (*values, *added)
        presets = self.presets(parts, names)
        changed: list[Row] = []
        for row in rows:
            new = {**row, **values, **presets}
            for name, number in added.items():
                new[name] = None if row[name] is None else row[name] + number  # type: ignore[operator]
            changed.append(new)
        state = self._with(table, rows, changed)
        after = self.check(state, table, "update", [(row, names) for row in changed])
        if is_many:
            return after.many(table, changed, returning), state
        return after.shown(table, changed[0], returning), state

    def delete(self, write: Delete) -> tuple[Any, State]:
        parts = self.parts(write.table, "delete")
        found = [
            row
            for row in self.state[write.table]
            if same(row, dict(write.key), tuple(dict(write.key)))
            and any(self.satisfies(part.filter, write.table, row) for part in parts)
        ]
        if not found:
            raise Refused("NOT_FOUND")
        state = self._with(write.table, found, [])
        if reasons := self.faults(state):
            raise Refused(*reasons)
        return self.shown(write.table, found[0], write.returning), state

    def delete_where(self, write: DeleteWhere) -> tuple[Any, State]:
        parts = self.parts(write.table, "delete")
        chosen = self._chosen(write.table, write.filter, write.where)
        found = [row for row in chosen if any(self.satisfies(part.filter, write.table, row) for part in parts)]
        state = self._with(write.table, found, [])
        if reasons := self.faults(state):
            raise Refused(*reasons)
        return self.many(write.table, found, write.returning), state

    def shown(self, table: str, row: Row, returning: Sequence[str]) -> dict[str, Value] | None:
        """A row as it is given back: through the rules for select; without any, its key."""
        if not self.all_parts(table, "select"):
            return {name: row[name] for name in returning}
        found = [seen for each, seen in self.seen(table) if each is row or each == row]
        return {name: found[0][name] for name in returning} if found else None

    def many(self, table: str, rows: Sequence[Row], returning: Sequence[str]) -> dict[str, Any]:
        shown = [self.shown(table, row, returning) for row in rows]
        return {"affected_rows": len(rows), "returning": [row for row in shown if row is not None]}

    def _with(self, table: str, without: Sequence[Row], new: Sequence[Row]) -> State:
        kept = [row for row in self.state[table] if not any(row is each for each in without)]
        return {**self.state, table: [*kept, *deepcopy(list(new))]}

    def faults(self, state: State, but_for: tuple[str, ...] | None = None) -> set[str]:
        """The constraints that tables do not satisfy."""
        found: set[str] = set()
        for table in self.shape.tables:
            rows = state[table.name]
            for column in table.columns:
                if (not column.nullable or column.name in table.key) and any(row[column.name] is None for row in rows):
                    found.add(f"NOT_NULL_VIOLATED {table.name} {column.name}")
            for key in (table.key, *table.unique):
                values = [tuple(row[name] for name in key) for row in rows]
                known = [value for value in values if None not in value]
                if len(known) != len(set(known)) and key != but_for:
                    found.add(f"UNIQUE_VIOLATED {table.name} {key}")
            for reference in table.references:
                targets = {tuple(row[there] for _, there in reference.pairs) for row in state[reference.target]}
                own = [tuple(row[here] for here, _ in reference.pairs) for row in rows]
                if any(None not in value and value not in targets for value in own):
                    found.add(f"FOREIGN_KEY_VIOLATED {table.name} {reference.target}")
        return found


def same(row: Row, other: Mapping[str, Value], names: Sequence[str]) -> bool:
    return all(row[name] is not None and row[name] == other[name] for name in names)
