"""The signature check of tokens against the vectors of Wycheproof for ECDSA on P-521 with SHA-512 (tests/data)."""

import base64
import gzip
import json
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jose import jwk
from jose.backends.base import Key

from gateway.auth.refusals import TokenForged
from gateway.auth.tokens import ALGORITHM, is_signed

VECTORS = json.loads(
    gzip.decompress((Path(__file__).parents[1] / "data" / "wycheproof_ecdsa_p521_sha512.json.gz").read_bytes())
)
COMPONENT_BYTES = 66


@dataclass(frozen=True)
class Vector:
    number: int
    key: Key
    message: bytes
    signature: bytes
    is_valid: bool
    comment: str

    def is_taken(self, signature: bytes) -> bool:
        try:
            return is_signed(self.message, base64.urlsafe_b64encode(signature).rstrip(b"=").decode(), self.key)
        except TokenForged:
            return False


@pytest.fixture(scope="module")
def keys() -> list[Key]:
    points = [ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP521R1(), bytes.fromhex(k)) for k in VECTORS["keys"]]
    return [
        jwk.construct(point.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo), ALGORITHM)
        for point in points
    ]


def read_vectors(form: str, keys: list[Key]) -> list[Vector]:
    return [
        Vector(number, keys[key], bytes.fromhex(message), bytes.fromhex(signature), verdict == "valid", comment)
        for number, key, message, signature, verdict, comment in VECTORS[form]
    ]


def test_each_signature_of_full_length_is_judged_as_wycheproof_judges_it(keys: list[Key]) -> None:
    vectors = read_vectors("p1363", keys)

    wrong = {
        vector.number: vector.comment for vector in vectors if vector.is_taken(vector.signature) != vector.is_valid
    }

    assert (len(vectors), sum(vector.is_valid for vector in vectors)) == (318, 231)
    assert wrong == {}


def test_no_signature_in_der_is_taken_good_or_bad(keys: list[Key]) -> None:
    vectors = read_vectors("der", keys)

    assert len(vectors) == 542
    assert {vector.number: vector.comment for vector in vectors if vector.is_taken(vector.signature)} == {}


def test_the_same_numbers_at_full_length_are_judged_as_their_der_is(keys: list[Key]) -> None:
    wrong: dict[int, str] = {}
    counts = {True: 0, False: 0}
    for vector in read_vectors("der", keys):
        numbers = read_numbers(vector.signature)
        if numbers is None:
            assert not vector.is_valid, vector.comment
            continue
        counts[vector.is_valid] += 1
        if vector.is_taken(b"".join(number.to_bytes(COMPONENT_BYTES, "big") for number in numbers)) != vector.is_valid:
            wrong[vector.number] = vector.comment

    assert wrong == {}
    assert min(counts.values()) > 50, counts


def read_numbers(signature: bytes) -> tuple[int, int] | None:
    """r and s of a signature in DER, or None where it holds no two numbers that have a full-length form."""
    try:
        r, s = decode_dss_signature(signature)
    except ValueError:
        return None
    return (r, s) if 0 <= r < 1 << 8 * COMPONENT_BYTES and 0 <= s < 1 << 8 * COMPONENT_BYTES else None
