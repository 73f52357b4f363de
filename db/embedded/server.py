"""The embedded server's life: start_embedded, then a RunningServer until it is stopped or we end."""

import asyncio
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO
from urllib.parse import quote, urlencode

import asyncpg

from db.embedded.cluster import SUPERUSER, check_major_version, failure, make_cluster
from db.embedded.errors import AlreadyRunning, EmbeddedError, folder_faults
from db.embedded.guard import POLL_SECONDS, Guarded, start_guarded
from db.embedded.placement import Placement, prepare, take_lock

# While the old backends or the old postmaster of a killed gateway are ending, PostgreSQL refuses to start with one
# of these. They need a moment only, a large checkpoint at shutdown a longer one.
STILL_ENDING = (
    b'lock file "postmaster.pid" already exists',
    b"pre-existing shared memory block",
    b"another server might be running",
    b".s.PGSQL.5432.lock",
)
WATCH_SECONDS = 0.1
PREDECESSOR_SECONDS = 60.0
STOP_SECONDS = 60.0
LARGEST_LOG_BYTES = 8 * 1024 * 1024

# Only a part of the socket's name; said in the DSN, for a client's environment may say another.
PORT = 5432

FAST = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "wal_level=minimal", "max_wal_senders=0")


@dataclass(frozen=True)
class EmbeddedServer:
    """How to reach an embedded server: by the Unix socket in a folder, as a superuser without a password."""

    socket_folder: Path
    user: str

    def dsn(self, database: str) -> str:
        """The address of one of its databases, as asyncpg, libpq and SQLAlchemy read it."""
        query = urlencode({"host": self.socket_folder, "port": PORT, "user": self.user}, quote_via=quote)
        return f"postgresql:///{quote(database, safe='')}?{query}"

    async def create_database(self, name: str) -> None:
        """Nothing; afterwards the database exists, whether it did before or not."""
        connection = await asyncpg.connect(self.dsn("postgres"))
        try:
            if not await connection.fetchval("select exists (select from pg_database where datname = $1)", name):
                await connection.execute(
                    str(await connection.fetchval("select format('create database %I', $1::text)", name))
                )
        except (asyncpg.DuplicateDatabaseError, asyncpg.UniqueViolationError):
            # Someone else was faster; the second is pg_database's own key.
            return
        finally:
            await connection.close()


class RunningServer:
    """An embedded server that this process runs, and that ends with it whatever ends it."""

    def __init__(self, placement: Placement, arguments: list[str], guarded: Guarded, lock: IO[bytes]) -> None:
        self.server = EmbeddedServer(placement.socket_folder, SUPERUSER)
        self._placement = placement
        self._arguments = arguments
        self._guarded = guarded
        self._lock = lock

    @property
    def pid(self) -> int:
        """The process id of the postmaster."""
        return self._guarded.pid

    def is_running(self) -> bool:
        return self._guarded.exit_code() is None

    def dsn(self, database: str) -> str:
        return self.server.dsn(database)

    async def keep_alive(self) -> None:
        """Never returns, and starts the server again whenever it was killed; to be cancelled before `stop`.

        Raises EmbeddedError if it cannot be started any more.
        """
        while True:
            await self._guarded.wait(poll_seconds=WATCH_SECONDS)
            self._guarded.ask_to_end()
            self._guarded = await start_patiently(self._placement, self._arguments)

    async def create_database(self, name: str) -> None:
        """Nothing; afterwards the database exists, whether it did before or not."""
        await self.server.create_database(name)

    async def stop(self) -> None:
        """Nothing; afterwards the server has ended cleanly and the data folder is free. May be called twice."""
        try:
            await asyncio.wait_for(self._guarded.end(), STOP_SECONDS)
        except TimeoutError:
            # An immediate shutdown: nothing that was committed is lost, the next start recovers it.
            os.kill(self._guarded.pid, signal.SIGQUIT)
            await self._guarded.wait()
        finally:
            self._lock.close()


async def start_embedded(data_folder: Path, *, bin_folder: Path | None = None, fast: bool = False) -> RunningServer:
    """The server of a data folder, ready for connections; the folder is made and filled on the first start.

    `fast` gives up all safety of the data for speed: for tests. Raises EmbeddedError.
    """
    lock = await asyncio.to_thread(take_lock, data_folder)
    try:
        placement = await asyncio.to_thread(prepare, data_folder, bin_folder)
        check_major_version(placement)
        await make_cluster(placement, fast=fast)
        arguments = server_arguments(placement, fast=fast)
        guarded = await start_patiently(placement, arguments)
    except BaseException:
        lock.close()
        raise
    return RunningServer(placement, arguments, guarded, lock)


def find_running(data_folder: Path) -> EmbeddedServer | None:
    """The server of a data folder that takes connections, whichever process runs it; None if there is none."""
    folder = data_folder.absolute() / "embedded"
    if not is_ready(folder / "cluster" / "postmaster.pid"):
        return None
    return EmbeddedServer((folder / "socket").resolve(), SUPERUSER)


def server_arguments(placement: Placement, *, fast: bool) -> list[str]:
    settings = ["listen_addresses=", f"unix_socket_directories={placement.socket_folder}"]
    settings += [
        "unix_socket_permissions=0700",
        f"port={PORT}",
        "logging_collector=off",
        "log_destination=stderr",
        *(FAST if fast else ()),
    ]
    options = [part for setting in settings for part in ("-c", setting)]
    return [placement.binaries.program("postgres"), "-D", str(placement.cluster), *options]


async def start_patiently(placement: Placement, arguments: list[str]) -> Guarded:
    """A server that is ready, started again and again while a predecessor of a killed process is still ending."""
    deadline = time.monotonic() + PREDECESSOR_SECONDS
    while True:
        said_before = rotate_log(placement)
        with folder_faults(placement.data_folder):
            guarded = await start_guarded(placement.account, arguments, placement.log)
        if await becomes_ready(placement, guarded):
            return guarded
        last_words = words_after(placement.log, said_before)
        if not any(refusal in last_words for refusal in STILL_ENDING):
            raise failure(placement, last_words, "started")
        if time.monotonic() > deadline:
            raise AlreadyRunning(placement.data_folder)
        await asyncio.sleep(0.1)


async def becomes_ready(placement: Placement, guarded: Guarded) -> bool:
    """Whether the server takes connections, by its postmaster.pid. Recovery may take long, so only its end is a no."""
    try:
        while guarded.exit_code() is None:
            if is_ready(placement.cluster / "postmaster.pid", guarded.pid):
                return True
            await asyncio.sleep(POLL_SECONDS)
    except BaseException:
        await guarded.end()
        raise
    guarded.ask_to_end()
    return False


def is_ready(pid_file: Path, pid: int | None = None) -> bool:
    """Whether line 8 of a postmaster.pid says so, and line 1 that it is the server with this id, if one is given
    (pidfile.h of PostgreSQL)."""
    try:
        lines = pid_file.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return False
    return len(lines) >= 8 and (pid is None or lines[0] == str(pid)) and lines[7].strip() == "ready"


def rotate_log(placement: Placement) -> int:
    """The size of the log before a start, once a large one has been put aside."""
    with folder_faults(placement.data_folder):
        if not placement.log.exists():
            return 0
        size = placement.log.stat().st_size
        if size < LARGEST_LOG_BYTES:
            return size
        placement.log.replace(placement.log.with_suffix(".log.1"))
        return 0


def words_after(log: Path, offset: int) -> bytes:
    try:
        with log.open("rb") as text:
            text.seek(offset)
            return text.read()
    except OSError as fault:
        raise EmbeddedError(f"PostgreSQL's log {log} cannot be read.") from fault
