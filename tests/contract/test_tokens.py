"""The tokens, decoded by hand as clients do."""

import base64
import time
import uuid

import pytest

from tests.wire import Person, Wire, decode

pytestmark = pytest.mark.server

LIFETIMES = {"access": 86_400, "refresh": 604_800}


def test_the_header_names_a_jwt_and_es512(wire: Wire, person: Person) -> None:
    session = wire.enter(person.login)

    for token in (session["access_token"], session["refresh_token"]):
        header, _ = decode(token)
        assert (header["typ"], header["alg"]) == ("JWT", "ES512")


@pytest.mark.parametrize("kind", ["access", "refresh"])
def test_claims_are_those_of_the_wire_with_object_subject_and_whole_numbers(
    wire: Wire, person: Person, kind: str
) -> None:
    before = int(time.time())
    _, claims = decode(wire.enter(person.login)[f"{kind}_token"])
    after = int(time.time())

    assert set(claims) >= {"iat", "nbf", "jti", "exp", "sub", "fresh", "type"}
    assert claims["sub"] == {"roleid": person.role_id, "tenantid": person.login.tenant_id}
    assert claims["fresh"] is False
    assert claims["type"] == kind
    assert str(uuid.UUID(claims["jti"])) == claims["jti"]
    assert before <= claims["iat"] <= after
    assert claims["nbf"] <= claims["iat"]
    assert claims["exp"] - claims["iat"] == LIFETIMES[kind]
    assert {type(claims[name]) for name in ("iat", "nbf", "exp")} == {int}


def test_every_token_has_an_id_of_its_own(wire: Wire, person: Person) -> None:
    sessions = [wire.enter(person.login) for _ in range(3)]

    ids = {decode(session[f"{kind}_token"])[1]["jti"] for session in sessions for kind in LIFETIMES}
    assert len(ids) == 6


def test_a_token_is_three_parts_of_base64url_with_a_signature_of_132_bytes(wire: Wire, person: Person) -> None:
    parts = wire.enter(person.login)["access_token"].split(".")

    assert len(parts) == 3
    assert len(base64.urlsafe_b64decode(parts[2] + "==")) == 132


@pytest.mark.parametrize("header", ["Authorization", "authorization", "AUTHORIZATION"])
@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_header_and_scheme_of_a_token_count_in_any_case(wire: Wire, person: Person, header: str, scheme: str) -> None:
    reply = wire.client.post("/query", json={"query": "{ __typename }"}, headers={header: f"{scheme} {person.token}"})

    assert reply.status_code == 200


def test_the_public_key_of_the_tokens_is_published(wire: Wire, person: Person) -> None:
    keys = wire.client.get("/.well-known/jwks.json").json()["keys"]

    header, _ = decode(person.token)
    key = next(key for key in keys if key["kid"] == header["kid"])
    assert {name: key[name] for name in ("kty", "crv", "alg", "use")} == {
        "kty": "EC",
        "crv": "P-521",
        "alg": "ES512",
        "use": "sig",
    }
    assert "d" not in key
