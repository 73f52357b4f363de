"""Pieces compressed apart are one gzip stream together."""

import gzip
import random
import zlib

import pytest

from gateway.compression import DeflatedTexts, deflate, gzip_of

NOISE = random.Random(7).randbytes(100_000)


@pytest.mark.parametrize(
    "pieces",
    [[], [b""], [b"a"], [b"", b"a", b""], [b"abc" * 10_000, b"abc", b"abc" * 10_000], [NOISE, b"x", NOISE[:5000]]],
)
def test_the_pieces_come_out_in_a_row(pieces: list[bytes]) -> None:
    packed = gzip_of([deflate(piece) for piece in pieces])

    assert gzip.decompress(packed) == b"".join(pieces)
    # In one member: a decoder that stops after the first has everything.
    decoder = zlib.decompressobj(16 + zlib.MAX_WBITS)
    assert decoder.decompress(packed) == b"".join(pieces)
    assert decoder.eof
    assert decoder.unused_data == b""


async def test_a_text_is_compressed_once_for_its_tag() -> None:
    texts = DeflatedTexts()

    first = await texts.get("tag", b"text" * 1000)

    assert await texts.get("tag", b"text" * 1000) is first
    assert (await texts.get("other", b"else")).plain == b"else"
