"""The queries of table `idempotency`: a mutation under a key is claimed, its outcome recorded before its commit.

Nothing can be stored in a tenant's database beside the tenant's own rows, so what becomes of a mutation is known by the
id of its transaction: it is recorded here together with the reply, and only then committed there. Whoever comes later
asks that database what became of the transaction, and has the reply if it was committed.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import ColumnElement, and_, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from db import tables
from db.secrets import MasterKey, seal, unseal

#: How long a reply is kept.
KEPT: Final = timedelta(hours=24)
#: After that a claim without an outcome counts as given up: its transaction can no longer be recorded, so neither
#: committed.
CLAIM_LASTS: Final = timedelta(seconds=60)
#: For a mutation that changed nothing, so that there is nothing to ask about.
NOTHING_CHANGED: Final = ""
REPLY_PURPOSE: Final = "reply"


@dataclass(frozen=True, slots=True)
class IdempotencyKey:
    """A key, and for whom it is one: a role, or with a scope of its own one session of it."""

    tenant_id: int
    role_id: int
    scope: str
    key: str


@dataclass(frozen=True, slots=True)
class Attempt:
    """What is recorded under a key: a digest of what was asked, who has claimed it and when, and once that is known
    the transaction with the reply that is true if it was committed."""

    digest: str
    claim: str
    claimed_at: datetime
    is_over: bool
    transaction_id: str | None
    reply: bytes | None


async def claim_key(connection: AsyncConnection, key: IdempotencyKey, digest: str, claim: str) -> bool:
    """Whether the key was free, and now is claimed. What is older than KEPT is gone."""
    await connection.execute(delete(tables.idempotency).where(tables.idempotency.c.claimed_at < func.now() - KEPT))
    values = {"tenant_id": key.tenant_id, "role_id": key.role_id, "scope": key.scope, "key": key.key}
    claimed = await connection.execute(
        insert(tables.idempotency).values(**values, digest=digest, claim=claim).on_conflict_do_nothing()
    )
    return claimed.rowcount == 1


async def find_attempt(connection: AsyncConnection, key: IdempotencyKey, master_key: MasterKey) -> Attempt | None:
    row = (
        await connection.execute(
            select(
                tables.idempotency,
                (tables.idempotency.c.claimed_at < func.now() - CLAIM_LASTS).label("is_over"),
            ).where(_is(key))
        )
    ).first()
    if row is None:
        return None
    sealed: str | None = row.sealed_reply
    return Attempt(
        digest=row.digest,
        claim=row.claim,
        claimed_at=row.claimed_at,
        is_over=row.is_over,
        transaction_id=row.transaction_id,
        reply=None if sealed is None else unseal(master_key, sealed, purpose=REPLY_PURPOSE),
    )


async def take_over(connection: AsyncConnection, key: IdempotencyKey, old_claim: str, claim: str) -> bool:
    """Whether the claim was still the old one, and now is the new one with nothing recorded."""
    taken = await connection.execute(
        update(tables.idempotency)
        .where(_is(key), tables.idempotency.c.claim == old_claim)
        .values(claim=claim, claimed_at=func.now(), transaction_id=None, sealed_reply=None)
    )
    return taken.rowcount == 1


async def record_outcome(
    connection: AsyncConnection,
    key: IdempotencyKey,
    claim: str,
    transaction_id: str | None,
    reply: bytes,
    master_key: MasterKey,
) -> bool:
    """Whether the claim still stood, so that the transaction may be committed."""
    recorded = await connection.execute(
        update(tables.idempotency)
        .where(_is(key), tables.idempotency.c.claim == claim)
        .values(
            transaction_id=NOTHING_CHANGED if transaction_id is None else transaction_id,
            sealed_reply=seal(master_key, reply, purpose=REPLY_PURPOSE),
        )
    )
    return recorded.rowcount == 1


async def settle_outcome(connection: AsyncConnection, key: IdempotencyKey, claim: str) -> None:
    """Nothing; the transaction is known to be committed, and nobody has to ask again."""
    await connection.execute(
        update(tables.idempotency)
        .where(_is(key), tables.idempotency.c.claim == claim)
        .values(transaction_id=NOTHING_CHANGED)
    )


async def release_key(connection: AsyncConnection, key: IdempotencyKey, claim: str) -> None:
    """Nothing; the mutation has changed nothing, and the key is free again."""
    await connection.execute(delete(tables.idempotency).where(_is(key), tables.idempotency.c.claim == claim))


def _is(key: IdempotencyKey) -> ColumnElement[bool]:
    columns = tables.idempotency.c
    return and_(
        columns.tenant_id == key.tenant_id,
        columns.role_id == key.role_id,
        columns.scope == key.scope,
        columns.key == key.key,
    )
