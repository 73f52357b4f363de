"""Documents made to cost much, to hide something, or to break what reads them."""

import json
import time
from typing import Any

import pytest

from tests.siege import check_refusal, check_serving
from tests.wire import Wire, bearer

pytestmark = pytest.mark.server

PATIENCE_SECONDS = 5.0


def chain(length: int, *, twice: bool) -> str:
    """A chain of fragments, each of which spreads the next, once or twice."""
    spread = "...F{0}" + " ...F{0}" * twice
    links = [f"fragment F{n} on Query {{ {spread.format(n + 1)} }}" for n in range(length)]
    return f"{{ ...F0 }} {' '.join(links)} fragment F{length} on Query {{ __typename }}"


def ring(length: int) -> str:
    links = [f"fragment F{n} on Query {{ ...F{(n + 1) % length} }}" for n in range(length)]
    return f"{{ ...F0 }} {' '.join(links)}"


def deep(depth: int) -> str:
    return "{ item " + "{ list { item_collection " * depth + "{ itemid }" + " } }" * depth + " }"


BOMBS = {
    "14 fragments that double": chain(14, twice=True),
    "25 fragments that double": chain(25, twice=True),
    "90 fragments that double": chain(90, twice=True),
    "5,000 fragments that double": chain(5_000, twice=True),
    "a long chain": chain(5_000, twice=False),
    "a ring of 1": ring(1),
    "a ring of 2": ring(2),
    "a ring of 500": ring(500),
    "depth of 50": deep(25),
    "depth of 10,000": deep(5_000),
    "100,000 braces": "{" * 100_000,
    "100,000 brackets": "{ item(ordering: " + "[" * 100_000 + "]" * 100_000 + ") { itemid } }",
    "an object in an object": "mutation { create_list(input: " + "{a: " * 5_000 + "1" + "}" * 5_000 + ") { listid } }",
    "2,000 aliases": "{ " + " ".join(f"a{n}: __typename" for n in range(2_000)) + " }",
    "2,000 aliases of a table": "{ " + " ".join(f"a{n}: item {{ itemid }}" for n in range(2_000)) + " }",
    "one field 20,000 times": "{ " + "__typename " * 20_000 + "}",
    "200,000 commas": "{ __typename " + "," * 200_000 + "__typenam }",
    "100,000 comments": "#\n" * 100_000 + "{ nope }",
    "5,000 directives": "{ __typename " + "@skip(if: false) " * 5_000 + "}",
    "5,000 unknown directives": "{ __typename " + "@a " * 5_000 + "}",
    "5,000 variables": "query (" + " ".join(f"$a{n}: Int" for n in range(5_000)) + ") { __typename }",
    "3,000 operations": " ".join(f"query Q{n} {{ __typename }}" for n in range(3_000)),
    "3,000 unknown fields": "{ " + " ".join(f"x{n}" for n in range(3_000)) + " }",
    "overlapping fields": "{ " + " ".join(f'item(filter: "itemid = {n}") {{ itemid }}' for n in range(300)) + " }",
    "a ring of introspection": "{ __schema { types "
    + "{ fields { type { fields { type " * 10
    + "{ name }"
    + " } } } }" * 10
    + " } }",
    "a name of 1 MB": "{ " + "a" * 1_000_000 + " }",
    "a text of 1 MB": '{ item(filter: "' + "a" * 1_000_000 + '") { nope } }',
    "a number of 1 MB": "{ item(limit: " + "9" * 1_000_000 + ") { itemid } }",
    "an unfinished text": '{ item(filter: "',
    "an unfinished block": '{ item(filter: """',
    "nothing": "",
    "blanks": " \n\t,",
    "a fragment alone": "fragment F on Query { __typename }",
    "a definition of a type": "type Query { a: Int }",
    "an extension of a type": "extend type Query { a: Int } { __typename }",
    "a subscription": "subscription { item { itemid } }",
    "a lone surrogate": '{ item(filter: "\\uD800") { itemid } }',
    "a name that is not ASCII": "{ \u00eftem { itemid } }",
    "a byte order mark inside": "{ it\ufeffem { itemid } }",
    "NUL": "{ item\0 { itemid } }",
    "a template": "{ {{7*7}} ${7*7} }",
    "SQL": "'; drop table item; --",
    "two operations of no name": "mutation { delete_item(itemid: 1) { itemid } } query { __typename }",
    "an operation that is not there": "query A { __typename } query A { __typename }",
    "stream and defer": "{ item @stream(initialCount: 1) { itemid } ... @defer { __typename } }",
}


@pytest.mark.parametrize("path", ["/query", "/roles_pbac"])
@pytest.mark.parametrize("name", BOMBS)
def test_a_malicious_document_is_refused_soon_and_the_next_is_served(
    wire: Wire, root: str, path: str, name: str
) -> None:
    begin = time.monotonic()
    reply = wire.post(path, {"query": BOMBS[name]}, root)

    assert time.monotonic() - begin < PATIENCE_SECONDS
    assert reply.json().get("data") is None
    assert len(reply.content) < 20_000
    check_refusal(reply, BOMBS[name][:10_000])
    check_serving(wire, root)


def test_a_small_bomb_costs_no_more_than_its_size(wire: Wire, root: str) -> None:
    """What doubles with each fragment would take a thousand times as long for ten more."""

    def seconds(length: int) -> float:
        begin = time.monotonic()
        check_refusal(wire.post("/query", {"query": chain(length, twice=True)}, root))
        return time.monotonic() - begin

    seconds(14)
    assert min(seconds(80) for _ in range(3)) < 50 * max(min(seconds(20) for _ in range(3)), 0.005)


def test_the_introspection_of_graphiql_is_served(wire: Wire, root: str) -> None:
    kind = "kind name " + "ofType { kind name " * 9 + " }" * 9
    document = """query { __schema { queryType { name } mutationType { name } subscriptionType { name }
      types { kind name description fields(includeDeprecated: true) { name description
        args { name description type { KIND } defaultValue } type { KIND } isDeprecated deprecationReason }
        inputFields { name description type { KIND } defaultValue } interfaces { KIND }
        enumValues(includeDeprecated: true) { name description isDeprecated deprecationReason } possibleTypes { KIND } }
      directives { name description locations args { name type { KIND } defaultValue } } } }"""

    for path in ("/query", "/roles_pbac"):
        assert wire.ask(root, document.replace("KIND", kind), path=path)["__schema"]["types"]


@pytest.mark.parametrize("path", ["/query", "/roles_pbac"])
def test_introspection_and_its_errors_are_for_those_who_have_logged_in(wire: Wire, path: str) -> None:
    for document in (
        "{ __schema { types { name } } }",
        "{ nope }",
        "{",
        "mutation { delete_item(itemid: 1) { itemid } }",
    ):
        reply = wire.post(path, {"query": document})
        assert reply.status_code == 401
        assert "nope" not in reply.text


def test_no_refusal_suggests_a_name(wire: Wire, root: str, nobody: str) -> None:
    for token, document in (
        (root, "{ items { itemid } }"),
        (root, "{ item { itemnam } }"),
        (root, "{ item(filte: 1) { itemid } }"),
        (nobody, "{ lis { listid } }"),
        (nobody, "{ list { listid } }"),
        (nobody, "mutation { create_lists { listid } }"),
    ):
        reply = wire.post("/query", {"query": document}, token)
        assert reply.status_code == 400
        assert "did you mean" not in reply.text.lower()


def test_what_is_hidden_and_what_is_not_there_get_the_same_answer(wire: Wire, nobody: str) -> None:
    hidden = wire.post("/query", {"query": "{ item { itemid } }"}, nobody)
    absent = wire.post("/query", {"query": "{ zzzz { itemid } }"}, nobody)

    assert hidden.status_code == absent.status_code
    assert hidden.text.replace("item", "zzzz") == absent.text.replace("item", "zzzz")


@pytest.mark.parametrize("path", ["/query", "/roles_pbac"])
@pytest.mark.parametrize(
    "document",
    [
        "mutation { delete_item(itemid: 1) { itemid } }",
        "query A { __typename } mutation B { delete_item(itemid: 1) { itemid } }",
        "mutation B { delete_item(itemid: 1) { itemid } } query A { __typename }",
        "fragment F on Mutation { delete_item(itemid: 1) { itemid } } mutation { ...F }",
    ],
)
def test_a_mutation_by_get_is_never_run(wire: Wire, root: str, path: str, document: str) -> None:
    document = document.replace("delete_item(itemid: 1) { itemid }", "__typename") if path != "/query" else document

    reply = wire.client.get(path, params={"query": document, "operationName": "B"}, headers=bearer(root))
    unnamed = wire.client.get(path, params={"query": document}, headers=bearer(root))

    for each in (reply, unnamed):
        assert each.status_code in {400, 405}
        check_refusal(each, document)
    if "mutation {" in document:
        assert unnamed.status_code == 405
        assert "POST" in unnamed.headers["allow"]
    assert len(wire.ask(root, '{ item(filter: "itemid = 1") { itemid } }')["item"]) == 1


def test_utility_changes_nothing_by_get(wire: Wire, root: str) -> None:
    before = wire.control(root, "{ Utility { anonymous_logins } }")

    reply = wire.client.get(
        "/roles_pbac", params={"query": "{ Utility { anonymous_logins(enable: false) } }"}, headers=bearer(root)
    )

    check_refusal(reply)
    assert wire.control(root, "{ Utility { anonymous_logins } }") == before


@pytest.mark.parametrize("path", ["/query", "/roles_pbac"])
@pytest.mark.parametrize(
    "body",
    [
        [{"query": "{ __typename }"}] * 2,
        [{"query": "{ __typename }"}] * 5_000,
        [],
        [[]],
        [None],
        "text",
        7,
        None,
        True,
        {},
        {"query": None},
        {"query": 7},
        {"query": ["{ __typename }"]},
        {"query": {"a": 1}},
        {"Query": "{ a }"},
        {"query": "{ __typename }", "variables": [1]},
        {"query": "{ __typename }", "variables": 7},
        {"query": "{ __typename }", "variables": "{"},
        {"query": "{ __typename }", "variables": "[1]"},
        {"query": "{ __typename }", "operationName": 7},
        {"query": "{ __typename }", "operationName": "nope"},
        {"query": "{ __typename }", "operationName": {}},
        {"query": "{ __typename }", "extensions": 7},
        {"id": "abc"},
        {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": 7}}},
        {"extensions": {"persistedQuery": {"version": 1}}},
    ],
    ids=lambda body: json.dumps(body)[:50],
)
def test_a_body_that_is_no_request_is_a_400(wire: Wire, root: str, path: str, body: Any) -> None:
    reply = wire.client.post(
        path, content=json.dumps(body), headers=bearer(root) | {"Content-Type": "application/json"}
    )

    assert reply.status_code == 400
    check_refusal(reply)
    check_serving(wire, root)


def test_twenty_mutations_in_one_document_run_in_order(wire: Wire, root: str) -> None:
    made = wire.ask(root, 'mutation { create_list(input: {listname: "0", devii_roleid: 0}) { listid } }')["create_list"]
    steps = " ".join(
        f'm{n}: update_list(listid: {made["listid"]}, input: {{listname: "{n}"}}) {{ listname }}' for n in range(20)
    )

    data = wire.ask(root, f"mutation {{ {steps} }}")

    assert [data[f"m{n}"]["listname"] for n in range(20)] == [str(n) for n in range(20)]
    wire.ask(root, f"mutation {{ delete_list(listid: {made['listid']}) {{ listid }} }}")
