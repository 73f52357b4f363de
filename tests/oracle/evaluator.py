"""Evaluator: the judge that goes row by row. What the rules give a person, and what a question must be answered.

It reads docs/policy.md, docs/querying.md and docs/mutations.md as they stand, and nothing of Ostiary's own code.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal, assert_never

from tests.oracle.interpreter import (
    Known,
    Sees,
    attribute,
    compare,
    conjunction,
    disjunction,
    holds,
    negation,
    order_key,
    table_at,
    total,
)
from tests.oracle.policy import Capability, Grants, MaskOf, Person
from tests.oracle.questions import (
    Ask,
    Change,
    Counting,
    Create,
    CreateMany,
    Delete,
    DeleteWhere,
    Joined,
    On,
    Order,
    Pages,
    Question,
    Tally,
    Through,
    Update,
    UpdateWhere,
    Where,
    Without,
    Write,
    tests_in,
)
from tests.oracle.shape import Row, Shape, State, Value, related
from tests.oracle.tree import Agg, Among, Any as AnyTest
from tests.oracle.tree import All, Calc, Call, Cmp, Col, Like, Neg, NullTest, Test, Truth, Who, columns_of

RuleChoice = Literal["add_up", "most_specific"]
UNBOUND = Grants(0, ("select", "insert", "update", "delete"), ())


class Refused(Exception):
    """The question must be refused; for one of these reasons."""

    def __init__(self, *reasons: str) -> None:
        self.details = frozenset(reasons)
        self.codes = frozenset(reason.partition(" ")[0] for reason in reasons)
        super().__init__(", ".join(reasons))


UNSEEN = Refused("GRAPHQL_VALIDATION_FAILED", "UNKNOWN_COLUMN", "ACCESS_DENIED", "RULES_AMBIGUOUS", "POLICY_VIOLATED")


@dataclass(frozen=True)
class Outcome:
    """What a change gives, and how the tables stand after it."""

    data: Any
    state: State


@dataclass
class Evaluator:
    """A person under the rules of a tenant, over tables that stand like this."""

    shape: Shape
    rules: tuple[Grants, ...]
    choice: RuleChoice
    state: State
    person: Person
    _seen: dict[str, list[tuple[Row, Row]]] = field(default_factory=dict[str, list[tuple[Row, Row]]])

    # What the rules give

    def all_parts(self, table: str, capability: Capability) -> tuple[Grants, ...]:
        """The rules that apply, in the order of their numbers."""
        if not self.person.may(capability):
            return ()
        if self.person.bypasses:
            return (UNBOUND,)
        fitting = [
            rule
            for rule in sorted(self.rules, key=lambda rule: rule.number)
            if table in rule.targets and capability in rule.capabilities and rule.is_for(self.person)
        ]
        return tuple(_most_specific(fitting, self.person) if self.choice == "most_specific" else fitting)

    def parts(self, table: str, capability: Capability) -> tuple[Grants, ...]:
        found = self.all_parts(table, capability)
        if not found:
            raise UNSEEN
        if self.choice == "most_specific" and len(found) > 1:
            raise Refused("RULES_AMBIGUOUS", "GRAPHQL_VALIDATION_FAILED", "UNKNOWN_COLUMN", "POLICY_VIOLATED")
        return found

    @property
    def whole(self) -> Sees:
        """As the filters of rules see the tables."""
        return Sees(self.shape, self.state, self.person)

    def satisfies(self, test: Test | None, table: str, row: Row) -> bool:
        return test is None or holds(test, table, row, self.whole) is True

    # What a person sees

    def seen(self, table: str) -> list[tuple[Row, Row]]:
        """The rows that can be selected, each with how it looks."""
        if table not in self._seen:
            parts = self.parts(table, "select")
            self._seen[table] = [
                (row, self.look(table, row, parts))
                for row in self.state[table]
                if any(self.satisfies(part.filter, table, row) for part in parts)
            ]
        return self._seen[table]

    @cached_property
    def sight(self) -> Sees:
        """As the filters of callers see the tables."""
        return Sees(self.shape, _Lazily(self), self.person)

    def look(self, table: str, row: Row, parts: Sequence[Grants]) -> Row:
        return {name: self._look(table, name, row, parts) for name in row}

    def _look(self, table: str, column: str, row: Row, parts: Sequence[Grants]) -> Value:
        listing = [
            part
            for part in parts
            if (part.read_columns is None or column in part.read_columns) and self.satisfies(part.filter, table, row)
        ]
        masks = [_mask_of(part, column) for part in listing]
        if any(mask is None or (mask.unless and self.satisfies(mask.unless, table, row)) for mask in masks):
            return row[column]
        return next((_masked(mask, row[column]) for mask in masks if mask and mask.kind != "null"), None)

    def visible_columns(self, table: str) -> tuple[str, ...]:
        """The columns that there are for the person at all."""
        known = self.shape.by_name[table]
        parts = self.all_parts(table, "select")
        if not parts:
            return known.key
        return tuple(
            name
            for name in known.by_name
            if any(_reads(part, name) for part in parts) and (name not in known.key or _is_plain(parts, name))
        )

    def visible_relations(self, table: str) -> tuple[str, ...]:
        if not self.all_parts(table, "select"):
            return ()
        return tuple(
            name for name, relation in self.shape.relations(table).items() if self._is_passable(table, relation)
        )

    def _is_passable(self, table: str, relation: Any) -> bool:
        ends = {(table, own) for own, _ in relation.pairs} | {(relation.target, there) for _, there in relation.pairs}
        tables = {relation.target}
        if (junction := relation.junction) is not None:
            tables.add(junction.table)
            ends |= {(table, own) for own, _ in junction.near} | {(junction.table, there) for _, there in junction.near}
            ends |= {(junction.table, own) for own, _ in junction.far}
            ends |= {(relation.target, there) for _, there in junction.far}
        parts = {name: self.all_parts(name, "select") for name in {table, *tables}}
        return all(parts[name] for name in tables) and all(_is_plain(parts[name], column) for name, column in ends)

    # Whether a question may be asked

    def require(self, table: str, column: str) -> None:
        if column not in self.visible_columns(table):
            raise UNSEEN

    def require_path(self, table: str, path: Iterable[str]) -> str:
        for name in path:
            if name not in self.visible_relations(table):
                raise UNSEEN
            relation = self.shape.relations(table)[name]
            self.parts(relation.target, "select")
            if relation.junction:
                self.parts(relation.junction.table, "select")
            table = relation.target
        return table

    def require_test(self, table: str, test: Test | None) -> None:
        for column in () if test is None else all_columns(test):
            self.require(self.require_path(table, column.path), column.column)
        if test is not None and any(isinstance(node, Agg) for node in nodes_of(test)):
            self.parts(table, "select")

    def require_where(self, table: str, where: Where | None) -> None:
        match where:
            case None:
                return
            case On(column):
                self.require(table, column)
            case Through(relation, _, inner) | Counting(relation, _, _, inner):
                self.require_where(self.require_path(table, [relation]), inner)
            case Joined(_, parts):
                for part in parts:
                    self.require_where(table, part)
            case Without(part):
                self.require_where(table, part)

    # Lists

    def chosen(self, table: str, test: Test | None, where: Where | None) -> list[tuple[Row, Row]]:
        self.require_test(table, test)
        self.require_where(table, where)
        return [(row, seen) for row, seen in self.seen(table) if self.fits(table, seen, test, where)]

    def fits(self, table: str, seen: Row, test: Test | None, where: Where | None) -> bool:
        by_test = test is None or holds(test, table, seen, self.sight) is True
        return by_test and (where is None or self.met(where, table, seen) is True)

    def met(self, where: Where, table: str, row: Row) -> Known:
        match where:
            case On(column, operator, value):
                return self._on(table, row[column], column, operator, value)
            case Joined(word, parts):
                known = [self.met(part, table, row) for part in parts]
                return conjunction(known) if word == "_and" else disjunction(known)
            case Without(part):
                return negation(self.met(part, table, row))
            case Through(relation, quantifier, inner):
                target = self.shape.relations(table)[relation].target
                found = [self.met(inner, target, each) for each in self._related(table, relation, row)]
                match quantifier:
                    case "_none":
                        return True not in found
                    case "_every":
                        return all(known is True for known in found)
                    case _:
                        return True in found
            case Counting(relation, operator, number, inner):
                target = self.shape.relations(table)[relation].target
                count = sum(self.met(inner, target, each) is True for each in self._related(table, relation, row))
                return {"_eq": count == number, "_gt": count > number, "_lt": count < number}[operator]
            case _:
                assert_never(where)

    def _related(self, table: str, relation: str, row: Row) -> list[Row]:
        return related(self.shape, self.sight.state, self.shape.relations(table)[relation], row)

    def _on(self, table: str, found: Value, column: str, operator: str, value: Any) -> Known:
        kind = self.shape.by_name[table].by_name[column].kind
        match operator:
            case "_is_null":
                return (found is None) is value
            case "_in" | "_nin":
                known = disjunction([compare(found, "=", item, kind) for item in value])
                return known if operator == "_in" else negation(known)
            case _:
                symbol = {"_eq": "=", "_neq": "!=", "_gt": ">", "_gte": ">=", "_lt": "<", "_lte": "<="}[operator]
                return compare(found, symbol, value, kind)

    def ask(self, ask: Ask) -> list[dict[str, Any]]:
        if not self.all_parts(ask.table, "select"):
            raise UNSEEN
        self.require_selection(ask)
        return self.list_of(ask, [seen for _, seen in self.seen(ask.table)])

    def require_selection(self, ask: Ask) -> None:
        """Nothing, when all that the list speaks of is there for the person, be there rows or not."""
        self.require_test(ask.table, ask.filter)
        self.require_where(ask.table, ask.where)
        for name in ask.columns:
            self.require(ask.table, name)
        for order in ask.orders:
            self.require(self.require_path(ask.table, order.path), order.column)
        for relation, child in ask.children:
            self.require_path(ask.table, [relation])
            self.require_selection(child)

    def list_of(self, ask: Ask, rows: Iterable[Row]) -> list[dict[str, Any]]:
        found = [row for row in rows if self.fits(ask.table, row, ask.filter, ask.where)]
        for order in reversed(ask.orders):
            found = self.sort(ask.table, found, order)
        end = None if ask.limit is None else ask.offset + ask.limit
        return [self.output(ask, row) for row in found[ask.offset : end]]

    def output(self, ask: Ask, row: Row) -> dict[str, Any]:
        found: dict[str, Any] = {name: row[name] for name in ask.columns}
        for relation, child in ask.children:
            rows = self._related(ask.table, relation, row)
            if self.shape.relations(ask.table)[relation].many:
                found[relation] = self.list_of(child, rows)
            else:
                found[relation] = self.output(child, rows[0]) if rows else None
        return found

    def sort(self, table: str, rows: list[Row], order: Order) -> list[Row]:
        key = order_key(self.shape.by_name[table_at(self.shape, table, order.path)].by_name[order.column].kind)

        def value(row: Row) -> Value:
            here = table
            for name in order.path:
                found = self._related(here, name, row)
                if not found:
                    return None
                row, here = found[0], self.shape.relations(here)[name].target
            return row[order.column]

        known = [row for row in rows if value(row) is not None]
        nulls = [row for row in rows if value(row) is None]
        # Stable also where it goes down.
        known = sorted(known, key=lambda row: key(value(row)), reverse=order.descending)
        nulls_first = order.nulls == "first" or (not order.nulls and order.descending)
        return nulls + known if nulls_first else known + nulls

    def tally(self, tally: Tally) -> dict[str, Any]:
        if not self.all_parts(tally.table, "select"):
            raise UNSEEN
        for name in (*tally.counted, *tally.summed, *tally.extremes, *([tally.group] if tally.group else ())):
            self.require(tally.table, name)
        rows = [seen for _, seen in self.chosen(tally.table, tally.filter, tally.where)]
        found = self.measures(tally, rows)
        if tally.group is not None:
            groups: dict[Any, list[Row]] = {}
            for row in rows:
                groups.setdefault(row[tally.group], []).append(row)
            found["groups"] = [
                {"key": {tally.group: key}, **self.measures(tally, members)} for key, members in groups.items()
            ]
        return found

    def measures(self, tally: Tally, rows: Sequence[Row]) -> dict[str, Any]:
        columns = self.shape.by_name[tally.table].by_name

        def of(function: str, name: str) -> Any:
            return total(function, [row[name] for row in rows if row[name] is not None], columns[name].kind)

        found: dict[str, Any] = {"count": len(rows)}
        for name in tally.counted:
            found[f"n_{name}"] = of("count", name)
            found[f"d_{name}"] = len({repr(row[name]) if isinstance(row[name], bool) else row[name] for row in rows} - {None})
        for function, names in (
            ("sum", tally.summed),
            ("avg", tally.summed),
            ("min", tally.extremes),
            ("max", tally.extremes),
        ):
            if names:
                found[function] = {name: of(function, name) for name in names}
        return found

    # Changes

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
        parts = self.parts(table, "select")
        self.require_test(table, test)
        self.require_where(table, where)
        for name in added:
            self.require(table, name)
            if not _is_plain(parts, name):
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
        return any(_same(each, row, names) for names in keys for each in self.state[table])

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
        return any(_lists(part, name) and name not in dict(part.forced) for part in parts)

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
            listing = [part for part in parts if name is None or _lists(part, name)]
            if not any(self.satisfies(part.filter, table, row) for part in listing):
                return False
        return True

    def is_stored_well(self, table: str, parts: Sequence[Grants], row: Row, names: Sequence[str]) -> bool:
        """The same for a row as it is stored, which has the values that the rule forces."""
        for name in names or [None]:
            listing = [part for part in parts if name is None or _lists(part, name)]
            if not any(self.satisfies(part.filter, table, row) and self._has_forced(table, part, row) for part in listing):
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
            if _same(row, dict(write.key), tuple(dict(write.key)))
            and self.may_touch(write.table, parts, row, tuple(values))
        ]
        if not found:
            raise Refused("NOT_FOUND")
        return self._updated(write.table, found, values, {}, write.returning, is_many=False)

    def _require_key(self, table: str) -> None:
        if self.all_parts(table, "select") and not set(self.shape.by_name[table].key) <= set(self.visible_columns(table)):
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
        if test is None and where is None and not looks:
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
            if _same(row, dict(write.key), tuple(dict(write.key)))
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

    def answer(self, question: Question) -> Any:
        """What a question that changes nothing must be answered. Raises Refused."""
        match question:
            case Ask():
                return self.ask(question)
            case Tally():
                return self.tally(question)
            case Pages(ask):
                return self.ask(ask)
            case Change():
                raise TypeError(question)
            case _:
                assert_never(question)


class _Lazily(Mapping[str, Sequence[Row]]):
    """The rows of tables as they look, reckoned when they are looked at."""

    def __init__(self, evaluator: Evaluator) -> None:
        self._evaluator = evaluator

    def __getitem__(self, table: str) -> Sequence[Row]:
        return [seen for _, seen in self._evaluator.seen(table)]

    def __iter__(self) -> Iterator[str]:
        return iter(self._evaluator.state)

    def __len__(self) -> int:
        return len(self._evaluator.state)


def all_columns(test: Test) -> Iterator[Col]:
    """Every column that a test speaks of, also within aggregates."""
    yield from columns_of(test)
    for node in nodes_of(test):
        if isinstance(node, Agg) and node.of is not None:
            yield node.of


def nodes_of(node: Any) -> Iterator[Any]:
    yield node
    match node:
        case Cmp(left, _, right) | Calc(_, left, right):
            yield from nodes_of(left)
            yield from nodes_of(right)
        case NullTest(operand) | Among(operand) | Like(operand):
            yield from nodes_of(operand)
        case Call(_, parts) | All(parts) | AnyTest(parts):
            for part in parts:
                yield from nodes_of(part)
        case Neg(part):
            yield from nodes_of(part)
        case _:
            return


def _most_specific(rules: Sequence[Grants], person: Person) -> list[Grants]:
    def rank(rule: Grants) -> tuple[int, bool]:
        scope = 0 if person.role in rule.roles else 1 if person.classes & set(rule.classes) else 2
        return scope, len(rule.targets) > 1

    best = min(map(rank, rules), default=None)
    candidates = [rule for rule in rules if rank(rule) == best]
    return [rule for rule in candidates if rule.filter is None and rule.is_plain][:1] or candidates


def _reads(part: Grants, column: str) -> bool:
    return part.read_columns is None or column in part.read_columns


def _lists(part: Grants, column: str) -> bool:
    return part.write_columns is None or column in part.write_columns


def _mask_of(part: Grants, column: str) -> MaskOf | None:
    return next((mask for mask in part.masks if mask.column == column), None)


def _is_plain(parts: Sequence[Grants], column: str) -> bool:
    """Whether the rules say by themselves, without a look at rows, that the column is as it is wherever it is seen."""
    plain: list[Test] = []
    for part in parts:
        mask = _mask_of(part, column)
        if _reads(part, column) and (mask is None or mask.unless is not None):
            plain.append(All((_rows(part), *([] if mask is None or mask.unless is None else [mask.unless]))))
    shown = simplified(AnyTest(tuple(plain)))
    return shown in (Truth(True), simplified(AnyTest(tuple(map(_rows, parts)))))


def _rows(part: Grants) -> Test:
    return Truth(True) if part.filter is None else part.filter


def simplified(test: Test) -> Test:
    """The test without parts that change nothing, where that can be seen without looking at a row."""
    match test:
        case Neg(part):
            inner = simplified(part)
            return Truth(not inner.value) if isinstance(inner, Truth) else Neg(inner)
        case All(parts) | AnyTest(parts):
            decides = isinstance(test, AnyTest)
            found = [part for part in dict.fromkeys(map(simplified, parts)) if part != Truth(not decides)]
            if Truth(decides) in found:
                return Truth(decides)
            if not found:
                return Truth(not decides)
            return found[0] if len(found) == 1 else replace(test, parts=tuple(found))
        case Among(Col(()), ()):
            return Truth(test.negated)
        case _:
            return test


def _masked(mask: MaskOf, value: Value) -> Value:
    if value is None:
        return None
    text = str(value)
    match mask.kind:
        case "hash":
            return hashlib.sha256(text.encode()).hexdigest()
        case "last_four":
            return "*" * len(text) if len(text) <= 4 else "*" * (len(text) - 4) + text[-4:]
        case _:
            return mask.text


def _same(row: Row, other: Mapping[str, Value], names: Sequence[str]) -> bool:
    return all(row[name] is not None and row[name] == other[name] for name in names)


