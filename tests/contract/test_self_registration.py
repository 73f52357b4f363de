"""A newcomer signs up and uses the application, as a client of the to-do tutorial does it."""

import pytest

from tests.wire import PASSWORD, Wire

pytestmark = pytest.mark.server

CREATE_ROLE = "mutation ($i: roleInput!) { create_role(input: $i) { roleid login capabilities classes { name } } }"
CREATE_USER = "mutation ($i: devii_usersInput) { create_devii_users(input: $i) { userid devii_roleid } }"
CREATE_LIST = "mutation ($i: listInput) { create_list(input: $i) { listid listname status_value { statusname } } }"
MINE = """{
  devii_users { name email } list { listname } item { itemname } status_value(ordering: "statusid") { statusid }
}"""


def sign_up(wire: Wire, root: str, tenant_id: int, login: str) -> tuple[str, int]:
    """The token and role id of a newcomer, who has the help of nobody."""
    users = wire.control(root, "{ role_class(filter: \"name = 'users'\") { classid } }")["role_class"][0]["classid"]
    visitor = wire.post("/anonauth", {"tenantid": tenant_id}).json()["access_token"]
    role = {"tenantid": tenant_id, "login": login, "name": "New", "password": PASSWORD, "classes": [users]}
    made = wire.control(visitor, CREATE_ROLE, {"i": role})["create_role"]
    profile = {"name": "New", "email": login, "devii_roleid": int(made["roleid"])}
    wire.ask(visitor, CREATE_USER, {"i": profile})
    entered = wire.post("/auth", {"tenantid": tenant_id, "login": login, "password": PASSWORD}).json()
    assert entered["message"] == f"Logged in as {login}."
    assert str(entered["roleid"]) == made["roleid"]
    return str(entered["access_token"]), int(entered["roleid"])


def test_a_newcomer_signs_up_by_the_anonymous_door_and_sees_own_rows_only(wire: Wire, root: str, todo: int) -> None:
    enabled = wire.control(root, "{ Utility { anonymous_logins(enable: true) } }")["Utility"]["anonymous_logins"]
    assert enabled == wire.post("/anonauth?schema=none", {"tenantid": todo}).json()["roleid"]

    ann, ann_id = sign_up(wire, root, todo, "ann.new@example.org")
    bob, bob_id = sign_up(wire, root, todo, "bob.new@example.org")
    for token, role_id, name in ((ann, ann_id, "Ann's list"), (bob, bob_id, "Bob's list")):
        made = wire.ask(token, CREATE_LIST, {"i": {"listname": name, "devii_roleid": role_id}})["create_list"]
        assert made["status_value"] == {"statusname": "To do"}

    assert wire.ask(ann, MINE) == {
        "devii_users": [{"name": "New", "email": "ann.new@example.org"}],
        "list": [{"listname": "Ann's list"}],
        "item": [],
        "status_value": [{"statusid": "1"}, {"statusid": "2"}, {"statusid": "3"}],
    }
    assert wire.ask(bob, MINE)["list"] == [{"listname": "Bob's list"}]
    assert wire.ask(ann, "{ list(filter: \"listname = 'Bob''s list'\") { listid } }") == {"list": []}
    stolen = wire.refused(ann, CREATE_LIST, {"i": {"listname": "x", "devii_roleid": bob_id}})
    assert stolen["data"] is None


def test_a_newcomer_gets_the_normal_capabilities_and_no_more(wire: Wire, nobody: str, todo: int) -> None:
    role = {"tenantid": todo, "login": "cy.new@example.org", "name": "Cy", "password": PASSWORD}

    made = wire.control(nobody, CREATE_ROLE, {"i": role})["create_role"]
    for capabilities in (["admin"], ["login", "delete_role"]):
        refused = wire.refused(
            nobody,
            CREATE_ROLE,
            {"i": role | {"login": "dan.new@example.org", "capabilities": capabilities}},
            "/roles_pbac",
        )
        assert refused["data"] is None

    assert set(made["capabilities"]) == {"delete", "download", "insert", "login", "select", "update", "upload"}


def test_a_visitor_sees_no_profile_and_stores_none_of_its_own(wire: Wire, root: str, nobody: str, todo: int) -> None:
    sign_up(wire, root, todo, "eve.new@example.org")
    own = wire.control(root, "{ Utility { anonymous_logins } }")["Utility"]["anonymous_logins"]

    assert wire.ask(nobody, "{ devii_users { email } }") == {"devii_users": []}
    refused = wire.refused(nobody, CREATE_USER, {"i": {"name": "N", "email": "n", "devii_roleid": own}})
    assert refused["data"] is None


def test_a_login_that_is_taken_is_refused_and_stays_its_owners(wire: Wire, root: str, nobody: str, todo: int) -> None:
    sign_up(wire, root, todo, "fay.new@example.org")
    again = {"tenantid": todo, "login": "fay.new@example.org", "name": "F", "password": "some other 9 words."}

    refused = wire.refused(nobody, CREATE_ROLE, {"i": again}, "/roles_pbac")

    assert refused["data"] is None
    reply = wire.post("/auth", {"tenantid": todo, "login": again["login"], "password": again["password"]})
    assert reply.status_code == 403
