"""What each aggregate function can be taken of, and what it gives (PostgreSQL: Aggregate Functions)."""

from typing import Final, Literal

from db.catalog import PgType
from schema.expression.types import BOOL, FLOATS, INT8, INTEGERS, NUMBERS, NUMERIC, is_ordered

MeasureFunction = Literal[
    "count",
    "sum",
    "avg",
    "stddev",
    "stddev_pop",
    "variance",
    "var_pop",
    "min",
    "max",
    "bool_and",
    "bool_or",
]
FLOAT8: Final = PgType("float8", "float8")
_EXTREMES: Final = (
    NUMBERS
    | {"text", "varchar", "bpchar", "name", "citext", "inet", "cidr", "money", "oid", "pg_lsn"}
    | {"date", "time", "timetz", "timestamp", "timestamptz", "interval"}
)


def measured_type(function: MeasureFunction, kind: PgType) -> PgType | None:
    """The type of the function's value for a column of this type, or None where it cannot be taken of one."""
    if function == "count":
        return INT8
    if function in {"min", "max"}:
        return kind if kind.kind == "enum" or (_is_plain(kind) and kind.base in _EXTREMES) else None
    if not _is_plain(kind):
        return None
    if function in {"bool_and", "bool_or"}:
        return BOOL if kind.base == "bool" else None
    if function in {"sum", "avg"}:
        return _sum(kind.base) if function == "sum" else _average(kind.base)
    return _average(kind.base) if kind.base in NUMBERS else None


def shown_type(function: MeasureFunction, kind: PgType) -> PgType | None:
    """The type as which that value is shown: a sum of integers is one, though PostgreSQL makes it a numeric where it
    may be larger than any integer type."""
    return INT8 if function == "sum" and kind.base in INTEGERS else measured_type(function, kind)


def can_group(kind: PgType) -> bool:
    """Whether rows can be told apart by values of the type."""
    if kind.kind == "array":
        return kind.element is not None and is_ordered(kind.element)
    return kind.kind == "range" or is_ordered(kind)


def _is_plain(kind: PgType) -> bool:
    return kind.kind in {"base", "domain"}


def _sum(base: str) -> PgType | None:
    if base in INTEGERS:
        return NUMERIC if base == "int8" else INT8
    return PgType(base, base) if base in FLOATS | {"numeric", "interval", "money"} else None


def _average(base: str) -> PgType | None:
    if base in FLOATS:
        return FLOAT8
    if base in INTEGERS | {"numeric"}:
        return NUMERIC
    return PgType(base, base) if base == "interval" else None
