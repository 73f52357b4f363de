"""Documents by their ids: registered by root, made known by clients, and the tenants that answer no others."""

import hashlib
import json
from typing import Any

import httpx2
import pytest

from tests.houses import House, Member

pytestmark = pytest.mark.server

NOTES = 'query Notes($f: String) { note(filter: $f, ordering: "id") { id } }'
TAGS = '{ tag(ordering: "id") { word } }'
ADD = "mutation ($d: [TrustedDocumentInput!]!) { add_trusted_documents(input: $d) }"
REMOVE = "mutation ($ids: [String!]!) { remove_trusted_documents(ids: $ids) }"
ONLY = "query ($on: Boolean) { Utility { only_trusted_documents(enable: $on) } }"


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def send(house: House, who: Member, **body: Any) -> httpx2.Response:
    return house.wire.post("/query", body, who.token)


def code_of(reply: httpx2.Response) -> tuple[int, str]:
    return reply.status_code, str(reply.json()["errors"][0]["extensions"]["code"])


def add(house: House, *documents: dict[str, str]) -> list[str]:
    return list(house.control(house.root, ADD, {"d": list(documents)})["add_trusted_documents"])


def only_trusted(house: House, on: bool | None = None) -> object:
    return house.control(house.root, ONLY, {"on": on})["Utility"]["only_trusted_documents"]


def test_a_registered_document_is_answered_by_its_digest_and_by_its_own_id(house: House) -> None:
    assert add(house, {"query": NOTES}, {"query": TAGS, "id": "tags@3", "name": "Tags"}) == [digest(NOTES), "tags@3"]

    by_digest = send(house, house.root, documentId=f"sha256:{digest(NOTES)}", variables={"f": "size > 15"})
    by_id = send(house, house.root, documentId="tags@3")
    by_bare_digest = send(house, house.root, documentId=digest(TAGS))
    by_get = house.wire.client.get(
        "/query", params={"documentId": "tags@3"}, headers={"Authorization": f"Bearer {house.root.token}"}
    )

    assert by_digest.json() == {"data": {"note": [{"id": "2"}, {"id": "3"}]}}
    for reply in (by_id, by_bare_digest, by_get):
        assert reply.json() == {"data": {"tag": [{"word": "new"}, {"word": "old"}]}}


def test_an_unknown_id_and_the_text_of_another_are_refused(house: House) -> None:
    add(house, {"query": TAGS, "id": "tags"})

    assert code_of(send(house, house.root, documentId=digest("{ nothing }"))) == (404, "PERSISTED_QUERY_NOT_FOUND")
    assert code_of(send(house, house.root, documentId="a\0b")) == (404, "PERSISTED_QUERY_NOT_FOUND")
    assert code_of(send(house, house.root, documentId="tags", query=NOTES)) == (400, "PERSISTED_QUERY_MISMATCH")
    assert code_of(send(house, house.root, documentId="", query=NOTES)) == (400, "ENVELOPE_INVALID")
    assert code_of(send(house, house.root, documentId="x" * 201)) == (400, "ENVELOPE_INVALID")
    assert code_of(send(house, house.root, documentId=7)) == (400, "ENVELOPE_INVALID")


def test_a_client_of_the_automatic_kind_is_told_to_send_the_text_once(house: House) -> None:
    extensions = {"persistedQuery": {"version": 1, "sha256Hash": digest(TAGS)}}

    first = send(house, house.root, extensions=extensions)
    taught = send(house, house.root, extensions=extensions, query=TAGS)
    again = send(house, house.root, extensions=extensions)
    by_get = house.wire.client.get(
        "/query",
        params={"extensions": json.dumps(extensions)},
        headers={"Authorization": f"Bearer {house.root.token}"},
    )
    lying = send(house, house.root, extensions=extensions, query=NOTES)
    poisoned = {"persistedQuery": {"version": 1, "sha256Hash": digest("{ note { id } }")}}

    assert code_of(first) == (404, "PERSISTED_QUERY_NOT_FOUND")
    for reply in (taught, again, by_get):
        assert reply.json() == {"data": {"tag": [{"word": "new"}, {"word": "old"}]}}
    assert code_of(lying) == (400, "PERSISTED_QUERY_MISMATCH")
    assert code_of(send(house, house.root, extensions=poisoned, query=TAGS)) == (400, "PERSISTED_QUERY_MISMATCH")
    assert code_of(send(house, house.root, extensions=poisoned)) == (404, "PERSISTED_QUERY_NOT_FOUND")


def test_a_tenant_may_answer_trusted_documents_and_no_others(house: House) -> None:
    member = house.member()
    house.rule("select", "tag", to=member)
    add(house, {"query": TAGS, "id": "tags"})
    learned = {"persistedQuery": {"version": 1, "sha256Hash": digest("{ tag { id } }")}}
    assert send(house, member, extensions=learned, query="{ tag { id } }").status_code == 200
    assert only_trusted(house) is False
    assert only_trusted(house, on=True) is True

    for who in (house.root, member):
        assert code_of(send(house, who, query="{ tag { word } }")) == (403, "DOCUMENT_NOT_TRUSTED")
        assert code_of(send(house, who, extensions=learned)) == (404, "PERSISTED_QUERY_NOT_FOUND")
        assert code_of(send(house, who, extensions=learned, query="{ tag { id } }")) == (403, "DOCUMENT_NOT_TRUSTED")
        assert code_of(send(house, who, query="{ __schema { queryType { name } } }")) == (403, "DOCUMENT_NOT_TRUSTED")
        assert send(house, who, query=TAGS).json() == send(house, who, documentId="tags").json()
        assert send(house, who, query=TAGS).json()["data"]["tag"] == [{"word": "new"}, {"word": "old"}]

    assert only_trusted(house, on=False) is False
    assert send(house, member, query="{ tag { word } }").status_code == 200


def test_an_id_that_is_the_digest_of_another_text_makes_that_one_not_trusted(house: House) -> None:
    # As builds give them that take the digest before they write the text anew.
    add(house, {"query": TAGS, "id": digest(NOTES)})
    only_trusted(house, on=True)
    try:
        assert code_of(send(house, house.root, query=NOTES)) == (403, "DOCUMENT_NOT_TRUSTED")
        assert send(house, house.root, query=TAGS).status_code == 200
        assert send(house, house.root, documentId=digest(NOTES)).json()["data"].keys() == {"tag"}
    finally:
        only_trusted(house, on=False)


def test_a_document_that_is_let_go_is_answered_no_more(house: House) -> None:
    add(house, {"query": TAGS, "id": "tags"}, {"query": NOTES, "id": "notes"})
    only_trusted(house, on=True)
    assert send(house, house.root, documentId="tags").status_code == 200

    assert house.control(house.root, REMOVE, {"ids": ["tags", "none"]})["remove_trusted_documents"] == ["tags"]

    assert code_of(send(house, house.root, documentId="tags")) == (404, "PERSISTED_QUERY_NOT_FOUND")
    assert code_of(send(house, house.root, query=TAGS)) == (403, "DOCUMENT_NOT_TRUSTED")
    assert send(house, house.root, documentId="notes").status_code == 200


def test_a_trusted_document_gives_nobody_more_than_the_rules_do(house: House) -> None:
    member = house.member()
    house.rule("select", "note", "size = 10", to=member)
    add(house, {"query": NOTES, "id": "notes"}, {"query": TAGS, "id": "tags"})
    only_trusted(house, on=True)

    assert send(house, member, documentId="notes").json() == {"data": {"note": [{"id": "1"}]}}
    assert send(house, member, documentId="tags").status_code == 400


def test_documents_are_for_root_alone_and_belong_to_their_tenant(house: House, neighbour: House) -> None:
    administrator = house.member("admin")
    add(house, {"query": TAGS, "id": "tags"})
    listed = "{ Utility { trusted_documents { id name query } } }"

    asked: list[tuple[str, object]] = [
        (listed, None),
        (ONLY, {"on": True}),
        (ADD, {"d": []}),
        (REMOVE, {"ids": ["tags"]}),
    ]
    for document, variables in asked:
        refused = house.wire.refused(administrator.token, document, variables, path="/roles_pbac")
        assert refused["extensions"]["code"] == "ROOT_ONLY"
    assert house.control(house.root, listed)["Utility"]["trusted_documents"] == [
        {"id": "tags", "name": "", "query": TAGS}
    ]
    unknown = (404, "PERSISTED_QUERY_NOT_FOUND")
    assert code_of(send(neighbour, neighbour.root, documentId="tags")) == unknown
    assert code_of(house.wire.post("/roles_pbac", {"documentId": "tags"}, house.root.token)) == unknown


def test_what_is_no_document_is_not_registered_and_an_id_keeps_its_text(house: House) -> None:
    for given in ({"query": "{ tag"}, {"query": TAGS, "id": "x" * 201}, {"query": "{ a } #\0"}):
        refused = house.wire.refused(house.root.token, ADD, {"d": [{"query": NOTES}, given]}, path="/roles_pbac")
        assert refused["extensions"]["code"] == "BAD_INPUT"
    assert add(house, {"query": TAGS, "id": "it"}) == ["it"]
    assert add(house, {"query": NOTES, "id": "it"}) == []
    assert send(house, house.root, documentId="it").json()["data"]["tag"]
