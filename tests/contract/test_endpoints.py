"""The addresses, their methods, and what pages on other origins may do."""

import pytest

from tests.wire import Person, Wire, bearer

pytestmark = pytest.mark.server

ENDPOINTS = ["/auth", "/anonauth", "/query", "/roles_pbac"]
ORIGIN = "https://app.example.org"


def test_routes_in_the_login_reply_are_absolute_addresses_that_answer(wire: Wire, person: Person) -> None:
    routes = wire.enter(person.login)["routes"]

    assert set(routes) == {"base", "query", "roles_pbac"}
    assert routes["base"] == wire.gateway.address + "/"
    assert (routes["query"], routes["roles_pbac"]) == (routes["base"] + "query", routes["base"] + "roles_pbac")
    for name in ("query", "roles_pbac"):
        reply = wire.client.post(routes[name], json={"query": "{ __typename }"}, headers=bearer(person.token))
        assert reply.json() == {"data": {"__typename": "Query"}}


@pytest.mark.parametrize("path", ENDPOINTS)
def test_a_browser_may_ask_before_it_calls_from_another_origin(wire: Wire, path: str) -> None:
    reply = wire.client.options(
        path,
        headers={
            "Origin": ORIGIN,
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "authorization,content-type",
        },
    )

    assert reply.status_code == 200
    assert reply.headers["access-control-allow-origin"] in {"*", ORIGIN}
    assert {"GET", "POST", "DELETE"} <= set(reply.headers["access-control-allow-methods"].split(", "))
    allowed = reply.headers["access-control-allow-headers"].lower()
    assert "authorization" in allowed
    assert "content-type" in allowed


@pytest.mark.parametrize("path", ENDPOINTS)
def test_replies_and_refusals_can_be_read_from_another_origin(wire: Wire, path: str) -> None:
    for reply in (
        wire.post(path, {}, Origin=ORIGIN),
        wire.client.get(path, headers={"Origin": ORIGIN}),
        wire.post(path, {}, token="a.b.c", Origin=ORIGIN),
    ):
        assert reply.headers["access-control-allow-origin"] in {"*", ORIGIN}
        assert "access-control-allow-credentials" not in reply.headers


def test_get_query_tells_whether_a_token_still_works(wire: Wire, person: Person) -> None:
    good = wire.client.get("/query", headers=bearer(person.token))
    assert good.status_code == 200
    assert good.json() == {"data": {"__typename": "Query"}}

    assert wire.client.delete("/auth", headers=bearer(person.token)).status_code == 200
    assert wire.client.get("/query", headers=bearer(person.token)).status_code == 401
    assert wire.client.get("/query").status_code == 401


def test_an_unknown_path_is_a_404_that_is_json(wire: Wire) -> None:
    reply = wire.client.get("/todo/query")

    assert reply.status_code == reply.json()["status"] == 404
