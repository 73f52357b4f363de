"""answer_once: a mutation with an Idempotency-Key happens once, however often it is sent, and gives one reply.

The states of a key: claimed; recorded, with the id of the transaction in the tenant's database and the reply, while the
transaction may be open, committed or undone; and settled. A process may die in each of them. Of a claim that has not
been recorded the transaction was never committed; of a recorded one the tenant's database knows what became of it.
"""

import hashlib
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol, TypeVar

import orjson
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from db.commit import commit
from db.errors import OutcomeUnknown, PublicError
from db.idempotency import (
    NOTHING_CHANGED,
    Attempt,
    IdempotencyKey,
    claim_key,
    find_attempt,
    record_outcome,
    release_key,
    settle_outcome,
    take_over,
)
from db.secrets import MasterKey
from gateway.errors import RequestError
from schema.principal import Principal

T = TypeVar("T")
MAX_KEY_BYTES = 255
#: Told before its commit the id of a mutation's transaction, None where it changed nothing, and its reply.
Record = Callable[[str | None, bytes], Awaitable[None]]
Run = Callable[[Record], Awaitable[bytes]]


def _at_best() -> suppress:
    """What is recorded already says the same, only later or after one more question."""
    return suppress(PublicError, SQLAlchemyError, OSError)


class IdempotencyKeyInvalid(RequestError):
    """An Idempotency-Key that is empty, too long, given twice, or comes with several requests."""

    code = "IDEMPOTENCY_KEY_INVALID"


class IdempotencyKeyReused(RequestError):
    """An Idempotency-Key that was sent with another request."""

    code = "IDEMPOTENCY_KEY_REUSED"
    status = 422

    def __init__(self) -> None:
        super().__init__("This Idempotency-Key was sent with another request.")


class IdempotencyInProgress(RequestError):
    """A request with the same Idempotency-Key is being answered."""

    code = "IDEMPOTENCY_IN_PROGRESS"
    status = 409

    def __init__(self) -> None:
        super().__init__("A request with this Idempotency-Key is being answered. Ask again in a moment.")


class Outcomes(Protocol):
    """What a tenant's database knows of transactions."""

    async def outcome_of(self, transaction_id: str, /) -> str | None: ...


@dataclass(frozen=True, slots=True)
class Ledger:
    """Where keys are kept."""

    engine: AsyncEngine
    master_key: MasterKey
    random: Callable[[int], bytes]


def read_key(lines: list[bytes], principal: Principal) -> IdempotencyKey | None:
    """The key of a request. Raises IdempotencyKeyInvalid.

    All visitors share one role, so that a key of theirs is one for their session alone."""
    if not lines:
        return None
    key = lines[0].strip()
    if len(lines) > 1 or not 1 <= len(key) <= MAX_KEY_BYTES or not key.isascii() or not key.decode().isprintable():
        raise IdempotencyKeyInvalid(f"Send one Idempotency-Key of 1 to {MAX_KEY_BYTES} printable ASCII characters.")
    is_shared = principal.login == f"nobody{principal.tenant_id}"
    scope = principal.session_id if is_shared else ""
    return IdempotencyKey(principal.tenant_id, principal.role_id, scope, key.decode())


def digest_of(query: str, operation_name: str | None, variables: dict[str, object]) -> str:
    """What tells one request from another."""
    options = orjson.OPT_SORT_KEYS
    try:
        asked = orjson.dumps([query, operation_name, variables], option=options)
    except TypeError:
        # Integers beyond 64 bits, which orjson reads and does not write.
        asked = repr((query, operation_name, variables)).encode(errors="surrogatepass")
    return hashlib.sha256(asked).hexdigest()


async def answer_once(ledger: Ledger, outcomes: Outcomes, key: IdempotencyKey, digest: str, run: Run) -> bytes:
    """What `run` gives, or gave when the key was first sent. Raises what `run` does, RequestError, OutcomeUnknown."""
    claim = ledger.random(16).hex()
    async with ledger.engine.connect() as connection:
        is_free = await claim_key(connection, key, digest, claim)
        attempt = None if is_free else await find_attempt(connection, key, ledger.master_key)
        await commit(connection)
    if not is_free:
        if attempt is None:
            # Given up between the two questions.
            raise IdempotencyInProgress
        reply = await _earlier(ledger, outcomes, key, digest, attempt, claim)
        if reply is not None:
            return reply
    return await _run(ledger, key, claim, run)


async def _earlier(
    ledger: Ledger, outcomes: Outcomes, key: IdempotencyKey, digest: str, attempt: Attempt, claim: str
) -> bytes | None:
    """The reply of an earlier attempt; None where it came to nothing, and the claim is ours."""
    if attempt.digest != digest:
        raise IdempotencyKeyReused
    if attempt.transaction_id == NOTHING_CHANGED:
        return attempt.reply
    if attempt.transaction_id is not None:
        match await outcomes.outcome_of(attempt.transaction_id):
            case "committed":
                await _change(ledger, lambda connection: settle_outcome(connection, key, attempt.claim))
                return attempt.reply
            case "in progress":
                raise IdempotencyInProgress
            case "aborted":
                pass
            case _:
                raise OutcomeUnknown
    elif not attempt.is_over:
        raise IdempotencyInProgress
    if not await _change(ledger, lambda connection: take_over(connection, key, attempt.claim, claim)):
        raise IdempotencyInProgress
    return None


async def _run(ledger: Ledger, key: IdempotencyKey, claim: str, run: Run) -> bytes:
    async def record(transaction_id: str | None, reply: bytes) -> None:
        recorded = await _change(
            ledger,
            lambda connection: record_outcome(connection, key, claim, transaction_id, reply, ledger.master_key),
        )
        if not recorded:
            raise IdempotencyInProgress

    try:
        reply = await run(record)
    except OutcomeUnknown:
        # What is recorded tells whoever asks again.
        raise
    except PublicError:
        with _at_best():
            await _change(ledger, lambda connection: release_key(connection, key, claim))
        raise
    with _at_best():
        await _change(ledger, lambda connection: settle_outcome(connection, key, claim))
    return reply


async def _change(ledger: Ledger, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
    async with ledger.engine.connect() as connection:
        result = await work(connection)
        await commit(connection)
    return result
