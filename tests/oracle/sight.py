"""Sight: what the rules let a person see, row by row, and so what questions are answered that change nothing.

It goes by docs/policy.md, docs/querying.md and docs/aggregates.md as they stand, and by nothing of Ostiary's own code.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, assert_never

from tests.oracle.interpreter import (
    Known,
    Sees,
    compare,
    conjunction,
    disjunction,
    holds,
    negation,
    order_key,
    table_at,
    total,
)
from tests.oracle.policy import Capability, Grants, Person
from tests.oracle.questions import (
    Ask,
    Change,
    Counting,
    Joined,
    On,
    Order,
    Pages,
    Question,
    Tally,
    Through,
    Where,
    Without,
)
from tests.oracle.rights import (
    UNBOUND,
    RuleChoice,
    all_columns,
    is_plain,
    mask_of,
    masked,
    most_specific,
    nodes_of,
    reads,
)
from tests.oracle.shape import Row, Shape, State, Value, related
from tests.oracle.tree import Agg, Test


class Refused(Exception):
    """The question must be refused; for one of these reasons."""

    def __init__(self, *reasons: str) -> None:
        self.details = frozenset(reasons)
        self.codes = frozenset(reason.partition(" ")[0] for reason in reasons)
        super().__init__(", ".join(reasons))


UNSEEN = Refused("GRAPHQL_VALIDATION_FAILED", "UNKNOWN_COLUMN", "ACCESS_DENIED", "RULES_AMBIGUOUS", "POLICY_VIOLATED")


@dataclass
class Sight:
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
        return tuple(most_specific(fitting, self.person) if self.choice == "most_specific" else fitting)

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
        masks = [mask_of(part, column) for part in listing]
        if any(mask is None or (mask.unless and self.satisfies(mask.unless, table, row)) for mask in masks):
            return row[column]
        return next((masked(mask, row[column]) for mask in masks if mask and mask.kind != "null"), None)

    def visible_columns(self, table: str) -> tuple[str, ...]:
        """The columns that there are for the person at all."""
        known = self.shape.by_name[table]
        parts = self.all_parts(table, "select")
        if not parts:
            return known.key
        return tuple(
            name
            for name in known.by_name
            if any(reads(part, name) for part in parts) and (name not in known.key or is_plain(parts, name))
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
        return all(parts[name] for name in tables) and all(is_plain(parts[name], column) for name, column in ends)

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
            found[f"d_{name}"] = len(
                {repr(row[name]) if isinstance(row[name], bool) else row[name] for row in rows} - {None}
            )
        for function, names in (
            ("sum", tally.summed),
            ("avg", tally.summed),
            ("min", tally.extremes),
            ("max", tally.extremes),
        ):
            if names:
                found[function] = {name: of(function, name) for name in names}
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

    def __init__(self, evaluator: Sight) -> None:
        self._evaluator = evaluator

    def __getitem__(self, table: str) -> Sequence[Row]:
        return [seen for _, seen in self._evaluator.seen(table)]

    def __iter__(self) -> Iterator[str]:
        return iter(self._evaluator.state)

    def __len__(self) -> int:
        return len(self._evaluator.state)
