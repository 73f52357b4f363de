"""Grant: what the rules in scope give one principal on one table for one capability.

Each rule is a part: on its rows, its columns. Parts add up column by column: a column can be read on the rows of every
part that lists it, and written where each column that is written is some part's.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from db.catalog import Column
from schema.expression.predicate import (
    ALWAYS,
    NEVER,
    Alike,
    ColumnOf,
    Compare,
    Constant,
    IsNull,
    NotTrue,
    Operand,
    Predicate,
    PrincipalValue,
    Value,
    all_of,
    any_of,
)

PresetValue = Constant | PrincipalValue


@dataclass(frozen=True, slots=True)
class Mask:
    """How a column looks on rows where `unless` does not hold; see db.records.ColumnMask."""

    kind: str
    unless: Predicate
    text: str = ""
    value: Operand | None = None


@dataclass(frozen=True, slots=True)
class Crowd:
    """How many rows of a rule have to be alike, in which columns, for the others to be told of them."""

    least: int
    alike: tuple[ColumnOf, ...]
    others: tuple[Column, ...]

    def of(self, *conditions: Predicate) -> Predicate:
        """Whether enough rows that satisfy all of these are alike."""
        return Alike(self.alike, self.least, all_of(*conditions))


@dataclass(frozen=True, slots=True)
class GrantPart:
    """What one rule gives. Columns are those of the database by their names; None stands for all.

    With `aggregates` `only` there is a `crowd`, and rows are looked at by the columns `grouped` alone; a column in
    `valued` has values only where that holds besides."""

    rows: Predicate
    read_columns: frozenset[str] | None = None
    write_columns: frozenset[str] | None = None
    forced: tuple[tuple[Column, PresetValue], ...] = ()
    defaults: tuple[tuple[Column, PresetValue], ...] = ()
    masks: Mapping[str, Mask] = field(default_factory=dict[str, Mask])
    aggregates: str | None = None
    grouped: frozenset[str] = frozenset()
    crowd: Crowd | None = None
    valued: Mapping[str, Predicate] = field(default_factory=dict[str, Predicate])
    max_rows: int | None = None
    max_seconds: float | None = None
    valid_until: datetime | None = None

    def reads(self, column: str) -> bool:
        return self.read_columns is None or column in self.read_columns

    def writes(self, column: str) -> bool:
        """Whether a caller may give a value for the column."""
        listed = self.write_columns is None or column in self.write_columns
        return listed and all(column != forced.name for forced, _ in self.forced)

    def plain(self, column: str) -> Predicate:
        """The rows on which it shows the column as it is."""
        if column in self.masks:
            return all_of(self.rows, self.masks[column].unless)
        return all_of(self.rows, self.valued[column]) if column in self.valued else self.rows

    @property
    def stored(self) -> Predicate:
        """What holds of a row that was stored by this part."""
        return all_of(self.rows, *(equals(column, value) for column, value in self.forced))


@dataclass(frozen=True, slots=True)
class ColumnView:
    """How a column looks that is not the same for every row: as it is on the rows of `plain`, masked on those of
    `masked`, else null."""

    plain: Predicate
    masked: tuple[tuple[Predicate, Mask], ...] = ()


@dataclass(frozen=True, slots=True)
class Grant:
    """The parts of all rules in scope; at least one."""

    parts: tuple[GrantPart, ...]

    @property
    def rows(self) -> Predicate:
        """The rows that it is about."""
        return any_of(*(part.rows for part in self.parts))

    @property
    def columns(self) -> frozenset[str] | None:
        """The columns that can be read on some row; None for all."""
        found: frozenset[str] = frozenset()
        for part in self.parts:
            if part.read_columns is None:
                return None
            found |= part.read_columns
        return found

    def reads(self, column: str) -> bool:
        """Whether the column can be read on some row."""
        return any(part.reads(column) for part in self.parts)

    def writes(self, column: str) -> bool:
        """Whether a caller may give the column a value in some row."""
        return any(part.writes(column) for part in self.parts)

    @property
    def is_whole(self) -> bool:
        """Whether every column is as it is on every row."""
        return all(part.read_columns is None and not part.masks and not part.valued for part in self.parts)

    @property
    def max_rows(self) -> int | None:
        """The most rows that a list may have: rules add up, so that the most generous counts."""
        limits = [part.max_rows for part in self.parts]
        return None if None in limits else max(each for each in limits if each is not None)

    @property
    def max_seconds(self) -> float | None:
        """The most seconds that an operation may take that uses the grant."""
        limits = [part.max_seconds for part in self.parts]
        return None if None in limits else max(each for each in limits if each is not None)

    @property
    def grouped(self) -> frozenset[str] | None:
        """The columns by which rows can be looked at that are for aggregates only; None without such rows."""
        return next((part.grouped for part in self.parts if part.aggregates == "only"), None)

    def used(self, use: str) -> "Grant | None":
        """What of it is there for `select`, `aggregate` or `compare`; for every other use all is."""
        kept = tuple(part for part in self.parts_used(use) if part is not None)
        if kept == self.parts:
            return self
        return Grant(kept) if kept else None

    def parts_used(self, use: str) -> tuple[GrantPart | None, ...]:
        """Each part as it is there for a use, None where it is not. Of several rules for aggregates only the first
        counts: two sets of groups that differ by a row would tell what is in it."""
        crowds = (place for place, part in enumerate(self.parts) if part.aggregates == "only")
        crowd = next(crowds, None)
        match use:
            case "select":
                return tuple(None if part.aggregates == "only" else part for part in self.parts)
            case "compare":
                return tuple(part if part.aggregates is None else None for part in self.parts)
            case "aggregate":
                read = tuple(part for part in self.parts if part.aggregates != "only")
                return tuple(
                    _in_crowds(part, part.crowd, read)
                    if place == crowd and part.crowd is not None
                    else part
                    if part.aggregates is None or place == crowd
                    else None
                    for place, part in enumerate(self.parts)
                )
            case _:
                return self.parts

    def view(self, column: str) -> ColumnView | None:
        """How the column looks where that depends on the row; None where it is as it is on every row of the grant."""
        if self.is_whole:
            return None
        listing = [part for part in self.parts if part.reads(column)]
        shown = any_of(*(part.plain(column) for part in listing))
        if shown in (ALWAYS, self.rows):
            return None
        masked = [(part.rows, part.masks[column]) for part in listing if column in part.masks]
        return ColumnView(shown, tuple(masked))

    def before(self, columns: Iterable[str]) -> Predicate:
        """The rows in which a caller may give these columns new values."""
        return self._each(columns, stored=False)

    def after(self, columns: Iterable[str]) -> Predicate:
        """What holds of a row in which a caller has given these columns values."""
        return self._each(columns, stored=True)

    def presets(self, given: Iterable[str]) -> tuple[tuple[Column, PresetValue], ...]:
        """What is stored besides the columns that the caller gives. Of several rules for a column the first says it."""
        taken = frozenset(given)
        found: dict[str, tuple[Column, PresetValue]] = {}
        for part in self.parts:
            for column, value in (*part.forced, *part.defaults):
                if column.name not in taken:
                    found.setdefault(column.name, (column, value))
        return tuple(found.values())

    def _each(self, columns: Iterable[str], *, stored: bool) -> Predicate:
        def holds(parts: Iterable[GrantPart]) -> Predicate:
            return any_of(*(part.stored if stored else part.rows for part in parts))

        conditions = [
            holds(part for part in self.parts if part.write_columns is None or name in part.write_columns)
            for name in columns
        ]
        return all_of(*dict.fromkeys(conditions or [holds(self.parts)]))


UNBOUND: Final = Grant((GrantPart(ALWAYS),))
"""The grant of whoever no rule binds."""


def _in_crowds(part: GrantPart, crowd: Crowd, read: tuple[GrantPart, ...]) -> GrantPart:
    """The part on the rows that are told, with what tells their values. Rows and values that other rules let the
    principal read make no group large enough: less them, what is told of it would tell of the few that are left."""
    seen = any_of(*(each.rows for each in read))
    hidden = crowd.of(part.rows, *_not(seen))
    # Rows that can be read are told in whatever company.
    told = any_of(hidden, all_of(seen, crowd.of(part.rows)))
    valued: dict[str, Predicate] = {}
    for column in crowd.others:
        known = any_of(*(each.plain(column.name) for each in read if each.reads(column.name)))
        if column.not_null and seen == NEVER:
            continue
        there = () if column.not_null else (IsNull(ColumnOf(column.name, column.type), negated=True),)
        unknown = (part.rows, *there, *_not(known))
        # Of few values in a large group the sum would tell them.
        valued[column.name] = any_of(all_of(hidden, crowd.of(*unknown)), all_of(seen, crowd.of(*unknown, seen)))
    return replace(part, rows=all_of(part.rows, told), valued=valued)


def _not(predicate: Predicate) -> tuple[Predicate, ...]:
    return () if predicate == NEVER else (NotTrue(predicate),)


def equals(column: Column, value: Value) -> Predicate:
    """That a row has this value in the column."""
    if isinstance(value, Constant) and value.value is None:
        return IsNull(ColumnOf(column.name, column.type))
    return Compare(ColumnOf(column.name, column.type), "=", value)
