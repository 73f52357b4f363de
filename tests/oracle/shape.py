"""Shape: the tables of a random database, and what the documented rules make of their keys: relations by name."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Final, Literal

Kind = Literal["int", "text", "numeric", "float", "bool", "date", "enum"]
Value = int | str | Decimal | float | bool | date | None
Row = dict[str, Value]
State = dict[str, list[Row]]

LABELS: Final = ("low", "high", "Mid", "a b")
SQL_TYPES: Final[Mapping[Kind, str]] = {
    "int": "int4",
    "text": 'text collate "C"',
    "numeric": "numeric",
    "float": "float8",
    "bool": "bool",
    "date": "date",
    "enum": "grade",
}


@dataclass(frozen=True)
class Column:
    name: str
    kind: Kind
    nullable: bool = True


@dataclass(frozen=True)
class Reference:
    """A foreign key: pairs of a column here and one there."""

    target: str
    pairs: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Junction:
    table: str
    near: tuple[tuple[str, str], ...]
    """Pairs of a column of the table that the relation comes from, and one of the junction."""
    far: tuple[tuple[str, str], ...]
    """Pairs of a column of the junction, and one of the table that it leads to."""


@dataclass(frozen=True)
class Relation:
    name: str
    target: str
    pairs: tuple[tuple[str, str], ...]
    many: bool
    junction: Junction | None = None


@dataclass(frozen=True)
class Table:
    name: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    references: tuple[Reference, ...] = ()
    unique: tuple[tuple[str, ...], ...] = ()

    @property
    def by_name(self) -> dict[str, Column]:
        return {column.name: column for column in self.columns}

    def key_of(self, row: Row) -> tuple[Value, ...]:
        return tuple(row[name] for name in self.key)


@dataclass(frozen=True)
class Shape:
    tables: tuple[Table, ...]

    @property
    def by_name(self) -> dict[str, Table]:
        return {table.name: table for table in self.tables}

    def relations(self, table: str) -> dict[str, Relation]:
        return _relations(self, table)

    def ddl(self) -> str:
        labels = ", ".join(f"'{label}'" for label in LABELS)
        return f"create type grade as enum ({labels});\n" + "\n".join(map(_table_ddl, self.tables))


_KNOWN: dict[tuple[int, str], tuple[Shape, dict[str, Relation]]] = {}


def _relations(shape: Shape, table: str) -> dict[str, Relation]:
    found = _KNOWN.get((id(shape), table))
    if found is None or found[0] is not shape:
        found = shape, {relation.name: relation for relation in _named(shape, shape.by_name[table])}
        _KNOWN[id(shape), table] = found
    return found[1]


def _named(shape: Shape, table: Table) -> list[Relation]:
    """As docs/schema.md names them. No generated table has two keys to the same other table."""
    found = [Relation(key.target, key.target, key.pairs, many=False) for key in table.references]
    for owner in shape.tables:
        found += [
            Relation(f"{owner.name}_collection", owner.name, _turned(key.pairs), many=True)
            for key in owner.references
            if key.target == table.name
        ]
    taken = {relation.name for relation in found}
    for middle in shape.tables:
        if not is_junction(middle):
            continue
        for near, far in (middle.references, middle.references[::-1]):
            if near.target == table.name:
                plain = f"{far.target}_collection"
                name = plain if plain not in taken else f"{far.target}_{middle.name}_collection"
                junction = Junction(middle.name, _turned(near.pairs), far.pairs)
                found.append(Relation(name, far.target, (), many=True, junction=junction))
    return found


def is_junction(table: Table) -> bool:
    """Whether two foreign keys are its primary key."""
    keys = [key for key in table.references if {own for own, _ in key.pairs} <= set(table.key)]
    return len(keys) == 2 and {own for key in keys for own, _ in key.pairs} == set(table.key)


def _turned(pairs: Sequence[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    return tuple((there, here) for here, there in pairs)


def _table_ddl(table: Table) -> str:
    parts = [
        f"{column.name} {SQL_TYPES[column.kind]}{'' if column.nullable else ' not null'}" for column in table.columns
    ]
    parts.append(f"primary key ({', '.join(table.key)})")
    parts += [f"unique ({', '.join(names)})" for names in table.unique]
    for key in table.references:
        own, there = zip(*key.pairs, strict=True)
        parts.append(f"foreign key ({', '.join(own)}) references {key.target} ({', '.join(there)})")
    return f"create table {table.name} ({', '.join(parts)});"


def literal(value: Value) -> str:
    """The value in SQL."""
    match value:
        case None:
            return "null"
        case bool():
            return str(value).lower()
        case float():
            return f"'{_float_text(value)}'::float8"
        case int() | Decimal():
            return f"({value})"
        case date():
            return f"'{value.isoformat()}'::date"
        case str():
            return "'" + value.replace("'", "''") + "'"


def _float_text(value: float) -> str:
    return {"inf": "Infinity", "-inf": "-Infinity", "nan": "NaN"}.get(repr(value), repr(value))


def related(shape: Shape, state: Mapping[str, Sequence[Row]], relation: Relation, row: Row) -> list[Row]:
    """The rows that a relation leads to from a row, each as often as it leads there."""
    junction = relation.junction
    if junction is None:
        return _matching(state[relation.target], relation.pairs, row)
    links = _matching(state[junction.table], junction.near, row)
    return [found for link in links for found in _matching(state[relation.target], junction.far, link)]


def _matching(rows: Sequence[Row], pairs: Sequence[tuple[str, str]], row: Row) -> list[Row]:
    wanted = [(there, row.get(here)) for here, there in pairs]
    if any(value is None for _, value in wanted):
        return []
    return [each for each in rows if all(each.get(there) == value for there, value in wanted)]
