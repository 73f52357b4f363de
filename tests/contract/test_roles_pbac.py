"""The control schema: its types, its queries and its mutations."""

from typing import Any
from uuid import uuid4

import pytest
from graphql import build_schema

from tests.wire import PASSWORD, Introspected, Person, Wire

pytestmark = pytest.mark.server

ARGUMENTS = {"filter": "String", "ordering": "[String]", "limit": "Int", "offset": "Int"}
SIX = dict.fromkeys(("address", "city", "stateprov", "mailcd", "phone", "email"), "String!")
TYPES = {
    "role": {
        "roleid": "ID!", "login": "String!", "name": "String!", "tenantid": "Int", "parentid": "Int",
        "creatorid": "Int!", "createtime": "DateTime", "deleted": "Boolean", "classes": "[role_class]",
        "capabilities": "[String]", "children": "[role]", "tenant": "tenant", "contactinfo": "role_contactinfo",
        "parent": "role", "password_createtime": "DateTime!", "password_setby": "Int!",
    },
    "role_class": {
        "classid": "ID!", "name": "String!", "tenantid": "Int!", "creatorid": "Int!", "createtime": "DateTime",
        "inherit": "String!", "members": "[role]",
    },
    "policy_rule": {
        "ruleid": "ID!", "tenantid": "Int!", "name": "String!", "filter": "String", "creatorid": "Int!",
        "createtime": "DateTime", "capabilities": "[String]", "roles": "[Int]", "classes": "[Int]",
        "targets": "[String]",
    },
    "tenant": {
        "tenantid": "ID!", "name": "String!", "platform": "String!", "host": "String!", "database": "String!",
        "credential": "String!", "createtime": "DateTime", "contactinfo": "tenant_contactinfo",
        "packagelist": "[String]",
    },
    "capability": {"capability": "ID!", "package": "String!", "description": "String!", "subset": "String"},
    "package": {"package": "ID!", "description": "String!", "licensecost": "Float!"},
    "package_function": {"name": "ID!", "package": "ID!"},
    "role_contactinfo": {"roleid": "ID!", "role": "role"} | SIX,
    "tenant_contactinfo": {"tenantid": "ID!", "tenant": "tenant"} | SIX,
    "Utility": {"introspect": "GenericScalar", "role_token": "String", "anonymous_logins": "GenericScalar"},
    "roleInput": {
        "tenantid": "Int!", "login": "String!", "name": "String!", "parentid": "Int", "classes": "[Int]",
        "capabilities": "[String]", "deleted": "Boolean", "password": "String",
    },
    "role_classInput": {"name": "String!", "tenantid": "Int!", "inherit": "String!", "members": "[ID]"},
    "policy_ruleInput": {
        "name": "String!", "filter": "String", "capabilities": "[String]", "roles": "[ID]", "classes": "[ID]",
        "targets": "[String]",
    },
    "role_contactinfoInput": {"roleid": "ID!"} | SIX,
}  # fmt: skip
LISTS = ["role", "role_class", "policy_rule", "tenant", "capability", "package", "package_function",
         "role_contactinfo", "tenant_contactinfo"]  # fmt: skip
MUTATIONS = {
    "create_role": ("role", {"input": "roleInput"}),
    "update_role": ("role", {"input": "roleInput", "roleid": "ID!"}),
    "delete_role": ("role", {"roleid": "ID!"}),
    "create_role_class": ("role_class", {"input": "role_classInput"}),
    "update_role_class": ("role_class", {"input": "role_classInput", "classid": "ID!"}),
    "delete_role_class": ("role_class", {"classid": "ID!"}),
    "create_policy_rule": ("policy_rule", {"input": "policy_ruleInput"}),
    "update_policy_rule": ("policy_rule", {"input": "policy_ruleInput", "ruleid": "ID!"}),
    "delete_policy_rule": ("policy_rule", {"ruleid": "ID!"}),
    "create_role_contactinfo": ("role_contactinfo", {"input": "role_contactinfoInput"}),
    "update_role_contactinfo": ("role_contactinfo", {"input": "role_contactinfoInput", "roleid": "ID!"}),
    "delete_role_contactinfo": ("role_contactinfo", {"roleid": "ID!"}),
}
CREATE_ROLE = "mutation ($data: roleInput!) { create_role(input: $data) { roleid login name classes { classid } } }"
CREATE_CLASS = "mutation ($data: role_classInput) { create_role_class(input: $data) { classid name inherit } }"
CREATE_RULE = """mutation ($data: policy_ruleInput!) {
  create_policy_rule(input: $data) { ruleid tenantid name filter capabilities roles classes targets creatorid } }"""


@pytest.mark.parametrize("name", TYPES)
def test_a_type_has_the_fields_of_the_wire(control_schema: Introspected, name: str) -> None:
    fields = control_schema.fields(name)

    assert {field: fields[field] for field in TYPES[name]} == TYPES[name]
    # What is beside those of the wire no client has to know: it can be left out, and be null.
    assert all(not type_.endswith("!") for field, type_ in fields.items() if field not in TYPES[name])


@pytest.mark.parametrize("name", LISTS)
def test_a_list_is_a_bare_list_with_the_four_arguments(control_schema: Introspected, name: str) -> None:
    assert control_schema.fields("Query")[name] == f"[{name}]"
    assert control_schema.arguments("Query", name) == ARGUMENTS


@pytest.mark.parametrize("name", MUTATIONS)
def test_a_mutation_has_the_arguments_and_the_result_of_the_wire(control_schema: Introspected, name: str) -> None:
    result, arguments = MUTATIONS[name]

    has = control_schema.arguments("Mutation", name)
    has.pop("onconflict", None)
    assert (control_schema.fields("Mutation")[name], has) == (result, arguments)


def test_functions_of_utility_have_their_arguments(control_schema: Introspected) -> None:
    assert control_schema.fields("Query")["Utility"] == "Utility"
    assert control_schema.arguments("Utility", "introspect") == {}
    assert control_schema.arguments("Utility", "role_token") == {"roleid": "Int!"}
    assert control_schema.arguments("Utility", "anonymous_logins") == {"enable": "Boolean"}


# --- queries -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", LISTS)
def test_every_scalar_of_every_list_can_be_selected(wire: Wire, root: str, name: str) -> None:
    scalars = [field for field, of in TYPES[name].items() if of.strip("[]!") not in TYPES]

    rows = wire.control(root, f"{{ {name} {{ {' '.join(scalars)} }} }}")[name]

    assert isinstance(rows, list)
    assert all(row[field] is not None for row in rows for field in scalars if TYPES[name][field].endswith("!"))


def test_the_four_arguments_work_as_on_query(wire: Wire, root: str) -> None:
    document = """query ($f: String, $o: [String], $l: Int, $s: Int) {
      capability(filter: $f, ordering: $o, limit: $l, offset: $s) { capability } }"""

    found = wire.control(root, document, {"f": "subset = 'crud'", "o": "capability desc", "l": 2, "s": 1})

    assert found["capability"] == [{"capability": "update"}, {"capability": "select"}]
    crud = {row["capability"] for row in wire.control(root, document, {"f": "subset = 'crud'"})["capability"]}
    assert crud == {"select", "insert", "update", "delete", "upload", "download"}


def test_every_capability_of_the_wire_is_listed(wire: Wire, root: str) -> None:
    listed = {row["capability"] for row in wire.control(root, "{ capability { capability } }")["capability"]}

    assert listed >= {
        "login", "select", "insert", "update", "delete", "upload", "download", "create_role", "update_role",
        "delete_role", "view_role", "create_class", "update_class", "delete_class", "view_class", "admin",
        "create_rule", "update_rule", "delete_rule", "view_rule",
    }  # fmt: skip


def test_classes_of_a_role_are_objects_and_those_of_a_rule_are_numbers(wire: Wire, root: str, person: Person) -> None:
    role = wire.control(root, f'{{ role(filter: "roleid = {person.role_id}") {{ classes {{ classid name }} }} }}')
    rule = wire.control(root, "{ policy_rule(filter: \"name = 'Users read the statuses'\") { roles classes targets } }")

    users = role["role"][0]["classes"][0]
    assert users["name"] == "users"
    assert rule["policy_rule"] == [{"roles": [], "classes": [int(users["classid"])], "targets": ["status_value"]}]


def test_the_tenant_tells_where_its_database_is_and_never_its_secret(wire: Wire, root: str, todo: int) -> None:
    rows = wire.control(root, "{ tenant { tenantid name platform host database credential } }")["tenant"]

    assert [(row["tenantid"], row["name"], row["database"]) for row in rows] == [(str(todo), "todo", "todo")]
    assert set(rows[0]["credential"]) == {"*"}


def test_a_role_sees_itself_alone_and_nothing_of_the_tenant(wire: Wire, person: Person) -> None:
    rows = wire.control(person.token, "{ role { roleid login deleted tenantid } }")["role"]

    assert rows == [
        {
            "roleid": str(person.role_id),
            "login": person.login.login,
            "deleted": False,
            "tenantid": person.login.tenant_id,
        }
    ]
    for name in ("tenant", "policy_rule"):
        refused = wire.refused(person.token, f"{{ {name} {{ name }} }}", path="/roles_pbac")
        assert refused["data"] == {name: None}


# --- mutations ---------------------------------------------------------------------------------------------------


@pytest.fixture
def a_class(wire: Wire, root: str, todo: int) -> dict[str, Any]:
    data = {"name": uuid4().hex, "tenantid": todo, "inherit": "none"}
    return dict(wire.control(root, CREATE_CLASS, {"data": data})["create_role_class"])


@pytest.fixture
def a_rule(wire: Wire, root: str) -> dict[str, Any]:
    data = {"name": "test", "filter": "listid = -1", "capabilities": ["select"], "targets": ["list"], "roles": ["1"]}
    data["roles"] = [wire.control(root, "{ role(filter: \"login = 'root'\") { roleid } }")["role"][0]["roleid"]]
    return dict(wire.control(root, CREATE_RULE, {"data": data})["create_policy_rule"])


@pytest.mark.parametrize("declared", ["roleInput", "roleInput!"])
def test_input_may_be_declared_nullable_or_not(wire: Wire, root: str, todo: int, declared: str) -> None:
    data = {"tenantid": str(todo), "login": uuid4().hex, "name": "A", "password": PASSWORD}
    create = f"mutation ($data: {declared}) {{ create_role(input: $data) {{ roleid name }} }}"
    update = f"mutation ($data: {declared}, $id: ID!) {{ update_role(roleid: $id, input: $data) {{ roleid name }} }}"

    made = wire.control(root, create, {"data": data})["create_role"]
    changed = wire.control(root, update, {"data": data | {"name": "B", "password": None}, "id": int(made["roleid"])})

    assert changed["update_role"] == {"roleid": made["roleid"], "name": "B"}


@pytest.mark.parametrize("missing", ["tenantid", "login", "name"])
def test_a_role_input_needs_tenant_login_and_name(wire: Wire, root: str, todo: int, missing: str) -> None:
    data = {"tenantid": todo, "login": uuid4().hex, "name": "A"}
    del data[missing]

    error = wire.refused(root, CREATE_ROLE, {"data": data}, "/roles_pbac")

    assert error["status"] == 400
    assert missing in error["message"]


def test_a_role_created_without_capabilities_gets_the_normal_ones_and_logs_in(wire: Wire, root: str, todo: int) -> None:
    data = {"tenantid": todo, "login": uuid4().hex, "name": "A", "password": PASSWORD}

    wire.control(root, CREATE_ROLE, {"data": data})

    assert wire.post("/auth", {name: data[name] for name in ("tenantid", "login", "password")}).status_code == 200
    role = wire.control(
        root, "query ($f: String) { role(filter: $f) { capabilities } }", {"f": f"login = '{data['login']}'"}
    )
    assert set(role["role"][0]["capabilities"]) == {
        "delete", "download", "insert", "login", "select", "update", "upload"
    }  # fmt: skip


def test_onconflict_is_taken_by_creates(wire: Wire, root: str, todo: int) -> None:
    document = "mutation ($data: roleInput) { create_role(input: $data, onconflict: fail) { login } }"
    data = {"tenantid": todo, "login": uuid4().hex, "name": "A"}

    assert wire.control(root, document, {"data": data}) == {"create_role": {"login": data["login"]}}


def test_classes_of_a_role_are_set_by_numbers_or_numeric_texts(
    wire: Wire, root: str, todo: int, a_class: dict[str, Any]
) -> None:
    for classes in ([a_class["classid"]], int(a_class["classid"])):
        data = {"tenantid": todo, "login": uuid4().hex, "name": "A", "classes": classes}
        made = wire.control(root, CREATE_ROLE, {"data": data})["create_role"]
        assert made["classes"] == [{"classid": a_class["classid"]}]


def test_a_deleted_role_is_flagged_and_shut_out(wire: Wire, root: str, person: Person) -> None:
    gone = wire.control(root, f"mutation {{ delete_role(roleid: {person.role_id}) {{ roleid deleted }} }}")

    assert gone == {"delete_role": {"roleid": str(person.role_id), "deleted": True}}
    assert wire.post("/auth", person.login.body()).status_code in {403, 404}
    assert wire.post("/query", {"query": "{ __typename }"}, person.token).status_code == 401


def test_a_class_is_changed_and_deleted(
    wire: Wire, root: str, todo: int, person: Person, a_class: dict[str, Any]
) -> None:
    update = """mutation ($data: role_classInput, $id: ID!) {
      update_role_class(input: $data, classid: $id) { classid name inherit members { roleid } } }"""
    data = {"name": uuid4().hex, "tenantid": todo, "inherit": "FULL", "members": [str(person.role_id)]}

    changed = wire.control(root, update, {"data": data, "id": a_class["classid"]})["update_role_class"]
    delete = "mutation ($id: ID!) { delete_role_class(classid: $id) { classid name } }"
    gone = wire.control(root, delete, {"id": a_class["classid"]})["delete_role_class"]

    assert changed == {
        "classid": a_class["classid"],
        "name": data["name"],
        "inherit": "full",
        "members": [{"roleid": str(person.role_id)}],
    }
    assert gone == {"classid": a_class["classid"], "name": data["name"]}
    assert wire.refused(root, delete, {"id": a_class["classid"]}, "/roles_pbac")["data"] is None


def test_a_rule_is_created_for_the_tokens_tenant_changed_and_deleted(
    wire: Wire, root: str, todo: int, a_rule: dict[str, Any]
) -> None:
    update = """mutation ($data: policy_ruleInput, $id: ID!) {
      update_policy_rule(input: $data, ruleid: $id) { name filter capabilities targets } }"""
    assert (a_rule["tenantid"], a_rule["filter"], a_rule["targets"]) == (todo, "listid = -1", ["list"])
    assert len(a_rule["roles"]) == 1
    assert a_rule["classes"] == []

    data = {"name": "changed", "filter": "", "capabilities": ["select", "update"], "targets": ["public.list", "item"]}
    changed = wire.control(root, update, {"data": data, "id": a_rule["ruleid"]})["update_policy_rule"]
    gone = wire.control(root, f"mutation {{ delete_policy_rule(ruleid: {a_rule['ruleid']}) {{ ruleid name }} }}")

    assert changed["name"] == "changed"
    assert changed["filter"] in ("", None)
    assert (set(changed["capabilities"]), set(changed["targets"])) == ({"select", "update"}, {"public.list", "item"})
    assert gone == {"delete_policy_rule": {"ruleid": a_rule["ruleid"], "name": "changed"}}
    left = wire.control(root, f'{{ policy_rule(filter: "ruleid = {a_rule["ruleid"]}") {{ ruleid }} }}')
    assert left == {"policy_rule": []}


@pytest.mark.parametrize(
    "change",
    [
        {"capabilities": []},
        {"targets": []},
        {"capabilities": ["fly"]},
        {"targets": ["nowhere"]},
        {"filter": "listid ="},
        {"filter": "nope = 1"},
        {"tenantid": 1},
        {"roles": ["999999"]},
    ],
)
def test_a_rule_that_would_not_grant_what_it_says_is_refused(wire: Wire, root: str, change: dict[str, Any]) -> None:
    data: dict[str, Any] = {"name": "bad", "capabilities": ["select"], "targets": ["list"], "filter": "listid = 1"}

    assert wire.refused(root, CREATE_RULE, {"data": data | change}, "/roles_pbac")["data"] is None
    assert wire.control(root, "{ policy_rule(filter: \"name = 'bad'\") { ruleid } }") == {"policy_rule": []}


def test_a_new_rule_opens_and_its_removal_shuts_at_once(wire: Wire, root: str, nobody: str) -> None:
    made = wire.control(
        root, CREATE_RULE, {"data": {"name": "open", "capabilities": ["select"], "targets": ["status_value"]}}
    )["create_policy_rule"]
    document = "{ status_value(limit: 1) { statusid } }"

    assert len(wire.ask(nobody, document)["status_value"]) == 1
    wire.control(root, f"mutation {{ delete_policy_rule(ruleid: {made['ruleid']}) {{ ruleid }} }}")
    assert wire.refused(nobody, document)["data"] is None


def test_contact_details_of_a_role_are_created_changed_read_and_deleted(wire: Wire, root: str, person: Person) -> None:
    data = {"roleid": person.role_id} | {name: name for name in SIX}
    create = (
        "mutation ($d: role_contactinfoInput) { create_role_contactinfo(input: $d) { roleid role { login } city } }"
    )
    update = """mutation ($d: role_contactinfoInput, $j: ID!) {
      update_role_contactinfo(input: $d, roleid: $j) { city email } }"""
    delete = "mutation ($j: ID!) { delete_role_contactinfo(roleid: $j) { roleid city } }"

    made = wire.control(root, create, {"d": data})["create_role_contactinfo"]
    changed = wire.control(root, update, {"d": data | {"city": "new"}, "j": person.role_id})["update_role_contactinfo"]
    seen = wire.control(person.token, "{ role { contactinfo { city phone } } role_contactinfo { roleid } }")
    gone = wire.control(root, delete, {"j": person.role_id})["delete_role_contactinfo"]

    assert made == {"roleid": str(person.role_id), "role": {"login": person.login.login}, "city": "city"}
    assert changed == {"city": "new", "email": "email"}
    assert seen["role"] == [{"contactinfo": {"city": "new", "phone": "phone"}}]
    assert seen["role_contactinfo"] == [{"roleid": str(person.role_id)}]
    assert gone == {"roleid": str(person.role_id), "city": "new"}


def test_introspect_gives_the_query_schema_of_the_caller(wire: Wire, root: str, person: Person) -> None:
    for token, sees_all in ((root, True), (person.token, False)):
        told = wire.control(token, "{ Utility { introspect } }")["Utility"]["introspect"]
        assert set(told) == {"gql", "json"}
        fields = Introspected({each["name"]: each for each in told["json"]["__schema"]["types"]}).fields("Mutation")
        assert ("delete_status_value" in fields) is sees_all
        assert ("delete_status_value" in build_schema(told["gql"]).type_map["Mutation"].fields) is sees_all


def test_a_visitor_and_a_user_change_nothing_of_the_policy(wire: Wire, root: str, nobody: str, person: Person) -> None:
    root_id = wire.control(root, "{ role(filter: \"login = 'root'\") { roleid } }")["role"][0]["roleid"]
    attempts = [
        'mutation { create_policy_rule(input: {name: "x", capabilities: ["select"], targets: ["list"]}) { ruleid } }',
        "mutation { delete_policy_rule(ruleid: 1) { ruleid } }",
        f"mutation {{ delete_role(roleid: {root_id}) {{ roleid }} }}",
        'mutation { create_role_class(input: {name: "x", tenantid: 2, inherit: "none"}) { classid } }',
        "mutation { delete_role_class(classid: 1) { classid } }",
    ]
    for token in (nobody, person.token):
        for document in attempts:
            assert wire.refused(token, document, path="/roles_pbac")["data"] is None
