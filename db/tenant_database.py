"""TenantDatabase: the pool of connections to one tenant's database, and how statements run on it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any, Final, Self, cast

import asyncpg
from asyncpg.transaction import Transaction

from db.engines import asyncpg_dsn
from db.errors import DatabaseUnavailable, StatementTimedOut, StoreError
from db.outcome import TRANSACTION_ID, TRANSACTION_STATUS, is_committed
from db.refusals import refusal_of

#: Types whose arguments travel in PostgreSQL's own text form: PostgreSQL checks them when they are bound, before it
#: looks at any row, and nothing is lost on the way.
TEXT_TYPES: Final = (
    *("numeric", "money", "date", "time", "timetz", "timestamp", "timestamptz", "interval", "uuid", "oid", "char"),
    *("json", "jsonb", "jsonpath", "xml", "bytea", "bit", "varbit", "tsvector", "tsquery", "pg_lsn"),
    *("inet", "cidr", "macaddr", "macaddr8", "point", "line", "lseg", "box", "path", "polygon", "circle"),
)

#: How long a connection may take to get rid of a statement that was given up, before it is thrown away.
RELEASE_SECONDS: Final = 5.0

_CONNECTION_LOST: Final = (
    OSError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.PostgresConnectionError,
    # With these PostgreSQL ends the session.
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.CannotConnectNowError,
    asyncpg.DatabaseDroppedError,
    asyncpg.IdleInTransactionSessionTimeoutError,
)


if TYPE_CHECKING:
    _AnyConnection = asyncpg.Connection[asyncpg.Record]
else:
    _AnyConnection = asyncpg.Connection


class _Connection(_AnyConnection):
    """A connection that is not reset between uses: the gateway never leaves session state behind."""

    def get_reset_query(self) -> str:
        return ""


class ConnectionLost(DatabaseUnavailable):
    """The connection broke while it was in use; what had not been committed is undone."""


class Running:
    """A connection inside one transaction."""

    def __init__(self, connection: asyncpg.Connection[asyncpg.Record]) -> None:
        self._connection = connection

    async def fetch(self, text: str, arguments: Sequence[object]) -> list[tuple[Any, ...]]:
        """The rows. Text and JSON columns come as bytes, those of TEXT_TYPES as PostgreSQL writes them.

        Raises ConstraintViolated, InvalidValue."""
        try:
            return [tuple(record) for record in await self._connection.fetch(text, *arguments)]
        except (asyncpg.IntegrityConstraintViolationError, asyncpg.DataError) as error:
            raise refusal_of(error) from error


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
        """The one value of type text that a reading statement gives. It is run again, once, on a new connection if
        the first is lost. Raises StoreError."""
        try:
            return await self._fetch_text(text, arguments)
        except ConnectionLost:
            return await self._fetch_text(text, arguments)

    @asynccontextmanager
    async def transaction(self, *, commit: bool = True) -> AsyncGenerator[Running]:
        """One transaction: committed at the end, or undone on any error and where `commit` is false.

        Raises OutcomeUnknown when nobody can tell whether it was committed, and other StoreErrors when it was not.
        """
        async with self._connection() as connection:
            transaction = connection.transaction()
            await transaction.start()
            try:
                yield Running(connection)
                # Only what has changed something has an id, and it has to be known before the end.
                transaction_id = await _transaction_id(connection) if commit else None
            except BaseException:
                await _roll_back(connection, transaction)
                raise
            if commit:
                await self._commit(connection, transaction, transaction_id)
            else:
                await transaction.rollback()

    async def _fetch_text(self, text: str, arguments: Sequence[object]) -> bytes:
        async with self._connection() as connection:
            return cast("bytes", await connection.fetchval(text, *arguments))

    async def _commit(
        self,
        connection: asyncpg.Connection[asyncpg.Record],
        transaction: Transaction,
        transaction_id: str | None,
    ) -> None:
        """Nothing, when the transaction is committed. Raises OutcomeUnknown, ConnectionLost."""
        try:
            await transaction.commit()
        except _CONNECTION_LOST as error:
            # A COMMIT that is under way must not be cancelled, nor its connection be waited for.
            _throw_away(connection)
            if not await is_committed(transaction_id, self._status):
                raise ConnectionLost from error

    async def _status(self, transaction_id: str) -> str | None:
        try:
            status = cast("bytes | None", await self._fetch_text(TRANSACTION_STATUS, [transaction_id]))
        except StoreError:
            return None
        return None if status is None else status.decode()

    @asynccontextmanager
    async def _connection(self) -> AsyncGenerator[asyncpg.Connection[asyncpg.Record]]:
        pool = self._pool or await self._open()
        try:
            connection = cast("asyncpg.Connection[asyncpg.Record]", await pool.acquire(timeout=self._acquire_seconds))
        except (*_CONNECTION_LOST, asyncpg.PostgresError) as error:
            raise DatabaseUnavailable from error
        try:
            yield connection
        except (asyncpg.QueryCanceledError, TimeoutError) as error:
            raise StatementTimedOut from error
        except _CONNECTION_LOST as error:
            # The driver may take it for whole: after "cannot switch to state" it would never work again.
            _throw_away(connection)
            raise ConnectionLost from error
        except asyncpg.PostgresError as error:
            raise refusal_of(error) from error
        finally:
            await _give_back(pool, connection)

    async def _open(self) -> asyncpg.Pool[asyncpg.Record]:
        async with self._opening:
            if self._pool is None:
                address = asyncpg_dsn(self._dsn)
                try:
                    self._pool = await asyncpg.create_pool(
                        address,
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
                except (*_CONNECTION_LOST, asyncpg.PostgresError) as error:
                    raise DatabaseUnavailable from error
            return self._pool


async def _transaction_id(connection: asyncpg.Connection[asyncpg.Record]) -> str | None:
    found = cast("bytes | None", await connection.fetchval(TRANSACTION_ID))
    return None if found is None else found.decode()


def _throw_away(connection: asyncpg.Connection[asyncpg.Record]) -> None:
    # The pool takes back by itself what it sees closed, and then answers for it with an error.
    with suppress(asyncpg.InterfaceError):
        connection.terminate()


async def _roll_back(connection: asyncpg.Connection[asyncpg.Record], transaction: Transaction) -> None:
    """Nothing; the transaction is undone, by its end or by that of its connection. What went wrong before counts."""
    try:
        await transaction.rollback()
    except (*_CONNECTION_LOST, asyncpg.PostgresError):
        _throw_away(connection)


async def _give_back(pool: asyncpg.Pool[asyncpg.Record], connection: asyncpg.Connection[asyncpg.Record]) -> None:
    try:
        await pool.release(cast("Any", connection), timeout=RELEASE_SECONDS)
    except (*_CONNECTION_LOST, asyncpg.PostgresError):
        # The pool has thrown it away.
        _throw_away(connection)


async def _speak_text(connection: asyncpg.Connection[asyncpg.Record]) -> None:
    for name in TEXT_TYPES:
        await connection.set_type_codec(name, schema="pg_catalog", encoder=str, decoder=str, format="text")
    await connection.set_type_codec("text", schema="pg_catalog", encoder=_encode, decoder=bytes, format="binary")


def _encode(value: str | bytes) -> bytes:
    return value.encode() if isinstance(value, str) else value
