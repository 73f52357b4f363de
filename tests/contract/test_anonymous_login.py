"""POST /anonauth, and Utility.anonymous_logins, which turns it on and off."""

from typing import Any

import pytest

from tests.wire import Person, Wire, bearer

pytestmark = pytest.mark.server

NOBODY_CAPABILITIES = {"select", "insert", "update", "delete", "upload", "download", "create_role", "view_role"}
FIND = "query ($f: String) { role(filter: $f) { roleid login capabilities deleted } }"


def switch(wire: Wire, token: str, argument: str = "") -> Any:
    return wire.control(token, f"{{ Utility {{ anonymous_logins{argument} }} }}")["Utility"]["anonymous_logins"]


def test_the_nobody_role_is_made_once_flagged_while_off_and_the_same_when_back(world: Wire, world_root: str) -> None:
    tenant = world.login("world").tenant_id
    enter = {"tenantid": tenant}

    before = world.post("/anonauth", enter)
    assert (before.status_code, before.json()) == (
        403,
        {"error": f"Tenant {tenant} does not allow anonymous access.", "status": 403},
    )
    assert switch(world, world_root) is False
    assert switch(world, world_root, "(enable: false)") is False
    by_login = {"f": f"login = 'nobody{tenant}'"}
    assert world.control(world_root, FIND, by_login) == {"role": []}

    role_id = switch(world, world_root, "(enable: true)")
    assert type(role_id) is int
    assert switch(world, world_root) == role_id
    made = world.control(world_root, FIND, by_login)["role"][0]
    assert set(made.pop("capabilities")) == NOBODY_CAPABILITIES
    assert made == {"roleid": str(role_id), "login": f"nobody{tenant}", "deleted": False}
    session = world.post("/anonauth?schema=none", enter).json()
    assert (session["roleid"], session["message"]) == (role_id, f"Logged in as nobody{tenant}.")

    assert switch(world, world_root, "(enable: false)") is False
    assert switch(world, world_root) is False
    assert world.post("/anonauth", enter).json() == before.json()
    assert world.control(world_root, FIND, by_login)["role"][0]["deleted"] is True
    assert world.post("/query", {"query": "{ __typename }"}, session["access_token"]).status_code == 401
    assert world.client.get("/auth", headers=bearer(session["refresh_token"])).status_code == 401

    assert switch(world, world_root, "(enable: true)") == role_id
    assert world.control(world_root, FIND, by_login)["role"][0]["deleted"] is False
    again = world.post("/anonauth?schema=none", enter).json()
    assert again["roleid"] == role_id
    # Enabled, and no rule yet: no table of the tenant is open to a visitor.
    assert world.post("/query", {"query": "{ films { id } }"}, again["access_token"]).json().get("data") is None
    rules = world.control(world_root, "{ policy_rule { roles targets capabilities } }")["policy_rule"]
    assert rules == [{"roles": [role_id], "targets": ["roles_pbac.roles"], "capabilities": ["view_role"]}]


def test_the_reply_is_a_login_reply_for_the_nobody_role(wire: Wire, root: str, todo: int) -> None:
    reply = wire.post("/anonauth", {"tenantid": todo}).json()

    assert set(reply) == {
        "access_token", "refresh_token", "message", "roleid", "routes", "schema", "rpb_schema"
    }  # fmt: skip
    assert reply["message"] == f"Logged in as nobody{todo}."
    assert reply["roleid"] == switch(wire, root)


def test_get_anonauth_sends_refresh_tokens_to_auth(wire: Wire) -> None:
    reply = wire.client.get("/anonauth")

    assert (reply.status_code, reply.json()) == (405, {"message": "Use /auth for refresh tokens.", "status": 405})


@pytest.mark.parametrize("body", [{}, {"tenantid": None}, {"tenantid": ""}, {"tenantId": 1}])
def test_a_missing_tenantid_is_told(wire: Wire, body: dict[str, Any]) -> None:
    reply = wire.post("/anonauth", body)

    assert (reply.status_code, reply.json()) == (400, {"error": "Missing required field: tenantid.", "status": 400})


def test_the_nobody_role_enters_by_no_other_door(wire: Wire, todo: int) -> None:
    reply = wire.post("/auth", {"tenantid": todo, "login": f"nobody{todo}", "password": "anything"})

    assert reply.status_code == reply.json()["status"] == 403


def test_a_visitor_sees_the_normal_roles_of_the_tenant(wire: Wire, nobody: str, person: Person, todo: int) -> None:
    seen = {row["login"] for row in wire.control(nobody, "{ role { login } }")["role"]}

    assert {person.login.login, f"nobody{todo}"} <= seen
    assert "root" not in seen


def test_only_root_reads_or_turns_the_switch(wire: Wire, nobody: str, person: Person) -> None:
    for token in (nobody, person.token):
        for argument in ("", "(enable: true)", "(enable: false)"):
            error = wire.refused(token, f"{{ Utility {{ anonymous_logins{argument} }} }}", path="/roles_pbac")
            assert error["extensions"]["code"] == "ROOT_ONLY"
