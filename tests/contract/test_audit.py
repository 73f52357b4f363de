"""The audit: who changed what, who came in and who was refused; for root alone, and never holding a secret."""

import asyncio
from typing import Any

import asyncpg
import pytest

from schema.principal import NORMAL_CAPABILITIES
from tests.houses import CREATE_ROLE, House
from tests.wire import PASSWORD

pytestmark = pytest.mark.server

ENTRIES = """query ($f: String) {
  Audit { entries(filter: $f, ordering: "entryid") { roleid action kind subjectid before after } } }"""


def entries(house: House, filter_of: str) -> list[dict[str, Any]]:
    return list(house.control(house.root, ENTRIES, {"f": filter_of})["Audit"]["entries"])


def test_a_change_of_a_rule_is_told_with_who_and_from_what_to_what(house: House) -> None:
    administrator = house.member("admin")
    rule_id = house.rule("select", "note", "size = 1")
    update = "mutation ($i: policy_ruleInput, $id: ID!) { update_policy_rule(ruleid: $id, input: $i) { ruleid } }"
    given = {"name": "changed", "filter": "size = 2", "read_columns": ["id"]}

    house.control(administrator, update, {"id": rule_id, "i": given})
    house.control(house.root, f"mutation {{ delete_policy_rule(ruleid: {rule_id}) {{ ruleid }} }}")
    made, changed, gone = entries(house, f"kind = 'policy_rule' and subjectid = {rule_id}")

    assert (made["action"], made["roleid"], made["before"]) == ("create", house.root.role_id, None)
    assert (made["after"]["filter"], made["after"]["targets"]) == ("size = 1", ["note"])
    assert (changed["action"], changed["roleid"]) == ("update", administrator.role_id)
    assert changed["before"] == {"name": made["after"]["name"], "filter": "size = 1", "read_columns": None}
    assert changed["after"] == given
    assert (gone["action"], gone["after"], gone["before"]["name"]) == ("delete", None, "changed")


def test_changes_of_roles_and_classes_are_told_and_no_secret_is(house: House) -> None:
    member = house.member(*NORMAL_CAPABILITIES, can_log_in=True)
    class_id = house.role_class(member)
    update = "mutation ($i: roleInput, $id: ID!) { update_role(roleid: $id, input: $i) { roleid } }"
    given = {"tenantid": house.tenant_id, "login": member.login, "name": "A role", "password": "some other 9 words."}

    house.control(house.root, update, {"id": member.role_id, "i": given})

    of_role = entries(house, f"kind = 'role' and subjectid = {member.role_id}")
    assert [each["action"] for each in of_role] == ["create", "update"]
    assert of_role[0]["after"]["login"] == member.login
    assert "password_set_at" in of_role[1]["after"]
    assert [each["after"]["role_id"] for each in entries(house, f"kind = 'membership' and subjectid = {class_id}")] == [
        member.role_id
    ]
    told = str(entries(house, "entryid > 0"))
    for secret in ("argon2", "password_hash", "sealed_dsn", PASSWORD, "some other 9 words."):
        assert secret not in told


def test_logins_and_failures_are_told(house: House) -> None:
    member = house.member(*NORMAL_CAPABILITIES, can_log_in=True)
    body = {"tenantid": house.tenant_id, "login": member.login}

    assert house.wire.post("/auth?schema=none", body | {"password": "wrong"}).status_code == 403
    assert house.wire.post("/auth?schema=none", body | {"login": "who", "password": "wrong"}).status_code == 404
    entered = house.wire.post("/auth?schema=none", body | {"password": PASSWORD}).json()
    house.wire.client.request("DELETE", "/auth", headers={"Authorization": f"Bearer {entered['access_token']}"})

    wrong, unknown = entries(house, "action = 'login_failed'")
    assert wrong["after"] == {"login": member.login, "code": "INVALID_CREDENTIALS"}
    assert unknown["after"] == {"login": "who", "code": "NO_SUCH_ROLE"}
    own = entries(house, f"kind = 'session' and subjectid = {member.role_id}")
    # The first is root's, which took a token for the role.
    assert [(each["action"], each["roleid"]) for each in own] == [
        ("login", house.root.role_id),
        ("login", member.role_id),
        ("logout", member.role_id),
    ]
    assert "wrong" not in str(entries(house, "entryid > 0"))


def test_a_refused_change_is_told(house: House) -> None:
    member = house.member(*NORMAL_CAPABILITIES)

    house.control_refused(member, CREATE_ROLE, {"i": {"tenantid": house.tenant_id, "login": "x", "name": "X"}})

    [refused] = entries(house, "action = 'refused'")
    assert refused["roleid"] == member.role_id
    assert refused["after"] == {
        "field": "create_role",
        "code": "ACCESS_DENIED",
        "refusal": "No policy rule allows create_role on roles_pbac.roles.",
    }


def test_what_is_refused_on_query_is_told_and_floods_nothing(house: House) -> None:
    member, other = house.member(*NORMAL_CAPABILITIES), house.member(*NORMAL_CAPABILITIES)
    house.rule(["select", "insert"], "note", "size < 15", to=[member, other], max_rows=1)
    create = "mutation ($i: noteInput) { create_note(input: $i) { id } }"

    for number in range(20):
        given = {"id": 100 + number, "body": "a secret value", "size": 50}
        assert house.code(member, create, {"i": given}) == "POLICY_VIOLATED"
    assert house.code(other, create, {"i": {"id": 9, "body": "a secret value", "size": 50}}) == "POLICY_VIOLATED"
    house.ask(member, create, {"i": {"id": 9, "body": "x", "size": 1}})
    for _ in range(3):
        assert house.code(member, "{ note { id } }") == "ROW_LIMIT_EXCEEDED"
    # What is a mistake as far as anybody can tell is none.
    house.refused(member, "{ nothing { id } }")

    told = [(each["roleid"], each["kind"], each["after"]["code"]) for each in entries(house, "action = 'refused'")]
    assert told == [
        (member.role_id, "query", "POLICY_VIOLATED"),
        (other.role_id, "query", "POLICY_VIOLATED"),
        (member.role_id, "query", "ROW_LIMIT_EXCEEDED"),
    ]
    assert entries(house, "action = 'refused'")[0]["after"]["field"] == "create_note"
    assert "a secret value" not in str(entries(house, "action = 'refused'"))


def test_the_operators_changes_have_no_role(house: House) -> None:
    house.choose("most_specific")

    [changed] = entries(house, "kind = 'tenant' and after != null and action = 'update' and roleid = null")[-1:]
    assert changed["after"] == {"rule_choice": "most_specific"}


def test_the_audit_is_for_root_alone_and_for_its_own_tenant(house: House, neighbour: House) -> None:
    for who in (house.member("admin"), house.member(*NORMAL_CAPABILITIES), house.enable_anonymous()):
        assert house.control_refused(who, ENTRIES)["data"] == {"Audit": None}
    strangers = {each["subjectid"] for each in entries(neighbour, "kind = 'role'")}
    assert strangers.isdisjoint({each["subjectid"] for each in entries(house, "kind = 'role'")})


def test_the_audit_is_only_ever_added_to(house: House) -> None:
    async def attempt(statement: str) -> None:
        connection = await asyncpg.connect(house.wire.control_dsn)
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    for statement in ("update ostiary.audit set action = 'x'", "delete from ostiary.audit", "truncate ostiary.audit"):
        with pytest.raises(asyncpg.RaiseError, match="only ever added to"):
            asyncio.run(attempt(statement))
