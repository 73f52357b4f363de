"""The pieces of an expression's text. Both `lift` and `parse` read them here, so that they count literals alike."""

import re
from collections.abc import Iterator
from typing import Final, Literal, NamedTuple

from schema.errors import ExpressionSyntaxError

MAX_LENGTH: Final = 10_000
# Python allows 1,000 nested calls, and each level costs the checker and the renderer a handful.
MAX_NESTING: Final = 50

_MAX_SHOWN: Final = 63

KEYWORDS: Final = frozenset({"AND", "OR", "NOT", "IN", "LIKE", "ILIKE", "TRUE", "FALSE", "NULL"})

TokenKind = Literal["string", "integer", "decimal", "word", "keyword", "principal", "symbol"]

# The quantifiers are possessive (`*+`): the text is read once and never again, however it is bent.
_PIECE: Final = re.compile(
    r"""
      (?P<space> \s++ )
    | (?P<string> '(?:[^']|'')*+' | "(?:[^"]|"")*+" )
    | (?P<word> [^\W0-9]\w*+ )
    | (?P<integer> [0-9]++ (?![\w.]) )
    | (?P<decimal> [0-9]++ (?:\.[0-9]++)?+ (?:[eE][+-]?[0-9]++)?+ (?!\w) )
    | (?P<principal> \$_PRINCIPAL\b )
    | (?P<symbol> << | >> | <> | <= | >= | != | [=<>+\-*/%^&|\#()\[\],.] )
    | (?P<stray> . )
    """,
    re.VERBOSE | re.IGNORECASE | re.DOTALL,
)


class Token(NamedTuple):
    """A piece of text; `position` counts characters from 1, keywords are in capitals."""

    kind: TokenKind
    text: str
    position: int

    @property
    def shown(self) -> str:
        """The token for an error message."""
        return repr(shortened(self.text))


def read_tokens(text: str) -> Iterator[Token]:
    """The tokens of `text` in order. Raises ExpressionSyntaxError where something is none, or nests too deep."""
    if len(text) > MAX_LENGTH:
        raise ExpressionSyntaxError(f"An expression has at most {MAX_LENGTH} characters", MAX_LENGTH + 1)
    nesting = 0
    after_dot = False
    for match in _PIECE.finditer(text):
        kind, piece, position = match.lastgroup, match[0], match.start() + 1
        match kind:
            case "space":
                continue
            case "word":
                # A column may be called like a keyword when a relation stands before it: `parent.order`, `parent.in`.
                capitals = piece.upper() if piece.isascii() and not after_dot else ""
                yield Token("keyword", capitals, position) if capitals in KEYWORDS else Token("word", piece, position)
            case "symbol":
                nesting += (piece in "([") - (piece in ")]")
                if nesting > MAX_NESTING:
                    raise ExpressionSyntaxError(f"Parentheses nest at most {MAX_NESTING} deep", position)
                if piece == "<>":
                    raise ExpressionSyntaxError("Unequal is written !=", position)
                yield Token("symbol", piece, position)
            case "string" | "integer" | "decimal":
                yield Token(kind, piece, position)
            case "principal":
                yield Token("principal", "$_PRINCIPAL", position)
            case _:
                raise ExpressionSyntaxError(_say_what_is_stray(piece), position)
        after_dot = piece == "."


def shortened(text: str) -> str:
    """As much of a caller's text as an error message repeats. A name of PostgreSQL has at most 63 bytes."""
    return text if len(text) <= _MAX_SHOWN else text[:_MAX_SHOWN] + "…"


def string_value(piece: str) -> str:
    """What a quoted piece stands for: a doubled quote is one."""
    quote = piece[0]
    return piece[1:-1].replace(quote * 2, quote)


def _say_what_is_stray(character: str) -> str:
    if character in "'\"":
        return "A string is not closed"
    if character.isdigit():
        return "A number runs into a word"
    if character == "$":
        return "Only $_PRINCIPAL may begin with a dollar sign"
    return f"The character {character!r} has no meaning here"
