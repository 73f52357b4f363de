"""create, update and delete on /query."""

import pytest

from tests.wire import Introspected, Person, Wire

pytestmark = pytest.mark.server

CREATE_LIST = "mutation ($i: listInput) { create_list(input: $i) { listid listname statusid } }"
UPDATE_LIST = "mutation ($i: listInput, $j: ID!) { update_list(input: $i, listid: $j) { listid listname statusid } }"
CREATE_ITEM = "mutation ($i: itemInput) { create_item(input: $i) { itemid itemname statusid } }"


@pytest.fixture
def own_list(wire: Wire, person: Person) -> str:
    made = wire.ask(person.token, CREATE_LIST, {"i": {"listname": "mine", "devii_roleid": person.role_id}})
    return str(made["create_list"]["listid"])


@pytest.mark.parametrize("table", ["devii_users", "item", "list", "status_value"])
def test_names_arguments_and_results_of_the_three_mutations(todo_schema: Introspected, table: str) -> None:
    key = {"devii_users": "userid", "item": "itemid", "list": "listid", "status_value": "statusid"}[table]
    fields = todo_schema.fields("Mutation")

    assert {fields[f"{verb}_{table}"] for verb in ("create", "update", "delete")} == {table}
    assert todo_schema.arguments("Mutation", f"create_{table}") == {
        "input": f"{table}Input",
        "onconflict": "OnConflict",
    }
    assert todo_schema.arguments("Mutation", f"update_{table}") == {"input": f"{table}Input", key: "ID!"}
    assert todo_schema.arguments("Mutation", f"delete_{table}") == {key: "ID!"}


def test_a_composite_key_is_one_argument_for_each_column(world: Wire, world_root: str) -> None:
    document = """mutation ($i: cast_membersInput, $f: ID!, $u: ID!) {
      update_cast_members(input: $i, film_id: $f, user_id: $u) { part film { title } devii_user { name } } }"""

    data = world.ask(world_root, document, {"i": {"part": "voice"}, "f": 2, "u": "103"})

    assert data["update_cast_members"] == {
        "part": "voice",
        "film": {"title": "Noon and after"},
        "devii_user": {"name": "Cy"},
    }


def test_an_input_type_has_every_column_and_requires_none(todo_schema: Introspected) -> None:
    assert todo_schema.fields("itemInput") == {
        "itemid": "ID",
        "itemname": "String",
        "listid": "Int",
        "statusid": "Int",
        "devii_roleid": "Int",
    }


def test_names_of_columns_in_mixed_case_are_kept_in_inputs(world: Wire, world_root: str) -> None:
    create = """mutation ($i: productsInput) { create_products(input: $i) {
      productCode note productline { textDescription } } }"""

    data = world.ask(world_root, create, {"i": {"productCode": "S99", "productLine": "Trains", "price": 1}})
    gone = world.ask(world_root, 'mutation { delete_products(productCode: "S99") { productCode price stock } }')

    assert data["create_products"] == {
        "productCode": "S99",
        "note": "none",
        "productline": {"textDescription": "On rails"},
    }
    assert gone["delete_products"] == {"productCode": "S99", "price": 1, "stock": 0}


@pytest.mark.parametrize("declared", ["itemInput", "itemInput!"])
def test_input_may_be_declared_nullable_or_not(wire: Wire, person: Person, own_list: str, declared: str) -> None:
    create = f"mutation ($i: {declared}) {{ create_item(input: $i) {{ itemid }} }}"
    update = f"mutation ($i: {declared}, $j: ID!) {{ update_item(input: $i itemid: $j) {{ itemname }} }}"

    given = {"itemname": "a", "listid": int(own_list), "devii_roleid": person.role_id}
    made = wire.ask(person.token, create, {"i": given})["create_item"]
    changed = wire.ask(person.token, update, {"i": {"itemname": "b"}, "j": made["itemid"]})

    assert changed == {"update_item": {"itemname": "b"}}


def test_arguments_come_in_any_order_and_without_commas(wire: Wire, person: Person, own_list: str) -> None:
    document = 'mutation { update_list(listid: %s input: {listname: "new" statusid: 2}) { listname statusid } }'

    assert wire.ask(person.token, document % own_list) == {"update_list": {"listname": "new", "statusid": 2}}


def test_a_created_row_has_its_generated_key_and_its_defaults(wire: Wire, person: Person) -> None:
    made = wire.ask(person.token, CREATE_LIST, {"i": {"listname": "mine", "devii_roleid": person.role_id}})

    row = made["create_list"]
    assert row["listid"].isdigit()
    assert (row["listname"], row["statusid"]) == ("mine", 1)


def test_an_update_changes_only_what_the_input_names(wire: Wire, person: Person, own_list: str) -> None:
    wire.ask(person.token, UPDATE_LIST, {"i": {"listname": "renamed"}, "j": own_list})
    data = wire.ask(person.token, UPDATE_LIST, {"i": {"statusid": 3}, "j": int(own_list)})

    assert data["update_list"] == {"listid": own_list, "listname": "renamed", "statusid": 3}


def test_a_relation_can_be_selected_on_the_result(wire: Wire, person: Person, own_list: str) -> None:
    data = wire.ask(
        person.token,
        "mutation ($i: itemInput) { create_item(input: $i) { itemname status_value { statusname } "
        "list { listname item_collection { itemname } } } }",
        {"i": {"itemname": "a", "listid": own_list, "statusid": "2", "devii_roleid": person.role_id}},
    )

    assert data["create_item"] == {
        "itemname": "a",
        "status_value": {"statusname": "In progress"},
        "list": {"listname": "mine", "item_collection": [{"itemname": "a"}]},
    }


def test_a_deleted_row_is_given_back_once_more(wire: Wire, person: Person, own_list: str) -> None:
    delete = "mutation ($j: ID!) { delete_list(listid: $j) { listid listname status_value { statusname } } }"

    data = wire.ask(person.token, delete, {"j": own_list})

    assert data["delete_list"] == {"listid": own_list, "listname": "mine", "status_value": {"statusname": "To do"}}
    assert wire.ask(person.token, f'{{ list(filter: "listid = {own_list}") {{ listid }} }}') == {"list": []}
    assert wire.refused(person.token, delete, {"j": own_list})["data"] is None


@pytest.mark.parametrize("extra", [{"__typename": "list"}, {"createtime": "2024-01-01"}, {"listName": "x"}])
def test_a_member_that_is_not_in_the_input_type_is_an_error(
    wire: Wire, person: Person, own_list: str, extra: dict[str, str]
) -> None:
    error = wire.refused(person.token, UPDATE_LIST, {"i": {"listname": "b"} | extra, "j": own_list})

    assert error["status"] == 400
    assert next(iter(extra)) in error["message"]


@pytest.mark.parametrize("verb", ["update", "delete"])
def test_mutations_take_no_filter(wire: Wire, root: str, verb: str) -> None:
    given = 'filter: "statusid = 1"' + (', input: {statusname: "x"}' if verb == "update" else "")

    error = wire.refused(root, f"mutation {{ {verb}_status_value({given}) {{ statusid }} }}")

    assert (error["status"], error["data"]) == (400, None)


def test_a_key_that_is_there_fails_by_default_and_when_told_to(wire: Wire, root: str) -> None:
    for told in ("", ", onconflict: fail"):
        document = f'mutation {{ create_status_value(input: {{statusid: 1, statusname: "x"}}{told}) {{ statusid }} }}'
        error = wire.refused(root, document)
        assert error["extensions"]["code"] == "UNIQUE_VIOLATED"
        assert error["data"] is None
    assert wire.ask(root, '{ status_value(filter: "statusid = 1") { statusname } }')["status_value"] == [
        {"statusname": "To do"}
    ]


def test_onconflict_update_changes_the_row_that_is_there(wire: Wire, person: Person, own_list: str) -> None:
    document = "mutation ($i: listInput) { create_list(onconflict: update, input: $i) { listid listname statusid } }"

    data = wire.ask(
        person.token, document, {"i": {"listid": own_list, "listname": "upserted", "devii_roleid": person.role_id}}
    )
    fresh = wire.ask(person.token, document, {"i": {"listname": "new", "devii_roleid": person.role_id}})

    assert data["create_list"] == {"listid": own_list, "listname": "upserted", "statusid": 1}
    assert fresh["create_list"]["listid"] != own_list


def test_onconflict_ignore_leaves_the_row_that_is_there(wire: Wire, root: str) -> None:
    data = wire.ask(
        root,
        'mutation { create_status_value(onconflict: ignore, input: {statusid: 1, statusname: "x"}) { statusname } }',
    )

    assert data["create_status_value"] in (None, {"statusname": "To do"})
    assert wire.ask(root, '{ status_value(filter: "statusid = 1") { statusname } }')["status_value"] == [
        {"statusname": "To do"}
    ]


def test_onconflict_may_be_a_variable_and_knows_three_words(wire: Wire, root: str, todo_schema: Introspected) -> None:
    document = """mutation ($how: OnConflict) {
      create_status_value(onconflict: $how, input: {statusid: 1, statusname: "To do"}) { statusid } }"""

    assert wire.ask(root, document, {"how": "update"}) == {"create_status_value": {"statusid": "1"}}
    assert wire.refused(root, document, {"how": "replace"})["status"] == 400
    assert [each["name"] for each in todo_schema.types["OnConflict"]["enumValues"]] == ["fail", "update", "ignore"]


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"listname": None}, "NOT_NULL_VIOLATED"),
        ({"statusid": 999}, "FOREIGN_KEY_VIOLATED"),
    ],
)
def test_a_broken_constraint_is_an_error_and_nothing_is_stored(
    wire: Wire, person: Person, own_list: str, given: dict[str, object], code: str
) -> None:
    error = wire.refused(person.token, UPDATE_LIST, {"i": given, "j": own_list})

    assert (error["status"], error["extensions"]["code"], error["data"]) == (200, code, None)
    row = wire.ask(person.token, f'{{ list(filter: "listid = {own_list}") {{ listname statusid }} }}')["list"][0]
    assert row == {"listname": "mine", "statusid": 1}


def test_the_fields_of_one_mutation_run_in_order_and_all_or_none(wire: Wire, person: Person) -> None:
    own = {"devii_roleid": person.role_id}
    both = "mutation ($a: listInput, $b: listInput) { a: create_list(input: $a) { listid } "
    both += "b: create_list(input: $b) { listid } }"

    data = wire.ask(person.token, both, {"a": {"listname": "a"} | own, "b": {"listname": "b"} | own})
    assert list(data) == ["a", "b"]
    assert int(data["a"]["listid"]) < int(data["b"]["listid"])

    error = wire.refused(person.token, both, {"a": {"listname": "c"} | own, "b": {"listname": None} | own})
    assert error["data"] is None
    left = wire.ask(person.token, '{ list(ordering: "listid") { listname } }')["list"]
    assert [row["listname"] for row in left] == ["a", "b"]


def test_rows_of_another_owner_cannot_be_written_or_taken(wire: Wire, person: Person, own_list: str, root: str) -> None:
    foreign = wire.ask(root, CREATE_LIST, {"i": {"listname": "root's", "devii_roleid": 0}})["create_list"]["listid"]

    refusals = [
        wire.refused(person.token, CREATE_LIST, {"i": {"listname": "x", "devii_roleid": person.role_id + 1}}),
        wire.refused(person.token, UPDATE_LIST, {"i": {"listname": "x"}, "j": foreign}),
        wire.refused(person.token, UPDATE_LIST, {"i": {"devii_roleid": 0}, "j": own_list}),
        wire.refused(person.token, "mutation ($j: ID!) { delete_list(listid: $j) { listid } }", {"j": foreign}),
    ]

    assert [error["data"] for error in refusals] == [None] * 4
    assert wire.ask(root, f'{{ list(filter: "listid = {foreign}") {{ listname }} }}')["list"] == [
        {"listname": "root's"}
    ]
    wire.ask(root, "mutation ($j: ID!) { delete_list(listid: $j) { listid } }", {"j": foreign})
