"""The entries of `ordering:` → which columns to sort by, and which way."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from schema.errors import ExpressionSyntaxError
from schema.expression.tokens import Token, read_tokens

MAX_TERMS: Final = 32
_DIRECTIONS: Final = frozenset({"asc", "desc"})


@dataclass(frozen=True, slots=True)
class OrderTerm:
    """A column, after the relations that lead to its table."""

    path: tuple[str, ...]
    descending: bool = False


def parse_ordering(entries: str | Iterable[str | None] | None) -> tuple[OrderTerm, ...]:
    """The terms of all entries in order; each is `column`, `column asc` or `column desc`, or several with commas.

    >>> parse_ordering(["year DESC", "list.name"])
    (OrderTerm(path=('year',), descending=True), OrderTerm(path=('list', 'name'), descending=False))

    Raises ExpressionSyntaxError with the position within the entry.
    """
    texts = [entries] if isinstance(entries, str) else entries or ()
    terms = tuple(term for text in texts for term in _parse_entry(text or ""))
    if len(terms) > MAX_TERMS:
        raise ExpressionSyntaxError(f"An ordering has at most {MAX_TERMS} columns", 1)
    return terms


def _parse_entry(text: str) -> list[OrderTerm]:
    if not text.strip():
        return []
    parts: list[list[Token]] = [[]]
    for token in read_tokens(text):
        if token.text == ",":
            parts.append([])
        else:
            parts[-1].append(token)
    return [_parse_term(part, len(text)) for part in parts]


def _parse_term(tokens: list[Token], length: int) -> OrderTerm:
    descending = False
    # `desc` alone, or behind a dot, is a column of that name.
    if len(tokens) > 1 and tokens[-1].text.lower() in _DIRECTIONS and tokens[-2].text != ".":
        descending = tokens.pop().text.lower() == "desc"
    for place, token in enumerate(tokens):
        # Here a keyword is only a word: an ordering has no conditions.
        fits = token.text == "." if place % 2 else token.kind in {"word", "keyword"}
        if not fits:
            message = f"{token.shown} is not expected here. An ordering is a column, and asc or desc"
            raise ExpressionSyntaxError(message, token.position)
    if len(tokens) % 2 == 0:
        raise ExpressionSyntaxError("A column is missing", length + 1)
    return OrderTerm(tuple(token.text for token in tokens[::2]), descending)
