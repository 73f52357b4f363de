"""The SDK of Realm for the web, as npm has it, against a running gateway."""

from pathlib import Path
from typing import Any

import pytest

from db.records import GuestPolicy
from db.tenants import set_facades
from tests.facades.realm.conftest import Bench
from tests.sdks import Sdk
from tests.wire import PASSWORD

pytestmark = pytest.mark.postgres

EMAIL = "ann@example.org"
C = "/api/client/v2.0"
A = f"{C}/app/shelter"
WHO = "{ id: user.id, kinds: user.identities.map(each => each.providerType), email: user.profile.email ?? null }"
LOG_IN_AS_GUEST = f"const user = await app.logIn(Realm.Credentials.anonymous(reuse ?? true)); return {WHO}"
LOG_IN = f"const user = await app.logIn(Realm.Credentials.emailPassword(email, password)); return {WHO}"
REGISTER = "await app.emailPasswordAuth.registerUser({ email, password })"
LINK = f"""
const user = app.currentUser;
await user.linkCredentials(Realm.Credentials.emailPassword(email, password));
return {WHO}
"""
CURRENT = f"const user = app.currentUser; if (!user) return null; await user.refreshProfile(); return {WHO}"
GRAPHQL = """
const url = `${await app.locationUrl}/api/client/v2.0/app/${app.id}/graphql`;
const headers = { "Content-Type": "application/json", Authorization: `Bearer ${app.currentUser.accessToken}` };
return await (await fetch(url, { method: "POST", headers, body: JSON.stringify({ query, variables }) })).json()
"""
CALLS = "return [...calls]"


async def enter(sdk: Sdk, *, reuse: bool = True) -> dict[str, Any]:
    return dict(await sdk.run(LOG_IN_AS_GUEST, reuse=reuse))


async def upgrade(sdk: Sdk, email: str = EMAIL, password: str = PASSWORD) -> dict[str, Any]:
    await sdk.run(REGISTER, email=email, password=password)
    return dict(await sdk.run(LINK, email=email, password=password))


async def write_note(sdk: Sdk, body: str) -> None:
    query = "mutation ($body: String!) { create_note(input: { body: $body }) { id } }"
    answer = await sdk.run(GRAPHQL, query=query, variables={"body": body})
    assert "errors" not in answer, answer


async def notes(sdk: Sdk) -> list[str]:
    answer = await sdk.run(GRAPHQL, query="{ note { body } }", variables=None)
    return sorted(row["body"] for row in answer["data"]["note"])


async def test_a_guest_comes_back_becomes_an_account_and_keeps_all_it_has(bench: Bench) -> None:
    async with bench.launch() as sdk:
        guest = await enter(sdk)
        await write_note(sdk, "milk")

        assert guest["kinds"] == ["anon-user"]
        assert len(guest["id"]) == 24

    async with bench.launch() as sdk:
        assert await sdk.run(CURRENT) == guest
        assert await notes(sdk) == ["milk"]
        assert await enter(sdk) == guest
        account = await upgrade(sdk)

        assert account == {"id": guest["id"], "kinds": ["anon-user", "local-userpass"], "email": EMAIL}
        assert await notes(sdk) == ["milk"]
        # The refresh token of the guest is the only one that the SDK has.
        await sdk.run("await app.currentUser.refreshAccessToken()")
        assert await sdk.run(CURRENT) == account

    async with bench.launch() as sdk:
        assert await sdk.run(CURRENT) == account
        assert await notes(sdk) == ["milk"]


async def test_the_calls_are_those_that_the_system_itself_gets(bench: Bench) -> None:
    async with bench.launch() as sdk:
        guest = f"{A}/auth/providers/anon-user"
        password = f"{A}/auth/providers/local-userpass"

        await sdk.run(f"await app.logIn(Realm.Credentials.anonymous()); {CALLS}")
        entered = await sdk.run(f"await app.logIn(Realm.Credentials.anonymous(false)); {CALLS}")
        registered = await sdk.run(f"{REGISTER}; {CALLS}", email=EMAIL, password=PASSWORD)
        linked = await sdk.run(
            f"await app.currentUser.linkCredentials(Realm.Credentials.emailPassword(email, password)); {CALLS}",
            email=EMAIL,
            password=PASSWORD,
        )

        assert entered == [f"POST {guest}/login", f"GET {C}/auth/profile"]
        assert registered == [f"POST {password}/register"]
        assert linked == [f"POST {password}/login?link=true", f"GET {C}/auth/profile"]


async def test_an_account_logs_in_elsewhere_by_its_new_credentials(bench: Bench, tmp_path: Path) -> None:
    async with bench.launch() as sdk:
        account = await enter(sdk)
        await write_note(sdk, "milk")
        await upgrade(sdk)

    async with bench.launch(storage=tmp_path / "other.json") as sdk:
        assert await sdk.run(CURRENT) is None
        assert (await sdk.run(LOG_IN, email=EMAIL, password=PASSWORD))["id"] == account["id"]
        assert await notes(sdk) == ["milk"]


async def test_credentials_that_nobody_linked_make_a_user_of_their_own(bench: Bench) -> None:
    async with bench.launch() as sdk:
        guest = await enter(sdk)
        await sdk.run(REGISTER, email=EMAIL, password=PASSWORD)
        assert await sdk.run(CURRENT) == guest

        account = await sdk.run(LOG_IN, email=EMAIL, password=PASSWORD)

        assert account["id"] != guest["id"]
        assert account["kinds"] == ["local-userpass"]
        again = await sdk.run(LOG_IN, email=EMAIL, password=PASSWORD)
        assert again["id"] == account["id"]


async def test_an_access_token_that_has_expired_is_renewed_unseen(bench: Bench) -> None:
    async with bench.launch() as sdk:
        guest = await enter(sdk)
        bench.shelter.clock.now += bench.shelter.state.settings.access_token_seconds + 60

        calls = await sdk.run(f"await app.currentUser.refreshProfile(); {CALLS}")

        profile, session = f"GET {C}/auth/profile", f"POST {C}/auth/session"
        assert calls == [profile, session, profile]
        assert await sdk.run(CURRENT) == guest


async def test_many_renewals_at_once_leave_the_session_as_it_is(bench: Bench) -> None:
    async with bench.launch() as sdk:
        guest = await enter(sdk)

        await sdk.run("await Promise.all([1, 2, 3, 4, 5].map(() => app.currentUser.refreshAccessToken()))")

        assert await sdk.run(CURRENT) == guest


async def test_a_session_that_fell_idle_is_over(bench: Bench) -> None:
    await bench.shelter.choose(GuestPolicy(mode="identity", idle_seconds=3600))
    async with bench.launch() as sdk:
        await enter(sdk)
        bench.shelter.clock.now += 3599
        await sdk.run(CURRENT)
        bench.shelter.clock.now += 3600

        refused = await sdk.refused(CURRENT)

        assert (refused["statusCode"], refused["errorCode"]) == (401, "InvalidSession")
        assert refused["calls"] == [f"GET {C}/auth/profile", f"POST {C}/auth/session"]
        assert await sdk.run("return app.currentUser?.refreshToken ?? null") is None


async def test_a_session_ends_when_the_policy_says_so_however_often_it_is_renewed(bench: Bench) -> None:
    await bench.shelter.choose(GuestPolicy(mode="identity", session_seconds=7200))
    async with bench.launch() as sdk:
        await enter(sdk)
        bench.shelter.clock.now += 7100
        await sdk.run("await app.currentUser.refreshAccessToken()")
        bench.shelter.clock.now += 200

        refused = await sdk.refused("await app.currentUser.refreshAccessToken()")

        assert (refused["statusCode"], refused["errorCode"]) == (401, "InvalidSession")


@pytest.mark.parametrize(("email", "password"), [(EMAIL, "wrong " + PASSWORD), ("nobody@example.org", PASSWORD)])
async def test_a_wrong_password_and_an_unknown_email_are_refused_alike(bench: Bench, email: str, password: str) -> None:
    async with bench.launch() as sdk:
        await enter(sdk)
        await upgrade(sdk)

        refused = await sdk.refused(LOG_IN, email=email, password=password)

        assert (refused["statusCode"], refused["errorCode"]) == (401, "InvalidPassword")
        assert refused["error"] == "invalid username/password"
        assert len(refused["calls"]) == 1


async def test_a_guest_who_links_what_is_not_registered_or_with_a_wrong_password_stays_one(bench: Bench) -> None:
    async with bench.launch() as sdk:
        guest = await enter(sdk)
        await sdk.run(REGISTER, email=EMAIL, password=PASSWORD)

        for email, password in ((EMAIL, "wrong " + PASSWORD), ("nobody@example.org", PASSWORD)):
            refused = await sdk.refused(LINK, email=email, password=password)
            assert (refused["statusCode"], refused["errorCode"]) == (401, "InvalidPassword")
            assert len(refused["calls"]) == 1
        assert await sdk.run(CURRENT) == guest


async def test_an_email_that_is_taken_is_refused_and_nothing_changes(bench: Bench, tmp_path: Path) -> None:
    async with bench.launch() as sdk:
        await enter(sdk)
        await upgrade(sdk)

    async with bench.launch(storage=tmp_path / "other.json") as sdk:
        guest = await enter(sdk)
        await write_note(sdk, "tea")

        at_register = await sdk.refused(REGISTER, email=EMAIL.upper(), password=PASSWORD)
        at_link = await sdk.refused(LINK, email=EMAIL, password=PASSWORD)

        assert (at_register["statusCode"], at_register["errorCode"]) == (409, "AccountNameInUse")
        assert (at_link["statusCode"], at_link["errorCode"]) == (409, "AccountNameInUse")
        assert at_link["error"] == "a user already exists with the specified provider"
        # With the code that the system itself is known to give, the SDK would never end.
        assert len(at_link["calls"]) == 1
        assert await sdk.run(CURRENT) == guest
        assert await notes(sdk) == ["tea"]


async def test_an_account_links_nothing_more(bench: Bench) -> None:
    async with bench.launch() as sdk:
        await enter(sdk)
        account = await upgrade(sdk)
        await sdk.run(REGISTER, email="second@example.org", password=PASSWORD)

        refused = await sdk.refused(LINK, email="second@example.org", password=PASSWORD)
        anonymous = await sdk.refused("await app.currentUser.linkCredentials(Realm.Credentials.anonymous())")

        assert (refused["statusCode"], refused["errorCode"]) == (409, "AccountNameInUse")
        assert anonymous["error"] == "linking an anonymous identity is not allowed"
        assert len(refused["calls"]) == len(anonymous["calls"]) == 1
        assert await sdk.run(CURRENT) == account


async def test_a_weak_password_is_refused_with_the_reason(bench: Bench) -> None:
    async with bench.launch() as sdk:
        refused = await sdk.refused(REGISTER, email=EMAIL, password="short")

        assert (refused["statusCode"], refused["errorCode"]) == (400, "BadRequest")
        assert "15" in refused["error"]


async def test_a_logout_ends_the_session_and_all_its_tokens(bench: Bench) -> None:
    async with bench.launch() as sdk:
        await enter(sdk)
        tokens = await sdk.run("return [app.currentUser.accessToken, app.currentUser.refreshToken]")

        await sdk.run("await app.currentUser.logOut()")

        assert await sdk.run(CURRENT) is None
        access, refresh = tokens
        client = bench.shelter.client
        profile = await client.get(f"{C}/auth/profile", headers={"Authorization": f"Bearer {access}"})
        session = await client.post(f"{C}/auth/session", headers={"Authorization": f"Bearer {refresh}"})
        assert [reply.status_code for reply in (profile, session)] == [401, 401]
        assert {reply.json()["error_code"] for reply in (profile, session)} == {"InvalidSession"}


async def test_after_a_logout_a_guest_is_a_new_one(bench: Bench) -> None:
    async with bench.launch() as sdk:
        first = await enter(sdk)
        await sdk.run("await app.currentUser.logOut()")

        # The SDK would reuse whom it has logged out, and says so by itself.
        refused = await sdk.refused(LOG_IN_AS_GUEST, reuse=True)
        second = await enter(sdk, reuse=False)

        assert refused["statusCode"] == 401
        assert second["id"] != first["id"]


async def test_a_user_who_is_removed_is_logged_out(bench: Bench) -> None:
    async with bench.launch() as sdk:
        await enter(sdk)

        await sdk.run("await app.removeUser(app.currentUser)")

        assert await sdk.run("return Object.keys(app.allUsers).length") == 0


async def test_a_user_deletes_itself_and_the_email_is_free_again(bench: Bench) -> None:
    async with bench.launch() as sdk:
        await enter(sdk)
        account = await upgrade(sdk)

        calls = await sdk.run(f"await app.deleteUser(app.currentUser); {CALLS}")

        assert calls == [f"DELETE {C}/auth/delete", f"DELETE {C}/auth/session"]
        refused = await sdk.refused(LOG_IN, email=EMAIL, password=PASSWORD)
        assert refused["errorCode"] == "InvalidPassword"
        await enter(sdk, reuse=False)
        again = await upgrade(sdk)
        assert again["id"] != account["id"]


async def test_functions_are_called_with_arguments_in_their_order(bench: Bench) -> None:
    async with bench.launch() as sdk:
        await enter(sdk)
        await write_note(sdk, "milk")
        call = "return await app.currentUser.functions"

        assert await sdk.run(f"{call}.add_up(1, 2)") == 3
        assert await sdk.run(f"{call}.add_up(1)") == 11
        assert await sdk.run(f"{call}.callFunction('add_up', 2, 2)") == 4
        assert await sdk.run(f"{call}.home()") == {"street": "Main Street", "number": 7}
        assert await sdk.run(f"{call}.day_after(new Date(Date.UTC(2024, 1, 28)))") == "2024-02-29"
        [note] = await sdk.run(f"{call}.notes_like('m%')")
        assert note["body"] == "milk"
        assert sorted(note) == ["body", "folder_id", "id", "owner"]
        assert await sdk.run(f"{call}.clear_prices()") == 1000
        assert await sdk.run(f"{call}.clear_prices()") == 0


async def test_functions_show_nobody_what_policy_hides(bench: Bench, tmp_path: Path) -> None:
    async with bench.launch() as sdk:
        await enter(sdk)
        await write_note(sdk, "milk")

    async with bench.launch(storage=tmp_path / "other.json") as sdk:
        await enter(sdk)
        call = "return await app.currentUser.functions"

        assert await sdk.run(f"{call}.notes_like('%')") == []
        hidden = await sdk.refused(f"{call}.not_for_guests()")
        nowhere = await sdk.refused(f"{call}.not_for_nobody()")
        failed = await sdk.refused(f"{call}.fail('because')")

        assert (hidden["statusCode"], hidden["errorCode"]) == (404, "FunctionNotFound")
        assert hidden["error"].replace("guests", "nobody") == nowhere["error"]
        assert (failed["statusCode"], failed["errorCode"]) == (400, "FunctionExecutionError")
        assert "secret" not in failed["error"]


async def test_calls_that_do_not_fit_are_refused(bench: Bench) -> None:
    async with bench.launch() as sdk:
        await enter(sdk)
        call = "return await app.currentUser.functions"

        many = await sdk.refused(f"{call}.add_up(1, 2, 3)")
        wrong = await sdk.refused(f"{call}.add_up('one', 2)")
        service = await sdk.refused(
            "return await app.currentUser.mongoClient('mongodb-atlas').db('d').collection('c').find()"
        )

        assert (many["statusCode"], wrong["statusCode"]) == (400, 400)
        assert (service["statusCode"], service["errorCode"]) == (404, "ServiceNotFound")


async def test_what_would_need_a_mail_is_refused(bench: Bench) -> None:
    async with bench.launch() as sdk:
        auth = "await app.emailPasswordAuth"

        for call in (
            f"{auth}.resendConfirmationEmail({{ email }})",
            f"{auth}.sendResetPasswordEmail({{ email }})",
            f"{auth}.confirmUser({{ token: 'a', tokenId: 'b' }})",
            f"{auth}.resetPassword({{ token: 'a', tokenId: 'b', password: 'c' }})",
            f"{auth}.retryCustomConfirmation({{ email }})",
            f"{auth}.callResetPasswordFunction({{ email, password: 'c' }}, 1)",
        ):
            refused = await sdk.refused(call, email=EMAIL)
            assert (refused["statusCode"], refused["errorCode"]) == (400, "BadRequest"), call


async def test_an_app_is_named_by_the_tenants_id_as_well(bench: Bench) -> None:
    async with bench.launch(app_id=str(bench.shelter.tenant_id)) as sdk:
        await enter(sdk)
        await write_note(sdk, "milk")

        assert await notes(sdk) == ["milk"]


async def test_an_app_that_is_not_there_or_closed_is_not_found(bench: Bench) -> None:
    async with bench.launch(app_id="nowhere") as sdk:
        nowhere = await sdk.refused(LOG_IN_AS_GUEST, reuse=True)
    async with bench.launch() as sdk:
        await enter(sdk)
        await close(bench)

        closed = await sdk.refused(LOG_IN_AS_GUEST, reuse=False)
        # The SDK renews its token, is refused that too, and ends.
        refused = await sdk.refused("await app.currentUser.functions.add_up(1)")

    assert (nowhere["statusCode"], nowhere["errorCode"]) == (404, "AppNotFound")
    assert (closed["statusCode"], closed["errorCode"]) == (404, "AppNotFound")
    assert nowhere["error"] == closed["error"]
    assert (refused["statusCode"], refused["errorCode"], len(refused["calls"])) == (401, "InvalidSession", 2)


async def close(bench: Bench) -> None:
    shelter = bench.shelter
    async with shelter.state.engine.begin() as connection:
        await set_facades(connection, shelter.tenant_id, [])
    shelter.state.principals.drop_tenant(shelter.tenant_id)


async def test_no_guest_comes_while_the_tenant_allows_none_and_those_who_are_in_are_out(bench: Bench) -> None:
    async with bench.launch() as sdk:
        await enter(sdk)
        await bench.shelter.control(
            "update ostiary.role set deleted = true where role_id = (select nobody_role_id from ostiary.tenant)"
        )
        bench.shelter.state.principals.drop_tenant(bench.shelter.tenant_id)

        refused = await sdk.refused(LOG_IN_AS_GUEST, reuse=False)
        out = await sdk.refused(CURRENT)

        assert (refused["statusCode"], refused["errorCode"]) == (403, "AuthProviderNotFound")
        assert "unsupported" in refused["error"]
        assert (out["statusCode"], len(out["calls"])) == (401, 2)
