"""A start that cannot succeed: one clear sentence, an exit code that is not 0, nothing broken, no secret shown."""

import asyncio
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from db.embedded import RunningServer, start_embedded
from db.engines import control_engine
from db.migrate import migrate
from db.secrets import load_master_key
from gateway.auth.keys import KeyRing
from tests.commands import Finished, ostiary
from tests.databases import Databases
from tests.folders import cluster_folder

pytestmark = [pytest.mark.server, pytest.mark.postgres]

SECRET = "swordfish-4711"


def refused_start(data_folder: Path, **settings: str) -> str:
    """The sentence with which `ostiary run` refuses, which never holds SECRET."""
    outcome = ostiary("run", data_folder=data_folder, **settings)
    assert SECRET not in outcome.out + outcome.error
    return outcome.sentence


def test_data_of_another_major_version_are_refused_and_left_alone(data_folder: Path) -> None:
    async def start_and_stop() -> None:
        await (await start_embedded(data_folder / "postgres", fast=True)).stop()

    asyncio.run(start_and_stop())
    version = data_folder / "postgres" / "embedded" / "cluster" / "PG_VERSION"
    made = version.read_text()
    version.write_text("13\n")

    sentence = refused_start(data_folder)

    assert "were made by PostgreSQL 13" in sentence
    version.write_text(made)
    asyncio.run(start_and_stop())


def test_a_port_in_use_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        assert refused_start(tmp_path, port=str(port)) == f"Cannot listen on 127.0.0.1:{port}: address already in use."


def test_an_address_that_is_not_ours_is_named(tmp_path: Path) -> None:
    sentence = refused_start(tmp_path, host="203.0.113.77", port="8000")

    assert sentence.startswith("Cannot listen on 203.0.113.77:8000: ")


def test_a_file_in_the_place_of_the_data_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")

    sentence = refused_start(tmp_path / "file" / "data")

    assert sentence == f"The data folder {tmp_path / 'file' / 'data' / 'postgres'} cannot be used: not a directory."
    assert (tmp_path / "file").read_text() == "not a folder"


def test_a_data_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    shut = tmp_path / "shut"
    shut.mkdir(mode=0o500)
    # Modes do not stop root, but nobody makes folders there.
    folder = Path("/proc/sys") if os.geteuid() == 0 and Path("/proc/sys").is_dir() else shut

    sentence = refused_start(folder / "data")

    assert sentence.startswith(f"The data folder {folder / 'data' / 'postgres'} cannot be used: ")


@pytest.mark.parametrize(
    ("address", "told"),
    [
        (f"postgresql://gate:{SECRET}@nowhere.invalid/control", "could not be reached"),
        (f"postgresql://gate:{SECRET}@127.0.0.1:{{closed}}/control", "could not be reached"),
        (f"postgresql:///control?host=/nowhere&user=gate&password={SECRET}", "could not be reached"),
        (f"postgresql://gate:{SECRET}@host:port/control", "cannot be read"),
    ],
)
@pytest.mark.parametrize("command", ["run", "check", "migrate"])
def test_a_server_that_is_not_there_is_told(tmp_path: Path, address: str, told: str, command: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        closed = free.getsockname()[1]

    outcome = ostiary(command, data_folder=tmp_path, database_url=address.format(closed=closed))

    assert told in outcome.sentence
    assert SECRET not in outcome.out + outcome.error


def test_a_database_that_is_not_there_is_told(tmp_path: Path, databases: Databases) -> None:
    dsn = databases.create()
    databases.drop(dsn)

    assert refused_start(tmp_path, database_url=dsn) == "The database that the address names does not exist."


@pytest.fixture(scope="module")
def guarded_server() -> Iterator[RunningServer]:
    """A server that asks the user `gate` for a password."""
    with cluster_folder() as folder:

        async def start() -> RunningServer:
            return await start_embedded(folder, fast=True)

        running = asyncio.run(start())
        rules = folder / "embedded" / "cluster" / "pg_hba.conf"
        rules.write_text("local all gate scram-sha-256\n" + rules.read_text())
        asyncio.run(execute(running, f"create role gate login password '{SECRET}'", "select pg_reload_conf()"))
        yield running
        asyncio.run(running.stop())


async def execute(running: RunningServer, *statements: str) -> None:
    connection = await asyncpg.connect(running.dsn("postgres"))
    for statement in statements:
        await connection.execute(statement)
    await connection.close()


def test_a_wrong_password_is_told_and_not_shown(tmp_path: Path, guarded_server: RunningServer) -> None:
    dsn = guarded_server.dsn("postgres").replace("user=ostiary", "user=gate&password=wrong-" + SECRET)

    assert refused_start(tmp_path, database_url=dsn) == "The database refused the user or password of its address."


def test_a_user_who_may_not_make_tables_is_told(tmp_path: Path, guarded_server: RunningServer) -> None:
    dsn = guarded_server.dsn("postgres").replace("user=ostiary", "user=gate&password=" + SECRET)

    assert refused_start(tmp_path, database_url=dsn) == "The database refused: permission denied for database postgres."


def test_every_wrong_setting_is_reported_at_once(tmp_path: Path) -> None:
    outcome = refuse_settings(
        tmp_path,
        port="ninety",
        login_limit_address="often",
        database_url=f"mysql://gate:{SECRET}@host/control",
        master_key=SECRET,
        prot="8000",
        trusted_proxies="somewhere",
    )

    for variable in ("PORT", "LOGIN_LIMIT_ADDRESS", "DATABASE_URL", "MASTER_KEY", "PROT", "TRUSTED_PROXIES"):
        assert f"OSTIARY_{variable}: " in outcome.error
    assert "OSTIARY_PROT: there is no such setting. Is OSTIARY_PORT meant?" in outcome.error
    assert len(outcome.error.splitlines()) == 6


def refuse_settings(tmp_path: Path, **settings: str) -> Finished:
    outcome = ostiary("run", data_folder=tmp_path / "data", **settings)
    assert outcome.code == 2
    assert "Traceback" not in outcome.error
    assert SECRET not in outcome.out + outcome.error
    assert not (tmp_path / "data").exists()
    return outcome


def test_a_master_key_that_is_none_is_refused_and_not_taken_for_a_file(tmp_path: Path) -> None:
    outcome = refuse_settings(tmp_path, master_key=SECRET)

    assert outcome.sentence == "OSTIARY_MASTER_KEY: must be 64 hexadecimal or 43 URL-safe base64 characters"


def test_a_master_key_file_with_something_else_in_it_is_named(tmp_path: Path, database: str) -> None:
    file = tmp_path / "key"
    file.write_text(SECRET)
    file.chmod(0o600)

    sentence = refused_start(tmp_path, database_url=database, master_key_file=str(file))

    assert sentence == f"The file {file} does not hold a master key."
    assert file.read_text() == SECRET


def test_a_master_key_file_that_others_can_read_is_named(tmp_path: Path, database: str) -> None:
    file = tmp_path / "key"
    file.write_text("00" * 32)
    file.chmod(0o644)

    sentence = refused_start(tmp_path, database_url=database, master_key_file=str(file))

    assert "is open to other users of this machine; run chmod 600." in sentence


def test_another_master_key_than_that_of_the_stored_secrets_is_told(tmp_path: Path, database: str) -> None:
    assert ostiary("migrate", data_folder=tmp_path, database_url=database, master_key="00" * 32).code == 0
    added = ostiary(
        "tenant", "add", "own", "--dsn", database, data_folder=tmp_path, database_url=database, master_key="00" * 32
    )
    assert added.code == 0, added.error

    listed = ostiary("tenant", "list", data_folder=tmp_path, database_url=database, master_key="11" * 32)

    assert listed.sentence == "A stored secret cannot be opened with this master key."


def test_signing_keys_of_another_master_key_keep_the_gateway_from_starting(tmp_path: Path, database: str) -> None:
    async def make_key() -> None:
        await migrate(database)
        engine = control_engine(database)
        await KeyRing(engine, load_master_key("00" * 32), lambda: 1_800_000_000.0).load()
        await engine.dispose()

    asyncio.run(make_key())

    sentence = refused_start(tmp_path, database_url=database, master_key="11" * 32)

    assert sentence == "A stored secret cannot be opened with this master key."
