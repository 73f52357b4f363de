"""Each operation of the control schema that clients send: who may, and who may not.

Five callers ask for the same thing: root; an administrator; a role that has the capability and a rule that grants it;
one that has the capability and no rule; one that is covered by the rule and has not the capability; and a visitor.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from uuid import uuid4

import pytest

from schema.principal import NORMAL_CAPABILITIES
from tests.houses import House, Member
from tests.wire import Json

pytestmark = pytest.mark.server

CALLERS = ("root", "administrator", "granted", "without rule", "without capability", "visitor")
ADMINISTRATORS = frozenset({"root", "administrator"})
TARGETS = {"role": "roles_pbac.roles", "class": "roles_pbac.role_classes", "rule": "roles_pbac.policy_rules"}


@dataclass(frozen=True)
class Subjects:
    """What the operations are about: a role, a class and a rule of the tenant that are none of the caller's."""

    house: House
    other: Member
    class_id: int
    rule_id: int

    def role(self, **more: object) -> dict[str, object]:
        return {"tenantid": self.house.tenant_id, "login": uuid4().hex, "name": "New"} | more

    def role_class(self) -> dict[str, object]:
        return {"tenantid": self.house.tenant_id, "name": uuid4().hex, "inherit": "none"}

    def rule(self) -> dict[str, object]:
        return {"name": "New", "capabilities": ["select"], "targets": ["note"], "roles": [self.other.role_id]}

    def contact(self) -> dict[str, object]:
        six = dict.fromkeys(("address", "city", "stateprov", "mailcd", "phone", "email"), "x")
        return {"roleid": self.other.role_id} | six


@dataclass(frozen=True)
class Case:
    """A document with its variables; `capability` is what it takes, and `beyond` who may besides those who have it."""

    document: str
    variables: Callable[[Subjects], dict[str, object]] = field(default=lambda _: {})
    capability: str | None = None
    allowed: frozenset[str] = ADMINISTRATORS


OPERATIONS = {
    "create_role": Case(
        "mutation ($i: roleInput!) { create_role(input: $i) { roleid login name } }",
        lambda s: {"i": s.role()},
        "create_role",
    ),
    "update_role": Case(
        "mutation ($i: roleInput, $id: ID!) { update_role(roleid: $id, input: $i) { roleid } }",
        lambda s: {"i": s.role(login=s.other.login, name="Renamed"), "id": s.other.role_id},
        "update_role",
    ),
    "set a password": Case(
        "mutation ($i: roleInput, $id: ID!) { update_role(roleid: $id, input: $i) { roleid } }",
        lambda s: {"i": s.role(login=s.other.login, password="a new one, with 9 words."), "id": s.other.role_id},
        "update_role",
    ),
    "delete_role": Case(
        "mutation ($id: ID!) { delete_role(roleid: $id) { roleid } }", lambda s: {"id": s.other.role_id}, "delete_role"
    ),
    "create_role_class": Case(
        "mutation ($i: role_classInput) { create_role_class(input: $i) { classid } }",
        lambda s: {"i": s.role_class()},
        "create_class",
    ),
    "update_role_class": Case(
        "mutation ($i: role_classInput, $id: ID!) { update_role_class(classid: $id, input: $i) { classid } }",
        lambda s: {"i": s.role_class(), "id": s.class_id},
        "update_class",
    ),
    "delete_role_class": Case(
        "mutation ($id: ID!) { delete_role_class(classid: $id) { classid } }",
        lambda s: {"id": s.class_id},
        "delete_class",
    ),
    "create_policy_rule": Case(
        "mutation ($i: policy_ruleInput!) { create_policy_rule(input: $i) { ruleid } }",
        lambda s: {"i": s.rule()},
        "create_rule",
    ),
    "update_policy_rule": Case(
        "mutation ($i: policy_ruleInput, $id: ID!) { update_policy_rule(ruleid: $id, input: $i) { ruleid } }",
        lambda s: {"i": s.rule(), "id": s.rule_id},
        "update_rule",
    ),
    "delete_policy_rule": Case(
        "mutation ($id: ID!) { delete_policy_rule(ruleid: $id) { ruleid } }", lambda s: {"id": s.rule_id}, "delete_rule"
    ),
    "create_role_contactinfo": Case(
        "mutation ($i: role_contactinfoInput) { create_role_contactinfo(input: $i) { roleid } }",
        lambda s: {"i": s.contact()},
        "update_role",
    ),
    "role_token": Case("query ($id: Int!) { Utility { role_token(roleid: $id) } }", lambda s: {"id": s.other.role_id}),
    "anonymous_logins": Case("{ Utility { anonymous_logins(enable: true) } }", allowed=frozenset({"root"})),
    "read anonymous_logins": Case("{ Utility { anonymous_logins } }", allowed=frozenset({"root"})),
    "introspect": Case("{ Utility { introspect } }", allowed=frozenset(CALLERS)),
}


@pytest.mark.parametrize("caller", CALLERS)
@pytest.mark.parametrize("name", OPERATIONS)
def test_an_operation_works_for_those_who_may_and_is_refused_for_the_others(
    house: House, name: str, caller: str
) -> None:
    case = OPERATIONS[name]
    subjects = some_subjects(house)
    who = the_caller(house, caller, case.capability)
    may = case.allowed | ({"granted"} if case.capability else set())
    before = everything(house)

    body = answer(house, who, case.document, case.variables(subjects))

    if caller in may:
        assert "errors" not in body, body
        return
    assert {error["extensions"]["code"] for error in body["errors"]} <= {
        "ACCESS_DENIED", "ADMINISTRATORS_ONLY", "ROOT_ONLY"
    }  # fmt: skip
    assert body["data"] in (None, {"Utility": shut(case)})
    assert everything(house) == before


LISTS = {
    "role": ("roleid", "view_role", "roles"),
    "role_class": ("classid", "view_class", "role_classes"),
    "policy_rule": ("ruleid", "view_rule", "policy_rules"),
    "tenant": ("tenantid", None, None),
    "tenant_contactinfo": ("tenantid", None, None),
    "capability": ("capability", None, None),
    "package": ("package", None, None),
    "package_function": ("name", None, None),
}
FOR_EVERYBODY = frozenset({"capability", "package", "package_function"})


@pytest.mark.parametrize("caller", CALLERS)
@pytest.mark.parametrize("name", LISTS)
def test_a_list_holds_what_the_caller_may_see(house: House, name: str, caller: str) -> None:
    key, capability, _ = LISTS[name]
    subjects = some_subjects(house)
    who = the_caller(house, caller, capability)

    body = answer(house, who, f"{{ {name} {{ {key} }} }}", {})
    seen = {row[key] for row in (body["data"] or {}).get(name) or []}

    everything_there = {row[key] for row in house.control(house.root, f"{{ {name} {{ {key} }} }}")[name]}
    if caller in ADMINISTRATORS or name in FOR_EVERYBODY or (caller == "granted" and capability):
        assert seen == everything_there
    else:
        # Of roles everybody sees itself, and Nobody besides has the normal ones.
        others = {str(subjects.other.role_id)} if name == "role" and caller == "visitor" else set[str]()
        assert seen - others == ({str(who.role_id)} if name == "role" else set())


def some_subjects(house: House) -> Subjects:
    other = house.member("login", "select")
    return Subjects(house, other, house.role_class(), house.rule(to=other))


def the_caller(house: House, caller: str, capability: str | None) -> Member:
    normal = sorted(NORMAL_CAPABILITIES)
    match caller:
        case "root":
            return house.root
        case "administrator":
            return house.member("admin")
        case "visitor":
            return house.enable_anonymous()
        case "without capability":
            who = house.member(*normal)
        case _:
            who = house.member(*normal, *([capability] if capability else []))
    if capability and caller != "without rule":
        target = TARGETS[capability.partition("_")[2]]
        house.rule(capability, target, to=who)
        if target == "roles_pbac.policy_rules":
            # Nobody grants what it does not hold.
            house.rule("select", "note", to=who)
    return who


def answer(house: House, who: Member, document: str, variables: dict[str, object]) -> Json:
    reply = house.wire.post("/roles_pbac", {"query": document, "variables": variables}, who.token)
    assert reply.status_code == 200, reply.text
    return dict(reply.json())


def shut(case: Case) -> dict[str, None]:
    """What stands under Utility where a function of it was refused."""
    return {name: None for name in ("role_token", "anonymous_logins") if name in case.document}


def everything(house: House) -> Json:
    """What root sees of the tenant."""
    document = """{
      role { roleid login name deleted capabilities password_createtime contactinfo { city } }
      role_class { classid name inherit members { roleid } }
      policy_rule { ruleid name filter capabilities roles classes targets }
    }"""
    return house.control(house.root, document)
