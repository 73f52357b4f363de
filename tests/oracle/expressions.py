"""Expressions: random tests on the rows of a table, in the language of filters and as `where`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, Literal

from tests.oracle.dice import Dice, chance, one_of, several
from tests.oracle.questions import Counting, Joined, On, Through, Where, Without
from tests.oracle.shape import Kind, Shape, Value
from tests.oracle.shapes import CLASSES, OWNERS, ROLES, VALUES
from tests.oracle.tree import (
    Agg,
    All,
    Among,
    Any,
    Calc,
    Call,
    Cmp,
    Col,
    Comparison,
    Flag,
    Like,
    Lit,
    Neg,
    NullTest,
    Operand,
    Test,
    Truth,
    Who,
)

EQUALITY: Final[tuple[Comparison, ...]] = ("=", "!=")
ORDER: Final[tuple[Comparison, ...]] = ("=", "!=", "<", ">", "<=", ">=")
PATTERNS: Final = ("a%", "%", "_", "%b", "", "a\\_b", "A%", "%é", "___")
LISTS: Final[tuple[Literal["classes", "children"], ...]] = ("classes", "children")
#: What a person may name of a table: its columns, and its relations.
Names = tuple[Sequence[str], Sequence[str]]


@dataclass(frozen=True)
class Expressions:
    dice: Dice
    shape: Shape
    names: Callable[[str], Names]

    def test(self, table: str, depth: int = 2) -> Test:
        choice = self.dice.below(10) if depth else 0
        match choice:
            case 6:
                return Any(several(self.dice, 2, 3, lambda: self.test(table, depth - 1)))
            case 7 | 8:
                return All(several(self.dice, 2, 2, lambda: self.test(table, depth - 1)))
            case 9:
                return Neg(self.test(table, depth - 1))
            case _:
                return self.atom(table)

    def atom(self, table: str) -> Test:
        column = self.column(table)
        if column is None or chance(self.dice, 4):
            return one_of(
                self.dice, [Truth(True), Truth(False), Cmp(Who("roleid"), "=", Lit(one_of(self.dice, ROLES)))]
            )
        if chance(self.dice, 10):
            return NullTest(column, chance(self.dice, 50))
        if chance(self.dice, 8) and (aggregate := self.aggregate(table)) is not None:
            return aggregate
        match self.kind(table, column):
            case "int":
                return self.integer(table, column)
            case "text":
                return self.text(table, column)
            case "numeric":
                return self.number(column)
            case "bool":
                other = Lit(one_of(self.dice, (True, False)))
                return one_of(self.dice, [Flag(column), Cmp(column, one_of(self.dice, EQUALITY), other)])
            case kind:
                return self.plain(kind, column)

    def about_owner(self) -> Test:
        """A test that every table but a few can be put to."""
        owner = Col((), "owner")
        return one_of(
            self.dice,
            [
                Cmp(owner, "=", Who("roleid")),
                Among(owner, Who("children"), False),
                Among(owner, Who("classes"), False),
                Any((Cmp(owner, "=", Who("roleid")), Among(owner, Who("children"), False))),
                Neg(Cmp(owner, "=", Who("roleid"))),
                Among(owner, Who("classes"), True),
                Cmp(owner, "!=", Who("parentid")),
            ],
        )

    def lax(self, table: str) -> Test:
        """A test that most rows satisfy, or any."""
        own = self.column(table, hops=0)
        if own is None or chance(self.dice, 45):
            return self.test(table, depth=1)
        return one_of(self.dice, [NullTest(own, True), Any((NullTest(own, True), NullTest(own, False)))])

    def kind(self, table: str, column: Col) -> Kind:
        for name in column.path:
            table = self.shape.relations(table)[name].target
        return self.shape.by_name[table].by_name[column.column].kind

    def column(self, table: str, kind: Kind | None = None, hops: int = 2) -> Col | None:
        """A column, its own one or that of a related row; of a kind, where one is wanted."""
        columns, relations = self.names(table)
        fitting = [name for name in columns if kind is None or self.shape.by_name[table].by_name[name].kind == kind]
        if hops and relations and (not fitting or chance(self.dice, 35)):
            relation = one_of(self.dice, relations)
            further = self.column(self.shape.relations(table)[relation].target, kind, hops - 1)
            if further is not None:
                return Col((relation, *further.path), further.column)
        return Col((), one_of(self.dice, fitting)) if fitting else None

    def own(self, table: str, kind: Kind) -> Col | None:
        return self.column(table, kind, hops=0)

    def plain(self, kind: Kind, column: Operand) -> Test:
        """A comparison with a literal, or with several."""
        value = one_of(self.dice, VALUES[kind])
        if chance(self.dice, 30):
            items = several(self.dice, 0, 3, lambda: self.literal(kind))
            return Among(column, items, chance(self.dice, 40))
        return Cmp(column, one_of(self.dice, ORDER), Lit(value, quoted=kind == "float"))

    def literal(self, kind: Kind) -> Lit:
        return Lit(one_of(self.dice, VALUES[kind]), quoted=kind == "float")

    def integer(self, table: str, column: Col) -> Test:
        operator = one_of(self.dice, ORDER)
        match self.dice.below(9):
            case 0 | 1:
                return Cmp(column, one_of(self.dice, EQUALITY), Who(one_of(self.dice, ("roleid", "parentid"))))
            case 2:
                return Among(column, Who(one_of(self.dice, LISTS)), chance(self.dice, 40))
            case 3:
                return Cmp(column, operator, Lit(one_of(self.dice, OWNERS), quoted=chance(self.dice, 30)))
            case 4:
                return Cmp(self.calculation(table, column), operator, Lit(self.dice.below(5)))
            case 5:
                return Cmp(column, operator, self.column(table, "int") or Lit(Decimal("2.5")))
            case 6:
                own = self.own(table, "int")
                items = (Lit(one_of(self.dice, CLASSES)), *([own] if own else []))
                return Among(column, items, chance(self.dice, 40) and not self.is_many(table, column))
            case 7:
                return Cmp(Call("coalesce", (column, Lit(one_of(self.dice, OWNERS)))), operator, Who("roleid"))
            case _:
                return self.plain("int", column)

    def is_many(self, table: str, column: Col) -> bool:
        for name in column.path:
            relation = self.shape.relations(table)[name]
            if relation.many:
                return True
            table = relation.target
        return False

    def calculation(self, table: str, column: Col) -> Operand:
        other = self.column(table, "int") if chance(self.dice, 40) else None
        right = other or Lit(one_of(self.dice, (2, 0, 3, 7)))
        if chance(self.dice, 20):
            return Call("abs", (column,))
        return Calc(one_of(self.dice, ("+", "-", "*", "/", "%")), column, right)

    def number(self, column: Col) -> Test:
        if chance(self.dice, 35):
            calculated = Calc(one_of(self.dice, ("+", "-", "*")), column, Lit(one_of(self.dice, VALUES["numeric"])))
            return Cmp(calculated, one_of(self.dice, ORDER), Lit(one_of(self.dice, VALUES["numeric"])))
        return self.plain("numeric", column)

    def text(self, table: str, column: Col) -> Test:
        match self.dice.below(7):
            case 0 | 1:
                negated = chance(self.dice, 40)
                word: Literal["like", "ilike"] = one_of(self.dice, ("like", "ilike"))
                return Like(column, one_of(self.dice, PATTERNS), word, negated)
            case 2:
                return Among(column, Who("capabilities"), chance(self.dice, 40))
            case 3:
                folded = Call(one_of(self.dice, ("lower", "upper")), (column,))
                return Cmp(folded, one_of(self.dice, ORDER), self.column(table, "text") or self.literal("text"))
            case 4:
                return Cmp(Call("length", (column,)), one_of(self.dice, ORDER), Lit(self.dice.below(4)))
            case 5:
                return Cmp(Call("concat", (column, Lit("b"))), one_of(self.dice, ORDER), self.literal("text"))
            case _:
                return self.plain("text", column)

    def aggregate(self, table: str) -> Test | None:
        """A comparison with what some rows come to: all of the table, or those of a collection."""
        operator = one_of(self.dice, ORDER)
        if chance(self.dice, 25):
            return Cmp(Agg("count", None), operator, Lit(self.dice.below(5)))
        of = self.column(table)
        if of is None:
            return None
        if chance(self.dice, 40):
            return Cmp(Agg("count", of), operator, Lit(self.dice.below(4)))
        kind = self.kind(table, of)
        function: Literal["min", "max"] = one_of(self.dice, ("min", "max"))
        if kind == "bool":
            return None
        if kind == "int" and chance(self.dice, 30):
            return Cmp(Agg("sum", of), operator, Lit(self.dice.below(30)))
        return Cmp(Agg(function, of), operator, self.own(table, kind) or self.literal(kind))

    def where(self, table: str, depth: int = 2) -> Where | None:
        columns, relations = self.names(table)
        if not columns:
            return None
        choice = self.dice.below(10) if depth else 0
        if choice in {6, 7} and relations:
            return self.along(table, one_of(self.dice, relations), depth)
        if choice in {8, 9}:
            parts = tuple(part for _ in range(2) if (part := self.where(table, depth - 1)) is not None)
            return Joined(one_of(self.dice, ("_or", "_and")), parts) if parts else None
        if choice == 5:
            part = self.where(table, depth - 1)
            return None if part is None else Without(part)
        return self.on(table, one_of(self.dice, columns))

    def along(self, table: str, name: str, depth: int) -> Where | None:
        relation = self.shape.relations(table)[name]
        inner = self.where(relation.target, depth - 1)
        if inner is None:
            return None
        if not relation.many:
            return Through(name, "", inner)
        if chance(self.dice, 25):
            return Counting(name, one_of(self.dice, ("_eq", "_gt", "_lt")), self.dice.below(3), inner)
        return Through(name, one_of(self.dice, ("_some", "_none", "_every")), inner)

    def on(self, table: str, column: str) -> Where:
        kind = self.shape.by_name[table].by_name[column].kind
        values: tuple[Value, ...] = OWNERS if column == "owner" else VALUES[kind]
        if kind == "float":
            values = tuple(value for value in values if value != float("inf"))
        if chance(self.dice, 12):
            return On(column, "_is_null", chance(self.dice, 50))
        if chance(self.dice, 25):
            items = several(self.dice, 0, 3, lambda: one_of(self.dice, values))
            return On(column, one_of(self.dice, ("_in", "_nin")), items)
        return On(column, one_of(self.dice, ("_eq", "_neq", "_gt", "_gte", "_lt", "_lte")), one_of(self.dice, values))
