"""Claims: what root says of a role, for the filters of rules. Who has none, or one that does not fit, is let through by
nothing."""

from typing import Any

import pytest

from schema.principal import NORMAL_CAPABILITIES
from tests.houses import CREATE_ROLE, CREATE_RULE, House, Member, code_of

pytestmark = pytest.mark.server

NORMAL = sorted(NORMAL_CAPABILITIES)
UPDATE = "mutation ($i: roleInput!, $id: ID!) { update_role(roleid: $id, input: $i) { roleid claims } }"
READ = "query ($f: String) { role(filter: $f) { claims } }"


def claim(house: House, member: Member, claims: Any, by: Member | None = None) -> Any:
    given = {"tenantid": house.tenant_id, "login": member.login, "name": "A role", "claims": claims}
    return house.control(by or house.root, UPDATE, {"id": member.role_id, "i": given})["update_role"]["claims"]


def test_rules_know_a_role_by_its_claims_at_once(house: House) -> None:
    ann, bob = house.member(*NORMAL), house.member(*NORMAL)
    house.rule("select", "note", "size = $_PRINCIPAL.claims.size")

    assert house.ids(ann) == []
    assert claim(house, ann, {"size": 10}) == {"size": 10}
    claim(house, bob, {"size": 30})
    assert (house.ids(ann), house.ids(bob)) == ([1], [3])
    claim(house, ann, {"size": 20})
    assert house.ids(ann) == [2]
    claim(house, ann, None)
    assert house.ids(ann) == []


@pytest.mark.parametrize(
    ("filter_of", "claims", "seen"),
    [
        ("body = $_PRINCIPAL.claims.word", {"word": "two"}, [2]),
        ("body = $_PRINCIPAL.claims.word", {"word": ["two"]}, []),
        ("body = $_PRINCIPAL.claims.word", {"other": "two"}, []),
        ("body = $_PRINCIPAL.claims.word", {"word": "' or true --"}, []),
        ("body != $_PRINCIPAL.claims.word", {"word": "two"}, [1, 3]),
        ("body != $_PRINCIPAL.claims.word", {}, []),
        ("not body = $_PRINCIPAL.claims.word", {}, []),
        ("size = $_PRINCIPAL.claims.size", {"size": "20"}, [2]),
        ("size = $_PRINCIPAL.claims.size", {"size": "many"}, []),
        ("size = $_PRINCIPAL.claims.size", {"size": True}, []),
        ("not size = $_PRINCIPAL.claims.size", {"size": "many"}, []),
        ("size < $_PRINCIPAL.claims.size", {"size": 25}, [1, 2]),
        ("size in $_PRINCIPAL.claims.sizes", {"sizes": [10, 30]}, [1, 3]),
        ("size in $_PRINCIPAL.claims.sizes", {"sizes": 10}, [1]),
        ("size in $_PRINCIPAL.claims.sizes", {"sizes": []}, []),
        ("size in $_PRINCIPAL.claims.sizes", {}, []),
        ("size not in $_PRINCIPAL.claims.sizes", {"sizes": [10, 30]}, [2]),
        ("size not in $_PRINCIPAL.claims.sizes", {"sizes": []}, [1, 2, 3]),
        # What is not there hides nothing only if it were a list of nothing: it is not.
        ("size not in $_PRINCIPAL.claims.sizes", {}, []),
        ("size not in $_PRINCIPAL.claims.sizes", {"sizes": [10, "many"]}, []),
        ("body in $_PRINCIPAL.claims.words", {"words": ["one", "three"]}, [1, 3]),
        ("body in ['two', $_PRINCIPAL.claims.word]", {"word": "one"}, [1, 2]),
        ("body in ['two', $_PRINCIPAL.claims.word]", {}, [2]),
        ("team.name = $_PRINCIPAL.claims.team", {"team": "Blue"}, [3]),
        ("$_PRINCIPAL.claims.is_chief = true", {"is_chief": True}, [1, 2, 3]),
        ("$_PRINCIPAL.claims.is_chief = true", {"is_chief": False}, []),
        ("$_PRINCIPAL.claims.is_chief = true", {}, []),
        ("$_PRINCIPAL.claims.is_chief != true", {}, []),
        ("$_PRINCIPAL.claims.level >= 3", {"level": 3}, [1, 2, 3]),
        ("$_PRINCIPAL.claims.level >= 3", {"level": 2}, []),
        ("'staff' in $_PRINCIPAL.claims.groups", {"groups": ["staff", "x"]}, [1, 2, 3]),
        ("'staff' in $_PRINCIPAL.claims.groups", {"groups": ["x"]}, []),
        ("'staff' not in $_PRINCIPAL.claims.groups", {}, []),
    ],
)
def test_a_claim_is_read_as_what_it_stands_beside(
    house: House, filter_of: str, claims: dict[str, object], seen: list[int]
) -> None:
    member = house.member(*NORMAL)
    house.rule("select", "note", filter_of, to=member)
    claim(house, member, claims)

    assert house.ids(member) == seen


def test_what_is_stored_fits_the_claims_too(house: House) -> None:
    member = house.member(*NORMAL)
    house.rule(["select", "insert", "update"], "note", "size in $_PRINCIPAL.claims.sizes", to=member)
    claim(house, member, {"sizes": [10, 40]})

    create = "mutation ($i: noteInput) { create_note(input: $i) { id } }"
    assert house.ask(member, create, {"i": {"id": 8, "body": "x", "size": 40}})
    assert house.code(member, create, {"i": {"id": 9, "body": "x", "size": 50}}) == "POLICY_VIOLATED"
    moved = "mutation { update_note(id: 1, input: {size: 30}) { id } }"
    assert house.code(member, moved) == "POLICY_VIOLATED"


def test_root_alone_sets_claims(house: House) -> None:
    maker = house.member(*NORMAL, "create_role", "update_role", "view_role")
    house.rule(["create_role", "update_role", "view_role"], "roles_pbac.roles", to=maker)
    administrator = house.member("admin")
    other = house.member(*NORMAL)
    claim(house, other, {"level": 1})
    given = {"tenantid": house.tenant_id, "login": "new", "name": "New", "claims": {"level": 9}}

    for who in (maker, administrator):
        assert code_of(house.control_refused(who, CREATE_ROLE, {"i": given})) == "ROOT_ONLY"
        for subject in (other, who):
            change = given | {"login": subject.login}
            assert code_of(house.control_refused(who, UPDATE, {"id": subject.role_id, "i": change})) == "ROOT_ONLY"
            change = given | {"login": subject.login, "claims": None}
            assert code_of(house.control_refused(who, UPDATE, {"id": subject.role_id, "i": change})) == "ROOT_ONLY"
    # What others change leaves them as they are.
    kept = {"tenantid": house.tenant_id, "login": other.login, "name": "Renamed"}
    house.control(maker, UPDATE, {"id": other.role_id, "i": kept})
    assert house.control(house.root, READ, {"f": f"roleid = {other.role_id}"})["role"] == [{"claims": {"level": 1}}]


def test_claims_are_shown_to_who_has_them_and_to_administrators(house: House) -> None:
    viewer = house.member(*NORMAL, "view_role")
    house.rule("view_role", "roles_pbac.roles", to=viewer)
    member = house.member(*NORMAL, parent=viewer)
    claim(house, member, {"risk": "high"})
    of_member = {"f": f"roleid = {member.role_id}"}

    for who in (house.root, house.member("admin"), member):
        assert house.control(who, READ, of_member)["role"] == [{"claims": {"risk": "high"}}]
    assert house.control(viewer, READ, of_member)["role"] == [{"claims": None}]
    for filter_of in ("claims != null", f"roleid = {member.role_id} and claims != null"):
        assert house.control(viewer, READ, {"f": filter_of})["role"] == []


@pytest.mark.parametrize(
    "claims",
    [
        "text",
        ["a"],
        {"a b": 1},
        {"": 1},
        {"a": {"b": 1}},
        {"a": [[1]]},
        {"a": None},
        {"a": [None]},
        {"a": "x" * 5_000},
        {"a": list(range(500))},
        {f"c{number}": 1 for number in range(60)},
        {"a": 2**60},
        {"a": "\0"},
    ],
)
def test_claims_that_are_none_or_too_many_are_refused(house: House, claims: object) -> None:
    given = {"tenantid": house.tenant_id, "login": "new", "name": "New", "claims": claims}

    assert code_of(house.control_refused(house.root, CREATE_ROLE, {"i": given})) == "BAD_INPUT"


@pytest.mark.parametrize(
    "filter_of",
    [
        "size = $_PRINCIPAL.claims",
        "size = $_PRINCIPAL.roleid.size",
        "$_PRINCIPAL.claims.size = null",
        "size + $_PRINCIPAL.claims.size > 1",
        "body like $_PRINCIPAL.claims.word",
    ],
)
def test_a_claim_cannot_stand_anywhere(house: House, filter_of: str) -> None:
    given = {"name": "bad", "capabilities": ["select"], "targets": ["note"], "filter": filter_of}

    assert house.control_refused(house.root, CREATE_RULE, {"i": given})["data"] is None


def test_roles_with_other_claims_share_one_schema_and_see_their_own(house: House) -> None:
    house.rule("select", "note", "size = $_PRINCIPAL.claims.size")
    members = [house.member(*NORMAL) for _ in range(3)]
    for member, size in zip(members, (10, 20, 30), strict=True):
        claim(house, member, {"size": size})

    for _ in range(2):
        assert [house.ids(member) for member in members] == [[1], [2], [3]]


def test_a_change_of_claims_is_in_the_audit(house: House) -> None:
    member = house.member(*NORMAL)
    claim(house, member, {"level": 1})

    document = "query ($f: String) { Audit { entries(filter: $f) { action roleid before after } } }"
    told = house.control(house.root, document, {"f": f"kind = 'role' and subjectid = {member.role_id}"})
    assert {
        "action": "update",
        "roleid": house.root.role_id,
        "before": {"claims": None},
        "after": {"claims": {"level": 1}},
    } in told["Audit"]["entries"]
