"""What a caller can learn of rows and tenants that it may not see: nothing, by no filter, key or status."""

import pytest

from tests.wire import Person, Wire, make_person

pytestmark = pytest.mark.server

CREATE = "mutation ($i: listInput) { create_list(input: $i) { listid } }"
# Each speaks of a hidden value (the number 424242, the text `classified`) or, altered, of one that is nowhere.
PROBES = [
    "1 / (statusid - 424242) = 1",
    "1 / (devii_roleid - 424242) != 1",
    "devii_roleid % (devii_roleid - 424242) = 1",
    "devii_roleid = 424242",
    "devii_roleid = 424242 and 1 / 0 = 1",
    "devii_roleid in [424242]",
    "not devii_roleid = 424242",
    "devii_roleid != 424242",
    "listname = 'classified'",
    "listname like 'class%'",
    "listname ilike '%SSIFIED'",
    "listname > 'classifiec'",
    "2 ^ (devii_roleid - 424242 + 1000) > 1",
    "devii_roleid * 9223372036854775807 = 1",
    "devii_roleid = max(devii_roleid)",
    "max(devii_roleid) = 424242",
    "count(listid) > 1",
    "min(listname) = 'classified'",
    "item_collection.itemname = 'classified'",
    "status_value.list_collection.devii_roleid = 424242",
    "status_value.list_collection.listname = 'classified'",
    "status_value.item_collection.itemname = 'classified'",
    "count(status_value.list_collection.listid) > 1",
    "listname = 'mine' or devii_roleid = 424242",
]


@pytest.fixture(scope="module")
def watched(wire: Wire, root: str, todo: int) -> Person:
    """A user with a list of its own, beside a list and an item of somebody else."""
    hidden = wire.ask(root, CREATE, {"i": {"listname": "classified", "devii_roleid": 424_242}})["create_list"]["listid"]
    wire.ask(
        root,
        "mutation ($i: itemInput) { create_item(input: $i) { itemid } }",
        {"i": {"itemname": "classified", "listid": hidden, "devii_roleid": 424_242}},
    )
    person = make_person(wire, root, todo)
    wire.ask(person.token, CREATE, {"i": {"listname": "mine", "devii_roleid": person.role_id}})
    return person


def answer(wire: Wire, token: str, text: str) -> tuple[int, str]:
    document = "query ($f: String) { list(filter: $f) { listname devii_roleid } }"
    reply = wire.post("/query", {"query": document, "variables": {"f": text}}, token)
    return reply.status_code, reply.text.replace(text, "")


@pytest.mark.parametrize("probe", PROBES)
def test_a_filter_tells_a_hidden_value_from_an_absent_one_by_nothing(wire: Wire, watched: Person, probe: str) -> None:
    absent = probe.replace("424242", "424999").replace("classifie", "closetedx").replace("SSIFIED", "SSIFXXX")
    absent = absent.replace("class%", "clasz%")

    status, body = answer(wire, watched.token, probe)

    assert (status, body) == answer(wire, watched.token, absent)
    assert "classified" not in body
    assert "424242" not in body


def test_an_ordering_by_hidden_rows_shows_none(wire: Wire, watched: Person) -> None:
    rows = wire.ask(watched.token, '{ list(ordering: ["status_value.statusname", "devii_roleid desc"]) { listname } }')[
        "list"
    ]

    assert rows == [{"listname": "mine"}]


def test_hidden_rows_are_in_no_collection_and_no_count(wire: Wire, watched: Person) -> None:
    rows = wire.ask(watched.token, "{ status_value { list_collection { listname } item_collection { itemname } } }")[
        "status_value"
    ]

    names = [each["listname"] for row in rows for each in row["list_collection"]]
    assert names == ["mine"]
    assert not any(row["item_collection"] for row in rows)
    counted = wire.ask(watched.token, '{ Aggregates { count(subquery: "query { list { listid } }") } }')
    assert counted["Aggregates"]["count"] == [{"count": 1}]


SUMMARY = """query ($f: String) { Aggregates {
  list(filter: $f, limit: 1) {
    count
    count_distinct: count(distinct: [devii_roleid, listname])
    sum { devii_roleid } avg { devii_roleid } stddev_pop { devii_roleid }
    min { listname devii_roleid } max { listname devii_roleid }
    nodes { listname }
    page_info { total has_next_page has_previous_page }
    groups(by: { listname: value, status_value: { statusname: value } }) { key { listname } count }
    some: groups(by: { listname: value }, having: { _count: { _gt: 0 }, devii_roleid: { max: { _lt: 500000 } } }
      order_by: { devii_roleid: { sum: desc } }, offset: 1) { key { listname } }
  }
  status_value { groups(by: { statusname: value }) { count } }
  item { count groups(by: { list: { listname: value } }) { key { list { listname } } count } }
} }"""


@pytest.mark.parametrize("text", ["", *PROBES])
def test_no_number_group_or_page_is_of_hidden_rows(wire: Wire, watched: Person, text: str) -> None:
    absent = text.replace("424242", "424999").replace("classifie", "closetedx").replace("SSIFIED", "SSIFXXX")
    absent = absent.replace("class%", "clasz%")

    replies = [
        wire.post("/query", {"query": SUMMARY, "variables": {"f": each}}, watched.token) for each in (text, absent)
    ]

    assert replies[0].status_code == replies[1].status_code
    assert replies[0].text.replace(text or "?", "") == replies[1].text.replace(absent or "?", "")
    assert "classified" not in replies[0].text.replace(text or "?", "")
    assert "424242" not in replies[0].text.replace(text or "?", "")


def test_a_summary_is_of_the_rows_that_a_list_shows(wire: Wire, watched: Person) -> None:
    summary = wire.ask(watched.token, SUMMARY)["Aggregates"]

    assert summary["list"] == {
        "count": 1,
        "count_distinct": 1,
        "sum": {"devii_roleid": watched.role_id},
        "avg": {"devii_roleid": watched.role_id},
        "stddev_pop": {"devii_roleid": 0},
        "min": {"listname": "mine", "devii_roleid": watched.role_id},
        "max": {"listname": "mine", "devii_roleid": watched.role_id},
        "nodes": [{"listname": "mine"}],
        "page_info": {"total": 1, "has_next_page": False, "has_previous_page": False},
        "groups": [{"key": {"listname": "mine"}, "count": 1}],
        "some": [],
    }
    assert summary["item"] == {"count": 0, "groups": []}


def test_of_a_hidden_table_there_is_no_summary_and_no_way_to_group_by_it(wire: Wire, nobody: str) -> None:
    for document in (
        "{ Aggregates { list { count } } }",
        "{ Aggregates { nowhere { count } } }",
        "{ Aggregates { devii_users { groups(by: { list: { listname: value } }) { count } } } }",
        "{ Aggregates { devii_users { groups(by: { nowhere: { listname: value } }) { count } } } }",
    ):
        error = wire.refused(nobody, document)
        assert (error["status"], error["extensions"]["code"]) == (400, "GRAPHQL_VALIDATION_FAILED")
        assert "Did you mean" not in error["message"]


def test_a_key_of_another_owner_gets_the_answer_of_a_key_that_is_nowhere(
    wire: Wire, root: str, watched: Person
) -> None:
    hidden = wire.ask(root, "{ list(filter: \"listname = 'classified'\") { listid } }")["list"][0]["listid"]
    for document in (
        "mutation ($k: ID!) { delete_list(listid: $k) { listid } }",
        'mutation ($k: ID!) { update_list(listid: $k, input: {listname: "x"}) { listid } }',
        "query ($k: String) { list(filter: $k) { listid } }",
    ):
        is_query = document.startswith("query")
        replies = [
            wire.post(
                "/query",
                {"query": document, "variables": {"k": f"listid = {key}" if is_query else key}},
                watched.token,
            )
            for key in (hidden, "987654321")
        ]
        assert replies[0].status_code == replies[1].status_code
        assert replies[0].text.replace(hidden, "") == replies[1].text.replace("987654321", "")


def test_roles_classes_and_rules_of_another_tenant_are_nowhere(wire: Wire, root: str, flights_root: str) -> None:
    for kind, key in (("role", "roleid"), ("role_class", "classid"), ("policy_rule", "ruleid"), ("tenant", "tenantid")):
        theirs = [row[key] for row in wire.control(flights_root, f"{{ {kind} {{ {key} }} }}")[kind]]
        assert theirs
        for each in theirs:
            found = wire.control(root, f'{{ {kind}(filter: "{key} = {each}") {{ {key} }} }}')
            assert found == {kind: []}
    for kind, key in (("role", "roleid"), ("role_class", "classid"), ("policy_rule", "ruleid")):
        theirs = wire.control(flights_root, f"{{ {kind}(limit: 1) {{ {key} }} }}")[kind][0][key]
        document = f"mutation ($k: ID!) {{ delete_{kind}({key}: $k) {{ {key} }} }}"
        told = wire.refused(root, document, {"k": theirs}, "/roles_pbac")["message"]
        nowhere = wire.refused(root, document, {"k": "987654321"}, "/roles_pbac")["message"]
        assert told.replace(theirs, "") == nowhere.replace("987654321", "")
        assert wire.control(flights_root, f'{{ {kind}(filter: "{key} = {theirs}") {{ {key} }} }}')[kind]


def test_a_login_of_another_tenant_is_unknown_in_this_one(wire: Wire, todo: int, flights: int) -> None:
    theirs = wire.login("flights", "analyst")

    reply = wire.post("/auth", theirs.body() | {"tenantid": todo})

    assert (reply.status_code, reply.json()["error"]) == (404, f"No such role analyst for tenant {todo}.")
    assert wire.post("/auth?schema=none", theirs.body() | {"tenantid": flights}).status_code == 200
