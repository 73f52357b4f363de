"""TenantDatabase: the pool of connections to one tenant's database, and how statements run on it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final, Self, cast

import asyncpg

from db.errors import DatabaseUnavailable, StatementTimedOut
from db.refusals import refusal_of

#: Types whose arguments travel in PostgreSQL's own text form: PostgreSQL checks them when they are bound, before it
#: looks at any row, and nothing is lost on the way.
TEXT_TYPES: Final = (
    *("numeric", "money", "date", "time", "timetz", "timestamp", "timestamptz", "interval", "uuid", "oid", "char"),
    *("json", "jsonb", "jsonpath", "xml", "bytea", "bit", "varbit", "tsvector", "tsquery", "pg_lsn"),
    *("inet", "cidr", "macaddr", "macaddr8", "point", "line", "lseg", "box", "path", "polygon", "circle"),
)
_CONNECTION_LOST: Final = (
    OSError,
    asyncpg.InterfaceError,
    asyncpg.PostgresConnectionError,
    asyncpg.InternalClientError,
)


if TYPE_CHECKING:
    _AnyConnection = asyncpg.Connection[asyncpg.Record]
else:
    _AnyConnection = asyncpg.Connection


class _Connection(_AnyConnection):
    """A connection that is not reset between uses: the gateway never leaves session state behind."""

    def get_reset_query(self) -> str:
        return ""


class Running:
    """A connection inside one transaction."""

    def __init__(self, connection: asyncpg.Connection[asyncpg.Record]) -> None:
        self._connection = connection

    async def fetch(self, text: str, arguments: Sequence[object]) -> list[tuple[Any, ...]]:
        """The rows. Text and JSON columns come as bytes, those of TEXT_TYPES as PostgreSQL writes them."""
        return [tuple(record) for record in await self._connection.fetch(text, *arguments)]


class TenantDatabase:
    """Opened at first use and capped. A wait for a connection ends after `acquire_seconds`."""

    def __init__(
        self,
        dsn: str,
        *,
        max_connections: int = 10,
        statement_seconds: float = 10.0,
        acquire_seconds: float = 2.0,
    ) -> None:
        self._dsn = dsn
        self._max_connections = max_connections
        self._statement_seconds = statement_seconds
        self._acquire_seconds = acquire_seconds
        self._pool: asyncpg.Pool[asyncpg.Record] | None = None
        self._opening = asyncio.Lock()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Waits for what runs, then closes every connection."""
        pool, self._pool = self._pool, None
        if pool is not None:
            await pool.close()

    async def fetch_text(self, text: str, arguments: Sequence[object]) -> bytes:
        """The one value of type text that a statement gives. Raises StoreError."""
        async with self._connection() as connection:
            return cast("bytes", await connection.fetchval(text, *arguments))

    @asynccontextmanager
    async def transaction(self, *, commit: bool = True) -> AsyncGenerator[Running]:
        """One transaction: committed at the end, or undone on any error and where `commit` is false."""
        async with self._connection() as connection:
            transaction = connection.transaction()
            await transaction.start()
            try:
                yield Running(connection)
            except BaseException:
                if not connection.is_closed():
                    await transaction.rollback()
                raise
            await (transaction.commit() if commit else transaction.rollback())

    @asynccontextmanager
    async def _connection(self) -> AsyncGenerator[asyncpg.Connection[asyncpg.Record]]:
        pool = self._pool or await self._open()
        try:
            connection = await pool.acquire(timeout=self._acquire_seconds)
        except (TimeoutError, *_CONNECTION_LOST, asyncpg.PostgresError) as error:
            raise DatabaseUnavailable from error
        try:
            yield cast("asyncpg.Connection[asyncpg.Record]", connection)
        except (asyncpg.QueryCanceledError, TimeoutError) as error:
            raise StatementTimedOut from error
        except _CONNECTION_LOST as error:
            raise DatabaseUnavailable from error
        except asyncpg.PostgresError as error:
            raise refusal_of(error) from error
        finally:
            await pool.release(connection)

    async def _open(self) -> asyncpg.Pool[asyncpg.Record]:
        async with self._opening:
            if self._pool is None:
                try:
                    self._pool = await asyncpg.create_pool(
                        self._dsn,
                        min_size=0,
                        max_size=self._max_connections,
                        timeout=self._acquire_seconds,
                        command_timeout=self._statement_seconds + 1,
                        connection_class=_Connection,
                        init=_speak_text,
                        server_settings={
                            "application_name": "ostiary",
                            "statement_timeout": str(int(self._statement_seconds * 1000)),
                            "idle_in_transaction_session_timeout": "60000",
                            "jit": "off",
                            "timezone": "UTC",
                            "datestyle": "ISO",
                            "bytea_output": "hex",
                        },
                    )
                except (TimeoutError, *_CONNECTION_LOST, asyncpg.PostgresError) as error:
                    raise DatabaseUnavailable from error
            return self._pool


async def _speak_text(connection: asyncpg.Connection[asyncpg.Record]) -> None:
    for name in TEXT_TYPES:
        await connection.set_type_codec(name, schema="pg_catalog", encoder=str, decoder=str, format="text")
    await connection.set_type_codec("text", schema="pg_catalog", encoder=_encode, decoder=bytes, format="binary")


def _encode(value: str | bytes) -> bytes:
    return value.encode() if isinstance(value, str) else value
