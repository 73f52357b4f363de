"""Adoption: the rows of a guest become those of an account that was there before, all of them or none."""

import asyncio

import pytest

from db.records import GuestPolicy
from tests.shelters import Person, Shelter

pytestmark = pytest.mark.postgres


async def folder(shelter: Shelter, person: Person, name: str, note: str) -> None:
    """Nothing; the person has a folder of this name with a note in it."""
    made = await shelter.ask(person, f'mutation {{ create_folder(input: {{ name: "{name}" }}) {{ id }} }}')
    place = made["create_folder"]["id"]
    await shelter.ask(person, f'mutation {{ create_note(input: {{ body: "{note}", folder_id: {place} }}) {{ id }} }}')


async def test_the_rows_of_the_guest_are_the_accounts_and_the_guest_is_gone(shelter: Shelter) -> None:
    account, guest = await shelter.account("ann@example.org"), await shelter.guest()
    await shelter.write_note(account, "hers")
    await shelter.write_note(guest, "the guest's")
    await folder(shelter, guest, "things", "in it")

    reply = await shelter.adopt(account, guest)

    assert reply.status_code == 200
    assert reply.json() == {
        "message": "Adopted.",
        "roleid": account.role_id,
        "guest_roleid": guest.role_id,
        "rows": 3,
        "left": 0,
    }
    assert await shelter.notes(account) == ["hers", "in it", "the guest's"]
    assert (await shelter.whoami(guest)).status_code == 401
    assert (await shelter.convert(guest, "late@example.org")).status_code == 401
    tombstone = "select deleted, adopted_by from ostiary.role join ostiary.guest using (role_id) where role_id = :id"
    assert await shelter.control(tombstone, id=guest.role_id) == [(True, account.role_id)]


async def test_columns_that_refer_to_the_owner_move_as_well(shelter: Shelter) -> None:
    account, guest = await shelter.account("ann@example.org"), await shelter.guest()
    for person in (account, guest):
        await shelter.ask(person, 'mutation { create_profile(input: { nick: "N" }) { nick } }')
        await shelter.rows("insert into mark (whose) values ($1)", person.role_id)

    refused = await shelter.adopt(account, guest)
    reply = await shelter.adopt(account, guest, strategy="keep_account")

    assert refused.status_code == 409
    assert (reply.json()["rows"], reply.json()["left"]) == (1, 1)
    assert await shelter.rows("select whose from mark") == [(account.role_id,)] * 2
    assert sorted(await shelter.rows("select owner from profile")) == sorted([(account.role_id,), (guest.role_id,)])


async def test_where_rows_collide_nothing_moves_unless_a_strategy_is_named(shelter: Shelter) -> None:
    account, guest = await shelter.account("ann@example.org"), await shelter.guest()
    await folder(shelter, account, "things", "hers")
    await folder(shelter, guest, "things", "the guest's")
    everything = "select 'folder', id, owner from folder union all select 'note', id, owner from note order by 1, 2"
    before = await shelter.rows(everything)

    refused = await shelter.adopt(account, guest)

    assert (refused.status_code, refused.json()["error"]) == (
        409,
        "Rows of the account stand in the way of the guest's; choose a strategy.",
    )
    assert await shelter.rows(everything) == before
    assert (await shelter.whoami(guest)).json()["is_guest"] is True
    assert await shelter.notes(guest) == ["the guest's"]


@pytest.mark.parametrize(
    ("strategy", "notes", "folders"), [("keep_account", ["hers", "the guest's"], 2), ("keep_guest", ["the guest's"], 1)]
)
async def test_a_strategy_says_whose_row_counts_where_two_collide(
    shelter: Shelter, strategy: str, notes: list[str], folders: int
) -> None:
    account, guest = await shelter.account("ann@example.org"), await shelter.guest()
    await folder(shelter, account, "things", "hers")
    await folder(shelter, guest, "things", "the guest's")

    reply = await shelter.adopt(account, guest, strategy=strategy)

    assert reply.status_code == 200
    assert await shelter.notes(account) == notes
    assert len(await shelter.rows("select 1 from folder")) == folders


async def test_it_takes_both_sessions_of_a_guest_and_of_an_account(shelter: Shelter) -> None:
    account, other, guest = await shelter.account("ann@example.org"), await shelter.guest(), await shelter.guest()
    gone = await shelter.guest()
    await shelter.log_out(gone)

    assert (await shelter.adopt(other, guest)).status_code == 409
    assert (await shelter.adopt(account, account)).status_code == 409
    assert (await shelter.adopt(account, gone)).status_code == 401
    assert (await shelter.adopt(account, guest, guest_token="no token")).status_code == 422
    assert (await shelter.adopt(account, guest, guest_token=guest.refresh)).status_code == 422
    assert (await shelter.adopt(account, guest, guest_token="")).status_code == 400
    assert (await shelter.whoami(guest)).status_code == 200


async def test_a_caller_moves_no_column_that_does_not_say_whose_a_row_is(shelter: Shelter) -> None:
    account, guest = await shelter.account("ann@example.org"), await shelter.guest()
    await shelter.write_note(guest, "moved")
    await folder(shelter, guest, "stays", "moved too")
    texts = set[str]()
    for column in ("price.amount", "price.nothing", "nothing.at_all", "mark.whose"):
        reply = await shelter.adopt(account, guest, columns=[column])
        assert reply.status_code == 400
        texts.add(reply.text)

    reply = await shelter.adopt(account, guest, columns=["note.owner"])

    assert len(texts) == 1
    assert reply.json()["rows"] == 2
    assert await shelter.rows("select owner from folder") == [(guest.role_id,)]
    assert await shelter.rows("select count(*) from price where id <> amount") == [(0,)]


async def test_columns_that_the_tenant_has_named_are_those_that_count(shelter: Shelter) -> None:
    await shelter.choose(GuestPolicy(mode="identity", owner_columns=("folder.owner", "public.nothing.owner")))
    account, guest = await shelter.account("ann@example.org"), await shelter.guest()
    await folder(shelter, guest, "moves", "stays")

    assert (await shelter.adopt(account, guest)).json()["rows"] == 1
    assert await shelter.rows("select owner from note") == [(guest.role_id,)]


async def test_of_conversion_and_adoption_at_once_one_happens(shelter: Shelter) -> None:
    account = await shelter.account("ann@example.org")
    for number in range(10):
        guest = await shelter.guest()
        await shelter.write_note(guest, f"note {number}")

        converted, adopted = await asyncio.gather(
            shelter.convert(guest, f"me{number}@example.org"), shelter.adopt(account, guest)
        )

        better, worse = sorted([converted.status_code, adopted.status_code])
        assert better == 200
        assert worse in {401, 409}
        owner = guest if converted.status_code == 200 else account
        assert f"note {number}" in await shelter.notes(owner)
