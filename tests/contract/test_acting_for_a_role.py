"""How an administrator becomes another role of the tenant."""

from typing import Any

import httpx2
import pytest

from tests.wire import Person, Wire, decode, make_person

pytestmark = pytest.mark.server


@pytest.fixture
def admin(wire: Wire, root: str, todo: int) -> Person:
    return make_person(wire, root, todo, capabilities=["admin", "login"])


def refused(reply: httpx2.Response, status: int, text: str) -> None:
    assert (reply.status_code, reply.json()) == (status, {"error": text, "status": status})


@pytest.mark.parametrize("named_by", ["login", "roleid", "roleid as text"])
@pytest.mark.parametrize("with_tenant", [True, False])
def test_root_becomes_a_role_that_it_names(
    wire: Wire, root: str, person: Person, named_by: str, with_tenant: bool
) -> None:
    body: dict[str, Any] = {
        "login": {"login": person.login.login},
        "roleid": {"roleid": person.role_id},
        "roleid as text": {"roleid": str(person.role_id)},
    }[named_by]

    reply = wire.post("/auth", body | ({"tenantid": person.login.tenant_id} if with_tenant else {}), root)

    told = reply.json()
    assert reply.status_code == 200
    assert (told["roleid"], told["message"]) == (person.role_id, f"Logged in as {person.login.login}.")
    assert set(told) >= {"access_token", "refresh_token", "routes", "schema", "rpb_schema"}
    assert wire.control(told["access_token"], "{ role { roleid } }") == {"role": [{"roleid": str(person.role_id)}]}


def test_an_administrator_may_too_but_not_become_root(wire: Wire, admin: Person, person: Person) -> None:
    assert wire.post("/auth?schema=none", {"roleid": person.role_id}, admin.token).status_code == 200
    assert wire.post("/auth?schema=none", {"login": "root"}, admin.token).status_code == 403


@pytest.mark.parametrize("body", [{"login": "root"}, {"roleid": 1}])
def test_others_may_not_whoever_they_name(wire: Wire, person: Person, body: dict[str, Any]) -> None:
    refused(wire.post("/auth", body, person.token), 400, "Non-administrators may not access other roles.")


def test_the_nobody_role_may_not(wire: Wire, nobody: str) -> None:
    refused(wire.post("/auth", {"login": "root"}, nobody), 400, "Non-administrators may not access other roles.")


def test_a_role_of_another_tenant_is_refused_by_id_and_by_tenant(wire: Wire, root: str, flights: int) -> None:
    foreign = decode(wire.enter(wire.login("flights"))["access_token"])[1]["sub"]["roleid"]

    refused(wire.post("/auth", {"roleid": foreign}, root), 400, "Role is not in this tenant.")
    refused(wire.post("/auth", {"login": "root", "tenantid": flights}, root), 400, "Role is not in this tenant.")


def test_a_role_that_is_not_there_is_named_in_the_refusal(wire: Wire, root: str, todo: int) -> None:
    refused(wire.post("/auth", {"login": "carl"}, root), 404, f"No such role carl for tenant {todo}.")
    refused(wire.post("/auth", {"roleid": 999_999}, root), 404, f"No such role 999999 for tenant {todo}.")


def test_a_token_and_nobody_named_is_a_missing_password(wire: Wire, root: str, todo: int) -> None:
    refused(wire.post("/auth", {"tenantid": todo}, root), 400, "Missing required field: password.")


def test_role_token_is_an_access_token_of_the_role(wire: Wire, root: str, person: Person) -> None:
    document = "query ($id: Int!) { Utility { role_token(roleid: $id) } }"

    token = wire.control(root, document, {"id": person.role_id})["Utility"]["role_token"]

    claims = decode(token)[1]
    assert claims["type"] == "access"
    assert claims["sub"] == {"roleid": person.role_id, "tenantid": person.login.tenant_id}
    assert wire.control(token, "{ role { login } }") == {"role": [{"login": person.login.login}]}


def test_role_token_is_for_administrators_and_roles_of_their_tenant(wire: Wire, root: str, person: Person) -> None:
    document = "query ($id: Int!) { Utility { role_token(roleid: $id) } }"
    foreign = decode(wire.enter(wire.login("flights"))["access_token"])[1]["sub"]["roleid"]

    own = wire.refused(person.token, document, {"id": person.role_id}, "/roles_pbac")
    other = wire.refused(root, document, {"id": foreign}, "/roles_pbac")

    assert own["message"] == "Non-administrators may not access other roles."
    assert other["message"] == "Role is not in this tenant."
