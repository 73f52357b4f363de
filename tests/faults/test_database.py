"""The gateway when its databases end connections, are slow, or are all taken, and when clients hang up."""

import re
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import orjson
import pytest

from tests.commands import ostiary
from tests.databases import Databases, database_name
from tests.gateways import Gateway, Login

pytestmark = [pytest.mark.server, pytest.mark.postgres]

PATIENCE_SECONDS = 30.0
STATEMENT_SECONDS = 3.0
CONNECTIONS = 2
TABLES = """
create table kept (id int primary key);
create view slow as select 1 as id, pg_sleep(60)::text as slept;
create table slowly (id int primary key);
create function sleep() returns trigger language plpgsql as
    $$ begin perform pg_sleep(0.4); return new; end $$;
create trigger sleep before insert on slowly for each row execute function sleep();
"""
INTERNALS = re.compile(r"asyncpg|sqlalchemy|Traceback|cannot switch|INTERNAL|terminating|pg_", re.IGNORECASE)
TOKEN = re.compile(r"eyJ[\w.-]+", re.ASCII)
SLOW = "{ slow { slept } }"


def without_tokens(text: str) -> str:
    """The text without what is random in it, where any short word may turn up."""
    return TOKEN.sub("", text)


class World:
    """A gateway on a control database and a tenant's database of a server that is not its own."""

    def __init__(self, gateway: Gateway, login: Login, databases: Databases, control: str, tenant: str) -> None:
        self.gateway = gateway
        self.login = login
        self.databases = databases
        self.control = control
        self.tenant = tenant
        self.token = self.log_in().json()["access_token"]

    def log_in(self) -> httpx2.Response:
        with self.gateway.client() as client:
            return client.post("/auth?schema=none", json=self.login.body())

    def post(self, query: str, path: str = "/query") -> httpx2.Response:
        with self.gateway.client() as client:
            return client.post(path, json={"query": query}, headers={"Authorization": f"Bearer {self.token}"})

    def code(self, query: str) -> str:
        """The code of the refusal, or an empty text."""
        return code_of(self.post(query))

    def sessions(self, condition: str) -> int:
        """How many sessions of the gateway in the tenant's database satisfy a condition."""
        return self.databases.fetch_value(
            "select count(*) from pg_stat_activity"
            f" where datname = '{database_name(self.tenant)}' and application_name = 'ostiary' and {condition}"
        )

    def until(self, condition: str, wanted: Callable[[int], bool]) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not wanted(self.sessions(condition)):
            assert time.monotonic() < deadline
            time.sleep(0.01)

    def end_sessions(self) -> int:
        """How many sessions of the gateway were ended, in both databases."""
        return self.databases.fetch_value(
            "select count(pg_terminate_backend(pid)) from pg_stat_activity"
            f" where datname in ('{database_name(self.tenant)}', '{database_name(self.control)}')"
            " and application_name like 'ostiary%'"
        )

    def ids(self, table: str) -> set[int]:
        answer = self.post(f"{{ {table} {{ id }} }}").json()
        return {int(row["id"]) for row in answer["data"][table]}


def code_of(reply: httpx2.Response) -> str:
    assert not INTERNALS.search(without_tokens(reply.text)), reply.text
    errors: list[Any] = reply.json().get("errors", [])
    return errors[0]["extensions"]["code"] if errors else ""


@pytest.fixture(scope="module")
def world(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    control, tenant = databases.create(), databases.create()
    databases.execute_in(tenant, TABLES)
    folder: Path = tmp_path_factory.mktemp("faults")
    assert ostiary("migrate", data_folder=folder, database_url=control).code == 0
    added = ostiary("tenant", "add", "kept", "--dsn", tenant, data_folder=folder, database_url=control)
    shown = re.search(r"│\s*kept\s*│\s*(\d+)\s*│\s*root\s*│\s*(\S+)\s*│", added.out)
    assert shown is not None, added.error
    with Gateway.start(
        folder,
        database_url=control,
        tenant_connections=str(CONNECTIONS),
        acquire_seconds="0.5",
        statement_seconds=str(STATEMENT_SECONDS),
    ) as gateway:
        yield World(gateway, Login(int(shown[1]), "root", shown[2]), databases, control, tenant)
    databases.drop(tenant)
    databases.drop(control)


@contextmanager
def asking(world: World, query: str, times: int) -> Generator[list[Any]]:
    """Within it the operation runs so many times at once; what comes of it, once it has come."""
    with ThreadPoolExecutor(times) as threads:
        yield [threads.submit(world.post, query) for _ in range(times)]


def test_a_statement_past_its_time_is_a_timeout_and_gone_from_postgresql(world: World) -> None:
    reply = world.post(SLOW)

    assert code_of(reply) == "TIMEOUT"
    assert reply.json()["data"] is None
    assert world.sessions("state = 'active' and query like '%slow%'") == 0


def test_with_every_connection_taken_queries_are_refused_in_time_and_the_rest_goes_on(world: World) -> None:
    with asking(world, SLOW, CONNECTIONS) as taken:
        world.until("state = 'active' and query like '%slow%'", lambda count: count == CONNECTIONS)

        refused = world.code("{ kept { id } }")
        with world.gateway.client() as client:
            health = client.get("/healthz").status_code
        login = world.log_in().status_code
        # All that was answered while the statements were still running.
        assert world.sessions("state = 'active' and query like '%slow%'") == CONNECTIONS

    assert (refused, health, login) == ("DATABASE_UNAVAILABLE", 200, 200)
    assert [code_of(each.result()) for each in taken] == ["TIMEOUT"] * CONNECTIONS
    assert world.code("{ kept { id } }") == ""


def test_ended_connections_of_both_databases_are_answers_or_clean_refusals(world: World) -> None:
    codes: Counter[str] = Counter()
    statuses: Counter[int] = Counter()
    stored: set[int] = set()
    is_over = threading.Event()

    def insert(first: int) -> None:
        for number in range(first, first + 100_000):
            if is_over.is_set():
                return
            code = world.code(f"mutation {{ create_kept(input: {{id: {number}}}) {{ id }} }}")
            codes[code] += 1
            if not code:
                stored.add(number)

    def read(path: str, query: str) -> None:
        while not is_over.is_set():
            reply = world.post(query, path)
            codes[code_of(reply)] += 1
            statuses[reply.status_code] += 1

    def log_in() -> None:
        while not is_over.is_set():
            reply = world.log_in()
            assert not INTERNALS.search(without_tokens(reply.text)), reply.text
            statuses[reply.status_code] += 1
            time.sleep(0.1)

    with ThreadPoolExecutor(5) as threads:
        work = [
            threads.submit(insert, 1_000_000),
            threads.submit(insert, 2_000_000),
            threads.submit(read, "/query", "{ kept(limit: 5) { id } }"),
            threads.submit(read, "/roles_pbac", "{ role { login } }"),
            threads.submit(log_in),
        ]
        try:
            for _ in range(8):
                before = len(stored)
                deadline = time.monotonic() + PATIENCE_SECONDS
                while len(stored) < before + 5 and time.monotonic() < deadline:
                    time.sleep(0.005)
                assert world.end_sessions() > 0
        finally:
            is_over.set()
        for each in work:
            each.result()

    # An insert that is one statement is committed before it is answered: without the answer nobody can tell.
    assert set(codes) <= {"", "DATABASE_UNAVAILABLE", "OUTCOME_UNKNOWN"}, codes
    assert set(statuses) <= {200, 503}, statuses
    assert codes[""] > 40
    assert stored <= world.ids("kept")
    assert len(world.ids("kept") - stored) <= codes["OUTCOME_UNKNOWN"]
    assert world.log_in().status_code == 200


def test_a_client_that_hangs_up_in_the_midst_of_a_change_leaves_nothing_half_done(world: World) -> None:
    mutation = "mutation { a: create_slowly(input: {id: 1}) { id } b: create_slowly(input: {id: 2}) { id } }"
    body = orjson.dumps({"query": mutation})
    host, _, port = world.gateway.address.removeprefix("http://").rpartition(":")
    with socket.create_connection((host, int(port))) as connection:
        head = f"POST /query HTTP/1.1\r\nHost: gateway\r\nAuthorization: Bearer {world.token}\r\n"
        head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        connection.sendall(head.encode() + body)
        world.until("state = 'active' and query like '%slowly%'", lambda count: count == 1)
        # Not a polite end but a reset.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    world.until("(state like 'idle in transaction%' or state = 'active')", lambda count: count == 0)

    assert world.ids("slowly") in ({1, 2}, set())
