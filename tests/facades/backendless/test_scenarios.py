"""The SDK of Backendless, as npm has it, against a running gateway."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from db.records import GuestPolicy
from tests.facades.backendless.conftest import Bench
from tests.sdks import Sdk
from tests.wire import PASSWORD

pytestmark = pytest.mark.postgres

EMAIL = "ann@example.org"
LOG_IN_AS_GUEST = "return await Backendless.UserService.loginAsGuest(true)"
IS_VALID = "return await Backendless.UserService.isValidLogin()"
CURRENT_USER = "return await Backendless.UserService.getCurrentUser(true)"
LOG_OUT = "await Backendless.UserService.logout()"
LOG_IN = "return await Backendless.UserService.login(email, password, true)"
REGISTER = "return await Backendless.UserService.register({ email, password, objectId })"
SAVE_NOTE = "return await Backendless.Data.of('note').save({ body })"
FIND_NOTES = "return (await Backendless.Data.of('note').find()).map(note => note.body).sort()"


async def enter_as_guest(sdk: Sdk) -> dict[str, Any]:
    return dict(await sdk.run(LOG_IN_AS_GUEST))


async def upgrade(sdk: Sdk, guest: dict[str, Any], email: str = EMAIL, password: str = PASSWORD) -> Any:
    return await sdk.run(REGISTER, email=email, password=password, objectId=guest["objectId"])


@pytest.mark.parametrize("in_domain_mode", [False, True], ids=["path mode", "domain mode"])
async def test_a_guest_comes_back_becomes_an_account_and_keeps_all_it_has(bench: Bench, in_domain_mode: bool) -> None:
    async with bench.launch(in_domain_mode=in_domain_mode) as sdk:
        info = await sdk.run("return await Backendless.appInfoPromise()")
        guest = await enter_as_guest(sdk)
        note = await sdk.run(SAVE_NOTE, body="milk")

        assert info["loggers"] == []
        assert guest["___class"] == "Users"
        assert guest["userStatus"] == "GUEST"
        assert guest["email"] is None
        assert note["___class"] == "note"
        assert note["ownerId"] == guest["objectId"]
        assert await sdk.run("return await Backendless.UserService.getUserRoles()") == ["GuestUser"]

    async with bench.launch(in_domain_mode=in_domain_mode) as sdk:
        assert await sdk.run(IS_VALID) is True
        assert (await sdk.run(CURRENT_USER))["objectId"] == guest["objectId"]
        assert await sdk.run(FIND_NOTES) == ["milk"]
        account = await upgrade(sdk, guest)

        assert account["objectId"] == guest["objectId"]
        assert account["email"] == EMAIL
        assert account["userStatus"] == "ENABLED"
        assert "user-token" not in account
        # Until it logs in the SDK goes on with the guest's token, which is the account's now.
        assert await sdk.run(FIND_NOTES) == ["milk"]
        assert await sdk.run("return await Backendless.UserService.getUserRoles()") == ["AuthenticatedUser"]
        entered = await sdk.run(LOG_IN, email=EMAIL, password=PASSWORD)

        assert entered["objectId"] == guest["objectId"]
        assert entered["user-token"] != guest["user-token"]
        assert await sdk.run(FIND_NOTES) == ["milk"]
        await sdk.run(LOG_OUT)
        assert await sdk.run(IS_VALID) is False


async def test_relaunched_between_registration_and_login_the_application_is_the_account(bench: Bench) -> None:
    async with bench.launch() as sdk:
        guest = await enter_as_guest(sdk)
        await upgrade(sdk, guest)

    async with bench.launch() as sdk:
        assert await sdk.run(IS_VALID) is True
        assert (await sdk.run(CURRENT_USER))["email"] == EMAIL


async def test_a_wrong_password_and_an_unknown_login_get_the_same_answer(bench: Bench) -> None:
    async with bench.launch() as sdk:
        await upgrade(sdk, await enter_as_guest(sdk))
        await sdk.run(LOG_OUT)
        wrong = await sdk.refused(LOG_IN, email=EMAIL, password="not the password")
        unknown = await sdk.refused(LOG_IN, email="nobody@example.org", password=PASSWORD)

    assert wrong == unknown
    assert (wrong["status"], wrong["code"], wrong["message"]) == (401, 3003, "Invalid login or password")


async def test_a_taken_email_leaves_the_guest_as_it_was(bench: Bench) -> None:
    async with bench.launch() as sdk:
        await upgrade(sdk, await enter_as_guest(sdk))
        guest = await enter_as_guest(sdk)
        await sdk.run(SAVE_NOTE, body="kept")
        refused = await sdk.refused(REGISTER, email=EMAIL, password=PASSWORD, objectId=guest["objectId"])

        assert (refused["status"], refused["code"]) == (409, 3033)
        assert (await sdk.run(CURRENT_USER))["userStatus"] == "GUEST"
        assert await sdk.run(FIND_NOTES) == ["kept"]


async def test_a_weak_password_a_bad_email_and_a_second_conversion_are_refused(bench: Bench) -> None:
    async with bench.launch() as sdk:
        guest = await enter_as_guest(sdk)
        weak = await sdk.refused(REGISTER, email=EMAIL, password="short", objectId=guest["objectId"])
        bad = await sdk.refused(REGISTER, email="ann", password=PASSWORD, objectId=guest["objectId"])
        await upgrade(sdk, guest)
        again = await sdk.refused(REGISTER, email="b@example.org", password=PASSWORD, objectId=guest["objectId"])

    assert (weak["status"], weak["code"]) == (400, 40400)
    assert (bad["status"], bad["code"]) == (400, 3040)
    assert (again["status"], again["code"]) == (409, 40409)


async def test_the_id_of_a_guest_is_no_proof_of_being_it(bench: Bench, tmp_path: Path) -> None:
    other = replace(bench, storage=tmp_path / "another.json")
    async with bench.launch() as sdk, other.launch() as thief:
        guest = await enter_as_guest(sdk)
        given = {"email": "thief@example.org", "password": PASSWORD, "objectId": guest["objectId"]}
        without = await thief.refused(REGISTER, **given)
        await enter_as_guest(thief)
        as_another = await thief.refused(REGISTER, **given)

        assert (without["status"], without["code"]) == (400, 3064)
        assert (as_another["status"], as_another["code"]) == (403, 1012)
        assert (await sdk.run(CURRENT_USER))["userStatus"] == "GUEST"


async def test_an_idle_session_is_over_and_to_ask_whether_it_goes_on_is_no_use_of_it(bench: Bench) -> None:
    async with bench.launch() as sdk:
        await enter_as_guest(sdk)
        bench.shelter.clock.now += 3000
        assert await sdk.run(IS_VALID) is True
        bench.shelter.clock.now += 601
        assert await sdk.run(IS_VALID) is False
        refused = await sdk.refused(FIND_NOTES)

        assert (refused["status"], refused["code"]) == (400, 3064)
        assert refused["message"].startswith("Not existing user token")
        # A dead token comes with the next login, and shuts nobody out.
        again = await enter_as_guest(sdk)
        assert await sdk.run(IS_VALID) is True
        assert again["userStatus"] == "GUEST"


async def test_a_session_that_is_used_goes_on(bench: Bench) -> None:
    async with bench.launch() as sdk:
        await enter_as_guest(sdk)
        for _ in range(3):
            bench.shelter.clock.now += 3000
            assert await sdk.run(FIND_NOTES) == []


async def test_the_tenant_chooses_how_long_a_session_may_rest(bench: Bench) -> None:
    await bench.shelter.choose(GuestPolicy(idle_seconds=7200))
    async with bench.launch() as sdk:
        await enter_as_guest(sdk)
        bench.shelter.clock.now += 7100

        assert await sdk.run(IS_VALID) is True


async def test_logging_out_twice_says_that_there_is_no_such_token(bench: Bench) -> None:
    async with bench.launch() as sdk:
        guest = await enter_as_guest(sdk)
        await sdk.run(LOG_OUT)
        await sdk.run("Backendless.UserService.setCurrentUser(user, true)", user=guest)
        refused = await sdk.refused(LOG_OUT)

        assert (refused["status"], refused["code"]) == (400, 3064)
        assert await sdk.run("return Backendless.UserService.getCurrentUserToken()") is None


async def test_an_application_with_a_dead_token_still_learns_what_it_needs_to_start(bench: Bench) -> None:
    async with bench.launch() as sdk:
        await enter_as_guest(sdk)
    bench.shelter.clock.now += 10_000

    async with bench.launch() as sdk:
        assert (await sdk.run("return await Backendless.appInfoPromise()"))["loggers"] == []
        assert await sdk.run(IS_VALID) is False


async def test_a_user_changes_its_name_and_its_password_and_goes_for_good(bench: Bench) -> None:
    update = (
        "return await Backendless.UserService.update({ ...(await Backendless.UserService.getCurrentUser()), ...to })"
    )
    async with bench.launch() as sdk:
        guest = await enter_as_guest(sdk)
        nicknamed = await sdk.run(update, to={"name": "Somebody"})
        await upgrade(sdk, guest)
        await sdk.run(LOG_IN, email=EMAIL, password=PASSWORD)
        renamed = await sdk.run(update, to={"name": "Ann"})
        not_moved = await sdk.refused(update, to={"email": "other@example.org"})
        not_known = await sdk.refused(update, to={"age": 7})
        await sdk.run(update, to={"name": "Ann", "password": "another long walk to 7 bridges."})
        assert await sdk.run(IS_VALID) is False
        old = await sdk.refused(LOG_IN, email=EMAIL, password=PASSWORD)
        user = await sdk.run(LOG_IN, email=EMAIL, password="another long walk to 7 bridges.")
        await sdk.run("await Backendless.Data.of('Users').remove(id)", id=user["objectId"])
        gone = await sdk.refused(LOG_IN, email=EMAIL, password="another long walk to 7 bridges.")

    assert (nicknamed["name"], nicknamed["userStatus"]) == ("Somebody", "GUEST")
    assert (renamed["name"], user["name"]) == ("Ann", "Ann")
    assert (not_moved["status"], not_known["code"]) == (400, 1021)
    assert (old["code"], gone["code"]) == (3003, 3003)


async def test_a_plain_registration_is_an_account_that_can_log_in(bench: Bench) -> None:
    async with bench.launch() as sdk:
        code = "return await Backendless.UserService.register(new Backendless.User({ email, password, name: 'Bea' }))"
        made = await sdk.run(code, email=EMAIL, password=PASSWORD)
        entered = await sdk.run(LOG_IN, email=EMAIL.upper(), password=PASSWORD)

    assert (made["email"], made["name"], made["userStatus"]) == (EMAIL, "Bea", "ENABLED")
    assert entered["objectId"] == made["objectId"]
    assert entered["created"] == 1_800_000_000_000
    assert datetime.fromtimestamp(entered["created"] / 1000, UTC).year == 2027


async def test_rows_are_saved_found_counted_and_deleted(bench: Bench) -> None:
    async with bench.launch() as sdk:
        guest = await enter_as_guest(sdk)
        made = [await sdk.run(SAVE_NOTE, body=body) for body in ("milk", "bread", "it's late")]
        changed = await sdk.run(
            "return await Backendless.Data.of('note').save({ ...row, body: 'oat milk' })", row=made[0]
        )
        query = (
            "const query = Backendless.DataQueryBuilder.create().setWhereClause(where).setSortBy(by).setPageSize(2);"
        )
        find = f"{query} return (await Backendless.Data.of('note').find(query)).map(note => note.body)"

        assert changed["objectId"] == made[0]["objectId"]
        assert await sdk.run(find, where="body like '%milk' or body = 'it''s late'", by="body desc") == [
            "oat milk",
            "it's late",
        ]
        owned = f"ownerId = '{guest['objectId']}' and objectId in ('{made[1]['objectId']}') and body is not null"
        assert await sdk.run(find, where=owned, by=["objectId"]) == ["bread"]
        assert await sdk.run("return await Backendless.Data.of('note').getObjectCount()") == 3
        assert await sdk.run("return await Backendless.Data.of('note').getObjectCount(\"body <> 'bread'\")") == 2
        assert (await sdk.run("return await Backendless.Data.of('note').findLast()"))["body"] == "it's late"
        found = await sdk.run("return await Backendless.Data.of('note').findById(id)", id=made[1]["objectId"])
        removed = await sdk.run("return await Backendless.Data.of('note').remove(row)", row=made[1])
        missing = await sdk.refused("return await Backendless.Data.of('note').findById(id)", id=made[1]["objectId"])

    assert found["body"] == "bread"
    assert removed["deletionTime"] == 1_800_000_000_250
    assert (missing["status"], missing["code"]) == (404, 1000)


async def test_rows_are_loaded_with_what_they_belong_to(bench: Bench) -> None:
    async with bench.launch() as sdk:
        await enter_as_guest(sdk)
        folder = await sdk.run("return await Backendless.Data.of('folder').save({ name: 'home' })")
        code = "return await Backendless.Data.of('note').save({ body: 'paint', folder_id: id })"
        await sdk.run(code, id=int(folder["objectId"]))
        code = "return await Backendless.Data.of(table).find({ relations: [relation], props: ['objectId'] })"
        notes = await sdk.run(code, table="note", relation="folder")
        folders = await sdk.run(code, table="folder", relation="note_collection")

    assert notes[0]["folder"]["name"] == "home"
    assert notes[0]["folder"]["___class"] == "folder"
    assert [each["body"] for each in folders[0]["note_collection"]] == ["paint"]


async def test_others_see_nothing_of_a_guests_rows(bench: Bench, tmp_path: Path) -> None:
    other = replace(bench, storage=tmp_path / "another.json")
    async with bench.launch() as sdk, other.launch() as stranger:
        await enter_as_guest(sdk)
        note = await sdk.run(SAVE_NOTE, body="mine")
        await enter_as_guest(stranger)
        theft = "return await Backendless.Data.of('note').save({ objectId: id, body: 'taken' })"
        refusals = [
            await stranger.refused("return await Backendless.Data.of('note').findById(id)", id=note["objectId"]),
            await stranger.refused(theft, id=note["objectId"]),
            await stranger.refused("return await Backendless.Data.of('note').remove(id)", id=note["objectId"]),
        ]
        missing = await stranger.refused("return await Backendless.Data.of('note').remove(id)", id="999999")

        assert await stranger.run(FIND_NOTES) == []
        assert refusals == [missing] * 3
        assert await sdk.run(FIND_NOTES) == ["mine"]
