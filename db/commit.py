"""commit: the end of a transaction on the control database, told truly also when its answer is lost."""

import asyncpg
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from db.errors import DatabaseUnavailable
from db.outcome import TRANSACTION_ID, TRANSACTION_STATUS, is_committed


async def commit(connection: AsyncConnection) -> None:
    """Nothing; what the transaction did is stored. Raises DatabaseUnavailable when it surely is not, and
    OutcomeUnknown when nobody can tell."""
    transaction_id: str | None = (await connection.exec_driver_sql(TRANSACTION_ID)).scalar_one()
    engine = connection.engine

    async def ask(identity: str) -> str | None:
        try:
            async with engine.connect() as other:
                return (await other.exec_driver_sql(TRANSACTION_STATUS, (identity,))).scalar_one()
        except (SQLAlchemyError, asyncpg.InterfaceError, OSError):
            return None

    try:
        await connection.commit()
    except (DBAPIError, asyncpg.InterfaceError, OSError) as error:
        if isinstance(error, DBAPIError) and _was_refused(error):
            raise
        if not await is_committed(transaction_id, ask):
            raise DatabaseUnavailable from error


def _was_refused(error: DBAPIError) -> bool:
    """Whether the server answered, as it does when a deferred constraint fails."""
    cause = error.orig.__cause__ if error.orig is not None else None
    return isinstance(cause, asyncpg.PostgresError) and not error.connection_invalidated
