"""Writing: tests, lists and aggregates as SQL, written plainly, with sub-selects for what is related."""

from collections.abc import Iterable, Sequence
from typing import Any as Anything
from typing import assert_never

from tests.oracle.questions import (
    Ask,
    Counting,
    Joined,
    On,
    Order,
    Tally,
    Through,
    Where,
    Without,
)
from tests.oracle.shape import SQL_TYPES, Relation, Shape, literal
from tests.oracle.tree import (
    Agg,
    All,
    Among,
    Any,
    Atom,
    Calc,
    Call,
    Cmp,
    Col,
    Flag,
    Like,
    Lit,
    Neg,
    NullTest,
    Operand,
    Test,
    Truth,
    Who,
    columns_of,
)

SETTINGS = {
    "roleid": "nullif(current_setting('oracle.roleid'), '')::int4",
    "parentid": "nullif(current_setting('oracle.parentid'), '')::int4",
    "tenantid": "current_setting('oracle.tenantid')::int4",
    "classes": "current_setting('oracle.classes')::int4[]",
    "children": "current_setting('oracle.children')::int4[]",
    "capabilities": "current_setting('oracle.capabilities')::text[]",
}
BYPASS = "current_setting('oracle.bypasses')::boolean"


class Writing:
    """Tests as SQL. Rows of tables are looked for in `room`: `whole` for rules, `seen` for callers."""

    def __init__(self, shape: Shape, room: str) -> None:
        self.shape = shape
        self.room = room
        self.aliases = 0

    def alias(self) -> str:
        self.aliases += 1
        return f"r{self.aliases}"

    def test(self, test: Test, table: str, at: str) -> str:
        match test:
            case Truth(value):
                return str(value).lower()
            case All(parts):
                return "(" + " and ".join(self.test(part, table, at) for part in parts) + ")"
            case Any(parts):
                return "(" + " or ".join(self.test(part, table, at) for part in parts) + ")"
            case Neg(part):
                return f"(not {self.test(part, table, at)})"
            case _:
                return self.atom(test, table, at)

    def atom(self, atom: Atom, table: str, at: str) -> str:
        """A comparison; where it leads through collections, whether it is true of some rows there."""
        bound: dict[tuple[str, ...], tuple[str, str]] = {(): (at, table)}
        sources: list[str] = []
        for path in sorted({column.path for column in columns_of(atom)}):
            for way in self.collections(path, table):
                if way in bound:
                    continue
                near, near_table = bound[way[:-1]]
                relation = self.shape.relations(near_table)[way[-1]]
                alias = self.alias()
                sources.append(self.source(relation, near, alias))
                bound[way] = (alias, relation.target)
        decided = self.decided(atom, bound)
        if not sources:
            return decided
        return f"exists (select from {' '.join(['(select) as nothing', *sources])} where {decided})"

    def collections(self, path: tuple[str, ...], table: str) -> list[tuple[str, ...]]:
        last = 0
        for place, name in enumerate(path, 1):
            relation = self.shape.relations(table)[name]
            last = place if relation.many else last
            table = relation.target
        return [path[:place] for place in range(1, last + 1)]

    def source(self, relation: Relation, near: str, alias: str) -> str:
        return f"join {self.rows(relation, near, alias)}"

    def rows(self, relation: Relation, near: str, alias: str) -> str:
        """The related rows as a joined table, with their condition."""
        target = f"{self.room}.{relation.target} as {alias}"
        if relation.junction is None:
            condition = _pairs(relation.pairs, near, alias)
            return f"lateral (select {alias}.* from {target} where {condition}) as {alias} on true"
        middle = self.alias()
        conditions = (
            f"{_pairs(relation.junction.near, near, middle)} and {_pairs(relation.junction.far, middle, alias)}"
        )
        junction = f"{self.room}.{relation.junction.table} as {middle}"
        return f"lateral (select {alias}.* from {junction}, {target} where {conditions}) as {alias} on true"

    def decided(self, atom: Atom, bound: dict[tuple[str, ...], tuple[str, str]]) -> str:
        def value(operand: Operand) -> str:
            return self.value(operand, bound)

        match atom:
            case Cmp(left, operator, right):
                one, other = value(left), value(right)
                kind = self.kind(left, bound) or self.kind(right, bound)
                if kind == "text":
                    one, other = f"({one})::text", f"({other})::text"
                if kind == "enum":
                    one, other = f"({one})::grade", f"({other})::grade"
                return f"({one} {'<>' if operator == '!=' else operator} {other})"
            case NullTest(operand, negated):
                return f"({value(operand)} is {'not ' if negated else ''}null)"
            case Among(operand, items, negated):
                return self.among(operand, items, bound, negated=negated)
            case Like(operand, pattern, word, negated):
                return f"({value(operand)} {'not ' if negated else ''}{word} {literal(pattern)})"
            case Flag(column):
                return value(column)
            case _:
                assert_never(atom)

    def among(
        self,
        operand: Operand,
        items: Sequence[Operand] | Who,
        bound: dict[tuple[str, ...], tuple[str, str]],
        *,
        negated: bool,
    ) -> str:
        value, kind = self.value(operand, bound), self.kind(operand, bound)
        there = [self.present(column, bound) for column in columns_of(operand) if column.path]
        if isinstance(items, Who):
            listed = SETTINGS[items.attribute]
            listed = f"({listed})::text[]" if kind == "text" else listed
        else:
            written = [self.value(item, bound) for item in items]
            listed = f"array[{', '.join(written)}]::{'numeric' if kind == 'int' else bare(kind)}[]"
            value = f"({value})::numeric" if kind == "int" else value
        test = f"({value} <> all ({listed}))" if negated else f"({value} = any ({listed}))"
        # A relation that leads nowhere gives no value to look for.
        return f"(case when {' and '.join(there)} then {test} end)" if there else test

    def present(self, column: Col, bound: dict[tuple[str, ...], tuple[str, str]]) -> str:
        """Whether the row of a column is there."""
        return f"({self.reached(column.path, bound, lambda alias, _: '1')}) is not null"

    def kind(self, operand: Operand, bound: dict[tuple[str, ...], tuple[str, str]]) -> str | None:
        match operand:
            case Col(path, column):
                table = bound[()][1]
                for name in path:
                    table = self.shape.relations(table)[name].target
                return self.shape.by_name[table].by_name[column].kind
            case Agg("min" | "max", Col() as of):
                return self.kind(of, bound)
            case Call("coalesce", arguments):
                return next((kind for each in arguments if (kind := self.kind(each, bound))), None)
            case Call("lower" | "upper" | "concat"):
                return "text"
            case _:
                return None

    def value(self, operand: Operand, bound: dict[tuple[str, ...], tuple[str, str]]) -> str:
        match operand:
            case Col(path, column):
                return self.reached(path, bound, lambda alias, _: f"{alias}.{column}")
            case Lit(value):
                return literal(value)
            case Who(attribute):
                return SETTINGS[attribute]
            case Calc(operator, left, right):
                return self.calculated(operator, left, right, bound)
            case Call(function, arguments):
                return f"{function}({', '.join(self.value(each, bound) for each in arguments)})"
            case Agg():
                return self.aggregate(operand, bound)
            case _:
                assert_never(operand)

    def reached(self, path: tuple[str, ...], bound: Anything, output: Anything) -> str:
        """Something of the row at the end of a path, of which the collections are bound; null where there is none."""
        for place in range(len(path), -1, -1):
            if path[:place] in bound:
                alias, table = bound[path[:place]]
                return self.through(path[place:], alias, table, output)
        raise AssertionError(path)

    def through(self, rest: tuple[str, ...], alias: str, table: str, output: Anything) -> str:
        if not rest:
            return str(output(alias, table))
        relation, further = self.shape.relations(table)[rest[0]], self.alias()
        inner = self.through(rest[1:], further, relation.target, output)
        condition = _pairs(relation.pairs, alias, further)
        return f"(select {inner} from {self.room}.{relation.target} as {further} where {condition})"

    def calculated(self, operator: str, left: Operand, right: Operand, bound: Anything) -> str:
        one, other = (f"({self.value(each, bound)})::numeric" for each in (left, right))
        match operator:
            case "/":
                return f"div({one}, nullif({other}, 0))"
            case "%":
                return f"({one} % nullif({other}, 0))"
            case _:
                return f"({one} {operator} {other})"

    def aggregate(self, node: Agg, bound: Anything) -> str:
        at, table = bound[()]
        if node.of is None:
            return f"(select count(*) from {self.room}.{table})"
        ways = self.collections(node.of.path, table)
        inner: dict[tuple[str, ...], tuple[str, str]] = {(): (at, table)}
        sources = ["(select) as nothing"]
        if not ways:
            alias = self.alias()
            inner, sources = {(): (alias, table)}, [f"{self.room}.{table} as {alias}"]
        for way in ways:
            near, near_table = inner[way[:-1]]
            relation = self.shape.relations(near_table)[way[-1]]
            alias = self.alias()
            sources.append(self.source(relation, near, alias))
            inner[way] = (alias, relation.target)
        return f"(select {node.function}({self.value(node.of, inner)}) from {' '.join(sources)})"

    # What callers ask by `where`, and as lists

    def where(self, where: Where, table: str, at: str) -> str:
        match where:
            case On(column, operator, value):
                return self.on(table, f"{at}.{column}", column, operator, value)
            case Joined(word, parts):
                return "(" + f" {word[1:]} ".join(self.where(part, table, at) for part in parts) + ")"
            case Without(part):
                return f"(not {self.where(part, table, at)})"
            case Through(name, quantifier, inner) | Counting(name, quantifier, _, inner):
                relation, alias = self.shape.relations(table)[name], self.alias()
                rows = f"(select) as nothing join {self.rows(relation, at, alias)}"
                condition = self.where(inner, relation.target, alias)
                if isinstance(where, Counting):
                    symbol = {"_eq": "=", "_gt": ">", "_lt": "<"}[where.operator]
                    return f"((select count(*) from {rows} where {condition}) {symbol} {where.number})"
                match quantifier:
                    case "_none":
                        return f"(not exists (select from {rows} where {condition}))"
                    case "_every":
                        return f"(not exists (select from {rows} where ({condition}) is not true))"
                    case _:
                        return f"exists (select from {rows} where {condition})"
            case _:
                assert_never(where)

    def on(self, table: str, operand: str, column: str, operator: str, value: Anything) -> str:
        kind = self.shape.by_name[table].by_name[column].kind
        if operator == "_is_null":
            return f"({operand} is {'' if value else 'not '}null)"
        if operator in {"_in", "_nin"}:
            listed = f"array[{', '.join(map(literal, value))}]::{bare(kind)}[]"
            return f"({operand} = any ({listed}))" if operator == "_in" else f"({operand} <> all ({listed}))"
        symbol = {"_eq": "=", "_neq": "<>", "_gt": ">", "_gte": ">=", "_lt": "<", "_lte": "<="}[operator]
        return f"({operand} {symbol} {literal(value)}::{bare(kind)})"

    def conditions(self, table: str, at: str, test: Test | None, where: Where | None) -> str:
        found = ["true"]
        if test is not None:
            found.append(self.test(test, table, at))
        if where is not None:
            found.append(self.where(where, table, at))
        return " and ".join(found)

    def ask(self, ask: Ask, rows: str, alias: str) -> str:
        """A list as JSON, of rows that are under an alias."""
        condition = self.conditions(ask.table, alias, ask.filter, ask.where)
        order = ", ".join(self.order(ask.table, alias, order) for order in ask.orders)
        limit = "all" if ask.limit is None else ask.limit
        over = f"order by {order}" if ask.orders else ""
        inner = (
            f"select {self.output(ask, alias)} as o, row_number() over ({over}) as n"
            f" from {rows} where {condition} order by {'n' if ask.orders else '2'} limit {limit} offset {ask.offset}"
        )
        return f"(select coalesce(json_agg(o order by n), '[]'::json) from ({inner}) as listed)"

    def output(self, ask: Ask, alias: str) -> str:
        members = [f"'{name}', {alias}.{name}" for name in ask.columns]
        for name, child in ask.children:
            relation, further = self.shape.relations(ask.table)[name], self.alias()
            rows = f"(select) as nothing join {self.rows(relation, alias, further)}"
            if relation.many:
                members.append(f"'{name}', {self.ask(child, rows, further)}")
            else:
                members.append(f"'{name}', (select {self.output(child, further)} from {rows})")
        return f"json_build_object({', '.join(members)})"

    def order(self, table: str, alias: str, order: Order) -> str:
        value = self.through(order.path, alias, table, lambda at, _: f"{at}.{order.column}")
        return f"{value}{' desc' if order.descending else ''}{f' nulls {order.nulls}' if order.nulls else ''}"

    def tally(self, tally: Tally) -> str:
        alias = self.alias()
        condition = self.conditions(tally.table, alias, tally.filter, tally.where)
        rows = f"{self.room}.{tally.table} as {alias} where {condition}"
        whole = f"(select jsonb_build_object({self.measures(tally, alias)}) from {rows})"
        if tally.group is None:
            return whole
        key = f"'key', jsonb_build_object('{tally.group}', {alias}.{tally.group})"
        group = f"jsonb_build_object({key}, {self.measures(tally, alias)})"
        grouped = f"select {group} as g from {rows} group by {alias}.{tally.group}"
        return f"({whole} || jsonb_build_object('groups', (select coalesce(jsonb_agg(g), '[]') from ({grouped}) as s)))"

    def measures(self, tally: Tally, alias: str) -> str:
        members = ["'count', count(*)"]
        for name in tally.counted:
            members += [f"'n_{name}', count({alias}.{name})", f"'d_{name}', count(distinct {alias}.{name})"]
        for function, names in (
            ("sum", tally.summed),
            ("avg", tally.summed),
            ("min", tally.extremes),
            ("max", tally.extremes),
        ):
            if names:
                each = ", ".join(f"'{name}', {function}({alias}.{name})" for name in names)
                members.append(f"'{function}', jsonb_build_object({each})")
        return ", ".join(members)


def bare(kind: str | None) -> str:
    return {"text": "text"}.get(kind or "text") or SQL_TYPES[kind]  # type: ignore[index]


def _pairs(pairs: Iterable[tuple[str, str]], near: str, far: str) -> str:
    return " and ".join(f"{far}.{there} = {near}.{here}" for here, there in pairs)
