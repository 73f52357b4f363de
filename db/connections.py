"""Connections: those to one database, opened when they are needed, capped, the warmest taken first.

The driver's own pool makes a proxy and two timers for each use, which led the profile of a small query. Here a use
is a pop and an append. What the pool's timers are for, one watch looks after that passes by once a second.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from time import monotonic
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import asyncpg

if TYPE_CHECKING:
    from asyncpg.prepared_stmt import PreparedStatement

    AnyConnection: TypeAlias = asyncpg.Connection[asyncpg.Record]
    AnyStatement: TypeAlias = PreparedStatement[asyncpg.Record]

#: Prepared statements that a connection keeps. Each costs PostgreSQL some 50 KB once it has a plan.
MAX_STATEMENTS: Final = 200
WATCH_SECONDS: Final = 1.0
#: How long a connection that nobody needs stays open.
IDLE_SECONDS: Final = 300.0
#: How long a connection may take to get rid of a statement that was given up, before it is thrown away.
SETTLE_SECONDS: Final = 5.0


class Link:
    """A connection, and the statements prepared on it by their text."""

    __slots__ = ("_statements", "connection", "has_overrun", "since")

    def __init__(self, connection: AnyConnection, since: float) -> None:
        self.connection = connection
        #: When it was last taken or given back, on the monotonic clock.
        self.since = since
        #: Whether the watch ended it, because a statement took too long.
        self.has_overrun = False
        self._statements: dict[str, AnyStatement] = {}

    async def fetch_value(self, text: str, arguments: Sequence[object]) -> Any:
        """The first value of the first row; None where there is no row."""
        statement = self._statements.get(text)
        if statement is None:
            statement = await self._prepare(text)
        try:
            return await statement.fetchval(*arguments)
        except asyncpg.InvalidCachedStatementError:
            # The tables have changed since; nothing was run.
            del self._statements[text]
            return await (await self._prepare(text)).fetchval(*arguments)

    async def fetch_rows(self, text: str, arguments: Sequence[object]) -> list[asyncpg.Record]:
        """All rows."""
        statement = self._statements.get(text) or await self._prepare(text)
        try:
            return await statement.fetch(*arguments)
        except asyncpg.PostgresError:
            # Perhaps its tables have changed since it was prepared, and then it would never work again.
            self._statements.pop(text, None)
            raise

    async def _prepare(self, text: str) -> AnyStatement:
        statement = await self.connection.prepare(text)
        if len(self._statements) >= MAX_STATEMENTS:
            del self._statements[next(iter(self._statements))]
        self._statements[text] = statement
        return statement


class Connections:
    """`connect` opens one. Whoever takes a link gives it back, or has it settled or dropped."""

    def __init__(self, connect: Callable[[], Awaitable[AnyConnection]], *, limit: int, busy_seconds: float) -> None:
        self._connect = connect
        self._limit = limit
        self._busy_seconds = busy_seconds
        self._free: list[Link] = []
        self._busy: set[Link] = set()
        self._opening = 0
        self._waiting: deque[asyncio.Future[Link | None]] = deque()
        #: Who waits until nothing is busy, to close it all.
        self._idle: asyncio.Future[None] | None = None
        self._settling: set[asyncio.Task[None]] = set()
        self._watch: asyncio.Task[None] | None = None

    def take(self) -> Link | None:
        """A free link, if there is one."""
        while self._free:
            link = self._free.pop()
            if not link.connection.is_closed():
                link.since = monotonic()
                self._busy.add(link)
                return link
        return None

    async def wait(self, seconds: float) -> Link:
        """A free link, or a new one. Raises TimeoutError where within the time none is free and no more are allowed."""
        until = monotonic() + seconds
        while True:
            link = self.take()
            if link is not None:
                return link
            left = until - monotonic()
            if len(self._busy) + self._opening < self._limit:
                async with asyncio.timeout(left):
                    return await self._open()
            link = await self._turn(left)
            if link is not None:
                return link

    def give_back(self, link: Link) -> None:
        """Nothing; the link is the next one's, or free."""
        if link.connection.is_closed():
            self._busy.discard(link)
            self._go_on()
            return
        link.since = monotonic()
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(link)
                return
        self._busy.discard(link)
        self._free.append(link)
        self._tell_if_idle()

    def drop(self, link: Link) -> None:
        """Nothing; the connection is gone, whatever it was doing."""
        self._busy.discard(link)
        with suppress(asyncpg.InterfaceError):
            link.connection.terminate()
        self._go_on()

    def settle(self, link: Link) -> None:
        """Nothing; the link is given back as soon as the driver has cancelled what was given up, or else dropped."""
        task = asyncio.create_task(self._settle(link))
        self._settling.add(task)
        task.add_done_callback(self._settling.discard)

    async def close(self) -> None:
        """Waits for what runs, then closes every connection."""
        self._limit = 0
        if self._watch is not None:
            self._watch.cancel()
        while self._busy or self._opening:
            self._idle = asyncio.get_running_loop().create_future()
            await self._idle
        for link in self._free:
            with suppress(asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
                await link.connection.close(timeout=SETTLE_SECONDS)
        self._free.clear()

    async def _open(self) -> Link:
        self._opening += 1
        try:
            link = Link(await self._connect(), monotonic())
        except BaseException:
            self._opening -= 1
            self._go_on()
            raise
        self._opening -= 1
        self._busy.add(link)
        if self._watch is None or self._watch.done():
            self._watch = asyncio.create_task(self._keep_watch())
        return link

    async def _turn(self, seconds: float) -> Link | None:
        """A link that somebody has given back; None when one more may be opened. Raises TimeoutError."""
        loop = asyncio.get_running_loop()
        turn: asyncio.Future[Link | None] = loop.create_future()
        self._waiting.append(turn)
        timer = loop.call_later(seconds, _expire, turn)
        try:
            return await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled() and turn.exception() is None:
                self._pass_on(turn.result())
            raise
        finally:
            timer.cancel()

    def _pass_on(self, link: Link | None) -> None:
        if link is None:
            self._go_on()
        else:
            self.give_back(link)

    def _go_on(self) -> None:
        """Nothing; there is room for one more connection, and whoever waits first may open it."""
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self._tell_if_idle()

    def _tell_if_idle(self) -> None:
        if self._idle is not None and not self._idle.done() and not self._busy and not self._opening:
            self._idle.set_result(None)

    async def _settle(self, link: Link) -> None:
        try:
            async with asyncio.timeout(SETTLE_SECONDS):
                # The driver lets nothing run before the cancelled statement has ended.
                await link.connection.execute("select")
        except (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError):
            self.drop(link)
        else:
            self.give_back(link)

    async def _keep_watch(self) -> None:
        while self._free or self._busy:
            await asyncio.sleep(WATCH_SECONDS)
            now = monotonic()
            for link in [link for link in self._busy if now - link.since > self._busy_seconds]:
                link.has_overrun = True
                link.connection.terminate()
            for link in [link for link in self._free if now - link.since > IDLE_SECONDS or link.connection.is_closed()]:
                self._free.remove(link)
                link.connection.terminate()


def _expire(turn: asyncio.Future[Link | None]) -> None:
    if not turn.done():
        turn.set_exception(TimeoutError())
