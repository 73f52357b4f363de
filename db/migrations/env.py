"""Alembic asks this file how to run; the connection is the one that `db/migrate.py` holds, with its lock."""

from alembic import context
from sqlalchemy import Connection

from db.tables import CONTROL_SCHEMA, metadata

connection = context.config.attributes["connection"]
assert isinstance(connection, Connection)

context.configure(
    connection=connection,
    target_metadata=metadata,
    version_table_schema=CONTROL_SCHEMA,
    include_schemas=True,
)
with context.begin_transaction():
    context.run_migrations()
