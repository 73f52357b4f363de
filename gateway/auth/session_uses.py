"""keep_uses: what this process knows of the use of sessions reaches the control database, and with it the others."""

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from typing import Final

from sqlalchemy.exc import SQLAlchemyError

from gateway.auth.principals import Principals

PAUSE_SECONDS: Final = 1.0

log = logging.getLogger(__name__)


@asynccontextmanager
async def keep_uses(principals: Principals) -> AsyncGenerator[None]:
    """Nothing; meanwhile, and once more at the end, uses are stored that are worth it."""
    task = asyncio.create_task(_store_forever(principals))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        with suppress(OSError, SQLAlchemyError):
            await principals.store_uses()


async def _store_forever(principals: Principals) -> None:
    while True:
        try:
            await principals.store_uses()
        except (OSError, SQLAlchemyError) as error:
            log.warning("the use of sessions could not be stored: %s", type(error).__name__)
        await asyncio.sleep(PAUSE_SECONDS)
