"""Values of literals and of GraphQL variables → what asyncpg takes for a parameter of a PostgreSQL type.

That is int, bool, float and str for the integers, bool, the floats and the texts, and for every other type a str in
PostgreSQL's own text format. Arrays are lists of those.
"""

import json
import math
import re
from collections.abc import Callable
from decimal import Decimal
from functools import lru_cache
from typing import Final, Never, cast

from db.catalog import PgType
from db.errors import InvalidValue, PublicError
from schema.enums import label_of
from schema.errors import WrongType
from schema.expression.composite import record_text
from schema.expression.lift import Number
from schema.expression.tokens import shortened
from schema.model import attribute_names

Coercion = Callable[[object], object]


class WrittenFloat(float):
    """A number that remembers how it was written, so that a numeric loses none of its digits."""

    __slots__ = ("_text",)

    def __new__(cls, text: str) -> "WrittenFloat":
        made = super().__new__(cls, text)
        made._text = text
        return made

    def __str__(self) -> str:
        return self._text


_INTEGER_BITS: Final = {"int2": 15, "int4": 31, "int8": 63}
# What rounds to the largest float4 is one: PostgreSQL writes that as 3.4028235e+38.
_MAX_FLOAT4: Final = 3.4028235677973362e38
_MAX_ARRAY_DIMENSIONS: Final = 6
_MAX_DIGITS: Final = 1000
_NUMERIC_TYPE: Final = PgType("numeric", "numeric")

_INTEGER: Final = re.compile(r"[+-]?[0-9]{1,40}")
_NUMERIC: Final = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,6})?")
_SPECIAL: Final = re.compile(r"nan|[+-]?inf(?:inity)?", re.IGNORECASE)
_TRUE: Final = frozenset({"true", "t", "yes", "y", "on", "1"})
_FALSE: Final = frozenset({"false", "f", "no", "n", "off", "0"})


@lru_cache(maxsize=4096)
def coercer(pg_type: PgType) -> Coercion:
    """The function that brings a value to `pg_type`. None stays None.

    It raises WrongType for what can never be such a value, and InvalidValue for what happens not to be one. The same
    type gives the same function, so that plans compare equal.
    """
    coerce = _coercion(pg_type)
    return lambda value: None if value is None else coerce(value)


def claim_argument(value: object, pg_type: PgType) -> object:
    """A claim as a value of the type. None, by which nothing holds, where there is none, or one that does not fit; one
    value can stand for a list of it."""
    try:
        return coercer(pg_type)(value)
    except PublicError:
        return None


@lru_cache(maxsize=4096)
def negated(coerce: Coercion) -> Coercion:
    """`coerce` for a number that stands behind a minus sign."""
    return lambda value: coerce(-value if isinstance(value, int) else Number(f"-{value}"))


def like_pattern(value: object) -> object:
    """The pattern of a LIKE. Raises InvalidValue when it ends in a backslash that escapes nothing, as PostgreSQL would
    for the first row it looks at."""
    if value is None:
        return None
    pattern = _text(value)
    if (len(pattern) - len(pattern.rstrip("\\"))) % 2:
        raise InvalidValue("A LIKE pattern must not end with a single backslash.")
    return pattern


def small_number(value: object) -> object:
    """A numeric of at most 1,000 digits before and behind the point, so that no calculation with it has too many."""
    number = coercer(_NUMERIC_TYPE)(value)
    text = str(number).strip()
    mantissa, _, exponent = text.lower().partition("e")
    if len(mantissa) + abs(int(exponent or 0)) > _MAX_DIGITS and not _SPECIAL.fullmatch(text):
        raise InvalidValue(f"A number in a calculation has at most {_MAX_DIGITS} digits.")
    return number


def prefix_pattern(value: object) -> object:
    """The pattern of a LIKE for texts that begin with this one."""
    return None if value is None else re.sub(r"([\\%_])", r"\\\1", _text(value)) + "%"


def json_text(value: object) -> str:
    """A JSON value in PostgreSQL's text format; a str becomes a JSON string."""
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidValue("The value is not JSON, or nests too deep.") from error
    return _encodable(text)


def _coercion(pg_type: PgType) -> Coercion:
    match pg_type.kind, pg_type.base:
        case ("array", _) if pg_type.element is not None:
            return _array_coercion(pg_type.element)
        case ("enum", _):
            return lambda value: _label(value, pg_type)
        case ("composite", _) if pg_type.attributes:
            return lambda value: _composite(value, pg_type)
        case (_, ("int2" | "int4" | "int8") as base):
            return lambda value: _integer(value, pg_type, _INTEGER_BITS[base])
        case (_, "float4"):
            return lambda value: _float(value, pg_type, _MAX_FLOAT4)
        case (_, "float8"):
            return lambda value: _float(value, pg_type, math.inf)
        case (_, "numeric"):
            return lambda value: _numeric(value, pg_type)
        case (_, "bool"):
            return lambda value: _boolean(value, pg_type)
        case (_, "text" | "varchar" | "bpchar" | "name" | "citext" | "char"):
            return _text
        case (_, "json" | "jsonb"):
            return _json
        case (_, "money" | "oid"):
            return lambda value: _written(value, pg_type, with_numbers=True)
        case _:
            return lambda value: _written(value, pg_type, with_numbers=False)


def _array_coercion(element: PgType) -> Coercion:
    coerce = _coercion(element)

    def whole(value: object) -> object:
        made = items(value, 1)
        _length(made)
        return made

    def items(value: object, depth: int) -> object:
        if value is None:
            return None
        if not isinstance(value, list | tuple):
            return coerce(value)
        if depth > _MAX_ARRAY_DIMENSIONS:
            raise InvalidValue(f"An array has at most {_MAX_ARRAY_DIMENSIONS} dimensions.")
        return [items(item, depth + 1) for item in cast("list[object]", value)]

    # A single value for a list is a list of one (GraphQL September 2025, 3.12 List, Input Coercion).
    return lambda value: whole(cast("object", value) if isinstance(value, list | tuple) else [value])


def _length(value: object) -> tuple[int, ...]:
    """The length of an array in each of its dimensions. Raises InvalidValue where they differ: the driver would."""
    if not isinstance(value, list):
        return ()
    items = cast("list[object]", value)
    lengths = {_length(item) for item in items}
    if len(lengths) > 1:
        raise InvalidValue("The lists within an array must all have the same length.")
    return (len(items), *(lengths.pop() if lengths else ()))


def _integer(value: object, pg_type: PgType, bits: int) -> int:
    if isinstance(value, bool):
        _refuse_kind(value, pg_type)
    if isinstance(value, str) and _INTEGER.fullmatch(value.strip()):
        number = int(value)
    elif isinstance(value, int):
        number = value
    elif isinstance(value, float | Decimal) and math.isfinite(value) and value == int(value):
        number = int(value)
    elif isinstance(value, str | float | Decimal):
        _refuse(value, pg_type)
    else:
        _refuse_kind(value, pg_type)
    if not -(1 << bits) <= number < 1 << bits:
        raise InvalidValue(f"{_shown(value)} is out of range for type {pg_type.name}.")
    return number


def _float(value: object, pg_type: PgType, limit: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal | str):
        _refuse_kind(value, pg_type)
    if isinstance(value, str):
        text = value.strip()
        if _SPECIAL.fullmatch(text):
            return float(text)
        if not _NUMERIC.fullmatch(text):
            _refuse(value, pg_type)
    elif isinstance(value, float) and not math.isfinite(value):
        return value
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if math.isinf(number) or abs(number) > limit:
        raise InvalidValue(f"{_shown(value)} is out of range for type {pg_type.name}.")
    return number


def _numeric(value: object, pg_type: PgType) -> str:
    """Digits as they came: a numeric never passes through a float."""
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal | str):
        _refuse_kind(value, pg_type)
    try:
        text = str(value).strip()
    except ValueError as error:  # an int of more than 4,300 digits (sys.set_int_max_str_digits)
        raise InvalidValue(f"The number is out of range for type {pg_type.name}.") from error
    if not (_NUMERIC.fullmatch(text) or _SPECIAL.fullmatch(text)):
        _refuse(value, pg_type)
    return text


def _boolean(value: object, pg_type: PgType) -> bool:
    if isinstance(value, bool):
        return value
    if not isinstance(value, int | str):
        _refuse_kind(value, pg_type)
    text = str(value).strip().lower() if isinstance(value, str) or value in {0, 1} else ""
    if text not in _TRUE and text not in _FALSE:
        _refuse(value, pg_type)
    return text in _TRUE


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float | Decimal):
        return _numeric(value, PgType("text", "text"))
    if not isinstance(value, str):
        raise WrongType("A list or an object is no text.")
    return _encodable(value)


def _label(value: object, pg_type: PgType) -> str:
    if not isinstance(value, str):
        _refuse_kind(value, pg_type)
    label = label_of(pg_type.labels, str(value))
    if label is None:
        _refuse(value, pg_type)
    return label


def _composite(value: object, pg_type: PgType) -> str:
    """A record in its text form, from an object of its attributes by their GraphQL names, or as that text already."""
    if not isinstance(value, dict):
        return _written(value, pg_type, with_numbers=False)
    given = cast("dict[str, object]", value)
    names = attribute_names(pg_type)
    if unknown := given.keys() - names.keys():
        raise WrongType(f"{pg_type.name} has no attribute {shortened(min(unknown))!r}.")
    return record_text([coercer(each.type)(given.get(name)) for name, each in names.items()])


def _json(value: object) -> str:
    """A str is JSON text already, and anything else is a value to be written as JSON."""
    if not isinstance(value, str) or isinstance(value, Number):
        return json_text(float(value) if isinstance(value, Number | Decimal) else value)
    try:
        # Only whether it is JSON matters: with digits left as text, no number is too long to look at.
        json.loads(value, parse_int=str, parse_float=str, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise InvalidValue("The text is not JSON, or nests too deep.") from error
    return _encodable(value)


def _refuse_constant(constant: str) -> Never:
    raise ValueError(constant)


def _written(value: object, pg_type: PgType, *, with_numbers: bool) -> str:
    if with_numbers and isinstance(value, int | float | Decimal | Number) and not isinstance(value, bool):
        return _numeric(value, pg_type)
    if not isinstance(value, str) or isinstance(value, Number):
        _refuse_kind(value, pg_type)
    return _encodable(value)


def _encodable(text: str) -> str:
    """The same text as a plain str. Raises InvalidValue for what no PostgreSQL text can hold."""
    if "\0" in text:
        raise InvalidValue("Text must not hold the character NUL.")
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise InvalidValue("Text must not hold half of a surrogate pair.") from error
    return str(text)


def _refuse(value: object, pg_type: PgType) -> Never:
    raise InvalidValue(f"{_shown(value)} is not a value of type {pg_type.name}.")


def _refuse_kind(value: object, pg_type: PgType) -> Never:
    kind = "true or false" if isinstance(value, bool) else "a list" if isinstance(value, list | tuple) else None
    kind = kind or ("an object" if isinstance(value, dict) else "a number" if not isinstance(value, str) else "text")
    raise WrongType(f"A value of type {pg_type.name} is needed, not {kind}.")


def _shown(value: object) -> str:
    try:
        text = str(value)
    except ValueError:
        return "The number"
    return repr(shortened(text))
