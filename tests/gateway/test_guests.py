"""Guests at the native doors: they come, become accounts with all they have, and their sessions end when they must."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import replace
from time import perf_counter
from typing import Any

import httpx2
import pytest
from sqlalchemy import text

from db.guests import count_live_guests, set_guest_policy
from db.records import GuestPolicy
from db.roles import set_deleted
from gateway.auth.guests import Caller, link, log_in, login_guest, register_login, renew
from gateway.auth.refusals import InvalidCredentials, LoginInUse, TokenRevoked
from gateway.auth.sessions import Terms
from tests.conftest import NO_LOGIN_LIMITS
from tests.doors import ADDRESS, PASSWORD, Doors, World, bearer, open_doors

pytestmark = pytest.mark.postgres

CALLER = Caller(ADDRESS)
IDENTITY = GuestPolicy(mode="identity")


@pytest.fixture
async def open_house(control_dsn: str, filled: tuple[str, World]) -> AsyncGenerator[Doors]:
    """A gateway without limits on attempts, whose todo tenant gives each visitor an identity."""
    async with open_doors(control_dsn, filled[1], **NO_LOGIN_LIMITS) as doors:
        await choose(doors, IDENTITY)
        yield doors


async def choose(doors: Doors, policy: GuestPolicy) -> GuestPolicy:
    async with doors.change() as connection:
        stored = await set_guest_policy(connection, doors.world.todo, policy)
    doors.state.principals.drop_tenant(doors.world.todo)
    return stored


async def come(doors: Doors, path: str = "/auth/guest") -> dict[str, Any]:
    reply = await doors.client.post(f"{path}?schema=none", json={"tenantid": doors.world.todo})
    assert reply.status_code == 200, reply.text
    return reply.json()


async def convert(doors: Doors, token: str, login: str = "me@example.org", **given: object) -> httpx2.Response:
    body = {"login": login, "password": PASSWORD} | given
    return await doors.client.post("/auth/convert", json=body, headers=bearer(token))


async def session_of(doors: Doors, token: str) -> httpx2.Response:
    return await doors.client.get("/auth/session", headers=bearer(token))


# --- coming in ---------------------------------------------------------------------------------------------------


async def test_each_guest_has_an_id_of_its_own_and_one_that_is_text(open_house: Doors) -> None:
    one, other = await come(open_house), await come(open_house)

    assert one["roleid"] != other["roleid"]
    assert one["is_guest"] is True
    assert len(one["id"]) == 24
    assert int(one["id"], 16) > 0
    assert (await session_of(open_house, one["access_token"])).json()["roleid"] == one["roleid"]


async def test_in_shared_mode_visitors_of_anonauth_are_all_the_nobody_role(open_house: Doors) -> None:
    await choose(open_house, GuestPolicy(mode="shared"))

    one, other = await come(open_house, "/anonauth"), await come(open_house, "/anonauth")

    assert one["roleid"] == other["roleid"] == open_house.world.nobody
    assert list(one) == ["access_token", "message", "refresh_token", "roleid", "routes"]


async def test_in_identity_mode_visitors_of_anonauth_are_guests(open_house: Doors) -> None:
    one, other = await come(open_house, "/anonauth"), await come(open_house, "/anonauth")

    assert one["roleid"] != other["roleid"]
    assert list(one) == ["access_token", "message", "refresh_token", "roleid", "routes"]
    assert (await session_of(open_house, one["access_token"])).json()["is_guest"] is True


async def test_a_guest_may_do_what_nobody_may_and_is_in_the_class_of_guests(open_house: Doors) -> None:
    stored = await choose(open_house, IDENTITY)
    guest = await login_guest(open_house.state, open_house.world.todo, CALLER)

    assert guest.principal.lender_id == open_house.world.nobody
    assert guest.principal.class_ids == {stored.guest_class_id}
    assert guest.principal.may("create_role")
    assert not guest.principal.may("login")


async def test_where_visitors_are_not_wanted_no_guest_comes_in(open_house: Doors) -> None:
    flights = open_house.world.flights
    reply = await open_house.client.post("/auth/guest", json={"tenantid": flights})

    assert (reply.status_code, reply.json()["error"]) == (403, f"Tenant {flights} does not allow anonymous access.")


async def test_to_disable_visitors_refuses_guests_and_to_enable_them_brings_them_back(open_house: Doors) -> None:
    token = (await come(open_house))["access_token"]
    todo, nobody = open_house.world.todo, open_house.world.nobody
    async with open_house.change() as connection:
        await set_deleted(connection, todo, nobody, True)
    open_house.state.principals.drop_tenant(todo)
    refused = await session_of(open_house, token)
    not_converted = await convert(open_house, token)

    async with open_house.change() as connection:
        await set_deleted(connection, todo, nobody, False)
    open_house.state.principals.drop_tenant(todo)

    assert (refused.status_code, not_converted.status_code) == (401, 401)
    assert (await session_of(open_house, token)).status_code == 200


async def test_guests_change_no_version_of_the_tenant(open_house: Doors) -> None:
    async def version() -> int:
        async with open_house.change() as connection:
            query = text("select version from ostiary.tenant where tenant_id = :tenant_id")
            return await connection.scalar(query, {"tenant_id": open_house.world.todo}) or 0

    before = await version()
    await convert(open_house, (await come(open_house))["access_token"])

    assert await version() == before


async def test_more_guests_than_the_tenant_wants_are_refused_until_one_is_an_account(open_house: Doors) -> None:
    await choose(open_house, replace(IDENTITY, max_guests=2))
    first, _ = await come(open_house), await come(open_house)

    refused = await open_house.client.post("/auth/guest", json={"tenantid": open_house.world.todo})
    await convert(open_house, first["access_token"])
    third = await open_house.client.post("/auth/guest", json={"tenantid": open_house.world.todo})

    assert (refused.status_code, third.status_code) == (429, 200)
    async with open_house.change() as connection:
        assert await count_live_guests(connection, open_house.world.todo) == 2


async def test_guests_from_one_network_are_counted_before_anything_is_written(doors: Doors) -> None:
    replies = [
        await doors.from_address(f"2001:db8:7::{number:x}").post(
            "/auth/guest?schema=none", json={"tenantid": doors.world.todo}
        )
        for number in range(31)
    ]

    assert [reply.status_code for reply in replies] == [200] * 30 + [429]
    async with doors.change() as connection:
        assert await count_live_guests(connection, doors.world.todo) == 30
    elsewhere = await doors.from_address("2001:db8:8::1").post("/auth/guest", json={"tenantid": doors.world.todo})
    assert elsewhere.status_code == 200


# --- becoming an account -----------------------------------------------------------------------------------------


async def test_a_guest_becomes_an_account_with_the_same_id_and_session(open_house: Doors) -> None:
    guest = await come(open_house)

    reply = await convert(open_house, guest["access_token"], "  Me@Example.org ", name="Me")

    body = reply.json()
    assert reply.status_code == 200
    assert (body["roleid"], body["id"], body["is_guest"]) == (guest["roleid"], guest["id"], False)
    assert body["login"] == "me@example.org"
    session = (await session_of(open_house, guest["access_token"])).json()
    assert (session["roleid"], session["is_guest"]) == (guest["roleid"], False)
    refreshed = await open_house.refresh(guest["refresh_token"])
    assert (refreshed.status_code, refreshed.json()["roleid"]) == (200, guest["roleid"])
    assert (await open_house.log_in("me@example.org"))["roleid"] == guest["roleid"]
    assert (await open_house.log_in("Me@Example.org"))["roleid"] == guest["roleid"]


async def test_an_account_is_in_the_class_of_accounts_and_no_more_in_that_of_guests(open_house: Doors) -> None:
    stored = await choose(open_house, IDENTITY)
    guest = await login_guest(open_house.state, open_house.world.todo, CALLER)
    await convert(open_house, guest.tokens.access)

    claims = await open_house.state.principals.claims_of(guest.tokens.access, "access")
    principal = await open_house.state.principals.principal_of(claims)

    assert principal.class_ids == {stored.account_class_id}
    assert principal.lender_id is None
    assert principal.may("login")
    assert not principal.may("create_role")


@pytest.mark.parametrize(
    ("given", "status"),
    [
        ({"login": "ann@example.org"}, 409),
        ({"login": "ANN@example.org"}, 409),
        ({"password": "short"}, 400),
        ({"login": "   "}, 400),
        ({"login": "a\0b"}, 400),
        ({"login": None}, 400),
    ],
)
async def test_a_conversion_that_fails_changes_nothing(
    open_house: Doors, given: dict[str, object], status: int
) -> None:
    guest = await come(open_house)
    state = """
        select r::text, g::text, (select count(*) from ostiary.identity)
        from ostiary.role as r join ostiary.guest as g using (role_id)
    """
    async with open_house.change() as connection:
        before = (await connection.execute(text(state))).all()

    reply = await convert(open_house, guest["access_token"], **{"login": "me@example.org"} | given)

    assert reply.status_code == status
    async with open_house.change() as connection:
        assert (await connection.execute(text(state))).all() == before
    assert (await session_of(open_house, guest["access_token"])).json()["is_guest"] is True
    assert (await convert(open_house, guest["access_token"])).status_code == 200


async def test_only_a_guest_is_converted(open_house: Doors) -> None:
    account = (await open_house.log_in())["access_token"]
    await choose(open_house, GuestPolicy(mode="shared"))
    visitor = (await come(open_house, "/anonauth"))["access_token"]
    guest = (await come(open_house))["access_token"]
    await convert(open_house, guest)

    for token in (account, visitor, guest):
        reply = await convert(open_house, token, "again@example.org")
        assert (reply.status_code, reply.json()["error"]) == (409, "This session is not that of a guest.")


async def test_where_visitors_may_not_register_no_guest_becomes_an_account(open_house: Doors) -> None:
    await choose(open_house, replace(IDENTITY, registration=False))
    guest = await come(open_house)

    assert (await convert(open_house, guest["access_token"])).status_code == 403
    body = {"tenantid": open_house.world.todo, "login": "new@example.org", "password": PASSWORD}
    assert (await open_house.client.post("/auth/register", json=body)).status_code == 403


async def test_of_a_hundred_conversions_at_once_one_succeeds(open_house: Doors) -> None:
    guest = await come(open_house)

    replies = await asyncio.gather(
        *(convert(open_house, guest["access_token"], f"me{number}@example.org") for number in range(100))
    )

    assert sorted(reply.status_code for reply in replies) == [200] + [409] * 99
    (done,) = [reply.json() for reply in replies if reply.status_code == 200]
    assert done["roleid"] == guest["roleid"]
    async with open_house.change() as connection:
        logins = await connection.scalars(
            text("select subject from ostiary.identity where provider = 'local-userpass'")
        )
        assert list(logins) == [done["login"]]


async def test_of_guests_who_want_one_login_at_once_one_gets_it(open_house: Doors) -> None:
    tokens = [(await come(open_house))["access_token"] for _ in range(20)]

    replies = await asyncio.gather(*(convert(open_house, token) for token in tokens))

    assert sorted(reply.status_code for reply in replies) == [200] + [409] * 19
    sessions = [(await session_of(open_house, token)).json() for token in tokens]
    assert sum(session["is_guest"] for session in sessions) == 19


# --- registering and logging in ----------------------------------------------------------------------------------


async def test_a_newcomer_registers_and_then_logs_in(open_house: Doors) -> None:
    body = {"tenantid": open_house.world.todo, "login": "New@example.org", "password": PASSWORD, "name": "New"}
    reply = await open_house.client.post("/auth/register", json=body)
    again = await open_house.client.post("/auth/register", json=body | {"login": "new@EXAMPLE.org"})

    assert (reply.status_code, again.status_code) == (201, 409)
    assert (await open_house.log_in("New@example.org"))["roleid"] == reply.json()["roleid"]


async def test_a_registered_login_is_linked_to_a_guest_by_who_knows_its_password(open_house: Doors) -> None:
    state, todo = open_house.state, open_house.world.todo
    await register_login(state, todo, "me@example.org", PASSWORD, CALLER)
    guest = await login_guest(state, todo, CALLER)
    claims = await state.principals.claims_of(guest.tokens.access, "access")
    with pytest.raises(LoginInUse):
        await register_login(state, todo, "ME@example.org", PASSWORD, CALLER)
    with pytest.raises(InvalidCredentials):
        await link(state, claims, "me@example.org", "another password, quite long", CALLER)
    with pytest.raises(InvalidCredentials):
        await link(state, claims, "nobody@example.org", PASSWORD, CALLER)
    assert (await convert(open_house, guest.tokens.access)).status_code == 409

    linked = await link(state, claims, "Me@example.org", PASSWORD, CALLER)

    assert (linked.role_id, linked.is_guest) == (guest.principal.role_id, False)
    assert (await open_house.log_in("me@example.org"))["roleid"] == guest.principal.role_id


async def test_how_long_a_link_is_refused_does_not_tell_which_logins_there_are(open_house: Doors) -> None:
    state = open_house.state
    guest = await login_guest(state, open_house.world.todo, CALLER)
    claims = await state.principals.claims_of(guest.tokens.access, "access")

    async def seconds(login: str) -> float:
        began = perf_counter()
        with pytest.raises(InvalidCredentials):
            await link(state, claims, login, "another password, quite long", CALLER)
        return perf_counter() - began

    there, not_there = [
        min([await seconds(login) for _ in range(4)]) for login in ("ann@example.org", "no@example.org")
    ]
    assert not_there > there / 2


async def test_a_registered_login_that_somebody_enters_by_is_an_account_and_links_no_more(open_house: Doors) -> None:
    state, todo = open_house.state, open_house.world.todo
    await register_login(state, todo, "me@example.org", PASSWORD, CALLER)
    with pytest.raises(InvalidCredentials):
        await log_in(state, todo, "me@example.org", "another password, quite long", CALLER)

    entered = await log_in(state, todo, "Me@example.org", PASSWORD, CALLER)
    again = await log_in(state, todo, "me@example.org", PASSWORD, CALLER)

    assert entered.principal.role_id == again.principal.role_id
    guest = await login_guest(state, todo, CALLER)
    claims = await state.principals.claims_of(guest.tokens.access, "access")
    with pytest.raises(LoginInUse):
        await link(state, claims, "me@example.org", PASSWORD, CALLER)
    assert (await session_of(open_house, guest.tokens.access)).json()["is_guest"] is True


# --- sessions ----------------------------------------------------------------------------------------------------


async def test_sessions_are_listed_and_end_one_by_one_or_all_at_once(open_house: Doors) -> None:
    tokens = [(await open_house.log_in())["access_token"] for _ in range(3)]
    client = open_house.client
    listed = (await client.get("/auth/sessions", headers=bearer(tokens[0]))).json()["sessions"]
    assert [session["is_current"] for session in listed].count(True) == 1
    second = (await session_of(open_house, tokens[1])).json()["session"]["id"]

    ended = await client.delete(f"/auth/sessions?id={second}", headers=bearer(tokens[0]))

    assert ended.json() == {"ended": 1}
    assert [(await session_of(open_house, token)).status_code for token in tokens] == [200, 401, 200]
    assert (await client.delete("/auth/sessions", headers=bearer(tokens[0]))).json() == {"ended": 2}
    assert [(await session_of(open_house, token)).status_code for token in tokens] == [401, 401, 401]


async def test_nobody_ends_the_session_of_another_role(open_house: Doors) -> None:
    other = (await open_house.log_in("admin"))["access_token"]
    theirs = (await session_of(open_house, other)).json()["session"]["id"]
    own = (await open_house.log_in())["access_token"]

    ended = await open_house.client.delete(f"/auth/sessions?id={theirs}", headers=bearer(own))

    assert ended.json() == {"ended": 0}
    assert (await session_of(open_house, other)).status_code == 200


async def test_visitors_who_share_a_role_neither_see_nor_end_each_others_sessions(open_house: Doors) -> None:
    await choose(open_house, GuestPolicy(mode="shared"))
    one, other = [(await come(open_house, "/anonauth"))["access_token"] for _ in range(2)]
    theirs = (await session_of(open_house, other)).json()["session"]["id"]

    listed = await open_house.client.get("/auth/sessions", headers=bearer(one))
    named = await open_house.client.delete(f"/auth/sessions?id={theirs}", headers=bearer(one))
    ended = await open_house.client.delete("/auth/sessions", headers=bearer(one))

    assert len(listed.json()["sessions"]) == 1
    assert (named.json(), ended.json()) == ({"ended": 0}, {"ended": 1})
    assert (await session_of(open_house, other)).status_code == 200


async def test_a_logout_ends_one_session_at_once(open_house: Doors) -> None:
    guest = await come(open_house)

    reply = await open_house.client.delete("/auth/session", headers=bearer(guest["access_token"]))

    assert reply.json() == {"message": "Logged out.", "status": 200}
    assert (await session_of(open_house, guest["access_token"])).status_code == 401
    assert (await open_house.refresh(guest["refresh_token"])).status_code == 401
    assert (await convert(open_house, guest["access_token"])).status_code == 401


async def test_an_idle_session_is_over_and_one_in_use_goes_on(open_house: Doors) -> None:
    await choose(open_house, replace(IDENTITY, idle_seconds=600))
    used, idle = (await come(open_house))["access_token"], (await come(open_house))["access_token"]
    for _ in range(3):
        open_house.clock.now += 500
        assert (await session_of(open_house, used)).status_code == 200

    assert (await session_of(open_house, idle)).status_code == 401
    open_house.clock.now += 600
    assert (await session_of(open_house, used)).status_code == 401


async def test_the_use_of_a_session_counts_in_other_processes_once_it_is_stored(
    open_house: Doors, control_dsn: str
) -> None:
    await choose(open_house, replace(IDENTITY, idle_seconds=600))
    token = (await come(open_house))["access_token"]
    open_house.clock.now += 500
    await session_of(open_house, token)
    await open_house.state.principals.store_uses()

    async with open_doors(control_dsn, open_house.world) as other:
        other.clock.now = open_house.clock.now + 500
        assert (await session_of(other, token)).status_code == 200
        other.clock.now += 600
        assert (await session_of(other, token)).status_code == 401


async def test_to_ask_whether_a_session_goes_on_need_not_be_a_use_of_it(open_house: Doors) -> None:
    principals = open_house.state.principals
    await choose(open_house, replace(IDENTITY, idle_seconds=600))
    guest = await login_guest(open_house.state, open_house.world.todo, CALLER)
    claims = await principals.claims_of(guest.tokens.access, "access")
    for _ in range(2):
        open_house.clock.now += 299
        await principals.principal_of(claims, is_use=False)

    open_house.clock.now += 2

    with pytest.raises(TokenRevoked):
        await principals.principal_of(claims, is_use=False)


async def test_a_session_lasts_no_longer_than_the_tenant_and_the_wire_say(open_house: Doors) -> None:
    await choose(open_house, replace(IDENTITY, session_seconds=1000, idle_seconds=700))
    state, todo = open_house.state, open_house.world.todo

    short = await login_guest(state, todo, CALLER, terms=Terms(400, 100))
    long = await login_guest(state, todo, CALLER, terms=Terms(5000))

    lasting = [(guest.session.expires_at - guest.session.created_at).seconds for guest in (short, long)]
    assert lasting == [400, 1000]
    assert (short.session.idle_seconds, long.session.idle_seconds) == (100, 700)


async def test_a_token_that_is_no_jwt_lasts_as_long_as_its_session(open_house: Doors) -> None:
    state = open_house.state
    guest = await login_guest(state, open_house.world.todo, CALLER, terms=Terms(90_000, 3600, has_secret=True))
    secret = guest.tokens.secret or ""
    for _ in range(24):
        open_house.clock.now += 3599
        claims = await state.principals.claims_of_secret(secret)
        assert (await state.principals.principal_of(claims)).role_id == guest.principal.role_id
    open_house.clock.now += 3601

    with pytest.raises(TokenRevoked):
        await state.principals.principal_of(await state.principals.claims_of_secret(secret))
    with pytest.raises(TokenRevoked):
        await state.principals.claims_of_secret("another")
    async with open_house.change() as connection:
        stored = await connection.scalars(text("select secret_hash from ostiary.session"))
        assert secret not in list(stored)


async def test_new_tokens_of_a_session_use_its_refresh_token_up(open_house: Doors) -> None:
    guest = await login_guest(open_house.state, open_house.world.todo, CALLER)
    claims = await open_house.state.principals.claims_of(guest.tokens.access, "access")

    renewed = await renew(open_house.state, claims)

    open_house.clock.now += 11
    assert (await open_house.refresh(renewed.tokens.refresh)).status_code == 200
    assert (await open_house.refresh(guest.tokens.refresh)).status_code == 401
