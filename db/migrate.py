"""Bringing the control database to the form that `tables.py` describes."""

from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncEngine

from db.engines import migration_engine
from db.errors import StoreError
from db.tables import CONTROL_SCHEMA

# Any number will do, as long as every release of Ostiary takes the same one.
MIGRATION_LOCK: Final = 7_305_803_114


class ControlDatabaseUnknown(StoreError):
    """The control database has a form that this release does not know: a later one made it."""

    code = "CONTROL_DATABASE_UNKNOWN"

    def __init__(self) -> None:
        super().__init__("The control database was migrated by a later release of Ostiary than this one.")


async def migrate(dsn: str) -> None:
    """Nothing; the control database is at the head of the migrations. All of them run in one transaction, and of
    several processes that start at once one runs them while the others wait. Raises ControlDatabaseUnknown."""
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
        applied = await connection.run_sync(_applied)
    return applied == frozenset(ScriptDirectory.from_config(_config()).get_heads())


def _upgrade(connection: Connection) -> None:
    # Even with IF NOT EXISTS, CREATE SCHEMA asks for a right on the database that its users need not have.
    if connection.scalar(text("select to_regnamespace(:schema)"), {"schema": CONTROL_SCHEMA}) is None:
        connection.execute(text(f"create schema {CONTROL_SCHEMA}"))
    config = _config()
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        raise ControlDatabaseUnknown from error


def _applied(connection: Connection) -> frozenset[str]:
    context = MigrationContext.configure(connection, opts={"version_table_schema": CONTROL_SCHEMA})
    return frozenset(context.get_current_heads())


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config
