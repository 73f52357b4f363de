"""Two processes over one control database: what one changes of rules is in force in the other within a second, without
a request being dropped; and at once, where that one cannot hear of changes."""

import asyncio
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import httpx2
import pytest

from tests.conftest import NO_LOGIN_LIMITS
from tests.databases import Databases, database_name
from tests.gateways import Gateway
from tests.houses import House, Member
from tests.wire import bearer
from tests.worlds import open_world

pytestmark = pytest.mark.server

ROWS = range(1, 41)
CHANGES = 500
#: How long a change may take to reach the other process.
SECONDS = 1.0
ASKING = 2
TABLE = f"""
create schema side;
create table parcel (id integer primary key);
insert into parcel select generate_series(0, {ROWS[-1] + 1});
"""
QUESTION = {"query": "{ parcel { id } }"}
UPDATE = "mutation ($r: ID!, $i: policy_ruleInput) { update_policy_rule(ruleid: $r, input: $i) { ruleid } }"
DELETE = "mutation ($r: ID!) { delete_policy_rule(ruleid: $r) { ruleid } }"


@dataclass(frozen=True)
class Pair:
    """A tenant of two processes: of the house's, by which rules change, and of one that serves its member."""

    house: House
    serving: Gateway
    member: Member

    def make_rule(self, row: int) -> int:
        """The id of a new rule that lets the member see one row."""
        return self.house.rule("select", "parcel", f"id = {row}", to=self.member)

    def change_rule(self, rule_id: int, **given: object) -> None:
        self.house.control(self.house.root, UPDATE, {"r": rule_id, "i": {"name": f"rule {rule_id}"} | given})


@pytest.fixture(scope="module")
def pair(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    folder, dsn = tmp_path_factory.mktemp("pair"), databases.create()
    databases.execute_in(dsn, TABLE)
    with (
        open_world(databases, folder, **NO_LOGIN_LIMITS) as world,
        Gateway.start(folder, database_url=world.control_dsn, **NO_LOGIN_LIMITS) as serving,
    ):
        house = House.open(world, dsn)
        yield Pair(house, serving, house.member())
    databases.drop(dsn)


# --- five hundred changes --------------------------------------------------------------------------------------------


@dataclass
class Change:
    """When a change was asked for, and when it was confirmed."""

    is_grant: bool
    begun: float
    confirmed: float = float("inf")


@dataclass(frozen=True)
class Answer:
    begun: float
    ended: float
    rows: frozenset[int]


@dataclass
class Parcel:
    """A row, the rule that lets the member see it, and what became of that rule, in order."""

    row: int
    rule_id: int
    changes: list[Change] = field(default_factory=list[Change])

    @property
    def is_granted(self) -> bool:
        return not self.changes or self.changes[-1].is_grant

    def expected(self, begun: float, ended: float) -> bool | None:
        """Whether a request has to see the row: as it was a second before it began, unless a change came in between."""
        before = [change for change in self.changes if change.confirmed <= begun - SECONDS]
        meanwhile = [change for change in self.changes if begun - SECONDS < change.confirmed and change.begun <= ended]
        if meanwhile:
            return None
        return before[-1].is_grant if before else True


def turn(pair: Pair, parcel: Parcel) -> None:
    """Nothing; the row is no longer granted, or again, in the way that is the row's."""
    change = Change(not parcel.is_granted, time.monotonic())
    parcel.changes.append(change)
    match parcel.row % 3:
        case 0:
            to = pair.member if change.is_grant else pair.house.root
            pair.change_rule(parcel.rule_id, roles=[to.role_id])
        case 1:
            pair.change_rule(parcel.rule_id, capabilities=["select" if change.is_grant else "insert"])
        case _ if change.is_grant:
            parcel.rule_id = pair.make_rule(parcel.row)
        case _:
            pair.house.control(pair.house.root, DELETE, {"r": parcel.rule_id})
    change.confirmed = time.monotonic()


def change_often(pair: Pair, parcels: list[Parcel]) -> None:
    """Nothing, after all changes, and a second more in which only the first row's go on."""
    for number in range(CHANGES):
        turn(pair, parcels[number % len(parcels)])
        if number % 10 == 0:
            assert pair.house.ids(pair.member, "parcel") == seen_rows(parcels)
    last = time.monotonic()
    while time.monotonic() < last + 1.2 * SECONDS:
        turn(pair, parcels[0])


def seen_rows(parcels: list[Parcel]) -> list[int]:
    return [0, *(parcel.row for parcel in parcels if parcel.is_granted)]


async def ask(client: httpx2.AsyncClient) -> Answer:
    """What the process that serves has answered. A request that is not answered with rows is an error."""
    begun = time.monotonic()
    reply = await client.post("/query", json=QUESTION)
    assert reply.status_code == 200, reply.text
    body = reply.json()
    assert "errors" not in body, body
    return Answer(begun, time.monotonic(), frozenset(int(each["id"]) for each in body["data"]["parcel"]))


async def ask_while_changing(pair: Pair, parcels: list[Parcel]) -> list[Answer]:
    headers, address = bearer(pair.member.token), pair.serving.address
    async with httpx2.AsyncClient(base_url=address, headers=headers, timeout=30) as client:
        changing = asyncio.create_task(asyncio.to_thread(change_often, pair, parcels))

        async def ask_on() -> list[Answer]:
            answers: list[Answer] = []
            while not changing.done():
                answers.append(await ask(client))
            return answers

        found = await asyncio.gather(*(ask_on() for _ in range(ASKING)))
        await changing
        return [*(answer for answers in found for answer in answers), await ask(client)]


@pytest.mark.timeout(300)
def test_no_request_that_begins_a_second_after_a_revocation_succeeds_and_none_is_dropped(pair: Pair) -> None:
    pair.house.rule("select", "parcel", "id = 0", to=pair.member)
    parcels = [Parcel(row, pair.make_rule(row)) for row in ROWS]
    for parcel in parcels:
        parcel.changes.append(Change(is_grant=True, begun=time.monotonic(), confirmed=time.monotonic()))

    answers = asyncio.run(ask_while_changing(pair, parcels))

    told = [
        (parcel.row, expected, answer)
        for answer in answers
        for parcel in parcels
        for expected in [parcel.expected(answer.begun, answer.ended)]
        if expected is not None
    ]
    assert [each for each in told if each[1] is not (each[0] in each[2].rows)] == []
    assert {each[1] for each in told if each[2] == answers[-1]} == {True, False}
    assert sum(len(parcel.changes) - 1 for parcel in parcels) >= CHANGES
    assert all(0 in answer.rows for answer in answers)


# --- a process that cannot hear --------------------------------------------------------------------------------------


def test_a_process_that_cannot_hear_of_changes_asks_the_database_each_time(pair: Pair, databases: Databases) -> None:
    row, rule_id = ROWS[-1] + 1, pair.make_rule(ROWS[-1] + 1)
    control = database_name(pair.house.wire.control_dsn)

    with pair.serving.client() as client:

        def seen() -> bool:
            body = client.post("/query", json=QUESTION, headers=bearer(pair.member.token)).json()
            return "errors" not in body and str(row) in {str(each["id"]) for each in body["data"]["parcel"]}

        def hears() -> bool:
            return bool(client.get("/readyz").json()["changes_heard"])

        wait_until(seen)
        databases.execute(f'alter database "{control}" allow_connections false')
        try:
            databases.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity"
                f" where application_name = 'ostiary changes' and datname = '{control}'"
            )
            wait_until(lambda: not hears())
            for _ in range(5):
                pair.change_rule(rule_id, capabilities=["insert"])
                assert not seen()
                pair.change_rule(rule_id, capabilities=["select"])
                assert seen()
            assert not hears()
        finally:
            databases.execute(f'alter database "{control}" allow_connections true')
        wait_until(hears)
        assert seen()


def wait_until(condition: Callable[[], bool], timeout_seconds: float = 30) -> None:
    """Nothing, once the condition holds; its time limit is only for failures."""
    ends = time.monotonic() + timeout_seconds
    while not condition():
        assert time.monotonic() < ends
        time.sleep(0.02)
