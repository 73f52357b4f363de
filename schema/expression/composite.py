"""record_text: a composite value → its text form (PostgreSQL: Composite Type Input and Output Syntax)."""

from collections.abc import Iterable
from typing import cast


def record_text(members: Iterable[object]) -> str:
    """`(…)` with each member as asyncpg would take it: None, a bool, a number, a text or a list of those.

    >>> print(record_text([1, None, "it's", [True, None, "c,d"]]))
    (1,,"it's","{t,NULL,""c,d""}")
    """
    return "(" + ",".join("" if member is None else _quoted(_text(member)) for member in members) + ")"


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "t" if value else "f"
    if isinstance(value, list):
        items = cast("list[object]", value)
        return "{" + ",".join(_item(item) for item in items) + "}"
    return str(value)


def _item(value: object) -> str:
    """An element of an array (PostgreSQL: Array Input and Output Syntax)."""
    if value is None:
        return "NULL"
    if isinstance(value, list):
        return _text(cast("object", value))
    text = _text(value)
    if isinstance(value, str) and text.isalnum() and text.upper() != "NULL":
        return text
    if not isinstance(value, str):
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _quoted(text: str) -> str:
    if text.isalnum():
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '""') + '"'
