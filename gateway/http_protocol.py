"""HttpProtocol: uvicorn's protocol, with a short way for /query.

Between uvicorn and an application stand objects, events and messages that a request in one piece has no need of: for a
small query they cost as much as the answering. Such requests go from the parser to `answer_counted`, and from there to
the socket. Whatever is out of the ordinary goes the usual way, through ASGI.

It also bounds what uvicorn leaves open: how large the lines before a body may become, how long they may take, and how
long a reply waits for a client that does not read it.
"""

import asyncio
import logging
from functools import lru_cache
from typing import ClassVar, Final, cast

import httptools
from starlette.applications import Starlette
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from gateway.graphql_http import HeaderLine, Lines, Reply, gather_lines
from gateway.protection import plain_error, secured
from gateway.query import answer_counted
from gateway.state import AppState

#: What makes a request one for the usual way: another origin, a body in pieces, the change to another protocol.
_OUT_OF_THE_ORDINARY: Final = frozenset({b"origin", b"transfer-encoding", b"upgrade", b"expect"})


_CLOSE: Final[HeaderLine] = (b"connection", b"close")
#: The rest of the first line beside the address.
_FIRST_LINE_BYTES: Final = 1_024

log = logging.getLogger(__name__)


class HttpProtocol(HttpToolsProtocol):
    """The protocol of one connection."""

    #: How long a connection may take to send all lines before a body, from its first byte or from when it was made.
    head_seconds: ClassVar[float] = 30.0
    #: How long a client may take nothing of a reply that waits for it in memory.
    reading_seconds: ClassVar[float] = 60.0

    #: What has come of the body of a request that may take the short way; None when there is no such request.
    _held: bytes | None = None
    #: Whether lines before a body have begun that are not whole, and how many bytes of them came in earlier pieces.
    _is_in_head = False
    _head_bytes = 0
    _head_timer: asyncio.TimerHandle | None = None
    _reading_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end_head()
        if self._reading_timer is not None:
            self._reading_timer.cancel()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        super().pause_writing()
        if self._reading_timer is None:
            self._await_reading()

    def data_received(self, data: bytes) -> None:
        was_in_head = self._is_in_head
        super().data_received(data)
        if self._held is not None:
            self._give_up_short_way()
        if self.transport.is_closing():
            return
        if was_in_head and self._is_in_head:
            self._head_bytes += len(data)
            if self._head_bytes > self._max_head_bytes:
                self._refuse(431, "The request headers are too large.")
                return
        if self._head_timer is None and (self._is_in_head or self._is_idle):
            self._await_head()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._is_in_head, self._head_bytes = True, 0

    def on_headers_complete(self) -> None:
        self._end_head()
        if self._may_take_short_way():
            self._held = b""
        else:
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        if self._held is None:
            super().on_body(body)
        else:
            self._held += body

    def on_message_complete(self) -> None:
        if self._held is None:
            super().on_message_complete()
            return
        body, self._held = self._held, None
        exchange = _Exchange(keep_alive=self._parser.should_keep_alive())
        self.cycle = cast("RequestResponseCycle", exchange)
        task = self.loop.create_task(self._answer(exchange, gather_lines("POST", b"", self.headers), body))
        task.add_done_callback(self.tasks.discard)
        self.tasks.add(task)

    @property
    def _parser(self) -> httptools.HttpRequestParser:
        """The parser, which is there as long as the connection is."""
        return cast("httptools.HttpRequestParser", self.parser)

    @property
    def _current(self) -> RequestResponseCycle | None:
        """The request that was last begun, if there was one."""
        return cast("RequestResponseCycle | None", self.cycle)

    @property
    def _is_idle(self) -> bool:
        """Whether no request is being answered."""
        return self._current is None or self._current.response_complete

    @property
    def _max_head_bytes(self) -> int:
        limits = self._state.http_limits
        return limits.max_header_bytes + limits.max_address_bytes + _FIRST_LINE_BYTES

    @property
    def _state(self) -> AppState:
        return cast("Starlette", self.config.app).state.ostiary

    def _await_head(self) -> None:
        self._head_timer = self.loop.call_later(self.head_seconds, self._give_up_head)

    def _end_head(self) -> None:
        self._is_in_head = False
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _give_up_head(self) -> None:
        """Nothing; the connection is closed, but not under the reply to an earlier request."""
        self._head_timer = None
        if not self._is_idle:
            self._await_head()
        elif not self.transport.is_closing():
            self.transport.close()

    def _await_reading(self) -> None:
        left = self.transport.get_write_buffer_size()
        self._reading_timer = self.loop.call_later(self.reading_seconds, self._give_up_reading, left)

    def _give_up_reading(self, left: int) -> None:
        """Nothing; the connection ends where nothing was taken meanwhile, also one that only waits to be closed."""
        now_left = self.transport.get_write_buffer_size()
        self._reading_timer = None
        if now_left >= left:
            self.transport.abort()
        elif now_left:
            self._await_reading()

    def _may_take_short_way(self) -> bool:
        return (
            self.url == b"/query"
            and self._is_idle
            and self._parser.get_method() == b"POST"
            and self._parser.get_http_version() == "1.1"
            and _OUT_OF_THE_ORDINARY.isdisjoint([name for name, _ in self.headers])
        )

    def _give_up_short_way(self) -> None:
        """Nothing; a body that is still to come is uvicorn's to wait for, and ours to bound."""
        body, self._held = cast("bytes", self._held), None
        if not self.transport.is_closing():
            super().on_headers_complete()
            super().on_body(body)

    async def _answer(self, exchange: "_Exchange", lines: Lines, body: bytes) -> None:
        try:
            reply, identity = await answer_counted(self._state, lines, body)
            if self.flow.write_paused and not exchange.disconnected:
                await self.flow.drain()
            is_last = not exchange.keep_alive or _CLOSE in reply.headers
            written = self._written(reply, identity, is_last=is_last)
        except Exception:
            # A bug of ours, as what is foreseen is a reply: nobody may be left waiting for one.
            log.exception("a request could not be answered")
            self._refuse(500, "Something went wrong inside.")
            return
        if exchange.disconnected:
            return
        self.transport.write(written)
        exchange.response_complete = True
        if is_last:
            self.transport.close()
        self.on_response_complete()

    def _written(self, reply: Reply, identity: str, *, is_last: bool) -> bytes:
        own = _header_block(tuple(self.server_state.default_headers))
        given = _secured_block(tuple(header for header in reply.headers if header != _CLOSE))
        ending = b"\r\nconnection: close\r\n\r\n" if is_last else b"\r\n\r\n"
        varying = b"x-request-id: %b\r\ncontent-length: %d%b" % (identity.encode(), len(reply.body), ending)
        return b"".join((STATUS_LINE[reply.status], own, given, varying, reply.body))

    def _refuse(self, status: int, text: str) -> None:
        """Nothing; the connection ends with a reply to what could not be asked, or not be answered."""
        if not self.transport.is_closing():
            refusal = plain_error("", status, text, {"Connection": "close"})
            own, given = (
                _header_block(tuple(self.server_state.default_headers)),
                _secured_block(tuple(refusal.raw_headers)),
            )
            self.transport.write(b"".join((STATUS_LINE[status], own, given, b"\r\n", refusal.body)))
            self.transport.close()


class _Exchange:
    """What uvicorn's protocol asks of the request that it is answering."""

    __slots__ = ("disconnected", "keep_alive", "response_complete")

    def __init__(self, *, keep_alive: bool) -> None:
        self.keep_alive = keep_alive
        self.disconnected = False
        self.response_complete = False

    @property
    def message_event(self) -> "_NobodyWaits":
        return _NOBODY_WAITS


class _NobodyWaits:
    def set(self) -> None:
        """Nothing; the request is whole already."""


_NOBODY_WAITS: Final = _NobodyWaits()


@lru_cache(maxsize=256)
def _secured_block(headers: tuple[HeaderLine, ...]) -> bytes:
    return _header_block(tuple(secured(headers)))


@lru_cache(maxsize=256)
def _header_block(headers: tuple[HeaderLine, ...]) -> bytes:
    if any(end in line for header in headers for line in header for end in (b"\r", b"\n", b"\0")):
        raise ValueError(headers)
    return b"".join(b"%b: %b\r\n" % header for header in headers)
