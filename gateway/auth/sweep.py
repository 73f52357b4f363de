"""The sweep: guests that were not seen for as long as their tenant keeps them go, a small batch at a time.

It loses every race against a conversion: it passes by whoever is locked, and takes only who has no session that goes
on, while to convert takes one.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from db.errors import PublicError
from db.guests import claim_due_guests, delete_guests
from db.owned_rows import delete_rows, disown_rows
from db.provider_identities import delete_unclaimed
from db.records import Tenant
from db.secrets import MasterKey
from db.tenants import list_tenants
from gateway.auth.adoption import owner_columns
from gateway.hooks import tell_hook
from gateway.state import Tenants

BATCH_SIZE: Final = 100
# A request that began while its session was open ends within this time, and clocks of processes differ.
MARGIN: Final = timedelta(seconds=60)
UNCLAIMED_LIFE: Final = timedelta(days=1)
# Of the keys of advisory locks, which are the database's own, one for each tenant.
_LOCK: Final = 0x6F73_7469

log = logging.getLogger(__name__)


async def sweep_tenant(
    engine: AsyncEngine, tenants: Tenants, tenant: Tenant, now: datetime, *, max_rows: int = BATCH_SIZE
) -> int:
    """How many guests went. Where another process sweeps the same tenant they are left to it. Raises StoreError."""
    total = 0
    while True:
        async with engine.begin() as connection:
            claimed, gone = await _sweep_batch(connection, tenants, tenant, now, max_rows)
        total += gone
        # Who was claimed and did not go would be claimed again.
        if claimed < max_rows or gone == 0:
            return total


async def sweep_all(engine: AsyncEngine, master_key: MasterKey, tenants: Tenants, now: datetime) -> int:
    """How many guests of all tenants went. A tenant whose database cannot be reached is left for the next time."""
    async with engine.begin() as connection:
        every = await list_tenants(connection, master_key)
        await delete_unclaimed(connection, before=now - UNCLAIMED_LIFE, max_rows=BATCH_SIZE)
    total = 0
    for tenant in every:
        try:
            total += await sweep_tenant(engine, tenants, tenant, now)
        except PublicError as error:
            log.warning("guests of tenant %d could not be swept: %s", tenant.tenant_id, error.code)
    return total


@asynccontextmanager
async def keep_swept(
    engine: AsyncEngine, master_key: MasterKey, tenants: Tenants, clock: Callable[[], float], pause_seconds: float
) -> AsyncGenerator[None]:
    """Nothing; meanwhile guests that are due go. With a pause of 0 none does."""
    task = None
    if pause_seconds:
        task = asyncio.create_task(_sweep_forever(engine, master_key, tenants, clock, pause_seconds))
    try:
        yield
    finally:
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def _sweep_forever(
    engine: AsyncEngine, master_key: MasterKey, tenants: Tenants, clock: Callable[[], float], pause_seconds: float
) -> None:
    while True:
        await asyncio.sleep(pause_seconds)
        try:
            gone = await sweep_all(engine, master_key, tenants, datetime.fromtimestamp(clock(), UTC))
        except (OSError, DBAPIError, PoolTimeout) as error:
            log.warning("guests could not be swept: %s", type(error).__name__)
        else:
            if gone:
                log.info("%d guests went", gone)


async def _sweep_batch(
    connection: AsyncConnection, tenants: Tenants, tenant: Tenant, now: datetime, max_rows: int
) -> tuple[int, int]:
    """How many guests were due, and how many of them went."""
    policy, alive = tenant.guests, now - MARGIN
    lock = select(func.pg_try_advisory_xact_lock(_LOCK, tenant.tenant_id))
    if not (await connection.execute(lock)).scalar_one():
        return 0, 0
    before = now - timedelta(seconds=policy.retention_seconds)
    due = await claim_due_guests(connection, tenant.tenant_id, policy, before=before, alive=alive, max_rows=max_rows)
    if not due:
        return 0, 0
    await _part_with_rows(tenants, tenant, due)
    gone = await delete_guests(connection, due, alive=alive)
    if gone:
        await tell_hook(connection, tenant, "after_expiry", {"roleids": list(gone)}, now)
    return len(due), len(gone)


async def _part_with_rows(tenants: Tenants, tenant: Tenant, role_ids: tuple[int, ...]) -> None:
    """Nothing; what the tenant has chosen is done with the rows of those who are about to go. They are locked, and have
    no session: should they stay after all, it is done again the next time."""
    if tenant.guests.rows == "keep":
        return
    loaded = await tenants.get(tenant.tenant_id, tenant.version)
    columns = owner_columns(loaded)
    if not columns:
        return
    async with loaded.database.transaction() as running:
        change = disown_rows if tenant.guests.rows == "disown" else delete_rows
        await change(running, columns, role_ids)
