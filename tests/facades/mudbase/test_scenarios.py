"""The SDK of Mudbase, as PyPI has it, against a running gateway."""

import mudbase
import pytest
from mudbase.exceptions import NotFoundException

from db.records import GuestPolicy
from tests.facades.mudbase.conftest import Bench, Client, call, refused
from tests.wire import PASSWORD

pytestmark = pytest.mark.postgres

EMAIL = "ann@example.org"


async def test_a_guest_comes_back_becomes_an_account_and_keeps_all_it_has(bench: Bench) -> None:
    client = bench.client()
    guest = await client.come(deviceId="a phone")
    note = await client.create("note", body="milk")
    session = await call(client.auth.get_local_session, "shelter")

    assert (guest.user.is_anonymous, guest.user.role) == (True, "viewer")
    assert guest.user.email == f"anonymous_{guest.user.id}@anonymous.local"
    assert guest.expires_in == 86_400
    assert note["_id"] == str(note["id"])
    assert (session.authenticated, session.user["id"]) == (True, guest.user.id)

    again = bench.client(guest.token)
    assert await again.bodies() == ["milk"]
    account = await again.convert(EMAIL, PASSWORD, firstName="Ann", lastName="of the Hills")

    assert account.user.id == guest.user.id
    assert (account.user.email, account.user.role, account.user.is_anonymous) == (EMAIL, "member", False)
    assert (account.user.first_name, account.user.last_name) == ("Ann", "of the Hills")
    assert account.token != guest.token
    assert await again.bodies() == ["milk"]
    # What was minted before the conversion is the account's as well, as long as it counts.
    assert await bench.client(guest.token).bodies() == ["milk"]

    other = bench.client()
    entered = await other.log_in(EMAIL, PASSWORD)
    assert entered.user.id == guest.user.id
    assert await other.bodies() == ["milk"]
    assert (await call(other.auth.get_current_session)).user.id == guest.user.id
    assert (await call(other.auth.logout_local_user)).message == "Logged out successfully"
    assert (await refused(call, other.auth.get_local_session, "shelter"))[:2] == (401, "UNAUTHORIZED")
    assert (await call(again.auth.get_local_session, "shelter")).authenticated is True


async def test_refreshing_rotates_and_a_token_that_comes_again_later_ends_the_session(bench: Bench) -> None:
    client = bench.client()
    guest = await client.come()
    renewed = await client.refresh(guest.refresh_token)

    assert renewed.refresh_token != guest.refresh_token
    assert await client.bodies() == []
    bench.shelter.clock.now += 60
    assert await refused(client.refresh, guest.refresh_token) == (401, None, "Invalid or expired refresh token")
    assert await refused(client.refresh, renewed.refresh_token) == (401, None, "Invalid or expired refresh token")


async def test_after_conversion_the_guests_refresh_token_is_used_up(bench: Bench) -> None:
    client = bench.client()
    guest = await client.come()
    account = await client.convert(EMAIL, PASSWORD)
    bench.shelter.clock.now += 60
    assert (await client.refresh(account.refresh_token)).token

    assert (await refused(client.refresh, guest.refresh_token))[0] == 401


async def test_what_is_no_refresh_token_is_told_without_a_code(bench: Bench) -> None:
    client = bench.client()
    guest = await client.come()

    assert await refused(client.refresh, "") == (400, None, "Refresh token is required")
    for token in ("x", guest.token, "x" * 5000):
        assert await refused(client.refresh, token) == (401, None, "Invalid or expired refresh token")


async def test_a_wrong_password_and_an_unknown_email_get_the_same_answer(bench: Bench) -> None:
    client = bench.client()
    await client.come()
    await client.convert(EMAIL, PASSWORD)
    wrong = await refused(client.log_in, EMAIL, "not the password")
    unknown = await refused(client.log_in, "nobody@example.org", PASSWORD)

    assert wrong == unknown == (401, "UNAUTHORIZED", "Invalid email or password")


async def test_a_taken_email_leaves_the_guest_as_it_was(bench: Bench) -> None:
    first, second = bench.client(), bench.client()
    await first.come()
    await first.convert(EMAIL, PASSWORD)
    await second.come()
    await second.create("note", body="kept")

    assert (await refused(second.convert, EMAIL, PASSWORD))[:2] == (400, "EMAIL_IN_USE")
    session = await call(second.auth.get_local_session, "shelter")
    assert session.user["isAnonymous"] is True
    assert await second.bodies() == ["kept"]


async def test_a_weak_password_a_bad_email_and_a_second_conversion_are_refused(bench: Bench) -> None:
    client = bench.client()
    await client.come()

    assert (await refused(client.convert, EMAIL, "short"))[:2] == (400, "VALIDATION_ERROR")
    assert (await refused(client.convert, "ann", PASSWORD))[:2] == (400, "VALIDATION_ERROR")
    await client.convert(EMAIL, PASSWORD)
    assert (await refused(client.convert, "b@example.org", PASSWORD))[:2] == (400, "NOT_A_GUEST")
    assert (await refused(bench.client().convert, "b@example.org", PASSWORD))[:2] == (401, "UNAUTHORIZED")


async def test_an_account_registers_and_is_logged_in(bench: Bench) -> None:
    client = bench.client()
    request = mudbase.RegisterLocalUserRequest(
        email=EMAIL, password=PASSWORD, firstName="Ann", lastName="Hill", projectId="shelter"
    )
    made = client.use(await call(client.auth.register_local_user, request))

    assert (made.user.email, made.user.first_name, made.require_verification) == (EMAIL, "Ann", False)
    assert await client.bodies() == []
    assert (await refused(call, client.auth.register_local_user, request))[:2] == (400, "EMAIL_IN_USE")


async def test_an_unknown_project_and_one_that_does_not_open_the_facade_are_not_found(bench: Bench) -> None:
    client = Client(bench.address, "nothing")

    assert await refused(client.come) == (404, "NOT_FOUND", "Project not found")
    assert await refused(client.log_in, EMAIL, PASSWORD) == (404, "NOT_FOUND", "Project not found")


async def test_where_no_guest_may_come_it_is_forbidden(bench: Bench) -> None:
    await bench.shelter.control("update ostiary.role set deleted = true where kind = 'nobody'")
    bench.shelter.state.principals.drop_tenant(bench.shelter.tenant_id)

    assert (await refused(bench.client().come))[:2] == (403, "FORBIDDEN")


async def test_the_address_may_say_which_project_is_meant(bench: Bench) -> None:
    client = Client(f"{bench.address}/mudbase/shelter", "shelter")
    answer = client.use(await call(client.auth.create_anonymous_session))

    assert answer.user.is_anonymous is True
    assert await client.bodies() == []


async def test_an_idle_session_is_over(bench: Bench) -> None:
    await bench.shelter.choose(GuestPolicy(idle_seconds=600))
    client = bench.client()
    guest = await client.come()
    bench.shelter.clock.now += 500
    assert await client.bodies() == []
    bench.shelter.clock.now += 601

    assert (await refused(call, client.auth.get_local_session, "shelter"))[:2] == (401, "UNAUTHORIZED")
    assert (await refused(client.refresh, guest.refresh_token))[0] == 401


async def test_a_user_goes_for_good_when_it_has_proved_its_password(bench: Bench) -> None:
    client = bench.client()
    await client.come()
    await client.convert(EMAIL, PASSWORD)
    wrong = mudbase.EraseUserDataRequest(confirm="DELETE", currentPassword="not the password")

    assert (await refused(call, client.users.erase_user_data, wrong))[:2] == (401, "UNAUTHORIZED")
    right = mudbase.EraseUserDataRequest(confirm="DELETE", currentPassword=PASSWORD)
    erased = await call(client.users.erase_user_data, right)
    assert erased.data.sessions_revoked is True
    assert (await refused(call, client.auth.get_local_session, "shelter"))[0] == 401
    assert (await refused(client.log_in, EMAIL, PASSWORD))[0] == 401


async def test_documents_are_made_listed_changed_and_deleted(bench: Bench) -> None:
    client = bench.client()
    await client.come()
    made = [await client.create("note", body=body) for body in ("milk", "bread", "it's late")]
    page = await client.page("note", page=2, limit=2, sort="-body")

    assert [each.additional_properties["body"] for each in page.data] == ["bread"]
    assert (page.pagination.page, page.pagination.limit) == (2, 2)
    assert (page.pagination.total, page.pagination.total_pages) == (3, 2)
    found = await client.page("note", filter='{"$or": [{"body": "milk"}, {"body": {"$regex": "^it"}}]}', sort="_id")
    assert [each.id for each in found.data] == [made[0]["_id"], made[2]["_id"]]
    changed = await call(client.data.update_data, "shelter", "note", made[0]["_id"], {"body": "oat milk"})
    assert changed.data["body"] == "oat milk"
    assert (await call(client.data.get_data, "shelter", "note", made[0]["_id"])).data["body"] == "oat milk"
    gone = await call(client.data.delete_data, "shelter", "note", made[1]["_id"])
    assert gone.message == "Document deleted successfully"
    assert await client.bodies() == ["it's late", "oat milk"]


async def test_others_see_nothing_of_a_guests_documents(bench: Bench) -> None:
    client, stranger = bench.client(), bench.client()
    await client.come()
    note = await client.create("note", body="mine")
    await stranger.come()
    for method, more in (("get_data", ()), ("update_data", ({"body": "taken"},)), ("delete_data", ())):
        with pytest.raises(NotFoundException) as theft:
            await call(getattr(stranger.data, method), "shelter", "note", note["_id"], *more)
        with pytest.raises(NotFoundException) as nothing:
            await call(getattr(stranger.data, method), "shelter", "note", "999999", *more)
        assert theft.value.body == nothing.value.body

    assert await stranger.bodies() == []
    assert await client.bodies() == ["mine"]
