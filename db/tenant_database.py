"""TenantDatabase: the pool of connections to one tenant's database, and how statements run on it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager, suppress
from time import monotonic
from typing import Any, Final, Self, cast

import asyncpg
from asyncpg.transaction import Transaction

from db.connections import Connections, Link
from db.engines import asyncpg_dsn
from db.errors import (
    DatabaseUnavailable,
    OutcomeUnknown,
    StatementTimedOut,
    Stopped,
    StoreError,
    TimeLimitExceeded,
)
from db.outcome import TRANSACTION_ID, TRANSACTION_STATUS, is_committed
from db.refusals import reason_of, refusal_of
from db.text_types import TEXT_TYPES

OVERRUN_SECONDS: Final = 1.0
#: What the driver keeps besides: the statements by which it looks types up.
STATEMENTS_OF_THE_DRIVER: Final = 20

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


class ConnectionLost(DatabaseUnavailable):
    """The connection broke while it was in use; what had not been committed is undone."""


class Running:
    """A connection inside one transaction."""

    def __init__(self, link: Link, max_seconds: float | None = None) -> None:
        """With `max_seconds` the statements together end within them."""
        self._link = link
        self._ends = None if max_seconds is None else monotonic() + max_seconds

    async def fetch(self, text: str, arguments: Sequence[object]) -> list[tuple[Any, ...]]:
        """The rows. Text and JSON columns come as bytes, those of TEXT_TYPES as PostgreSQL writes them.

        Raises ConstraintViolated, InvalidValue."""
        if self._ends is not None:
            left = max(1, int((self._ends - monotonic()) * 1000))
            await self._link.connection.execute(f"set local statement_timeout = {left}")
        try:
            self._link.since = monotonic()
            return [tuple(record) for record in await self._link.fetch_rows(text, arguments)]
        except asyncpg.UndefinedObjectError as error:
            reason = reason_of(error)
            if reason is None:
                raise
            raise Stopped(reason) from error
        except (asyncpg.IntegrityConstraintViolationError, asyncpg.DataError) as error:
            raise refusal_of(error) from error

    async def transaction_id(self) -> str | None:
        """By what `outcome_of` knows the transaction; None as long as it has changed nothing."""
        return await _transaction_id(self._link)

    async def check_deferred(self) -> None:
        """Nothing; the constraints that wait for the commit hold. Raises ConstraintViolated."""
        try:
            await self._link.connection.execute("set constraints all immediate")
        except asyncpg.IntegrityConstraintViolationError as error:
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
        self._statement_seconds = statement_seconds
        self._acquire_seconds = acquire_seconds
        # PostgreSQL stops a statement at its limit. Where it does not answer at all, the connection is left after it.
        self._connections = Connections(
            self._connect, limit=max_connections, busy_seconds=statement_seconds + OVERRUN_SECONDS
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Waits for what runs, then closes every connection."""
        await self._connections.close()

    async def fetch_text(self, text: str, arguments: Sequence[object], *, max_seconds: float | None = None) -> bytes:
        """The one value of type text that a reading statement gives. It is run again, once, on a new connection if
        the first is lost. Raises StoreError; TimeLimitExceeded where it takes longer than `max_seconds`."""
        try:
            return await self._fetch_text(text, arguments, max_seconds)
        except ConnectionLost:
            return await self._fetch_text(text, arguments, max_seconds)

    async def write_text(self, text: str, arguments: Sequence[object]) -> bytes | None:
        """The one value of type text that a changing statement gives, which is a transaction by itself; None where it
        gives no row. It is never run again.

        Raises Stopped, OutcomeUnknown when the connection is lost before the answer, and other StoreErrors when nothing
        was changed: what PostgreSQL itself refuses, it has undone.
        """
        link = self._connections.take() or await self._wait()
        try:
            value = cast("bytes | None", await link.fetch_value(text, arguments))
        except BaseException as error:
            refusal = self._part_with(link, error)
            if refusal is None:
                raise
            if isinstance(refusal, ConnectionLost) or link.has_overrun or isinstance(error, TimeoutError):
                # PostgreSQL commits before it answers: without the answer nobody knows.
                raise OutcomeUnknown from error
            raise refusal from error
        self._connections.give_back(link)
        return value

    @asynccontextmanager
    async def transaction(self, *, commit: bool = True, max_seconds: float | None = None) -> AsyncGenerator[Running]:
        """One transaction: committed at the end, or undone on any error and where `commit` is false.

        Raises OutcomeUnknown when nobody can tell whether it was committed, and other StoreErrors when it was not;
        TimeLimitExceeded where its statements take longer than `max_seconds`.
        """
        limit = max_seconds if max_seconds is not None and max_seconds < self._statement_seconds else None
        async with _within(limit), self._link() as link:
            transaction = link.connection.transaction()
            await transaction.start()
            try:
                yield Running(link, limit)
                # Only what has changed something has an id, and it has to be known before the end.
                transaction_id = await _transaction_id(link) if commit else None
            except BaseException:
                await _roll_back(link, transaction)
                raise
            if commit:
                await self._commit(link, transaction, transaction_id)
            else:
                await transaction.rollback()

    @asynccontextmanager
    async def reading(self, *, statement_seconds: float) -> AsyncGenerator[Running]:
        """One transaction that sees one moment, can change nothing, and in which a statement has less time than
        elsewhere. Raises StoreError."""
        async with self._link() as link:
            transaction = link.connection.transaction(isolation="repeatable_read", readonly=True)
            await transaction.start()
            try:
                running = Running(link)
                await running.fetch(
                    "select set_config('statement_timeout', $1, true)", [str(int(statement_seconds * 1000))]
                )
                yield running
            except BaseException:
                await _roll_back(link, transaction)
                raise
            await transaction.rollback()

    async def _fetch_text(self, text: str, arguments: Sequence[object], max_seconds: float | None = None) -> bytes:
        if max_seconds is not None:
            async with self.transaction(commit=False, max_seconds=max_seconds) as running:
                [(limited,)] = await running.fetch(text, arguments)
            return cast("bytes", limited)
        link = self._connections.take() or await self._wait()
        try:
            value: bytes = await link.fetch_value(text, arguments)
        except BaseException as error:
            refusal = self._part_with(link, error)
            if refusal is None:
                raise
            raise refusal from error
        self._connections.give_back(link)
        return value

    async def _commit(self, link: Link, transaction: Transaction, transaction_id: str | None) -> None:
        """Nothing, when the transaction is committed. Raises OutcomeUnknown, ConnectionLost."""
        try:
            await transaction.commit()
        except _CONNECTION_LOST as error:
            # A COMMIT that is under way must not be cancelled, nor its connection be waited for.
            self._connections.drop(link)
            if not await is_committed(transaction_id, self._status):
                raise ConnectionLost from error

    async def outcome_of(self, transaction_id: str) -> str | None:
        """What became of a transaction: `committed`, `aborted`, `in progress`; None where nobody can tell."""
        return await self._status(transaction_id)

    async def _status(self, transaction_id: str) -> str | None:
        try:
            status = cast("bytes | None", await self._fetch_text(TRANSACTION_STATUS, [transaction_id]))
        except StoreError:
            return None
        return None if status is None else status.decode()

    @asynccontextmanager
    async def _link(self) -> AsyncGenerator[Link]:
        link = self._connections.take() or await self._wait()
        try:
            yield link
        except BaseException as error:
            refusal = self._part_with(link, error)
            if refusal is None:
                raise
            raise refusal from error
        self._connections.give_back(link)

    async def _wait(self) -> Link:
        try:
            return await self._connections.wait(self._acquire_seconds)
        except (*_CONNECTION_LOST, asyncpg.PostgresError) as error:
            raise DatabaseUnavailable from error

    def _part_with(self, link: Link, error: BaseException) -> StoreError | Stopped | None:
        """What the caller is told of the error, None for the error itself; the link goes where it still can."""
        if link.has_overrun or (isinstance(error, _CONNECTION_LOST) and not isinstance(error, TimeoutError)):
            # The driver may take it for whole: after "cannot switch to state" it would never work again.
            self._connections.drop(link)
            return StatementTimedOut() if link.has_overrun else ConnectionLost()
        if isinstance(error, asyncio.CancelledError | TimeoutError):
            self._connections.settle(link)
            return StatementTimedOut() if isinstance(error, TimeoutError) else None
        self._connections.give_back(link)
        if isinstance(error, asyncpg.QueryCanceledError):
            return StatementTimedOut()
        if not isinstance(error, asyncpg.PostgresError):
            return None
        reason = reason_of(error)
        return refusal_of(error) if reason is None else Stopped(reason)

    async def _connect(self) -> asyncpg.Connection[asyncpg.Record]:
        connection = await asyncpg.connect(
            asyncpg_dsn(self._dsn),
            timeout=self._acquire_seconds,
            # Statements are kept by their Link.
            statement_cache_size=STATEMENTS_OF_THE_DRIVER,
            server_settings={
                "application_name": "ostiary",
                "statement_timeout": str(int(self._statement_seconds * 1000)),
                "idle_in_transaction_session_timeout": "60000",
                "jit": "off",
                "timezone": "UTC",
                "datestyle": "ISO",
                "bytea_output": "hex",
                "intervalstyle": "postgres",
                "extra_float_digits": "1",
            },
        )
        await _speak_text(connection)
        return connection


@asynccontextmanager
async def _within(limit: float | None) -> AsyncGenerator[None]:
    """What runs past a limit of its own is told so."""
    try:
        yield
    except StatementTimedOut as error:
        if limit is None:
            raise
        raise TimeLimitExceeded(limit) from error


async def _transaction_id(link: Link) -> str | None:
    found = cast("bytes | None", await link.fetch_value(TRANSACTION_ID, []))
    return None if found is None else found.decode()


async def _roll_back(link: Link, transaction: Transaction) -> None:
    """Nothing; the transaction is undone, by its end or by that of its connection. What went wrong before counts."""
    try:
        await transaction.rollback()
    except (*_CONNECTION_LOST, asyncpg.PostgresError):
        with suppress(asyncpg.InterfaceError):
            link.connection.terminate()


async def _speak_text(connection: asyncpg.Connection[asyncpg.Record]) -> None:
    for name in TEXT_TYPES:
        await connection.set_type_codec(name, schema="pg_catalog", encoder=str, decoder=str, format="text")
    await connection.set_type_codec("text", schema="pg_catalog", encoder=_encode, decoder=bytes, format="binary")


def _encode(value: str | bytes) -> bytes:
    return value.encode() if isinstance(value, str) else value
