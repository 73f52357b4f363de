"""The semantics of policy, rule by rule, as clients of the wire rely on them. The numbers are those of the contract."""

import pytest

from schema.principal import CAPABILITIES, NORMAL_CAPABILITIES
from tests.houses import CREATE_CLASS, CREATE_ROLE, CREATE_RULE, House, Member, code_of
from tests.wire import PASSWORD, decode

pytestmark = pytest.mark.server

CREATE_NOTE = "mutation ($i: noteInput) { create_note(input: $i) { id body } }"
UPDATE_NOTE = "mutation ($i: noteInput, $id: ID!) { update_note(id: $id, input: $i) { id body } }"
DELETE_NOTE = "mutation ($id: ID!) { delete_note(id: $id) { id } }"
# Of what it cannot select a caller is given the key alone.
EVERY_OPERATION: dict[str, tuple[str, dict[str, object]]] = {
    "select": ("{ note { id } }", {}),
    "insert": (CREATE_NOTE.replace("body }", "}"), {"i": {"id": 9, "body": "nine", "size": 9}}),
    "update": (UPDATE_NOTE.replace("body }", "}"), {"id": 1, "i": {"body": "changed"}}),
    "delete": (DELETE_NOTE, {"id": 3}),
}
NORMAL = sorted(NORMAL_CAPABILITIES)


def works(house: House, token: str, operation: str) -> bool:
    """Whether the bearer may do an operation of EVERY_OPERATION."""
    document, variables = EVERY_OPERATION[operation]
    body = house.wire.post("/query", {"query": document, "variables": variables}, token).json()
    return "errors" not in body


# --- existence and default ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("operation", EVERY_OPERATION)
def test_rule_1_without_an_applicable_rule_every_operation_is_refused(house: House, operation: str) -> None:
    bound = house.member(*NORMAL)
    house.rule(targets="team", to=bound)
    document, variables = EVERY_OPERATION[operation]

    refused = house.refused(bound, document, variables)
    unknown = house.refused(bound, document.replace("note", "nowt"), variables)

    assert refused["data"] is None
    assert refused["status"] == unknown["status"]
    assert refused["message"].replace("note", "nowt") == unknown["message"]


def test_rule_2_rules_only_grant(house: House) -> None:
    member = house.member(*NORMAL)
    house.rule(to=member)

    before = house.ids(member)
    house.rule(only="id = 1", to=member)
    house.rule(only="1 = 2", to=member)

    assert before == house.ids(member) == [1, 2, 3]


@pytest.mark.parametrize("missing", [{"capabilities": []}, {"targets": []}, {"capabilities": None}, {"targets": None}])
def test_rule_3_a_rule_has_a_capability_and_a_target(house: House, missing: dict[str, object]) -> None:
    given: dict[str, object] = {"name": "a rule", "capabilities": ["select"], "targets": ["note"]}

    refused = house.control_refused(house.root, CREATE_RULE, {"i": given | missing})
    made = house.control(house.root, CREATE_RULE, {"i": given})

    assert refused["data"] is None
    assert made["create_policy_rule"]["ruleid"]


@pytest.mark.parametrize("operation", EVERY_OPERATION)
def test_rule_4_root_bypasses_policy_in_its_own_tenant_alone(house: House, neighbour: House, operation: str) -> None:
    stranger = neighbour.member("login")

    assert works(house, house.root.token, operation)
    assert house.control(house.root, f'{{ role(filter: "roleid = {stranger.role_id}") {{ login }} }}')["role"] == []
    refused = house.control_refused(house.root, f"{{ Utility {{ role_token(roleid: {stranger.role_id}) }} }}")
    assert refused["message"] == "Role is not in this tenant."
    assert neighbour.ids(neighbour.root) == [1, 2, 3]


@pytest.mark.parametrize("operation", EVERY_OPERATION)
def test_rule_5_a_role_with_capability_admin_bypasses_rules_within_the_tenant(
    house: House, neighbour: House, operation: str
) -> None:
    administrator = house.member("admin")
    stranger = neighbour.member("login")

    assert works(house, administrator.token, operation)
    refused = house.control_refused(administrator, f"mutation {{ delete_role(roleid: {stranger.role_id}) {{ name }} }}")
    assert code_of(refused) == "NO_SUCH_ROW"


# --- scope -------------------------------------------------------------------------------------------------------


def test_rule_6_a_rule_naming_role_ids_applies_to_these_roles(house: House) -> None:
    named, other = house.member(*NORMAL), house.member(*NORMAL)
    house.rule(to=named)

    assert house.ids(named) == [1, 2, 3]
    assert house.refused(other, "{ note { id } }")["data"] is None


def test_rule_7_a_rule_naming_classes_applies_to_members_of_any_of_them(house: House) -> None:
    first, second, third = house.role_class(), house.role_class(), house.role_class()
    in_first, in_second, in_third = (house.member(*NORMAL, classes=[each]) for each in (first, second, third))
    house.rule(classes=[first, second])

    assert house.ids(in_first) == house.ids(in_second) == [1, 2, 3]
    assert house.refused(in_third, "{ note { id } }")["data"] is None


def test_rule_8_a_rule_with_neither_is_for_every_role_of_the_tenant(house: House) -> None:
    member, nobody = house.member(*NORMAL), house.enable_anonymous()
    house.rule()

    assert house.ids(member) == house.ids(nobody) == [1, 2, 3]


def test_rule_9_of_two_lists_matching_either_is_enough(house: House) -> None:
    class_id = house.role_class()
    listed, classed, neither = house.member(*NORMAL), house.member(*NORMAL, classes=[class_id]), house.member(*NORMAL)
    house.rule(to=listed, classes=[class_id])

    assert house.ids(listed) == house.ids(classed) == [1, 2, 3]
    assert house.refused(neither, "{ note { id } }")["data"] is None


@pytest.mark.parametrize(
    ("target", "field", "ids"),
    [
        ("note", "note", [1, 2, 3]),
        ("public.note", "note", [1, 2, 3]),
        ("short_note", "short_note", [1]),
        ("public.short_note", "short_note", [1]),
        ("side.memo", "memo", [1]),
        ("memo", "memo", [1]),
    ],
)
def test_rule_10_a_target_is_a_table_or_view_with_its_schema_or_without(
    house: House, target: str, field: str, ids: list[int]
) -> None:
    member = house.member(*NORMAL)
    house.rule(targets=target, to=member)

    assert house.ids(member, field) == ids
    for other in {"note", "short_note", "memo", "team"} - {field}:
        assert house.refused(member, f"{{ {other} {{ id }} }}")["data"] is None


def test_rule_11_control_objects_are_targets_too(house: House) -> None:
    nobody = house.enable_anonymous()
    newcomer = {"tenantid": house.tenant_id, "login": "new", "name": "New", "password": PASSWORD}

    before = house.control_refused(nobody, CREATE_ROLE, {"i": newcomer})
    house.rule("create_role", "roles_pbac.roles", to=nobody)
    made = house.control(nobody, CREATE_ROLE, {"i": newcomer})

    assert code_of(before) == "ACCESS_DENIED"
    assert made["create_role"]["roleid"]


@pytest.mark.parametrize("capability", EVERY_OPERATION)
def test_rule_12_a_rule_applies_to_its_capabilities_alone(house: House, capability: str) -> None:
    member = house.member(*NORMAL)
    house.rule(capability, to=member)

    assert {operation for operation in EVERY_OPERATION if works(house, member.token, operation)} == {capability}


def test_rule_13_rules_never_cross_tenants(house: House, neighbour: House) -> None:
    member = house.member(*NORMAL)
    neighbour.rule()
    foreign = {"name": "x", "capabilities": ["select"], "targets": ["note"]}

    by_role = neighbour.control_refused(neighbour.root, CREATE_RULE, {"i": foreign | {"roles": [member.role_id]}})
    by_class = neighbour.control_refused(
        neighbour.root, CREATE_RULE, {"i": foreign | {"classes": [house.role_class(member)]}}
    )

    assert house.refused(member, "{ note { id } }")["data"] is None
    assert by_role["data"] is None
    assert by_class["data"] is None


# --- capability gate ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("capability", ["insert", "update", "delete"])
def test_rule_14_the_role_itself_must_hold_the_capability(house: House, capability: str) -> None:
    holder, other = house.member("select", capability), house.member("select")
    house.rule(["select", "insert", "update", "delete"])

    assert not works(house, other.token, capability)
    assert works(house, holder.token, capability)


def test_rule_14_select_is_implied_where_the_role_has_no_capabilities_at_all(house: House) -> None:
    none = house.member("login")
    update = "mutation ($i: roleInput, $id: ID!) { update_role(roleid: $id, input: $i) { capabilities } }"
    given = {"tenantid": house.tenant_id, "login": none.login, "name": "A role", "capabilities": []}
    house.rule(["select", "insert"])

    left_out = house.refused(none, "{ note { id } }")
    house.control(house.root, update, {"id": none.role_id, "i": given})
    token = house.token_of(none.role_id)

    assert left_out["data"] is None
    assert works(house, token, "select")
    assert not works(house, token, "insert")


@pytest.mark.parametrize("capability", [each for each in CAPABILITIES if each not in ("login", "admin")])
def test_rule_15_each_operation_takes_its_own_capability(house: House, capability: str) -> None:
    member = house.member(capability)
    house.rule(capability, to=member)

    expected = {capability} & set(EVERY_OPERATION)
    assert {operation for operation in EVERY_OPERATION if works(house, member.token, operation)} == expected


def test_rule_16_login_is_needed_to_log_in(house: House) -> None:
    can, cannot = house.member("login", can_log_in=True), house.member("select", can_log_in=True)

    def status(login: str) -> int:
        body = {"tenantid": house.tenant_id, "login": login, "password": PASSWORD}
        return house.wire.post("/auth?schema=none", body).status_code

    assert status(can.login) == 200
    assert status(cannot.login) == 403
    assert status(f"nobody{house.tenant_id}") == 404


# --- choosing among several applicable rules ---------------------------------------------------------------------


def test_rule_17_the_most_specific_rule_counts_alone(house: House) -> None:
    house.choose("most_specific")
    class_id = house.role_class()
    by_role, by_class, by_none = (house.member(*NORMAL, classes=each) for each in ([class_id], [class_id], []))
    several = ["note", "team"]

    house.rule("select", several, "id = 3")
    assert house.ids(by_role) == house.ids(by_class) == house.ids(by_none) == [3]
    house.rule("select", "note", "id < 3")
    assert house.ids(by_role) == house.ids(by_class) == house.ids(by_none) == [1, 2]
    house.rule("select", several, "id > 1", classes=[class_id])
    assert (house.ids(by_role), house.ids(by_class), house.ids(by_none)) == ([2, 3], [2, 3], [1, 2])
    house.rule("select", "note", "id = 2", classes=[class_id])
    assert (house.ids(by_role), house.ids(by_class), house.ids(by_none)) == ([2], [2], [1, 2])
    house.rule("select", several, "id = 1 or id = 3", to=by_role)
    assert (house.ids(by_role), house.ids(by_class), house.ids(by_none)) == ([1, 3], [2], [1, 2])
    house.rule("select", "note", "id = 1", to=by_role)
    assert (house.ids(by_role), house.ids(by_class), house.ids(by_none)) == ([1], [2], [1, 2])


def test_rule_17_without_that_choice_rules_add_up(house: House) -> None:
    member = house.member(*NORMAL)
    house.rule("select", "note", "size = 30")
    house.rule("select", "note", "size = 10", to=member)

    assert house.ids(member) == [1, 3]


def test_rule_18_of_one_level_the_rule_without_a_filter_is_used(house: House) -> None:
    house.choose("most_specific")
    member = house.member(*NORMAL)
    house.rule("select", "note", "size = 10")
    house.rule("select", "note")

    assert house.ids(member) == [1, 2, 3]
    house.rule("select", "note", "size = 20", to=member)
    assert house.ids(member) == [2]


@pytest.mark.parametrize("operation", EVERY_OPERATION)
def test_rule_19_several_filtered_rules_of_one_level_are_an_error(house: House, operation: str) -> None:
    house.choose("most_specific")
    member = house.member(*NORMAL)
    house.rule(operation, "note", "size > 0", to=member)
    assert works(house, member.token, operation)
    house.rule(operation, "note", "size > 1", to=member)

    document, variables = EVERY_OPERATION[operation]
    refused = house.refused(member, document, variables)

    assert (code_of(refused), refused["data"]) == ("RULES_AMBIGUOUS", None)
    assert house.ids(house.root)


def test_rule_19_holds_for_nested_fields_filter_paths_and_aggregates(house: House) -> None:
    house.choose("most_specific")
    member = house.member(*NORMAL)
    house.rule("select", "note", to=member)
    house.rule("select", "team", "id = 1", to=member)
    house.rule("select", "team", "id = 2", to=member)

    assert house.ids(member) == [1, 2, 3]
    for document in (
        "{ note { team { name } } }",
        "{ note(filter: \"team.name = 'Red'\") { id } }",
        '{ note(ordering: "team.name") { id } }',
        '{ Aggregates { count(subquery: "{ team { id } }") } }',
    ):
        assert house.code(member, document) == "RULES_AMBIGUOUS"


# --- filters -----------------------------------------------------------------------------------------------------


def test_rule_20_the_filter_of_a_rule_is_added_to_the_clients(house: House) -> None:
    member = house.member(*NORMAL)
    house.rule(only="size > 15", to=member)

    assert house.ids(member) == [2, 3]
    assert house.ask(member, '{ note(filter: "size < 25") { id } }') == {"note": [{"id": "2"}]}
    assert house.ask(member, '{ note(filter: "size < 15 or id = 1") { id } }') == {"note": []}


def test_rule_21_a_new_row_must_satisfy_the_filter(house: House) -> None:
    member = house.member(*NORMAL)
    house.rule(["select", "insert"], only="owner = $_PRINCIPAL.roleid", to=member)
    note = {"id": 9, "body": "nine", "size": 1}

    for owner in (None, house.root.role_id):
        refused = house.refused(member, CREATE_NOTE, {"i": note | {"owner": owner}})
        assert (code_of(refused), refused["data"]) == ("POLICY_VIOLATED", None)
    assert house.ids(house.root) == [1, 2, 3]

    made = house.ask(member, CREATE_NOTE, {"i": note | {"owner": member.role_id}})
    assert made == {"create_note": {"id": "9", "body": "nine"}}


def test_rule_22_a_row_must_satisfy_the_filter_before_and_after_a_change(house: House) -> None:
    member = house.member(*NORMAL)
    house.rule("select", to=member)
    house.rule("update", only="size > 15", to=member)

    outside = house.code(member, UPDATE_NOTE, {"id": 1, "i": {"size": 99}})
    leaving = house.code(member, UPDATE_NOTE, {"id": 2, "i": {"size": 1}})
    house.ask(member, UPDATE_NOTE, {"id": 2, "i": {"size": 99}})

    assert (outside, leaving) == ("NOT_FOUND", "POLICY_VIOLATED")
    sizes = house.ask(house.root, '{ note(ordering: "id") { size } }')["note"]
    assert [row["size"] for row in sizes] == [10, 99, 30]


def test_rule_22_an_upsert_satisfies_the_filters_of_both_capabilities(house: House) -> None:
    member = house.member(*NORMAL)
    house.rule(["select", "insert"], to=member)
    house.rule("update", only="size > 15", to=member)
    upsert = CREATE_NOTE.replace("(input: $i)", "(input: $i, onconflict: update)")

    hidden = house.refused(member, upsert, {"i": {"id": 1, "body": "mine", "size": 20}})
    leaving = house.refused(member, upsert, {"i": {"id": 2, "body": "mine", "size": 1}})
    house.ask(member, upsert, {"i": {"id": 3, "body": "mine", "size": 40}})

    assert hidden["data"] is None
    assert leaving["data"] is None
    bodies = house.ask(house.root, '{ note(ordering: "id") { body } }')["note"]
    assert [row["body"] for row in bodies] == ["one", "two", "mine"]


def test_rule_23_a_row_must_satisfy_the_filter_to_be_deleted(house: House) -> None:
    member = house.member(*NORMAL)
    house.rule("select", to=member)
    house.rule("delete", only="size > 25", to=member)

    refused = house.code(member, DELETE_NOTE, {"id": 2})
    house.ask(member, DELETE_NOTE, {"id": 3})

    assert refused == house.code(member, DELETE_NOTE, {"id": 77}) == "NOT_FOUND"
    assert house.ids(house.root) == [1, 2]


@pytest.mark.parametrize(
    ("column", "attribute"),
    [
        ("owner", "roleid"),
        ("owner", "children"),
        ("owner", "parentid"),
        ("size", "classes"),
        ("body", "capabilities"),
        ("size", "tenantid"),
    ],
)
def test_rule_24_principal_is_whoever_asks_when_it_asks(house: House, column: str, attribute: str) -> None:
    parent = house.member(*NORMAL)
    class_id = house.role_class()
    member = house.member(*NORMAL, "view_role", parent=parent, classes=[class_id])
    child, other = house.member(parent=member), house.member(*NORMAL)
    values = {
        "roleid": member.role_id,
        "children": child.role_id,
        "parentid": parent.role_id,
        "classes": class_id,
        "capabilities": "view_role",
        "tenantid": house.tenant_id,
    }
    # The sizes that the notes have could be ids by chance.
    for number in (1, 2, 3):
        house.ask(house.root, UPDATE_NOTE, {"id": number, "i": {"size": -number}})
    house.ask(house.root, UPDATE_NOTE, {"id": 2, "i": {column: values[attribute]}})
    is_list = attribute in {"children", "classes", "capabilities"}
    house.rule(only=f"{column} {'in' if is_list else '='} $_PRINCIPAL.{attribute}")

    assert house.ids(member) == [2]
    assert house.ids(other) == ([2] if attribute == "tenantid" else [])


def test_rule_24_a_change_of_the_role_counts_for_tokens_it_has_already(house: House) -> None:
    member = house.member(*NORMAL)
    child = house.member(parent=member)
    house.ask(house.root, UPDATE_NOTE, {"id": 2, "i": {"owner": child.role_id}})
    house.rule(only="owner in $_PRINCIPAL.children")
    given = {"tenantid": house.tenant_id, "login": child.login, "name": "A role", "parentid": None}

    before = house.ids(member)
    house.control(
        house.root,
        "mutation ($i: roleInput, $id: ID!) { update_role(roleid: $id, input: $i) { parentid } }",
        {"id": child.role_id, "i": given},
    )

    assert (before, house.ids(member)) == ([2], [])


def test_rule_25_policy_applies_to_nested_fields_in_both_directions(house: House) -> None:
    member = house.member(*NORMAL)
    house.rule("select", "note", "id != 3", to=member)
    house.rule("select", "team", "id = 2", to=member)

    notes = house.ask(member, '{ note(ordering: "id") { id team { name } } }')["note"]
    teams = house.ask(member, "{ team { name note_collection { id } } }")["team"]

    assert notes == [{"id": "1", "team": None}, {"id": "2", "team": None}]
    assert teams == [{"name": "Blue", "note_collection": []}]


def test_rule_25_policy_applies_to_both_tables_of_a_filter_path(house: House) -> None:
    member = house.member(*NORMAL)
    house.rule("select", "note", to=member)
    house.rule("select", "team", "id = 2", to=member)

    def found(name: str) -> list[dict[str, str]]:
        return house.ask(member, f"{{ note(filter: \"team.name = '{name}'\") {{ id }} }}")["note"]

    assert found("Blue") == [{"id": "3"}]
    assert found("Red") == found("Grey") == []


def test_rule_25_policy_applies_to_the_filter_path_of_a_rule_as_the_rule_says_it(house: House) -> None:
    member = house.member(*NORMAL)
    house.rule("select", "note", "team.name = 'Red'", to=member)

    assert house.ids(member) == [1, 2]
    assert house.refused(member, "{ team { id } }")["data"] is None


def test_rule_25_policy_applies_to_aggregates_and_their_subqueries(house: House) -> None:
    member = house.member(*NORMAL)
    house.rule("select", "note", "id != 3", to=member)
    house.rule("select", "team", "id = 2", to=member)

    def one(function: str, subquery: str) -> list[dict[str, object]]:
        return house.ask(member, f'{{ Aggregates {{ {function}(subquery: "{subquery}") }} }}')["Aggregates"][function]

    assert one("count", "{ note { id } }") == [{"count": 2}]
    assert one("sum", "{ note { size } }") == [{"sum": 30}]
    assert one("max", "{ note { size } }") == [{"max": 20}]
    assert one("count", "{ note { id team { name } } }") == [{"count": 2, "team_name": None}]
    assert house.refused(member, '{ Aggregates { count(subquery: "{ tag { id } }") } }')["data"] is None


def test_rule_25_policy_applies_to_what_a_mutation_gives_back(house: House) -> None:
    member = house.member(*NORMAL)
    house.rule(["insert", "update"], "note", to=member)
    house.rule("select", "note", "size > 15", to=member)
    house.rule("select", "team", "id = 2", to=member)
    result = "{ id body team { name note_collection { id } } }"
    create = f"mutation ($i: noteInput) {{ create_note(input: $i) {result} }}"
    update = f"mutation ($i: noteInput, $id: ID!) {{ update_note(id: $id, input: $i) {result} }}"

    red = house.ask(member, create, {"i": {"id": 9, "body": "nine", "size": 90, "team_id": 1}})["create_note"]
    blue = house.ask(member, update, {"id": 9, "i": {"team_id": 2}})["update_note"]

    assert red == {"id": "9", "body": "nine", "team": None}
    assert blue["team"] == {"name": "Blue", "note_collection": [{"id": "3"}, {"id": "9"}]}
    assert house.ask(member, create, {"i": {"id": 8, "body": "eight", "size": 1}})["create_note"] is None


def test_rule_25_policy_applies_to_the_table_between_two_others(house: House) -> None:
    member = house.member(*NORMAL)
    house.rule("select", ["note", "tag"], to=member)
    fields = house.ask(house.root, '{ __type(name: "note") { fields { name } } }')["__type"]["fields"]
    [tags] = [each["name"] for each in fields if each["name"].startswith("tag")]
    document = f'{{ note(filter: "id = 1") {{ {tags} {{ id }} }} }}'

    assert len(house.ask(house.root, document)["note"][0][tags]) == 2
    assert house.refused(member, document)["data"] is None
    house.rule("select", "note_tag", "tag_id = 2", to=member)
    assert house.ask(member, document)["note"] == [{tags: [{"id": "2"}]}]


def test_rule_26_a_nested_target_that_cannot_be_read_is_empty_and_no_failure(house: House) -> None:
    member = house.member(*NORMAL)
    house.rule("select", "note", to=member)
    house.rule("select", "team", "1 = 2", to=member)

    notes = house.ask(member, "{ note(limit: 1) { team { name note_collection { id } } } }")

    assert notes == {"note": [{"team": None}]}


def test_rule_27_a_rule_that_lists_no_columns_grants_the_whole_row(house: House) -> None:
    member = house.member(*NORMAL)
    house.rule("select", "note", to=member)

    row = house.ask(member, '{ note(filter: "id = 1") { id team_id owner body size } }')["note"]

    assert row == [{"id": "1", "team_id": 1, "owner": None, "body": "one", "size": 10}]


# --- roles and classes -------------------------------------------------------------------------------------------


def test_rule_28_a_role_has_its_attributes(house: House) -> None:
    parent = house.member(*NORMAL)
    class_id = house.role_class()
    member = house.member("select", parent=parent, classes=[class_id])
    attributes = "roleid name createtime parentid creatorid capabilities classes { classid } password_setby"

    def row(role_id: int) -> dict[str, object]:
        found = house.control(house.root, f'{{ role(filter: "roleid = {role_id}") {{ {attributes} }} }}')["role"]
        return dict(found[0])

    of_member, of_root = row(member.role_id), row(house.root.role_id)
    assert of_member.pop("createtime")
    assert of_member == {
        "roleid": str(member.role_id),
        "name": "A role",
        "parentid": parent.role_id,
        "creatorid": house.root.role_id,
        "capabilities": ["select"],
        "classes": [{"classid": str(class_id)}],
        "password_setby": house.root.role_id,
    }
    assert (of_root["parentid"], of_root["creatorid"]) == (None, 0)


def test_rule_29_a_role_sees_itself_and_its_children_and_others_with_view_role(house: House) -> None:
    member = house.member(*NORMAL, "view_role", "view_class")
    child = house.member(*NORMAL, parent=member)
    grandchild = house.member(*NORMAL, parent=child)
    mine, other = house.role_class(member), house.role_class()

    def seen() -> tuple[set[str], set[str]]:
        answer = house.control(member, "{ role { roleid } role_class { classid } }")
        return {each["roleid"] for each in answer["role"]}, {each["classid"] for each in answer["role_class"]}

    before = seen()
    house.rule("view_role", "roles_pbac.roles", f"roleid = {grandchild.role_id}", to=member)
    house.rule("view_class", "roles_pbac.role_classes", to=member)

    assert before == ({str(member.role_id), str(child.role_id)}, {str(mine)})
    assert seen() == ({*before[0], str(grandchild.role_id)}, {str(mine), str(other)})


def test_rule_30_classes_only_scope_rules(house: House) -> None:
    class_id = house.role_class()
    inside, outside = house.member(*NORMAL, classes=[class_id]), house.member(*NORMAL)
    house.rule("select", "team", classes=[class_id])

    assert house.ids(inside, "team") == [1, 2]
    assert house.refused(outside, "{ team { id } }")["data"] is None
    assert not works(house, inside.token, "select")
    fields = house.control(house.root, '{ __type(name: "role_class") { fields { name } } }')["__type"]["fields"]
    assert {each["name"] for each in fields} == {
        "classid", "name", "tenantid", "creatorid", "createtime", "inherit", "members"
    }  # fmt: skip


@pytest.mark.parametrize(
    ("inherit", "by_itself", "by_root", "before"),
    [("none", False, False, False), ("create", True, False, False), ("full", True, True, True)],
)
def test_rule_31_a_class_passes_to_children_as_it_says(
    house: House, inherit: str, by_itself: bool, by_root: bool, before: bool
) -> None:
    maker = house.member(*NORMAL, "create_role")
    house.rule("create_role", "roles_pbac.roles", to=maker)
    there_before = house.member(*NORMAL, parent=maker)
    class_id = house.role_class(maker, inherit=inherit)
    house.rule(classes=[class_id])

    made_by_itself = house.member(*NORMAL, parent=maker, by=maker)
    made_by_root = house.member(*NORMAL, parent=maker)
    grandchild = house.member(*NORMAL, parent=made_by_root)
    no_child = house.member(*NORMAL)

    def in_class(member: Member) -> bool:
        return works(house, member.token, "select")

    assert in_class(maker)
    assert (in_class(made_by_itself), in_class(made_by_root), in_class(there_before)) == (by_itself, by_root, before)
    assert in_class(grandchild) is (inherit == "full")
    assert not in_class(no_child)


def test_rule_31_leaving_the_hierarchy_leaves_the_class(house: House) -> None:
    parent = house.member(*NORMAL)
    child = house.member(*NORMAL, parent=parent)
    house.rule(classes=[house.role_class(parent, inherit="full")])
    given = {"tenantid": house.tenant_id, "login": child.login, "name": "A role", "parentid": None}

    before = works(house, child.token, "select")
    house.control(
        house.root,
        "mutation ($i: roleInput, $id: ID!) { update_role(roleid: $id, input: $i) { parentid } }",
        {"id": child.role_id, "i": given},
    )

    assert before
    assert not works(house, child.token, "select")


def test_rule_32_a_role_cannot_grant_what_it_does_not_have(house: House) -> None:
    maker = house.member(*NORMAL, "create_role", "create_rule", "update_role")
    for capability, target in (
        ("create_role", "roles_pbac.roles"),
        ("update_role", "roles_pbac.roles"),
        ("create_rule", "roles_pbac.policy_rules"),
    ):
        house.rule(capability, target, to=maker)
    other = house.member("login")
    role = {"tenantid": house.tenant_id, "login": "made", "name": "Made"}
    update = "mutation ($i: roleInput, $id: ID!) { update_role(roleid: $id, input: $i) { roleid } }"

    for capabilities in (["admin"], ["login", "view_role"]):
        created = house.control_refused(maker, CREATE_ROLE, {"i": role | {"capabilities": capabilities}})
        changed = house.control_refused(
            maker, update, {"id": other.role_id, "i": role | {"login": other.login, "capabilities": capabilities}}
        )
        assert code_of(created) == code_of(changed) == "CAPABILITY_NOT_HELD"
    ruled = house.control_refused(
        maker, CREATE_RULE, {"i": {"name": "x", "capabilities": ["view_role"], "targets": ["roles_pbac.roles"]}}
    )
    own = house.control_refused(
        maker, update, {"id": maker.role_id, "i": role | {"login": maker.login, "capabilities": ["admin"]}}
    )
    assert code_of(ruled) == "CAPABILITY_NOT_HELD"
    assert code_of(own) == "ROLE_PROTECTED"
    assert house.control(maker, CREATE_ROLE, {"i": role | {"capabilities": ["create_role", "select"]}})


def test_rule_33_a_deleted_role_is_flagged_cannot_log_in_and_its_tokens_stop(house: House) -> None:
    member = house.member(*NORMAL, can_log_in=True)
    house.rule(to=member)
    body = {"tenantid": house.tenant_id, "login": member.login, "password": PASSWORD}
    entered = house.wire.post("/auth?schema=none", body).json()

    gone = house.control(house.root, f"mutation {{ delete_role(roleid: {member.role_id}) {{ deleted }} }}")

    assert gone == {"delete_role": {"deleted": True}}
    for token in (member.token, entered["access_token"]):
        assert house.wire.post("/query", {"query": "{ __typename }"}, token).status_code == 401
    assert house.wire.post("/auth?schema=none", body).status_code in {403, 404}
    headers = {"Authorization": f"Bearer {entered['refresh_token']}"}
    assert house.wire.client.get("/auth?schema=none", headers=headers).status_code == 401


# --- standing roles ----------------------------------------------------------------------------------------------


def test_rule_34_no_role_of_a_tenant_is_above_tenants(house: House, neighbour: House) -> None:
    assert house.control(house.root, "{ tenant { tenantid } }")["tenant"] == [{"tenantid": str(house.tenant_id)}]
    mutations = house.control(house.root, "{ __schema { mutationType { fields { name } } } }")["__schema"]
    assert not [each for each in mutations["mutationType"]["fields"] if "tenant" in each["name"]]
    given = {"tenantid": neighbour.tenant_id, "login": "x", "name": "X"}
    role = house.control_refused(house.root, CREATE_ROLE, {"i": given})
    role_class = house.control_refused(
        house.root, CREATE_CLASS, {"i": {"tenantid": neighbour.tenant_id, "name": "x", "inherit": "none"}}
    )
    assert code_of(role) == code_of(role_class) == "WRONG_TENANT"


def test_rule_35_root_comes_with_the_tenant_in_no_class_and_changes_its_own_password(house: House) -> None:
    _, claims = decode(house.root.token)
    found = house.control(
        house.root, f'{{ role(filter: "roleid = {house.root.role_id}") {{ login classes {{ name }} }} }}'
    )
    given = {"tenantid": house.tenant_id, "login": house.root.login, "name": "Root", "password": PASSWORD}
    update = "mutation ($i: roleInput, $id: ID!) { update_role(roleid: $id, input: $i) { name } }"
    administrator = house.member("admin")

    by_another = house.control_refused(administrator, update, {"id": house.root.role_id, "i": given})
    house.control(house.root, update, {"id": house.root.role_id, "i": given})

    assert claims["sub"] == {"roleid": house.root.role_id, "tenantid": house.tenant_id}
    assert found["role"] == [{"login": "root", "classes": []}]
    assert code_of(by_another) == "ROLE_PROTECTED"
    body = {"tenantid": house.tenant_id, "login": "root", "password": PASSWORD}
    assert house.wire.post("/auth?schema=none", body).status_code == 200
