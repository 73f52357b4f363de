"""join_embedded: an embedded server that another process of ours runs, for commands beside a running gateway."""

from pathlib import Path

import asyncpg

from db.embedded.cluster import SUPERUSER
from db.embedded.errors import AlreadyRunning
from db.embedded.server import EmbeddedServer

CONNECT_SECONDS = 5.0


class JoinedServer:
    """A server that is there as long as the process that runs it. Leaving it changes nothing."""

    def __init__(self, server: EmbeddedServer) -> None:
        self.server = server

    def dsn(self, database: str) -> str:
        return self.server.dsn(database)

    async def create_database(self, name: str) -> None:
        """Nothing; afterwards the database exists, whether it did before or not."""
        connection = await asyncpg.connect(self.dsn("postgres"), timeout=CONNECT_SECONDS)
        try:
            statement = await connection.fetchval(
                "select format('create database %I', $1::text)"
                " where not exists (select from pg_database where datname = $1::text)",
                name,
            )
            if statement is not None:
                await connection.execute(statement)
        except (asyncpg.DuplicateDatabaseError, asyncpg.UniqueViolationError):
            # Someone else was faster.
            return
        finally:
            await connection.close()

    async def stop(self) -> None:
        """Nothing: the server is not ours to end."""


async def join_embedded(data_folder: Path) -> JoinedServer:
    """The server that runs in a data folder. Raises AlreadyRunning when it does not let us in."""
    joined = JoinedServer(EmbeddedServer(_socket_folder(data_folder), SUPERUSER))
    try:
        connection = await asyncpg.connect(joined.dsn("postgres"), timeout=CONNECT_SECONDS)
    except (OSError, asyncpg.PostgresError) as refusal:
        raise AlreadyRunning(data_folder) from refusal
    await connection.close()
    return joined


def _socket_folder(data_folder: Path) -> Path:
    return (data_folder.absolute() / "embedded" / "socket").resolve()
