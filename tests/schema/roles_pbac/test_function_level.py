"""Every mutation and utility of the control schema, tried by every kind of role: one table says what each may do."""

import re
from collections.abc import Iterable
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest

from schema.principal import CAPABILITIES, NOBODY_CAPABILITIES, NORMAL_CAPABILITIES
from schema.roles_pbac.root import control_schema
from tests.control import Control, add_tenant

pytestmark = pytest.mark.postgres

KINDS = ("root", "admin", "holder", "ruled", "manager", "user", "nobody", "machine")
EVERY = frozenset(CAPABILITIES) - {"admin"}
TARGETS = {"role": "roles_pbac.roles", "class": "roles_pbac.role_classes", "rule": "roles_pbac.policy_rules"}

OPERATIONS = {
    "create_role": "mutation ($t: Int!, $x: String!) {"
    " create_role(input: {tenantid: $t, login: $x, name: $x}) { roleid } }",
    "create_admin": "mutation ($t: Int!, $x: String!) {"
    ' create_role(input: {tenantid: $t, login: $x, name: $x, capabilities: ["admin", "login"]}) { roleid } }',
    "update_role": "mutation ($t: Int!, $x: String!, $role: ID!) {"
    " update_role(input: {tenantid: $t, login: $x, name: $x}, roleid: $role) { roleid } }",
    "make_admin": "mutation ($t: Int!, $x: String!, $role: ID!) {"
    ' update_role(input: {tenantid: $t, login: $x, name: $x, capabilities: ["admin"]}, roleid: $role) { roleid } }',
    "update_root": "mutation ($t: Int!, $root: ID!) {"
    ' update_role(input: {tenantid: $t, login: "root", name: "x"}, roleid: $root) { roleid } }',
    "delete_role": "mutation ($role: ID!) { delete_role(roleid: $role) { roleid } }",
    "delete_root": "mutation ($root: ID!) { delete_role(roleid: $root) { roleid } }",
    "create_role_class": "mutation ($t: Int!, $x: String!) {"
    ' create_role_class(input: {tenantid: $t, name: $x, inherit: "none"}) { classid } }',
    "update_role_class": "mutation ($t: Int!, $x: String!, $class: ID!) {"
    ' update_role_class(input: {tenantid: $t, name: $x, inherit: "none"}, classid: $class) { classid } }',
    "delete_role_class": "mutation ($class: ID!) { delete_role_class(classid: $class) { classid } }",
    "create_policy_rule": "mutation ($x: String!) {"
    ' create_policy_rule(input: {name: $x, capabilities: ["select"], targets: ["item"]}) { ruleid } }',
    "update_policy_rule": "mutation ($x: String!, $rule: ID!) { update_policy_rule("
    'input: {name: $x, capabilities: ["select"], targets: ["item"]}, ruleid: $rule) { ruleid } }',
    "delete_policy_rule": "mutation ($rule: ID!) { delete_policy_rule(ruleid: $rule) { ruleid } }",
    "create_role_contactinfo": "mutation ($x: String!, $role: ID!) { create_role_contactinfo(input: "
    "{roleid: $role, address: $x, city: $x, stateprov: $x, mailcd: $x, phone: $x, email: $x}) { roleid } }",
    "update_role_contactinfo": "mutation ($x: String!, $told: ID!) { update_role_contactinfo(roleid: $told, input: "
    "{roleid: $told, address: $x, city: $x, stateprov: $x, mailcd: $x, phone: $x, email: $x}) { roleid } }",
    "delete_role_contactinfo": "mutation ($told: ID!) { delete_role_contactinfo(roleid: $told) { roleid } }",
    "introspect": "{ Utility { introspect } }",
    "role_token": "query ($number: Int!) { Utility { role_token(roleid: $number) } }",
    "anonymous_logins": "{ Utility { anonymous_logins } }",
    "enable_anonymous": "{ Utility { anonymous_logins(enable: true) } }",
    "trusted_documents": "{ Utility { trusted_documents { id } } }",
    "only_trusted_documents": "{ Utility { only_trusted_documents(enable: true) } }",
    "add_trusted_documents": "mutation { add_trusted_documents(input: []) }",
    "remove_trusted_documents": "mutation { remove_trusted_documents(ids: []) }",
}


async def callers(control: Control) -> dict[str, int]:
    """A role of each kind. Only the manager has both what the role holds itself and a rule that grants it; the holder
    lacks the rule, and the one that is ruled the capabilities."""
    made = {
        "root": control.root_id,
        "admin": await control.add_role("an admin", "login", "admin"),
        "holder": await control.add_role("a holder", *EVERY),
        "ruled": await control.add_role("a ruled role", *NORMAL_CAPABILITIES),
        "manager": await control.add_role("a manager", *EVERY),
        "user": await control.add_role("a user", *NORMAL_CAPABILITIES),
        "nobody": await control.add_role("a visitor", *NOBODY_CAPABILITIES),
        "machine": await control.add_role("a machine", "select"),
    }
    for kind in ("ruled", "manager"):
        for verb in ("create", "update", "delete", "view"):
            for noun, target in TARGETS.items():
                await control.add_rule(f"{verb}_{noun}", target, to=made[kind])
    return made


async def outcomes(control: Control, operation: str) -> dict[str, str]:
    """For each kind of role what comes of one operation on rows of its own: `done`, or the code of the refusal."""
    found: dict[str, str] = {}
    for kind, role_id in (await callers(control)).items():
        other = await control.add_role(uuid4().hex, *NORMAL_CAPABILITIES)
        told = await control.add_role(uuid4().hex, *NORMAL_CAPABILITIES)
        await control.good(control.root_id, OPERATIONS["create_role_contactinfo"], x="old", role=str(told))
        given: dict[str, Any] = {
            "t": control.tenant_id,
            "x": uuid4().hex,
            "role": str(other),
            "number": other,
            "told": str(told),
            "root": str(control.root_id),
            "class": str(await control.add_class(uuid4().hex)),
            "rule": str(await control.add_rule("select", "item")),
        }
        declared = {name: value for name, value in given.items() if f"${name}:" in OPERATIONS[operation]}
        answer = await control.ask(role_id, OPERATIONS[operation], **declared)
        found[kind] = answer.codes[0] if answer.errors else "done"
    return found


ADMINISTRATORS = {"root": "done", "admin": "done"}
DENIED = dict.fromkeys(("holder", "ruled", "manager", "user", "nobody", "machine"), "ACCESS_DENIED")
BY_POLICY = ADMINISTRATORS | DENIED | {"manager": "done"}
NOT_BEYOND_ITSELF = ADMINISTRATORS | DENIED | {"manager": "CAPABILITY_NOT_HELD"}
PROTECTED = DENIED | {"admin": "ROLE_PROTECTED", "manager": "ROLE_PROTECTED"}
FOR_ROOT = dict.fromkeys(KINDS, "ROOT_ONLY") | {"root": "done"}

EXPECTED: dict[str, dict[str, str]] = {
    "create_role": BY_POLICY,
    "create_admin": NOT_BEYOND_ITSELF,
    "update_role": BY_POLICY,
    "make_admin": NOT_BEYOND_ITSELF,
    "update_root": PROTECTED | {"root": "done"},
    "delete_role": BY_POLICY,
    "delete_root": PROTECTED | {"root": "ROLE_PROTECTED"},
    "create_role_class": BY_POLICY,
    "update_role_class": BY_POLICY,
    "delete_role_class": BY_POLICY,
    "create_policy_rule": BY_POLICY,
    "update_policy_rule": BY_POLICY,
    "delete_policy_rule": BY_POLICY,
    "create_role_contactinfo": BY_POLICY,
    "update_role_contactinfo": BY_POLICY,
    "delete_role_contactinfo": BY_POLICY,
    "introspect": dict.fromkeys(KINDS, "done"),
    "role_token": dict.fromkeys(KINDS, "ADMINISTRATORS_ONLY") | ADMINISTRATORS,
    "anonymous_logins": FOR_ROOT,
    "enable_anonymous": FOR_ROOT,
    "trusted_documents": FOR_ROOT,
    "only_trusted_documents": FOR_ROOT,
    "add_trusted_documents": FOR_ROOT,
    "remove_trusted_documents": FOR_ROOT,
}


@pytest.mark.parametrize("operation", OPERATIONS)
async def test_each_kind_of_role_does_what_the_table_says_and_nothing_else(control: Control, operation: str) -> None:
    assert await outcomes(control, operation) == EXPECTED[operation]


def test_the_table_holds_every_mutation_and_every_utility_of_the_schema() -> None:
    types = control_schema().core.type_map
    offered = {*types["Mutation"].fields, *types["Utility"].fields}  # pyright: ignore[reportAttributeAccessIssue]

    assert {name for name in offered if not any(name in text for text in OPERATIONS.values())} == set()


async def test_rows_of_another_tenant_are_to_its_root_what_rows_are_that_exist_nowhere(control: Control) -> None:
    tenant_id, foreign_root = await add_tenant(control.engine, "another")
    other = await control.add_role("ann", *NORMAL_CAPABILITIES)
    await control.good(control.root_id, OPERATIONS["create_role_contactinfo"], x="old", role=str(other))
    ours = {
        "role": str(other),
        "told": str(other),
        "class": str(await control.add_class("people")),
        "rule": str(await control.add_rule("select", "item")),
    }
    stranger = replace(control, tenant_id=tenant_id, root_id=foreign_root)
    nowhere = dict.fromkeys(ours, "2147483000")

    for operation in (name for name in OPERATIONS if any(f"${key}:" in OPERATIONS[name] for key in ours)):
        told: list[list[str]] = []
        for keys in (ours, nowhere):
            given = {"t": tenant_id, "x": "x"} | keys
            declared = {name: value for name, value in given.items() if f"${name}:" in OPERATIONS[operation]}
            answer = await stranger.ask(foreign_root, OPERATIONS[operation], **declared)
            told.append([mask(message, keys.values()) for message in answer.messages])
        assert told[0] == told[1] != [], operation
    assert (await control.role(other)).login == "ann"
    assert len(await control.rules()) == 1


def mask(message: str, keys: Iterable[str]) -> str:
    """The message without the key that the caller wrote."""
    return re.sub(rf"\b({'|'.join(keys)})\b", "KEY", message)
