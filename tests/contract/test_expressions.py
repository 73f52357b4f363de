"""The expression language of `filter:` and rules, fact by fact."""

import pytest

from schema.expression.aggregate import AGGREGATE_FUNCTIONS
from schema.expression.functions import FUNCTIONS
from tests.wire import Person, Wire

pytestmark = pytest.mark.server

AIRPORTS = 'query ($f: String) { airports(filter: $f, ordering: "faa", limit: 3) { faa } }'
FACTS = [
    ("comparison: =", "faa = 'JFK'", ["JFK"]),
    ("comparison: !=", "faa != 'JFK' and faa in ['JFK', 'LGA']", ["LGA"]),
    ("comparison: < > <= >=", "faa > 'JFJ' and faa < 'JFL' and faa >= 'JFK' and faa <= 'JFK'", ["JFK"]),
    ("null: = null", "faa in ['BQN', 'JFK'] and tzone = null", ["BQN"]),
    ("null: != null", "faa in ['BQN', 'JFK'] and tzone != null", ["JFK"]),
    ("list: IN with square brackets", "faa IN ['JFK', 'LGA']", ["JFK", "LGA"]),
    ("list: in, in lower case", "faa in ['JFK']", ["JFK"]),
    ("list: an empty one holds nothing", "faa in []", []),
    ("list: NOT IN", "faa not in ['LGA'] and faa in ['JFK', 'LGA']", ["JFK"]),
    ("pattern: LIKE with %", "name LIKE 'John F%'", ["JFK"]),
    ("pattern: ILIKE", "name ilike 'john f%'", ["JFK"]),
    ("pattern: NOT LIKE", "faa in ['JFK', 'LGA'] and name not like 'John%'", ["LGA"]),
    ("arithmetic: + - * /", "faa = 'JFK' and alt + 1 - 2 * 3 = 8 and alt / 2 = 6", ["JFK"]),
    ("arithmetic: %", "faa = 'JFK' and alt % 5 = 3", ["JFK"]),
    ("arithmetic: ^", "faa = 'JFK' and alt ^ 2 = 169", ["JFK"]),
    ("arithmetic: signs", "faa = 'JFK' and -alt = -13 and +alt = 13", ["JFK"]),
    ("bitwise: & | #", "faa = 'JFK' and alt & 9 = 9 and alt | 2 = 15 and alt # 1 = 12", ["JFK"]),
    ("bitwise: << >>", "faa = 'JFK' and alt << 1 = 26 and alt >> 1 = 6", ["JFK"]),
    ("logic: AND before OR", "faa = 'LGA' or faa = 'JFK' and alt = 0", ["LGA"]),
    ("logic: parentheses", "(faa = 'LGA' or faa = 'JFK') and alt = 13", ["JFK"]),
    ("logic: NOT", "not faa != 'JFK'", ["JFK"]),
    ("case: word operators in any case", "faa In ['JFK'] aNd nOt alt = NULL", ["JFK"]),
    ("whitespace does not matter", "faa='JFK'and(alt=13)", ["JFK"]),
    ("strings: single quotes", "faa = 'JFK'", ["JFK"]),
    ("strings: double quotes", 'faa = "JFK"', ["JFK"]),
    ("strings: a doubled quote is one", "name = concat(name, '') and 'it''s' = \"it's\" and faa = 'JFK'", ["JFK"]),
    ("numbers: integers and decimals", "faa = 'JFK' and alt < 13.5 and alt > 12", ["JFK"]),
    ("booleans: true and false", "faa = 'JFK' and true and not false", ["JFK"]),
    ("function call: of a literal", "faa = upper('jfk')", ["JFK"]),
    ("function call: of a column", "lower(faa) = 'jfk'", ["JFK"]),
    ("function call: of arithmetic", "faa = 'JFK' and abs(alt - 20) = 7", ["JFK"]),
    ("function call: of a call", "length(concat(lower(faa), 'x')) = 4 and faa = 'JFK'", ["JFK"]),
    ("aggregate: the greatest of the table", "alt = max(alt)", ["TEX"]),
    ("aggregate: beside a number", "count(*) > 1000 and faa = 'JFK'", ["JFK"]),
    ("aggregate: avg min max sum count", "alt > avg(alt) * 8 and min(alt) < 0 and sum(alt) > 1", ["TEX", "TVL"]),
    ("literal type: a quoted number beside an integer", "faa = 'JFK' and alt = \"13\"", ["JFK"]),
    ("an empty text is no filter", "", ["04G", "06A", "06C"]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), [fact[1:] for fact in FACTS], ids=[fact[0] for fact in FACTS])
def test_of_the_language(wire: Wire, flights_root: str, text: str, expected: list[str]) -> None:
    assert [row["faa"] for row in wire.ask(flights_root, AIRPORTS, {"f": text})["airports"]] == expected


WORLD_FACTS = [
    ("path: to-one", "devii_user_rel.name = 'Ada'", ["Dusk", "Noon and after"]),
    ("path: a collection asks for some row", "cast_members_collection.part = 'lead'", ["Dusk", "Noon and after"]),
    ("path: further than one relation", "cast_members_collection.devii_user.name = 'Bo'", ["Dusk"]),
    ("path: to-one that leads nowhere is null", "devii_user_producer.name = null", ["Noon and after"]),
    ("path: columns of different rows", "devii_user_rel.name < devii_user_producer.name", ["Dusk"]),
    ("aggregate: of related rows", "count(cast_members_collection.user_id) > 1", ["Dusk"]),
    ("aggregate: of no related rows", "count(cast_members_collection.part) = 1", ["Dusk", "Noon and after"]),
    ("principal: roleid", "$_PRINCIPAL.roleid > 0 and id = 1", ["Dusk"]),
    ("principal: tenantid in a calculation", "$_PRINCIPAL.tenantid - $_PRINCIPAL.tenantid + 1 = id", ["Dusk"]),
    ("principal: = of a list is membership", "not $_PRINCIPAL.classes = id and not id in $_PRINCIPAL.children", None),
    ("principal: parentid may be null", "$_PRINCIPAL.parentid = null and id = 1", ["Dusk"]),
]


@pytest.mark.parametrize(
    ("text", "expected"), [fact[1:] for fact in WORLD_FACTS], ids=[fact[0] for fact in WORLD_FACTS]
)
def test_of_rows(world: Wire, world_root: str, text: str, expected: list[str] | None) -> None:
    document = 'query ($f: String) { films(filter: $f, ordering: "title") { title } }'

    found = [row["title"] for row in world.ask(world_root, document, {"f": text})["films"]]

    assert found == (expected or ["Dusk", "Noon and after"])


def test_only_listed_functions_are_called(wire: Wire, root: str) -> None:
    listed = wire.control(root, "{ package_function { name } }")["package_function"]

    assert {row["name"] for row in listed} == FUNCTIONS | AGGREGATE_FUNCTIONS
    refused = wire.refused(root, '{ list(filter: "pg_sleep(9) = 1") { listid } }')
    assert refused["extensions"]["code"] == "UNKNOWN_FUNCTION"


@pytest.mark.parametrize(
    "text", ["statusid <> 1", "statusid between 1 and 2", "statusid is null", "exists(item)", "a = 1, desc"]
)
def test_what_is_not_of_the_language_is_refused(wire: Wire, root: str, text: str) -> None:
    refused = wire.refused(root, "query ($f: String) { list(filter: $f) { listid } }", {"f": text})

    assert refused["extensions"]["code"] in {"EXPRESSION_SYNTAX", "UNKNOWN_FUNCTION", "UNKNOWN_COLUMN"}


@pytest.mark.parametrize(
    "text",
    [
        "createtime > now() - '1 day'",
        "createtime + '1 day' > '2024-01-01'",
        "current_date - 1 < createtime",
        "current_date > '2024-01-01'",
        "roleid * 2 > 1",
        "roleid & 1023 > 0",
        "lower(login) = login",
        "count(children.roleid) >= 0",
        "roleid <= max(roleid)",
    ],
)
def test_the_control_schema_takes_the_same_language(wire: Wire, root: str, text: str) -> None:
    assert wire.control(root, "query ($f: String) { role(filter: $f) { roleid } }", {"f": text})["role"]


def test_a_calculation_without_a_result_is_refused_everywhere(wire: Wire, root: str) -> None:
    for document, path in (
        ('{ list(filter: "2 ^ 5000 = listid") { listid } }', "/query"),
        ('{ role(filter: "2 ^ 5000 = roleid") { roleid } }', "/roles_pbac"),
    ):
        assert wire.refused(root, document, path=path)["extensions"]["code"] == "INVALID_VALUE"


def test_having_names_the_columns_of_the_result(wire: Wire, root: str) -> None:
    document = (
        '{ Aggregates { count(subquery: "{ item { itemid statusid } }", having: "count + statusid >= statusid * 2") } }'
    )

    assert wire.ask(root, document)["Aggregates"]["count"]


def test_a_rule_filter_takes_the_whole_language(wire: Wire, root: str, person: Person) -> None:
    text = "lower(listname) like 'getting%' and count(item_collection.itemid) > 2 and listid + 1 > min(listid)"
    scope = {"capabilities": ["select"], "targets": ["list"], "roles": [person.role_id]}
    document = "mutation ($i: policy_ruleInput) { create_policy_rule(input: $i) { ruleid } }"
    made = wire.control(root, document, {"i": {"name": "Calculated", "filter": text} | scope})["create_policy_rule"]

    seen = wire.ask(person.token, "{ list { listname } }")["list"]

    wire.control(root, "mutation ($k: ID!) { delete_policy_rule(ruleid: $k) { ruleid } }", {"k": made["ruleid"]})
    assert seen == [{"listname": "Getting to know Ostiary"}]
