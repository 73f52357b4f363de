"""Rules about aggregates: rows that are in none, and rows that are in nothing else, in groups that are large enough."""

from itertools import combinations
from typing import Any

import pytest

from schema.principal import NORMAL_CAPABILITIES
from tests.houses import CREATE_RULE, House, Member, code_of

pytestmark = pytest.mark.server

NORMAL = sorted(NORMAL_CAPABILITIES)
CREATE = "mutation ($i: noteInput) { create_note(input: $i) { id } }"
#: By team: four notes, two, one; and one of no team. Sizes are such that each sum tells of which rows it is.
SIZES = {1: (1, 1), 2: (1, 2), 3: (1, 4), 4: (1, 8), 5: (2, 16), 6: (2, 32), 7: (3, 64), 8: (None, 128)}
CROWD: dict[str, Any] = {"aggregates": "only", "min_group_size": 3, "group_columns": ["team_id"]}

#: Questions that part rows of one team.
LOOKS = [
    "(where: { id: { _neq: 1 } }) { count }",
    "(where: { size: { _gt: 1 } }) { count }",
    '(filter: "id != 1") { count }',
    '(filter: "size > 1") { sum { size } }',
    "(where: { _or: [{ team_id: { _eq: 1 } }, { id: { _eq: 7 } }] }) { count }",
    "(where: { _not: { size: { _eq: 1 } } }) { count }",
    "(filter: \"team_id = 1 or body = 'note 7'\") { count }",
    '(filter: "team_id = size") { count }',
    '(filter: "team_id + 0 * id = 1") { count }',
    "(where: { _compare: [{ column: team_id, _eq: id }] }) { count }",
    "(where: { tag_collection: { _some: {} } }) { count }",
    "(where: { note_tag_collection: { _count: { _gt: 0 } } }) { count }",
    "(distinct_on: [team_id]) { sum { size } }",
    "(distinct_on: [team_id], order_by: [{ size: desc }]) { max { size } }",
    " { groups(by: { id: value }) { count } }",
    " { groups(by: { size: value }) { count } }",
    " { groups(by: [{ team_id: value }, { body: value }]) { count } }",
]


@pytest.fixture
def member(house: House) -> Member:
    return house.member(*NORMAL)


@pytest.fixture
def staff(house: House) -> House:
    """A house whose notes are those of SIZES."""
    for number in (1, 2, 3):
        house.ask(house.root, f"mutation {{ delete_note(id: {number}) {{ id }} }}")
    house.ask(house.root, 'mutation { create_team(input: {id: 3, name: "Green"}) { id } }')
    for number, (team, size) in SIZES.items():
        given = {"id": number, "team_id": team, "body": f"note {number}", "size": size}
        house.ask(house.root, CREATE, {"i": given})
    return house


def about(house: House, who: Member, asked: str) -> Any:
    return house.ask(who, f"{{ Aggregates {{ note{asked} }} }}")["Aggregates"]["note"]


# --- rows that are in no aggregate -------------------------------------------------------------------------------


def test_where_no_rule_lets_rows_be_aggregated_no_way_of_aggregating_is_there(house: House, member: Member) -> None:
    house.rule("select", "note", to=member, aggregates="none")
    house.rule("select", "team", to=member)

    assert house.ids(member) == [1, 2, 3]
    kinds = house.ask(member, '{ __type(name: "Aggregates") { fields { name } } }')["__type"]["fields"]
    assert "note" not in {each["name"] for each in kinds}
    for document in (
        "{ Aggregates { note { count } } }",
        '{ Aggregates { count(subquery: "{ note { id } }") } }',
        '{ Aggregates { max(subquery: "{ note { size } }") } }',
        '{ note(filter: "size = max(size)") { id } }',
        '{ team(filter: "count(note_collection.id) > 1") { id } }',
        '{ team(filter: "sum(note_collection.size) > 1") { id } }',
        "{ team(where: { note_collection: { _count: { _gt: 1 } } }) { id } }",
        "{ team(order_by: { note_collection: { function: count } }) { id } }",
        "{ team(order_by: { note_collection: { function: max, column: size } }) { id } }",
    ):
        assert house.ask(house.root, document)
        assert house.refused(member, document)["data"] is None
    # Rows one by one are as ever.
    assert house.ask(member, '{ team(filter: "note_collection.size > 25") { id } }')["team"] == [{"id": "2"}]


def test_only_rows_that_some_rule_lets_be_aggregated_count(house: House, member: Member) -> None:
    house.rule("select", "note", to=member, aggregates="none")
    house.rule("select", "note", "size < 25", to=member, aggregates="also")
    house.rule("select", "team", to=member)

    assert house.ids(member) == [1, 2, 3]
    summary = about(house, member, " { count sum { size } nodes { id } page_info { total } }")
    assert summary["count"] == 2
    assert summary["sum"] == {"size": 30}
    assert summary["nodes"] == [{"id": "1"}, {"id": "2"}, {"id": "3"}]
    flat = house.ask(member, '{ Aggregates { sum(subquery: "{ note { size } }") } }')["Aggregates"]["sum"]
    assert flat == [{"sum": 30}]
    by_count = "{ team(where: { note_collection: { _count: { _gt: 0 } } }) { id } }"
    assert house.ask(member, by_count)["team"] == [{"id": "1"}]
    assert house.ask(member, '{ note(filter: "size = max(size)") { id } }')["note"] == [{"id": "2"}]
    by_sum = (
        "{ team(order_by: { note_collection: { function: sum, column: size, direction: desc_nulls_last } }) { id } }"
    )
    assert [row["id"] for row in house.ask(member, by_sum)["team"]] == ["1", "2"]


def test_the_root_role_aggregates_whatever_rules_say(house: House) -> None:
    house.rule("select", "note", aggregates="none")

    assert about(house, house.root, " { count }") == {"count": 3}


# --- rows that are in nothing else -------------------------------------------------------------------------------


def test_rows_for_aggregates_only_are_nowhere_else(staff: House, member: Member) -> None:
    staff.rule("select", "note", to=member, **CROWD)
    staff.rule("select", "team", to=member)

    assert about(staff, member, " { count sum { size } }") == {"count": 4, "sum": {"size": 15}}
    for document in (
        "{ note { id } }",
        '{ note(filter: "id = 1") { id } }',
        "{ team { note_collection { id } } }",
        '{ team(filter: "note_collection.size = 64") { id } }',
        '{ team(filter: "count(note_collection.id) = 1") { id } }',
        "{ team(where: { note_collection: { _some: {} } }) { id } }",
        "{ team(where: { note_collection: { _count: { _eq: 1 } } }) { id } }",
        "{ team(order_by: { note_collection: { function: max, column: size } }) { id } }",
        '{ team(ordering: "note_collection.size") { id } }',
        "{ Aggregates { note { nodes { id } } } }",
        "{ Aggregates { note { page_info { end_cursor } } } }",
        '{ Aggregates { sum(subquery: "{ note { size } }") } }',
        "mutation { update_note(id: 1, input: {size: 5}) { id size } }",
    ):
        assert staff.ask(staff.root, document)
        assert staff.refused(member, document)["data"] is None


def test_groups_and_totals_that_are_too_small_are_not_there(staff: House, member: Member) -> None:
    staff.rule("select", "note", to=member, **CROWD)

    groups = "groups(by: { team_id: value }) { key { team_id } count sum { size } }"
    assert about(staff, member, f" {{ {groups} }}")["groups"] == [
        {"key": {"team_id": 1}, "count": 4, "sum": {"size": 15}}
    ]
    nothing = {"count": 0, "sum": {"size": None}}
    for condition in ("team_id: {_eq: 2}", "team_id: {_eq: 3}", "team_id: {_is_null: true}", "team_id: {_eq: 99}"):
        assert about(staff, member, f"(where: {{ {condition} }}) {{ count sum {{ size }} }}") == nothing
    # Nor does what is asked of groups tell that there are more of them.
    ordered = "groups(by: { team_id: value }, order_by: [{_count: asc}], offset: 1) { count }"
    assert about(staff, member, f" {{ {ordered} }}") == {"groups": []}
    having = "groups(by: { team_id: value }, having: {_count: {_lt: 4}}) { count }"
    assert about(staff, member, f" {{ {having} }}") == {"groups": []}
    none_left = "groups(by: { team_id: value }, having: {_not: {size: {max: {_lt: 64}}}}) { count }"
    assert about(staff, member, f" {{ {none_left} }}") == {"groups": []}


@pytest.mark.parametrize("asked", LOOKS)
def test_no_question_looks_into_a_group(staff: House, member: Member, asked: str) -> None:
    staff.rule("select", "note", to=member, **CROWD)
    staff.rule("select", ["tag", "note_tag"], to=member)

    assert about(staff, staff.root, asked)
    assert staff.code(member, f"{{ Aggregates {{ note{asked} }} }}") in {
        "GROUP_COLUMNS_ONLY",
        "GRAPHQL_VALIDATION_FAILED",
    }


@pytest.mark.parametrize("asked", LOOKS)
def test_where_rows_can_be_read_such_a_question_is_about_them_alone(staff: House, member: Member, asked: str) -> None:
    staff.rule("select", "note", "owner = $_PRINCIPAL.roleid", to=member)
    staff.rule("select", "note", to=member, **CROWD)
    staff.rule("select", ["tag", "note_tag"], to=member)

    assert about(staff, member, asked) in (
        {"count": 0},
        {"groups": []},
        {"sum": {"size": None}},
        {"max": {"size": None}},
    )


def test_no_difference_of_answers_is_about_fewer_rows(staff: House, member: Member) -> None:
    """Whatever sets of teams are asked for, with or against each other: sums differ by whole groups."""
    staff.rule("select", "note", to=member, **CROWD)
    staff.rule("select", "team", to=member)

    told = {0}
    teams = [1, 2, 3]
    for size in range(4):
        for some in combinations(teams, size):
            listed = f"[{', '.join(map(str, some))}]"
            for condition in (
                f"team_id: {{ _in: {listed} }}",
                f"_not: {{ team_id: {{ _in: {listed} }} }}",
                f"_or: [{{ team_id: {{ _in: {listed} }} }}, {{ team_id: {{ _is_null: true }} }}]",
            ):
                summary = about(staff, member, f"(where: {{ {condition} }}) {{ sum {{ size }} }}")
                told.add(summary["sum"]["size"] or 0)
    for expression in ("team.name = 'Red'", "not team.name = 'Red'", "team.name != 'Green'", "team_id != 3"):
        summary = about(staff, member, f'(filter: "{expression}") {{ sum {{ size }} }}')
        told.add(summary["sum"]["size"] or 0)

    assert {abs(one - other) for one in told for other in told} == {0, 15}


def test_a_value_that_few_rows_of_a_group_have_is_not_told(staff: House, member: Member) -> None:
    staff.ask(staff.root, "mutation { update_note(id: 1, input: {owner: 77}) { id } }")
    staff.rule("select", "note", to=member, **CROWD)

    summary = about(staff, member, " { count owned: count(columns: [team_id]) sum { owner } max { owner } }")

    assert summary == {"count": 4, "owned": 4, "sum": {"owner": None}, "max": {"owner": None}}
    for number in (2, 3):
        staff.ask(staff.root, f"mutation {{ update_note(id: {number}, input: {{owner: {number}}}) {{ id }} }}")
    assert about(staff, member, " { sum { owner } }") == {"sum": {"owner": 82}}


def test_without_columns_to_group_by_only_the_whole_is_told(staff: House, member: Member) -> None:
    staff.rule("select", "note", "size < 32", to=member, aggregates="only", min_group_size=5)

    assert about(staff, member, " { count sum { size } }") == {"count": 5, "sum": {"size": 31}}
    assert staff.refused(member, "{ Aggregates { note(where: { team_id: { _eq: 1 } }) { count } } }")["data"] is None
    staff.rule("select", "team", "id = 1", to=member, aggregates="only", min_group_size=2)
    assert staff.ask(member, "{ Aggregates { team { count max { name } } } }")["Aggregates"]["team"] == {
        "count": 0,
        "max": {"name": None},
    }


def test_rows_of_ones_own_count_beside_large_groups(staff: House, member: Member) -> None:
    staff.ask(staff.root, f"mutation {{ update_note(id: 7, input: {{owner: {member.role_id}}}) {{ id }} }}")
    staff.rule("select", "note", "owner = $_PRINCIPAL.roleid", to=member)
    staff.rule("select", "note", to=member, **CROWD)

    assert staff.ids(member) == [7]
    summary = about(staff, member, " { count sum { size } nodes { id } page_info { has_next_page } }")
    assert summary == {
        "count": 5,
        "sum": {"size": 79},
        "nodes": [{"id": "7"}],
        "page_info": {"has_next_page": False},
    }
    # What looks at other columns is about one's own rows alone, so nobody's size can be asked for by a key.
    for number in SIZES:
        seen = about(staff, member, f"(where: {{ id: {{ _eq: {number} }} }}) {{ count sum {{ size }} }}")
        assert seen == ({"count": 1, "sum": {"size": 64}} if number == 7 else {"count": 0, "sum": {"size": None}})
    assert about(staff, member, "(where: { size: { _lt: 100 } }) { count }") == {"count": 1}
    page = about(
        staff, member, "(order_by: [{ size: asc }], first: 1) { nodes { id size } page_info { has_next_page } }"
    )
    assert page == {"nodes": [{"id": "7", "size": 64}], "page_info": {"has_next_page": False}}


def test_a_column_that_is_hidden_in_rows_is_told_in_large_groups(staff: House, member: Member) -> None:
    staff.rule("select", "note", to=member, read_columns=["id", "team_id", "body"])
    staff.rule("select", "note", to=member, read_columns=["size"], **CROWD)

    assert len(staff.ids(member)) == 8
    assert staff.refused(member, "{ note { size } }")["data"] is None
    assert staff.refused(member, "{ note(where: { size: { _gt: 1 } }) { id } }")["data"] is None
    groups = "groups(by: { team_id: value }, order_by: [{ team_id: { key: asc } }]) { count sum { size } }"
    assert about(staff, member, f" {{ {groups} }}")["groups"] == [
        {"count": 4, "sum": {"size": 15}},
        {"count": 2, "sum": {"size": None}},
        {"count": 1, "sum": {"size": None}},
        {"count": 1, "sum": {"size": None}},
    ]
    for number in SIZES:
        seen = about(staff, member, f"(where: {{ id: {{ _eq: {number} }} }}) {{ count sum {{ size }} }}")
        assert seen == {"count": 1, "sum": {"size": None}}
    by_id = about(staff, member, " { groups(by: { id: value }) { max { size } } }")["groups"]
    assert {each["max"]["size"] for each in by_id} == {None}


def test_of_several_rules_for_aggregates_only_the_first_counts(staff: House, member: Member) -> None:
    staff.rule("select", "note", to=member, **CROWD)
    staff.rule("select", "note", "id != 1", to=member, aggregates="only", min_group_size=3)

    assert about(staff, member, " { sum { size } }") == {"sum": {"size": 15}}


@pytest.mark.parametrize(
    "options",
    [
        {"aggregates": "some"},
        {"aggregates": "only"},
        {"aggregates": "only", "min_group_size": 1},
        {"aggregates": "also", "min_group_size": 5},
        {"min_group_size": 5},
        {"group_columns": ["team_id"]},
        CROWD | {"group_columns": ["nope"]},
        CROWD | {"masks": {"body": {"mask": "null"}}},
        CROWD | {"forced": {"size": 1}},
        CROWD | {"capabilities": ["select", "update"]},
        {"max_rows": 0},
        {"max_seconds": 0},
        {"max_seconds": 1e9},
    ],
)
def test_a_rule_about_aggregates_or_limits_that_makes_no_sense_is_refused(
    house: House, options: dict[str, object]
) -> None:
    given = {"name": "bad", "capabilities": ["select"], "targets": ["note"]}

    refused = house.control_refused(house.root, CREATE_RULE, {"i": given | options})
    assert code_of(refused) in {"BAD_INPUT", "RULE_REFUSED"}


def test_what_a_rule_says_of_aggregates_and_limits_is_told_again(house: House) -> None:
    given: dict[str, Any] = CROWD | {"max_rows": 10, "max_seconds": 1.5}
    rule_id = house.rule("select", "note", **given)

    document = """query ($f: String) { policy_rule(filter: $f) {
      aggregates min_group_size group_columns max_rows max_seconds } }"""
    assert house.control(house.root, document, {"f": f"ruleid = {rule_id}"})["policy_rule"] == [given]


@pytest.mark.parametrize("own", [{}, {"aggregates": "none"}, {"read_columns": ["id", "team_id"]}])
def test_rows_that_can_be_read_make_no_group_large_enough_for_the_others(
    staff: House, member: Member, own: dict[str, Any]
) -> None:
    # Of the four notes of the team the member reads three: the sum less what it knows would be the fourth's size.
    staff.rule("select", "note", "id < 4", to=member, **own)
    staff.rule("select", "note", to=member, **CROWD)

    told = about(staff, member, "(where: { team_id: { _eq: 1 } }) { count sum { size } }")

    assert told["sum"]["size"] in (None, 7)
    assert told["count"] in (0, 3)


def test_values_of_rows_that_can_be_read_are_told_by_as_many_as_the_rule_says(staff: House, member: Member) -> None:
    # One row of the team is read without its size, and three are in a crowd: the one makes no crowd with any of them.
    staff.rule("select", "note", "id = 1", to=member, read_columns=["id", "team_id"])
    staff.rule("select", "note", "id < 4", to=member, **CROWD)
    ask = "(where: { team_id: { _eq: 1 } }) { count sum { size } }"

    assert about(staff, member, ask) == {"count": 1, "sum": {"size": None}}
    staff.rule("select", "note", "id = 4", to=member, aggregates="none")
    assert about(staff, member, ask) == {"count": 1, "sum": {"size": None}}
