"""RefusalNotes: what policy refuses comes into the audit, and nobody can flood that by being refused.

The same refusal of the same role is noted once a minute, with how often there was one since the note before; and of one
tenant there are no more than so many notes a minute, whoever is refused.
"""

from collections.abc import Callable
from typing import Final

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from db.audit import insert_refusal
from db.errors import PublicError
from gateway.log import log
from schema.bounded import Bounded
from schema.principal import Principal

NOTE_SECONDS: Final = 60.0
MAX_NOTES: Final = 100
MAX_REMEMBERED: Final = 10_000

Refusal = tuple[int, int, str, str, str]
"""The tenant and the role, of which kind of operation, the code and the sentence."""


class RefusalNotes:
    def __init__(self, engine: AsyncEngine, clock: Callable[[], float]) -> None:
        self._engine = engine
        self._clock = clock
        #: When a refusal was noted last, and how often there was one since.
        self._noted: Bounded[Refusal, tuple[float, int]] = Bounded(MAX_REMEMBERED)
        #: Of each tenant the minute, and how many notes there are of it.
        self._notes: Bounded[int, tuple[int, int]] = Bounded(MAX_REMEMBERED)

    async def note(self, principal: Principal, kind: str, field: str, refusal: PublicError) -> None:
        """Nothing; the refusal is in the audit, or counted for the next note. The reply does not depend on it."""
        times = self._count(principal, (principal.tenant_id, principal.role_id, kind, refusal.code, refusal.message))
        if times == 0:
            return
        told = {"field": field, "code": refusal.code, "refusal": refusal.message}
        told |= {"times": str(times)} if times > 1 else {}
        try:
            async with self._engine.begin() as connection:
                await insert_refusal(
                    connection,
                    principal.tenant_id,
                    action="refused",
                    kind=kind,
                    role_id=principal.role_id,
                    told=told,
                )
        except (SQLAlchemyError, OSError) as error:
            log.warning("a refusal could not be noted", error=type(error).__name__)

    def _count(self, principal: Principal, refusal: Refusal) -> int:
        """For how many refusals a note is due; 0 where none is."""
        now = self._clock()
        before, since = self._noted.get(refusal, (float("-inf"), 0))
        minute, notes = self._notes.get(principal.tenant_id, (0, 0))
        if minute != int(now // NOTE_SECONDS):
            minute, notes = int(now // NOTE_SECONDS), 0
        if now - before < NOTE_SECONDS or notes >= MAX_NOTES:
            self._noted[refusal] = before, since + 1
            return 0
        self._noted[refusal] = now, 0
        self._notes[principal.tenant_id] = minute, notes + 1
        return since + 1
