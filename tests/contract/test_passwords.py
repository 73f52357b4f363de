"""How passwords are set and changed."""

import time
from datetime import datetime

import pytest

from tests.wire import PASSWORD, Introspected, Person, Wire

pytestmark = pytest.mark.server

UPDATE = """mutation ($i: roleInput, $j: ID!) {
  update_role(input: $i, roleid: $j) { roleid password_setby password_createtime } }"""
OTHER = "another walk to 8 bridges!"


def change(person: Person, password: str) -> dict[str, object]:
    return {"i": person.login.body() | {"name": "A user", "password": password}, "j": person.role_id}


def test_a_role_changes_its_own_password_and_the_new_one_counts(wire: Wire, person: Person) -> None:
    changed = wire.control(person.token, UPDATE, change(person, OTHER))["update_role"]

    assert changed["password_setby"] == person.role_id
    assert abs(datetime.fromisoformat(changed["password_createtime"]).timestamp() - time.time()) < 60
    assert wire.post("/auth", person.login.body()).status_code == 403
    assert wire.post("/auth", person.login.body() | {"password": OTHER}).status_code == 200


def test_root_sets_the_password_of_a_role(wire: Wire, root: str, person: Person) -> None:
    changed = wire.control(root, UPDATE, change(person, OTHER))["update_role"]

    assert changed["password_setby"] != person.role_id
    assert wire.post("/auth", person.login.body() | {"password": OTHER}).status_code == 200


def test_a_changed_password_ends_the_sessions_of_the_role(wire: Wire, root: str, person: Person) -> None:
    wire.control(root, UPDATE, change(person, OTHER))

    assert wire.post("/query", {"query": "{ __typename }"}, person.token).status_code == 401


def test_who_made_a_role_is_recorded_as_the_one_who_set_its_password(wire: Wire, root: str, person: Person) -> None:
    rows = wire.control(root, '{ role(ordering: "roleid") { roleid login creatorid password_setby } }')["role"]

    maker = next(row["roleid"] for row in rows if row["login"] == "root")
    made = next(row for row in rows if row["roleid"] == str(person.role_id))
    assert made["password_setby"] == made["creatorid"] == int(maker)


def test_a_password_can_be_written_and_not_read(control_schema: Introspected) -> None:
    assert control_schema.fields("roleInput")["password"] == "String"
    assert "password" not in control_schema.fields("role")


@pytest.mark.parametrize("password", ["abc 1!", "14 characters!", "letmeinletmeinletmein", "111111111111111"])
def test_a_short_or_common_password_is_refused(wire: Wire, person: Person, password: str) -> None:
    error = wire.refused(person.token, UPDATE, change(person, password), "/roles_pbac")

    assert error["extensions"]["code"] == "PASSWORD_REFUSED"
    assert password not in error["message"]
    assert wire.post("/auth", person.login.body() | {"password": PASSWORD}).status_code == 200
