"""The wire of Mudbase beneath its SDK: who is answered what, and what nobody learns."""

from typing import Any

import httpx2
import pytest

from db.tenants import insert_tenant, set_facades, set_only_trusted
from tests.databases import Databases
from tests.doors import MASTER_KEY, bearer
from tests.shelters import BuiltShelter, Shelter
from tests.wire import PASSWORD

pytestmark = pytest.mark.postgres

NOTES = "/api/data/projects/shelter/collections/note/data"
GRAPHQL = "/api/projects/shelter/graphql"


async def send(
    shelter: Shelter, method: str, path: str, body: object = None, token: str | None = None
) -> httpx2.Response:
    headers = {} if token is None else bearer(token)
    return await shelter.client.request(method, path, json=body, headers=headers)


async def told(
    shelter: Shelter, method: str, path: str, body: object = None, token: str | None = None
) -> tuple[int, str]:
    """Status and code of a refusal, which must be in this wire's own form."""
    reply = await send(shelter, method, path, body, token)
    told = reply.json()
    assert {"error", "code"} <= told.keys() <= {"error", "code", "retryAfter"}, told
    return reply.status_code, told["code"]


async def come(shelter: Shelter) -> dict[str, Any]:
    reply = await send(shelter, "POST", "/api/auth/anonymous", {"projectId": str(shelter.tenant_id)})
    assert reply.status_code == 200, reply.text
    return reply.json()


@pytest.fixture
async def token(shelter: Shelter) -> str:
    return str((await come(shelter))["token"])


async def close_facade(shelter: Shelter) -> None:
    async with shelter.state.engine.begin() as connection:
        await set_facades(connection, shelter.tenant_id, ["realm"])
    shelter.state.principals.drop_tenant(shelter.tenant_id)
    await shelter.state.tenants.refresh(shelter.tenant_id)


async def test_a_body_may_be_empty_where_the_address_names_the_project(shelter: Shelter) -> None:
    headers = {"Content-Type": "application/json"}
    named = await shelter.client.post("/mudbase/shelter/api/auth/anonymous", headers=headers)
    nowhere = await told(shelter, "POST", "/api/auth/anonymous", {})

    assert named.status_code == 200
    assert nowhere == (400, "VALIDATION_ERROR")


async def test_where_the_facade_is_closed_its_tokens_count_no_more(shelter: Shelter) -> None:
    guest = await come(shelter)
    token = str(guest["token"])
    await close_facade(shelter)

    assert await told(shelter, "GET", "/api/auth/local/session", token=token) == (401, "UNAUTHORIZED")
    assert await told(shelter, "GET", NOTES, token=token) == (404, "NOT_FOUND")
    assert await told(shelter, "POST", "/api/auth/local/logout", token=token) == (401, "UNAUTHORIZED")
    conversion = {"email": "ann@example.org", "password": PASSWORD}
    assert await told(shelter, "POST", "/api/auth/anonymous/convert", conversion, token) == (401, "UNAUTHORIZED")
    refreshed = await send(shelter, "POST", "/api/auth/refresh", {"refreshToken": guest["refreshToken"]})
    assert (refreshed.status_code, refreshed.json()) == (401, {"error": "Invalid or expired refresh token"})
    # And the refresh token is not used up by it.
    assert (await shelter.client.get("/auth?schema=none", headers=bearer(guest["refreshToken"]))).status_code == 200


async def test_the_projects_of_others_are_not_found(shelter: Shelter, token: str) -> None:
    async with shelter.state.engine.begin() as connection:
        other = await insert_tenant(connection, name="other", dsn=shelter.tenant_dsn, master_key=MASTER_KEY)
        await set_facades(connection, other.tenant_id, ["mudbase"])
    theirs = await send(shelter, "GET", NOTES.replace("shelter", "other"), token=token)
    nothing = await send(shelter, "GET", NOTES.replace("shelter", "nothing"), token=token)

    assert (theirs.status_code, theirs.text) == (nothing.status_code, nothing.text)
    assert await told(shelter, "GET", "/api/auth/local/session?projectId=other", token=token) == (404, "NOT_FOUND")
    assert await told(shelter, "GET", "/mudbase/other/api/auth/session", token=token) == (401, "UNAUTHORIZED")


async def test_without_a_token_there_is_nothing(shelter: Shelter) -> None:
    for path in (NOTES, "/api/auth/session", f"{NOTES}/1"):
        assert await told(shelter, "GET", path) == (401, "UNAUTHORIZED")
    assert await told(shelter, "POST", GRAPHQL, {"query": "{ __typename }"}) == (401, "UNAUTHORIZED")
    assert await told(shelter, "GET", NOTES, token="a.b.c") == (401, "UNAUTHORIZED")


async def test_a_hidden_collection_and_one_that_there_is_not_look_the_same(shelter: Shelter, token: str) -> None:
    hidden = await send(shelter, "GET", NOTES.replace("note", "price"), token=token)
    missing = await send(shelter, "GET", NOTES.replace("note", "nothing"), token=token)

    assert (hidden.status_code, hidden.text) == (missing.status_code, missing.text)
    assert hidden.json() == {"error": "Collection not found", "code": "NOT_FOUND"}


async def test_graphql_answers_queries_and_no_mutation(shelter: Shelter, token: str) -> None:
    await send(shelter, "POST", NOTES, {"body": "milk"}, token)
    query = {"query": "query N($b: String) { note(filter: $b) { body } }", "variables": {"b": "body = 'milk'"}}
    answered = await send(shelter, "POST", GRAPHQL, query, token)
    mutation = {"query": 'mutation { create_note(input: { body: "x" }) { id } }'}
    refused = await send(shelter, "POST", GRAPHQL, mutation, token)
    wrong = await send(shelter, "POST", GRAPHQL, {"query": "{ price { id } }"}, token)

    assert answered.json() == {"data": {"note": [{"body": "milk"}]}}
    assert (refused.status_code, refused.json()["errors"][0]["extensions"]["code"]) == (405, "METHOD_NOT_ALLOWED")
    assert (wrong.status_code, "errors" in wrong.json()) == (400, True)


async def test_where_only_trusted_documents_are_answered_documents_are_but_no_query_is(
    shelter: Shelter, token: str
) -> None:
    async with shelter.state.engine.begin() as connection:
        await set_only_trusted(connection, shelter.tenant_id, True)
    shelter.state.principals.drop_tenant(shelter.tenant_id)
    await shelter.state.tenants.refresh(shelter.tenant_id)
    refused = await send(shelter, "POST", GRAPHQL, {"query": "{ note { id } }"}, token)

    assert refused.json()["errors"][0]["extensions"]["code"] == "DOCUMENT_NOT_TRUSTED"
    assert (await send(shelter, "GET", NOTES, token=token)).json()["data"] == []


@pytest.mark.parametrize(
    "query",
    [
        "filter=%7B",
        "filter=%5B%5D",
        "filter=%7B%22secret%22%3A1%7D",
        "filter=%7B%22id%22%3A%22x%22%7D",
        "sort=secret",
        "page=0",
        "limit=x",
        "page=99999999999999",
    ],
)
async def test_a_query_that_cannot_be_answered_says_so(shelter: Shelter, token: str, query: str) -> None:
    assert await told(shelter, "GET", f"{NOTES}?{query}", token=token) == (400, "VALIDATION_ERROR")


@pytest.mark.parametrize("row_id", ["x", "1.5", "99999999999999999999", "-1"])
async def test_what_can_be_no_id_is_the_id_of_no_document(shelter: Shelter, token: str, row_id: str) -> None:
    for method, body in (("GET", None), ("PATCH", {"body": "x"}), ("PUT", {"body": "x"}), ("DELETE", None)):
        assert await told(shelter, method, f"{NOTES}/{row_id}", body, token) == (404, "NOT_FOUND")


async def test_what_is_no_field_is_refused_and_a_taken_key_is_a_conflict(shelter: Shelter, token: str) -> None:
    folders = NOTES.replace("note", "folder")
    await send(shelter, "POST", folders, {"name": "home"}, token)

    assert await told(shelter, "POST", NOTES, {"body": "x", "colour": "red"}, token) == (400, "VALIDATION_ERROR")
    assert await told(shelter, "POST", NOTES, {}, token) == (400, "VALIDATION_ERROR")
    assert await told(shelter, "POST", NOTES, [1], token) == (400, "VALIDATION_ERROR")
    assert await told(shelter, "POST", folders, {"name": "home"}, token) == (409, "CONFLICT")


async def test_a_table_that_changes_meanwhile_is_read_as_it_now_is(shelter: Shelter, token: str) -> None:
    await send(shelter, "POST", NOTES, {"body": "milk"}, token)
    await shelter.rows("alter table note drop column folder_id")

    (note,) = (await send(shelter, "GET", NOTES, token=token)).json()["data"]
    assert note.keys() == {"_id", "id", "owner", "body"}


async def test_guests_are_limited_as_at_the_gateways_own_doors(
    databases: Databases, built_project: BuiltShelter
) -> None:
    async with built_project.open(databases, anonymous_limit_address="1/minute") as shelter:
        await come(shelter)
        refused = await send(shelter, "POST", "/api/auth/anonymous", {"projectId": "shelter"})

    assert (refused.status_code, refused.json()["code"]) == (429, "RATE_LIMITED")
    assert refused.json()["retryAfter"] == int(refused.headers["retry-after"])


async def test_to_prove_a_password_is_limited_as_a_login_is(databases: Databases, built_project: BuiltShelter) -> None:
    async with built_project.open(databases, login_limit_login="2/minute") as shelter:
        token = str((await come(shelter))["token"])
        account = {"email": "ann@example.org", "password": PASSWORD}
        await send(shelter, "POST", "/api/auth/anonymous/convert", account, token)
        erase = {"confirm": "DELETE", "currentPassword": "wrong"}
        tried = [await told(shelter, "POST", "/api/users/me/erase", erase, token) for _ in range(3)]

    assert tried == [(401, "UNAUTHORIZED"), (401, "UNAUTHORIZED"), (429, "RATE_LIMITED")]


async def test_failed_logins_are_in_the_audit(shelter: Shelter) -> None:
    login = {"email": "who@example.org", "password": PASSWORD, "projectId": "shelter"}
    await send(shelter, "POST", "/api/auth/local/login", login)

    rows = await shelter.control("select after ->> 'login' from ostiary.audit where action = 'login_failed'")
    assert rows == [("who@example.org",)]


async def test_what_is_not_offered_is_not_found(shelter: Shelter, token: str) -> None:
    for method, path in (
        ("GET", "/api/auth/nothing"),
        ("DELETE", "/api/auth/anonymous"),
        ("GET", "/api/projects/shelter/graphql"),
        ("GET", "/api/users/me"),
        ("POST", f"{NOTES}/1/more"),
    ):
        assert await told(shelter, method, path, token=token) == (404, "NOT_FOUND")


async def test_a_door_reads_no_large_body(shelter: Shelter) -> None:
    for path in ("/api/auth/local/login", "/mudbase/shelter/api/auth/local/login"):
        assert (await send(shelter, "POST", path, {"email": "x" * 200_000})).status_code == 413


async def test_while_the_tenants_database_is_away_it_is_said(
    shelter: Shelter, token: str, databases: Databases
) -> None:
    await send(shelter, "GET", NOTES, token=token)
    databases.drop(shelter.tenant_dsn)

    assert await told(shelter, "GET", NOTES, token=token) == (503, "UNAVAILABLE")
