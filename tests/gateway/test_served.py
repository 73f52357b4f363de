"""The doors behind the real server, where the bytes of HTTP are not built by a well-behaved client."""

import asyncio
import json
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress

import pytest
import uvicorn

from tests.doors import PASSWORD, Doors, World, open_doors

pytestmark = [pytest.mark.postgres, pytest.mark.server]


@asynccontextmanager
async def serving(doors: Doors) -> AsyncGenerator[int]:
    """The port of a uvicorn with httptools that serves these doors."""
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(doors.app, http="httptools", lifespan="off", log_config=None, server_header=False)
    server = uvicorn.Server(config)
    server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        await task
        listener.close()


async def send(port: int, request: bytes) -> bytes:
    """What comes back on a connection of its own until the server, or a pause, ends it."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(request)
        await writer.drain()
        return await asyncio.wait_for(reader.read(), 60)
    except ConnectionError:
        return b""
    finally:
        writer.close()
        # Without this the transport may outlive the loop, and pytest calls that a leak.
        with suppress(ConnectionError):
            await writer.wait_closed()


def a_login(world: World, *headers: str, body: bytes | None = None) -> bytes:
    fields = {"login": "ann@example.org", "password": PASSWORD, "tenantid": world.todo}
    content = json.dumps(fields).encode() if body is None else body
    lines = ["POST /auth?schema=none HTTP/1.1", "Host: gateway.test", "Connection: close", *headers]
    return "\r\n".join([*lines, f"Content-Length: {len(content)}", "", ""]).encode() + content


JSON = "Content-Type: application/json"


async def test_hostile_bytes_get_a_refusal_and_the_next_login_is_served(
    control_dsn: str, filled: tuple[str, World]
) -> None:
    async with open_doors(control_dsn, filled[1]) as doors, serving(doors) as port:
        good = a_login(doors.world, JSON)
        token_of_a_megabyte = "Authorization: Bearer " + "x" * 1_000_000
        hostile = {
            "header of 200 KB": a_login(doors.world, JSON, "X-Large: " + "x" * 200_000),
            "token of 1 MB": a_login(doors.world, JSON, token_of_a_megabyte),
            "body of 8 MB": a_login(doors.world, JSON, body=b'{"password":"' + b"x" * 8_000_000 + b'"}'),
            "two hosts": a_login(doors.world, JSON, "Host: evil.test"),
            "two lengths": a_login(doors.world, JSON, "Content-Length: 1"),
            "length and chunks": a_login(doors.world, JSON, "Transfer-Encoding: chunked"),
            "no host": b"POST /auth HTTP/1.1\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
            "TRACE": b"TRACE /auth HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
            "no HTTP": b"\x16\x03\x01\x02\x00\x01\x00" * 50,
            "WebSocket": (
                b"GET /auth HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
            ),
        }
        for name, request in hostile.items():
            reply = await send(port, request)
            assert not reply.startswith((b"HTTP/1.1 2", b"HTTP/1.1 5", b"HTTP/1.1 101")), (name, reply[:200])
            assert b"Traceback" not in reply
            served = await send(port, good)
            assert served.startswith(b"HTTP/1.1 200"), name
            assert b"server:" not in served.lower()
