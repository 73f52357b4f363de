"""Who creates, changes and deletes rules and classes, and which rules are taken."""

import pytest

from tests.control import Control

pytestmark = pytest.mark.postgres

CREATE = (
    "mutation ($i: policy_ruleInput) { create_policy_rule(input: $i) { ruleid name filter targets roles classes } }"
)
UPDATE = """mutation ($i: policy_ruleInput, $r: ID!) {
    update_policy_rule(input: $i, ruleid: $r) { name filter capabilities targets roles } }"""
DELETE = "mutation ($r: ID!) { delete_policy_rule(ruleid: $r) { name } }"

RULE = {"name": "own items", "capabilities": ["select"], "targets": ["item"]}


async def test_a_rule_is_stored_as_it_was_given(control: Control) -> None:
    ann = await control.add_role("ann")
    users = await control.add_class("users")
    given = RULE | {"filter": "id = $_PRINCIPAL.roleid", "roles": [str(ann)], "classes": [users]}

    data = await control.good(control.root_id, CREATE, i=given)

    created = data["create_policy_rule"]
    [rule] = await control.rules()
    assert created == {
        "ruleid": str(rule.rule_id),
        "name": "own items",
        "filter": "id = $_PRINCIPAL.roleid",
        "targets": ["item"],
        "roles": [ann],
        "classes": [users],
    }
    assert control.refreshed == [control.tenant_id]


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"filter": "id ="}, "EXPRESSION_SYNTAX"),
        ({"filter": "nothing = 1"}, "RULE_REFUSED"),
        ({"filter": "id = 1", "targets": ["item", "roles_pbac.roles"]}, "RULE_REFUSED"),
        ({"targets": ["nothing"]}, "RULE_REFUSED"),
        ({"targets": []}, "BAD_INPUT"),
        ({"capabilities": []}, "BAD_INPUT"),
        ({"capabilities": ["fly"]}, "BAD_INPUT"),
        ({"capabilities": ["admin"]}, "BAD_INPUT"),
        ({"name": ""}, "BAD_INPUT"),
        ({"roles": [99]}, "FOREIGN_KEY_VIOLATED"),
        ({"classes": [99]}, "FOREIGN_KEY_VIOLATED"),
        ({"roles": ["ann"]}, "BAD_INPUT"),
    ],
)
async def test_a_rule_that_cannot_work_is_refused(control: Control, fields: dict[str, object], code: str) -> None:
    assert await control.refused(control.root_id, CREATE, i=RULE | fields) == code
    assert await control.rules() == ()


async def test_rules_on_control_targets_take_filters_of_their_own(control: Control) -> None:
    given = {"name": "r", "capabilities": ["view_role"], "targets": ["roles_pbac.roles"], "filter": "normal = true"}

    assert await control.good(control.root_id, CREATE, i=given)
    assert await control.refused(control.root_id, CREATE, i=given | {"filter": "itemid = 1"}) == "RULE_REFUSED"


async def test_an_update_keeps_what_it_leaves_out(control: Control) -> None:
    ann = await control.add_role("ann")
    rule = await control.add_rule("select", "item", to=ann, only="id = 1")

    data = await control.good(control.root_id, UPDATE, i={"name": "new"}, r=rule)
    assert data["update_policy_rule"] == {
        "name": "new",
        "filter": "id = 1",
        "capabilities": ["select"],
        "targets": ["item"],
        "roles": [ann],
    }
    data = await control.good(control.root_id, UPDATE, i={"name": "new", "filter": None, "roles": None}, r=rule)
    assert data["update_policy_rule"]["filter"] == ""
    # A rule for nobody would be one for everybody: that has to be said, not left open.
    assert data["update_policy_rule"]["roles"] == [ann]
    data = await control.good(control.root_id, UPDATE, i={"name": "new", "roles": []}, r=rule)
    assert data["update_policy_rule"]["roles"] == []


async def test_a_deleted_rule_can_still_be_selected_from(control: Control) -> None:
    rule = await control.add_rule("select", "item")

    assert await control.good(control.root_id, DELETE, r=rule) == {"delete_policy_rule": {"name": "select on item"}}
    assert await control.rules() == ()
    assert await control.refused(control.root_id, DELETE, r=rule) == "NO_SUCH_ROW"


async def test_rules_take_the_capability_and_a_rule_and_grant_no_more_than_their_maker_can(control: Control) -> None:
    able = await control.add_role("able", "create_rule", "update_rule", "delete_rule", "select")
    ann = await control.add_role("ann", "select", "insert")

    assert await control.refused(ann, CREATE, i=RULE) == "ACCESS_DENIED"
    assert await control.refused(able, CREATE, i=RULE) == "ACCESS_DENIED"
    for capability in ("create_rule", "update_rule", "delete_rule"):
        await control.add_rule(capability, "roles_pbac.policy_rules", to=able, only="name ilike 'own%'")
    assert await control.refused(able, CREATE, i=RULE) == "GRANT_NOT_HELD"
    for target in RULE["targets"]:
        await control.add_rule("select", target, to=able)
    created = (await control.good(able, CREATE, i=RULE))["create_policy_rule"]
    assert await control.refused(able, CREATE, i=RULE | {"name": "other"}) == "POLICY_VIOLATED"
    assert await control.refused(able, CREATE, i=RULE | {"capabilities": ["insert"]}) == "CAPABILITY_NOT_HELD"
    foreign = await control.add_rule("select", "list")
    assert await control.refused(able, UPDATE, i=RULE, r=foreign) == "NO_SUCH_ROW"
    assert await control.refused(able, DELETE, r=foreign) == "NO_SUCH_ROW"
    assert await control.refused(able, UPDATE, i={"name": "x"}, r=created["ruleid"]) == "POLICY_VIOLATED"
    assert await control.good(able, DELETE, r=created["ruleid"]) == {"delete_policy_rule": None}


async def test_classes_are_made_changed_and_deleted(control: Control) -> None:
    ann = await control.add_role("ann")
    bob = await control.add_role("bob")
    given = {"name": "users", "tenantid": control.tenant_id, "inherit": "Create", "members": [ann]}
    create = """mutation ($i: role_classInput) {
        create_role_class(input: $i) { classid name inherit creatorid members { login } } }"""
    update = """mutation ($i: role_classInput, $c: ID!) {
        update_role_class(input: $i, classid: $c) { name inherit members { login } } }"""
    delete = "mutation ($c: ID!) { delete_role_class(classid: $c) { name members { login } } }"

    created = (await control.good(control.root_id, create, i=given))["create_role_class"]
    class_id = created.pop("classid")
    assert created == {
        "name": "users",
        "inherit": "create",
        "creatorid": control.root_id,
        "members": [{"login": "ann"}],
    }
    changed = given | {"name": "people", "inherit": "full", "members": [bob]}
    assert (await control.good(control.root_id, update, i=changed, c=class_id))["update_role_class"] == {
        "name": "people",
        "inherit": "full",
        "members": [{"login": "bob"}],
    }
    del changed["members"]
    await control.good(control.root_id, update, i=changed, c=class_id)
    assert await control.good(control.root_id, delete, c=class_id) == {
        "delete_role_class": {"name": "people", "members": [{"login": "bob"}]}
    }
    assert await control.refused(control.root_id, delete, c=class_id) == "NO_SUCH_ROW"
    assert await control.refused(control.root_id, create, i=given | {"inherit": "some"}) == "BAD_INPUT"
    assert await control.refused(control.root_id, create, i=given | {"tenantid": 99}) == "WRONG_TENANT"
    assert await control.refused(control.root_id, create, i=given | {"members": [99]}) == "FOREIGN_KEY_VIOLATED"


async def test_classes_take_the_capability_and_a_rule(control: Control) -> None:
    able = await control.add_role("able", "create_class", "update_class", "delete_class")
    staff = await control.add_class("staff")
    given = {"name": "users", "tenantid": control.tenant_id, "inherit": "none"}
    create = "mutation ($i: role_classInput) { create_role_class(input: $i) { name } }"
    update = "mutation ($i: role_classInput, $c: ID!) { update_role_class(input: $i, classid: $c) { name } }"

    assert await control.refused(able, create, i=given) == "ACCESS_DENIED"
    await control.add_rule("create_class", "roles_pbac.role_classes", to=able)
    await control.add_rule("update_class", "roles_pbac.role_classes", to=able, only="name = 'users'")
    assert await control.good(able, create, i=given) == {"create_role_class": {"name": "users"}}
    assert await control.refused(able, update, i=given | {"members": [able]}, c=staff) == "NO_SUCH_ROW"


async def test_a_rule_for_a_class_that_was_deleted_is_not_one_for_everybody(control: Control) -> None:
    users = await control.add_class("users")
    rule = await control.add_rule("select", "item", to_class=users)

    await control.good(control.root_id, "mutation ($c: ID!) { delete_role_class(classid: $c) { name } }", c=users)

    [left] = await control.rules()
    assert (left.rule_id, left.class_ids) == (rule, {users})
