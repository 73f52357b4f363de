"""Realm's wire as other clients may speak it: bodies, tokens, limits, and what is told to nobody."""

import hashlib
from collections.abc import AsyncGenerator
from typing import Any

import httpx2
import pytest

from db.records import GuestPolicy
from db.tenants import insert_tenant, set_facades, set_only_trusted, set_suspended
from gateway.auth.guests import Caller, login_guest
from gateway.auth.sessions import Terms
from schema.roles_pbac.anonymous import make_nobody
from tests.databases import Databases
from tests.doors import MASTER_KEY, bearer
from tests.shelters import BuiltShelter, Shelter
from tests.wire import PASSWORD

pytestmark = pytest.mark.postgres

C = "/api/client/v2.0"
A = f"{C}/app/shelter"
ANONYMOUS = f"{A}/auth/providers/anon-user/login"
LOGIN = f"{A}/auth/providers/local-userpass/login"
REGISTER = f"{A}/auth/providers/local-userpass/register"


async def come(shelter: Shelter, body: object = None, path: str = ANONYMOUS) -> dict[str, Any]:
    reply = await shelter.client.post(path, json={} if body is None else body)
    assert reply.status_code == 200, reply.text
    return reply.json()


def told(reply: httpx2.Response) -> tuple[int, str]:
    body = reply.json()
    assert set(body) == {"error", "error_code"}
    return reply.status_code, body["error_code"]


# --- coming in ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("headers", [{}, {"Content-Type": "application/json"}, {"Content-Type": "text/plain"}])
async def test_a_guest_may_come_with_an_empty_body(shelter: Shelter, headers: dict[str, str]) -> None:
    reply = await shelter.client.post(ANONYMOUS, content=b"", headers=headers)

    assert reply.status_code == 200
    assert set(reply.json()) == {"user_id", "access_token", "refresh_token", "device_id"}
    assert reply.headers["content-type"] == "application/json"
    assert reply.headers["cache-control"] == "no-store"


async def test_location_leads_to_where_the_client_asked_without_a_slash_behind(shelter: Shelter) -> None:
    reply = await shelter.client.get(f"{A}/location")

    assert reply.json() == {
        "deployment_model": "LOCAL",
        "location": "LOCAL",
        "hostname": "http://gateway.test",
        "ws_hostname": "ws://gateway.test",
    }


async def test_a_device_keeps_its_id_and_any_other_gets_one(shelter: Shelter) -> None:
    known = "0123456789abcdef01234567"
    given: list[object] = [known, "0" * 24, known.upper(), "3f2504e0-4f89-41d3-9a0c-0305e82c3301", 7, None]

    ids = [
        (await come(shelter, {"options": {"device": {"deviceId": each}}}))["device_id"]
        for each in [*given, {"$oid": known}]
    ]

    assert ids[0] == ids[-1] == known
    assert all(len(each) == 24 and int(each, 16) > 0 for each in ids)
    assert len(set(ids)) == len(given)


async def test_a_device_id_lets_nobody_in_as_somebody_else(shelter: Shelter) -> None:
    device = {"options": {"device": {"deviceId": "0123456789abcdef01234567"}}}

    one, other = await come(shelter, device), await come(shelter, device)

    assert one["user_id"] != other["user_id"]


async def test_a_token_of_this_facade_counts_at_the_others_doors_and_theirs_here(shelter: Shelter) -> None:
    realm = await come(shelter)
    native = await shelter.guest()

    session = (await shelter.client.get("/auth/session", headers=bearer(realm["access_token"]))).json()
    profile = (await shelter.client.get(f"{C}/auth/profile", headers=bearer(native.access))).json()

    assert (session["id"], session["session"]["facade"]) == (realm["user_id"], "realm")
    assert session["session"]["device_id"] == realm["device_id"]
    assert profile["identities"][0]["provider_type"] == "anon-user"


async def test_whoever_an_administrator_made_has_a_profile_too(shelter: Shelter) -> None:
    account = await shelter.account("made@example.org")
    await shelter.control("delete from ostiary.identity")

    profile = (await shelter.client.get(f"{C}/auth/profile", headers=bearer(account.access))).json()

    assert profile["data"] == {"email": "made@example.org"}
    assert [each["provider_type"] for each in profile["identities"]] == ["local-userpass"]


# --- sessions ----------------------------------------------------------------------------------------------------


async def test_only_a_hash_of_the_refresh_token_is_stored(shelter: Shelter) -> None:
    refresh = (await come(shelter))["refresh_token"]

    [(stored,)] = await shelter.control("select secret_hash from ostiary.session")

    assert stored == hashlib.sha256(refresh.encode()).hexdigest()


@pytest.mark.parametrize("method", ["POST", "DELETE"])
@pytest.mark.parametrize(
    "headers", [{}, bearer("null"), bearer("a.b.c"), bearer("0" * 64), {"Authorization": "Basic x"}]
)
async def test_what_is_no_refresh_token_is_refused(shelter: Shelter, method: str, headers: dict[str, str]) -> None:
    reply = await shelter.client.request(method, f"{C}/auth/session", headers=headers)

    assert told(reply) == (401, "InvalidSession")


async def test_an_access_token_renews_nothing_and_a_refresh_token_gives_no_access(shelter: Shelter) -> None:
    guest = await come(shelter)

    renewed = await shelter.client.post(f"{C}/auth/session", headers=bearer(guest["access_token"]))
    profile = await shelter.client.get(f"{C}/auth/profile", headers=bearer(guest["refresh_token"]))
    call = await shelter.client.post(
        f"{A}/functions/call", json={"name": "add_up"}, headers=bearer(guest["refresh_token"])
    )

    assert told(renewed) == told(profile) == told(call) == (401, "InvalidSession")


async def test_tokens_of_sessions_that_other_doors_opened_renew_nothing_here(shelter: Shelter) -> None:
    native = await shelter.guest()
    other = await login_guest(
        shelter.state, shelter.tenant_id, Caller("203.0.113.9", "backendless"), terms=Terms(3600, has_secret=True)
    )

    for token in (native.refresh, native.access, str(other.tokens.secret)):
        reply = await shelter.client.post(f"{C}/auth/session", headers=bearer(token))
        assert told(reply) == (401, "InvalidSession")
    # It was no use of the native refresh token: that would have ended its session.
    renewed = await shelter.client.get("/auth?schema=none", headers=bearer(native.refresh))
    assert renewed.status_code == 200


async def test_a_logout_answers_with_nothing_and_no_content_type_and_the_second_that_there_was_none(
    shelter: Shelter,
) -> None:
    guest = await come(shelter)

    first = await shelter.client.delete(f"{C}/auth/session", headers=bearer(guest["refresh_token"]))
    second = await shelter.client.delete(f"{C}/auth/session", headers=bearer(guest["refresh_token"]))

    assert (first.status_code, first.content) == (204, b"")
    assert "content-type" not in first.headers
    assert told(second) == (401, "InvalidSession")
    assert "failed to find refresh token" in second.json()["error"]


async def test_a_logout_at_this_door_is_one_at_every_door(shelter: Shelter) -> None:
    guest = await come(shelter)

    await shelter.client.delete(f"{C}/auth/session", headers=bearer(guest["refresh_token"]))

    reply = await shelter.client.post(
        "/query", json={"query": "{ note { id } }"}, headers=bearer(guest["access_token"])
    )
    assert reply.status_code == 401


# --- tenants -----------------------------------------------------------------------------------------------------


@pytest.fixture
async def neighbour(shelter: Shelter) -> AsyncGenerator[int]:
    """Another tenant of the same gateway that opens the facade."""
    async with shelter.state.engine.begin() as connection:
        tenant = await insert_tenant(connection, name="next", dsn=shelter.tenant_dsn, master_key=MASTER_KEY)
        await make_nobody(connection, tenant.tenant_id, creator_id=0)
        await set_facades(connection, tenant.tenant_id, ["realm"])
    return tenant.tenant_id


async def test_a_token_of_one_app_is_refused_at_another_and_not_by_a_401(shelter: Shelter, neighbour: int) -> None:
    stranger = await come(shelter, path=f"{C}/app/{neighbour}/auth/providers/anon-user/login")
    headers = bearer(stranger["access_token"])
    body = {"email": "ann@example.org", "password": PASSWORD}
    assert (await shelter.client.post(REGISTER, json=body)).status_code == 201

    call = await shelter.client.post(f"{A}/functions/call", json={"name": "add_up"}, headers=headers)
    graphql = await shelter.client.post(f"{A}/graphql", json={"query": "{ __typename }"}, headers=headers)
    link = await shelter.client.post(
        f"{LOGIN}?link=true", json={"username": "ann@example.org", "password": PASSWORD}, headers=headers
    )

    assert told(call) == told(graphql) == told(link) == (403, "Forbidden")


async def test_a_suspended_tenant_is_not_found(shelter: Shelter) -> None:
    guest = await come(shelter)
    async with shelter.state.engine.begin() as connection:
        await set_suspended(connection, shelter.tenant_id, True)
    shelter.state.principals.drop_tenant(shelter.tenant_id)

    assert told(await shelter.client.get(f"{A}/location")) == (404, "AppNotFound")
    assert told(await shelter.client.post(ANONYMOUS)) == (404, "AppNotFound")
    renewed = await shelter.client.post(f"{C}/auth/session", headers=bearer(guest["refresh_token"]))
    assert told(renewed) == (401, "InvalidSession")


@pytest.mark.parametrize("app_id", ["nowhere", "0", "%00", "%F0%9F%90%B1", "..%2f..", "9" * 50])
async def test_no_id_of_an_app_tells_more_than_another(shelter: Shelter, app_id: str) -> None:
    paths = ("location", "auth/providers/local-userpass/confirm", "auth/providers/anon-user/login")

    for path in paths:
        method = "GET" if path == "location" else "POST"
        reply = await shelter.client.request(method, f"{C}/app/{app_id}/{path}")
        assert reply.status_code == 404


# --- bodies ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        b"[]",
        b"{",
        b"7",
        b'{"username": 7, "password": "x"}',
        b'{"username": "a"}',
        b'{"password": "a"}',
        b"\xff",
        b"[" * 500,
        b'{"username": {"$numberInt": "x"}, "password": "x"}',
    ],
)
async def test_a_login_that_cannot_be_read_is_refused(shelter: Shelter, body: bytes) -> None:
    reply = await shelter.client.post(LOGIN, content=body, headers={"Content-Type": "application/json"})

    assert told(reply) == (400, "BadRequest")


async def test_a_body_that_is_too_large_is_refused(shelter: Shelter) -> None:
    body = b'{"username": "' + b"a" * shelter.state.settings.max_auth_body_bytes + b'"}'

    reply = await shelter.client.post(LOGIN, content=body)

    assert told(reply) == (413, "BadRequest")


async def test_a_login_that_is_long_or_cannot_be_stored_is_refused(shelter: Shelter) -> None:
    for email in ("a" * 400, "a\0b", " "):
        reply = await shelter.client.post(REGISTER, json={"email": email, "password": PASSWORD})
        assert told(reply) == (400, "BadRequest")


@pytest.mark.parametrize("arguments", [7, "x", {"a": 1}])
async def test_arguments_must_be_an_array(shelter: Shelter, arguments: object) -> None:
    guest = await come(shelter)

    reply = await shelter.client.post(
        f"{A}/functions/call", json={"name": "add_up", "arguments": arguments}, headers=bearer(guest["access_token"])
    )

    assert told(reply) == (400, "BadRequest")


async def test_a_name_of_a_function_cannot_be_more_than_a_name(shelter: Shelter) -> None:
    guest = await come(shelter)

    for name in ("add_up(1) }", "call_clear_prices", "note", "__schema", "x" * 300):
        reply = await shelter.client.post(
            f"{A}/functions/call", json={"name": name}, headers=bearer(guest["access_token"])
        )
        assert told(reply) == (404, "FunctionNotFound")


# --- functions ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "arguments", "result"),
    [
        ("total", [[1, 2, 3]], b"6"),
        ("street_of", [{"street": "Main Street", "number": 7}], b'"Main Street"'),
        ("letters", [], b'["a","b",null]'),
        ("nothing_at_all", [], b"null"),
        ("largest", [], b"123456789012345678901234567890.5"),
        ("span", [], b'{"low":1,"high":9}'),
        ("add_up", [{"$numberLong": "1"}, None], b"null"),
        ("add_up", None, b"null"),
        ("tidy", [], b"true"),
        ("forget", [], b"true"),
    ],
)
async def test_a_function_gives_what_it_gives_as_it_is(
    shelter: Shelter, name: str, arguments: object, result: bytes
) -> None:
    guest = await come(shelter)

    reply = await shelter.client.post(
        f"{A}/functions/call", json={"name": name, "arguments": arguments}, headers=bearer(guest["access_token"])
    )

    assert (reply.status_code, reply.content.replace(b": ", b":").replace(b", ", b",")) == (200, result)


async def test_a_function_whose_rows_are_hidden_is_hidden(shelter: Shelter) -> None:
    guest = await come(shelter)

    reply = await shelter.client.post(
        f"{A}/functions/call", json={"name": "prices"}, headers=bearer(guest["access_token"])
    )

    assert told(reply) == (404, "FunctionNotFound")


async def test_where_only_trusted_documents_are_answered_functions_are_called_and_other_documents_are_not(
    shelter: Shelter,
) -> None:
    async with shelter.state.engine.begin() as connection:
        await set_only_trusted(connection, shelter.tenant_id, True)
    headers = bearer((await come(shelter))["access_token"])

    graphql = await shelter.client.post(f"{A}/graphql", json={"query": "{ note { id } }"}, headers=headers)
    call = await shelter.client.post(
        f"{A}/functions/call", json={"name": "add_up", "arguments": [1, 2]}, headers=headers
    )

    assert graphql.status_code == 403
    assert graphql.json()["errors"][0]["extensions"]["code"] == "DOCUMENT_NOT_TRUSTED"
    assert (call.status_code, call.content) == (200, b"3")


async def test_the_visitors_shared_role_cannot_delete_itself(shelter: Shelter) -> None:
    await shelter.choose(GuestPolicy(mode="shared"))
    visitor = (await shelter.client.post("/anonauth?schema=none", json={"tenantid": shelter.tenant_id})).json()

    reply = await shelter.client.delete(f"{C}/auth/delete", headers=bearer(visitor["access_token"]))

    assert told(reply) == (409, "Conflict")
    profile = await shelter.client.get(f"{C}/auth/profile", headers=bearer(visitor["access_token"]))
    assert (profile.status_code, profile.json()["identities"], profile.json()["data"]) == (200, [], {})


# --- limits and the audit ----------------------------------------------------------------------------------------


async def test_attempts_are_limited_as_at_the_native_doors(databases: Databases, built_realm: BuiltShelter) -> None:
    async with built_realm.open(
        databases, anonymous_limit_address="2/minute", login_limit_login="2/minute", role_limit_address="3/minute"
    ) as shelter:
        login = {"username": "ann@example.org", "password": "wrong " + PASSWORD}
        registration = {"email": "ann@example.org", "password": PASSWORD}

        guests = [await shelter.client.post(ANONYMOUS) for _ in range(3)]
        logins = [await shelter.client.post(LOGIN, json=login) for _ in range(3)]
        registrations = [await shelter.client.post(REGISTER, json=registration) for _ in range(2)]

    for replies in (guests, logins, registrations):
        assert told(replies[-1]) == (429, "TooManyRequests")
        assert replies[-1].status_code != replies[0].status_code
        assert int(replies[-1].headers["retry-after"]) > 0


async def test_failed_logins_are_in_the_audit_without_the_password(shelter: Shelter) -> None:
    await shelter.client.post(LOGIN, json={"username": "ann@example.org", "password": "wrong " + PASSWORD})

    [(tenant_id, after)] = await shelter.control(
        "select tenant_id, after from ostiary.audit where action = 'login_failed'"
    )

    assert tenant_id == shelter.tenant_id
    assert after["login"] == "ann@example.org"
    assert "wrong" not in str(after)


async def test_what_is_no_address_of_the_facade_is_not_found_and_a_wrong_method_refused(shelter: Shelter) -> None:
    nowhere = await shelter.client.get(f"{A}/auth/providers/api-key/login")
    method = await shelter.client.put(f"{C}/auth/session")

    assert (nowhere.status_code, method.status_code) == (404, 405)
    assert nowhere.json()["error"]
