"""Guests as root and rules see them: classes, what they may, what is told of them."""

import pytest

from db.records import GuestPolicy
from tests.houses import House, Member
from tests.wire import bearer

pytestmark = pytest.mark.server
GUESTS = "{ Guests { live mode registration rows } }"


@pytest.fixture
def inn(house: House) -> House:
    """A tenant with guests of their own."""
    house.enable_anonymous()
    house.choose_guests(GuestPolicy(mode="identity"))
    return house


def visit(house: House) -> Member:
    reply = house.wire.post("/anonauth?schema=none", {"tenantid": house.tenant_id}).json()
    return Member(int(reply["roleid"]), str(reply["access_token"]), str(reply["message"]))


def class_of(house: House, name: str) -> int:
    rows = house.control(house.root, f"{{ role_class(filter: \"name = '{name}'\") {{ classid }} }}")["role_class"]
    return int(rows[0]["classid"])


def test_guests_have_rows_of_their_own_by_a_rule_for_their_class(inn: House) -> None:
    classes = [class_of(inn, name) for name in ("GuestUser", "AuthenticatedUser")]
    inn.rule(
        ["select", "insert"],
        "note",
        "owner = $_PRINCIPAL.roleid",
        classes=classes,
        forced={"owner": "$_PRINCIPAL.roleid"},
    )
    one, other = visit(inn), visit(inn)
    for number, guest in ((11, one), (12, other)):
        inn.ask(guest, f'mutation {{ create_note(input: {{ id: {number}, body: "b", size: 1 }}) {{ id }} }}')
    body = {"login": "me@example.org", "password": "seven bridges to cross"}
    converted = inn.wire.client.post("/auth/convert", json=body, headers=bearer(one.token))

    assert converted.status_code == 200
    assert (inn.ids(one), inn.ids(other)) == ([11], [12])


def test_a_rule_can_tell_guests_from_accounts(inn: House) -> None:
    inn.rule("select", "note", "id = 1 or not $_PRINCIPAL.is_guest")
    account = inn.member()

    assert (inn.ids(visit(inn)), inn.ids(account)) == ([1], [1, 2, 3])


def test_guests_get_the_rules_of_nobody(inn: House) -> None:
    found = inn.control(inn.root, f"{{ role(filter: \"login = 'nobody{inn.tenant_id}'\") {{ roleid }} }}")["role"]
    inn.rule("select", "team", roles=[int(found[0]["roleid"])])

    assert inn.ids(visit(inn), "team") == [1, 2]
    assert inn.code(inn.member(), "{ team { id } }") != ""


def test_guests_see_accounts_and_no_other_guest(inn: House) -> None:
    account, one, other = inn.member(), visit(inn), visit(inn)

    seen = {int(row["roleid"]) for row in inn.control(one, "{ role { roleid } }")["role"]}

    assert {account.role_id, one.role_id} <= seen
    assert other.role_id not in seen


def test_root_reads_how_many_guests_there_are_and_nobody_else_does(inn: House) -> None:
    before = inn.control(inn.root, GUESTS)["Guests"]
    guest = visit(inn)

    assert before == {"live": 0, "mode": "identity", "registration": True, "rows": "keep"}
    assert inn.control(inn.root, GUESTS)["Guests"]["live"] == 1
    for who in (guest, inn.member()):
        assert inn.control_refused(who, GUESTS)["data"] == {"Guests": None}


def test_what_was_chosen_is_in_the_audit(inn: House) -> None:
    document = "{ Audit { entries(filter: \"kind = 'guest_policy'\") { action after } } }"

    (entry,) = inn.control(inn.root, document)["Audit"]["entries"]

    assert entry["action"] == "create"
    assert entry["after"]["mode"] == "identity"
