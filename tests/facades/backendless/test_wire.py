"""The wire of Backendless beneath its SDK: who is answered what, and what nobody learns."""

from typing import Any

import httpx2
import pytest
from sqlalchemy import text

from db.errors import PublicError
from db.records import GuestPolicy, RuleOptions
from db.roles import set_deleted
from db.rules import insert_rule
from db.tenants import insert_tenant, set_facades, set_only_trusted, set_suspended
from gateway.auth.refusals import ChallengeFailed, HookSilent, RefusedByHook, TooManyGuests
from gateway.errors import InternalError
from gateway.facades.backendless_errors import refusal_of
from gateway.log import cleanse
from tests.databases import Databases
from tests.doors import MASTER_KEY
from tests.shelters import BuiltShelter, Shelter
from tests.wire import PASSWORD

pytestmark = pytest.mark.postgres


async def call(
    shelter: Shelter, method: str, path: str, body: object = None, token: str | None = None, app: str | None = None
) -> httpx2.Response:
    headers = {} if token is None else {"user-token": token}
    address = f"/backendless/{app or shelter.tenant_id}/key/{path}"
    return await shelter.client.request(method, address, headers=headers, **({} if body is None else {"json": body}))


async def told(
    shelter: Shelter, method: str, path: str, body: object = None, token: str | None = None
) -> tuple[int, int]:
    """Status and code of a refusal, which must be in this wire's own form."""
    reply = await call(shelter, method, path, body, token)
    told = reply.json()
    assert told.keys() == {"message", "code", "errorData"}
    return reply.status_code, told["code"]


async def guest(shelter: Shelter) -> dict[str, Any]:
    reply = await call(shelter, "POST", "users/register/guest")
    assert reply.status_code == 200, reply.text
    return reply.json()


@pytest.fixture
async def token(shelter: Shelter) -> str:
    return str((await guest(shelter))["user-token"])


async def forget(shelter: Shelter) -> None:
    """Nothing; this process reads the tenant anew."""
    shelter.state.principals.drop_tenant(shelter.tenant_id)
    await shelter.state.tenants.refresh(shelter.tenant_id)


# --- applications ------------------------------------------------------------------------------------------------


async def test_an_unknown_application_and_one_whose_tenant_does_not_open_the_facade_look_the_same(
    shelter: Shelter, token: str
) -> None:
    unknown = [await call(shelter, "POST", "users/register/guest", app=app) for app in ("999", "nobody", "x" * 300)]
    async with shelter.state.engine.begin() as connection:
        await set_facades(connection, shelter.tenant_id, ["realm"])
    await forget(shelter)
    closed = await call(shelter, "POST", "users/register/guest")

    assert {(reply.status_code, reply.text) for reply in [*unknown, closed]} == {(400, closed.text)}
    assert closed.json()["code"] == 2002
    assert await told(shelter, "GET", "info") == (400, 2002)
    assert await told(shelter, "POST", "data/note/find", {}, token) == (400, 3064)


async def test_a_suspended_tenant_has_no_application(shelter: Shelter, token: str) -> None:
    async with shelter.state.engine.begin() as connection:
        await set_suspended(connection, shelter.tenant_id, suspended=True)
    await forget(shelter)

    assert await told(shelter, "POST", "users/login", {"login": "a", "password": "b"}) == (400, 2002)
    assert await told(shelter, "POST", "data/note/find", {}, token) == (400, 3064)


async def test_a_token_counts_for_its_own_application_alone(shelter: Shelter, token: str) -> None:
    async with shelter.state.engine.begin() as connection:
        other = await insert_tenant(connection, name="other", dsn=shelter.tenant_dsn, master_key=MASTER_KEY)
        await set_facades(connection, other.tenant_id, ["backendless"])
    app = str(other.tenant_id)
    data = await call(shelter, "POST", "data/note/find", {}, token, app)
    logout = await call(shelter, "GET", "users/logout", token=token, app=app)
    valid = await call(shelter, "GET", f"users/isvalidusertoken/{token}", app=app)

    assert (data.json()["code"], logout.json()["code"], valid.json()) == (3064, 3064, False)
    assert (await call(shelter, "GET", f"users/isvalidusertoken/{token}")).json() is True


async def test_an_access_token_of_the_gateway_is_no_user_token(shelter: Shelter) -> None:
    person = await shelter.guest()

    assert await told(shelter, "POST", "data/note/find", {}, person.access) == (400, 3064)


# --- users -------------------------------------------------------------------------------------------------------


async def test_where_nobody_may_register_and_where_no_guest_may_come_it_is_said(shelter: Shelter, token: str) -> None:
    registration = {"email": "ann@example.org", "password": PASSWORD}
    await shelter.choose(GuestPolicy(registration=False))
    closed = await told(shelter, "POST", "users/register", registration)
    async with shelter.state.engine.begin() as connection:
        nobody = await connection.execute(text("select nobody_role_id from ostiary.tenant"))
        await set_deleted(connection, shelter.tenant_id, nobody.scalar_one(), True)
    await forget(shelter)

    assert closed == (403, 3009)
    assert await told(shelter, "POST", "users/register/guest") == (403, 3009)
    assert await told(shelter, "POST", "data/note/find", {}) == (403, 1013)
    assert await told(shelter, "POST", "data/note/find", {}, token) == (400, 3064)


@pytest.mark.parametrize(
    ("body", "refusal"),
    [
        ({"email": "ann@example.org"}, (400, 3011)),
        ({"password": PASSWORD}, (400, 3013)),
        ({"email": "ann@example.org", "password": PASSWORD, "id": 5}, (400, 3039)),
        ({"email": "ann@example.org", "password": PASSWORD, "age": 5}, (400, 1021)),
        ({"email": 7, "password": PASSWORD}, (400, 40400)),
        ({"email": "ann@example.org", "password": ["x"]}, (400, 40400)),
        ([1], (400, 40400)),
    ],
)
async def test_a_registration_that_lacks_something_is_refused_by_its_number(
    shelter: Shelter, body: object, refusal: tuple[int, int]
) -> None:
    assert await told(shelter, "POST", "users/register", body) == refusal


async def test_nobody_logs_in_by_an_id_alone(shelter: Shelter, token: str) -> None:
    assert await told(shelter, "POST", "users/login", {"objectId": "abc"}) == (400, 2014)
    assert await told(shelter, "POST", "users/login", {}) == (401, 3003)


async def test_failed_logins_are_in_the_audit(shelter: Shelter) -> None:
    await call(shelter, "POST", "users/login", {"login": "who@example.org", "password": PASSWORD})

    rows = await shelter.control("select action, after ->> 'login' from ostiary.audit where action = 'login_failed'")
    assert rows == [("login_failed", "who@example.org")]


async def test_of_other_users_nothing_is_told_and_nothing_is_changed(shelter: Shelter, token: str) -> None:
    other = (await guest(shelter))["objectId"]

    assert await told(shelter, "GET", f"data/Users/{other}", token=token) == (404, 1000)
    assert await told(shelter, "GET", "data/Users/ffffffffffffffffffffffff", token=token) == (404, 1000)
    assert await told(shelter, "POST", "data/Users/find", {}, token) == (403, 1013)
    assert await told(shelter, "DELETE", f"data/Users/{other}", token=token) == (404, 1000)
    assert await told(shelter, "PUT", f"users/{other}", {"name": "x"}, token) == (403, 1012)
    assert await told(shelter, "PUT", f"data/Users/{other}", {"name": "x"}, token) == (400, 1002)


async def test_a_deleted_user_is_gone_at_once(shelter: Shelter) -> None:
    user = await guest(shelter)
    token = str(user["user-token"])
    deleted = await call(shelter, "DELETE", f"data/Users/{user['objectId']}", token=token)

    assert deleted.json().keys() == {"deletionTime"}
    assert (await call(shelter, "GET", f"users/isvalidusertoken/{token}")).json() is False


@pytest.mark.parametrize("token", ["", "null", "undefined", "0" * 64, "a/b", "%00", "x" * 5000])
async def test_what_was_never_a_token_is_not_valid(shelter: Shelter, token: str) -> None:
    reply = await call(shelter, "GET", f"users/isvalidusertoken/{token or 'null'}", token=token)

    assert reply.json() is False or reply.json()["code"] == 40404


async def test_a_stale_token_shuts_nobody_out(shelter: Shelter) -> None:
    stale = "0" * 64
    registration = {"email": "ann@example.org", "password": PASSWORD}

    assert (await call(shelter, "GET", "info", token=stale)).status_code == 200
    assert (await call(shelter, "POST", "users/register/guest", token=stale)).status_code == 200
    assert (await call(shelter, "POST", "users/register", registration, stale)).status_code == 200
    login = {"login": "ann@example.org", "password": PASSWORD}
    assert (await call(shelter, "POST", "users/login", login, stale)).status_code == 200
    assert await told(shelter, "POST", "data/note/find", {}, stale) == (400, 3064)


async def test_no_answer_with_a_token_is_kept_by_anybody(shelter: Shelter) -> None:
    for path in ("users/register/guest", "users/login"):
        reply = await call(shelter, "POST", path, {})
        assert reply.headers["cache-control"] == "no-store"


async def test_guests_are_limited_as_at_the_gateways_own_doors(
    databases: Databases, built_counter: BuiltShelter
) -> None:
    async with built_counter.open(databases, anonymous_limit_address="2/minute") as shelter:
        await guest(shelter)
        await shelter.guest()
        refused = await call(shelter, "POST", "users/register/guest")

    assert (refused.status_code, refused.json()["code"]) == (429, 999)
    assert int(refused.headers["retry-after"]) > 0


async def test_logins_are_limited_as_at_the_gateways_own_doors(
    databases: Databases, built_counter: BuiltShelter
) -> None:
    login = {"login": "ann@example.org", "password": PASSWORD}
    async with built_counter.open(databases, login_limit_login="1/minute") as shelter:
        first = await call(shelter, "POST", "users/login", login)
        second = await call(shelter, "POST", "users/login", login)

    assert (first.json()["code"], second.json()["code"]) == (3003, 999)


@pytest.mark.parametrize(
    ("error", "refusal"),
    [
        (RefusedByHook("Not today."), (403, 40403, "Not today.")),
        (ChallengeFailed(), (403, 40403, "The challenge was not met.")),
        (HookSilent(), (503, 40503, HookSilent().message)),
        (TooManyGuests(7), (429, 999, TooManyGuests(7).message)),
        (InternalError("5"), (500, 40500, InternalError("5").message)),
    ],
)
def test_what_a_door_refuses_has_a_number(error: PublicError, refusal: tuple[int, int, str]) -> None:
    told = refusal_of(error, "users")

    assert (told.status, told.number, told.message) == refusal


# --- rows --------------------------------------------------------------------------------------------------------


async def test_a_hidden_table_and_one_that_there_is_not_look_the_same(shelter: Shelter, token: str) -> None:
    hidden = await call(shelter, "POST", "data/price/find", {}, token)
    missing = await call(shelter, "POST", "data/prize/find", {}, token)

    assert (hidden.status_code, hidden.json()["code"]) == (400, 1009)
    assert hidden.text.replace("price", "prize") == missing.text


async def test_who_sends_no_token_is_a_visitor_and_sees_what_visitors_may(shelter: Shelter) -> None:
    assert await told(shelter, "POST", "data/price/find", {}) == (400, 1009)
    async with shelter.state.engine.begin() as connection:
        await insert_rule(
            connection,
            tenant_id=shelter.tenant_id,
            name="Everybody reads prices",
            capabilities=frozenset({"select"}),
            targets=frozenset({"price"}),
            filter_text="amount <= 3",
            role_ids=frozenset(),
            class_ids=frozenset(),
            creator_id=0,
            options=RuleOptions(),
        )
    await forget(shelter)
    found = await call(shelter, "GET", "data/Price?where=amount%3E1&sortBy=amount%20desc&pageSize=1")

    assert found.json() == [{"id": "3", "amount": 3, "___class": "Price", "objectId": "3"}]
    assert (await call(shelter, "GET", "data/price/count")).json() == 3
    assert (await call(shelter, "GET", "data/price/2")).json()["amount"] == 2
    assert await told(shelter, "GET", "data/price/4") == (404, 1000)
    assert await told(shelter, "PUT", "data/price", {"amount": 1}) == (403, 1011)
    assert await told(shelter, "PUT", "data/price/2", {"amount": 1}) == (403, 1012)
    assert await told(shelter, "DELETE", "data/price/2") == (403, 1014)


@pytest.mark.parametrize(
    ("query", "refusal"),
    [
        ({"where": "body ="}, (400, 1017)),
        ({"where": "sleep(5) = 1"}, (400, 1017)),
        ({"where": "secret = 1"}, (400, 1006)),
        ({"where": "folder.secret = 1"}, (400, 1006)),
        ({"where": "id = 'x'"}, (400, 1017)),
        ({"sortBy": "secret"}, (400, 1006)),
        ({"props": "secret"}, (400, 1006)),
        ({"loadRelations": "price"}, (400, 1006)),
        ({"groupBy": "body"}, (400, 40400)),
        ({"props": "Count(id)"}, (400, 1006)),
    ],
)
async def test_a_query_that_cannot_be_answered_says_why(
    shelter: Shelter, token: str, query: object, refusal: tuple[int, int]
) -> None:
    assert await told(shelter, "POST", "data/note/find", query, token) == refusal


@pytest.mark.parametrize("row_id", ["x", "1.5", "99999999999999999999", "-1", "%27%20or%201=1"])
async def test_what_can_be_no_id_is_the_id_of_no_row(shelter: Shelter, token: str, row_id: str) -> None:
    assert await told(shelter, "GET", f"data/note/{row_id}", token=token) == (404, 1000)
    assert await told(shelter, "DELETE", f"data/note/{row_id}", token=token) == (404, 1000)
    assert await told(shelter, "PUT", f"data/note/{row_id}", {"body": "x"}, token) == (404, 1000)


async def test_a_row_is_stored_as_it_is_and_what_is_no_column_is_refused(shelter: Shelter, token: str) -> None:
    text = "'; drop table note; -- \"\\ \u00e4 \U0001f600"
    made = await call(shelter, "PUT", "data/note", {"body": text, "___class": "note", "ownerId": "x"}, token)
    strange = await told(shelter, "PUT", "data/note", {"body": "x", "colour": "red"}, token)
    wrong = await told(shelter, "PUT", "data/note", {"body": {"a": 1}}, token)

    assert made.json()["body"] == text
    assert strange == (400, 1021)
    assert wrong[0] == 400
    where = {"where": "body = '" + text.replace("'", "''") + "'"}
    assert len((await call(shelter, "POST", "data/note/find", where, token)).json()) == 1


async def test_a_row_under_a_key_that_is_taken_is_a_conflict(shelter: Shelter, token: str) -> None:
    await call(shelter, "PUT", "data/folder", {"name": "home"}, token)

    assert await told(shelter, "PUT", "data/folder", {"name": "home"}, token) == (409, 40409)


async def test_a_tenant_that_answers_trusted_documents_only_answers_its_open_facade(
    shelter: Shelter, token: str
) -> None:
    async with shelter.state.engine.begin() as connection:
        await set_only_trusted(connection, shelter.tenant_id, True)
    await forget(shelter)
    await call(shelter, "PUT", "data/note", {"body": "milk"}, token)

    found = (await call(shelter, "POST", "data/note/find", {}, token)).json()
    assert [row["body"] for row in found] == ["milk"]


async def test_a_table_that_changes_meanwhile_is_read_as_it_now_is(shelter: Shelter, token: str) -> None:
    await call(shelter, "PUT", "data/note", {"body": "milk"}, token)
    await shelter.rows("alter table note drop column folder_id")

    found = (await call(shelter, "POST", "data/note/find", {}, token)).json()
    assert [row["body"] for row in found] == ["milk"]


async def test_a_page_has_no_more_rows_than_the_service_gives(shelter: Shelter, token: str) -> None:
    for number in range(12):
        await call(shelter, "PUT", "data/note", {"body": f"{number:02}"}, token)
    pages = [
        (await call(shelter, "POST", "data/note/find", query, token)).json()
        for query in ({}, {"pageSize": 1000}, {"pageSize": 5, "offset": 10, "sortBy": "body"}, {"pageSize": "many"})
    ]

    assert [len(page) for page in pages] == [10, 12, 2, 10]
    assert [row["body"] for row in pages[2]] == ["10", "11"]


# --- the wire ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "nothing"),
        ("GET", "users/nothing/at/all"),
        ("PATCH", "data/note"),
        ("POST", "data/note/1/folder"),
        ("DELETE", "users/login"),
        ("GET", ""),
    ],
)
async def test_what_is_not_offered_is_refused_in_the_same_form(
    shelter: Shelter, token: str, method: str, path: str
) -> None:
    assert await told(shelter, method, path, token=token) == (404, 40404)


async def test_a_body_that_is_no_json_is_refused_in_the_same_form(shelter: Shelter, token: str) -> None:
    address = f"/backendless/{shelter.tenant_id}/key/data/note/find"
    reply = await shelter.client.post(address, content=b"{", headers={"user-token": token})

    assert (reply.status_code, reply.json()["code"]) == (400, 40400)


async def test_a_door_reads_no_large_body(shelter: Shelter) -> None:
    reply = await call(shelter, "POST", "users/login", {"login": "x" * 200_000})

    assert (reply.status_code, reply.json()["code"]) == (413, 40413)


async def test_while_the_tenants_database_is_away_it_is_said(
    shelter: Shelter, token: str, databases: Databases
) -> None:
    await call(shelter, "POST", "data/note/find", {}, token)
    databases.drop(shelter.tenant_dsn)

    assert await told(shelter, "POST", "data/note/find", {}, token) == (503, 40503)


def test_a_token_in_an_address_is_not_logged() -> None:
    event = cleanse(None, "info", {"event": "GET /backendless/1/key/users/isvalidusertoken/0123abcd was slow"})

    assert event["event"] == "GET /backendless/1/key/users/isvalidusertoken/[hidden] was slow"


async def test_pages_of_allowed_origins_may_send_what_the_sdk_sends(
    databases: Databases, built_counter: BuiltShelter
) -> None:
    asked = {
        "Origin": "https://app.example",
        "Access-Control-Request-Method": "PUT",
        "Access-Control-Request-Headers": "content-type,user-token",
    }
    async with built_counter.open(databases, cors_origins="https://app.example") as shelter:
        reply = await shelter.client.options(f"/backendless/{shelter.tenant_id}/key/data/note", headers=asked)

    assert reply.status_code == 200
    assert reply.headers["access-control-allow-origin"] == "https://app.example"
