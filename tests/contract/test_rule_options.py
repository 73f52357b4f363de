"""What a rule may say besides: column lists, presets, masks, a period. What cannot be read is nowhere to be found."""

import base64
import re
from datetime import UTC, datetime, timedelta

import pytest

from schema.principal import NORMAL_CAPABILITIES
from tests.houses import CREATE_RULE, House, Member, code_of

pytestmark = pytest.mark.server

CREATE_NOTE = "mutation ($i: noteInput) { create_note(input: $i) { id } }"
UPSERT_NOTE = "mutation ($i: noteInput) { create_note(input: $i, onconflict: update) { id } }"
UPDATE_NOTE = "mutation ($i: noteInput, $id: ID!) { update_note(id: $id, input: $i) { id } }"
NORMAL = sorted(NORMAL_CAPABILITIES)


@pytest.fixture
def member(house: House) -> Member:
    return house.member(*NORMAL)


# --- columns to read ---------------------------------------------------------------------------------------------


def test_a_column_that_no_rule_lists_is_nowhere(house: House, member: Member) -> None:
    house.rule(["select", "insert", "update"], to=member, read_columns=["id", "body", "team_id"], write_columns=["id"])
    house.rule("select", "team", to=member)
    documents = [
        "{ note { size } }",
        '{ note(filter: "size > 0") { id } }',
        '{ note(ordering: "size") { id } }',
        '{ note(ordering: "size desc") { id } }',
        '{ team { note_collection(filter: "size > 0") { id } } }',
        '{ team { note_collection(ordering: "size") { id } } }',
        '{ team(filter: "note_collection.size > 0") { id } }',
        '{ Aggregates { max(subquery: "{ note { size } }") } }',
        '{ Aggregates { count(subquery: "{ note { id size } }") } }',
        '{ Aggregates { count(subquery: "{ note(filter: \\"size > 0\\") { id } }") } }',
        '{ Aggregates { count(subquery: "{ note { id } }", filter: "size > 0") } }',
        "{ note(where: { size: { _gt: 0 } }) { id } }",
        "{ team(where: { note_collection: { size: { _gt: 0 } } }) { id } }",
        "{ note(order_by: { size: asc }) { id } }",
        "{ note(distinct_on: [size]) { id } }",
        "{ Aggregates { note { max { size } } } }",
        "{ Aggregates { note { groups(by: { size: true }) { count } } } }",
        "mutation { create_note(input: {id: 9, size: 1}) { id } }",
        "mutation { create_note(input: {id: 9}) { id size } }",
    ]

    for document in documents:
        hidden, unknown = (house.refused(member, each) for each in (document, document.replace("size", "sezi")))
        assert hidden["data"] is None
        assert hidden["status"] == unknown["status"]
        assert code_of(hidden) == code_of(unknown)
        assert hidden["message"] == unknown["message"].replace("sezi", "size")
    kinds = house.ask(
        member, '{ a: __type(name: "note") { fields { name } } b: __type(name: "noteInput") { inputFields { name } } }'
    )
    assert {each["name"] for each in kinds["a"]["fields"]} == {"id", "body", "team_id", "team"}
    assert {each["name"] for each in kinds["b"]["inputFields"]} == {"id"}
    told = house.control(member, "{ Utility { introspect } }")["Utility"]["introspect"]["gql"]
    assert "size" not in told
    assert house.ask(member, "{ note { id body } }")["note"][0] == {"id": "1", "body": "one"}


def test_what_the_database_refuses_does_not_name_a_hidden_column(house: House, member: Member) -> None:
    house.rule(["select", "insert"], to=member, read_columns=["id"], write_columns=["id", "body"])

    refused = house.refused(member, CREATE_NOTE, {"i": {"id": 9, "body": "nine"}})

    assert refused["data"] is None
    assert "size" not in str(refused)


def test_a_relation_over_a_hidden_column_is_hidden_from_both_ends(house: House, member: Member) -> None:
    house.rule("select", "note", to=member, read_columns=["id", "body"])
    house.rule("select", "team", to=member)

    for document in (
        "{ note { team { name } } }",
        "{ team { note_collection { id } } }",
        "{ note(filter: \"team.name = 'Red'\") { id } }",
        '{ team(filter: "note_collection.id = 1") { id } }',
        '{ note(ordering: "team.name") { id } }',
    ):
        assert house.refused(member, document)["data"] is None


def test_the_filter_of_a_rule_sees_hidden_columns_and_relations(house: House, member: Member) -> None:
    house.rule("select", "note", "size > 15 and team.name = 'Blue'", to=member, read_columns=["id"])

    assert house.ids(member) == [3]


def test_without_its_key_a_row_cannot_be_named_by_it(house: House, member: Member) -> None:
    house.rule(["select", "update", "delete"], to=member, read_columns=["body"])

    assert [row["body"] for row in house.ask(member, '{ note(ordering: "body") { body } }')["note"]] == [
        "one", "three", "two"
    ]  # fmt: skip
    for document in (
        "mutation { update_note(input: {size: 1}) { body } }",
        "mutation { update_note(id: 1, input: {size: 1}) { body } }",
        "mutation { delete_note(id: 1) { body } }",
        "mutation { delete_note { body } }",
    ):
        assert house.refused(member, document)["data"] is None
    assert len(house.ids(house.root)) == 3


def test_column_lists_add_up_each_on_its_own_rows(house: House, member: Member) -> None:
    house.ask(house.root, UPDATE_NOTE, {"id": 2, "i": {"owner": member.role_id}})
    house.rule("select", "note", to=member, read_columns=["id", "body"])
    house.rule("select", "note", "owner = $_PRINCIPAL.roleid", to=member, read_columns=["id", "size"])

    rows = house.ask(member, '{ note(ordering: "id") { id body size } }')["note"]

    assert rows == [
        {"id": "1", "body": "one", "size": None},
        {"id": "2", "body": "two", "size": 20},
        {"id": "3", "body": "three", "size": None},
    ]
    # Nor is it told by any other way on which rows the size is what.
    assert house.ask(member, '{ note(filter: "size > 0") { id } }') == {"note": [{"id": "2"}]}
    assert house.ask(member, '{ note(filter: "not size = 20") { id } }') == {"note": []}
    assert house.ask(member, '{ note(ordering: ["size", "id"]) { id } }')["note"] == [
        {"id": "2"}, {"id": "1"}, {"id": "3"}
    ]  # fmt: skip
    assert house.ask(member, '{ note(ordering: ["size", "id"], limit: 2) { size } }')["note"] == [
        {"size": 20}, {"size": None}
    ]  # fmt: skip
    totals = '{ Aggregates { sum(subquery: "{ note { size } }") count(subquery: "{ note { id size } }") } }'
    assert house.ask(member, totals)["Aggregates"]["sum"] == [{"sum": 20}]


def test_a_column_seen_on_some_rows_is_the_same_over_a_relation_and_after_a_write(house: House, member: Member) -> None:
    house.rule("select", "note", to=member, read_columns=["id", "team_id", "body"])
    house.rule(["select", "update"], "note", "size = 20", to=member)
    house.rule("select", "team", to=member)

    nested = '{ team(filter: "id = 1") { note_collection(ordering: "id") { size } } }'
    assert house.ask(member, nested)["team"] == [{"note_collection": [{"size": None}, {"size": 20}]}]
    assert house.ask(member, '{ team(filter: "note_collection.size < 15") { id } }') == {"team": []}
    assert house.ask(member, '{ team(filter: "note_collection.size = 20") { id } }') == {"team": [{"id": "1"}]}
    changed = 'mutation { update_note(id: 2, input: {body: "x"}) { body size } }'
    assert house.ask(member, changed)["update_note"] == {"body": "x", "size": 20}


def test_a_cursor_holds_nothing_that_is_hidden(house: House, member: Member) -> None:
    house.rule("select", "note", to=member, read_columns=["id"])
    house.rule("select", "note", "size = 20", to=member, read_columns=["size"])

    def pages(document: str) -> str:
        answer = house.ask(member, document)
        return str(answer) + "".join(
            base64.urlsafe_b64decode(each + "==").decode("latin-1") for each in re.findall(r"[\w-]{40,}", str(answer))
        )

    page = "{ nodes { id } page_info { start_cursor end_cursor } }"
    by_size = pages(f"{{ Aggregates {{ note(order_by: {{ size: asc_nulls_last }}, first: 2) {page} }} }}")
    assert "20" in by_size
    assert "10" not in by_size
    assert "30" not in by_size


def test_a_column_seen_on_some_rows_is_the_same_for_where_orders_and_groups(house: House, member: Member) -> None:
    house.rule("select", "note", to=member, read_columns=["id", "body"])
    house.rule("select", "note", "id != 3", to=member, read_columns=["size"])

    assert house.ask(member, "{ note(where: { size: { _gt: 15 } }) { id } }")["note"] == [{"id": "2"}]
    assert house.ask(member, "{ note(where: { size: { _is_null: true } }) { id } }")["note"] == [{"id": "3"}]
    ordered = house.ask(member, "{ note(order_by: { size: desc_nulls_last }) { id } }")["note"]
    assert [row["id"] for row in ordered] == ["2", "1", "3"]
    summary = house.ask(member, "{ Aggregates { note { count max { size } sum { size } } } }")["Aggregates"]["note"]
    assert summary == {"count": 3, "max": {"size": 20}, "sum": {"size": 30}}


# --- columns to write --------------------------------------------------------------------------------------------


def test_a_column_that_no_rule_lists_cannot_be_written(house: House, member: Member) -> None:
    house.rule("select", to=member)
    house.rule(["insert", "update"], to=member, write_columns=["id", "body"])

    for document in ("mutation { update_note(id: 1, input: {size: 1}) { id } }", "{ note { id size } }"):
        answer = house.wire.post("/query", {"query": document}, member.token).json()
        assert ("errors" in answer) is document.startswith("mutation")
    assert house.refused(member, UPDATE_NOTE, {"id": 1, "i": {"size": 1}})["data"] is None
    assert house.ask(member, UPDATE_NOTE, {"id": 1, "i": {"body": "x"}})


def test_a_column_is_written_by_the_capability_that_lists_it(house: House, member: Member) -> None:
    house.rule(["select", "insert"], to=member)
    house.rule("update", to=member, write_columns=["body"])

    assert house.code(member, UPDATE_NOTE, {"id": 1, "i": {"size": 1}}) == "POLICY_VIOLATED"
    assert house.code(member, UPSERT_NOTE, {"i": {"id": 1, "body": "x", "size": 1}}) == "POLICY_VIOLATED"
    assert house.ask(member, UPDATE_NOTE, {"id": 1, "i": {"body": "x"}})
    assert house.ask(member, CREATE_NOTE, {"i": {"id": 9, "body": "x", "size": 1}})
    assert [row["size"] for row in house.ask(house.root, '{ note(filter: "id = 1") { size } }')["note"]] == [10]


def test_written_columns_add_up_each_on_its_own_rows(house: House, member: Member) -> None:
    house.rule("select", to=member)
    house.rule("update", "note", to=member, write_columns=["body"])
    house.rule("update", "note", "size >= 20", to=member, write_columns=["size"])

    assert house.code(member, UPDATE_NOTE, {"id": 1, "i": {"size": 50}}) == "NOT_FOUND"
    assert house.code(member, UPDATE_NOTE, {"id": 1, "i": {"size": 50, "body": "x"}}) == "NOT_FOUND"
    assert house.code(member, UPDATE_NOTE, {"id": 2, "i": {"size": 5}}) == "POLICY_VIOLATED"
    assert house.ask(member, UPDATE_NOTE, {"id": 1, "i": {"body": "x"}})
    assert house.ask(member, UPDATE_NOTE, {"id": 2, "i": {"body": "y", "size": 50}})


# --- presets -----------------------------------------------------------------------------------------------------


def notes(house: House, number: int) -> dict[str, object]:
    return dict(house.ask(house.root, f'{{ note(filter: "id = {number}") {{ owner body size }} }}')["note"][0])


def test_a_forced_value_is_stored_and_cannot_be_given(house: House, member: Member) -> None:
    house.rule("select", to=member)
    house.rule(["insert", "update"], to=member, forced={"owner": "$_PRINCIPAL.roleid", "body": "fixed"})

    house.ask(member, CREATE_NOTE, {"i": {"id": 9, "size": 1}})
    assert notes(house, 9) == {"owner": member.role_id, "body": "fixed", "size": 1}
    for given in ({"owner": 1}, {"body": "mine"}):
        assert house.refused(member, CREATE_NOTE, {"i": {"id": 8, "size": 1} | given})["data"] is None
    house.ask(member, UPDATE_NOTE, {"id": 1, "i": {"size": 5}})
    assert notes(house, 1) == {"owner": member.role_id, "body": "fixed", "size": 5}
    kind = house.ask(member, '{ __type(name: "noteInput") { inputFields { name } } }')["__type"]
    assert {each["name"] for each in kind["inputFields"]} == {"id", "team_id", "size"}


def test_a_default_is_stored_where_nothing_is_given(house: House, member: Member) -> None:
    house.rule(["select", "insert"], to=member, defaults={"owner": "$_PRINCIPAL.roleid", "size": 7})

    house.ask(member, CREATE_NOTE, {"i": {"id": 8, "body": "x"}})
    house.ask(member, CREATE_NOTE, {"i": {"id": 9, "body": "x", "size": 1, "owner": None}})

    assert notes(house, 8) == {"owner": member.role_id, "body": "x", "size": 7}
    assert notes(house, 9) == {"owner": None, "body": "x", "size": 1}


def test_a_rule_that_forces_nothing_lets_the_column_be_given_on_its_own_rows(house: House, member: Member) -> None:
    house.rule("select", to=member)
    house.rule("insert", "note", to=member, forced={"owner": "$_PRINCIPAL.roleid"})
    house.rule("insert", "note", "size < 5", to=member)

    given = {"id": 8, "body": "x", "owner": house.root.role_id}
    assert house.code(member, CREATE_NOTE, {"i": given | {"size": 50}}) == "POLICY_VIOLATED"
    assert house.ask(member, CREATE_NOTE, {"i": given | {"size": 1}})
    assert house.ask(member, CREATE_NOTE, {"i": {"id": 9, "body": "x", "size": 50}})
    assert notes(house, 9)["owner"] == member.role_id


def test_an_upsert_keeps_what_is_preset_for_new_rows_and_stores_what_is_for_changes(
    house: House, member: Member
) -> None:
    house.rule("select", to=member)
    house.rule("insert", "note", to=member, defaults={"owner": "$_PRINCIPAL.roleid"})
    house.rule("update", "note", to=member, forced={"body": "changed"}, write_columns=["size"])

    house.ask(member, UPSERT_NOTE, {"i": {"id": 1, "size": 1}})
    house.ask(member, UPSERT_NOTE, {"i": {"id": 9, "size": 2}})

    assert notes(house, 1) == {"owner": None, "body": "changed", "size": 1}
    assert notes(house, 9) == {"owner": member.role_id, "body": "changed", "size": 2}


# --- masks -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mask", "seen"),
    [
        ({"mask": "null"}, [None, None, None]),
        ({"mask": "last_four"}, ["***", "***", "*hree"]),
        ({"mask": "text", "text": "hidden"}, ["hidden"] * 3),
        ({"mask": "last_four", "unless": "size < 15"}, ["one", "***", "*hree"]),
        ({"mask": "null", "unless": "owner = $_PRINCIPAL.roleid"}, [None, "two", None]),
    ],
)
def test_a_masked_column_shows_its_mask_however_it_is_used(
    house: House, member: Member, mask: dict[str, str], seen: list[str | None]
) -> None:
    house.ask(house.root, UPDATE_NOTE, {"id": 2, "i": {"owner": member.role_id}})
    house.rule("select", to=member, masks={"body": mask})

    rows = house.ask(member, '{ note(ordering: "id") { body } }')["note"]

    assert [row["body"] for row in rows] == seen
    for text in ("one", "two", "three"):
        expected = [number for number, body in enumerate(seen, start=1) if body == text]
        found = house.ask(member, f"{{ note(filter: \"body = '{text}'\") {{ id }} }}")["note"]
        assert [int(row["id"]) for row in found] == expected
    [largest] = house.ask(member, '{ Aggregates { max(subquery: "{ note { body } }") } }')["Aggregates"]["max"]
    assert largest["max"] == max((body for body in seen if body), default=None)


def test_a_hash_tells_equal_values_and_no_value(house: House, member: Member) -> None:
    house.ask(house.root, UPDATE_NOTE, {"id": 3, "i": {"body": "one"}})
    house.rule("select", to=member, masks={"body": {"mask": "hash"}})

    one, two, three = (row["body"] for row in house.ask(member, '{ note(ordering: "id") { body } }')["note"])

    assert one == three != two
    assert len(one) == 64


# --- period ------------------------------------------------------------------------------------------------------


def test_a_rule_counts_within_its_period_alone(house: House, member: Member) -> None:
    now = datetime.now(UTC)
    house.rule("select", "team", to=member, valid_until=(now - timedelta(hours=1)).isoformat())
    house.rule("select", "tag", to=member, valid_from=(now + timedelta(hours=1)).isoformat())
    house.rule("select", "note", to=member, valid_from=(now - timedelta(hours=1)).isoformat())

    assert house.ids(member) == [1, 2, 3]
    for field in ("team", "tag"):
        assert house.refused(member, f"{{ {field} {{ id }} }}")["data"] is None


# --- what is refused ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [
        {"read_columns": ["nope"]},
        {"write_columns": ["nope"]},
        {"forced": {"nope": 1}},
        {"forced": {"size": "many"}},
        {"forced": {"size": [1]}},
        {"forced": {"body": "$_PRINCIPAL.roleid"}},
        {"forced": {"size": "$_PRINCIPAL.children"}},
        {"defaults": "size"},
        {"masks": {"nope": {"mask": "null"}}},
        {"masks": {"body": {"mask": "blur"}}},
        {"masks": {"size": {"mask": "hash"}}},
        {"masks": {"body": {"mask": "null", "unless": "nope = 1"}}},
        {"masks": {"body": {"mask": "null", "where": "size = 1"}}},
        {"valid_from": "soon"},
        {"valid_from": "2026-01-02T00:00:00Z", "valid_until": "2026-01-01T00:00:00Z"},
    ],
)
def test_an_option_that_makes_no_sense_is_refused(house: House, options: dict[str, object]) -> None:
    given = {"name": "bad", "capabilities": ["select", "insert"], "targets": ["note"]}

    assert house.control_refused(house.root, CREATE_RULE, {"i": given | options})["data"] is None


def test_options_stay_where_an_update_leaves_them_out_and_go_by_null(house: House) -> None:
    rule_id = house.rule(
        read_columns=["id"],
        forced={"size": 1},
        masks={"body": {"mask": "null"}},
        valid_until="2036-01-01T00:00:00+00:00",
    )
    update = """mutation ($i: policy_ruleInput, $id: ID!) { update_policy_rule(ruleid: $id, input: $i) {
      read_columns write_columns forced defaults masks valid_from valid_until } }"""
    given = {"name": "kept", "capabilities": ["select"], "targets": ["note"]}

    kept = house.control(house.root, update, {"id": rule_id, "i": given})["update_policy_rule"]
    bare = house.control(
        house.root,
        update,
        {"id": rule_id, "i": given | dict.fromkeys(("read_columns", "forced", "masks", "valid_until"))},
    )["update_policy_rule"]

    assert kept == {
        "read_columns": ["id"],
        "write_columns": None,
        "forced": {"size": 1},
        "defaults": None,
        "masks": {"body": {"mask": "null", "unless": "", "text": ""}},
        "valid_from": None,
        "valid_until": "2036-01-01T00:00:00+00:00",
    }
    assert set(bare.values()) == {None}
