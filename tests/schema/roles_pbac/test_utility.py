"""The functions under `Utility`, and what Nobody can do."""

import pytest

from schema.principal import NOBODY_CAPABILITIES
from tests.control import Control

pytestmark = pytest.mark.postgres

SIGN_UP = "mutation ($i: roleInput!) { create_role(input: $i) { roleid login } }"
STATE = "{ Utility { anonymous_logins } }"
ENABLE = "{ Utility { anonymous_logins(enable: true) } }"
DISABLE = "{ Utility { anonymous_logins(enable: false) } }"


def state(data: dict[str, dict[str, object]]) -> object:
    return data["Utility"]["anonymous_logins"]


async def test_nobody_is_made_once_flagged_and_brought_back(control: Control) -> None:
    assert state(await control.good(control.root_id, STATE)) is False
    nobody = state(await control.good(control.root_id, ENABLE))
    assert isinstance(nobody, int)
    role = await control.role(nobody)
    assert role.login == f"nobody{control.tenant_id}"
    assert role.capabilities == NOBODY_CAPABILITIES
    assert (await control.tenant()).nobody_role_id == nobody
    assert state(await control.good(control.root_id, ENABLE)) == nobody
    assert state(await control.good(control.root_id, STATE)) == nobody

    assert state(await control.good(control.root_id, DISABLE)) is False
    assert (await control.role(nobody)).deleted
    assert state(await control.good(control.root_id, STATE)) is False

    assert state(await control.good(control.root_id, ENABLE)) == nobody
    assert not (await control.role(nobody)).deleted
    assert len(await control.rules()) == 1
    assert control.refreshed == [control.tenant_id] * 4


async def test_anonymous_logins_are_for_root_only(control: Control) -> None:
    admin = await control.add_role("admin", "admin")

    for query in (STATE, ENABLE, DISABLE):
        answer = await control.ask(admin, query)
        assert answer.codes == ["ROOT_ONLY"]
        assert answer.data == {"Utility": {"anonymous_logins": None}}


async def test_nobody_views_normal_roles_and_no_others(control: Control) -> None:
    await control.add_role("admin", "admin")
    await control.add_role("ann", "login")
    gone = await control.add_role("gone", "login")
    await control.good(control.root_id, "mutation ($r: ID!) { delete_role(roleid: $r) { login } }", r=gone)
    nobody = state(await control.good(control.root_id, ENABLE))
    assert isinstance(nobody, int)

    data = await control.good(nobody, '{ role(ordering: "roleid") { login } }')

    assert data == {"role": [{"login": "ann"}, {"login": f"nobody{control.tenant_id}"}]}


async def test_nobody_signs_people_up_where_a_rule_lets_it(control: Control) -> None:
    users = await control.add_class("users")
    nobody = state(await control.good(control.root_id, ENABLE))
    assert isinstance(nobody, int)
    person = {"tenantid": control.tenant_id, "login": "new@example.org", "name": "New", "password": "a long password"}

    assert await control.refused(nobody, SIGN_UP, i=person) == "ACCESS_DENIED"
    await control.add_rule("create_role", "roles_pbac.roles", to=nobody)
    await control.add_rule("create_role", "roles_pbac.role_classes", to=nobody, only="name = 'users'")
    data = await control.good(nobody, SIGN_UP, i=person | {"classes": [users]})

    created = data["create_role"]
    assert created["login"] == "new@example.org"
    assert (await control.role(int(created["roleid"]))).class_ids == {users}
    for capabilities in (["admin"], ["login", "update_role"], ["login", "create_rule"]):
        wanted = person | {"login": "x", "capabilities": capabilities}
        assert await control.refused(nobody, SIGN_UP, i=wanted) == "CAPABILITY_NOT_HELD"


async def test_nobody_is_changed_by_nobody(control: Control) -> None:
    nobody = state(await control.good(control.root_id, ENABLE))
    assert isinstance(nobody, int)
    login = f"nobody{control.tenant_id}"
    given = {"tenantid": control.tenant_id, "login": login, "name": "Vandal", "password": "a long password"}
    update = "mutation ($i: roleInput, $r: ID!) { update_role(input: $i, roleid: $r) { name } }"
    delete = "mutation ($r: ID!) { delete_role(roleid: $r) { name } }"

    for role_id in (nobody, control.root_id):
        assert await control.refused(role_id, update, i=given, r=nobody) == "ROLE_PROTECTED"
    assert await control.refused(control.root_id, delete, r=nobody) == "ROLE_PROTECTED"
    assert await control.refused(nobody, delete, r=nobody) == "ACCESS_DENIED"


async def test_role_tokens_are_for_administrators(control: Control) -> None:
    admin = await control.add_role("admin", "admin")
    ann = await control.add_role("ann", "login")
    query = "query ($r: Int!) { Utility { role_token(roleid: $r) } }"

    assert await control.good(admin, query, r=str(ann)) == {"Utility": {"role_token": f"token of {ann}"}}
    answer = await control.ask(ann, query, r=admin)
    assert answer.messages == ["Non-administrators may not access other roles."]


async def test_introspect_reads_the_database_again_for_administrators_alone(control: Control) -> None:
    ann = await control.add_role("ann", "login")
    query = "{ Utility { introspect } }"

    for role_id, again in ((control.root_id, True), (ann, False)):
        data = await control.good(role_id, query)
        assert data == {"Utility": {"introspect": {"gql": "type Query", "json": {"__schema": {"again": again}}}}}


async def test_a_query_that_changes_something_and_fails_changes_nothing(control: Control) -> None:
    answer = await control.ask(
        control.root_id, '{ Utility { anonymous_logins(enable: true) } role(filter: "x") { login } }'
    )

    assert answer.data is None
    assert state(await control.good(control.root_id, STATE)) is False
