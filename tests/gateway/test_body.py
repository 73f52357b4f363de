import asyncio
import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as some
from starlette.types import Message

from gateway.body import (
    BodyTooSlow,
    BodyUnreadable,
    ClientGone,
    ContentType,
    UnsupportedMediaType,
    check_nesting,
    parse_content_type,
    parse_form,
    parse_json,
    read_body,
)
from gateway.graphql_http import NotAcceptable, negotiate


class Client:
    """Sends its pieces one by one, each after a pause that the event loop sees."""

    def __init__(self, *pieces: bytes, pauses: int = 1, leaves: bool = False) -> None:
        self.pieces = list(pieces)
        self.pauses = pauses
        self.leaves = leaves

    async def receive(self) -> Message:
        for _ in range(self.pauses):
            await asyncio.sleep(0.001)
        if not self.pieces:
            if self.leaves:
                return {"type": "http.disconnect"}
            await asyncio.Event().wait()
        return {
            "type": "http.request",
            "body": self.pieces.pop(0),
            "more_body": bool(self.pieces) or self.leaves,
        }


@pytest.mark.parametrize("pauses", [0, 1, 3])
@pytest.mark.parametrize("pieces", [(b"",), (b"abc",), (b"a", b"b", b"", b"c")])
async def test_a_body_is_read_whether_it_waits_or_not(pieces: tuple[bytes, ...], pauses: int) -> None:
    assert await read_body(Client(*pieces, pauses=pauses).receive, 3) == b"".join(pieces)


@pytest.mark.parametrize("pieces", [(), (b"a",), (b"a", b"b")])
@pytest.mark.parametrize("pauses", [0, 1])
async def test_a_client_may_leave_at_any_piece(pieces: tuple[bytes, ...], pauses: int) -> None:
    with pytest.raises(ClientGone):
        await read_body(Client(*pieces, pauses=pauses, leaves=True).receive, 10)


async def test_a_reader_can_be_cancelled_while_it_waits() -> None:
    reading = asyncio.create_task(read_body(Client(pauses=0).receive, 10))
    await asyncio.sleep(0)

    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading


async def test_a_time_limit_leaves_no_cancellation_behind() -> None:
    for _ in range(3):
        with pytest.raises(BodyTooSlow):
            await read_body(Client(pauses=0).receive, 10, 0.01)
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


async def test_a_fault_after_the_first_piece_does_not_bring_that_piece_into_the_log() -> None:
    pieces = iter([{"type": "http.request", "body": b"a secret", "more_body": True}])

    async def receive() -> Message:
        for piece in pieces:
            return piece
        raise RuntimeError("broken")

    with pytest.raises(RuntimeError) as told:
        await read_body(receive, 1000)

    assert told.value.__context__ is None


async def test_a_fault_of_the_server_rises_as_it_is() -> None:
    async def fail() -> Message:
        await asyncio.sleep(0)
        raise ConnectionError

    with pytest.raises(ConnectionError):
        await read_body(fail, 10)


def test_integers_keep_all_their_digits() -> None:
    assert parse_json(b'{"a": 12345678901234567890123, "b": 1.5}') == {"a": 12345678901234567890123, "b": 1.5}
    assert parse_json(b"-9223372036854775809") == -9223372036854775809


def test_nesting_is_counted_over_lists_and_objects() -> None:
    value: object = 1
    for level in range(50):
        value = [value, {}] if level % 2 else {"a": value}

    check_nesting(value, 50)
    with pytest.raises(BodyUnreadable):
        check_nesting([value], 50)


@given(some.binary(max_size=200))
def test_no_header_does_more_than_be_refused(value: bytes) -> None:
    for start in (b"", b"application/json;", b"multipart/form-data; boundary="):
        with contextlib.suppress(UnsupportedMediaType):
            parse_content_type(start + value)
    for start in (b"", b"application/json;", b"*/*;q="):
        with contextlib.suppress(NotAcceptable):
            negotiate(start + value)


PIECES = [
    b"--xyz", b"--", b"\r\n", b"Content-Disposition: form-data; ", b'name="a"', b"x", b"\xff", b"&", b"=", b"%",
]  # fmt: skip


@given(some.binary(max_size=300) | some.lists(some.sampled_from(PIECES)).map(b"".join))
def test_no_body_does_more_than_be_refused(body: bytes) -> None:
    for content_type in (ContentType("form"), ContentType("multipart", b"xyz")):
        with contextlib.suppress(BodyUnreadable):
            parse_form(body, content_type)
    with contextlib.suppress(BodyUnreadable):
        parse_json(body)
