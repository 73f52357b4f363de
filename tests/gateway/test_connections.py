"""Connections that never finish what they begin, and replies that nothing was prepared for."""

import asyncio
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.http_protocol import HttpProtocol
from tests.doors import Doors, World, open_doors

pytestmark = [pytest.mark.postgres, pytest.mark.server]

ASKED = b'{"query":"{ __typename }"}'


class Hasty(HttpProtocol):
    """The same protocol, on a shorter clock."""

    head_seconds = 0.3
    reading_seconds = 0.3


@asynccontextmanager
async def serving(app: ASGIApp, protocol: type[HttpProtocol] = HttpProtocol) -> AsyncGenerator[int]:
    """The port of a server of these connections."""
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(app, http=protocol, ws="none", lifespan="off", log_config=None, timeout_keep_alive=30)
    server = uvicorn.Server(config)
    server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        await task
        listener.close()


async def send(port: int, *pieces: bytes, pause: float = 0.0) -> bytes:
    """What comes back until the server closes the connection, which it has to."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        with suppress(ConnectionError):
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(pause)
        return await asyncio.wait_for(reader.read(), 10)
    except ConnectionError:
        return b""
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


def request(body: bytes = ASKED, *lines: str, path: str = "/query") -> bytes:
    head = [f"POST {path} HTTP/1.1", "Host: a", "Content-Type: application/json", *lines]
    return "\r\n".join([*head, f"Content-Length: {len(body)}", "", ""]).encode() + body


@pytest.mark.parametrize(
    "begun",
    [
        b"",
        b"\r\n",
        b"POST /query HT",
        b"POST /query HTTP/1.1\r\nHost: a\r\nX-Long: a",
        request()[:-1] + b"}" + b"POST /query HTTP/1.1\r\nHo",
    ],
    ids=["nothing", "a line end", "half a line", "half the lines", "half a second request"],
)
async def test_lines_that_do_not_end_in_time_end_the_connection(doors: Doors, begun: bytes) -> None:
    async with serving(doors.app, Hasty) as port:
        received = await send(port, begun)

    assert received.count(b"HTTP/1.1") == (1 if b"Content-Length" in begun else 0)


async def test_lines_that_dribble_end_the_connection(doors: Doors) -> None:
    async with serving(doors.app, Hasty) as port:
        pieces = [b"POST /query HTTP/1.1\r\n"] + [b"X: y\r\n"] * 20
        assert await send(port, *pieces, pause=0.05) == b""


async def test_what_is_left_of_a_refused_body_may_not_dribble_for_ever(doors: Doors) -> None:
    refused = request(b"x" * 100, path="/nowhere")
    async with serving(doors.app, Hasty) as port:
        received = await send(port, refused[:-50], b"x", pause=0.1)

    assert received.startswith(b"HTTP/1.1 404 "), received[:100]


@pytest.mark.parametrize("endless", ["a line", "lines", "an address"])
async def test_lines_without_an_end_are_refused_before_they_fill_the_memory(doors: Doors, endless: str) -> None:
    piece = b"x" * 65_536 if endless != "lines" else b"X: y\r\n" * 10_000
    start = b"POST /" if endless == "an address" else b"POST /query HTTP/1.1\r\nHost: a\r\nX: "
    async with serving(doors.app) as port:
        received = await send(port, start, *[piece] * 200)

    # Nothing at all where the client was still sending when the connection was closed.
    assert received == b"" or received.startswith((b"HTTP/1.1 431 ", b"HTTP/1.1 400 ")), received[:100]


async def test_a_head_of_the_largest_size_is_read_in_whatever_pieces(doors: Doors) -> None:
    whole = request(ASKED, "X-Long: " + "x" * 32_000, "Connection: close")
    async with serving(doors.app) as port:
        received = await send(port, *[whole[start : start + 1_000] for start in range(0, len(whole), 1_000)])

    assert received.startswith(b"HTTP/1.1 401 "), received[:100]


async def test_a_reply_that_says_the_connection_closes_closes_it(control_dsn: str, filled: tuple[str, World]) -> None:
    async with open_doors(control_dsn, filled[1], max_body_bytes=1024) as doors:
        token = (await doors.log_in())["access_token"]
        async with serving(doors.app) as port:
            large = b'{"query":"{ __typename }"' + b" " * 2_000 + b"}"
            lying = request(large, f"Authorization: Bearer {token}")
            received = await send(port, lying)

    assert received.startswith(b"HTTP/1.1 413 "), received[:100]
    assert received.lower().count(b"connection: close") == 1


async def test_a_bug_is_answered_and_leaves_nobody_waiting() -> None:
    # An application without the state that every request needs.
    async with serving(Starlette()) as port:
        received = await send(port, request())

    assert received.startswith(b"HTTP/1.1 500 "), received[:100]
    assert b"Traceback" not in received


LARGE = 20_000_000


async def large(scope: Scope, receive: Receive, send: Send) -> None:
    """An application whose replies no socket takes at once."""
    await Response(b"x" * LARGE)(scope, receive, send)


async def received_at_last(port: int, pause: float) -> int:
    """How many bytes of a reply arrive at a client that takes its time: before the first, or between all of them."""
    with socket.create_connection(("127.0.0.1", port)) as client:
        client.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(client, b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        await asyncio.sleep(pause)
        total = 0
        with suppress(ConnectionError):
            while piece := await asyncio.wait_for(loop.sock_recv(client, 2_000_000), 10):
                total += len(piece)
                await asyncio.sleep(0.05)
        return total


async def test_a_reply_does_not_wait_for_ever_for_a_client_that_does_not_read() -> None:
    async with serving(large, Hasty) as port:
        assert await received_at_last(port, pause=1.5) < LARGE


async def test_a_client_that_reads_slowly_gets_all_of_a_reply() -> None:
    async with serving(large, Hasty) as port:
        assert await received_at_last(port, pause=0) > LARGE
