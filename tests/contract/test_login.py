"""POST /auth: what clients send, and what they get."""

from typing import Any

import httpx2
import pytest
from graphql import build_schema

from tests.wire import Introspected, Json, Person, Wire

pytestmark = pytest.mark.server


def send(wire: Wire, path: str, encoding: str, fields: dict[str, Any]) -> httpx2.Response:
    texts = {name: str(value) for name, value in fields.items()}
    match encoding:
        case "json":
            return wire.client.post(path, json=fields)
        case "urlencoded":
            return wire.client.post(path, data=texts)
        case _:
            return wire.client.post(path, files={name: (None, text) for name, text in texts.items()})


@pytest.mark.parametrize("encoding", ["json", "urlencoded", "multipart"])
@pytest.mark.parametrize("tenant_as", [int, str])
def test_a_login_counts_in_every_encoding_with_the_tenant_as_number_or_text(
    wire: Wire, person: Person, encoding: str, tenant_as: type
) -> None:
    reply = send(wire, "/auth", encoding, person.login.body() | {"tenantid": tenant_as(person.login.tenant_id)})

    assert reply.status_code == 200
    assert reply.json()["roleid"] == person.role_id


@pytest.mark.parametrize("encoding", ["json", "urlencoded", "multipart"])
@pytest.mark.parametrize("tenant_as", [int, str])
def test_an_anonymous_login_counts_in_every_encoding_with_the_tenant_as_number_or_text(
    wire: Wire, todo: int, encoding: str, tenant_as: type
) -> None:
    reply = send(wire, "/anonauth", encoding, {"tenantid": tenant_as(todo)})

    assert reply.status_code == 200
    assert reply.json()["message"] == f"Logged in as nobody{todo}."


@pytest.mark.parametrize("path", ["/auth", "/anonauth"])
@pytest.mark.parametrize("junk", ["Bearer undefined", "Bearer [object Object]", "Bearer null", "Bearer"])
def test_junk_in_the_authorization_header_of_a_login_is_ignored(
    wire: Wire, person: Person, path: str, junk: str
) -> None:
    assert wire.post(path, person.login.body(), Authorization=junk).status_code == 200


def test_a_password_means_an_ordinary_login_whatever_token_comes_with_it(wire: Wire, root: str, person: Person) -> None:
    reply = wire.post("/auth?schema=none", person.login.body(), root)

    assert reply.json()["roleid"] == person.role_id


def test_tenantid_is_all_lower_case(wire: Wire, person: Person) -> None:
    body = person.login.body()
    body["tenantId"] = body.pop("tenantid")

    reply = wire.post("/auth", body)

    assert (reply.status_code, reply.json()) == (
        400,
        {"error": "Missing required field: tenantid.", "status": 400},
    )


def test_the_reply_has_the_fields_of_the_wire_with_their_types(wire: Wire, person: Person) -> None:
    reply = wire.post("/auth", person.login.body()).json()

    assert set(reply) == {
        "access_token", "refresh_token", "message", "roleid", "routes", "schema", "rpb_schema"
    }  # fmt: skip
    assert {name: type(value) for name, value in reply.items()} == {
        "access_token": str,
        "refresh_token": str,
        "message": str,
        "roleid": int,
        "routes": dict,
        "schema": dict,
        "rpb_schema": dict,
    }
    assert reply["message"] == f"Logged in as {person.login.login}."
    assert reply["roleid"] == person.role_id
    for name in ("schema", "rpb_schema"):
        assert set(reply[name]) == {"gql", "json"}
        assert isinstance(reply[name]["json"]["__schema"]["queryType"]["name"], str)


@pytest.mark.parametrize("name", ["schema", "rpb_schema"])
def test_text_and_json_of_a_schema_describe_the_same_types(todo_reply: Json, name: str) -> None:
    written = build_schema(todo_reply[name]["gql"])
    described = Introspected.of(todo_reply, name)

    own = {each for each in described.types if not each.startswith("__")}
    built_in = {"String", "Int", "Float", "Boolean", "ID"}
    assert own - built_in == {each for each in written.type_map if not each.startswith("__")} - built_in
    for each in own:
        fields = getattr(written.type_map[each], "fields", None)
        if fields is not None:
            assert {field: str(of.type) for field, of in fields.items()} == described.fields(each)


def test_the_schema_is_the_one_of_the_role(wire: Wire, todo_schema: Introspected, person: Person, todo: int) -> None:
    user = Introspected.of(wire.post("/auth", person.login.body()).json())
    visitor = Introspected.of(wire.post("/anonauth", {"tenantid": todo}).json())

    assert set(todo_schema.fields("Query")) == {"devii_users", "item", "list", "status_value", "Aggregates"}
    assert set(user.fields("Query")) == set(todo_schema.fields("Query"))
    assert set(visitor.fields("Query")) == {"devii_users", "Aggregates"}
    assert "delete_status_value" in todo_schema.fields("Mutation")
    assert "delete_status_value" not in user.fields("Mutation")
    assert set(visitor.fields("Mutation")) == {"create_devii_users", "insert_devii_users"}


def test_tokens_are_not_to_be_stored_by_anyone_between(wire: Wire, person: Person, todo: int) -> None:
    for reply in (wire.post("/auth", person.login.body()), wire.post("/anonauth", {"tenantid": todo})):
        assert reply.headers["cache-control"] == "no-store"
        assert reply.headers["content-type"].startswith("application/json")
