"""The error catalogue: texts, statuses, and that a body tells the status of its response."""

from typing import Any

import httpx2
import pytest

from tests.wire import Person, Wire, bearer

pytestmark = pytest.mark.server


def told(reply: httpx2.Response) -> tuple[int, dict[str, Any]]:
    return reply.status_code, reply.json()


def an_error(status: int, text: str) -> tuple[int, dict[str, Any]]:
    return status, {"error": text, "status": status}


def test_a_wrong_password_is_a_403(wire: Wire, person: Person) -> None:
    reply = wire.post("/auth", person.login.body() | {"password": "wrong"})

    assert told(reply) == an_error(403, "Invalid credentials.")


def test_an_unknown_login_is_a_404_that_names_it(wire: Wire, todo: int) -> None:
    reply = wire.post("/auth", {"login": "admin", "password": "x", "tenantid": todo})

    assert told(reply) == an_error(404, f"No such role admin for tenant {todo}.")


def test_an_unknown_tenant_is_a_404_that_names_it(wire: Wire) -> None:
    missing = {"login": "admin", "password": "x", "tenantid": 999_999}

    assert told(wire.post("/auth", missing)) == an_error(404, "No such tenant 999999.")
    assert told(wire.post("/anonauth", missing)) == an_error(404, "No such tenant 999999.")


@pytest.mark.parametrize("field", ["login", "password", "tenantid"])
@pytest.mark.parametrize("encoding", ["json", "form"])
@pytest.mark.parametrize("empty", [True, False])
def test_a_missing_field_is_a_400_that_names_it(
    wire: Wire, person: Person, field: str, encoding: str, empty: bool
) -> None:
    body = person.login.body()
    del body[field]
    if empty:
        body[field] = ""

    reply = wire.client.post("/auth", **{"json" if encoding == "json" else "data": body})

    assert told(reply) == an_error(400, f"Missing required field: {field}.")


def test_a_missing_token_is_a_401_at_get_auth(wire: Wire) -> None:
    reply = wire.client.get("/auth")

    assert told(reply) == an_error(401, "Unauthorized access: Missing Authorization Header")
    assert reply.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("path", ["/query", "/roles_pbac"])
def test_a_missing_token_is_a_401_at_the_graphql_endpoints_told_in_both_shapes(
    wire: Wire, method: str, path: str
) -> None:
    reply = wire.client.request(method, path, json={"query": "{ __typename }"} if method == "POST" else None)

    text = "Unauthorized access: Missing Authorization Header"
    status, body = told(reply)
    assert (status, body["status"], body["error"], body["errors"][0]["message"]) == (401, 401, text, text)
    assert "data" not in body
    assert reply.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize("token", ["undefined", "[object", "a.b.c", "null", "..", "eyJhbGciOiJub25lIn0.e30."])
def test_a_malformed_token_is_a_422_everywhere(wire: Wire, token: str) -> None:
    for reply in (
        wire.client.get("/auth", headers=bearer(token)),
        wire.client.delete("/auth", headers=bearer(token)),
        wire.post("/query", {"query": "{ __typename }"}, token),
        wire.post("/roles_pbac", {"query": "{ __typename }"}, token),
        wire.client.get("/query", headers=bearer(token)),
    ):
        status, body = told(reply)
        assert (status, body["status"]) == (422, 422)
        assert body["error"].startswith("Unauthorized access: ")
        assert body.get("errors", [{"message": body["error"]}])[0]["message"] == body["error"]


def test_the_same_password_again_is_refused(wire: Wire, person: Person) -> None:
    document = "mutation ($i: roleInput, $j: ID!) { update_role(input: $i, roleid: $j) { roleid } }"
    same = person.login.body() | {"name": "A user"}

    error = wire.refused(person.token, document, {"i": same, "j": person.role_id}, "/roles_pbac")

    assert error["message"] == "New password must be different from old password."
    assert error["data"] is None


@pytest.mark.parametrize(("path", "method"), [("/auth", "PUT"), ("/auth", "PATCH"), ("/anonauth", "DELETE")])
def test_another_method_is_a_405_with_allow(wire: Wire, path: str, method: str) -> None:
    reply = wire.client.request(method, path)

    assert reply.status_code == reply.json()["status"] == 405
    assert reply.headers["allow"]


def test_every_text_of_the_doors_is_a_sentence(wire: Wire, person: Person, todo: int) -> None:
    attempts = [
        person.login.body() | {"password": "wrong"},
        person.login.body() | {"tenantid": "x"},
        person.login.body() | {"tenantid": 999_999},
        person.login.body() | {"login": "x" * 10_000},
        {"tenantid": todo},
        {},
    ]
    for body in attempts:
        text = wire.post("/auth", body).json()["error"]
        assert " " in text
        assert text.endswith(".")


def test_a_policy_refusal_is_told_under_errors(wire: Wire, gateway_analyst: str) -> None:
    document = 'mutation { delete_airlines(carrier: "UA") { carrier } }'

    error = wire.refused(gateway_analyst, document)

    assert error["data"] is None
    assert error["message"]


@pytest.fixture
def gateway_analyst(wire: Wire) -> str:
    return str(wire.enter(wire.login("flights", "analyst"))["access_token"])
