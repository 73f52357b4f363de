"""What is asked of the judges, and Ostiary's document for it."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, Literal, TypeAlias, assert_never

from tests.oracle.shape import Kind, Row, Shape, Value
from tests.oracle.tree import Test, text_of

Operator = Literal["_eq", "_neq", "_gt", "_gte", "_lt", "_lte", "_in", "_nin", "_is_null"]


@dataclass(frozen=True)
class On:
    """A test of a column in `where`."""

    column: str
    operator: Operator
    value: "Value | tuple[Value, ...]"


@dataclass(frozen=True)
class Through:
    """A condition on a to-one relation, or on the rows of a collection."""

    relation: str
    quantifier: Literal["", "_some", "_none", "_every"]
    where: "Where"


@dataclass(frozen=True)
class Counting:
    relation: str
    operator: Literal["_eq", "_gt", "_lt"]
    number: int
    where: "Where"


@dataclass(frozen=True)
class Joined:
    word: Literal["_and", "_or"]
    parts: tuple["Where", ...]


@dataclass(frozen=True)
class Without:
    """What does not satisfy a condition."""

    part: "Where"


Where: TypeAlias = On | Through | Counting | Joined | Without


@dataclass(frozen=True)
class Order:
    """By a column, at the end of a path of to-one relations; nulls are the greatest unless it says where they are."""

    path: tuple[str, ...]
    column: str
    descending: bool = False
    nulls: Literal["", "first", "last"] = ""


@dataclass(frozen=True)
class Ask:
    """A list of rows. `is_ordered`: its orders leave no two rows equal."""

    table: str
    columns: tuple[str, ...]
    children: tuple[tuple[str, "Ask"], ...] = ()
    filter: Test | None = None
    where: Where | None = None
    orders: tuple[Order, ...] = ()
    is_ordered: bool = False
    limit: int | None = None
    offset: int = 0


@dataclass(frozen=True)
class Tally:
    """Aggregates of rows, and of their groups by a column."""

    table: str
    filter: Test | None
    where: Where | None
    counted: tuple[str, ...] = ()
    summed: tuple[str, ...] = ()
    extremes: tuple[str, ...] = ()
    group: str | None = None


@dataclass(frozen=True)
class Pages:
    """A list, page by page."""

    ask: Ask
    size: int


@dataclass(frozen=True)
class Create:
    table: str
    values: tuple[tuple[str, Value], ...]
    returning: tuple[str, ...]
    on_conflict: Literal["fail", "ignore"] = "fail"


@dataclass(frozen=True)
class Update:
    table: str
    key: tuple[tuple[str, Value], ...]
    values: tuple[tuple[str, Value], ...]
    returning: tuple[str, ...]


@dataclass(frozen=True)
class Delete:
    table: str
    key: tuple[tuple[str, Value], ...]
    returning: tuple[str, ...]


@dataclass(frozen=True)
class CreateMany:
    table: str
    rows: tuple[tuple[tuple[str, Value], ...], ...]
    returning: tuple[str, ...]


@dataclass(frozen=True)
class UpdateWhere:
    table: str
    filter: Test | None
    where: Where | None
    values: tuple[tuple[str, Value], ...]
    added: tuple[tuple[str, int], ...]
    returning: tuple[str, ...]


@dataclass(frozen=True)
class DeleteWhere:
    table: str
    filter: Test | None
    where: Where | None
    returning: tuple[str, ...]


Write: TypeAlias = Create | Update | Delete | CreateMany | UpdateWhere | DeleteWhere


@dataclass(frozen=True)
class Change:
    """Writes in one operation: all or nothing."""

    writes: tuple[Write, ...]


Question: TypeAlias = Ask | Tally | Pages | Change


def tests_in(where: Where | None) -> Iterator[Where]:
    """Every part of a condition, itself included."""
    if where is None:
        return
    yield where
    match where:
        case Joined(_, parts):
            for part in parts:
                yield from tests_in(part)
        case Without(part):
            yield from tests_in(part)
        case Through() | Counting():
            yield from tests_in(where.where)
        case On():
            return


def document_of(question: Question, shape: Shape) -> tuple[str, dict[str, object]]:
    """The document, and its variables. Every second filter is written into the document itself."""
    variables: dict[str, object] = {}
    writer = _Writer(shape, variables)
    match question:
        case Ask():
            body = writer.ask(question.table, question)
        case Tally():
            body = f"Aggregates {{ {writer.tally(question)} }}"
        case Pages(ask, size):
            variables["after"] = None
            arguments = writer.arguments(ask, f"first: {size}", "after: $after")
            total = "page_info { total has_next_page end_cursor }"
            body = f"Aggregates {{ {ask.table}{arguments} {{ nodes {writer.selection(ask)} {total} }} }}"
        case Change(writes):
            body = " ".join(f"w{number}: {writer.write(write)}" for number, write in enumerate(writes))
        case _:
            assert_never(question)
    types = {"after": "String"}
    declared = ", ".join(f"${name}: {types.get(name, 'String')}" for name in variables)
    kind = "mutation" if isinstance(question, Change) else "query"
    return f"{kind} Q{f'({declared})' if declared else ''} {{ {body} }}", variables


@dataclass
class _Writer:
    shape: Shape
    variables: dict[str, object]
    filters: int = 0

    def ask(self, field: str, ask: Ask) -> str:
        return f"{field}{self.arguments(ask)} {self.selection(ask)}"

    def selection(self, ask: Ask) -> str:
        children = [self.ask(relation, child) for relation, child in ask.children]
        return "{ " + " ".join(["__typename", *ask.columns, *children]) + " }"

    def arguments(self, ask: Ask, *more: str) -> str:
        found = [*self.choosing(ask.table, ask.filter, ask.where), *more]
        if ask.orders:
            if all(not order.nulls for order in ask.orders) and len(ask.orders) % 2 == 0:
                terms = [".".join((*order.path, order.column)) + " desc" * order.descending for order in ask.orders]
                found.append(f"ordering: {json.dumps(terms)}")
            else:
                found.append(f"order_by: [{', '.join(map(_order_text, ask.orders))}]")
        if ask.limit is not None:
            found.append(f"limit: {ask.limit}")
        if ask.offset:
            found.append(f"offset: {ask.offset}")
        return f"({', '.join(found)})" if found else ""

    def choosing(self, table: str, test: Test | None, where: Where | None) -> list[str]:
        found: list[str] = []
        if test is not None:
            self.filters += 1
            text = text_of(test)
            if self.filters % 2:
                self.variables[f"f{self.filters}"] = text
                found.append(f"filter: $f{self.filters}")
            else:
                found.append(f"filter: {_string(text)}")
        if where is not None:
            found.append(f"where: {self.where(table, where)}")
        return found

    def where(self, table: str, where: Where) -> str:
        match where:
            case On(column, operator, value):
                known = self.shape.by_name[table]
                kind = known.by_name[column].kind
                if operator == "_is_null":
                    text = str(value).lower()
                elif isinstance(value, tuple):
                    text = "[" + ", ".join(self.value(known.key, column, kind, each) for each in value) + "]"
                else:
                    text = self.value(known.key, column, kind, value)
                return f"{{ {column}: {{ {operator}: {text} }} }}"
            case Through(relation, quantifier, inner):
                text = self.where(self.target(table, relation), inner)
                return f"{{ {relation}: {f'{{ {quantifier}: {text} }}' if quantifier else text} }}"
            case Counting(relation, operator, number, inner):
                text = self.where(self.target(table, relation), inner)
                return f"{{ {relation}: {{ _count: {{ {operator}: {number} }}, _where: {text} }} }}"
            case Joined(word, parts):
                return f"{{ {word}: [{', '.join(self.where(table, part) for part in parts)}] }}"
            case Without(part):
                return f"{{ _not: {self.where(table, part)} }}"
            case _:
                assert_never(where)

    def target(self, table: str, relation: str) -> str:
        return self.shape.relations(table)[relation].target

    def value(self, key: tuple[str, ...], column: str, kind: Kind, value: Value) -> str:
        match value:
            case None:
                return "null"
            case bool():
                return str(value).lower()
            case int() | Decimal():
                return _string(str(value)) if column in key else str(value)
            case float():
                is_finite = value - value == 0
                return repr(value) if is_finite else _string({"inf": "Infinity", "-inf": "-Infinity"}[repr(value)])
            case date():
                return _string(value.isoformat())
            case str():
                return _string(value)

    def tally(self, tally: Tally) -> str:
        known = self.choosing(tally.table, tally.filter, tally.where)
        arguments = f"({', '.join(known)})" if known else ""
        fields = ["count", *self.measures(tally)]
        if tally.group is not None:
            inner = ["count", *self.measures(tally)]
            fields.append(f"groups(by: {{ {tally.group}: value }}) {{ key {{ {tally.group} }} {' '.join(inner)} }}")
        return f"{tally.table}{arguments} {{ {' '.join(fields)} }}"

    def measures(self, tally: Tally) -> list[str]:
        found = [f"n_{name}: count(columns: [{name}]) d_{name}: count(distinct: [{name}])" for name in tally.counted]
        if tally.summed:
            found.append(f"sum {{ {' '.join(tally.summed)} }} avg {{ {' '.join(tally.summed)} }}")
        if tally.extremes:
            found.append(f"min {{ {' '.join(tally.extremes)} }} max {{ {' '.join(tally.extremes)} }}")
        return found

    def write(self, write: Write) -> str:
        table = self.shape.by_name[write.table]
        selected = "{ __typename " + " ".join(write.returning) + " }"
        many = f"{{ affected_rows returning {selected} }}"
        match write:
            case Create():
                conflict = f", onconflict: {write.on_conflict}" if write.on_conflict != "fail" else ""
                return f"create_{write.table}(input: {self.object(table.name, write.values)}{conflict}) {selected}"
            case Update():
                key = self.members(table.name, write.key)
                return f"update_{write.table}({key}, input: {self.object(table.name, write.values)}) {selected}"
            case Delete():
                return f"delete_{write.table}({self.members(table.name, write.key)}) {selected}"
            case CreateMany():
                rows = ", ".join(self.object(table.name, row) for row in write.rows)
                return f"insert_{write.table}(objects: [{rows}]) {many}"
            case UpdateWhere():
                given = self.choosing(table.name, write.filter, write.where)
                given += [f"set: {self.object(table.name, write.values)}"] if write.values else []
                given += [f"inc: {self.object(table.name, write.added)}"] if write.added else []
                return f"update_{write.table}_where({', '.join(given)}) {many}"
            case DeleteWhere():
                given = self.choosing(table.name, write.filter, write.where)
                chosen = f"({', '.join(given)})" if given else ""
                return f"delete_{write.table}_where{chosen} {many}"
            case _:
                assert_never(write)

    def object(self, table: str, values: "tuple[tuple[str, Any], ...]") -> str:
        return "{ " + self.members(table, values) + " }"

    def members(self, table: str, values: "tuple[tuple[str, Any], ...]") -> str:
        known = self.shape.by_name[table]
        return ", ".join(
            f"{name}: {self.written(known.key, name, known.by_name[name].kind, value)}" for name, value in values
        )

    def written(self, key: tuple[str, ...], column: str, kind: Kind, value: Value) -> str:
        """A label in an input is a name, or its text in quotes."""
        return self.value(key, column, kind, value)


def _order_text(order: Order) -> str:
    text = ("desc" if order.descending else "asc") + (f"_nulls_{order.nulls}" if order.nulls else "")
    for name in (order.column, *reversed(order.path)):
        text = f"{{ {name}: {text} }}"
    return text


def _string(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def canonical(kind: Kind, value: Any) -> Any:
    """A value from wherever it comes, in a form in which equal values are equal."""
    from fractions import Fraction

    if value is None:
        return None
    match kind:
        case "int" | "numeric":
            return Fraction(str(value)) if not isinstance(value, Fraction) else value
        case "float":
            return repr(float(value) + 0.0)
        case "bool":
            return bool(value)
        case "enum":
            # GraphQL knows labels by names.
            return str(value).replace(" ", "_")
        case _:
            return str(value)


def canonical_rows(shape: Shape, ask: Ask, rows: Any) -> Any:
    """An answer to a list in that form, children included; in the order of their texts where none is asked for."""
    found = [_canonical_row(shape, ask, row) for row in rows]
    return found if ask.is_ordered else sorted(found, key=repr)


def _canonical_row(shape: Shape, ask: Ask, row: Any) -> Any:
    table = shape.by_name[ask.table]
    found: dict[str, Any] = {name: canonical(table.by_name[name].kind, row[name]) for name in ask.columns}
    for relation, child in ask.children:
        value = row[relation]
        if shape.relations(ask.table)[relation].many:
            found[relation] = canonical_rows(shape, child, value)
        else:
            found[relation] = None if value is None else _canonical_row(shape, child, value)
    return found


def flat(table: str, columns: tuple[str, ...]) -> Ask:
    return Ask(table, columns)


def row_of(values: Mapping[str, Value] | tuple[tuple[str, Value], ...]) -> Row:
    return dict(values)
