import json
import math
from contextlib import suppress
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from db.catalog import PgType
from db.errors import InvalidValue, PublicError
from schema.errors import WrongType
from schema.expression.coerce import coercer, json_text, like_pattern, negated
from schema.expression.lift import Number
from tests.builders import MOOD, TEXT_LIST, a_type

INT_LIST = PgType("_int4", "_int4", "array", a_type("int4"))
JSON_LIST = PgType("_json", "_json", "array", a_type("json"))


def coerced(value: object, pg_type: str | PgType) -> object:
    return coercer(a_type(pg_type) if isinstance(pg_type, str) else pg_type)(value)


@pytest.mark.parametrize(
    ("pg_type", "value", "result"),
    [
        ("int4", 7, 7),
        ("int4", "7", 7),
        ("int4", " -7 ", -7),
        ("int4", 7.0, 7),
        ("int4", Number("007"), 7),
        ("int2", -32768, -32768),
        ("int8", 2**63 - 1, 2**63 - 1),
        ("int8", None, None),
        ("bool", True, True),
        ("bool", "FALSE", False),
        ("bool", 1, True),
        ("float8", 1, 1.0),
        ("float8", "1e308", 1e308),
        ("float8", "-Infinity", -math.inf),
        ("float4", 0.1, 0.1),
        ("numeric", 1, "1"),
        ("numeric", 0.1, "0.1"),
        ("numeric", "0.10000000000000000000000001", "0.10000000000000000000000001"),
        ("numeric", 10**30, "1" + "0" * 30),
        ("numeric", Decimal("1.50"), "1.50"),
        ("numeric", "NaN", "NaN"),
        ("text", "ä", "ä"),
        ("varchar", 5, "5"),
        ("text", Number("1.50"), "1.50"),
        ("text", True, "true"),
        ("citext", "x", "x"),
        ("uuid", "0b0d1a5e-0000-4000-8000-000000000000", "0b0d1a5e-0000-4000-8000-000000000000"),
        ("timestamptz", "2024-08-01T12:00:00.000000+00:00", "2024-08-01T12:00:00.000000+00:00"),
        ("money", 5, "5"),
        (MOOD, "calm", "calm"),
        ("jsonb", {"a": [1, None, True, 1.5, "é"]}, '{"a":[1,null,true,1.5,"é"]}'),
        ("json", 10**30, "1" + "0" * 30),
        ("json", [], "[]"),
        ("json", False, "false"),
        ("json", '{"a": 1.10}', '{"a": 1.10}'),
        (INT_LIST, [1, "2", None], [1, 2, None]),
        (INT_LIST, 5, [5]),
        (INT_LIST, [[1, 2], [3, 4]], [[1, 2], [3, 4]]),
        (INT_LIST, [], []),
        (TEXT_LIST, "x", ["x"]),
        (JSON_LIST, [{"a": 1}], ['{"a":1}']),
    ],
)
def test_a_value_becomes(pg_type: str | PgType, value: object, result: object) -> None:
    got = coerced(value, pg_type)

    assert got == result
    assert type(got) is type(result)


@pytest.mark.parametrize(
    ("pg_type", "value", "error"),
    [
        ("int4", 2**31, InvalidValue),
        ("int2", -32769, InvalidValue),
        ("int8", "9" * 5000, InvalidValue),
        ("int4", "7.5", InvalidValue),
        ("int4", 7.5, InvalidValue),
        ("int4", math.nan, InvalidValue),
        ("int4", "\u0667", InvalidValue),
        ("int4", "1_000", InvalidValue),
        ("int4", "", InvalidValue),
        ("int4", True, WrongType),
        ("int4", [1], WrongType),
        ("int4", {}, WrongType),
        ("bool", 2, InvalidValue),
        ("bool", "maybe", InvalidValue),
        ("bool", 1.0, WrongType),
        ("float8", "1e999", InvalidValue),
        ("float8", 10**400, InvalidValue),
        ("float4", 1e39, InvalidValue),
        ("float8", "0x10", InvalidValue),
        ("float8", False, WrongType),
        ("numeric", "1,5", InvalidValue),
        ("numeric", "1e" + "9" * 50, InvalidValue),
        ("numeric", True, WrongType),
        ("text", "a\0b", InvalidValue),
        ("text", "\ud800", InvalidValue),
        ("text", ["a"], WrongType),
        ("uuid", 5, WrongType),
        ("timestamptz", 1700000000, WrongType),
        ("timestamptz", "\0", InvalidValue),
        ("timestamptz", Number("5.0"), WrongType),
        (MOOD, "glad", InvalidValue),
        (MOOD, 1, WrongType),
        ("json", "{", InvalidValue),
        ("json", "NaN", InvalidValue),
        ("json", math.nan, InvalidValue),
        ("json", "[" * 100_000, InvalidValue),
        ("json", {"a": "\ud800"}, InvalidValue),
        ("json", {"a": object()}, InvalidValue),
        (INT_LIST, ["x"], InvalidValue),
        (INT_LIST, [[[[[[[1]]]]]]], InvalidValue),
        (TEXT_LIST, [{}], WrongType),
    ],
)
def test_a_value_is_refused_in_one_short_sentence(
    pg_type: str | PgType, value: object, error: type[PublicError]
) -> None:
    with pytest.raises(error) as raised:
        coerced(value, pg_type)

    assert raised.value.message.endswith(".")
    assert len(raised.value.message) < 130


@pytest.mark.parametrize("pg_type", ["int8", "numeric", "float8", "text", "json"])
def test_an_integer_of_more_digits_than_python_writes_is_refused(pg_type: str) -> None:
    with pytest.raises(InvalidValue):
        coerced(10**5000, pg_type)


def test_a_deep_json_value_is_refused() -> None:
    value: object = 1
    for _ in range(100_000):
        value = [value]

    with pytest.raises(InvalidValue):
        coerced(value, "jsonb")


def test_one_type_has_one_function() -> None:
    assert coercer(a_type("int4")) is coercer(a_type("int4"))
    assert negated(coercer(a_type("int4"))) is negated(coercer(a_type("int4")))


@pytest.mark.parametrize(
    ("pg_type", "value", "result"),
    [("int8", 2**63, -(2**63)), ("numeric", Number("0.10"), "-0.10"), ("float8", Number("1e3"), -1000.0)],
)
def test_a_negated_number_keeps_its_digits(pg_type: str, value: object, result: object) -> None:
    assert negated(coercer(a_type(pg_type)))(value) == result


@pytest.mark.parametrize("pattern", ["", "%", "a\\%", "\\\\", "\\\\\\\\", "5"])
def test_a_whole_pattern_is_taken(pattern: str) -> None:
    assert like_pattern(pattern) == pattern


@pytest.mark.parametrize("pattern", ["\\", "a\\", "\\\\\\", "%\\"])
def test_a_pattern_with_half_an_escape_is_refused(pattern: str) -> None:
    with pytest.raises(InvalidValue):
        like_pattern(pattern)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(json_values)
def test_json_comes_back_as_it_was(value: object) -> None:
    try:
        text = json_text(value)
    except InvalidValue:
        assert "\\u0000" in json.dumps(value) or "\\ud" in json.dumps(value)
    else:
        assert json.loads(text) == value


types = st.sampled_from(
    [
        *("int2", "int4", "int8", "bool", "float4", "float8", "numeric", "text", "bpchar", "name", "citext", "char"),
        *("json", "jsonb", "uuid", "date", "timestamptz", "interval", "bytea", "money", "oid", "geometry"),
    ]
).map(a_type)


@given(types | st.sampled_from([MOOD, TEXT_LIST, INT_LIST, JSON_LIST]), json_values)
def test_any_json_value_is_taken_or_refused(pg_type: PgType, value: object) -> None:
    with suppress(PublicError):
        assert isinstance(coercer(pg_type)(value), int | float | str | list | None)
