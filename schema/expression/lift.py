"""A text's literals, parted from its shape: texts of one shape share a plan and differ in its arguments only."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from schema.expression.tokens import Token, read_tokens, string_value

# A cache of 4,096 texts of any length could grow to hundreds of megabytes, so long ones have a small one of their own.
# They need one too: who binds the literals of a list of thousands asks for each of them.
_SHORT: Final = 500
_PLACEHOLDERS: Final = {"string": "''", "integer": "0", "decimal": "0.0"}


class Number(str):
    """A number in exactly the digits that were written, where an int would lose some of them."""

    __slots__ = ()


LiteralValue = str | int


@dataclass(frozen=True, slots=True)
class Lifting:
    """`shape` tells apart what has different plans: the words, the symbols, and which kind of literal stands where.
    `literals` are the strings and numbers in the order of the text; true, false and null belong to the shape."""

    shape: str
    literals: tuple[LiteralValue, ...]


def lift(text: str) -> Lifting:
    """The shape and the literals of an expression.

    >>> lift("id =7 and name like 'A%'")
    Lifting(shape="id = 0 AND name LIKE ''", literals=(7, 'A%'))

    Raises ExpressionSyntaxError for what is no token; whether the tokens make sense only `parse_expression` tells.
    """
    return _lift_short(text) if len(text) <= _SHORT else _lift_long(text)


def literal_value(token: Token) -> LiteralValue:
    """The value of a string or number token: str, int, or Number where an int would not be what was written."""
    if token.kind == "string":
        return string_value(token.text)
    if token.kind == "integer" and len(token.text) <= 40 and (token.text[0] != "0" or token.text == "0"):
        return int(token.text)
    return Number(token.text)


def _lift(text: str) -> Lifting:
    tokens = tuple(read_tokens(text))
    return Lifting(
        " ".join(_PLACEHOLDERS.get(token.kind, token.text) for token in tokens),
        tuple(literal_value(token) for token in tokens if token.kind in _PLACEHOLDERS),
    )


_lift_short: Final = lru_cache(maxsize=4096)(_lift)
_lift_long: Final = lru_cache(maxsize=64)(_lift)
