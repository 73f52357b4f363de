"""to_filter(text, table, names): a where clause of Backendless → an expression of ours. Pure.

Only what is written differently is rewritten; everything else is left for the expression's own parser to judge, which
also bounds its length and depth.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, NamedTuple

from db.catalog import Column
from gateway.facades.tables import TableView, only_key
from schema.errors import ExpressionSyntaxError
from schema.expression.tokens import MAX_LENGTH, string_value
from schema.model import Entity

MOMENTS: Final = frozenset({"timestamp", "timestamptz", "date"})
#: The role id of nobody at all, for the id of somebody else: it is not told who that is.
_NOBODY: Final = "-1"
_PIECE: Final = re.compile(
    r"""
      (?P<space> \s++ )
    | (?P<string> '(?:[^']|'')*+' | "(?:[^"]|"")*+" )
    | (?P<name> [^\W0-9]\w*+ (?: \. [^\W0-9]\w*+ )*+ )
    | (?P<quoted> `[^`]++` )
    | (?P<number> [0-9]++ (?:\.[0-9]++)?+ (?:[eE][+-]?[0-9]++)?+ )
    | (?P<symbol> <> | <= | >= | != | [=<>+\-*/%^(),] )
    | (?P<stray> . )
    """,
    re.VERBOSE | re.DOTALL,
)
_WORDS: Final = frozenset({"and", "or", "not", "in", "like", "ilike", "is", "null", "true", "false"})
_MOMENT_WORDS: Final = {"after": ">", "before": "<"}


@dataclass(frozen=True, slots=True)
class Names:
    """What `ownerId` stands for: the column of the table that says whose a row is, and who asks."""

    owner: str | None
    public_id: str
    role_id: int

    def role_of(self, public_id: str) -> str:
        """The role id that an id of a user stands for, as far as it is the caller's to know."""
        return str(self.role_id) if public_id == self.public_id else _NOBODY


class _Piece(NamedTuple):
    kind: str
    text: str
    position: int

    @property
    def word(self) -> str:
        return self.text.lower() if self.kind == "name" else ""


def to_filter(text: str, table: TableView, names: Names) -> str:
    """The expression that means the same. Raises ExpressionSyntaxError.

    >>> _joined(["a", "=", "1"])
    'a = 1'
    """
    if len(text) > MAX_LENGTH:
        raise ExpressionSyntaxError(f"A where clause has at most {MAX_LENGTH} characters", MAX_LENGTH + 1)
    return _joined(_Rewriting(list(_pieces(text)), table.entity, table, names).run())


def to_ordering(text: str, table: TableView, names: Names) -> tuple[str, ...]:
    """The entries of `ordering:` for a list of columns, each perhaps with `asc` or `desc`."""
    entries: list[str] = []
    for entry in filter(None, map(str.strip, text.split(","))):
        name, _, direction = entry.partition(" ")
        resolved, _ = _resolve(name, table, names)
        # Who asks for the first or the last row without more means the time at which it was made.
        if resolved == "created" and resolved not in table.entity.columns and table.key is not None:
            resolved = table.key
        entries.append(f"{resolved} {direction.strip()}".strip())
    return tuple(entries)


def iso_text(milliseconds: float, column: Column) -> str | None:
    """A moment that is counted in milliseconds since 1970, as a value of the column; None for one that is none."""
    try:
        moment = datetime.fromtimestamp(milliseconds / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        return None
    if column.type.base == "date":
        return moment.date().isoformat()
    return (moment.replace(tzinfo=None) if column.type.base == "timestamp" else moment).isoformat()


def _joined(texts: list[str]) -> str:
    return " ".join(texts)


def _pieces(text: str) -> Iterator[_Piece]:
    for match in _PIECE.finditer(text):
        kind, position = match.lastgroup or "", match.start() + 1
        if kind == "stray":
            raise ExpressionSyntaxError(f"The character {match[0]!r} has no meaning here", position)
        if kind == "quoted":
            yield _Piece("name", match[0][1:-1], position)
        elif kind != "space":
            yield _Piece(kind, match[0], position)


class _Rewriting:
    """The walk over the pieces; `beside` is the column that was named last, until `and` or `or`."""

    def __init__(self, pieces: list[_Piece], entity: Entity, table: TableView, names: Names) -> None:
        self._pieces = pieces
        self._entity = entity
        self._table = table
        self._names = names
        self._place = 0
        self._beside: Column | None = None
        self._is_owner = False
        self._closers: list[str] = []
        self._written: list[str] = []

    def run(self) -> list[str]:
        while self._place < len(self._pieces):
            piece = self._pieces[self._place]
            self._place += 1
            self._written.append(self._rewrite(piece))
        return self._written

    def _rewrite(self, piece: _Piece) -> str:
        match piece.kind:
            case "name":
                return self._word(piece)
            case "string":
                return self._names.role_of(string_value(piece.text)) if self._is_owner else piece.text
            case "number":
                return self._number(piece)
            case _:
                return self._symbol(piece)

    def _word(self, piece: _Piece) -> str:
        if piece.word == "is":
            return "!= null" if self._takes("not", "null") else "= null" if self._takes("null") else piece.text
        if piece.word in {"and", "or"}:
            self._beside, self._is_owner = None, False
        if piece.word in _WORDS:
            return piece.word
        if piece.word in _MOMENT_WORDS and self._beside is not None:
            return _MOMENT_WORDS[piece.word]
        if piece.word == "at" and self._beside is not None:
            if self._takes("or", "after"):
                return ">="
            return "<=" if self._takes("or", "before") else piece.text
        if self._next() == "(":
            return piece.text
        resolved, column = _resolve(piece.text, self._table, self._names)
        self._beside = column
        self._is_owner = piece.text == "ownerId" and resolved != piece.text
        return resolved

    def _number(self, piece: _Piece) -> str:
        if self._beside is None or self._beside.type.base not in MOMENTS:
            return piece.text
        written = iso_text(float(piece.text), self._beside)
        return piece.text if written is None else f"'{written}'"

    def _symbol(self, piece: _Piece) -> str:
        match piece.text:
            case "<>":
                return "!="
            case "(":
                is_list = self._written[-1:] == ["in"]
                self._closers.append("]" if is_list else ")")
                return "[" if is_list else "("
            case ")":
                return self._closers.pop() if self._closers else ")"
            case _:
                return piece.text

    def _next(self) -> str:
        return self._pieces[self._place].text if self._place < len(self._pieces) else ""

    def _takes(self, *words: str) -> bool:
        """Whether these words come next; then they are passed."""
        following = [piece.word for piece in self._pieces[self._place : self._place + len(words)]]
        if following != list(words):
            return False
        self._place += len(words)
        return True


def _resolve(path: str, table: TableView, names: Names) -> tuple[str, Column | None]:
    """A path under the names of the model, and its column if there is one: whether there is, the engine says."""
    *steps, last = path.split(".")
    entity: Entity | None = table.entity
    for step in steps:
        relation = entity.relations.get(step) if entity is not None else None
        entity = None if relation is None else table.view.schema.model.by_table.get(relation.target)
    if entity is None:
        return path, None
    if last == "objectId" and last not in entity.columns:
        last = only_key(entity) or last
    if last == "ownerId" and last not in entity.columns and not steps and names.owner is not None:
        last = names.owner
    return ".".join([*steps, last]), entity.columns.get(last)
