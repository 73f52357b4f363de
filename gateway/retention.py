"""Retention: what the audit no longer has to keep goes, an hour's worth at a time."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from db.audit import delete_old_entries

PAUSE_SECONDS: Final = 3600.0

log = logging.getLogger(__name__)


@asynccontextmanager
async def keep_audit(engine: AsyncEngine, days: int, clock: Callable[[], float]) -> AsyncGenerator[None]:
    """Nothing; meanwhile entries older than these days are deleted. Of 0 days none is."""
    task = asyncio.create_task(_delete_forever(engine, days, clock)) if days else None
    try:
        yield
    finally:
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def _delete_forever(engine: AsyncEngine, days: int, clock: Callable[[], float]) -> None:
    while True:
        try:
            async with engine.begin() as connection:
                await delete_old_entries(connection, datetime.fromtimestamp(clock(), UTC) - timedelta(days=days))
        except (OSError, DBAPIError) as error:
            log.warning("old entries of the audit could not be deleted: %s", type(error).__name__)
        await asyncio.sleep(PAUSE_SECONDS)
