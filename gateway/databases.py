"""Databases: where the control database is and how a tenant's DSN is reached, with the embedded server running if one
is needed."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qs, unquote, urlsplit

from db.embedded import AlreadyRunning, EmbeddedServer, RunningServer, find_running, start_embedded
from gateway.log import log
from gateway.settings import Settings

CONTROL_DATABASE: Final = "ostiary"


@dataclass(frozen=True, slots=True)
class Databases:
    """`control_dsn` reaches the control database. `embedded` is the server of our own, if there is one."""

    control_dsn: str
    embedded: EmbeddedServer | None

    def resolve(self, dsn: str) -> str:
        """The DSN to connect with: one that names no host means a database of the embedded server."""
        if self.embedded is None or not is_embedded(dsn):
            return dsn
        return self.embedded.dsn(unquote(urlsplit(dsn).path.removeprefix("/")))


def is_embedded(dsn: str) -> bool:
    """Whether a stored DSN names a database of the embedded server, wherever that runs."""
    parts = urlsplit(dsn)
    return not parts.netloc and "host" not in parse_qs(parts.query)


def embedded_dsn(database: str) -> str:
    """What is stored for a database of the embedded server."""
    return f"postgresql:///{database}"


@asynccontextmanager
async def open_databases(settings: Settings, *, may_join: bool = False) -> AsyncGenerator[Databases]:
    """The databases of these settings; an embedded server runs until the end. With `may_join` it may be one that
    another process runs and will end. Raises EmbeddedError."""
    url = settings.database_url.get_secret_value()
    if url:
        yield Databases(url, None)
        return
    server = await _embedded_server(settings, may_join=may_join)
    if isinstance(server, EmbeddedServer):
        yield await _on(server)
        return
    keeper = asyncio.create_task(server.keep_alive())
    keeper.add_done_callback(_log_end)
    try:
        yield await _on(server.server)
    finally:
        keeper.cancel()
        await asyncio.gather(keeper, return_exceptions=True)
        await server.stop()


async def _on(server: EmbeddedServer) -> Databases:
    await server.create_database(CONTROL_DATABASE)
    return Databases(server.dsn(CONTROL_DATABASE), server)


def _log_end(keeper: "asyncio.Task[None]") -> None:
    if not keeper.cancelled() and keeper.exception() is not None:
        log.error("the embedded PostgreSQL cannot be started again", exc_info=keeper.exception())


async def _embedded_server(settings: Settings, *, may_join: bool) -> RunningServer | EmbeddedServer:
    folder = settings.data_dir / "postgres"
    try:
        return await start_embedded(folder, bin_folder=settings.postgres_bin)
    except AlreadyRunning:
        running = find_running(folder) if may_join else None
        if running is None:
            raise
        return running
