"""One gzip stream from parts, of which the large ones were compressed before.

Deflate blocks that end with a full flush stand on their own (RFC 1951, 3.2.4; zlib, Z_FULL_FLUSH), so the body of a
login reply costs only the compression of its tokens. Several gzip members in a row would be simpler, but not every
client reads past the first.
"""

import asyncio
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from cachetools import LRUCache

# RFC 1952, 2.3: magic, deflate, no flags, no time, no extra flags, unknown system.
GZIP_HEADER: Final = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
RAW: Final = -zlib.MAX_WBITS
CACHED_TEXTS: Final = 256


@dataclass(frozen=True, slots=True)
class Deflated:
    """A piece of a body and its deflate blocks, none of which is the last of a stream."""

    plain: bytes
    blocks: bytes


def deflate(plain: bytes) -> Deflated:
    """The piece, compressed so that others may stand before and behind it."""
    compressor = zlib.compressobj(level=6, wbits=RAW)
    return Deflated(plain, compressor.compress(plain) + compressor.flush(zlib.Z_FULL_FLUSH))


def gzip_of(pieces: Iterable[Deflated]) -> bytes:
    """One gzip member that holds the pieces in a row."""
    checksum, size, blocks = 0, 0, [GZIP_HEADER]
    for piece in pieces:
        checksum = zlib.crc32(piece.plain, checksum)
        size += len(piece.plain)
        blocks.append(piece.blocks)
    blocks.append(zlib.compressobj(wbits=RAW).flush(zlib.Z_FINISH))
    return b"".join([*blocks, checksum.to_bytes(4, "little"), (size % 2**32).to_bytes(4, "little")])


class DeflatedTexts:
    """Large texts in compressed form, remembered by their tags."""

    def __init__(self) -> None:
        self._texts: LRUCache[str, Deflated] = LRUCache(CACHED_TEXTS)

    async def get(self, etag: str, plain: bytes) -> Deflated:
        """The text compressed; the first time in a thread, since a large schema takes tens of milliseconds."""
        text = self._texts.get(etag)
        if text is None:
            text = await asyncio.to_thread(deflate, plain)
            self._texts[etag] = text
        return text
