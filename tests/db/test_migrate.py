"""The way from an empty database to the tables of db/tables.py."""

import asyncio

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from db.engines import control_engine
from db.migrate import HEAD, is_current, migrate
from db.tables import metadata
from db.upgrade import ControlDatabaseUnknown, heads
from schema.principal import CAPABILITIES
from tests.databases import Databases

pytestmark = pytest.mark.postgres

# Everything about the tables that PostgreSQL can tell, in words of its own.
DESCRIPTION = """
    select attrelid::regclass::text || '.' || attname,
           concat_ws(' ', format_type(atttypid, atttypmod), attnotnull, attidentity, pg_get_expr(adbin, adrelid))
    from pg_attribute left join pg_attrdef on adrelid = attrelid and adnum = attnum
        join pg_class on pg_class.oid = attrelid
    where relnamespace = 'ostiary'::regnamespace and relkind = 'r' and attnum > 0 and relname <> 'alembic_version'
    union all
    select conrelid::regclass || '.' || conname, pg_get_constraintdef(oid)
    from pg_constraint where connamespace = 'ostiary'::regnamespace and conrelid <> 'ostiary.alembic_version'::regclass
    union all
    select indexname, indexdef from pg_indexes where schemaname = 'ostiary' and tablename <> 'alembic_version'
"""


async def test_an_empty_database_is_not_current_and_a_migrated_one_is(database: str) -> None:
    engine = control_engine(database)

    before = await is_current(engine)
    await migrate(database)
    after = await is_current(engine)

    await engine.dispose()
    assert (before, after) == (False, True)


async def test_a_second_migration_changes_nothing(control_dsn: str, control: AsyncEngine) -> None:
    async with control.begin() as connection:
        await connection.execute(text("update ostiary.package set description = 'kept'"))

    await migrate(control_dsn)

    async with control.connect() as connection:
        assert await connection.scalar(text("select description from ostiary.package")) == "kept"


async def test_processes_that_start_at_once_migrate_once(database: str) -> None:
    await asyncio.gather(*(migrate(database) for _ in range(6)))

    engine = control_engine(database)
    async with engine.connect() as connection:
        assert await connection.scalar(text("select count(*) from ostiary.alembic_version")) == 1
    await engine.dispose()


async def test_the_migrations_lead_to_the_tables_as_they_are_defined(
    connection: AsyncConnection, databases: Databases
) -> None:
    defined = databases.create()
    engine = control_engine(defined)
    async with engine.begin() as other:
        await other.execute(text("create schema ostiary"))
        await other.execute(text("create table ostiary.alembic_version ()"))
        await other.run_sync(metadata.create_all)
        expected = {(name, what) for name, what in await other.execute(text(DESCRIPTION))}
    await engine.dispose()
    databases.drop(defined)

    found = {(name, what) for name, what in await connection.execute(text(DESCRIPTION))}

    assert found == expected
    assert len(found) > 100


async def test_tables_of_others_in_the_same_database_stay_untouched(database: str) -> None:
    engine = control_engine(database)
    async with engine.begin() as connection:
        await connection.execute(text("create table role (id int)"))
        await connection.execute(text("create table tenant (id int)"))

    await migrate(database)

    async with engine.connect() as connection:
        tables = await connection.scalars(
            text("select tablename from pg_tables where schemaname = 'public' order by 1")
        )
        assert list(tables) == ["role", "tenant"]
    await engine.dispose()


async def test_a_control_database_of_a_later_release_is_refused_unharmed(
    control_dsn: str, control: AsyncEngine
) -> None:
    async with control.begin() as connection:
        await connection.execute(text("update ostiary.alembic_version set version_num = '9999'"))

    with pytest.raises(ControlDatabaseUnknown):
        await migrate(control_dsn)
    assert not await is_current(control)


async def test_every_capability_is_in_the_table_of_capabilities(connection: AsyncConnection) -> None:
    stored = await connection.scalars(text("select capability from ostiary.capability"))

    assert set(stored) == set(CAPABILITIES)


def test_the_head_that_a_start_looks_for_is_the_last_migration() -> None:
    assert heads() == {HEAD}
