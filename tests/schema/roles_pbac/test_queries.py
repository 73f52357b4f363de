"""What each kind of role reads of roles, classes, rules and the tenant."""

import pytest

from tests.control import Control, add_tenant

pytestmark = pytest.mark.postgres

EVERYTHING = """
{
  role(ordering: "roleid") {
    roleid login name tenantid parentid creatorid createtime deleted capabilities password_createtime password_setby
    classes { classid name members { login } }
    children { login } parent { login } tenant { tenantid credential } contactinfo { city role { login } }
  }
}
"""


async def test_root_reads_every_field_of_a_role_with_all_that_belongs_to_it(control: Control) -> None:
    parent = await control.add_role("ann", "login", "select")
    users = await control.add_class("users", parent)
    child = await control.add_role("bob", "login", parent_id=parent, class_ids=(users,))

    [_, ann, bob] = (await control.good(control.root_id, EVERYTHING))["role"]

    assert ann["roleid"] == str(parent)
    assert ann["children"] == [{"login": "bob"}]
    assert ann["capabilities"] == ["login", "select"]
    assert bob["parentid"] == parent
    assert bob["parent"] == {"login": "ann"}
    assert bob["tenant"] == {"tenantid": str(control.tenant_id), "credential": "********"}
    assert bob["contactinfo"] is None
    assert bob["creatorid"] == bob["password_setby"] == control.root_id
    assert bob["deleted"] is False
    assert bob["createtime"][4] == "-"
    [bobs_class] = bob["classes"]
    assert bobs_class["classid"] == str(users)
    assert sorted(member["login"] for member in bobs_class["members"]) == ["ann", "bob"]
    assert bob["roleid"] == str(child)


async def test_a_root_field_is_one_statement_however_deep(control: Control) -> None:
    await control.add_class("users", await control.add_role("ann"), await control.add_role("bob"))

    await control.good(control.root_id, EVERYTHING)

    assert len([each for each in control.statements if "roles_pbac" in each]) == 1


async def test_root_fields_side_by_side_are_all_answered(control: Control) -> None:
    fields = " ".join(f"r{number}: role {{ login }}" for number in range(20))

    data = await control.good(control.root_id, f"{{ {fields} }}")

    assert data == {f"r{number}": [{"login": "root"}] for number in range(20)}


async def test_a_field_that_fails_leaves_the_others(control: Control) -> None:
    answer = await control.ask(
        control.root_id,
        '{ a: role { login } b: role(filter: "x = 1") { login } c: role(limit: -1) { login } d: role { login } }',
    )

    root = [{"login": "root"}]
    assert answer.data == {"a": root, "b": None, "c": None, "d": root}
    assert answer.codes == ["UNKNOWN_COLUMN", "INVALID_PAGE"]


async def test_contact_information_is_not_shown_to_who_may_view_roles(control: Control) -> None:
    able = await control.add_role("able", "view_role")
    await control.add_rule("view_role", "roles_pbac.roles", to=able)
    given = dict.fromkeys(("address", "city", "stateprov", "mailcd", "phone", "email"), "x")
    create = "mutation ($i: role_contactinfoInput) { create_role_contactinfo(input: $i) { roleid } }"
    await control.good(control.root_id, create, i=given | {"roleid": control.root_id})

    data = await control.good(able, '{ role_contactinfo { city } role(ordering: ["roleid"]) { contactinfo { city } } }')

    assert data == {"role_contactinfo": [], "role": [{"contactinfo": None}, {"contactinfo": None}]}


async def test_rows_are_filtered_ordered_and_cut(control: Control) -> None:
    for login in ("ann", "bob", "cid"):
        await control.add_role(login, "login")

    query = 'query ($f: String) { role(filter: $f, ordering: ["login desc"], limit: 1, offset: 1) { login } }'

    assert await control.good(control.root_id, query, f="login != 'root'") == {"role": [{"login": "bob"}]}


async def test_moments_compare_with_iso_text(control: Control) -> None:
    query = "query ($f: String) { role(filter: $f) { login } }"

    assert await control.good(control.root_id, query, f="createtime > '2001-01-01'") == {"role": [{"login": "root"}]}
    assert await control.good(control.root_id, query, f="createtime > '2999-01-01T00:00:00Z'") == {"role": []}
    assert await control.refused(control.root_id, query, f="createtime > 'soon'") == "INVALID_VALUE"


async def test_one_field_may_be_asked_twice_under_two_keys(control: Control) -> None:
    users = await control.add_class("users")
    for login in ("ann", "bob"):
        await control.add_role(login, class_ids=(users,))

    data = await control.good(
        control.root_id,
        """{ role_class { a: members(filter: "login = 'ann'") { login } b: members(filter: "login = 'bob'") { l: login }
                          name other: name __typename } }""",
    )

    assert data == {
        "role_class": [
            {
                "a": [{"login": "ann"}],
                "b": [{"l": "bob"}],
                "name": "users",
                "other": "users",
                "__typename": "role_class",
            }
        ]
    }


async def test_a_role_sees_itself_its_children_and_no_other(control: Control) -> None:
    ann = await control.add_role("ann", "login")
    await control.add_role("bob", parent_id=ann)
    await control.add_role("eve")

    assert await control.good(ann, '{ role(ordering: ["login"]) { login } }') == {
        "role": [{"login": "ann"}, {"login": "bob"}]
    }


async def test_others_are_seen_with_the_capability_and_a_rule_and_only_with_both(control: Control) -> None:
    able = await control.add_role("able", "view_role")
    unable = await control.add_role("unable", "login")
    query = '{ role(ordering: ["login"]) { login } }'

    assert await control.good(able, query) == {"role": [{"login": "able"}]}
    await control.add_rule("view_role", "roles_pbac.roles", only="login != 'root'")
    assert await control.good(able, query) == {"role": [{"login": "able"}, {"login": "unable"}]}
    assert await control.good(unable, query) == {"role": [{"login": "unable"}]}


async def test_nested_rows_are_those_the_caller_may_see(control: Control) -> None:
    ann = await control.add_role("ann", "login", parent_id=control.root_id)
    users = await control.add_class("users", ann)
    await control.add_role("eve", class_ids=(users,))

    data = await control.good(ann, "{ role { parent { login } tenant { name } classes { name members { login } } } }")

    assert data == {
        "role": [{"parent": None, "tenant": None, "classes": [{"name": "users", "members": [{"login": "ann"}]}]}]
    }


async def test_a_filter_over_a_relation_does_not_tell_of_hidden_rows(control: Control) -> None:
    ann = await control.add_role("ann", "login", parent_id=control.root_id)

    assert await control.good(ann, "{ role(filter: \"parent.login = 'root'\") { login } }") == {"role": []}
    assert await control.good(control.root_id, "{ role(filter: \"parent.login = 'root'\") { login } }") == {
        "role": [{"login": "ann"}]
    }


async def test_classes_one_is_in_are_seen_and_others_need_view_class(control: Control) -> None:
    ann = await control.add_role("ann", "view_class")
    await control.add_class("users", ann)
    await control.add_class("staff")

    assert await control.good(ann, "{ role_class { name } }") == {"role_class": [{"name": "users"}]}
    await control.add_rule("view_class", "roles_pbac.role_classes", to=ann)
    assert await control.good(ann, '{ role_class(ordering: "name") { name } }') == {
        "role_class": [{"name": "staff"}, {"name": "users"}]
    }


async def test_members_by_inheritance_are_members(control: Control) -> None:
    ann = await control.add_role("ann")
    bob = await control.add_role("bob", parent_id=ann)
    await control.add_role("cid", parent_id=bob)
    await control.add_class("users", ann, inherit="full")

    data = await control.good(
        control.root_id, '{ role_class { members(ordering: ["login"]) { login classes { name } } } }'
    )

    users = [{"name": "users"}]
    assert data == {
        "role_class": [{"members": [{"login": login, "classes": users} for login in ("ann", "bob", "cid")]}]
    }


async def test_rules_and_the_tenant_are_refused_to_ordinary_roles(control: Control) -> None:
    ann = await control.add_role("ann", "login")

    for query in ("{ policy_rule { name } }", "{ tenant { name } }", "{ tenant_contactinfo { city } }"):
        assert await control.refused(ann, query) == "ACCESS_DENIED"


async def test_rules_are_seen_with_view_rule(control: Control) -> None:
    ann = await control.add_role("ann", "view_rule")
    await control.add_rule("view_rule", "roles_pbac.policy_rules", to=ann, only="name ilike 'view%'")
    await control.add_rule("select", "item")

    data = await control.good(ann, "{ policy_rule { name targets capabilities roles classes filter } }")

    assert data == {
        "policy_rule": [
            {
                "name": "view_rule on roles_pbac.policy_rules",
                "targets": ["roles_pbac.policy_rules"],
                "capabilities": ["view_rule"],
                "roles": [ann],
                "classes": [],
                "filter": "name ilike 'view%'",
            }
        ]
    }


async def test_an_administrator_sees_the_tenant_without_its_secret(control: Control) -> None:
    admin = await control.add_role("admin", "admin")

    data = await control.good(admin, "{ tenant { tenantid name platform host database credential packagelist } }")

    assert data == {
        "tenant": [
            {
                "tenantid": str(control.tenant_id),
                "name": "todo",
                "platform": "postgresql",
                "host": "db.example",
                "database": "app",
                "credential": "********",
                "packagelist": ["core"],
            }
        ]
    }


async def test_even_root_sees_nothing_of_another_tenant(control: Control) -> None:
    await add_tenant(control.engine, "other")

    data = await control.good(
        control.root_id, "{ tenant { name } role { login tenantid } role_class { name } policy_rule { name } }"
    )

    assert data == {
        "tenant": [{"name": "todo"}],
        "role": [{"login": "root", "tenantid": control.tenant_id}],
        "role_class": [],
        "policy_rule": [],
    }


async def test_capabilities_and_functions_are_for_everybody(control: Control) -> None:
    ann = await control.add_role("ann", "login")

    data = await control.good(
        ann,
        "{ capability(filter: \"subset = 'crud'\") { capability } package { package licensecost } "
        "package_function(filter: \"name = 'lower'\") { name package } }",
    )

    assert {row["capability"] for row in data["capability"]} == {
        "select",
        "insert",
        "update",
        "delete",
        "upload",
        "download",
    }
    assert data["package"] == [{"package": "core", "licensecost": 0}]
    assert data["package_function"] == [{"name": "lower", "package": "core"}]


async def test_a_bad_filter_is_refused_in_one_sentence(control: Control) -> None:
    query = "query ($f: String) { role(filter: $f) { login } }"

    assert await control.refused(control.root_id, query, f="login =") == "EXPRESSION_SYNTAX"
    assert await control.refused(control.root_id, query, f="password_hash = 'x'") == "UNKNOWN_COLUMN"
    assert await control.refused(control.root_id, query, f="sealed_dsn = 'x'") == "UNKNOWN_COLUMN"
