"""commit: the end of a transaction on the control database, told truly also when its answer is lost."""

import asyncio
from typing import Final

import asyncpg
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from db.errors import DatabaseUnavailable, OutcomeUnknown

_IDENTITY: Final = text("select pg_current_xact_id()::text")
_STATUS: Final = text("select pg_xact_status(cast(cast(:identity as text) as xid8))")
# A server that has the COMMIT ends the transaction by itself; it may take a moment over it.
_QUESTIONS: Final = 10
_PAUSE_SECONDS: Final = 0.2


async def commit(connection: AsyncConnection) -> None:
    """Nothing; what the transaction did is stored. Raises DatabaseUnavailable when it surely is not, and
    OutcomeUnknown when nobody can tell (PostgreSQL, "Transaction ID and Snapshot Information Functions", 9.27.8)."""
    identity: str = (await connection.execute(_IDENTITY)).scalar_one()
    try:
        await connection.commit()
    except (DBAPIError, asyncpg.InterfaceError, OSError) as error:
        if isinstance(error, DBAPIError) and _was_refused(error):
            raise
        if not await _is_committed(connection.engine, identity):
            raise DatabaseUnavailable from error


def _was_refused(error: DBAPIError) -> bool:
    """Whether the server answered, as it does when a deferred constraint fails."""
    cause = error.orig.__cause__ if error.orig is not None else None
    return isinstance(cause, asyncpg.PostgresError) and not error.connection_invalidated


async def _is_committed(engine: AsyncEngine, identity: str) -> bool:
    for _ in range(_QUESTIONS):
        try:
            async with engine.connect() as connection:
                status = (await connection.execute(_STATUS, {"identity": identity})).scalar_one()
        except (SQLAlchemyError, asyncpg.InterfaceError, OSError):
            status = "unknown"
        if status in {"committed", "aborted"}:
            return status == "committed"
        await asyncio.sleep(_PAUSE_SECONDS)
    raise OutcomeUnknown
