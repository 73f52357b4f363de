"""What a GraphQL request may look like, and the values that clients send in it."""

import json
from typing import Any

import httpx2
import pytest

from tests.wire import Wire, bearer

pytestmark = pytest.mark.server

ALL = '{ status_value(ordering: ["statusid"]) { statusid } }'
ROWS = {"status_value": [{"statusid": "1"}, {"statusid": "2"}, {"statusid": "3"}]}
LIMITED = 'query ($limit: Int) { status_value(ordering: ["statusid"], limit: $limit) { statusid } }'
FIRST = {"status_value": [{"statusid": "1"}]}
ROLES = "{ role(filter: \"login = 'root'\") { login } }"
ROOT = {"role": [{"login": "root"}]}


def send_form(wire: Wire, token: str, encoding: str, path: str, fields: dict[str, str]) -> httpx2.Response:
    if encoding == "urlencoded":
        return wire.client.post(path, data=fields, headers=bearer(token))
    return wire.client.post(path, files={name: (None, text) for name, text in fields.items()}, headers=bearer(token))


def test_a_json_body_is_answered_under_data_alone(wire: Wire, root: str) -> None:
    for extra in ({}, {"variables": None}, {"variables": {}}, {"operationName": None}):
        assert wire.post("/query", {"query": ALL} | extra, root).json() == {"data": ROWS}


@pytest.mark.parametrize("encoding", ["urlencoded", "multipart"])
@pytest.mark.parametrize(("path", "document", "data"), [("/query", ALL, ROWS), ("/roles_pbac", ROLES, ROOT)])
def test_a_form_is_answered_under_data_and_at_the_top(
    wire: Wire, root: str, encoding: str, path: str, document: str, data: dict[str, Any]
) -> None:
    reply = send_form(wire, root, encoding, path, {"query": document})

    assert reply.status_code == 200
    assert reply.json() == data | {"data": data}


@pytest.mark.parametrize("encoding", ["urlencoded", "multipart"])
@pytest.mark.parametrize("variables", ['{"limit": 1}', '{"limit": "1", "unused": {}}'])
def test_variables_of_a_form_are_json_text(wire: Wire, root: str, encoding: str, variables: str) -> None:
    reply = send_form(wire, root, encoding, "/query", {"query": LIMITED, "variables": variables})

    assert reply.json()["data"] == FIRST


@pytest.mark.parametrize("encoding", ["urlencoded", "multipart"])
@pytest.mark.parametrize("variables", ["", "{}", "null"])
def test_variables_of_a_form_may_be_empty(wire: Wire, root: str, encoding: str, variables: str) -> None:
    assert send_form(wire, root, encoding, "/query", {"query": ALL, "variables": variables}).json()["data"] == ROWS


def test_variables_of_a_json_body_may_be_json_text(wire: Wire, root: str) -> None:
    reply = wire.post("/query", {"query": LIMITED, "variables": json.dumps({"limit": 1})}, root)

    assert reply.json() == {"data": FIRST}


def test_operation_name_chooses_among_several_operations(wire: Wire, root: str) -> None:
    document = f'query all {ALL} query one {{ status_value(limit: 1, ordering: "statusid") {{ statusid }} }}'

    for name, rows in (("all", ROWS), ("one", FIRST)):
        assert wire.post("/query", {"query": document, "operationName": name}, root).json() == {"data": rows}


def test_lines_may_end_as_on_windows(wire: Wire, root: str) -> None:
    reply = wire.post("/query", {"query": ALL.replace(" ", "\r\n")}, root)

    assert reply.json() == {"data": ROWS}


def test_unknown_keys_of_a_body_are_ignored(wire: Wire, root: str) -> None:
    reply = wire.post("/query", {"query": ALL, "variable": {"a": 1}, "extra": [1], "extensions": {}}, root)

    assert reply.json() == {"data": ROWS}


def test_variables_that_are_not_declared_are_ignored(wire: Wire, root: str) -> None:
    assert wire.ask(root, ALL, {"onconflict": "update", "limit": 1}) == ROWS


@pytest.mark.parametrize("path", ["/query", "/roles_pbac"])
def test_standard_introspection_works_for_a_logged_in_role(wire: Wire, root: str, path: str) -> None:
    data = wire.ask(root, "{ __schema { queryType { fields { name } } } }", path=path)

    names = {field["name"] for field in data["__schema"]["queryType"]["fields"]}
    assert ({"item", "list"} if path == "/query" else {"role", "Utility"}) <= names


@pytest.mark.parametrize("path", ["/query", "/roles_pbac"])
def test_a_client_that_accepts_json_gets_json(wire: Wire, root: str, path: str) -> None:
    reply = wire.post(path, {"query": "{ __typename }"}, root, Accept="application/json")

    assert reply.headers["content-type"].startswith("application/json")
    assert reply.json() == {"data": {"__typename": "Query"}}


def test_a_query_may_come_by_get(wire: Wire, root: str) -> None:
    reply = wire.client.get("/query", params={"query": LIMITED, "variables": '{"limit": 1}'}, headers=bearer(root))

    assert reply.json() == {"data": FIRST}


def test_failures_are_told_under_errors_with_the_status_of_their_kind(wire: Wire, root: str) -> None:
    syntax = wire.refused(root, "{ status_value {")
    field = wire.refused(root, "{ status_value { nope } }")
    expression = wire.refused(root, '{ status_value(filter: "statusid =") { statusid } }')
    column = wire.refused(root, '{ status_value(filter: "nope = 1") { statusid } }')

    assert [error["status"] for error in (syntax, field, expression, column)] == [400, 400, 200, 200]
    assert syntax["message"].startswith("Syntax Error")
    assert field["message"] == "Cannot query field 'nope' on type 'status_value'."
    assert column["message"] == "status_value has no column 'nope'."
    assert all(error["extensions"]["code"] for error in (syntax, field, expression, column))


# --- values ------------------------------------------------------------------------------------------------------


def test_an_int_variable_may_be_numeric_text(wire: Wire, root: str) -> None:
    assert wire.ask(root, LIMITED, {"limit": "1"}) == FIRST


def test_an_int_variable_that_is_no_number_is_an_error(wire: Wire, root: str) -> None:
    for value in ("x", "1.5", 1.5, 2**31, "", [1, 2], {}):
        assert wire.refused(root, LIMITED, {"limit": value})["status"] == 400


def test_one_value_stands_for_a_list_of_it(wire: Wire, root: str) -> None:
    document = "query ($ordering: [String]) { status_value(ordering: $ordering) { statusid } }"

    backwards = [{"statusid": "3"}, {"statusid": "2"}, {"statusid": "1"}]
    assert wire.ask(root, document, {"ordering": "statusid desc"})["status_value"] == backwards
    assert wire.ask(root, document, {"ordering": ["statusid desc"]})["status_value"] == backwards
    written = wire.ask(root, '{ status_value(ordering: "statusid DESC") { statusid } }')
    assert written["status_value"] == backwards


def test_a_list_of_ints_may_hold_numeric_texts_or_be_one_number(wire: Wire, root: str, todo: int) -> None:
    create = 'mutation ($c: [ID], $t: Int!) { create_role_class(input: {name: "a", tenantid: $t, inherit: "none", '
    create += "members: $c}) { classid members { roleid } } }"
    own = str(wire.control(root, ROLES.replace("{ login }", "{ roleid }"))["role"][0]["roleid"])

    for members in ([own], own, int(own), [int(own)]):
        made = wire.control(root, create, {"c": members, "t": str(todo)})["create_role_class"]
        assert made["members"] == [{"roleid": own}]
        wire.control(root, "mutation ($c: ID!) { delete_role_class(classid: $c) { classid } }", {"c": made["classid"]})


@pytest.mark.parametrize("form", [int, str])
def test_an_id_may_be_sent_as_number_or_text_and_comes_back_as_text(wire: Wire, root: str, form: type) -> None:
    made = wire.ask(root, 'mutation { create_status_value(input: {statusname: "to go"}) { statusid } }')
    key = made["create_status_value"]["statusid"]
    assert isinstance(key, str)

    gone = wire.ask(root, "mutation ($j: ID!) { delete_status_value(statusid: $j) { statusid } }", {"j": form(key)})

    assert gone == {"delete_status_value": {"statusid": key}}


def test_a_number_may_be_sent_for_a_text(wire: Wire, root: str) -> None:
    create = "mutation ($i: listInput) { create_list(input: $i) { listid listname } }"

    made = wire.ask(root, create, {"i": {"listname": 7, "devii_roleid": 0}})["create_list"]

    assert made["listname"] == "7"
    wire.ask(root, "mutation ($j: ID!) { delete_list(listid: $j) { listid } }", {"j": made["listid"]})
