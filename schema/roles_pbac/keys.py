"""Keys of the wire, which are texts or numbers, as the integers they are inside."""

from collections.abc import Iterable
from typing import TypeVar

import strawberry

from schema.roles_pbac.errors import BadInput

Item = TypeVar("Item")


def is_given(value: object) -> bool:
    """Whether the caller gave a value. Null says as little as leaving a field out, but for a parent."""
    return value is not strawberry.UNSET and value is not None


def parse_key(kind: str, value: object) -> int:
    """Raises BadInput for what no key can be. Keys are positive and have 32 bits."""
    text = str(value).strip()
    if text.isascii() and text.isdigit() and len(text) <= 10 and 0 < int(text) < 2**31:
        return int(text)
    raise BadInput(f"That is not the id of a {kind}.")


def parse_keys(kind: str, values: Iterable[object] | None) -> frozenset[int]:
    return frozenset(parse_key(kind, value) for value in listed(values))


def listed(values: Iterable[Item | None] | None) -> list[Item]:
    """The values of a list that may have been left out, without nulls."""
    return [value for value in values if value is not None] if is_given(values) and values is not None else []


def required(text: str, what: str) -> str:
    """The text, or BadInput where it is blank."""
    if not text.strip():
        raise BadInput(f"A {what} cannot be blank.")
    return text
