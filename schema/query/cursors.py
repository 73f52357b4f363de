"""Cursors: where a page of rows begins or ends, as a text that only this gateway can make.

A cursor holds the values by which its row was ordered, as a JSON array of PostgreSQL's texts, after 32 bytes that prove
them: HMAC-SHA-256 (RFC 2104) under a key of its tenant, table and order. PostgreSQL makes it, in the statement that
reads the row, and `CursorKey.read` checks it. It is signed and not encrypted: an order can only name what the caller
may read, and so does a cursor.
"""

import base64
import binascii
import hmac
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final, Literal, cast

import orjson

from schema.errors import OperationError

_BLOCK_BYTES: Final = 64  # of SHA-256
_PROOF_BYTES: Final = 32
_MAX_CHARACTERS: Final = 100_000


class CursorInvalid(OperationError):
    """A cursor that was not made for this list and this order, or was altered."""

    code = "CURSOR_INVALID"

    def __init__(self) -> None:
        super().__init__("The cursor is not one of this list in this order.")


@dataclass(frozen=True, slots=True)
class CursorPad:
    """The key of cursors for `context`, in one of the two forms that HMAC mixes with what is signed."""

    context: str
    side: Literal["inner", "outer"]


@dataclass(frozen=True, slots=True)
class CursorKey:
    """The secret of one tenant's cursors."""

    secret: bytes = field(repr=False)

    def pad(self, pad: CursorPad) -> str:
        """The 64 bytes that come before what is hashed, as a PostgreSQL bytea."""
        byte = 0x36 if pad.side == "inner" else 0x5C
        padded = self._key(pad.context).ljust(_BLOCK_BYTES, b"\0")
        return "\\x" + bytes(each ^ byte for each in padded).hex()

    def read(self, cursor: object, context: str) -> tuple[str | None, ...]:
        """The values in a cursor that was made for this context. Raises CursorInvalid."""
        proof, values = _parts(cursor)
        if not hmac.compare_digest(proof, hmac.digest(self._key(context), values, "sha256")):
            raise CursorInvalid
        return _values(values)

    def _key(self, context: str) -> bytes:
        return hmac.digest(self.secret, context.encode(), "sha256")


def cursor_key(secret: bytes, tenant_id: int) -> CursorKey:
    """The key of a tenant's cursors, from a secret of the whole gateway."""
    return CursorKey(hmac.digest(secret, f"ostiary cursors of tenant {tenant_id}".encode(), "sha256"))


def context_of(*parts: str) -> str:
    """A short text that is the same for the same parts only."""
    return sha256(orjson.dumps(parts)).hexdigest()[:32]


def nulls_in(cursor: object) -> tuple[bool, ...]:
    """Which of the values are null, as the cursor says without being believed. Raises CursorInvalid."""
    return tuple(value is None for value in _values(_parts(cursor)[1]))


def _parts(cursor: object) -> tuple[bytes, bytes]:
    if not isinstance(cursor, str) or len(cursor) > _MAX_CHARACTERS:
        raise CursorInvalid
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise CursorInvalid from None
    return raw[:_PROOF_BYTES], raw[_PROOF_BYTES:]


def _values(text: bytes) -> tuple[str | None, ...]:
    try:
        values: object = orjson.loads(text)
    except orjson.JSONDecodeError:
        raise CursorInvalid from None
    items = cast("list[object]", values) if isinstance(values, list) else []
    if not items or not all(item is None or isinstance(item, str) for item in items):
        raise CursorInvalid
    return tuple(cast("list[str | None]", items))
