"""SQL as a value: text that came from this program, names that are quoted, and slots for arguments.

Text from a request or a catalog can enter only through `name` and `slot`: `sql` and `join` take a LiteralString, so the
type checker refuses anything else.
"""

import re
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, LiteralString

_PLACE: Final = re.compile(r"\{(\w+)\}")
_CONCATENATED: Final = " || "
_GRAPHQL_NAME: Final = re.compile(r"[_A-Za-z][_0-9A-Za-z]*")


@dataclass(frozen=True, slots=True)
class Slot:
    """A place for an argument. `source` says where its value comes from; `type_name` is a type of the catalog."""

    source: Hashable
    type_name: str


@dataclass(frozen=True, slots=True)
class Sql:
    pieces: tuple[str | Slot, ...]


@dataclass(frozen=True, slots=True)
class Statement:
    """Text with `$1`, `$2` …, and where the value of each comes from."""

    text: str
    sources: tuple[Hashable, ...]


def sql(template: LiteralString, **parts: Sql) -> Sql:
    """The template with each `{part}` filled in.

    >>> to_statement(sql("select {column} from t", column=name("a b"))).text
    'select "a b" from t'
    """
    pieces: list[str | Slot] = []
    for index, text in enumerate(_PLACE.split(template)):
        pieces.extend(parts[text].pieces if index % 2 else (text,))
    return Sql(tuple(pieces))


def name(*identifiers: str) -> Sql:
    """A quoted name, dotted when there are several parts (PostgreSQL: Identifiers and Key Words).

    >>> name("public", 'a"b').pieces
    ('"public"."a""b"',)
    """
    return Sql((".".join('"' + identifier.replace('"', '""') + '"' for identifier in identifiers),))


def slot(source: Hashable, type_name: str) -> Sql:
    """A place for an argument of the given type."""
    return Sql((Slot(source, type_name),))


def join(separator: LiteralString, parts: Iterable[Sql]) -> Sql:
    """The parts with the separator between them."""
    pieces: list[str | Slot] = []
    for index, part in enumerate(parts):
        if index:
            pieces.append(separator)
        pieces.extend(part.pieces)
    return Sql(tuple(pieces))


def quoted(text: str) -> Sql:
    """A quoted constant (PostgreSQL: String Constants). Texts of requests are arguments; this is for those of the
    catalog, such as labels.

    >>> quoted("it's").pieces
    ("'it''s'",)
    """
    # With standard_conforming_strings off a backslash would escape; E'' means the same under both.
    if "\\" in text:
        return Sql((" E'" + text.replace("\\", "\\\\").replace("'", "''") + "'",))
    return Sql(("'" + text.replace("'", "''") + "'",))


def json_text(*parts: LiteralString | tuple[str]) -> Sql:
    """A quoted constant put together from own punctuation and, each in a tuple, GraphQL names.

    >>> json_text('{"', ("title",), '":').pieces
    ('\\'{"title":\\'',)
    """
    return Sql(("'" + "".join(part if isinstance(part, str) else _graphql_name(part[0]) for part in parts) + "'",))


def _graphql_name(text: str) -> str:
    if not _GRAPHQL_NAME.fullmatch(text):
        raise ValueError(text)
    return text


def concatenate(parts: Iterable[Sql]) -> Sql:
    """The parts joined by `||`, constants that stand side by side made one.

    >>> concatenate([json_text("["), concatenate([json_text("]"), name("a")])]).pieces
    ("'[]'", ' || ', '"a"')
    """
    pieces: list[str | Slot] = []
    for part in parts:
        before = _constant(pieces[-1:], pieces[-2:-1])
        after = _constant(part.pieces[:1], part.pieces[1:2])
        if before is not None and after is not None:
            pieces[-1:] = [before[:-1] + after[1:], *part.pieces[1:]]
        else:
            pieces += [_CONCATENATED, *part.pieces] if pieces else part.pieces
    return Sql(tuple(pieces))


def _constant(piece: Sequence[str | Slot], neighbour: Sequence[str | Slot]) -> str | None:
    """The constant at an end of a concatenation, where `neighbour` is what stands beside it, if anything."""
    match (*piece, *neighbour):
        case (str() as text,) | (str() as text, " || ") if text.startswith("'") and text.endswith("'"):
            return text
        case _:
            return None


def stop(reason: LiteralString) -> Sql:
    """An expression of type text whose evaluation ends the statement, and all that it has done, with db.errors.Stopped.

    PostgreSQL has no expression that raises. A setting that does not exist is an error no value can cause, and
    `current_setting` is not evaluated before its turn comes, as a cast or division of constants would be.
    """
    return Sql((f"current_setting('ostiary.stopped_{reason}')",))


def to_statement(value: Sql) -> Statement:
    """The text with its slots numbered; slots of the same source and type share a number."""
    numbers: dict[Slot, int] = {}
    text = "".join(
        piece if isinstance(piece, str) else f"${numbers.setdefault(piece, len(numbers) + 1)}::{piece.type_name}"
        for piece in value.pieces
    )
    return Statement(text, tuple(place.source for place in numbers))
