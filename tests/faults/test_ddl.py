"""Tables change while the gateway serves: nobody is dropped, told internals or shown what is gone."""

import asyncio
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import asyncpg
import httpx2
import pytest

from db.embedded import find_running
from tests.gateways import Gateway

pytestmark = [pytest.mark.server, pytest.mark.postgres]

CHANGES = 200
CLIENTS = 4
NOTICED_SECONDS = 3.0
#: What a caller may be told while tables change under an operation; a filter tells in its own way of a column that is
#: not there.
TOLD = {"GRAPHQL_VALIDATION_FAILED", "UNKNOWN_COLUMN", "CATALOG_OUTDATED", "STATEMENT_TIMED_OUT"}
INTERNALS = ("relation", "pg_", "cached plan", "Traceback", "asyncpg", "does not exist")
DOCUMENTS = (
    "{ churn { id } }",
    "{ churn { id note } }",
    "{ churn { id renamed } }",
    "{ churn(filter: \"note = 'secret'\") { id } }",
    'mutation { update_churn(id: 1, input: { note: "again" }) { id note } }',
)


def round_of_changes(number: int) -> list[str]:
    """Five changes that end with the table as it was."""
    return [
        f"alter table churn add column extra_{number} int default 7",
        "alter table churn rename column note to renamed",
        "alter table churn rename column renamed to note",
        f"alter table churn drop column extra_{number}",
        (
            "drop table churn; create table churn (id int primary key, note text);"
            " insert into churn values (1, 'a'), (2, 'b')"
        ),
    ]


@contextmanager
def serving(data_folder: Path) -> Generator[tuple[Gateway, str, str]]:
    """A gateway, a token of the todo tenant's root, and the DSN of that tenant's database."""
    with Gateway.start(data_folder) as gateway:
        server = find_running(data_folder / "postgres")
        assert server is not None
        yield gateway, gateway.access("todo"), server.dsn("todo")


async def execute(dsn: str, statements: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(statements)
    finally:
        await connection.close()


def noticed(gateway: Gateway, token: str, document: str, expected: object) -> float:
    """After how many seconds the document was answered so."""
    began = time.monotonic()
    while True:
        answer = gateway.ask(token, document)
        taken = time.monotonic() - began
        if answer.get("data") == expected:
            return taken
        assert taken < 10, answer


def test_what_changes_is_served_within_seconds(data_folder: Path) -> None:
    with serving(data_folder) as (gateway, token, dsn):
        gateway.ask(token, "{ list { listid } }")
        asyncio.run(execute(dsn, "create table churn (id int primary key); insert into churn values (1)"))
        assert noticed(gateway, token, "{ churn { id } }", {"churn": [{"id": "1"}]}) < NOTICED_SECONDS
        asyncio.run(execute(dsn, "alter table churn add column note text default 'x'"))
        assert noticed(gateway, token, "{ churn { note } }", {"churn": [{"note": "x"}]}) < NOTICED_SECONDS
        asyncio.run(execute(dsn, "create function six() returns int language sql stable as 'select 6'"))
        assert noticed(gateway, token, "{ Functions { six } }", {"Functions": {"six": 6}}) < NOTICED_SECONDS

        asyncio.run(execute(dsn, "alter table churn drop column note"))
        # At once: what is gone is never shown, and who asks for it is told that it is not there.
        gone = gateway.ask(token, "{ churn { note } }")
        assert gone["errors"][0]["extensions"]["code"] == "GRAPHQL_VALIDATION_FAILED"
        assert gateway.ask(token, "{ churn { id } }")["data"] == {"churn": [{"id": "1"}]}


def test_two_hundred_changes_under_load_are_no_faults(data_folder: Path) -> None:
    strange: list[str] = []
    answered: list[int] = [0]

    async def load(address: str, token: str, over: asyncio.Event, offset: int) -> None:
        headers = {"Authorization": f"Bearer {token}"}
        async with httpx2.AsyncClient(base_url=address, headers=headers, timeout=20.0) as client:
            turn = offset
            while not over.is_set():
                turn += 1
                reply = await client.post("/query", json={"query": DOCUMENTS[turn % len(DOCUMENTS)]})
                strange.extend(faults_of(reply.status_code, reply.json(), reply.text))
                answered[0] += "errors" not in reply.json()

    async def change(dsn: str) -> None:
        connection = await asyncpg.connect(dsn)
        for number in range(CHANGES // 5):
            for statement in round_of_changes(number):
                await connection.execute(statement)
                await asyncio.sleep(0.01)
        await connection.close()

    async def both(address: str, token: str, dsn: str) -> None:
        over = asyncio.Event()
        clients = [asyncio.create_task(load(address, token, over, number)) for number in range(CLIENTS)]
        await change(dsn)
        over.set()
        await asyncio.gather(*clients)

    with serving(data_folder) as (gateway, token, dsn):
        asyncio.run(execute(dsn, "create table churn (id int primary key, note text)"))
        noticed(gateway, token, "{ churn { id note } }", {"churn": []})
        asyncio.run(both(gateway.address, token, dsn))
        # Made once more, now that no mutation of the load can come after it.
        asyncio.run(execute(dsn, round_of_changes(CHANGES)[-1]))
        rows = {"churn": [{"id": "1", "note": "a"}, {"id": "2", "note": "b"}]}
        assert noticed(gateway, token, '{ churn(ordering: ["id"]) { id note } }', rows) < NOTICED_SECONDS

    assert strange == []
    assert answered[0] > 0


def faults_of(status: int, body: dict[str, Any], text: str) -> list[str]:
    """What must not be in an answer, whatever happens to the tables."""
    codes = {error["extensions"]["code"] for error in body.get("errors", ())} - TOLD - {"NOT_FOUND"}
    told = " ".join(error["message"] for error in body.get("errors", ()))
    if status >= 500 or codes or any(internal in told for internal in INTERNALS):
        return [f"{status} {text}"]
    return []
