"""Nobody grants what it does not hold: what a role that may make rules cannot give to itself or to others."""

from typing import Any

import pytest

from schema.principal import NORMAL_CAPABILITIES
from tests.houses import CREATE_RULE, House, Member, code_of

pytestmark = pytest.mark.server

NORMAL = sorted(NORMAL_CAPABILITIES)
MAKING = ("create_rule", "update_rule", "delete_rule")
UPDATE_RULE = "mutation ($i: policy_ruleInput, $id: ID!) { update_policy_rule(ruleid: $id, input: $i) { ruleid } }"
DELETE_RULE = "mutation ($id: ID!) { delete_policy_rule(ruleid: $id) { ruleid } }"


@pytest.fixture
def maker(house: House) -> Member:
    """Who may make, change and delete any rule."""
    member = house.member(*NORMAL, *MAKING)
    house.rule(list(MAKING), "roles_pbac.policy_rules", to=member)
    return member


def a_rule(capability: str | list[str] = "select", target: str = "note", **more: Any) -> dict[str, Any]:
    capabilities = [capability] if isinstance(capability, str) else capability
    return {"name": "made", "capabilities": capabilities, "targets": [target]} | more


def make(house: House, who: Member, rule: dict[str, Any]) -> int:
    return int(house.control(who, CREATE_RULE, {"i": rule})["create_policy_rule"]["ruleid"])


def refused(house: House, who: Member, rule: dict[str, Any]) -> str:
    """The code of the refusal to make the rule, of which nothing is left."""
    before = house.control(house.root, "{ policy_rule { ruleid } }")
    code = code_of(house.control_refused(who, CREATE_RULE, {"i": rule}))
    assert house.control(house.root, "{ policy_rule { ruleid } }") == before
    return code


def test_who_holds_nothing_grants_nothing_to_nobody(house: House, maker: Member) -> None:
    own_class = house.role_class(maker)
    for scope in ({}, {"roles": [maker.role_id]}, {"classes": [own_class]}):
        for target in ("note", "public.note", "side.memo", "short_note", "note_tag"):
            for capability in ("select", "insert", "update", "delete", "upload", "download"):
                assert refused(house, maker, a_rule(capability, target, **scope)) == "GRANT_NOT_HELD"
    for capability in ("create_role", "view_role", "view_rule", "create_class"):
        target = "roles_pbac.roles"
        assert refused(house, maker, a_rule(capability, target)) == "CAPABILITY_NOT_HELD"
    assert house.refused(maker, "{ note { id } }")["data"] is None


def test_what_is_held_whole_can_be_granted_whole_or_in_part(house: House, maker: Member) -> None:
    other = house.member(*NORMAL)
    house.rule(["select", "update"], "note", to=maker)

    make(house, maker, a_rule("select", filter="size > 15", roles=[other.role_id], read_columns=["id", "body"]))
    assert house.ids(other) == [2, 3]
    assert house.refused(other, "{ note { size } }")["data"] is None
    make(house, maker, a_rule(["select", "update"], roles=[other.role_id], write_columns=["body"]))
    assert house.ids(other) == [1, 2, 3]
    assert refused(house, maker, a_rule("delete")) == "GRANT_NOT_HELD"
    assert refused(house, maker, a_rule(["select", "delete"])) == "GRANT_NOT_HELD"
    assert refused(house, maker, a_rule("select", "team")) == "GRANT_NOT_HELD"
    several = a_rule("select") | {"targets": ["note", "team"]}
    assert refused(house, maker, several) == "GRANT_NOT_HELD"


@pytest.mark.parametrize(
    "filter_of",
    [
        "",
        "true",
        "size < 15 or size > 15",
        "not (size < 15)",
        "size <= 15",
        "size < 16",
        "id = 1",
        "size < 15 or id = 1",
        "(size < 15 and id = 1) or id = 3",
        "size = 10",
    ],
)
def test_a_filter_is_not_loosened(house: House, maker: Member, filter_of: str) -> None:
    house.rule("select", "note", "size < 15", to=maker)

    assert refused(house, maker, a_rule(filter=filter_of)) == "GRANT_NOT_HELD"
    assert house.ids(maker) == [1]


def test_a_filter_is_handed_on_as_it_is_or_narrower(house: House, maker: Member) -> None:
    other = house.member(*NORMAL)
    house.rule("select", "note", "size < 25", to=maker)

    make(house, maker, a_rule(filter="size<25", roles=[other.role_id]))
    assert house.ids(other) == [1, 2]
    third = house.member(*NORMAL)
    make(house, maker, a_rule(filter="id = 2 and size < 25", roles=[third.role_id]))
    assert house.ids(third) == [2]


def test_ones_own_rows_are_not_those_of_others(house: House, maker: Member) -> None:
    house.rule("select", "note", "owner = $_PRINCIPAL.roleid", to=maker)
    house.rule("select", "tag", "id in $_PRINCIPAL.children", to=maker)

    # Whoever it is for would see rows of its own, which the maker does not.
    assert refused(house, maker, a_rule(filter="owner = $_PRINCIPAL.roleid")) == "GRANT_NOT_HELD"
    assert refused(house, maker, a_rule("select", "tag", filter="id in $_PRINCIPAL.children")) == "GRANT_NOT_HELD"


def test_columns_that_are_not_held_are_not_granted(house: House, maker: Member) -> None:
    house.rule("select", "note", to=maker, read_columns=["id", "body"])
    house.rule("update", "note", to=maker, write_columns=["body"])
    house.rule("insert", "note", to=maker, forced={"size": 1})

    for columns in (None, ["id", "size"], ["size"], ["id", "body", "owner"]):
        assert refused(house, maker, a_rule("select", read_columns=columns)) == "GRANT_NOT_HELD"
    for columns in (None, ["body", "size"], ["size"]):
        assert refused(house, maker, a_rule("update", write_columns=columns)) == "GRANT_NOT_HELD"
    for presets in ({"forced": {"size": 5}}, {"defaults": {"size": 5}}):
        assert refused(house, maker, a_rule("update", write_columns=["body"], **presets)) == "GRANT_NOT_HELD"
    for presets in ({}, {"forced": {"size": 2}}, {"defaults": {"size": 1}}, {"forced": {"body": "x"}}):
        assert refused(house, maker, a_rule("insert", **presets)) == "GRANT_NOT_HELD"
    make(house, maker, a_rule("select", read_columns=["body"]))
    make(house, maker, a_rule("update", write_columns=["body"]))
    make(house, maker, a_rule("insert", forced={"size": 1}))


@pytest.mark.parametrize("capability", ["insert", "update"])
@pytest.mark.parametrize("kind", ["forced", "defaults"])
def test_nobody_has_the_rows_of_others_named_after_itself(
    house: House, maker: Member, capability: str, kind: str
) -> None:
    other = house.member(*NORMAL)
    house.rule(["select", "insert", "update"], "note", to=other)
    house.rule(["insert", "update"], "note", to=maker)
    house.rule("select", "note", "owner = $_PRINCIPAL.roleid", to=maker)

    for owner in (maker.role_id, "$_PRINCIPAL.roleid", None):
        assert refused(house, maker, a_rule(capability, **{kind: {"owner": owner}})) == "GRANT_NOT_HELD"
    house.ask(other, 'mutation { create_note(input: {id: 77, body: "mine", size: 1}) { id } }')
    house.ask(other, 'mutation { update_note(id: 1, input: {body: "mine"}) { id } }')
    assert house.ids(maker) == []


def test_what_two_rules_hold_apart_is_not_granted_together(house: House, maker: Member) -> None:
    house.rule("select", "note", "size < 15", to=maker)
    house.rule("select", "note", to=maker, read_columns=["id"])

    assert refused(house, maker, a_rule()) == "GRANT_NOT_HELD"
    make(house, maker, a_rule(read_columns=["id"]))
    make(house, maker, a_rule(filter="size < 15"))


def test_a_mask_is_not_taken_off(house: House, maker: Member) -> None:
    mask = {"mask": "last_four", "unless": "size < 15"}
    house.rule("select", "note", to=maker, masks={"body": mask})

    for masks in (
        None,
        {"size": {"mask": "null"}},
        {"body": {"mask": "last_four", "unless": "size < 25"}},
        {"body": {"mask": "last_four", "unless": "true"}},
        {"body": {"mask": "hash"}},
        {"body": {"mask": "expression", "value": "body"}},
        {"body": mask, "size": {"mask": "expression", "value": "length(body)"}},
        {"body": mask, "size": {"mask": "null", "unless": "body = 'three'"}},
    ):
        assert refused(house, maker, a_rule(masks=masks)) == "GRANT_NOT_HELD"
    assert refused(house, maker, a_rule(read_columns=["body"])) == "GRANT_NOT_HELD"
    make(house, maker, a_rule(masks={"body": mask}))
    make(house, maker, a_rule(masks={"body": {"mask": "null"}}))
    make(house, maker, a_rule(read_columns=["id", "size"]))


def test_a_mask_that_knows_who_looks_is_not_handed_on(house: House, maker: Member) -> None:
    mask = {"mask": "null", "unless": "owner = $_PRINCIPAL.roleid"}
    house.rule("select", "note", to=maker, masks={"body": mask})

    assert refused(house, maker, a_rule(masks={"body": mask})) == "GRANT_NOT_HELD"


def test_a_condition_is_no_way_to_look_at_what_is_hidden(house: House, maker: Member) -> None:
    """By who then sees which rows, a rule's condition would tell its maker what it compares."""
    puppet = house.member(*NORMAL)
    house.rule("select", "note", to=maker, read_columns=["id", "body"])
    house.rule("update", "note", to=maker)
    house.rule("select", "tag", to=maker)

    for filter_of in (
        "size > 15",
        "owner != null",
        "body = 'one' and size = 10",
        "team.name = 'Red'",
        "team.owner = 1",
        "tag_collection.word = 'new'",
        "id = max(id)",
        "id < count(tag_collection.id)",
    ):
        rule = a_rule(filter=filter_of, read_columns=["id"], roles=[puppet.role_id])
        code = code_of(house.control_refused(maker, CREATE_RULE, {"i": rule}))
        assert code == "GRANT_NOT_HELD", filter_of
        assert code_of(house.control_refused(maker, CREATE_RULE, {"i": a_rule("update", filter=filter_of)})) == code
    make(house, maker, a_rule(filter="body = 'one'", read_columns=["id"], roles=[puppet.role_id]))
    assert house.ids(puppet) == [1]


def test_limits_and_periods_are_not_lifted(house: House, maker: Member) -> None:
    until = "2036-01-01T00:00:00+00:00"
    house.rule("select", "note", to=maker, max_rows=10, max_seconds=2, aggregates="none", valid_until=until)
    held: dict[str, Any] = {"max_rows": 10, "max_seconds": 2, "aggregates": "none", "valid_until": until}

    for wider in (
        {"max_rows": None},
        {"max_rows": 11},
        {"max_seconds": None},
        {"max_seconds": 2.5},
        {"aggregates": None},
        {"aggregates": "also"},
        {"aggregates": "only", "min_group_size": 2},
        {"valid_until": None},
        {"valid_until": "2037-01-01T00:00:00+00:00"},
    ):
        assert refused(house, maker, a_rule(**(held | wider))) == "GRANT_NOT_HELD"
    make(house, maker, a_rule(**held))
    make(house, maker, a_rule(**(held | {"max_rows": 5, "valid_until": "2030-01-01T00:00:00Z"})))


def test_aggregates_only_are_not_rows(house: House, maker: Member) -> None:
    only = {"aggregates": "only", "min_group_size": 2}
    house.rule("select", "note", to=maker, **only)

    for options in ({}, only, only | {"group_columns": ["id"]}, only | {"filter": "size > 15"}):
        assert refused(house, maker, a_rule(**options)) == "GRANT_NOT_HELD"


def test_a_rule_is_not_changed_into_more_than_its_changer_holds(house: House, maker: Member) -> None:
    other = house.member(*NORMAL)
    house.rule("select", "note", "size < 15", to=maker)
    made = make(house, maker, a_rule(filter="size < 15", roles=[other.role_id]))
    roots = house.rule("select", "team", to=other)

    for rule_id, change in (
        (made, {"filter": ""}),
        (made, {"filter": None}),
        (made, {"targets": ["team"], "filter": ""}),
        (made, {"targets": ["note", "tag"], "filter": ""}),
        (made, {"capabilities": ["select", "delete"]}),
        # Whom a rule is for is part of what it grants.
        (roots, {"roles": [maker.role_id]}),
        (roots, {"roles": []}),
        (roots, {"name": "renamed"}),
    ):
        given = {"name": "made"} | change
        assert code_of(house.control_refused(maker, UPDATE_RULE, {"id": rule_id, "i": given})) == "GRANT_NOT_HELD"
    assert house.ids(other) == [1]
    assert house.refused(maker, "{ team { id } }")["data"] is None
    house.control(maker, UPDATE_RULE, {"id": made, "i": {"name": "narrower", "filter": "size < 15 and id = 9"}})
    assert house.ids(other) == []
    house.control(maker, DELETE_RULE, {"id": roots})


def test_control_targets_are_granted_as_they_are_held(house: House) -> None:
    maker = house.member(*NORMAL, *MAKING, "create_role", "view_role", "update_role")
    house.rule(list(MAKING), "roles_pbac.policy_rules", to=maker)
    house.rule("create_role", "roles_pbac.roles", "login ilike 'guest%'", to=maker)
    house.rule("create_role", "roles_pbac.role_classes", "name = 'guests'", to=maker)
    target = "roles_pbac.roles"

    for rule in (
        a_rule("create_role", target),
        a_rule("create_role", target, filter="login ilike 'g%'"),
        a_rule("view_role", target),
        a_rule("update_role", target, filter="login ilike 'guest%'"),
        a_rule("create_role", "roles_pbac.role_classes"),
        a_rule("create_role", "roles_pbac.policy_rules"),
        a_rule("create_role", target, filter="login ilike 'guest%' and contactinfo.phone = '1'"),
        # Which roles there are it does not see, so no condition asks for it.
        a_rule("create_role", target, filter="login ilike 'guest%' and name = 'x'"),
    ):
        assert refused(house, maker, rule) == "GRANT_NOT_HELD"
    make(house, maker, a_rule("create_role", target, filter="login ilike 'guest%'"))
    make(house, maker, a_rule("create_rule", "roles_pbac.policy_rules"))


def test_a_function_is_granted_by_who_may_call_it(house: House, maker: Member) -> None:
    assert refused(house, maker, a_rule("select", "short_note")) == "GRANT_NOT_HELD"
    house.rule("select", "short_note", to=maker)
    make(house, maker, a_rule("select", "short_note"))


def test_where_the_most_specific_rule_counts_no_rule_is_uncovered(house: House, maker: Member) -> None:
    house.choose("most_specific")
    house.rule("select", "note")
    narrow = house.rule("select", "note", "size < 15", to=maker)

    assert house.ids(maker) == [1]
    assert refused(house, maker, a_rule()) == "GRANT_NOT_HELD"
    assert code_of(house.control_refused(maker, DELETE_RULE, {"id": narrow})) == "RULE_REFUSED"
    given = {"name": "made", "roles": [house.root.role_id]}
    assert code_of(house.control_refused(maker, UPDATE_RULE, {"id": narrow, "i": given})) == "RULE_REFUSED"
    assert house.ids(maker) == [1]


def test_a_rule_that_is_over_is_not_held(house: House, maker: Member) -> None:
    house.rule("select", "note", to=maker, valid_until="2020-01-01T00:00:00Z")
    house.rule("select", "tag", to=maker, valid_from="2090-01-01T00:00:00Z")

    assert refused(house, maker, a_rule(valid_until="2019-01-01T00:00:00Z")) == "GRANT_NOT_HELD"
    assert refused(house, maker, a_rule("select", "tag", valid_from="2090-01-01T00:00:00Z")) == "GRANT_NOT_HELD"


def test_root_and_administrators_grant_what_they_like(house: House) -> None:
    administrator = house.member("admin")

    make(house, administrator, a_rule(["select", "delete"], filter="team.name = 'Red'"))
    make(house, house.root, a_rule("create_role", "roles_pbac.roles"))
