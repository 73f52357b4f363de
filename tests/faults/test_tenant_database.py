"""TenantDatabase when connections break, statements hang, and answers are lost."""

import asyncio
from collections.abc import AsyncIterator, Callable

import asyncpg
import pytest

from db.errors import (
    DatabaseUnavailable,
    InvalidValue,
    OutcomeUnknown,
    StatementTimedOut,
    Stopped,
    StoreError,
)
from db.tenant_database import TenantDatabase
from tests.faults.proxies import COMMIT, a_network

pytestmark = pytest.mark.postgres

COUNT = "select count(*)::text from kept"


class Watcher:
    """A connection beside those of the gateway, which sees and ends theirs."""

    def __init__(self, connection: "asyncpg.Connection[asyncpg.Record]") -> None:
        self.connection = connection

    async def sessions(self, condition: str = "true") -> int:
        return await self.connection.fetchval(
            "select count(*) from pg_stat_activity"
            f" where datname = current_database() and application_name = 'ostiary' and {condition}"
        )

    async def until(self, condition: Callable[[int], bool], of: str = "true") -> None:
        async with asyncio.timeout(20):
            while not condition(await self.sessions(of)):
                await asyncio.sleep(0.005)

    async def end_sessions(self) -> int:
        return await self.connection.fetchval(
            "select count(pg_terminate_backend(pid)) from pg_stat_activity"
            " where datname = current_database() and application_name = 'ostiary'"
        )

    async def pids(self) -> list[int]:
        return await self.connection.fetchval(
            "select array_agg(pid) from pg_stat_activity"
            " where datname = current_database() and application_name = 'ostiary'"
        )

    async def rows(self) -> int:
        return await self.connection.fetchval("select count(*) from kept")


@pytest.fixture
async def watcher(database: str) -> AsyncIterator[Watcher]:
    connection = await asyncpg.connect(database)
    await connection.execute("create table kept (number int primary key)")
    yield Watcher(connection)
    await connection.close()


async def test_a_read_whose_connection_is_ended_is_run_once_more(database: str, watcher: Watcher) -> None:
    async with TenantDatabase(database) as tenant:
        reading = asyncio.create_task(tenant.fetch_text("select 'done' || coalesce(pg_sleep(0.5)::text, '')", []))
        await watcher.until(lambda count: count == 1, "state = 'active'")
        await watcher.end_sessions()

        assert await reading == b"done"


async def test_a_read_that_is_ended_twice_is_refused_and_the_next_is_answered(database: str, watcher: Watcher) -> None:
    async with TenantDatabase(database) as tenant:
        reading = asyncio.create_task(tenant.fetch_text("select pg_sleep(20)::text", []))
        for _ in range(2):
            await watcher.until(lambda count: count == 1, "query like '%pg_sleep%' and state = 'active'")
            await watcher.end_sessions()
            await watcher.until(lambda count: count == 0, "query like '%pg_sleep%' and backend_xmin is null")

        with pytest.raises(DatabaseUnavailable):
            await reading
        assert await tenant.fetch_text(COUNT, []) == b"0"


async def test_under_load_every_ended_connection_is_an_answer_or_a_clean_refusal(
    database: str, watcher: Watcher
) -> None:
    numbers = iter(range(1_000_000))
    stored: set[int] = set()
    refused: list[StoreError] = []
    is_over = asyncio.Event()

    async def work(tenant: TenantDatabase) -> None:
        while not is_over.is_set():
            number = next(numbers)
            try:
                async with tenant.transaction() as transaction:
                    await transaction.fetch("insert into kept values ($1) returning number", [number])
                stored.add(number)
                await tenant.fetch_text(COUNT, [])
            except StoreError as error:
                refused.append(error)

    async with TenantDatabase(database, max_connections=4) as tenant, asyncio.TaskGroup() as workers:
        for _ in range(8):
            workers.create_task(work(tenant))
        for _ in range(10):
            before = len(stored)
            while len(stored) < before + 20:
                await asyncio.sleep(0.005)
            await watcher.end_sessions()
        before = len(stored)
        while len(stored) < before + 20:
            await asyncio.sleep(0.005)
        is_over.set()

    assert {error.code for error in refused} <= {"DATABASE_UNAVAILABLE"}
    assert {row[0] for row in await watcher.connection.fetch("select number from kept")} == stored


async def test_a_statement_past_its_time_is_stopped_in_postgresql_too(database: str, watcher: Watcher) -> None:
    async with TenantDatabase(database, statement_seconds=0.2, max_connections=1) as tenant:
        with pytest.raises(StatementTimedOut) as refusal:
            await tenant.fetch_text("select pg_sleep(20)::text", [])

        assert refusal.value.code == "TIMEOUT"
        assert await watcher.sessions("query like '%pg_sleep%' and state = 'active'") == 0
        assert await tenant.fetch_text(COUNT, []) == b"0"


async def test_a_server_that_ignores_the_time_limit_is_left_at_last(database: str, watcher: Watcher) -> None:
    async with TenantDatabase(database, statement_seconds=0.2, max_connections=1) as tenant:

        async def sleep_without_a_limit() -> None:
            async with tenant.transaction() as transaction:
                await transaction.fetch("set local statement_timeout = 0", [])
                await transaction.fetch("select pg_sleep(20)", [])

        with pytest.raises(StatementTimedOut):
            await sleep_without_a_limit()

        await watcher.until(lambda count: count == 0, "query like '%pg_sleep%' and state = 'active'")
        assert await tenant.fetch_text(COUNT, []) == b"0"


async def test_when_every_connection_is_taken_a_request_waits_only_so_long(database: str, watcher: Watcher) -> None:
    async with TenantDatabase(database, max_connections=1, acquire_seconds=0.3) as tenant:
        async with tenant.transaction():
            with pytest.raises(DatabaseUnavailable):
                await tenant.fetch_text(COUNT, [])

        assert await tenant.fetch_text(COUNT, []) == b"0"


async def test_a_cancelled_change_leaves_nothing_behind(database: str, watcher: Watcher) -> None:
    async with TenantDatabase(database, max_connections=1) as tenant:

        async def change() -> None:
            async with tenant.transaction() as transaction:
                await transaction.fetch("insert into kept values (1)", [])
                await transaction.fetch("select pg_sleep(20)", [])

        changing = asyncio.create_task(change())
        await watcher.until(lambda count: count == 1, "query like '%pg_sleep%' and state = 'active'")
        changing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await changing

        assert await tenant.fetch_text(COUNT, []) == b"0"
        assert await watcher.sessions("state like 'idle in transaction%'") == 0


async def test_a_value_that_its_type_cannot_hold_is_no_lost_connection(database: str, watcher: Watcher) -> None:
    async with TenantDatabase(database, max_connections=1) as tenant:
        await tenant.fetch_text(COUNT, [])
        before = await watcher.pids()

        with pytest.raises(InvalidValue):
            await tenant.fetch_text("select $1::int::text", [2**40])

        assert await watcher.pids() == before


async def insert(tenant: TenantDatabase, number: int) -> None:
    async with tenant.transaction() as transaction:
        await transaction.fetch("insert into kept values ($1)", [number])


async def test_a_commit_whose_answer_is_lost_counts_when_postgresql_has_it(database: str, watcher: Watcher) -> None:
    async with a_network(database) as network, TenantDatabase(network.dsn) as tenant:
        network.cut_once(COMMIT, "after")

        await insert(tenant, 1)

    assert network.cuts == 1
    assert await watcher.rows() == 1


async def test_a_commit_that_never_arrived_is_refused(database: str, watcher: Watcher) -> None:
    async with a_network(database) as network, TenantDatabase(network.dsn) as tenant:
        network.cut_once(COMMIT, "before")

        with pytest.raises(DatabaseUnavailable):
            await insert(tenant, 1)

    assert network.cuts == 1
    assert await watcher.rows() == 0


async def test_a_commit_of_which_nothing_can_be_learned_is_told_as_such(
    database: str, watcher: Watcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("db.outcome.OUTCOME_SECONDS", 0.3)
    async with a_network(database) as network, TenantDatabase(network.dsn) as tenant:
        network.cut_once(COMMIT, "after", and_refuse=True)

        with pytest.raises(OutcomeUnknown) as refusal:
            await insert(tenant, 1)

    assert refusal.value.code == "OUTCOME_UNKNOWN"
    assert await watcher.rows() == 1


async def test_a_write_of_its_own_statement_whose_answer_is_lost_is_not_run_again(
    database: str, watcher: Watcher
) -> None:
    insert = "with w as (insert into kept values (1) returning pg_sleep(0.5)) select count(*)::text from w"
    async with TenantDatabase(database) as tenant:
        writing = asyncio.create_task(tenant.write_text(insert, []))
        await watcher.until(lambda count: count == 1, "state = 'active'")
        await watcher.end_sessions()

        with pytest.raises(OutcomeUnknown):
            await writing

    assert await watcher.rows() == 0


async def test_a_statement_that_stops_itself_has_changed_nothing(database: str, watcher: Watcher) -> None:
    insert = "with w as (insert into kept values (1) returning 1) select current_setting('ostiary.stopped_many') from w"
    async with TenantDatabase(database) as tenant:
        with pytest.raises(Stopped) as stopped:
            await tenant.write_text(insert, [])
        assert await tenant.fetch_text(COUNT, []) == b"0"

    assert stopped.value.reason == "many"
