"""Mutations of many rows and along relations, sent by somebody who tries to reach the rows of others."""

from dataclasses import dataclass

import pytest

from tests.wire import Person, Wire, make_person

pytestmark = pytest.mark.server

RELATE = "mutation ($k: list_rowkey!, $r: list_relations) { update_list_by_key(key: $k, relations: $r) { listid } }"


@dataclass(frozen=True)
class Neighbour:
    """Somebody else, with one list and one item on it."""

    person: Person
    list_id: str
    item_id: str


@pytest.fixture
def neighbour(wire: Wire, root: str, todo: int) -> Neighbour:
    other = make_person(wire, root, todo)
    made = wire.ask(
        other.token,
        """mutation ($l: [list_insert!]!) {
          insert_list(objects: $l) { returning { listid item_collection { itemid } } } }""",
        {
            "l": {
                "listname": "theirs",
                "devii_roleid": other.role_id,
                "item_collection": {"create": [{"itemname": "secret"}]},
            }
        },
    )["insert_list"]["returning"][0]
    return Neighbour(other, made["listid"], made["item_collection"][0]["itemid"])


def own_list(wire: Wire, person: Person, name: str = "mine") -> str:
    document = "mutation ($l: [list_insert!]!) { insert_list(objects: $l) { returning { listid } } }"
    given = {"listname": name, "devii_roleid": person.role_id}
    return str(wire.ask(person.token, document, {"l": given})["insert_list"]["returning"][0]["listid"])


def test_a_condition_reaches_no_row_of_another(wire: Wire, person: Person, neighbour: Neighbour) -> None:
    document = """mutation ($f: String) {
      update_item_where(filter: $f, set: {itemname: "gotcha"}) { affected_rows returning { itemid } }
      delete_item_where(where: {itemname: {_eq: "secret"}}) { affected_rows }
    }"""

    data = wire.ask(person.token, document, {"f": f"itemid = {neighbour.item_id}"})

    assert data == {
        "update_item_where": {"affected_rows": 0, "returning": []},
        "delete_item_where": {"affected_rows": 0},
    }


def test_rows_for_another_are_refused_and_with_them_all_that_came_before(wire: Wire, person: Person) -> None:
    document = "mutation ($l: [list_insert!]!) { insert_list(objects: $l) { affected_rows } }"
    mine = {"listname": "half", "devii_roleid": person.role_id}

    error = wire.refused(person.token, document, {"l": [mine, mine | {"devii_roleid": 0}]})

    assert error["extensions"]["code"] == "POLICY_VIOLATED"
    assert wire.ask(person.token, "{ list(filter: \"listname = 'half'\") { listid } }") == {"list": []}


@pytest.mark.parametrize("verb", ["connect", "disconnect", "delete", "update"])
def test_along_a_relation_the_rows_of_others_look_like_none(
    wire: Wire, person: Person, neighbour: Neighbour, verb: str
) -> None:
    listid = own_list(wire, person)

    def refuse(item_id: str) -> object:
        key: dict[str, object] = {"itemid": item_id}
        given = {"key": key, "set": {"itemname": "x"}} if verb == "update" else key
        relations = {"item_collection": {verb: [given]}}
        return wire.refused(person.token, RELATE, {"k": {"listid": listid}, "r": relations})

    assert refuse(neighbour.item_id) == refuse("999999")


def test_what_another_has_cannot_be_guessed_by_what_must_match(
    wire: Wire, person: Person, neighbour: Neighbour
) -> None:
    document = """mutation ($k: item_rowkey!, $m: itemInput) {
      update_item_by_key(key: $k, set: {itemname: "x"}, if_match: $m) { itemid } }"""

    right, wrong, missing = (
        wire.refused(person.token, document, {"k": {"itemid": item}, "m": {"itemname": name}})
        for item, name in ((neighbour.item_id, "secret"), (neighbour.item_id, "other"), ("999999", "secret"))
    )

    assert right == wrong == missing
    assert right["extensions"]["code"] == "NOT_FOUND"


def test_a_list_cannot_be_emptied_of_what_is_not_ones_own(wire: Wire, root: str, neighbour: Neighbour) -> None:
    outsider = make_person(wire, root, neighbour.person.login.tenant_id)

    error = wire.refused(
        outsider.token, RELATE, {"k": {"listid": neighbour.list_id}, "r": {"item_collection": {"set": []}}}
    )

    assert error["extensions"]["code"] == "NOT_FOUND"


def test_more_rows_than_allowed_are_not_touched_at_all(wire: Wire, person: Person) -> None:
    for name in ("a", "b", "c"):
        own_list(wire, person, name)

    error = wire.refused(
        person.token, 'mutation { update_list_where(set: {listname: "z"}, max_affected: 2) { affected_rows } }'
    )

    assert error["extensions"]["code"] == "TOO_MANY_ROWS"
    names = [row["listname"] for row in wire.ask(person.token, '{ list(ordering: "listname") { listname } }')["list"]]
    assert names == ["a", "b", "c"]


def test_a_version_lets_one_change_through_and_not_the_next(wire: Wire, person: Person) -> None:
    listid = own_list(wire, person)
    named = """mutation ($f: String, $n: String) {
      update_list_where(filter: $f, set: {listname: $n}) { versions } }"""
    [version] = wire.ask(person.token, named, {"f": f"listid = {listid}", "n": "one"})["update_list_where"]["versions"]
    document = """mutation ($k: list_rowkey!, $v: String) {
      update_list_by_key(key: $k, set: {listname: "two"}, if_version: $v) { listname } }"""
    given = {"k": {"listid": listid}, "v": version}

    first = wire.ask(person.token, document, given)
    second = wire.refused(person.token, document, given)

    assert first["update_list_by_key"] == {"listname": "two"}
    assert second["extensions"]["code"] == "PRECONDITION_FAILED"


def test_a_dry_run_leaves_nothing_behind(wire: Wire, person: Person) -> None:
    document = """mutation ($l: [list_insert!]!) @dry_run { insert_list(objects: $l) { affected_rows } }"""

    data = wire.ask(person.token, document, {"l": {"listname": "not there", "devii_roleid": person.role_id}})

    assert data == {"insert_list": {"affected_rows": 1}}
    assert wire.ask(person.token, "{ list { listname } }") == {"list": []}
