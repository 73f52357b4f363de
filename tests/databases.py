"""Databases for tests, made and dropped over one connection that lives in a thread of its own.

So the fixtures are plain functions, and serve tests with an event loop and tests without one alike.
"""

import asyncio
import os
import re
import threading
from collections.abc import Coroutine, Generator
from contextlib import contextmanager
from itertools import count
from typing import Any, Self

import asyncpg


class Databases:
    """The databases of a server, by DSN."""

    def __init__(self, server_dsn: str, loop: asyncio.AbstractEventLoop, connection: "asyncpg.Connection[Any]") -> None:
        self._server_dsn = server_dsn
        self._loop = loop
        self._connection = connection
        self._numbers = count(1)

    @classmethod
    @contextmanager
    def open(cls, server_dsn: str) -> Generator[Self]:
        loop = asyncio.new_event_loop()
        thread = threading.Thread(target=loop.run_forever, name="databases")
        thread.start()
        try:
            connection = asyncio.run_coroutine_threadsafe(asyncpg.connect(server_dsn), loop).result()
            opened = cls(server_dsn, loop, connection)
            yield opened
            opened._wait(connection.close())
        finally:
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            loop.close()

    def create(self, *, template: str = "template1") -> str:
        """The DSN of a new database: empty, or a clone of the one that is named by its name or DSN."""
        # The process id keeps apart the workers of a run, and runs that share one server.
        name = f"test_{os.getpid()}_{next(self._numbers)}"
        source = database_name(template) if "://" in template else template
        self._wait(self._connection.execute(f'create database "{name}" template "{source}" strategy wal_log'))
        return with_database(self._server_dsn, name)

    def drop(self, dsn: str) -> None:
        self._wait(self._connection.execute(f'drop database if exists "{database_name(dsn)}" with (force)'))

    def execute(self, statements: str) -> None:
        """Nothing; the statements have run in the server's own database."""
        self._wait(self._connection.execute(statements))

    def fetch_value(self, query: str) -> Any:
        """The one value that a query in the server's own database gives."""
        return self._wait(self._connection.fetchval(query))

    def execute_in(self, dsn: str, statements: str) -> None:
        """Nothing; the statements have run in the database of this DSN."""

        async def execute() -> None:
            connection = await asyncpg.connect(dsn)
            try:
                await connection.execute(statements)
            finally:
                await connection.close()

        self._wait(execute())

    def _wait(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout=60)


DATABASE_IN_DSN = re.compile(r"^(\w+://[^/]*/)([^?]*)")


def with_database(dsn: str, name: str) -> str:
    """The DSN of another database on the same server."""
    return DATABASE_IN_DSN.sub(lambda found: found[1] + name, dsn)


def database_name(dsn: str) -> str:
    found = DATABASE_IN_DSN.match(dsn)
    assert found is not None, "not a DSN with a database"
    return found[2]
