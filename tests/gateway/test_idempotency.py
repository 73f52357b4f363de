"""A mutation with an Idempotency-Key: stored once, whatever breaks between its parts, and answered alike."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from uuid import uuid4

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from db.engines import control_engine
from db.errors import InvalidValue, OutcomeUnknown
from db.idempotency import IdempotencyKey
from db.records import Role
from db.tenant_database import Running, TenantDatabase
from gateway.idempotency import (
    IdempotencyInProgress,
    IdempotencyKeyReused,
    Ledger,
    Record,
    answer_once,
)
from tests.control_rows import MASTER_KEY, a_role, a_tenant
from tests.gateways import Gateway
from tests.wire import Person, Wire, bearer

pytestmark = pytest.mark.postgres

_AGE = "update ostiary.idempotency set claimed_at = claimed_at - interval '2 minutes'"
Between = Callable[[], Awaitable[None]]


class Died(BaseException):
    """The end of a process in the midst of its work, as far as a test can have it."""


async def nothing() -> None:
    pass


async def die() -> None:
    raise Died


class Shop:
    """A tenant's database with one table, and what counts what was stored."""

    def __init__(self, ledger: Ledger, database: TenantDatabase, key: IdempotencyKey) -> None:
        self.ledger = ledger
        self.database = database
        self.key = key

    async def order(
        self,
        digest: str = "a",
        *,
        before_record: Between = nothing,
        before_commit: Between = nothing,
        after_commit: Between = nothing,
    ) -> bytes:
        async def run(record: Record) -> bytes:
            async with self.database.transaction() as transaction:
                reply = await self._store(transaction)
                await before_record()
                await record(await transaction.transaction_id(), reply)
                await before_commit()
            await after_commit()
            return reply

        return await answer_once(self.ledger, self.database, self.key, digest, run)

    async def _store(self, transaction: Running) -> bytes:
        rows = await transaction.fetch("insert into orders default values returning number::text", [])
        return bytes(rows[0][0])

    async def count(self) -> int:
        return int(await self.database.fetch_text("select count(*)::text from orders", []))

    async def age(self) -> None:
        """Nothing; the claims are as old as if their processes had long gone."""
        async with self.ledger.engine.begin() as connection:
            await connection.execute(text(_AGE))


@pytest.fixture
async def control(control_dsn: str) -> AsyncIterator[AsyncEngine]:
    engine = control_engine(control_dsn)
    yield engine
    await engine.dispose()


@pytest.fixture
async def shop(control: AsyncEngine, database: str) -> AsyncIterator[Shop]:
    async with control.begin() as connection:
        tenant = await a_tenant(connection)
        role: Role = await a_role(connection, tenant.tenant_id, "ann")
    tables = await asyncpg.connect(database)
    await tables.execute("create table orders (number integer generated always as identity primary key)")
    await tables.close()
    async with TenantDatabase(database) as opened:
        key = IdempotencyKey(tenant.tenant_id, role.role_id, "", "k")
        yield Shop(Ledger(control, MASTER_KEY, os.urandom), opened, key)


async def test_what_is_sent_twice_is_stored_once_and_answered_alike(shop: Shop) -> None:
    assert (await shop.order(), await shop.order(), await shop.count()) == (b"1", b"1", 1)


async def test_a_key_with_another_request_is_refused(shop: Shop) -> None:
    await shop.order()

    with pytest.raises(IdempotencyKeyReused):
        await shop.order("b")


async def test_a_process_that_dies_before_it_records_has_stored_nothing_and_the_key_comes_free(shop: Shop) -> None:
    with pytest.raises(Died):
        await shop.order(before_record=die)
    with pytest.raises(IdempotencyInProgress):
        await shop.order()
    await shop.age()

    await shop.order()

    assert await shop.count() == 1


async def test_a_process_that_dies_before_its_commit_has_stored_nothing_and_the_next_stores(shop: Shop) -> None:
    with pytest.raises(Died):
        await shop.order(before_commit=die)

    await shop.order()

    assert await shop.count() == 1


async def test_a_process_that_dies_after_its_commit_has_stored_and_the_next_has_its_reply(shop: Shop) -> None:
    with pytest.raises(Died):
        await shop.order(after_commit=die)

    assert (await shop.order(), await shop.count()) == (b"1", 1)


async def test_while_one_is_answered_the_other_is_told_to_wait(shop: Shop) -> None:
    told: list[str] = []

    async def ask_meanwhile() -> None:
        with pytest.raises(IdempotencyInProgress) as refusal:
            await shop.order()
        told.append(refusal.value.code)

    await shop.order(before_record=ask_meanwhile, before_commit=ask_meanwhile)

    assert (told, await shop.count()) == (["IDEMPOTENCY_IN_PROGRESS"] * 2, 1)


async def test_who_was_taken_over_does_not_store(shop: Shop) -> None:
    async def be_slow() -> None:
        await shop.age()
        await shop.order()

    with pytest.raises(IdempotencyInProgress):
        await shop.order(before_record=be_slow)

    assert await shop.count() == 1


async def test_a_refused_mutation_leaves_its_key_free(shop: Shop) -> None:
    async def refuse() -> None:
        raise InvalidValue("no")

    with pytest.raises(InvalidValue):
        await shop.order(before_record=refuse)

    await shop.order()
    assert await shop.count() == 1


async def test_where_nobody_knows_the_outcome_that_is_said(shop: Shop) -> None:
    async def lose_the_answer() -> None:
        raise OutcomeUnknown

    with pytest.raises(OutcomeUnknown):
        await shop.order(after_commit=lose_the_answer)

    assert (await shop.order(), await shop.count()) == (b"1", 1)


async def test_repeats_in_a_crowd_store_nothing_twice(shop: Shop) -> None:
    async def insist(number: int) -> None:
        mine = Shop(shop.ledger, shop.database, replace(shop.key, key=str(number)))

        async def try_once() -> None:
            with suppress(IdempotencyInProgress):
                await mine.order()

        await asyncio.gather(*(try_once() for _ in range(4)))
        await mine.order()

    for start in range(0, 60, 3):
        await asyncio.gather(*(insist(number) for number in range(start, start + 3)))

    assert await shop.count() == 60


CREATE = """mutation ($name: String!, $owner: Int!) {
  create_list(input: {listname: $name, devii_roleid: $owner}) { listid } }"""


@pytest.mark.server
def test_over_the_wire_a_repeated_create_gives_the_first_reply(wire: Wire, person: Person) -> None:
    name = uuid4().hex
    body: dict[str, object] = {"query": CREATE, "variables": {"name": name, "owner": person.role_id}}
    headers = bearer(person.token) | {"Idempotency-Key": uuid4().hex}

    first, second = (wire.client.post("/query", json=body, headers=headers) for _ in range(2))
    other = wire.client.post("/query", json=body | {"variables": {"name": "x", "owner": 0}}, headers=headers)

    assert first.json() == second.json()
    assert "data" in first.json()
    assert (other.status_code, other.json()["errors"][0]["extensions"]["code"]) == (422, "IDEMPOTENCY_KEY_REUSED")
    found = wire.ask(person.token, "query ($f: String) { list(filter: $f) { listid } }", {"f": f"listname = '{name}'"})
    assert len(found["list"]) == 1


@pytest.mark.server
@pytest.mark.parametrize("key", ["", "é", "x" * 256])
def test_a_key_that_is_none_is_refused(wire: Wire, person: Person, key: str) -> None:
    headers = [(b"Authorization", f"Bearer {person.token}".encode()), (b"Idempotency-Key", key.encode())]

    reply = wire.client.post("/query", json={"query": "{ list { listid } }"}, headers=headers)

    assert (reply.status_code, reply.json()["errors"][0]["extensions"]["code"]) == (400, "IDEMPOTENCY_KEY_INVALID")


@pytest.mark.server
def test_visitors_share_a_role_and_no_keys(gateway: Gateway, wire: Wire) -> None:
    sign_up = "mutation ($u: devii_usersInput) { create_devii_users(input: $u) { userid } }"
    key = {"Idempotency-Key": uuid4().hex}
    given = {"name": "a", "email": "a@example.org", "devii_roleid": 900_001}
    first = wire.client.post(
        "/query", json={"query": sign_up, "variables": {"u": given}}, headers=bearer(gateway.anonymous("todo")) | key
    )

    other = wire.client.post(
        "/query", json={"query": sign_up, "variables": {"u": given}}, headers=bearer(gateway.anonymous("todo")) | key
    )

    assert "data" in first.json()
    # The second visitor's is a mutation of its own, which the unique role id stops.
    assert other.json()["errors"][0]["extensions"]["code"] == "UNIQUE_VIOLATED"
