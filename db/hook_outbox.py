"""The queries of table `hook_outbox`: what hooks have still to be told, stored with what it tells of."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import RowMapping, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from db import tables

# After each failure: then it is given up. As the specification of Standard Webhooks proposes it.
RETRIES: Final = tuple(timedelta(seconds=seconds) for seconds in (5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000))


@dataclass(frozen=True, slots=True)
class Undelivered:
    """What a tenant's hook has still to be told, and how often that was tried."""

    entry_id: int
    tenant_id: int
    event: str
    payload: Mapping[str, Any]
    created_at: datetime
    tries: int


async def insert_told(
    connection: AsyncConnection, tenant_id: int, event: str, payload: Mapping[str, Any], now: datetime
) -> None:
    """Nothing; the hook is told once the transaction has committed, and not if it does not."""
    values = {"tenant_id": tenant_id, "event": event, "payload": dict(payload), "created_at": now, "next_try_at": now}
    await connection.execute(insert(tables.hook_outbox).values(values))


async def claim_undelivered(connection: AsyncConnection, now: datetime, *, lease: timedelta) -> Undelivered | None:
    """One entry that is due, and that nobody else takes before the lease is over; None where nothing is due."""
    stored = tables.hook_outbox.c
    due = (
        select(stored.entry_id)
        .where(stored.next_try_at <= now)
        .order_by(stored.next_try_at, stored.entry_id)
        .limit(1)
        .with_for_update(skip_locked=True)
        .scalar_subquery()
    )
    statement = (
        update(tables.hook_outbox)
        .where(stored.entry_id == due)
        .values(next_try_at=now + lease)
        .returning(tables.hook_outbox)
    )
    row = (await connection.execute(statement)).mappings().one_or_none()
    return None if row is None else _to_undelivered(row)


async def delete_delivered(connection: AsyncConnection, entry_id: int) -> None:
    await connection.execute(delete(tables.hook_outbox).where(tables.hook_outbox.c.entry_id == entry_id))


async def put_off(connection: AsyncConnection, entry: Undelivered, now: datetime) -> bool:
    """Whether it will be tried again; an entry that has failed too often is gone."""
    if entry.tries >= len(RETRIES):
        await delete_delivered(connection, entry.entry_id)
        return False
    await connection.execute(
        update(tables.hook_outbox)
        .where(tables.hook_outbox.c.entry_id == entry.entry_id)
        .values(tries=entry.tries + 1, next_try_at=now + RETRIES[entry.tries])
    )
    return True


def _to_undelivered(row: RowMapping) -> Undelivered:
    return Undelivered(
        entry_id=row["entry_id"],
        tenant_id=row["tenant_id"],
        event=row["event"],
        payload=row["payload"],
        created_at=row["created_at"],
        tries=row["tries"],
    )
