"""a_shape, a_state: random tables, and rows that satisfy their constraints."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Final

from tests.oracle.dice import Dice, chance, one_of
from tests.oracle.shape import LABELS, Column, Kind, Reference, Row, Shape, State, Table, Value

NAMES: Final = ("area", "box", "cell", "disk")
ROLES: Final = (11, 12, 13, 14)
CLASSES: Final = (21, 22, 23)
TEXTS: Final = ("a", "", "B", "ab", "a_b", "select", "11", "b\\é'\"", "abcdefg")
VALUES: Final[dict[Kind, tuple[Value, ...]]] = {
    "int": (1, 0, 2, -3, *ROLES[:2], CLASSES[0], 2147483647),
    "text": TEXTS,
    "numeric": tuple(map(Decimal, ("1", "0", "1.50", "-2.25", "100000000000000000000.1"))),
    "float": (0.5, 0.0, -1.25, 1e300, float("inf")),
    "bool": (True, False),
    "date": (date(2020, 2, 29), date(1999, 12, 31), date(2020, 3, 1)),
    "enum": LABELS,
}
OWNERS: Final = (*ROLES, *ROLES, *CLASSES)
KINDS: Final[tuple[Kind, ...]] = ("int", "text", "numeric", "bool", "enum", "date", "float")


def a_shape(dice: Dice) -> Shape:
    """Three or four tables, of which later ones refer to earlier ones and to themselves, and often a junction."""
    tables: list[Table] = []
    for name in NAMES[: 3 + dice.below(2)]:
        tables.append(_table(dice, name, tables))
    if chance(dice, 70):
        one, other = tables[0], tables[1 + dice.below(len(tables) - 1)]
        tables.append(_junction(one, other))
    return Shape(tuple(tables))


def _table(dice: Dice, name: str, earlier: Sequence[Table]) -> Table:
    key = one_of(
        dice,
        [
            (Column("id", "int", nullable=False),),
            (Column("id", "int", nullable=False),),
            (Column("code", "text", nullable=False),),
            (Column("k1", "int", nullable=False), Column("k2", "text", nullable=False)),
        ],
    )
    columns = [*key, Column("owner", "int", nullable=chance(dice, 60))]
    columns += [Column(f"{kind[0]}1", kind, nullable=chance(dice, 75)) for kind in KINDS if chance(dice, 55)]
    if chance(dice, 50):
        columns.append(Column("t2", "text"))
    if chance(dice, 50):
        columns.append(Column("i2", "int"))
    table = Table(name, tuple(columns), tuple(column.name for column in key))
    references: list[Reference] = []
    targets = [each for each in earlier if chance(dice, 65)] or list(earlier[-1:])
    for target in [*targets, *([table] if chance(dice, 35) else [])]:
        nullable = target is table or chance(dice, 60)
        own = [Column(f"{target.name}_{part}", target.by_name[part].kind, nullable=nullable) for part in target.key]
        columns += own
        references.append(
            Reference(target.name, tuple((c.name, part) for c, part in zip(own, target.key, strict=True)))
        )
    unique = (("i2",),) if "i2" in {column.name for column in columns} and chance(dice, 40) else ()
    return Table(name, tuple(columns), table.key, tuple(references), unique)


def _junction(one: Table, other: Table) -> Table:
    columns: list[Column] = []
    references: list[Reference] = []
    for end in (one, other):
        own = [Column(f"{end.name}_{part}", end.by_name[part].kind, nullable=False) for part in end.key]
        columns += own
        references.append(Reference(end.name, tuple((c.name, part) for c, part in zip(own, end.key, strict=True))))
    key = tuple(column.name for column in columns)
    return Table("link", (*columns, Column("owner", "int"), Column("t1", "text")), key, tuple(references))


def a_value(dice: Dice, column: Column) -> Value:
    if column.nullable and chance(dice, 18):
        return None
    if column.name == "owner":
        return one_of(dice, OWNERS)
    return one_of(dice, VALUES[column.kind])


def a_key_value(dice: Dice, column: Column) -> Value:
    return 1 + dice.below(6) if column.kind == "int" else one_of(dice, TEXTS[:6])


def a_state(dice: Dice, shape: Shape) -> State:
    state: State = {}
    for table in shape.tables:
        state[table.name] = []
        for _ in range(0 if chance(dice, 6) else 4 + dice.below(5)):
            row = a_row(dice, table, state)
            if row is not None and not clashes(table, state[table.name], row):
                state[table.name].append(row)
    return state


def a_row(dice: Dice, table: Table, state: State) -> Row | None:
    """A row whose keys lead to rows that are there; None where there is none that they must lead to."""
    row: Row = {}
    led: dict[str, Value] = {}
    for reference in table.references:
        own = [here for here, _ in reference.pairs]
        targets = state[reference.target]
        nullable = all(table.by_name[name].nullable for name in own)
        if not targets or (nullable and chance(dice, 25)):
            if not nullable:
                return None
            led |= dict.fromkeys(own)
            continue
        target = one_of(dice, targets)
        led |= {here: target[there] for here, there in reference.pairs}
    for column in table.columns:
        if column.name in led:
            row[column.name] = led[column.name]
        elif column.name in table.key:
            row[column.name] = a_key_value(dice, column)
        else:
            row[column.name] = a_value(dice, column)
    return row


def clashes(table: Table, rows: Sequence[Row], row: Row) -> bool:
    """Whether another row has a key of this one."""
    return any(
        all(row[name] is not None and row[name] == each[name] for name in key)
        for key in (table.key, *table.unique)
        for each in rows
    )
