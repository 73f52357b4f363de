"""The embedded PostgreSQL: its life, its death, and a clear sentence for everything that keeps it from living."""

import asyncio
import errno
import os
import pwd
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest

from db.embedded import (
    AlreadyRunning,
    BinariesMissing,
    DiskFull,
    FolderUnusable,
    RunningServer,
    ServerNotStarted,
    WrongMajorVersion,
    start_embedded,
)
from db.embedded.account import Account
from db.embedded.binaries import find_binaries
from db.embedded.cluster import failure
from db.embedded.errors import folder_faults
from db.embedded.guard import start_guarded
from db.embedded.placement import MACHINE_STATE, Placement
from db.errors import PublicError
from tests.folders import cluster_folder

AS_ROOT = os.geteuid() == 0
ROOT_OF_REPOSITORY = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.postgres

# A process that starts a server, says its pid, and then waits to be killed.
PARENT = """
import asyncio, pathlib, sys
from db.embedded import start_embedded

async def main():
    running = await start_embedded(pathlib.Path(sys.argv[1]))
    await running.create_database("kept")
    print(running.pid, flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


@pytest.fixture
def data_folder() -> Iterator[Path]:
    """A data folder to be, under a parent that the server's account may pass when we are root."""
    with cluster_folder() as parent:
        yield parent / "data"


@asynccontextmanager
async def running_server(data_folder: Path, bin_folder: Path | None = None) -> AsyncIterator[RunningServer]:
    running = await start_embedded(data_folder, bin_folder=bin_folder, fast=True)
    try:
        yield running
    finally:
        await running.stop()


async def ask(dsn: str, query: str) -> object:
    connection = await asyncpg.connect(dsn)
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


async def eventually(condition: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(0.005)
    return True


def is_gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        # A zombie has ended, and waits only for its parent to look (proc(5): the state follows the name).
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except ProcessLookupError:
        return True
    except FileNotFoundError:
        return Path("/proc/self").exists()


def start_parent(data_folder: Path) -> tuple[subprocess.Popen[str], int]:
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(data_folder)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT_OF_REPOSITORY,
        # A shell starts what runs in its background with SIGINT ignored, and that is inherited.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - no threads in between
    )
    assert parent.stdout is not None
    return parent, int(parent.stdout.readline())


async def kill_parent(parent: subprocess.Popen[str], server_pid: int, how: signal.Signals) -> None:
    parent.send_signal(how)
    parent.communicate()
    assert await eventually(lambda: is_gone(server_pid), seconds=20)


async def test_server_answers_and_knows_unicode_without_a_locale_of_the_system(data_folder: Path) -> None:
    async with running_server(data_folder) as running:
        await running.create_database("shop")

        assert await ask(running.dsn("shop"), "select upper('äßñ')") == "ÄßÑ"
        assert await ask(running.dsn("shop"), "show server_encoding") == "UTF8"
        assert await ask(running.dsn("shop"), "show listen_addresses") == ""


async def test_creating_a_database_twice_at_once_and_again_is_no_error(data_folder: Path) -> None:
    odd_name = """it's "quoted" 100% ünïcode"""
    async with running_server(data_folder) as running:
        await asyncio.gather(*[running.create_database(odd_name) for _ in range(3)])
        await running.create_database(odd_name)

        assert await ask(running.dsn(odd_name), "select current_database()") == odd_name


async def test_socket_is_shut_to_other_accounts(data_folder: Path) -> None:
    async with running_server(data_folder) as running:
        folder = running.server.socket_folder

        assert folder.stat().st_mode & 0o077 == 0


async def test_stop_shuts_down_cleanly_and_frees_the_folder(data_folder: Path) -> None:
    async with running_server(data_folder) as running:
        pid = running.pid
    await running.stop()

    assert is_gone(pid)
    assert "database system is shut down" in (data_folder / "embedded" / "server.log").read_text()
    async with running_server(data_folder) as again:
        assert again.is_running()


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
async def test_no_server_outlives_its_parent(data_folder: Path, how: signal.Signals) -> None:
    parent, server_pid = start_parent(data_folder)

    await kill_parent(parent, server_pid, how)

    assert "database system is shut down" in (data_folder / "embedded" / "server.log").read_text()


async def test_killing_the_guard_as_well_leaves_no_server(data_folder: Path) -> None:
    async with running_server(data_folder) as running:
        running._guarded.guard.kill()
        await running.stop()

        assert await eventually(lambda: is_gone(running.pid), seconds=20)


async def test_committed_rows_survive_kill_of_parent_and_server(data_folder: Path) -> None:
    parent, server_pid = start_parent(data_folder)
    dsn = dsn_of(data_folder, "kept")
    connection = await asyncpg.connect(dsn)
    await connection.execute("create table counted (number int)")
    acknowledged = 0
    os.kill(server_pid, signal.SIGSTOP)  # the postmaster cannot even notice
    for acknowledged in range(1, 51):
        await connection.execute("insert into counted values ($1)", acknowledged)
    os.kill(server_pid, signal.SIGKILL)
    await kill_parent(parent, server_pid, signal.SIGKILL)
    connection.terminate()

    async with running_server(data_folder) as running:
        assert await ask(running.dsn("kept"), "select count(*) from counted") == acknowledged


def dsn_of(data_folder: Path, database: str) -> str:
    return f"postgresql:///{database}?host={(data_folder / 'embedded' / 'socket').resolve()}&user=ostiary"


async def test_killed_server_is_started_again(data_folder: Path) -> None:
    async with running_server(data_folder) as running:
        watch = asyncio.create_task(running.keep_alive())
        killed = running.pid
        os.kill(killed, signal.SIGKILL)

        assert await eventually(lambda: running.pid != killed, seconds=20)
        assert await ask(running.dsn("postgres"), "select 1") == 1
        watch.cancel()


async def test_start_waits_for_a_predecessor_that_is_still_ending(data_folder: Path) -> None:
    async with running_server(data_folder) as first:
        # Its lock is gone, as after a kill of the gateway, but the server still stands.
        first._lock.close()
        second_start = asyncio.create_task(start_embedded(data_folder, fast=True))
        log = data_folder / "embedded" / "server.log"
        assert await eventually(lambda: "already exists" in log.read_text(), seconds=20)
        assert not second_start.done()

        first._guarded.ask_to_end()
        second = await second_start

        assert second.is_running()
        await second.stop()


async def test_interrupted_set_up_is_begun_afresh(data_folder: Path) -> None:
    setting_up = asyncio.create_task(start_embedded(data_folder))
    assert await eventually(lambda: any((data_folder / "embedded").glob("cluster-unfinished-*/base")), seconds=20)
    setting_up.cancel()
    with pytest.raises(asyncio.CancelledError):
        await setting_up

    async with running_server(data_folder) as running:
        assert running.is_running()
    assert not list((data_folder / "embedded").glob("cluster-unfinished-*"))


async def test_second_process_is_refused(data_folder: Path) -> None:
    async with running_server(data_folder):
        with pytest.raises(AlreadyRunning, match="in use by another process"):
            await start_embedded(data_folder)


async def test_data_of_another_major_version_are_refused_and_left_alone(data_folder: Path) -> None:
    async with running_server(data_folder):
        pass
    version = data_folder / "embedded" / "cluster" / "PG_VERSION"
    version.write_text("13\n")
    before = sorted(path.stat().st_mtime_ns for path in version.parent.rglob("*"))

    with pytest.raises(WrongMajorVersion, match=r"made by PostgreSQL 13, .* are PostgreSQL 1\d"):
        await start_embedded(data_folder)

    assert sorted(path.stat().st_mtime_ns for path in version.parent.rglob("*")) == before


async def test_bin_folder_without_programs_is_named(data_folder: Path) -> None:
    with pytest.raises(BinariesMissing, match=f"{data_folder} does not hold"):
        await start_embedded(data_folder, bin_folder=data_folder)


async def test_folder_that_cannot_be_made_is_named(data_folder: Path) -> None:
    data_folder.write_text("a file where a folder should be")

    with pytest.raises(FolderUnusable, match=f"{data_folder / 'inside'} cannot be used: not a directory"):
        await start_embedded(data_folder / "inside")


async def test_damaged_cluster_is_one_sentence_with_its_reason(data_folder: Path) -> None:
    async with running_server(data_folder):
        pass
    (data_folder / "embedded" / "cluster" / "global" / "pg_control").unlink()

    with pytest.raises(ServerNotStarted, match=r"^PostgreSQL could not be started in .*\.$") as refusal:
        await start_embedded(data_folder)

    assert isinstance(refusal.value, PublicError)
    assert "pg_control" in refusal.value.message
    assert "\n" not in refusal.value.message


def test_full_disk_is_told_by_the_system_and_by_postgresql(data_folder: Path) -> None:
    with pytest.raises(DiskFull, match="No space is left"), folder_faults(data_folder):
        raise OSError(errno.ENOSPC, "No space left on device")

    placement = Placement(data_folder, data_folder, data_folder, Account(), find_binaries(None))
    said = b'PANIC:  could not write to file "pg_wal/xlogtemp.29": No space left on device\n'

    assert isinstance(failure(placement, said, "started"), DiskFull)


async def test_long_and_odd_paths_get_a_socket_elsewhere(data_folder: Path) -> None:
    long = data_folder / ("with space, comma: and umlaut ü " * 4)
    async with running_server(long) as running:
        socket_folder = running.server.socket_folder

        assert len(str(socket_folder)) < 80
        assert await ask(running.dsn("postgres"), "select 1") == 1
    async with running_server(long) as again:
        assert again.server.socket_folder == socket_folder
    shutil.rmtree(socket_folder)


async def test_programs_see_nothing_of_our_environment(data_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OSTIARY_MASTER_KEY", "secret-of-the-gateway")
    monkeypatch.setenv("PGPORT", "1")
    async with running_server(data_folder) as running:
        assert await ask(running.dsn("postgres"), "select 1") == 1
        if (environ := Path(f"/proc/{running.pid}/environ")).exists():
            assert b"secret-of-the-gateway" not in environ.read_bytes()


async def test_guarded_program_gets_our_exit_code_and_our_log(data_folder: Path) -> None:
    data_folder.mkdir()
    log = data_folder / "log"

    guarded = await start_guarded(Account(), ["/bin/sh", "-c", "echo said; exit 7"], log)

    assert await guarded.wait() == 7
    assert log.read_text() == "said\n"
    guarded.ask_to_end()


async def test_server_never_runs_as_root(data_folder: Path) -> None:
    async with running_server(data_folder) as running:
        owner = pwd.getpwuid((await server_folder(running)).stat().st_uid).pw_name

        assert owner in ({"postgres", "nobody"} if AS_ROOT else {pwd.getpwuid(os.geteuid()).pw_name})


async def test_programs_that_only_root_can_reach_are_copied_and_not_opened(data_folder: Path) -> None:
    data_folder.mkdir(mode=0o711)
    hidden = data_folder / "hidden"
    hidden.mkdir(mode=0o700)
    bin_folder = copy_of_the_programs(hidden)

    async with running_server(data_folder, bin_folder=bin_folder) as running:
        assert await ask(running.dsn("postgres"), "select 1") == 1
        copies = list((data_folder / "embedded").glob("binaries-*"))

    assert len(copies) == (1 if AS_ROOT else 0)
    assert hidden.stat().st_mode & 0o077 == 0


async def test_data_folder_that_only_root_can_reach_is_not_opened(data_folder: Path) -> None:
    data_folder.parent.chmod(0o700)

    async with running_server(data_folder):
        pass

    placed = (data_folder / "embedded").resolve()
    assert placed.parent == (MACHINE_STATE if AS_ROOT else data_folder)
    assert data_folder.parent.stat().st_mode & 0o077 == 0
    async with running_server(data_folder):
        assert (data_folder / "embedded").resolve() == placed
    shutil.rmtree(placed)


def copy_of_the_programs(target: Path) -> Path:
    installation = find_binaries(None).folder.parent
    package = target / installation.parent.name
    shutil.copytree(installation, package / installation.name, symlinks=True)
    libraries = installation.parent.with_name(f"{installation.parent.name}.libs")
    if libraries.is_dir():
        shutil.copytree(libraries, target / libraries.name, symlinks=True)
    return package / installation.name / "bin"


async def server_folder(running: RunningServer) -> Path:
    return Path(str(await ask(running.dsn("postgres"), "show data_directory")))
