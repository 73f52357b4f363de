"""`Policy { explain may diff }`: what they say is what the gateway does, and no more than who asks may see."""

import asyncio
import random
from datetime import UTC, datetime
from typing import Any

import pytest

from db.engines import control_engine
from db.records import GuestPolicy
from db.roles import find_role
from db.secrets import load_master_key
from db.tenants import find_tenant
from gateway.auth.principals import read_principal
from schema.principal import NORMAL_CAPABILITIES, Principal
from schema.roles_pbac.explained.asked import read_asked, read_subject, read_subjects
from tests.builders import a_model
from tests.houses import House, Member, code_of
from tests.wire import Json

pytestmark = pytest.mark.server

NORMAL = sorted(NORMAL_CAPABILITIES)
EXPLAIN = """
query ($role: ID!, $target: String!, $operation: String!, $key: GenericScalar) {
  Policy { explain(roleid: $role, target: $target, operation: $operation, key: $key) {
    roleid target operation complete verdict why
    rules { ruleid name counts checks { check holds why } parts { depth kind text holds fails withheld }
      read_columns write_columns forced defaults masks
      aggregates min_group_size group_columns max_rows max_seconds missing_claims }
    columns { name access mask }
    max_rows max_seconds
    row { allowed fails }
    change { kind sentence ruleid capability classid target tests claims }
  } }
}
"""
DIFF = """
query ($rules: [policy_ruleChange!]!) { Policy { diff(rules: $rules) { complete cut differences {
  roleid login target operation before after rows_gained rows_lost sample_gained sample_lost
  columns_gained columns_lost columns_changed uncounted
  limits_before { max_rows max_seconds } limits_after { max_rows max_seconds }
} } } }
"""
MAY = """
query ($role: ID!) { Policy { may(roleid: $role) { roleid complete targets {
  target kind operations { operation verdict columns masked rules max_rows max_seconds }
} } } }
"""
RULES = "roles_pbac.policy_rules"
ALLOWED, DENIED, WITHHELD = ({"allowed": each, "fails": False} for each in (True, False, None))


def explain(
    house: House, who: Member, role: Member, target: str = "note", operation: str = "select", key: object = None
) -> Json:
    given = {"role": role.role_id, "target": target, "operation": operation, "key": key}
    return dict(house.control(who, EXPLAIN, given)["Policy"]["explain"])


def refused(house: House, who: Member, document: str, **given: object) -> str:
    return code_of(house.control_refused(who, document, given))


def diff(house: House, who: Member, *rules: dict[str, object]) -> list[Json]:
    found = house.control(who, DIFF, {"rules": rules})["Policy"]["diff"]
    assert found["cut"] is False
    return list(found["differences"])


def parts(explained: Json, place: int = 0) -> list[tuple[int, str, bool | None]]:
    return [(each["depth"], each["text"], each["holds"]) for each in explained["rules"][place]["parts"]]


@pytest.fixture
def member(house: House) -> Member:
    return house.member(*NORMAL)


def seer(house: House, *more: str) -> Member:
    """A role that is no administrator and sees all roles, classes and rules."""
    sees = ("view_rule", "view_role", "view_class")
    made = house.member(*NORMAL, *sees, *more)
    targets = ["roles_pbac.roles", "roles_pbac.role_classes", RULES]
    house.rule([*sees, *more], targets, to=made)
    return made


# --- explain ---------------------------------------------------------------------------------------------------------


def test_root_is_told_each_rule_and_why_it_counts(house: House, member: Member) -> None:
    users = house.role_class(member)
    house.rule("select", "note", "size > 15", classes=[users], name="Large")
    house.rule("insert", "note", to=member)
    house.rule("select", "team", to=member)
    house.rule("select", "note", to=house.root)
    house.rule("select", "note", valid_until="2001-01-01T00:00:00Z")

    told = explain(house, house.root, member)

    assert (told["verdict"], told["complete"], told["row"]) == ("conditioned", True, None)
    assert [each["counts"] for each in told["rules"]] == [True, False, False, False, False]
    assert told["why"] == f"Granted by rule {told['rules'][0]['ruleid']}, on the rows that satisfy its filter."
    failed = [[check["check"] for check in each["checks"] if not check["holds"]] for each in told["rules"]]
    assert failed == [[], ["capability"], ["target"], ["scope"], ["period"]]
    assert parts(told) == [(0, "size > 15", None)]
    assert told["change"][0]["sentence"] == f"Let rule {told['rules'][0]['ruleid']} (Large) no longer grant select."


def test_each_part_of_a_filter_is_told_of_a_row(house: House, member: Member) -> None:
    text = "owner = $_PRINCIPAL.roleid or (size >= 20 and not team.name = 'Red')"
    rule = house.rule("select", "note", text, to=member, name="Some")

    second, third = (explain(house, house.root, member, key=number) for number in (2, "3"))

    assert parts(second) == [
        (0, text, None),
        (1, "owner = $_PRINCIPAL.roleid", None),
        (1, "size >= 20 and not team.name = 'Red'", False),
        (2, "size >= 20", True),
        (2, "not team.name = 'Red'", False),
        (3, "team.name = 'Red'", True),
    ]
    assert second["row"] == DENIED
    assert [step["sentence"] for step in second["change"]] == [
        f"Let the row satisfy, of rule {rule} (Some): owner = $_PRINCIPAL.roleid."
    ]
    assert third["row"] == ALLOWED
    assert third["change"][0]["kind"] in {"row_fails", "revoke_capability"}
    assert house.ids(member) == [3]


def test_a_row_that_is_not_there_is_not_found_whoever_asks(house: House, member: Member) -> None:
    house.rule("select", "note", to=member)

    given = {"role": member.role_id, "target": "note", "operation": "select"}

    assert refused(house, house.root, EXPLAIN, **given, key=99) == "NOT_FOUND"
    assert refused(house, house.root, EXPLAIN, **given, key={"id": 1, "size": 2}) == "BAD_INPUT"
    assert refused(house, house.root, EXPLAIN, **given, key="x") == "INVALID_VALUE"
    assert explain(house, house.root, member, key={"id": 1})["row"] == ALLOWED


def test_a_key_of_several_columns_is_an_object(house: House, member: Member) -> None:
    house.rule("select", "note_tag", "tag_id = 2", to=member)

    told = [explain(house, house.root, member, "note_tag", key={"note_id": 1, "tag_id": tag})["row"] for tag in (1, 2)]

    assert told == [DENIED, ALLOWED]
    given = {"role": member.role_id, "target": "note_tag", "operation": "select", "key": 1}
    assert refused(house, house.root, EXPLAIN, **given) == "BAD_INPUT"


def test_columns_and_masks_are_told_and_of_a_row_as_they_are_on_it(house: House, member: Member) -> None:
    mask = {"body": {"mask": "hash", "unless": "size = 10"}}
    house.rule("select", "note", to=member, read_columns=["id", "body"], masks=mask)
    house.rule("select", "note", "size = 20", to=member, read_columns=["id", "size"])
    house.rule("update", "note", to=member, write_columns=["body", "owner"], forced={"owner": "$_PRINCIPAL.roleid"})

    def access(operation: str, key: object = None) -> dict[str, str]:
        told = explain(house, house.root, member, operation=operation, key=key)
        return {each["name"]: each["access"] for each in told["columns"]}

    assert access("select") == {
        "id": "read", "body": "depends", "size": "depends", "owner": "hidden", "team_id": "hidden"
    }  # fmt: skip
    assert access("select", 1)["body"] == "read"
    assert {name: access("select", 2)[name] for name in ("body", "size")} == {"body": "masked", "size": "read"}
    assert access("select", 3)["size"] == "null"
    assert access("update", 1) == {
        "id": "closed", "body": "write", "size": "closed", "owner": "forced", "team_id": "closed"
    }  # fmt: skip


def test_root_administrators_and_deleted_roles_are_explained(house: House) -> None:
    admin, gone = house.member("login", "admin"), house.member(*NORMAL)
    house.rule("select", "note")
    house.control(house.root, "mutation ($r: ID!) { delete_role(roleid: $r) { roleid } }", {"r": gone.role_id})

    of_root, of_admin, of_gone = (explain(house, admin, each) for each in (house.root, admin, gone))

    assert (of_root["verdict"], of_root["why"], of_root["change"]) == (
        "allowed", "No rule binds the tenant's root role.", []
    )  # fmt: skip
    assert of_admin["why"] == "No rule binds a role with the capability admin."
    assert of_gone["verdict"] == "denied"
    assert [step["kind"] for step in of_gone["change"]] == ["restore_role"]


def test_targets_of_every_kind_are_explained(house: House, member: Member) -> None:
    house.rule("view_role", "roles_pbac.roles", "name = 'x'", to=member)

    assert explain(house, house.root, member, "short_note")["verdict"] == "denied"
    assert explain(house, house.root, member, "side.memo", "insert")["verdict"] == "denied"
    denied = explain(house, house.root, member, "roles_pbac.roles", "view_role")
    assert (denied["verdict"], denied["why"]) == ("denied", "The role itself has not the capability view_role.")
    assert [step["kind"] for step in denied["change"]] == ["give_capability"]
    given = {"role": member.role_id, "operation": "select"}
    assert refused(house, house.root, EXPLAIN, **given, target="nothing") == "NO_SUCH_TARGET"
    assert refused(house, house.root, EXPLAIN, **given | {"operation": "fly"}, target="note") == "BAD_INPUT"


def test_rows_of_control_targets_are_explained_to_administrators(
    house: House, neighbour: House, member: Member
) -> None:
    creator = house.member(*NORMAL, "update_role")
    parts_of_role = f"roleid = {member.role_id} and createtime > '2001-01-01T00:00:00Z' and parent.login = 'x'"
    house.rule("update_role", "roles_pbac.roles", parts_of_role, to=creator)
    given = {"role": creator.role_id, "target": "roles_pbac.roles", "operation": "update_role"}

    told = explain(house, house.root, creator, "roles_pbac.roles", "update_role", key=member.role_id)

    assert told["row"] == DENIED
    assert [(each["text"], each["holds"]) for each in told["rules"][0]["parts"][1:]] == [
        (f"roleid = {member.role_id}", True),
        ("createtime > '2001-01-01T00:00:00Z'", True),
        ("parent.login = 'x'", False),
    ]
    assert refused(house, house.root, EXPLAIN, **given, key=neighbour.root.role_id) == "NOT_FOUND"
    assert refused(house, seer(house), EXPLAIN, **given, key=member.role_id) == "NOT_FOUND"


def test_the_most_specific_rule_is_explained(house: House, member: Member) -> None:
    house.choose("most_specific")
    house.rule("select", "note")
    house.rule("select", "note", "size = 10", to=member)
    assert explain(house, house.root, member)["verdict"] == "conditioned"
    house.rule("select", "note", "size = 20", to=member)

    told = explain(house, house.root, member, key=1)

    assert told["verdict"] == "ambiguous"
    assert told["row"] == DENIED
    assert house.code(member, "{ note { id } }") == "RULES_AMBIGUOUS"
    assert [step["kind"] for step in told["change"]] == ["revoke_capability"]


FILTERS = [
    "",
    "size > 15",
    "owner = $_PRINCIPAL.roleid",
    "team.name = 'Red'",
    "not (team.name = 'Red') or owner = null",
    "size in [10, 30] and tag_collection.word = 'old'",
    "not owner = $_PRINCIPAL.roleid",
    "id / (size - 20) >= 0 or false",
    "$_PRINCIPAL.roleid in $_PRINCIPAL.children or owner in $_PRINCIPAL.classes",
]
CHANGES = {
    "update": "mutation @dry_run { update_note(id: %d, input: {size: %d}) { id } }",
    "delete": "mutation @dry_run { delete_note(id: %d) { id } }",
}


@pytest.mark.parametrize("seed", range(8))
def test_what_is_explained_of_a_row_is_what_the_gateway_does(house: House, seed: int) -> None:
    chance = random.Random(seed)
    members = [house.member(*NORMAL), house.member("login", "select", "update"), house.member("login", "admin")]
    users = house.role_class(*chance.sample(members, 2))
    for number in (1, 2):
        owner = chance.choice(members).role_id
        house.ask(house.root, f"mutation {{ update_note(id: {number}, input: {{owner: {owner}}}) {{ id }} }}")
    for _ in range(chance.randint(1, 4)):
        house.rule(
            chance.sample(["select", "update", "delete"], chance.randint(1, 3)),
            chance.choice(["note", ["note", "public.note"], "public.note"]),
            chance.choice(FILTERS),
            to=chance.choice([None, *members]),
            classes=chance.choice([[], [users]]),
        )

    for who in members:
        for operation in ("select", "update", "delete"):
            told = [explain(house, house.root, who, operation=operation, key=number) for number in (1, 2, 3)]
            assert [each["row"]["allowed"] for each in told] == done(house, who, operation)
            assert len({each["verdict"] for each in told}) == 1
            assert_consistent(told)


def done(house: House, who: Member, operation: str) -> list[bool]:
    """On which of the rows the gateway lets someone do it."""
    if operation == "select":
        answer = house.wire.post("/query", {"query": "{ note { id } }"}, who.token).json()
        seen: set[int] = set() if "errors" in answer else {int(row["id"]) for row in answer["data"]["note"]}
        return [number in seen for number in (1, 2, 3)]
    written = CHANGES[operation]
    documents = [
        written % ((number, size) if operation == "update" else number) for number, size in ((1, 10), (2, 20), (3, 30))
    ]
    answers = [house.wire.post("/query", {"query": document}, who.token).json() for document in documents]
    return ["errors" not in answer or _is_of_keys(answer) for answer in answers]


def _is_of_keys(answer: Json) -> bool:
    """Whether the database refused what the policy would have let through."""
    return str(code_of(answer["errors"][0])) == "FOREIGN_KEY_VIOLATED"


def assert_consistent(told: list[Json]) -> None:
    """A row is allowed where the whole filter of a rule that counts holds, or such a rule has none."""
    for each in told:
        counting = [rule for rule in each["rules"] if rule["counts"]]
        if each["verdict"] == "conditioned":
            whole = [rule["parts"][0]["holds"] if rule["parts"] else True for rule in counting]
            assert each["row"]["allowed"] is any(holds is True for holds in whole)


def test_the_part_of_a_filter_that_fails_on_a_row_is_named(house: House, member: Member) -> None:
    text = "id = 9 or size > 5 and size ^ 200000 > 5 and not body = 'x'"
    house.rule("select", "note", text, to=member)
    house.rule("update", "note", "size ^ (id - 1) > 5", to=member)

    told = explain(house, house.root, member, key=1)

    assert house.code(member, "{ note { id } }") == "INVALID_VALUE"
    assert told["row"] == {"allowed": False, "fails": True}
    assert [(each["text"], each["holds"], each["fails"]) for each in told["rules"][0]["parts"]] == [
        (text, None, True),
        ("id = 9", False, False),
        ("size > 5 and size ^ 200000 > 5 and not body = 'x'", None, True),
        ("size > 5", True, False),
        ("size ^ 200000 > 5", None, True),
        ("not body = 'x'", True, False),
        ("body = 'x'", False, False),
    ]
    assert [step["tests"] for step in told["change"]] == [["id = 9"]]


def test_the_part_that_fails_on_a_row_of_a_control_target_is_named(house: House) -> None:
    creator = house.member(*NORMAL, "update_role")
    house.rule("update_role", "roles_pbac.roles", "roleid ^ 200000 > 5 or name = 'x'", to=creator)

    told = explain(house, house.root, creator, "roles_pbac.roles", "update_role", key=creator.role_id)

    assert told["row"] == {"allowed": False, "fails": True}
    assert [each["fails"] for each in told["rules"][0]["parts"]] == [True, True, False]


CROWD: dict[str, Any] = {"aggregates": "only", "min_group_size": 2, "group_columns": ["team_id"]}


def test_rows_that_are_for_aggregates_only_are_explained(house: House, member: Member) -> None:
    rule = house.rule("select", "note", "size < 40", to=member, name="Crowd", **CROWD)

    listed = explain(house, house.root, member)
    first, third = (explain(house, house.root, member, operation="aggregate", key=number) for number in (1, 3))

    assert (listed["verdict"], [step["kind"] for step in listed["change"]]) == ("denied", ["open_rows"])
    told = listed["rules"][0]
    assert (told["aggregates"], told["min_group_size"], told["group_columns"]) == ("only", 2, ["team_id"])
    assert told["checks"][-1] == {
        "check": "aggregates",
        "holds": False,
        "why": "Its rows are for aggregates only, where 2 of them are alike in team_id.",
    }
    assert first["why"] == f"Granted by rule {rule}, on the rows of groups that are large enough."
    assert (first["row"], third["row"]) == (ALLOWED, DENIED)
    assert third["change"][0]["sentence"] == f"Let 2 rows of rule {rule} (Crowd) be like this one in team_id."
    assert house.ask(member, "{ Aggregates { note { count } } }") == {"Aggregates": {"note": {"count": 2}}}


def test_rows_that_are_in_no_aggregate_are_explained(house: House, member: Member) -> None:
    house.rule("select", "note", to=member, aggregates="none", name="Listed")

    told = explain(house, house.root, member, operation="aggregate")

    assert (told["verdict"], told["rules"][0]["counts"]) == ("denied", False)
    assert [step["kind"] for step in told["change"]] == ["count_rows"]
    assert explain(house, house.root, member)["verdict"] == "allowed"


def test_limits_are_explained_as_the_most_generous_rule_has_them(house: House, member: Member) -> None:
    house.rule("select", "note", to=member, max_rows=2, max_seconds=3.5)
    house.rule(["select", "delete"], "note", to=member, max_rows=1, max_seconds=2)

    told, deleting = (explain(house, house.root, member, operation=each) for each in ("select", "delete"))

    assert (told["max_rows"], told["max_seconds"]) == (2, 3.5)
    assert [(rule["max_rows"], rule["max_seconds"]) for rule in told["rules"]] == [(2, 3.5), (1, 2)]
    assert (deleting["max_rows"], deleting["max_seconds"]) == (None, 2)
    cell = matrix(house, house.root, member)["note", "select"]
    assert (cell["max_rows"], cell["max_seconds"]) == (2, 3.5)


def claim(house: House, member: Member, claims: object) -> None:
    given = {"tenantid": house.tenant_id, "login": member.login, "name": "A role", "claims": claims}
    update = "mutation ($i: roleInput!, $r: ID!) { update_role(roleid: $r, input: $i) { roleid } }"
    house.control(house.root, update, {"r": member.role_id, "i": given})


def test_a_claim_that_a_filter_needs_and_the_role_lacks_is_named(house: House, member: Member) -> None:
    rule = house.rule("select", "note", "size = $_PRINCIPAL.claims.size or id = 9", to=member, name="Sized")

    without = explain(house, house.root, member, key=1)
    claim(house, member, {"size": "many"})
    unfit = explain(house, house.root, member, key=1)
    claim(house, member, {"size": 10})
    fit = explain(house, house.root, member, key=1)

    for told in (without, unfit):
        assert (told["row"], told["rules"][0]["missing_claims"]) == (DENIED, ["size"])
        assert [(step["kind"], step["claims"]) for step in told["change"]] == [
            ("say_claim", ["size"]),
            ("row_satisfies", []),
        ]
        assert told["change"][1]["sentence"].startswith(f"Let the row satisfy, of rule {rule} (Sized): size = ")
    assert (fit["row"], fit["rules"][0]["missing_claims"]) == (ALLOWED, [])


def test_claims_of_others_are_told_to_root_alone(house: House, member: Member) -> None:
    who = seer(house)
    house.rule("select", "note", "size = $_PRINCIPAL.claims.size", to=[member, who])
    house.rule("select", "note", to=who)
    claim(house, member, {"size": 10})
    claim(house, who, {"size": 10})

    others, own = (explain(house, who, each, key=1) for each in (member, who))

    [part] = next(rule["parts"] for rule in others["rules"] if rule["parts"])
    assert (others["row"], part["holds"], part["withheld"]) == (WITHHELD, None, True)
    assert [rule["missing_claims"] for rule in others["rules"]] == [[]] * len(others["rules"])
    [part] = next(rule["parts"] for rule in own["rules"] if rule["parts"])
    assert (part["holds"], part["withheld"]) == (True, False)


def test_masks_by_expressions_are_explained(house: House, member: Member) -> None:
    mask = {"mask": "expression", "value": "upper(body)", "when": "size > 15"}
    house.rule("select", "note", to=member, masks={"body": mask})

    whole, first, second = (explain(house, house.root, member, key=key) for key in (None, 1, 2))

    assert whole["rules"][0]["masks"] == {"body": mask | {"unless": "", "text": ""}}
    looks = [{each["name"]: (each["access"], each["mask"]) for each in told["columns"]} for told in (first, second)]
    assert [each["body"] for each in looks] == [("read", None), ("masked", "expression")]


def guest_of(house: House) -> Member:
    reply = house.wire.post("/auth/guest?schema=none", {"tenantid": house.tenant_id}).json()
    return Member(int(reply["roleid"]), str(reply["access_token"]), "a guest")


def test_a_guest_is_explained_with_what_it_borrows(house: House) -> None:
    nobody = house.enable_anonymous()
    house.choose_guests(GuestPolicy(mode="identity"))
    guest = guest_of(house)
    shared = house.role_class(nobody)
    house.rule("select", "note", "size = 10", to=nobody)
    house.rule("select", "note", "size = 20", classes=[shared])

    told = explain(house, house.root, guest)
    creating = explain(house, house.root, guest, "roles_pbac.roles", "create_class")

    assert [each["counts"] for each in told["rules"] if "select" in str(each["checks"])][-2:] == [True, True]
    scopes = [check["why"] for rule in told["rules"][-2:] for check in rule["checks"] if check["check"] == "scope"]
    assert scopes[0] == "It lists the Nobody role, of which a guest borrows."
    assert scopes[1].endswith(", which the Nobody role is in, of which a guest borrows.")
    assert creating["why"] == "The Nobody role, of which a guest borrows, has not the capability create_class."
    assert house.ids(guest) == [1, 2]

    house.control(house.root, "{ Utility { anonymous_logins(enable: false) } }")

    told = explain(house, house.root, guest)
    assert told["why"] == "The role is a guest, and the tenant lets no visitors in."
    assert [step["kind"] for step in told["change"]] == ["let_visitors_in"]
    assert house.wire.post("/query", {"query": "{ note { id } }"}, guest.token).status_code == 401


def test_who_is_explained_is_who_the_gateway_takes_it_for(house: House) -> None:
    nobody = house.enable_anonymous()
    house.choose_guests(GuestPolicy(mode="identity"))
    parent = house.member(*NORMAL)
    members = [house.root, nobody, guest_of(house), parent, house.member("login", "admin", parent=parent)]
    house.role_class(nobody, parent, inherit="full")
    house.role_class(*members[1:3])
    claim(house, parent, {"size": 10})

    async def read(member: Member) -> tuple[Principal, Principal, Principal]:
        """By a request, by a question about the role, and by one about all roles."""
        engine = control_engine(house.wire.control_dsn)
        async with engine.connect() as connection:
            tenant = await find_tenant(connection, house.tenant_id, load_master_key(house.wire.master_key))
            role = await find_role(connection, house.tenant_id, member.role_id)
            assert tenant is not None
            assert role is not None
            asked = await read_asked(connection, tenant, a_model(), datetime.now(UTC))
            one = await read_subject(connection, asked, member.role_id)
            every = {each.principal.role_id: each for each in await read_subjects(connection, asked)}
            taken = await read_principal(connection, tenant, role, "")
        await engine.dispose()
        return taken, one.principal, every[member.role_id].principal

    for member in members:
        taken, *explained = asyncio.run(read(member))
        assert explained == [taken, taken]
    assert asyncio.run(read(members[2]))[0].lender_id == nobody.role_id


OPTIONS: list[dict[str, Any]] = [{}, {}, {"aggregates": "none"}, CROWD, {"max_rows": 9}]
MORE_FILTERS = [
    *FILTERS[:6],
    "size = $_PRINCIPAL.claims.size",
    "size in $_PRINCIPAL.claims.sizes",
    "$_PRINCIPAL.is_guest = true",
]


@pytest.mark.parametrize("seed", range(5))
def test_what_is_explained_of_guests_and_aggregates_is_what_the_gateway_does(house: House, seed: int) -> None:
    chance = random.Random(seed)
    nobody = house.enable_anonymous()
    house.choose_guests(GuestPolicy(mode="identity"))
    guest, member = guest_of(house), house.member(*NORMAL)
    claim(house, member, chance.choice([{"size": 10}, {"sizes": [10, 30]}, {}]))
    users = house.role_class(*chance.sample([nobody, member], chance.randint(1, 2)))
    if chance.random() < 0.3:
        house.choose("most_specific")
    for _ in range(chance.randint(1, 4)):
        house.rule(
            "select",
            chance.choice(["note", ["note", "public.note"]]),
            chance.choice(MORE_FILTERS),
            to=chance.choice([None, nobody, member]),
            classes=chance.choice([[], [users]]),
            **chance.choice(OPTIONS),
        )

    for who in (guest, nobody, member):
        for operation in ("select", "aggregate"):
            told = [explain(house, house.root, who, operation=operation, key=number) for number in (1, 2, 3)]
            allowed = [each["row"]["allowed"] for each in told]
            verdict = {each["verdict"] for each in told}
            if operation == "select":
                assert allowed == done(house, who, "select")
            else:
                assert (verdict - {"ambiguous"}, sum(allowed)) == counted(house, who, verdict)
            assert matrix(house, house.root, who)["note", operation]["verdict"] in verdict


def counted(house: House, who: Member, verdict: set[str]) -> tuple[set[str], int]:
    """What explanations have to say, and how many rows the gateway counts."""
    answer = house.wire.post("/query", {"query": "{ Aggregates { note { count } } }"}, who.token).json()
    if "errors" in answer:
        return verdict & {"denied"}, 0
    return verdict & {"allowed", "conditioned"}, int(answer["data"]["Aggregates"]["note"]["count"])


# --- what is told to whom --------------------------------------------------------------------------------------------


def test_who_may_see_no_rule_is_told_nothing(house: House, member: Member) -> None:
    house.rule("select", "note", to=member)
    visitor = house.enable_anonymous()
    given = {"role": member.role_id, "target": "note", "operation": "select"}

    for who in (member, visitor):
        assert refused(house, who, EXPLAIN, **given) == "ACCESS_DENIED"
        assert refused(house, who, MAY, role=member.role_id) == "ACCESS_DENIED"
        assert refused(house, who, DIFF, rules=[]) == "ACCESS_DENIED"


def test_nothing_is_told_of_another_tenant(house: House, neighbour: House, member: Member) -> None:
    there = neighbour.rule("select", "note", to=neighbour.member())
    stranger = neighbour.member()

    given = {"role": stranger.role_id, "target": "note", "operation": "select"}
    assert refused(house, house.root, EXPLAIN, **given) == "NO_SUCH_ROW"
    assert refused(house, house.root, MAY, role=stranger.role_id) == "NO_SUCH_ROW"
    assert refused(house, house.root, DIFF, rules=[{"ruleid": there, "remove": True}]) == "NO_SUCH_ROW"
    assert explain(house, house.root, member)["rules"] == []


def test_a_role_that_sees_all_rules_is_told_what_root_is_told(house: House, member: Member) -> None:
    who = seer(house)
    house.rule("select", "note", "size > 15", to=[member, who])

    assert explain(house, who, member, key=2) == explain(house, house.root, member, key=2)


def test_hidden_rules_roles_and_classes_stay_hidden(house: House, member: Member) -> None:
    who = house.member(*NORMAL, "view_rule", "view_role")
    house.rule("view_rule", RULES, "name like 'open%'", to=who)
    house.rule("view_role", "roles_pbac.roles", f"roleid = {member.role_id}", to=who)
    secret = house.role_class(member)
    house.rule("select", "note", "size = 10", to=member, name="open one")
    house.rule("select", "note", classes=[secret], name="open for a class")
    before = [explain(house, who, member), house.control(who, MAY, {"role": member.role_id})]
    hidden = house.rule("select", "note", to=member, name="hidden")
    house.rule("select", "team", to=member, name="hidden too")
    other = house.member()

    assert [explain(house, who, member), house.control(who, MAY, {"role": member.role_id})] == before
    assert before[0]["complete"] is False
    assert [(each["name"], each["counts"]) for each in before[0]["rules"]] == [
        ("open one", True), ("open for a class", False)
    ]  # fmt: skip
    assert [step["classid"] for step in before[0]["change"]] == [None]
    given = {"target": "note", "operation": "select"}
    assert refused(house, who, EXPLAIN, **given, role=other.role_id) == "NO_SUCH_ROW"
    assert refused(house, who, EXPLAIN, **given, role=2_000_000) == "NO_SUCH_ROW"
    assert hidden not in [each["ruleid"] for each in before[0]["rules"]]


def test_what_a_guest_borrows_of_a_role_that_is_hidden_is_hidden(house: House) -> None:
    nobody = house.enable_anonymous()
    house.choose_guests(GuestPolicy(mode="identity"))
    guest, who = guest_of(house), house.member(*NORMAL, "view_rule", "view_role")
    house.rule("view_rule", RULES, to=who)
    house.rule("view_role", "roles_pbac.roles", f"roleid = {guest.role_id}", to=who)
    house.rule("select", "note", to=nobody, name="of Nobody")
    house.rule("select", "note", "size = 10", classes=[house.role_class(nobody)], name="of its class")

    told, whole = (explain(house, each, guest) for each in (who, house.root))

    assert (told["verdict"], told["complete"], whole["verdict"]) == ("denied", False, "allowed")
    assert [each["counts"] for each in told["rules"] if each["name"].startswith("of ")] == [False, False]


def test_a_table_that_nothing_tells_of_is_like_one_that_is_not_there(house: House, member: Member) -> None:
    who = seer(house)
    given = {"role": member.role_id, "operation": "select"}

    hidden, absent = (
        house.control_refused(who, EXPLAIN, given | {"target": name}) for name in ("side.memo", "side.nono")
    )

    assert hidden["message"].replace("memo", "nono") == absent["message"]
    assert code_of(hidden) == "NO_SUCH_TARGET"
    assert "memo" not in str(house.control(who, MAY, {"role": member.role_id}))


def test_what_someone_may_not_see_of_a_row_is_withheld(house: House, member: Member) -> None:
    who = seer(house)
    house.rule("select", "note", "size > 5 and team.name = 'Red' and owner = null", to=member, name="of three")
    house.rule("select", "note", "id != 3", to=who, read_columns=["id", "body", "owner"], name="for who asks")
    given = {"role": member.role_id, "target": "note", "operation": "select"}

    told = explain(house, who, member, key=1)

    assert told["row"] == WITHHELD
    found = next(each for each in told["rules"] if each["name"] == "of three")["parts"]
    assert [(each["text"], each["holds"], each["withheld"]) for each in found[1:]] == [
        ("size > 5", None, True), ("team.name = 'Red'", None, True), ("owner = null", True, False)
    ]  # fmt: skip
    hidden, absent = (house.control_refused(who, EXPLAIN, given | {"key": number}) for number in (3, 4))
    assert hidden["message"] == absent["message"]
    assert code_of(hidden) == "NOT_FOUND"


def test_the_key_of_a_table_is_not_told_to_who_does_not_see_it(house: House, member: Member) -> None:
    who = seer(house)
    house.rule("select", "note_tag", to=who, read_columns=["tag_id"])
    given = {"role": member.role_id, "target": "note_tag", "operation": "select"}

    for key in (1, {"note_id": 1, "tag_id": 1}, {"x": 1}, "x"):
        assert refused(house, who, EXPLAIN, **given, key=key) == "NOT_FOUND"


def test_a_deleted_role_is_not_told_to_change_a_row(house: House) -> None:
    gone = house.member(*NORMAL)
    house.rule("select", "note", "size = 20")
    house.control(house.root, "mutation ($r: ID!) { delete_role(roleid: $r) { roleid } }", {"r": gone.role_id})

    told = explain(house, house.root, gone, key=2)

    assert told["row"] == DENIED
    assert [step["kind"] for step in told["change"]] == ["restore_role"]


# --- may -------------------------------------------------------------------------------------------------------------


def matrix(house: House, who: Member, role: Member) -> dict[tuple[str, str], Json]:
    told = house.control(who, MAY, {"role": role.role_id})["Policy"]["may"]
    return {(line["target"], cell["operation"]): cell for line in told["targets"] for cell in line["operations"]}


def test_all_that_a_role_may_is_told_target_by_target(house: House, member: Member) -> None:
    rule = house.rule(["select", "update"], "note", "size > 15", to=member, read_columns=["id", "body"])
    house.rule("insert", "note", to=member, write_columns=["id", "body"])
    house.rule("select", "team", to=member)

    told = matrix(house, house.root, member)

    assert told["note", "select"] == {
        "operation": "select", "verdict": "conditioned", "columns": ["id", "body"], "masked": [], "rules": [str(rule)],
        "max_rows": None, "max_seconds": None,
    }  # fmt: skip
    assert told["note", "insert"]["columns"] == ["id", "body"]
    assert (told["note", "update"]["verdict"], told["note", "update"]["columns"]) == ("conditioned", None)
    assert told["note", "delete"]["verdict"] == "denied"
    assert told["team", "select"]["verdict"] == "allowed"
    assert told["side.memo", "select"]["verdict"] == "denied"
    assert told["roles_pbac.roles", "view_role"]["verdict"] == "denied"
    assert {cell["verdict"] for cell in matrix(house, house.root, house.root).values()} == {"allowed"}


# --- diff ------------------------------------------------------------------------------------------------------------


def a_change(**given: object) -> dict[str, object]:
    return {"input": {"name": "proposed", "capabilities": ["select"], "targets": ["note"]} | given}


def test_what_a_new_rule_would_give_is_counted_and_nothing_is_changed(house: House, member: Member) -> None:
    house.rule("select", "note", "id = 1", to=member)

    [found] = diff(house, house.root, a_change(filter="size >= 20 or id = 1", roles=[member.role_id]))

    assert (found["login"], found["target"], found["operation"]) == (member.login, "note", "select")
    assert (found["before"], found["after"]) == ("conditioned", "conditioned")
    assert (found["rows_gained"], found["sample_gained"]) == (2, [{"id": 2}, {"id": 3}])
    assert (found["rows_lost"], found["sample_lost"]) == (0, [])
    assert house.ids(member) == [1]
    assert len(house.control(house.root, "{ policy_rule { ruleid } }")["policy_rule"]) == 1


def test_what_a_changed_and_a_removed_rule_would_take_is_counted(house: House, member: Member) -> None:
    kept = house.rule("select", "note", "owner = $_PRINCIPAL.roleid or size < 25", name="n", to=member)
    gone = house.rule("select", "team", name="t", to=member)

    changed, removed = diff(
        house,
        house.root,
        {"ruleid": kept, "input": {"name": "n", "filter": "size < 15", "read_columns": ["id", "body"]}},
        {"ruleid": gone, "remove": True},
    )

    assert (changed["rows_gained"], changed["rows_lost"], changed["sample_lost"]) == (0, 1, [{"id": 2}])
    assert sorted(changed["columns_lost"]) == ["owner", "size", "team_id"]
    assert (removed["before"], removed["after"], removed["rows_lost"]) == ("allowed", "denied", 2)
    assert sorted(removed["columns_lost"]) == ["id", "name", "owner"]


def test_a_difference_is_told_for_each_role_that_it_concerns(house: House) -> None:
    one, other = house.member(*NORMAL), house.member(*NORMAL)
    house.rule("select", "note", to=other)
    house.ask(house.root, f"mutation {{ update_note(id: 2, input: {{owner: {one.role_id}}}) {{ id }} }}")

    found = diff(house, house.root, a_change(filter="owner = $_PRINCIPAL.roleid", capabilities=["select", "delete"]))

    assert [(int(each["roleid"]), each["operation"], each["rows_gained"]) for each in found] == [
        (one.role_id, "delete", 1), (one.role_id, "select", 1), (other.role_id, "delete", 0)
    ]  # fmt: skip


def test_a_difference_in_limits_and_in_aggregates_alone_is_told(house: House, member: Member) -> None:
    limited, closed = (house.rule("select", name, to=member, name=name) for name in ("note", "team"))

    found = diff(
        house,
        house.root,
        {"ruleid": limited, "input": {"name": "note", "max_rows": 5}},
        {"ruleid": closed, "input": {"name": "team", "aggregates": "none"}},
    )

    told = {(each["target"], each["operation"]): each for each in found}
    assert set(told) == {("note", "select"), ("team", "aggregate")}
    assert told["note", "select"]["limits_before"] == {"max_rows": None, "max_seconds": None}
    assert told["note", "select"]["limits_after"] == {"max_rows": 5, "max_seconds": None}
    assert (told["team", "aggregate"]["after"], told["team", "aggregate"]["rows_lost"]) == ("denied", 2)


def test_a_difference_in_groups_is_counted(house: House, member: Member) -> None:
    [found] = diff(house, house.root, a_change(roles=[member.role_id], **CROWD))

    assert (found["operation"], found["before"], found["after"]) == ("aggregate", "denied", "conditioned")
    assert (found["rows_gained"], found["sample_gained"]) == (2, [{"id": 1}, {"id": 2}])


def test_a_filter_that_fails_on_a_row_is_told_in_the_place_of_a_count(house: House, member: Member) -> None:
    [found] = diff(house, house.root, a_change(filter="size ^ 200000 > 5", roles=[member.role_id]))

    assert found["rows_gained"] is None
    assert found["uncounted"].startswith("Counting these rows failed: ")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (a_change(filter="size >"), "EXPRESSION_SYNTAX"),
        (a_change(targets=["nothing"]), "RULE_REFUSED"),
        (a_change(capabilities=["admin"]), "BAD_INPUT"),
        ({"remove": True}, "BAD_INPUT"),
        ({}, "BAD_INPUT"),
        ({"ruleid": 1_000_000, "remove": True}, "NO_SUCH_ROW"),
    ],
)
def test_a_rule_that_could_not_be_made_is_refused(house: House, change: dict[str, object], code: str) -> None:
    assert refused(house, house.root, DIFF, rules=[change]) == code


def test_who_could_not_make_a_rule_cannot_propose_it(house: House, member: Member) -> None:
    who, maker = seer(house), seer(house, "create_rule")
    proposal: dict[str, Any] = a_change(roles=[member.role_id])

    assert refused(house, who, DIFF, rules=[proposal]) == "ACCESS_DENIED"
    assert refused(house, maker, DIFF, rules=[{"ruleid": 1, "remove": True}]) == "ACCESS_DENIED"
    assert refused(house, maker, DIFF, rules=[a_change(capabilities=["upload", "view_rule", "delete_role"])]) == (
        "CAPABILITY_NOT_HELD"
    )


def test_rows_are_counted_as_far_as_who_asks_may_see_them(house: House, member: Member) -> None:
    maker = seer(house, "create_rule")
    house.rule("select", "note", "id != 3", to=maker, read_columns=["id", "body"])

    by_body, by_size, by_team = (
        diff(house, maker, a_change(filter=text, roles=[member.role_id]))[0]
        for text in ("body != 'one'", "size > 5", "team.name = 'Red'")
    )

    assert (by_body["rows_gained"], by_body["sample_gained"]) == (1, [{"id": 2}])
    assert by_body["columns_gained"] == ["id", "body"]
    for hidden in (by_size, by_team):
        assert (hidden["rows_gained"], hidden["sample_gained"]) == (None, [])
        assert hidden["uncounted"] == "Counting these rows would tell of what you may not see."
