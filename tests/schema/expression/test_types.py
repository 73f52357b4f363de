"""What may be compared can be compared by PostgreSQL, and never fails on a value, however extreme."""

import itertools

import asyncpg
import pytest

from db.catalog import PgType
from schema.expression.types import is_comparable, is_ordered, literal_type
from tests.builders import a_type

EXTREMES = {
    "bit": ["0", "1"],
    "bool": ["true", "false"],
    "bpchar": ["", " a  ", "\U0001f600"],
    "bytea": ["", "\\xff00"],
    "char": ["", "a"],
    "cidr": ["0.0.0.0/0", "ffff::/128"],
    "citext": ["", "Ä"],
    "date": ["infinity", "-infinity", "4713-01-01 BC", "5874897-12-31"],
    "float4": ["NaN", "Infinity", "-3.4e38", "1e-45"],
    "float8": ["NaN", "-Infinity", "1.7e308", "5e-324"],
    "inet": ["0.0.0.0/0", "ffff::1/64"],
    "int2": ["-32768", "32767"],
    "int4": ["-2147483648", "2147483647"],
    "int8": ["-9223372036854775808", "9223372036854775807"],
    "interval": ["178000000 years", "-178000000 years"],
    "jsonb": ["null", '{"a": [1e400]}', '"x"'],
    "macaddr": ["00:00:00:00:00:00", "ff:ff:ff:ff:ff:ff"],
    "macaddr8": ["00:00:00:00:00:00:00:00", "ff:ff:ff:ff:ff:ff:ff:ff"],
    "money": ["-92233720368547758.08", "92233720368547758.07"],
    "name": ["", "x" * 63],
    "numeric": ["NaN", "Infinity", "1e1000", "-1e-1000"],
    "oid": ["0", "4294967295"],
    "pg_lsn": ["0/0", "FFFFFFFF/FFFFFFFF"],
    "text": ["", "\\", "\U0001f600"],
    "time": ["00:00:00", "24:00:00"],
    "timestamp": ["infinity", "4713-01-01 00:00:00 BC", "294276-12-31 23:59:59"],
    "timestamptz": ["-infinity", "4713-01-01 00:00:00+00 BC", "294276-12-31 23:59:59+00"],
    "timetz": ["00:00:00+15:59", "24:00:00-15:59"],
    "uuid": ["00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff"],
    "varbit": ["", "1010"],
    "varchar": ["", "x"],
}
WRITTEN = {"char": '"char"'}


def test_types_without_an_order_are_told_apart() -> None:
    for base in ("json", "xml", "point", "box", "polygon", "hstore", "tsquery", "geometry", "xid"):
        assert not is_ordered(a_type(base))
    for kind in ("composite", "range", "array"):
        assert not is_ordered(PgType("int4", "int4", kind))  # pyright: ignore[reportArgumentType]


def test_each_ordered_type_is_tried_below() -> None:
    from schema.expression import types

    assert set(EXTREMES) == types._ORDERED


@pytest.mark.postgres
async def test_every_comparison_that_is_allowed_is_total(database: str) -> None:
    connection = await asyncpg.connect(database)
    try:
        available = {row["name"] for row in await connection.fetch("select name from pg_available_extensions")}
        known = sorted(EXTREMES if "citext" in available else set(EXTREMES) - {"citext"})
        if "citext" in known:
            await connection.execute("create extension citext")
        columns = [
            f"create table t_{base} as select value::{WRITTEN.get(base, base)} as v from unnest("
            "array[" + ", ".join("'" + value.replace("'", "''") + "'" for value in EXTREMES[base]) + "]) as value"
            for base in known
        ]
        await connection.execute("; ".join(columns))
        for left, right in itertools.product(known, known):
            if not is_comparable(a_type(left), a_type(right)):
                continue
            for operator in ("=", "<>", "<", ">", "<=", ">="):
                await connection.fetchval(f"select count(l.v {operator} r.v) from t_{left} l cross join t_{right} r")
        for base in known:
            for with_decimals in (False, True):
                beside = literal_type(a_type(base), with_decimals=with_decimals).base
                # Of a parameter's type only what the column itself holds is cast here: whether a caller's literal can
                # be brought to it does not depend on the rows.
                await connection.fetchval(
                    f"select count(l.v < r.v::{WRITTEN.get(beside, beside)}) + count(l.v = any (array[r.v"
                    f"::{WRITTEN.get(beside, beside)}])) from t_{base} l cross join t_{base} r"
                )
        # The extremes are sharp: what is not allowed does fail on them.
        assert not is_comparable(a_type("numeric"), a_type("float8"))
        with pytest.raises(asyncpg.NumericValueOutOfRangeError):
            await connection.fetchval("select count(l.v = r.v) from t_numeric l cross join t_float8 r")
    finally:
        await connection.close()
