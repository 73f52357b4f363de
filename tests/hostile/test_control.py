"""Hostile values in the mutations of the control schema."""

import json
from typing import Any
from uuid import uuid4

import pytest

from tests.siege import check_answer, check_refusal, check_serving
from tests.wire import Json, Wire, bearer

pytestmark = pytest.mark.server

TEXTS = [
    "",
    " ",
    "\0",
    "a\0b",
    "\ud800",
    "x" * 400,
    "x" * 100_000,
    "a\r\nb",
    "'; drop table role; --",
    "\u202eroot",
    "${7*7}",
    7,
    [],
    {},
]
KEYS = [0, -1, 2**31, 2**63, 10**30, "x", "1 or 1=1", "\0", "", "\u0664", "9" * 5_000, [], {}, True]
CREATES = {
    "role": ("login", "name", "password", "capabilities", "classes", "parentid"),
    "role_class": ("name", "inherit", "members"),
    "policy_rule": ("name", "filter", "capabilities", "targets", "roles", "classes"),
    "role_contactinfo": ("address", "roleid"),
}


def send(wire: Wire, token: str, document: str, variables: Json) -> Any:
    """The reply to a body written by hand: a well-behaved client does not encode half a character."""
    body = json.dumps({"query": document, "variables": variables})
    return wire.client.post("/roles_pbac", content=body, headers=bearer(token) | {"Content-Type": "application/json"})


def good_input(kind: str, tenant_id: int, role_id: str) -> Json:
    match kind:
        case "role":
            return {"tenantid": tenant_id, "login": uuid4().hex, "name": "A"}
        case "role_class":
            return {"tenantid": tenant_id, "name": uuid4().hex, "inherit": "none"}
        case "policy_rule":
            return {"name": "A", "capabilities": ["select"], "targets": ["list"], "filter": "listid = -1"}
        case _:
            return {"roleid": role_id} | dict.fromkeys(
                ("address", "city", "stateprov", "mailcd", "phone", "email"), "a"
            )


@pytest.mark.parametrize(
    ("kind", "member"), [(kind, member) for kind, members in CREATES.items() for member in members]
)
def test_a_hostile_member_of_an_input_is_stored_as_it_is_or_refused(
    wire: Wire, root: str, todo: int, kind: str, member: str
) -> None:
    keys = {"role": "roleid", "role_class": "classid", "policy_rule": "ruleid", "role_contactinfo": "roleid"}
    created = f"mutation ($i: {kind}Input!) {{ create_{kind}(input: $i) {{ {keys[kind]} }} }}"
    removed = f"mutation ($k: ID!) {{ delete_{kind}({keys[kind]}: $k) {{ {keys[kind]} }} }}"
    role_id = wire.control(root, "{ role(filter: \"login = 'root'\") { roleid } }")["role"][0]["roleid"]
    for value in [*TEXTS, *KEYS]:
        reply = send(wire, root, created, {"i": good_input(kind, todo, role_id) | {member: value}})
        check_answer(reply, str(value))
        made = (reply.json().get("data") or {}).get(f"create_{kind}")
        if made is not None:
            wire.control(root, removed, {"k": made[keys[kind]]})
        check_serving(wire, root)


@pytest.mark.parametrize("kind", ["role", "role_class", "policy_rule", "role_contactinfo"])
def test_a_hostile_key_finds_nothing(wire: Wire, root: str, kind: str) -> None:
    key = {"role": "roleid", "role_class": "classid", "policy_rule": "ruleid", "role_contactinfo": "roleid"}[kind]
    count = f"{{ {kind} {{ {key} }} }}"
    before = wire.control(root, count)
    for value in KEYS:
        document = f"mutation ($k: ID!) {{ delete_{kind}({key}: $k) {{ {key} }} }}"
        check_refusal(send(wire, root, document, {"k": value}), str(value))
    assert wire.control(root, count) == before


@pytest.mark.parametrize("value", KEYS, ids=lambda value: ascii(value)[:20])
def test_a_hostile_role_id_gets_no_token(wire: Wire, root: str, value: object) -> None:
    reply = send(wire, root, "query ($k: Int!) { Utility { role_token(roleid: $k) } }", {"k": value})

    check_refusal(reply, str(value))
    check_serving(wire, root)


def test_nobody_gives_itself_or_a_newcomer_more_than_it_has(wire: Wire, root: str, nobody: str, todo: int) -> None:
    root_id = wire.control(root, "{ role(filter: \"login = 'root'\") { roleid } }")["role"][0]["roleid"]
    own_id = wire.control(root, "{ Utility { anonymous_logins } }")["Utility"]["anonymous_logins"]
    classes = wire.control(root, "{ role_class(filter: \"name != 'users'\") { classid } }")["role_class"]
    change = "mutation ($i: roleInput!, $k: ID!) { update_role(input: $i, roleid: $k) { roleid } }"
    create = "mutation ($i: roleInput!) { create_role(input: $i) { roleid } }"
    base = {"tenantid": todo, "login": uuid4().hex, "name": "A", "password": "a long walk to 7 bridges."}
    for document, given in (
        (create, {"i": base | {"capabilities": ["admin"]}}),
        (create, {"i": base | {"capabilities": ["select", "create_rule"]}}),
        (create, {"i": base | {"parentid": int(root_id)}}),
        (create, {"i": base | {"tenantid": todo + 1}}),
        (create, {"i": base | {"tenantid": todo - 1}}),
        (create, {"i": base | {"classes": [int(each["classid"]) for each in classes] or [1]}}),
        (change, {"i": base | {"capabilities": ["admin"]}, "k": own_id}),
        (change, {"i": base | {"login": f"nobody{todo}", "capabilities": ["admin", "login"]}, "k": own_id}),
        (change, {"i": base, "k": root_id}),
    ):
        reply = send(wire, nobody, document, given)
        check_refusal(reply)
        assert (reply.json().get("data") or {}).get("create_role") is None, given
    assert wire.post("/auth", {**base, "tenantid": todo}).status_code == 404
