"""is_committed: what became of a transaction whose COMMIT got no answer."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from db.errors import OutcomeUnknown

#: Gives the id of a transaction, as long as it is open; null where it has changed nothing.
TRANSACTION_ID: Final = "select pg_current_xact_id_if_assigned()::text"
#: Gives what became of a transaction: `committed`, `aborted`, `in progress`, or null of one long ago.
TRANSACTION_STATUS: Final = "select pg_xact_status($1::text::xid8)"

# A server that has the COMMIT ends the transaction by itself; it may take a moment over it, or be starting again.
OUTCOME_SECONDS: Final = 5.0
PAUSE_SECONDS: Final = 0.1


async def is_committed(transaction_id: str | None, ask: Callable[[str], Awaitable[str | None]]) -> bool:
    """Whether the transaction is stored. `ask` gives what TRANSACTION_STATUS says on another connection, None where
    nobody answers. Raises OutcomeUnknown (PostgreSQL, "Transaction ID and Snapshot Information Functions", 9.27.8)."""
    if transaction_id is None:
        return False
    try:
        async with asyncio.timeout(OUTCOME_SECONDS):
            # PostgreSQL tells nobody of itself when it is done.
            while (status := await ask(transaction_id)) not in {"committed", "aborted"}:  # noqa: ASYNC110
                await asyncio.sleep(PAUSE_SECONDS)
    except TimeoutError as error:
        raise OutcomeUnknown from error
    return status == "committed"
