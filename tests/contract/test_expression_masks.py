"""Masks by an expression: when a column is masked, and what is seen in its place; whoever uses the column uses that."""

from typing import Any

import pytest

from schema.principal import NORMAL_CAPABILITIES
from tests.houses import CREATE_RULE, House, Member, code_of

pytestmark = pytest.mark.server

NORMAL = sorted(NORMAL_CAPABILITIES)


@pytest.fixture
def member(house: House) -> Member:
    return house.member(*NORMAL)


@pytest.mark.parametrize(
    ("column", "mask", "seen"),
    [
        ("body", {"mask": "expression", "value": "upper(body)"}, ["ONE", "TWO", "THREE"]),
        ("body", {"mask": "expression", "value": "team.name"}, ["Red", "Red", "Blue"]),
        ("body", {"mask": "expression", "value": "'hidden'"}, ["hidden"] * 3),
        ("body", {"mask": "expression", "value": "concat('note ', id)"}, ["note 1", "note 2", "note 3"]),
        ("body", {"mask": "expression", "value": "upper(body)", "when": "size > 15"}, ["one", "TWO", "THREE"]),
        ("body", {"mask": "null", "when": "team.name = 'Red'"}, [None, None, "three"]),
        # Where it is unknown whether it is masked, it is.
        ("body", {"mask": "null", "when": "owner = 5"}, [None] * 3),
        ("size", {"mask": "expression", "value": "round(size / 100) * 100"}, [0, 0, 0]),
        ("size", {"mask": "expression", "value": "size + 2147483640"}, [None] * 3),
        ("size", {"mask": "expression", "value": "0", "unless": "size = 20"}, [0, 20, 0]),
        ("owner", {"mask": "expression", "value": "size * 2"}, [20, 40, 60]),
    ],
)
def test_what_is_seen_of_a_column_is_what_is_used_of_it(
    house: House, member: Member, column: str, mask: dict[str, str], seen: list[Any]
) -> None:
    house.rule("select", to=member, masks={column: mask})

    rows = house.ask(member, f'{{ note(ordering: "id") {{ id {column} }} }}')["note"]

    assert [row[column] for row in rows] == seen
    values: set[Any] = {"one", "two", "three", "ONE", "Red", 10, 20, 30, 0, 60, *(each for each in seen if each)}
    fitting = [each for each in values if isinstance(each, str) is (column == "body")]
    for value in fitting:
        expected = [number for number, each in enumerate(seen, start=1) if each == value]
        written = f"'{value}'" if isinstance(value, str) else str(value)
        by_filter = house.ask(member, f'{{ note(filter: "{column} = {written}") {{ id }} }}')["note"]
        assert sorted(int(row["id"]) for row in by_filter) == expected
        by_where = house.ask(
            member,
            "query ($w: note_where) { note(where: $w) { id } }",
            {"w": {column: {"_eq": value}}},
        )["note"]
        assert sorted(int(row["id"]) for row in by_where) == expected
    whole = house.ask(member, f"{{ Aggregates {{ note {{ max {{ {column} }} }} }} }}")["Aggregates"]["note"]["max"]
    assert whole[column] == max((each for each in seen if each is not None), default=None)
    ordered = house.ask(member, f"{{ note(order_by: [{{ {column}: asc_nulls_last }}]) {{ {column} }} }}")["note"]
    assert [row[column] for row in ordered] == sorted(seen, key=lambda each: (each is None, each))


@pytest.mark.parametrize(
    "masks",
    [
        {"body": {"mask": "expression"}},
        {"body": {"mask": "null", "value": "upper(body)"}},
        {"body": {"mask": "expression", "value": "nope"}},
        {"body": {"mask": "expression", "value": "size"}},
        {"size": {"mask": "expression", "value": "body"}},
        {"size": {"mask": "expression", "value": "'many'"}},
        {"body": {"mask": "expression", "value": "size > 1"}},
        {"body": {"mask": "expression", "value": "tag_collection.word"}},
        {"body": {"mask": "expression", "value": "upper("}},
        {"body": {"mask": "expression", "value": "body) or (true"}},
        {"body": {"mask": "null", "when": "size = 1) or (true"}},
        {"body": {"mask": "null", "when": "size = 1", "unless": "size = 2"}},
        # These could fail on a row, and that would tell of rows that are hidden.
        {"body": {"mask": "null", "unless": "body like body"}},
        {"body": {"mask": "null", "when": "body like body"}},
    ],
)
def test_a_mask_that_makes_no_sense_is_refused(house: House, masks: dict[str, object]) -> None:
    given = {"name": "bad", "capabilities": ["select"], "targets": ["note"], "masks": masks}

    refused = house.control_refused(house.root, CREATE_RULE, {"i": given})
    assert code_of(refused) in {"BAD_INPUT", "RULE_REFUSED", "EXPRESSION_SYNTAX", "WRONG_TYPE"}


def test_a_mask_is_told_as_it_was_given(house: House) -> None:
    mask = {"mask": "expression", "unless": "", "text": "", "when": "size > 1", "value": "upper(body)"}
    rule_id = house.rule("select", masks={"body": mask})

    found = house.control(house.root, f'{{ policy_rule(filter: "ruleid = {rule_id}") {{ masks }} }}')["policy_rule"]
    assert found == [{"masks": {"body": mask}}]
