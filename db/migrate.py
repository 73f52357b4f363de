"""Bringing the control database to the form that `tables.py` describes."""

from pathlib import Path
from typing import Final

from sqlalchemy import Connection, Text, column, select, table, text
from sqlalchemy.ext.asyncio import AsyncEngine

from db.engines import migration_engine
from db.tables import CONTROL_SCHEMA

# Any number will do, as long as every release of Ostiary takes the same one.
MIGRATION_LOCK: Final = 7_305_803_114
# The names of the files begin with their number, so that the last one is known without importing Alembic.
HEAD: Final = max(file.name for file in (Path(__file__).parent / "migrations" / "versions").glob("[0-9]*.py"))[:4]


async def migrate(dsn: str) -> None:
    """Nothing; the control database is at HEAD. All migrations run in one transaction, and of several processes that
    start at once one runs them while the others wait. Raises ControlDatabaseUnknown."""
    engine = migration_engine(dsn)
    try:
        async with engine.begin() as connection:
            await connection.execute(text("select pg_advisory_xact_lock(:lock)"), {"lock": MIGRATION_LOCK})
            await connection.run_sync(_upgrade)
    finally:
        await engine.dispose()


async def is_current(engine: AsyncEngine) -> bool:
    """Whether the control database is at the head of the migrations that this release knows."""
    async with engine.connect() as connection:
        return await connection.run_sync(_is_at_head)


def _upgrade(connection: Connection) -> None:
    if not _is_at_head(connection):
        from db.upgrade import upgrade

        upgrade(connection)


def _is_at_head(connection: Connection) -> bool:
    name = f"{CONTROL_SCHEMA}.alembic_version"
    if connection.scalar(text("select to_regclass(:name)"), {"name": name}) is None:
        return False
    applied = select(column("version_num", Text)).select_from(table("alembic_version", schema=CONTROL_SCHEMA))
    return connection.scalars(applied).all() == [HEAD]
