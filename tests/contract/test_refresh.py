"""GET /auth with a refresh token, and DELETE /auth."""

import pytest

from tests.wire import Person, Wire, bearer, decode

pytestmark = pytest.mark.server


def test_a_refresh_gives_a_new_access_token_and_all_else_of_a_login_again(wire: Wire, person: Person) -> None:
    first = wire.post("/auth", person.login.body()).json()

    reply = wire.client.get("/auth", headers=bearer(first["refresh_token"]))

    again = reply.json()
    assert reply.status_code == 200
    assert set(again) == set(first)
    assert again["access_token"] != first["access_token"]
    unchanged = ("message", "roleid", "routes", "schema", "rpb_schema")
    assert {name: again[name] for name in unchanged} == {name: first[name] for name in unchanged}
    assert decode(again["refresh_token"])[1]["type"] == "refresh"
    assert wire.ask(again["access_token"], "{ __typename }") == {"__typename": "Query"}


def test_the_refresh_token_of_a_refresh_is_good_for_the_next(wire: Wire, person: Person) -> None:
    token = wire.enter(person.login)["refresh_token"]
    for _ in range(3):
        reply = wire.client.get("/auth?schema=none", headers=bearer(token))
        assert reply.status_code == 200
        token = reply.json()["refresh_token"]


def test_an_anonymous_session_is_refreshed_at_the_same_door(wire: Wire, todo: int) -> None:
    visitor = wire.post("/anonauth?schema=none", {"tenantid": todo}).json()

    again = wire.client.get("/auth?schema=none", headers=bearer(visitor["refresh_token"])).json()

    assert (again["roleid"], again["message"]) == (visitor["roleid"], f"Logged in as nobody{todo}.")


def test_an_access_token_is_no_refresh_token(wire: Wire, person: Person) -> None:
    reply = wire.client.get("/auth", headers=bearer(person.token))

    assert (reply.status_code, reply.json()) == (
        422,
        {"error": "Unauthorized access: Only refresh tokens are allowed", "status": 422},
    )


@pytest.mark.parametrize("path", ["/query", "/roles_pbac"])
def test_a_refresh_token_is_no_access_token(wire: Wire, person: Person, path: str) -> None:
    reply = wire.post(path, {"query": "{ __typename }"}, wire.enter(person.login)["refresh_token"])

    body = reply.json()
    assert (reply.status_code, body["status"]) == (422, 422)
    assert body["error"] == body["errors"][0]["message"] == "Unauthorized access: Only access tokens are allowed"
    assert "data" not in body


@pytest.mark.parametrize("which", ["access_token", "refresh_token"])
def test_delete_auth_ends_the_session_of_the_token(wire: Wire, person: Person, which: str) -> None:
    session = wire.enter(person.login)

    reply = wire.client.delete("/auth", headers=bearer(session[which]))

    assert reply.status_code == 200
    revoked = {"error": "Unauthorized access: Token has been revoked", "status": 401}
    asked = wire.post("/query", {"query": "{ __typename }"}, session["access_token"])
    assert asked.status_code == 401
    assert asked.json().items() >= revoked.items()
    refreshed = wire.client.get("/auth", headers=bearer(session["refresh_token"]))
    assert (refreshed.status_code, refreshed.json()) == (401, revoked)


def test_delete_auth_leaves_the_other_sessions_of_the_role(wire: Wire, person: Person) -> None:
    wire.client.delete("/auth", headers=bearer(wire.enter(person.login)["access_token"]))

    assert wire.ask(person.token, "{ __typename }") == {"__typename": "Query"}
