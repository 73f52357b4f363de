"""The sweep: guests go when they are due, with their rows or without, and never one that is about to be an account."""

import asyncio
from dataclasses import replace

import pytest

from db.guests import count_live_guests, list_guests
from db.records import GuestPolicy
from tests.shelters import DAY, Person, Shelter

pytestmark = pytest.mark.postgres

IDENTITY = GuestPolicy(mode="identity")
SHORT = replace(IDENTITY, session_seconds=3600)


async def is_there(shelter: Shelter, person: Person) -> bool:
    return bool(await shelter.control("select 1 from ostiary.role where role_id = :id", id=person.role_id))


async def test_a_guest_goes_when_it_was_not_seen_for_ninety_days(shelter: Shelter) -> None:
    await shelter.choose(SHORT)
    old = await shelter.guest()
    shelter.clock.now += 89 * DAY
    young = await shelter.guest()

    assert await shelter.sweep() == 0
    shelter.clock.now += DAY + 1
    assert await shelter.sweep() == 1

    assert [await is_there(shelter, person) for person in (old, young)] == [False, True]
    for table in ("guest", "identity", "session"):
        assert await shelter.control(f"select 1 from ostiary.{table} where role_id = :id", id=old.role_id) == []
    assert await shelter.sweep() == 0


async def test_use_makes_a_guest_stay_and_age_alone_counts_where_the_tenant_says_so(shelter: Shelter) -> None:
    await shelter.choose(replace(IDENTITY, session_seconds=100 * DAY, retention_seconds=10 * DAY))
    guest = await shelter.guest()
    shelter.clock.now += 9 * DAY
    refreshed = await shelter.client.get("/auth?schema=none", headers={"Authorization": f"Bearer {guest.refresh}"})
    # Its refresh token is older than a week.
    assert refreshed.status_code == 401
    await shelter.log_out(guest)
    await shelter.control("update ostiary.session set ended_at = now()")
    await shelter.control("update ostiary.guest set last_seen_at = :now", now=shelter.now)
    shelter.clock.now += 9 * DAY
    assert await shelter.sweep() == 0

    await shelter.choose(
        replace(IDENTITY, session_seconds=100 * DAY, retention_seconds=10 * DAY, retention_from="creation")
    )

    assert await shelter.sweep() == 1


async def test_a_guest_with_a_session_that_goes_on_stays_however_old(shelter: Shelter) -> None:
    await shelter.choose(replace(IDENTITY, session_seconds=365 * DAY, retention_seconds=0, retention_from="creation"))
    guest = await shelter.guest()
    shelter.clock.now += 200 * DAY
    assert await shelter.sweep() == 0

    shelter.clock.now += 166 * DAY

    assert await shelter.sweep() == 1
    assert not await is_there(shelter, guest)


@pytest.mark.parametrize("ending", ["logout", "expiry", "idle"])
async def test_retention_can_count_from_the_end_of_the_last_session(shelter: Shelter, ending: str) -> None:
    policy = replace(IDENTITY, session_seconds=7200, retention_seconds=1000, retention_from="session_end")
    await shelter.choose(replace(policy, idle_seconds=3600) if ending == "idle" else policy)
    guest = await shelter.guest()
    if ending == "logout":
        await shelter.log_out(guest)
    ended_after = {"logout": 0, "expiry": 7200, "idle": 3600}[ending]

    shelter.clock.now += ended_after + 990
    assert await shelter.sweep() == 0
    shelter.clock.now += 200
    assert await shelter.sweep() == 1


async def test_accounts_never_go(shelter: Shelter) -> None:
    await shelter.choose(SHORT)
    guest = await shelter.guest()
    await shelter.write_note(guest, "kept")
    await shelter.convert(guest, "me@example.org")
    shelter.clock.now += 1000 * DAY

    assert await shelter.sweep() == 0
    assert await shelter.notes(await shelter.log_in("me@example.org")) == ["kept"]


@pytest.mark.parametrize(
    ("rows", "left"), [("keep", [("note", True), ("folder", True)]), ("disown", [("note", True), ("folder", False)])]
)
async def test_the_tenant_chooses_what_becomes_of_rows(
    shelter: Shelter, rows: str, left: list[tuple[str, bool]]
) -> None:
    await shelter.choose(replace(SHORT, rows=rows))  # pyright: ignore[reportArgumentType]
    guest = await shelter.guest()
    await shelter.write_note(guest, "body")
    await shelter.ask(guest, 'mutation { create_folder(input: { name: "things" }) { id } }')
    shelter.clock.now += 91 * DAY

    assert await shelter.sweep() == 1

    # Where a column must have a value it keeps it.
    for table, is_owned in left:
        assert await shelter.rows(f"select owner is not null from {table}") == [(is_owned,)]


async def test_rows_go_with_their_owner_where_the_tenant_says_so_and_no_others(shelter: Shelter) -> None:
    await shelter.choose(replace(SHORT, rows="delete"))
    old = await shelter.guest()
    await shelter.write_note(old, "old")
    shelter.clock.now += 91 * DAY
    young = await shelter.guest()
    await shelter.write_note(young, "young")

    assert await shelter.sweep() == 1
    assert await shelter.rows("select body from note") == [("young",)]


async def test_rows_that_are_somebody_elses_as_well_stay_where_rows_go_with_their_owner(shelter: Shelter) -> None:
    await shelter.choose(replace(SHORT, rows="delete", owner_columns=("letter.sender", "letter.reader")))
    gone, other = await shelter.guest(), await shelter.account("kim@example.org")
    me, kim = gone.role_id, other.role_id
    for number, (sender, reader) in enumerate([(me, kim), (kim, me), (me, None), (None, me), (me, me), (kim, kim)]):
        values = number, sender, None if reader is None else str(reader)
        await shelter.rows("insert into letter values ($1, $2, $3) returning id", *values)
    shelter.clock.now += 91 * DAY

    assert await shelter.sweep() == 1
    letters = await shelter.rows("select id, sender, reader from letter order by id")
    assert letters == [(0, None, str(kim)), (1, kim, None), (5, kim, str(kim))]


async def test_a_sweep_takes_small_batches_until_nobody_is_due(shelter: Shelter) -> None:
    await shelter.choose(SHORT)
    await asyncio.gather(*(shelter.guest() for _ in range(120)))
    shelter.clock.now += 91 * DAY

    assert await shelter.sweep() == 120
    async with shelter.state.engine.connect() as connection:
        assert await count_live_guests(connection, shelter.tenant_id) == 0
        assert await list_guests(connection, shelter.tenant_id, max_rows=5) == ()


async def test_two_sweeps_at_once_take_each_guest_once(shelter: Shelter) -> None:
    await shelter.choose(SHORT)
    await asyncio.gather(*(shelter.guest() for _ in range(40)))
    shelter.clock.now += 91 * DAY

    assert sum(await asyncio.gather(*(shelter.sweep() for _ in range(4)))) + await shelter.sweep() == 40


async def test_a_conversion_wins_every_race_against_the_sweep(shelter: Shelter) -> None:
    # Every guest is due by age, and all that keeps it is the session by which it becomes an account.
    await shelter.choose(replace(IDENTITY, session_seconds=DAY, retention_seconds=0, retention_from="creation"))
    for number in range(60):
        guest = await shelter.guest()
        shelter.clock.now += 1
        converted, *swept = await asyncio.gather(
            shelter.convert(guest, f"me{number}@example.org"), shelter.sweep(), shelter.sweep()
        )
        assert (converted.status_code, swept) == (200, [0, 0])
        assert (await shelter.whoami(guest)).json()["is_guest"] is False


async def test_at_the_end_of_its_session_a_guest_is_converted_or_left_alone_or_gone(shelter: Shelter) -> None:
    await shelter.choose(replace(IDENTITY, session_seconds=3600, retention_seconds=0, retention_from="creation"))
    begin = shelter.clock.now
    for number in range(40):
        shelter.clock.now = begin
        guest = await shelter.guest()
        # To the sweep the session is over by a margin, as to a process whose clock is ahead.
        late = asyncio.create_task(_sweep_late(shelter, begin + 3700))
        converted = await shelter.convert(guest, f"me{number}@example.org")
        await late
        if converted.status_code == 200:
            assert (await shelter.whoami(guest)).json()["is_guest"] is False
        else:
            assert converted.status_code == 401
            assert not await is_there(shelter, guest)


async def _sweep_late(shelter: Shelter, moment: float) -> None:
    ahead = replace(shelter, clock=type(shelter.clock)(moment))
    await ahead.sweep()
