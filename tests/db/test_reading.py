"""TenantDatabase.reading: a transaction that changes nothing, and in which statements have their own limit."""

import asyncpg
import pytest

from db.errors import PublicError, StatementTimedOut
from db.tenant_database import TenantDatabase

pytestmark = pytest.mark.postgres


async def test_nothing_can_be_changed(database: str) -> None:
    connection = await asyncpg.connect(database)
    await connection.execute("create table t (id int); insert into t values (1)")
    async with TenantDatabase(database) as tenant:
        with pytest.raises((PublicError, asyncpg.PostgresError)):
            async with tenant.reading(statement_seconds=1) as reading:
                await reading.fetch("delete from t", [])

        async with tenant.reading(statement_seconds=1) as reading:
            assert await reading.fetch("select id from t", []) == [(1,)]
    await connection.close()


async def test_all_statements_see_one_moment(database: str) -> None:
    connection = await asyncpg.connect(database)
    await connection.execute("create table t (id int)")
    async with TenantDatabase(database) as tenant, tenant.reading(statement_seconds=1) as reading:
        before = await reading.fetch("select count(*) from t", [])
        await connection.execute("insert into t values (1)")
        assert await reading.fetch("select count(*) from t", []) == before
    await connection.close()


async def test_a_statement_ends_at_its_limit_and_the_next_user_of_the_connection_has_the_usual_one(
    database: str,
) -> None:
    async with TenantDatabase(database, max_connections=1) as tenant:
        with pytest.raises(StatementTimedOut):
            async with tenant.reading(statement_seconds=0.1) as reading:
                await reading.fetch("select pg_sleep(5)", [])

        assert await tenant.fetch_text("select current_setting('statement_timeout')", []) == b"10s"
