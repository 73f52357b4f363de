"""cases: random policies on a shape, with rows, and with questions of the people that they are about."""

from dataclasses import dataclass
from typing import Any, Literal

from hypothesis import strategies as st

from schema.principal import NORMAL_CAPABILITIES
from tests.oracle.dice import Dice, DrawnDice, chance, one_of, several, some_of
from tests.oracle.evaluator import Evaluator
from tests.oracle.expressions import Expressions, Names
from tests.oracle.policy import CAPABILITIES, Capability, Grants, MaskOf, Person
from tests.oracle.questions import (
    Ask,
    Change,
    Create,
    CreateMany,
    Delete,
    DeleteWhere,
    Order,
    Pages,
    Question,
    Tally,
    Update,
    UpdateWhere,
    Write,
)
from tests.oracle.rights import RuleChoice
from tests.oracle.shape import Row, Shape, State, Table, Value, is_junction
from tests.oracle.shapes import CLASSES, ROLES, a_key_value, a_row, a_state, a_value
from tests.oracle.sight import Refused
from tests.oracle.tree import Test, Who, may_fail

SETS: tuple[frozenset[str], ...] = (
    *(NORMAL_CAPABILITIES,) * 9,
    frozenset({"select"}),
    frozenset(),
    frozenset({"insert", "update", "login"}),
    frozenset({"admin"}),
)


@dataclass(frozen=True)
class Case:
    """A policy, rows, and what people ask: by the number of the person."""

    people: tuple[Person, ...]
    rules: tuple[Grants, ...]
    choice: RuleChoice
    state: State
    questions: tuple[tuple[int, Question], ...]


def cases(shape: Shape, questions: int = 5) -> st.SearchStrategy[Case]:
    @st.composite
    def drawn(draw: Any) -> Case:
        return a_case(DrawnDice(draw), shape, questions)

    return drawn()


def a_case(dice: Dice, shape: Shape, questions: int) -> Case:
    people = some_people(dice)
    rules = some_rules(dice, shape)
    choice: RuleChoice = "most_specific" if chance(dice, 10) else "add_up"
    state = a_state(dice, shape)
    first = dice.below(len(people))
    askers = [first, dice.below(len(people)) if chance(dice, 40) else first]
    asked: list[tuple[int, Question]] = []
    for number in range(questions):
        asker = askers[number % 2]
        evaluator = Evaluator(shape, rules, choice, state, people[asker])
        asked.append((asker, a_question(dice, evaluator)))
    return Case(people, rules, choice, state, tuple(asked))


def some_people(dice: Dice) -> tuple[Person, ...]:
    """A tree of roles, some of which are in classes; a class may be handed on to all that are below its members."""
    parents: dict[int, int | None] = {}
    for role in ROLES:
        above = [*parents]
        parents[role] = one_of(dice, above) if above and chance(dice, 60) else None
    members = {class_: some_of(dice, ROLES, 35) for class_ in CLASSES}
    handed_on = some_of(dice, CLASSES, 40)
    return tuple(
        Person(
            role,
            parents[role],
            frozenset(each for each in ROLES if parents[each] == role),
            frozenset(
                class_
                for class_ in CLASSES
                if role in members[class_]
                or (class_ in handed_on and any(each in members[class_] for each in above_of(parents, role)))
            ),
            one_of(dice, SETS),
            is_root=chance(dice, 3),
        )
        for role in ROLES
    )


def above_of(parents: dict[int, int | None], role: int) -> list[int]:
    found: list[int] = []
    while (above := parents[role]) is not None:
        found.append(above)
        role = above
    return found


def some_rules(dice: Dice, shape: Shape) -> tuple[Grants, ...]:
    """Several rules, of which some meet on one table."""
    table = one_of(dice, shape.tables)
    return tuple(
        a_rule(dice, shape, number, table if chance(dice, 45) else one_of(dice, shape.tables))
        for number in range(1, 4 + dice.below(6))
    )


def a_rule(dice: Dice, shape: Shape, number: int, table: Table) -> Grants:
    def names(table: str) -> Names:
        return [*shape.by_name[table].by_name], [*shape.relations(table)]

    expressions = Expressions(dice, shape, names)
    other = one_of(dice, shape.tables)
    targets = (table.name, other.name) if other != table and chance(dice, 25) else (table.name,)
    writes = some_of(dice, CAPABILITIES[1:], 60)
    capabilities: tuple[Capability, ...] = one_of(dice, (("select",), ("select", *writes), writes))
    filter_: Test | None = None
    if chance(dice, 80):
        own = expressions.about_owner()
        filter_ = own if len(targets) > 1 or chance(dice, 35) else expressions.test(table.name)
    scope = dice.below(6)
    roles = some_of(dice, ROLES, 45) or ROLES[:1] if scope in {3, 5} else ()
    classes = some_of(dice, CLASSES, 45) or CLASSES[:1] if scope in {4, 5} else ()
    rule = Grants(number, capabilities or ("select",), targets, filter_, roles, classes)
    return _with_options(dice, expressions, table, rule) if len(targets) == 1 and chance(dice, 50) else rule


def _with_options(dice: Dice, expressions: Expressions, table: Table, rule: Grants) -> Grants:
    names = [*table.by_name]
    linked = {name for reference in table.references for name, _ in reference.pairs}
    read = tuple(name for name in names if name in table.key or chance(dice, 60)) if chance(dice, 50) else None
    if read is not None and chance(dice, 12):
        read = some_of(dice, names, 50) or (names[-1],)
    write = tuple(name for name in names if name in table.key or name in linked or chance(dice, 55))
    plain = [name for name in names if name not in table.key and name not in linked]
    masks = tuple(
        _mask(dice, expressions, table, name) for name in (plain if chance(dice, 90) else names) if chance(dice, 30)
    )
    return Grants(
        rule.number,
        rule.capabilities,
        rule.targets,
        rule.filter,
        rule.roles,
        rule.classes,
        read_columns=read,
        write_columns=write if chance(dice, 50) else None,
        forced=_presets(dice, table, 40),
        defaults=_presets(dice, table, 25),
        masks=masks if chance(dice, 50) else (),
    )


def _presets(dice: Dice, table: Table, in_hundred: int) -> tuple[tuple[str, Value | Who], ...]:
    if not chance(dice, in_hundred):
        return ()
    linked = {name for reference in table.references for name, _ in reference.pairs}
    free = [column for column in table.columns if column.name not in table.key and column.name not in linked]
    column = table.by_name["owner"] if chance(dice, 60) else one_of(dice, free)
    if column.kind == "int" and chance(dice, 60):
        return ((column.name, Who(one_of(dice, ("roleid", "parentid")))),)
    value = a_value(dice, column)
    return () if value == float("inf") else ((column.name, value),)


def _mask(dice: Dice, expressions: Expressions, table: Table, name: str) -> MaskOf:
    is_text = table.by_name[name].kind == "text"
    kinds: tuple[Literal["null", "hash", "last_four", "text"], ...] = ("null", "hash", "last_four", "text")
    kind = one_of(dice, kinds) if is_text else "null"
    unless = expressions.test(table.name, depth=1) if chance(dice, 70) else None
    while unless is not None and may_fail(unless):
        unless = expressions.test(table.name, depth=1)
    return MaskOf(name, kind, unless, "hidden" if kind == "text" else "")


def a_question(dice: Dice, evaluator: Evaluator) -> Question:
    """A question, mostly of what is there for whoever asks."""
    shape = evaluator.shape
    asking = Asking(dice, evaluator, nosy=chance(dice, 12))
    tables = [table for table in shape.tables if evaluator.all_parts(table.name, "select")]
    match dice.below(11):
        case 4 if tables:
            return asking.tally(asking.table("select").name)
        case 5 if tables:
            return asking.pages(asking.table("select").name)
        case number if number > 5 and (asking.nosy or asking.writable):
            return Change(several(dice, 1, 1 if chance(dice, 75) else 3, asking.write))
        case _:
            return asking.list_of(asking.table("select").name, depth=2)


@dataclass(frozen=True)
class Asking:
    """Questions of one person; who is nosy names what may not be there."""

    dice: Dice
    evaluator: Evaluator
    nosy: bool

    @property
    def shape(self) -> Shape:
        return self.evaluator.shape

    def names(self, table: str) -> Names:
        if self.nosy:
            return [*self.shape.by_name[table].by_name], [*self.shape.relations(table)]
        return self.evaluator.visible_columns(table), self.evaluator.visible_relations(table)

    @property
    def expressions(self) -> Expressions:
        return Expressions(self.dice, self.shape, self.names)

    def table(self, capability: Capability) -> Table:
        """A table on which a rule gives the capability, if there is one."""
        if self.nosy:
            return one_of(self.dice, self.shape.tables)
        granted = [table for table in self.shape.tables if self.evaluator.all_parts(table.name, capability)]
        if capability == "select" and not chance(self.dice, 15):
            granted = [table for table in granted if self.shows_some(table.name)] or granted
        return one_of(self.dice, granted or self.shape.tables)

    def table_of_many(self, capability: Capability) -> Table:
        """Mostly one of which the person may write rows that it does not see, if there is one."""
        found = [table for table in self.shape.tables if self.hides_some(table, capability)]
        return one_of(self.dice, found) if found and chance(self.dice, 60) else self.table(capability)

    def hides_some(self, table: Table, capability: Capability) -> bool:
        if not self.shows_some(table.name):
            return False
        seen = (
            [row for row, _ in self.evaluator.seen(table.name)]
            if self.evaluator.all_parts(table.name, "select")
            else []
        )
        return any(
            self.may_touch(table.name, row, capability) and not any(row is each for each in seen)
            for row in self.evaluator.state[table.name]
        )

    def shows_some(self, table: str) -> bool:
        """Whether the person sees rows; where no rows are there to be told of, questions tell little."""
        try:
            return bool(self.evaluator.seen(table))
        except Refused:
            return False

    def columns(self, table: str) -> tuple[str, ...]:
        return some_of(self.dice, self.names(table)[0], 55)

    def conditions(self, table: str) -> dict[str, Any]:
        columns = self.names(table)[0]
        return {
            "filter": self.expressions.test(table) if columns and chance(self.dice, 40) else None,
            "where": self.expressions.where(table) if chance(self.dice, 20) else None,
        }

    def list_of(self, table: str, depth: int, *, ordered: bool | None = None) -> Ask:
        known = self.shape.by_name[table]
        relations = self.names(table)[1]
        has_key = set(known.key) <= set(self.names(table)[0])
        is_ordered = has_key and (chance(self.dice, 50) if ordered is None else ordered)
        orders = self.orders(table) if is_ordered else ()
        children = tuple(
            (name, self.child(table, name, depth - 1)) for name in relations if depth and chance(self.dice, 35)
        )
        return Ask(
            table,
            self.columns(table),
            children,
            **self.conditions(table),
            orders=orders,
            is_ordered=is_ordered,
            limit=self.dice.below(4) if is_ordered and chance(self.dice, 30) else None,
            offset=1 if is_ordered and chance(self.dice, 20) else 0,
        )

    def child(self, table: str, name: str, depth: int) -> Ask:
        relation = self.shape.relations(table)[name]
        if relation.many:
            return self.list_of(relation.target, depth)
        return Ask(relation.target, self.columns(relation.target), self.list_of(relation.target, depth).children)

    def orders(self, table: str) -> tuple[Order, ...]:
        found: list[Order] = []
        for _ in range(self.dice.below(3)):
            column = self.expressions.column(table)
            if column is None or self.expressions.is_many(table, column):
                # A collection gives no one value to order by.
                continue
            if any(order.path == column.path and order.column == column.column for order in found):
                continue
            nulls: Literal["", "first", "last"] = one_of(self.dice, ("", "first", "last"))
            found.append(Order(column.path, column.column, chance(self.dice, 50), nulls))
        known = {order.column for order in found if not order.path}
        return (
            *found,
            *(Order((), name, chance(self.dice, 30)) for name in self.shape.by_name[table].key if name not in known),
        )

    def tally(self, table: str) -> Tally:
        columns = self.names(table)[0]
        kinds = {name: self.shape.by_name[table].by_name[name].kind for name in columns}
        return Tally(
            table,
            **self.conditions(table),
            counted=some_of(self.dice, columns, 30),
            summed=some_of(self.dice, [name for name in columns if kinds[name] in {"int", "numeric"}], 40),
            extremes=some_of(self.dice, [name for name in columns if kinds[name] != "bool"], 35),
            group=one_of(self.dice, columns) if columns and chance(self.dice, 50) else None,
        )

    def pages(self, table: str) -> Question:
        ask = self.list_of(table, depth=1, ordered=True)
        if not ask.is_ordered:
            return ask
        plain = Ask(ask.table, ask.columns, ask.children, ask.filter, ask.where, ask.orders, is_ordered=True)
        return Pages(plain, 1 + self.dice.below(3))

    @property
    def writable(self) -> tuple[Capability, ...]:
        """What some rule lets the person do to rows, but for reading them."""
        return tuple(
            capability
            for capability in CAPABILITIES[1:]
            if any(self.evaluator.all_parts(table.name, capability) for table in self.shape.tables)
        )

    def write(self) -> Write:
        kinds = {"insert": (0, 1, 2), "update": (3, 4, 5), "delete": (6, 7)}
        capability = one_of(self.dice, CAPABILITIES[1:] if self.nosy else self.writable)
        match one_of(self.dice, kinds[capability]):
            case 0 | 1:
                table = self.table("insert")
                conflict: Literal["fail", "ignore"] = "ignore" if chance(self.dice, 15) else "fail"
                return Create(table.name, self.new_values(table), self.returning(table), conflict)
            case 2:
                table = self.table("insert")
                rows = several(self.dice, 1, 3, lambda: self.new_values(table))
                return CreateMany(table.name, rows, self.returning(table))
            case 3 | 4:
                table = self.table("update")
                return Update(table.name, self.a_key(table, "update"), self.changed(table), self.returning(table))
            case 5:
                table = self.table_of_many("update")
                values = self.changed(table, is_many=True)
                return UpdateWhere(
                    table.name, **self.choosing(table), values=values, added=(), returning=self.returning(table)
                )
            case 6:
                table = self.table("delete")
                return Delete(table.name, self.a_key(table, "delete"), self.returning(table))
            case _:
                table = self.table_of_many("delete")
                return DeleteWhere(table.name, **self.choosing(table), returning=self.returning(table))

    def choosing(self, table: Table) -> dict[str, Any]:
        """Conditions for many rows, mostly: whoever sees no row can have none."""
        columns = self.names(table.name)[0]
        if (not self.evaluator.all_parts(table.name, "select") and not self.nosy) or not columns:
            return {"filter": None, "where": None}
        return {
            "filter": self.expressions.lax(table.name) if chance(self.dice, 60) else None,
            "where": self.expressions.where(table.name, depth=1) if chance(self.dice, 25) else None,
        }

    def returning(self, table: Table) -> tuple[str, ...]:
        return self.columns(table.name)

    def may_touch(self, table: str, row: Row, capability: Capability) -> bool:
        parts = self.evaluator.all_parts(table, capability)
        return any(self.evaluator.satisfies(part.filter, table, row) for part in parts)

    def a_key(self, table: Table, capability: Capability) -> tuple[tuple[str, Value], ...]:
        rows = self.evaluator.state[table.name]
        touched = [row for row in rows if self.may_touch(table.name, row, capability)]
        if rows and chance(self.dice, 92):
            row = one_of(self.dice, touched if touched and chance(self.dice, 55) else rows)
            return tuple((name, row[name]) for name in table.key)
        return tuple((name, a_key_value(self.dice, table.by_name[name])) for name in table.key)

    def new_values(self, table: Table) -> tuple[tuple[str, Value], ...]:
        row = a_row(self.dice, table, self.evaluator.state)
        if row is None:
            row = {column.name: a_value(self.dice, column) for column in table.columns}
        if chance(self.dice, 80) and not is_junction(table):
            row |= {name: (7 + self.dice.below(3) if isinstance(row[name], int) else "new") for name in table.key}
        needed = {column.name for column in table.columns if not column.nullable}
        return tuple(
            (name, value)
            for name, value in row.items()
            if self.may_give(table, name, "insert")
            and (name in needed or chance(self.dice, 65))
            and value != float("inf")
        )

    def changed(self, table: Table, *, is_many: bool = False) -> tuple[tuple[str, Value], ...]:
        row = a_row(self.dice, table, self.evaluator.state) or {}
        fixed = {*table.key, *(name for key in table.unique for name in key)} if is_many else set[str]()
        names = [
            name
            for name in row
            if name not in fixed
            and self.may_give(table, name, "update")
            and (name not in table.key or chance(self.dice, 15))
        ]
        chosen = some_of(self.dice, names, 30) or tuple(names[-1:]) or ("owner",)
        if "owner" in names and "owner" not in chosen and chance(self.dice, 40):
            chosen = (*chosen, "owner")
        values = {"owner": 11, **row}
        return tuple((name, values[name]) for name in chosen if values[name] != float("inf")) or (("owner", 11),)

    def may_give(self, table: Table, name: str, capability: Capability) -> bool:
        """Whether a rule lets the column be written; of those that none lets, one in ten is given all the same."""
        parts = self.evaluator.all_parts(table.name, capability)
        allowed = any(
            (part.write_columns is None or name in part.write_columns) and name not in dict(part.forced)
            for part in parts
        )
        return allowed or self.nosy
