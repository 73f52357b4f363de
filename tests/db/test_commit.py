"""A commit whose answer is lost, by a proxy that drops it."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, closing
from urllib.parse import parse_qs, urlsplit

import pytest
from sqlalchemy import text

from db.commit import commit
from db.engines import control_engine
from db.errors import DatabaseUnavailable, OutcomeUnknown

pytestmark = pytest.mark.postgres


class Proxy:
    """Passes bytes on between a driver and PostgreSQL until it sees a COMMIT, which `on_commit` decides about: whether
    it is passed on, and whether anyone gets through afterwards."""

    def __init__(self, socket_path: str, *, passes_commit: bool, stays_open: bool) -> None:
        self._socket_path = socket_path
        self._passes_commit = passes_commit
        self._stays_open = stays_open
        self._is_armed = True
        self.tasks: list[asyncio.Task[None]] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.tasks.append(task)
        with closing(writer):
            if self._is_armed or self._stays_open:
                upstream_reader, upstream_writer = await asyncio.open_unix_connection(self._socket_path)
                with closing(upstream_writer):
                    await self._pass_on(reader, writer, upstream_reader, upstream_writer)
                await upstream_writer.wait_closed()

    async def _pass_on(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        upstream_reader: asyncio.StreamReader,
        upstream_writer: asyncio.StreamWriter,
    ) -> None:
        back = asyncio.create_task(_copy(upstream_reader, writer, lambda _: True))
        # A driver that says goodbye waits for the server to hang up.
        back.add_done_callback(lambda _: writer.close())
        is_lost = await _copy(reader, upstream_writer, lambda data: not (self._is_armed and b"COMMIT" in data))
        back.cancel()
        await asyncio.wait([back])
        if is_lost:
            self._is_armed = False
            if self._passes_commit:
                upstream_writer.write(b"Q\0\0\0\x0cCOMMIT;\0")
                # Until the server has answered, so that the commit is there; the answer goes nowhere.
                await upstream_reader.read(65_536)


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, may_pass: Callable[[bytes], bool]) -> bool:
    """Whether it ended at something that may not pass, rather than with the connection."""
    while data := await reader.read(65_536):
        if not may_pass(data):
            return True
        writer.write(data)
        await writer.drain()
    return False


@asynccontextmanager
async def proxied(dsn: str, *, passes_commit: bool, stays_open: bool) -> AsyncGenerator[str]:
    """The DSN of the same database through a proxy."""
    query = parse_qs(urlsplit(dsn).query)
    socket_path = f"{query['host'][0]}/.s.PGSQL.{query['port'][0]}"
    proxy = Proxy(socket_path, passes_commit=passes_commit, stays_open=stays_open)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        yield f"postgresql://{query['user'][0]}@127.0.0.1:{port}/{urlsplit(dsn).path.lstrip('/')}"
    await asyncio.gather(*proxy.tasks)


async def insert_through(dsn: str) -> None:
    engine = control_engine(dsn)
    try:
        async with engine.connect() as connection:
            await connection.execute(text("insert into note values (1)"))
            await commit(connection)
    finally:
        await engine.dispose()


@pytest.fixture
async def notes(database: str) -> str:
    engine = control_engine(database)
    async with engine.begin() as connection:
        await connection.execute(text("create table note (id int)"))
    await engine.dispose()
    return database


async def count(dsn: str) -> int:
    engine = control_engine(dsn)
    async with engine.connect() as connection:
        found = (await connection.execute(text("select count(*) from note"))).scalar_one()
    await engine.dispose()
    return found


async def test_a_commit_whose_answer_is_lost_is_one(notes: str) -> None:
    async with proxied(notes, passes_commit=True, stays_open=True) as dsn:
        await insert_through(dsn)

    assert await count(notes) == 1


async def test_a_commit_that_never_arrived_is_none(notes: str) -> None:
    async with proxied(notes, passes_commit=False, stays_open=True) as dsn:
        with pytest.raises(DatabaseUnavailable):
            await insert_through(dsn)

    assert await count(notes) == 0


async def test_where_nobody_answers_the_outcome_is_said_to_be_unknown(notes: str) -> None:
    async with proxied(notes, passes_commit=True, stays_open=False) as dsn:
        with pytest.raises(OutcomeUnknown):
            await insert_through(dsn)
