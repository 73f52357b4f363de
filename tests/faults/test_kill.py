"""kill -9 of the gateway under a load of inserts, again and again: what was acknowledged is there, once."""

import asyncio
import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import asyncpg
import httpx2
import pytest

from db.embedded import find_running, start_embedded
from tests.gateways import Gateway

KILLS = 10
CLIENTS = 8
# How many rows are acknowledged between a start and its end, so that each end comes in the midst of work.
ROWS_BEFORE_A_KILL = 40
LONGEST_MOMENT_SECONDS = 0.2
ENDING_SECONDS = 30.0

INSERT = (
    "mutation ($name: String!, $owner: Int!) { create_list(input: {listname: $name, devii_roleid: $owner}) { listid } }"
)


@dataclass
class Ledger:
    """What clients have sent, and what of it was acknowledged. They send each row once, whatever becomes of it."""

    names: Iterator[int] = field(default_factory=count)
    acknowledged: set[str] = field(default_factory=set[str])
    strange: list[str] = field(default_factory=list[str])

    def insert_until(self, is_over: threading.Event, address: str, token: str) -> None:
        with httpx2.Client(base_url=address, headers={"Authorization": f"Bearer {token}"}, timeout=20.0) as client:
            while not is_over.is_set():
                name = f"row {next(self.names)}"
                body = {"query": INSERT, "variables": {"name": name, "owner": 0}}
                try:
                    reply = client.post("/query", json=body)
                    answer = reply.json()
                except (httpx2.TransportError, ValueError):
                    # The gateway is gone, perhaps in the middle of its answer.
                    return
                if "errors" not in answer:
                    self.acknowledged.add(name)
                elif answer["errors"][0]["extensions"]["code"] not in {"DATABASE_UNAVAILABLE", "OUTCOME_UNKNOWN"}:
                    self.strange.append(reply.text)


def insert_and_kill(gateway: Gateway, ledger: Ledger, token: str, moment_seconds: float) -> None:
    """Nothing; clients have inserted, and at a moment among their inserts the gateway was killed."""
    is_over = threading.Event()
    arguments = (is_over, gateway.address, token)
    clients = [threading.Thread(target=ledger.insert_until, args=arguments) for _ in range(CLIENTS)]
    before = len(ledger.acknowledged)
    for client in clients:
        client.start()
    deadline = time.monotonic() + 30
    while len(ledger.acknowledged) < before + ROWS_BEFORE_A_KILL and time.monotonic() < deadline:
        time.sleep(0.002)
    time.sleep(moment_seconds)
    gateway.stop(signal.SIGKILL)
    is_over.set()
    for client in clients:
        client.join()
    assert len(ledger.acknowledged) >= before + ROWS_BEFORE_A_KILL


@pytest.mark.server
@pytest.mark.postgres
@pytest.mark.timeout(300)
def test_ten_kills_under_load_lose_nothing_double_nothing_and_leave_no_server(data_folder: Path) -> None:
    moments = random.Random(4711)
    ledger = Ledger()
    postmasters: list[int] = []
    gateway = Gateway.start(data_folder, demo="true")
    # It is as good after a restart: the signing keys are in the control database.
    token = gateway.access("todo")
    for _ in range(KILLS):
        postmasters.append(postmaster_of(data_folder))
        insert_and_kill(gateway, ledger, token, moments.uniform(0, LONGEST_MOMENT_SECONDS))
        gateway = Gateway.start(data_folder)
    postmasters.append(postmaster_of(data_folder))
    gateway.stop(signal.SIGKILL)

    assert wait_until_gone(postmasters, cluster_of(data_folder)) == []
    assert ledger.strange == []
    stored = asyncio.run(stored_names(data_folder))
    assert ledger.acknowledged - stored.keys() == set()
    assert {name for name, times in stored.items() if times > 1} == set()


@pytest.mark.server
@pytest.mark.postgres
def test_a_killed_postmaster_is_told_and_started_again(data_folder: Path) -> None:
    with Gateway.start(data_folder) as gateway:
        token = gateway.access("todo")
        killed = postmaster_of(data_folder)
        acknowledged = gateway.ask(token, INSERT, {"name": "before", "owner": 0})
        os.kill(killed, signal.SIGKILL)
        codes, names = insert_until_stored(gateway, token)
        with gateway.client() as client:
            assert client.get("/healthz").status_code == 200
        assert postmaster_of(data_folder) != killed

    assert "errors" not in acknowledged
    assert codes <= {"DATABASE_UNAVAILABLE", "OUTCOME_UNKNOWN"}
    stored = asyncio.run(stored_names(data_folder))
    assert (stored["before"], stored[names[-1]]) == (1, 1)


def insert_until_stored(gateway: Gateway, token: str) -> tuple[set[str], list[str]]:
    """The codes of the refusals before a row was stored, and the names that were tried."""
    codes: set[str] = set()
    names: list[str] = []
    deadline = time.monotonic() + ENDING_SECONDS
    while time.monotonic() < deadline:
        names.append(f"after {len(names)}")
        answer = gateway.ask(token, INSERT, {"name": names[-1], "owner": 0})
        if "errors" not in answer:
            return codes, names
        codes.add(answer["errors"][0]["extensions"]["code"])
        time.sleep(0.05)
    raise AssertionError(codes)


def cluster_of(data_folder: Path) -> Path:
    return (data_folder / "postgres" / "embedded" / "cluster").resolve()


def postmaster_of(data_folder: Path) -> int:
    return int((cluster_of(data_folder) / "postmaster.pid").read_text().splitlines()[0])


def wait_until_gone(pids: list[int], cluster: Path) -> list[int]:
    """The processes of PostgreSQL that are still there after patience has run out."""
    deadline = time.monotonic() + ENDING_SECONDS
    while (left := [pid for pid in pids if is_running(pid)] + servers_in(cluster)) and time.monotonic() < deadline:
        time.sleep(0.05)
    return left


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def servers_in(cluster: Path) -> list[int]:
    """Every process of PostgreSQL works in its data directory. (Known on Linux only; elsewhere none.)"""
    found: list[int] = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (process / "cwd").readlink() == cluster:
                found.append(int(process.name))
        except OSError:
            continue
    return found


async def stored_names(data_folder: Path) -> Counter[str]:
    """How often each row is there, read from a server that is started for it."""
    server = await start_embedded(data_folder / "postgres")
    try:
        assert find_running(data_folder / "postgres") == server.server
        connection = await asyncpg.connect(server.dsn("todo"))
        rows = await connection.fetch("select listname from list where listname <> 'Getting to know Ostiary'")
        await connection.close()
    finally:
        await server.stop()
    return Counter(row[0] for row in rows)
