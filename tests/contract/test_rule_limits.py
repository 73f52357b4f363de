"""How many rows a list may have, and how long an operation may take, by what rules say."""

from collections.abc import Iterator
from time import monotonic

import pytest

from schema.principal import NORMAL_CAPABILITIES
from tests.databases import Databases
from tests.houses import TABLES, House, Member
from tests.worlds import World

pytestmark = pytest.mark.server

NORMAL = sorted(NORMAL_CAPABILITIES)
SLOW = """
create function side.wait(seconds double precision) returns boolean language plpgsql volatile as $$
begin
    perform pg_sleep(seconds);
    return true;
end
$$;
create view slow_note as select id, body from note where side.wait(0.4);
create function wait_and_note(seconds double precision) returns integer language plpgsql volatile as $$
begin
    perform pg_sleep(seconds);
    insert into tag values (1000, 'waited');
    return 1;
end
$$;
"""


@pytest.fixture
def slow_house(world: World, databases: Databases) -> Iterator[House]:
    """A house with a view and a function that take their time."""
    dsn = databases.create()
    databases.execute_in(dsn, TABLES + SLOW)
    yield House.open(world, dsn)
    databases.drop(dsn)


@pytest.fixture
def member(house: House) -> Member:
    return house.member(*NORMAL)


# --- rows --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("document", "within"),
    [
        ("{ note { id } }", "{ note(limit: 2) { id } }"),
        ('{ note(ordering: "size") { id } }', '{ note(ordering: "size", limit: 2, offset: 1) { id } }'),
        ("{ note(limit: 3) { id } }", '{ note(filter: "size > 15", limit: 3) { id } }'),
        ("{ note(first: 3) { id } }", "{ note(first: 2) { id } }"),
        ("{ note(last: 3) { id } }", "{ note(last: 2) { id } }"),
        ("{ note(distinct_on: [id]) { id } }", "{ note(distinct_on: [team_id]) { id } }"),
        ("{ team { n: note_collection { id } } a: note { id } }", "{ team { note_collection { id } } }"),
        ("{ Aggregates { note { nodes { id } } } }", "{ Aggregates { note { count sum { size } } } }"),
        (
            "{ Aggregates { note { groups(by: { id: value }) { key { id } } } } }",
            "{ Aggregates { note { groups(by: { team_id: value }) { count } } } }",
        ),
        (
            '{ Aggregates { count(subquery: "{ note { size id } }") } }',
            '{ Aggregates { count(subquery: "{ note { size team_id } }") } }',
        ),
    ],
)
def test_a_list_with_more_rows_than_rules_let_it_have_is_refused_and_never_cut(
    house: House, member: Member, document: str, within: str
) -> None:
    house.rule("select", ["note", "team"], to=member, max_rows=2)

    assert house.code(member, document) == "ROW_LIMIT_EXCEEDED"
    assert house.ask(member, within) == house.ask(house.root, within)


def test_a_collection_below_a_row_has_the_limit_of_its_own_table(house: House, member: Member) -> None:
    house.rule("select", "team", to=member)
    house.rule("select", "note", to=member, max_rows=1)

    assert house.code(member, "{ team { note_collection { id } } }") == "ROW_LIMIT_EXCEEDED"
    found = house.ask(member, '{ team(filter: "id = 2") { note_collection { id } } }')["team"]
    assert found == [{"note_collection": [{"id": "3"}]}]
    # A mutation whose answer would have such a list changes nothing.
    house.rule("update", "team", to=member)
    renamed = 'mutation { update_team(id: 1, input: {name: "X"}) { name note_collection { id } } }'
    assert house.code(member, renamed) == "ROW_LIMIT_EXCEEDED"
    assert house.ask(house.root, '{ team(filter: "id = 1") { name } }')["team"] == [{"name": "Red"}]


def test_of_the_limits_of_rules_that_add_up_the_most_generous_counts(house: House, member: Member) -> None:
    house.rule("select", "note", to=member, max_rows=1)
    assert house.code(member, "{ note { id } }") == "ROW_LIMIT_EXCEEDED"

    house.rule("select", "note", to=member, max_rows=3)
    assert house.ids(member) == [1, 2, 3]
    house.rule("select", "tag", to=member, max_rows=1)
    house.rule("select", "tag", to=member)
    assert house.ids(member, "tag") == [1, 2]
    assert house.ids(house.root) == [1, 2, 3]


def test_rows_that_policy_hides_do_not_count(house: House, member: Member) -> None:
    house.rule("select", "note", "size < 25", to=member, max_rows=2)

    assert house.ids(member) == [1, 2]


# --- time --------------------------------------------------------------------------------------------------------


def test_an_operation_that_takes_longer_than_rules_let_it_is_stopped(slow_house: House) -> None:
    quick, slow = slow_house.member(*NORMAL), slow_house.member(*NORMAL)
    slow_house.rule("select", ["note", "slow_note"], to=quick, max_seconds=0.2)
    slow_house.rule("select", ["note", "slow_note"], to=slow, max_seconds=5)

    began = monotonic()
    assert slow_house.code(quick, "{ slow_note { id } }") == "TIME_LIMIT_EXCEEDED"
    assert monotonic() - began < 1.5
    assert len(slow_house.ask(slow, "{ slow_note { id } }")["slow_note"]) == 3
    # The connection is as good as before, and others do not have the limit.
    assert slow_house.ids(quick) == [1, 2, 3]
    assert len(slow_house.ask(slow_house.root, "{ slow_note { id } }")["slow_note"]) == 3


def test_the_least_limit_of_what_an_operation_touches_counts(slow_house: House) -> None:
    member = slow_house.member(*NORMAL)
    slow_house.rule("select", "slow_note", to=member)
    slow_house.rule("select", "note", to=member, max_seconds=0.2)

    assert slow_house.ask(member, "{ slow_note { id } }")
    assert slow_house.code(member, "{ slow_note { id } note { id } }") == "TIME_LIMIT_EXCEEDED"


def test_a_mutation_past_its_time_has_changed_nothing(slow_house: House) -> None:
    member = slow_house.member(*NORMAL)
    slow_house.rule("update", "wait_and_note", to=member, max_seconds=0.5)
    slow_house.rule(["select", "insert"], "tag", to=member)
    twice = """mutation { create_tag(input: {id: 9, word: "x"}) { id }
      a: call_wait_and_note(seconds: 0.3) b: call_wait_and_note(seconds: 0.3) }"""

    assert slow_house.code(member, twice) == "TIME_LIMIT_EXCEEDED"
    assert slow_house.ids(slow_house.root, "tag") == [1, 2]
    done = 'mutation { create_tag(input: {id: 9, word: "x"}) { id } call_wait_and_note(seconds: 0.01) }'
    assert slow_house.ask(member, done)["call_wait_and_note"] == 1
    assert slow_house.ids(slow_house.root, "tag") == [1, 2, 9, 1000]


def test_what_has_a_limit_gives_the_same_answers(house: House, member: Member) -> None:
    house.rule(["select", "insert", "update", "delete"], ["note", "team"], to=member, max_seconds=5)

    assert house.ask(member, "{ note { id body team { name } } }") == house.ask(
        house.root, "{ note { id body team { name } } }"
    )
    made = house.ask(member, 'mutation { create_note(input: {id: 9, body: "nine", size: 9}) { id body } }')
    assert made == {"create_note": {"id": "9", "body": "nine"}}
    both = 'mutation { update_note(id: 9, input: {body: "x"}) { body } delete_note(id: 9) { id body } }'
    assert house.ask(member, both) == {"update_note": {"body": "x"}, "delete_note": {"id": "9", "body": "x"}}
    assert house.code(member, "mutation { delete_note(id: 9) { id } }") == "NOT_FOUND"
    twice = 'mutation { create_note(input: {id: 1, body: "x", size: 1}) { id } }'
    assert house.code(member, twice) == "UNIQUE_VIOLATED"
