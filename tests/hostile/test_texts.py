"""Values that break careless code: half characters, NUL, huge numbers, and other languages inside filters."""

import json
import time
from typing import Any

import pytest

from tests.siege import check_answer, check_refusal, check_serving
from tests.wire import Person, Wire, make_person

pytestmark = pytest.mark.server

FILTERED = "query ($f: String) { list(filter: $f) { listid } }"
ORDERED = "query ($o: [String]) { list(ordering: $o) { listid } }"
PAGED = "query ($l: Int, $o: Int) { list(limit: $l, offset: $o) { listid } }"
CREATE = "mutation ($i: listInput) { create_list(input: $i) { listid listname } }"

INJECTIONS = [
    "1=1",
    "listid = 1 or 1=1",
    "true",
    "1",
    "' or '1'='1",
    '" or ""="',
    "listid = 1; drop table list",
    "listid = 1 --",
    "listid = 1 /* x */",
    "listname = 'a'' or ''1''=''1'",
    "listname = 'a\\' or 1=1 --'",
    "listname = $$a$$",
    "listname = E'\\x27'",
    "listid = (select 1)",
    "exists (select 1)",
    "listid in (select listid from list)",
    "listid in [1, (select 2)]",
    "listid = any(array[1])",
    "pg_sleep(10)",
    "pg_sleep(10) = 1",
    "listid = pg_sleep(10)",
    "version() = 'a'",
    "current_user = 'postgres'",
    "pg_read_file('/etc/passwd') = ''",
    "listname::int = 1",
    "cast(listname as int) = 1",
    "listid = 1 union select 1",
    "listname like '%' escape '!'",
    "listname ~ 'a'",
    "listid = 1/0",
    "listid / 0 = 1",
    "1 / (devii_roleid - 0) = 1",
    "1 % 0 = 0",
    "2 ^ 100000 = 1",
    "listid << 99999999999 = 1",
    "listid = 99999999999999999999999999",
    "listid = -99999999999999999999999999",
    "listid = 1e400",
    "listid = 1e-400",
    "listid = 'abc'",
    "listname > 5",
    "listid = null or listid != null",
    "listid = $_PRINCIPAL.password",
    "listid = $_PRINCIPAL.__class__",
    "listid = $_PRINCIPAL",
    "listid = $1",
    "listid = :a",
    "listid = {0}",
    "listid = %s",
    "status_value.statusname = 'Done' and list.list.list = 1",
    "__class__ = 1",
    "listid.__class__ = 1",
    "ctid = '(0,1)'",
    "xmin = 1",
    "tableoid = 1",
    "devii_users.email like '%'",
    "item_collection.list.item_collection.list.listid = 1",
    "count(*) > 0",
    "max(max(listid)) = 1",
    "count(item_collection.nope) = 1",
    "lower(listname, 1) = 'a'",
    "listname like '" + "%a" * 5_000 + "'",
    "listname ilike '%\\'",
    "listname like '\\'",
    "(" * 10_000 + "listid" + ")" * 10_000,
    "not " * 10_000 + "true",
    "listid = " + "-" * 10_000 + "1",
    "listid = 1" + " and listid = 1" * 20_000,
    "listid in [" + ",".join(["1"] * 100_000) + "]",
    "listid = " + "9" * 100_000,
    "listname = '" + "a" * 1_000_000 + "'",
    "listid =",
    "= 1",
    "(",
    ")",
    "'",
    '"',
    "[",
    "listid in [",
    "and",
    "listid = 1 and",
    "\\",
    "`listid` = 1",
    "@",
    "\u0000",
    "listname = '\u0000'",
    "listname = '\ud800'",
    "listn\u00e4me = 1",
    "\ufeff",
    "l\u200bistid = 1",
    "listid \uff1d 1",
    "listid = \u0661",
    "\u202elistid = 1",
]


@pytest.mark.parametrize("text", INJECTIONS, ids=lambda text: ascii(text)[:40])
def test_a_hostile_filter_shows_no_row_of_another_and_breaks_nothing(
    wire: Wire, root: str, settled: Person, text: str
) -> None:
    begin = time.monotonic()
    # By hand: a well-behaved client does not encode half a character.
    reply = wire.client.post(
        "/query",
        content=json.dumps({"query": FILTERED, "variables": {"f": text}}),
        headers={"Authorization": f"Bearer {settled.token}", "Content-Type": "application/json"},
    )

    assert time.monotonic() - begin < 5
    check_answer(reply, text)
    assert (reply.json().get("data") or {"list": []})["list"] in ([], own_lists(wire, settled))
    check_serving(wire, root)


@pytest.mark.parametrize(
    "text",
    [
        "1",
        "1 desc",
        "listid; drop table list",
        "listid desc nulls first",
        "random()",
        "(select 1)",
        "listid,listname",
        "listid desc, (select 1)",
        'listname collate "C"',
        "listid using >",
        "case when 1=1 then 1 end",
        "devii_users.email",
        "item_collection.itemid",
        "status_value",
        "status_value.nope",
        "nope",
        "listid asc desc",
        "ctid",
        "__typename",
        "\0",
        "a." * 5_000 + "b",
        "x" * 100_000,
        "listid -- x",
        "'listid'",
        '"listid"',
        "\ud800",
    ],
    ids=lambda text: ascii(text)[:40],
)
def test_a_hostile_ordering_breaks_nothing(wire: Wire, root: str, settled: Person, text: str) -> None:
    for ordering in (text, [text], ["listid", text]):
        reply = wire.client.post(
            "/query",
            content=json.dumps({"query": ORDERED, "variables": {"o": ordering}}),
            headers={"Authorization": f"Bearer {settled.token}", "Content-Type": "application/json"},
        )
        check_answer(reply, text)
        assert (reply.json().get("data") or {"list": []})["list"] in ([], own_lists(wire, settled))
    check_serving(wire, root)


@pytest.mark.parametrize(
    "value",
    [
        -1,
        -(2**31),
        2**31 - 1,
        2**31,
        2**63,
        10**400,
        1.5,
        1e400,
        "1; drop table list",
        "1 or 1=1",
        "0x10",
        "\u0661",
        "9" * 10_000,
        "",
        " ",
        [1, 2],
        {"a": 1},
        True,
        "NaN",
    ],
    ids=lambda value: ascii(value)[:40],
)
@pytest.mark.parametrize("name", ["l", "o"])
def test_a_hostile_limit_or_offset_breaks_nothing(
    wire: Wire, root: str, settled: Person, name: str, value: Any
) -> None:
    reply = wire.client.post(
        "/query",
        content=json.dumps({"query": PAGED, "variables": {name: value}}),
        headers={"Authorization": f"Bearer {settled.token}", "Content-Type": "application/json"},
    )

    check_answer(reply, str(value))
    check_serving(wire, root)


@pytest.fixture(scope="module")
def settled(wire: Wire, root: str, todo: int) -> Person:
    """A user with one list of its own, beside whom others have theirs."""
    person = make_person(wire, root, todo)
    wire.ask(person.token, CREATE, {"i": {"listname": "mine", "devii_roleid": person.role_id}})
    return person


def own_lists(wire: Wire, person: Person) -> list[dict[str, str]]:
    return list(wire.ask(person.token, "{ list(filter: \"listname = 'mine'\") { listid } }")["list"])


@pytest.mark.parametrize(
    "text",
    [
        "\0",
        "a\0b",
        "\ud800",
        "\udfff\ud800",
        "\U0010ffff",
        "\u202e",
        "'",
        '"; drop table list; --',
        "\\",
        "\\u0000",
        "%",
        "",
        "a" * 1_000_000,
        "\ufffe",
        "\r\n\r\n",
        "<script>",
        "${7*7}",
        "e\u0301" * 1000,
    ],
    ids=lambda text: ascii(text)[:30],
)
def test_a_text_is_stored_exactly_or_refused(wire: Wire, root: str, settled: Person, text: str) -> None:
    given = {"listname": text, "devii_roleid": settled.role_id}
    reply = wire.client.post(
        "/query",
        content=json.dumps({"query": CREATE, "variables": {"i": given}}),
        headers={"Authorization": f"Bearer {settled.token}", "Content-Type": "application/json"},
    )

    check_answer(reply, text)
    data = reply.json().get("data")
    if data is not None:
        assert data["create_list"]["listname"] == text
        wire.ask(settled.token, f"mutation {{ delete_list(listid: {data['create_list']['listid']}) {{ listid }} }}")
    elif text.isprintable() and text.isascii():
        raise AssertionError(reply.text)
    check_serving(wire, root)


@pytest.mark.parametrize(
    "variables",
    [
        '{"i": {"listname": "\\ud800", "devii_roleid": 1}}',
        '{"i": {"listname": "\\u0000", "devii_roleid": 1}}',
        '{"i": {"listname": "a", "devii_roleid": 1e400}}',
        '{"i": {"listname": "a", "devii_roleid": NaN}}',
        '{"i": {"listname": "a", "devii_roleid": 9' + "9" * 5_000 + "}}",
        '{"i": {"listname": {"a": []}, "devii_roleid": 1}}',
        '{"i": ' + "[" * 50_000 + "]" * 50_000 + "}",
        '{"i": ' + '{"a":' * 50_000 + "1" + "}" * 50_000 + "}",
        '{"i": {"__proto__": {"admin": true}}}',
        '{"i": {"constructor": 1}}',
        '{"i": {"": 1}}',
        '{"i": {"\\u0000": 1}}',
        '{"i": [], "i": {"listname": "a"}}',
        '{"i": true}',
        '{"i": "text"}',
        '{"\\ud800": 1}',
        "{" + ",".join(f'"v{n}": 1' for n in range(50_000)) + "}",
    ],
    ids=lambda text: text[:50],
)
def test_hostile_variables_break_nothing(wire: Wire, root: str, settled: Person, variables: str) -> None:
    body = '{"query": ' + json.dumps(CREATE) + ', "variables": ' + variables + "}"
    reply = wire.client.post(
        "/query",
        content=body,
        headers={"Authorization": f"Bearer {settled.token}", "Content-Type": "application/json"},
    )

    check_answer(reply, variables[:10_000])
    check_serving(wire, root)


@pytest.mark.parametrize(
    "key", ["1 or 1=1", "' or '1'='1", "\0", "", " ", "1e3", "0x1", -1, 2**31, 2**63, 10**400, "9" * 10_000]
)
@pytest.mark.parametrize("verb", ["delete", "update"])
def test_a_hostile_key_finds_no_row(wire: Wire, root: str, verb: str, key: Any) -> None:
    given = '(statusid: $k, input: {statusname: "x"})' if verb == "update" else "(statusid: $k)"
    document = f"mutation ($k: ID!) {{ {verb}_status_value{given} {{ statusid }} }}"
    reply = wire.client.post(
        "/query",
        content=json.dumps({"query": document, "variables": {"k": key}}),
        headers={"Authorization": f"Bearer {root}", "Content-Type": "application/json"},
    )

    check_refusal(reply, str(key))
    assert len(wire.ask(root, "{ status_value { statusid } }")["status_value"]) == 3


@pytest.mark.parametrize("text", [*INJECTIONS[:60], "\0", "\ud800"], ids=lambda text: ascii(text)[:40])
def test_a_hostile_filter_on_the_control_schema_breaks_nothing(
    wire: Wire, root: str, settled: Person, text: str
) -> None:
    document = "query ($f: String) { role(filter: $f) { login } }"
    text = text.replace("listname", "login").replace("listid", "roleid")
    reply = wire.client.post(
        "/roles_pbac",
        content=json.dumps({"query": document, "variables": {"f": text}}),
        headers={"Authorization": f"Bearer {settled.token}", "Content-Type": "application/json"},
    )

    check_answer(reply, text)
    assert (reply.json().get("data") or {}).get("role") in (None, [], [{"login": settled.login.login}])
    check_serving(wire, root)
