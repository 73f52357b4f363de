"""What Alembic does for `migrate`, apart from it: to import Alembic takes long, and few starts migrate anything."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, text

from db.errors import StoreError
from db.tables import CONTROL_SCHEMA


class ControlDatabaseUnknown(StoreError):
    """The control database has a form that this release does not know: a later one made it."""

    code = "CONTROL_DATABASE_UNKNOWN"

    def __init__(self) -> None:
        super().__init__("The control database was migrated by a later release of Ostiary than this one.")


def upgrade(connection: Connection) -> None:
    """Nothing; every migration that was missing has run. Raises ControlDatabaseUnknown."""
    # Even with IF NOT EXISTS, CREATE SCHEMA asks for a right on the database that its users need not have.
    if connection.scalar(text("select to_regnamespace(:schema)"), {"schema": CONTROL_SCHEMA}) is None:
        connection.execute(text(f"create schema {CONTROL_SCHEMA}"))
    config = _config()
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        raise ControlDatabaseUnknown from error


def heads() -> frozenset[str]:
    """The last of the migrations."""
    return frozenset(ScriptDirectory.from_config(_config()).get_heads())


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config
