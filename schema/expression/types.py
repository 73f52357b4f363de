"""Which PostgreSQL types can be compared, and of which type a literal is beside them.

Comparisons are total, but for one: beside a float PostgreSQL turns a numeric into a float, and 1e400 fits none.
"""

from typing import Final

from db.catalog import PgType
from schema.expression.syntax import LiteralKind

BOOL: Final = PgType("bool", "bool")
INT4: Final = PgType("int4", "int4")
INT8: Final = PgType("int8", "int8")
FLOAT8: Final = PgType("float8", "float8")
DATE: Final = PgType("date", "date")
TIME: Final = PgType("time", "time")
TIMESTAMP: Final = PgType("timestamp", "timestamp")
TIMESTAMPTZ: Final = PgType("timestamptz", "timestamptz")
INTERVAL: Final = PgType("interval", "interval")
NUMERIC: Final = PgType("numeric", "numeric")
TEXT: Final = PgType("text", "text")
VARBIT: Final = PgType("varbit", "varbit")
INT4_ARRAY: Final = PgType("int4[]", "_int4", "array", INT4)
TEXT_ARRAY: Final = PgType("text[]", "_text", "array", TEXT)

INTEGERS: Final = frozenset({"int2", "int4", "int8"})
FLOATS: Final = frozenset({"float4", "float8"})
# Without citext and name, whose comparisons with each other are ambiguous to PostgreSQL.
_PLAIN_TEXTS: Final = frozenset({"text", "varchar", "bpchar"})
TEXTS: Final = _PLAIN_TEXTS | {"name", "citext"}
NUMBERS: Final = INTEGERS | FLOATS | {"numeric"}
_TAKES_NUMBERS: Final = NUMBERS | TEXTS | {"money", "oid", "bool"}

# Each pair of types within one of these has total operators for = and for <.
_FAMILIES: Final = (
    INTEGERS | {"numeric"},
    INTEGERS | FLOATS,
    _PLAIN_TEXTS,
    frozenset({"text", "varchar", "name"}),
    frozenset({"text", "varchar", "citext"}),
    frozenset({"date", "timestamp", "timestamptz"}),
    frozenset({"inet", "cidr"}),
    frozenset({"bit", "varbit"}),
)
_ORDERED: Final = frozenset[str]().union(*_FAMILIES) | {
    "bool",
    "bytea",
    "char",
    "interval",
    "jsonb",
    "macaddr",
    "macaddr8",
    "money",
    "oid",
    "pg_lsn",
    "time",
    "timetz",
    "uuid",
}


def is_ordered(pg_type: PgType) -> bool:
    """Whether any two values of the type can be compared for equality and order."""
    return pg_type.kind == "enum" or (pg_type.kind in {"base", "domain"} and pg_type.base in _ORDERED)


def is_text(pg_type: PgType) -> bool:
    return pg_type.kind in {"base", "domain"} and pg_type.base in TEXTS


def is_comparable_as_floats(left: PgType, right: PgType) -> bool:
    """Whether one is a float and the other a numeric: comparing them fails where the numeric is too large a float."""
    bases = {left.base, right.base}
    return "numeric" in bases and bool(bases & FLOATS)


def is_comparable(left: PgType, right: PgType) -> bool:
    """Whether every value of one type can be compared with every value of the other."""
    if not (is_ordered(left) and is_ordered(right)):
        return False
    if "enum" in (left.kind, right.kind):
        return left.name == right.name
    return left.base == right.base or any(left.base in family and right.base in family for family in _FAMILIES)


def is_assignable(source: PgType, target: PgType) -> bool:
    """Whether a value of one type can stand for one of the other: where it does not fit, for null."""
    if "enum" in (source.kind, target.kind) or "array" in (source.kind, target.kind):
        return source.name == target.name
    numbers = INTEGERS | {"numeric"}
    return (
        source.base == target.base
        or (is_text(source) and is_text(target))
        or (source.base in numbers and target.base in numbers)
    )


def takes_literal(pg_type: PgType, kind: LiteralKind) -> bool:
    """Whether a literal of this kind can become a value of the type. A quoted one can become anything."""
    return kind == "string" or (pg_type.kind != "enum" and pg_type.base in _TAKES_NUMBERS)


def literal_type(pg_type: PgType, *, with_decimals: bool) -> PgType:
    """The type of a literal beside a column of `pg_type`, so that comparing never loses or cuts anything.

    An integer column is compared with an int8, or with a numeric where the literal has decimals: `id < 2.5` is right
    as it stands, and 3000000000 is no error beside an int4. bit and varchar would be cut to their declared length.
    """
    if pg_type.kind == "enum":
        return pg_type
    if pg_type.base in INTEGERS:
        return NUMERIC if with_decimals else INT8
    if pg_type.base in {"varchar", "name"}:
        return TEXT
    return VARBIT if pg_type.base == "bit" else pg_type
