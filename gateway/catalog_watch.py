"""CatalogWatch: notices by itself that somebody has changed a tenant's tables, whoever it was."""

import asyncio
import logging
from typing import Protocol

log = logging.getLogger(__name__)


class Noticing(Protocol):
    """The part of Tenants that the watch is about."""

    async def notice_changes(self) -> None: ...


class CatalogWatch:
    """One task that looks again and again, `seconds` after it has looked before; with 0 it never does."""

    def __init__(self, tenants: Noticing, seconds: float) -> None:
        self._tenants = tenants
        self._seconds = seconds
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Nothing; from now on changes are noticed."""
        if self._seconds:
            self._task = asyncio.create_task(self._watch())

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(self._seconds)
            try:
                await self._tenants.notice_changes()
            except Exception:
                # One tenant that cannot be read must not end the watch over the others.
                log.exception("changes of tables could not be looked for")
