"""HttpProtocol: uvicorn's protocol, with a short way for /query.

Between uvicorn and an application stand objects, events and messages that a request in one piece has no need of: for a
small query they cost as much as the answering. Such requests go from the parser to `answer_counted`, and from there to
the socket. Whatever is out of the ordinary goes the usual way, through ASGI.
"""

from functools import lru_cache
from typing import Final, cast

import httptools
from starlette.applications import Starlette
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from gateway.graphql_http import HeaderLine, Lines, Reply, gather_lines
from gateway.protection import secured
from gateway.query import answer_counted
from gateway.state import AppState

#: What makes a request one for the usual way: another origin, a body in pieces, the change to another protocol.
_OUT_OF_THE_ORDINARY: Final = frozenset({b"origin", b"transfer-encoding", b"upgrade", b"expect"})


class HttpProtocol(HttpToolsProtocol):
    """The protocol of one connection."""

    #: What has come of the body of a request that may take the short way; None when there is no such request.
    _held: bytes | None = None

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._held is not None:
            self._give_up_short_way()

    def on_headers_complete(self) -> None:
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

    def _may_take_short_way(self) -> bool:
        return (
            self.url == b"/query"
            and (self._current is None or self._current.response_complete)
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
        state: AppState = cast("Starlette", self.config.app).state.ostiary
        reply, identity = await answer_counted(state, lines, body)
        if self.flow.write_paused and not exchange.disconnected:
            await self.flow.drain()
        if exchange.disconnected:
            return
        self.transport.write(self._written(reply, identity, keep_alive=exchange.keep_alive))
        exchange.response_complete = True
        if not exchange.keep_alive:
            self.transport.close()
        self.on_response_complete()

    def _written(self, reply: Reply, identity: str, *, keep_alive: bool) -> bytes:
        own = _header_block(tuple(self.server_state.default_headers))
        given = _secured_block(tuple(reply.headers))
        ending = b"\r\n\r\n" if keep_alive else b"\r\nconnection: close\r\n\r\n"
        varying = b"x-request-id: %b\r\ncontent-length: %d%b" % (identity.encode(), len(reply.body), ending)
        return b"".join((STATUS_LINE[reply.status], own, given, varying, reply.body))


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
