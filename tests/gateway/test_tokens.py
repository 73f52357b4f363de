"""Forged and bent tokens. Each is built by hand, so that a fault in our own signing cannot hide one in our reading."""

import base64
import hashlib
import hmac
import json
import uuid
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from gateway.auth.refusals import TokenExpired, TokenForged, TokenNotYetValid, WrongTokenType
from gateway.auth.tokens import Claims, SigningKey, TokenRules, load_signing_key, read_token, sign_token

NOW = 1_800_000_000
P521_ORDER = int(
    "01fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffa51868783bf2f966b7fcc0148f709a5d03bb5c9b8899c47"
    "aebb6fb71e91386409",
    16,
)
RULES = TokenRules(issuer="ostiary")
SESSION = "6f1c2f0e-6b0f-4f57-9a39-0d4cbb0f2f11"


def a_pem(curve: ec.EllipticCurve | None = None) -> bytes:
    return ec.generate_private_key(curve or ec.SECP521R1()).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )


PEM = a_pem()
KEY = load_signing_key(PEM)
KEYS = {KEY.key_id: KEY}
PRIVATE = load_pem_private_key(PEM, None)
assert isinstance(PRIVATE, ec.EllipticCurvePrivateKey)


def encode(data: bytes | str | object) -> str:
    raw = data if isinstance(data, bytes) else (data if isinstance(data, str) else json.dumps(data)).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def sign(signed: str, private: ec.EllipticCurvePrivateKey = PRIVATE) -> str:
    r, s = decode_dss_signature(private.sign(signed.encode(), ec.ECDSA(hashes.SHA512())))
    return encode(r.to_bytes(66, "big") + s.to_bytes(66, "big"))


def a_header(**changes: object) -> dict[str, object]:
    return {"alg": "ES512", "kid": KEY.key_id, "typ": "JWT"} | changes


def a_body(**changes: object) -> dict[str, object]:
    body: dict[str, object] = {
        "iat": NOW,
        "nbf": NOW,
        "jti": str(uuid.UUID(int=7, version=4)),
        "exp": NOW + 86_400,
        "sub": {"roleid": 42, "tenantid": 14},
        "fresh": False,
        "type": "access",
        "sid": SESSION,
        "iss": "ostiary",
    }
    return body | changes


def a_token(header: object = None, body: object = None) -> str:
    signed = f"{encode(a_header() if header is None else header)}.{encode(a_body() if body is None else body)}"
    return f"{signed}.{sign(signed)}"


def read(token: str, *, now: float = NOW, rules: TokenRules = RULES, keys: Mapping[str, SigningKey] = KEYS) -> Claims:
    return read_token(token, keys, rules, type_="access", now=now)


def test_hand_made_token_with_the_right_claims_is_read() -> None:
    claims = read(a_token())

    assert (claims.role_id, claims.tenant_id, claims.session_id) == (42, 14, SESSION)
    assert (claims.type, claims.issued_at, claims.expires_at) == ("access", NOW, NOW + 86_400)


def test_signed_token_has_the_claims_of_the_wire_and_is_readable_by_a_plain_decoder() -> None:
    claims = Claims(42, 14, SESSION, str(uuid.uuid4()), "refresh", NOW, NOW + 604_800)

    token = sign_token(claims, KEY, RULES)

    header, body = (json.loads(base64.urlsafe_b64decode(part + "==")) for part in token.split(".")[:2])
    assert header == a_header()
    assert body == a_body(jti=claims.token_id, exp=NOW + 604_800, type="refresh")
    assert read_token(token, KEYS, RULES, type_="refresh", now=NOW) == claims


# --- algorithms --------------------------------------------------------------------------------------------------

NONE_SPELLINGS = ["none", "None", "NONE", "nOnE", "nonE", " none", "none ", "none\n", "no\u00f1e", "", "NoNe\x00"]
FOREIGN = ["HS256", "HS384", "HS512", "RS256", "PS512", "ES256", "ES384", "ES256K", "EdDSA", "es512", "ES512 ", "dir"]


@pytest.mark.parametrize("alg", NONE_SPELLINGS + FOREIGN)
@pytest.mark.parametrize("signature", ["good", "empty", "absent", "zeros"])
def test_no_other_algorithm_is_accepted_whatever_the_signature(alg: str, signature: str) -> None:
    signed = f"{encode(a_header(alg=alg))}.{encode(a_body())}"
    tail = {"good": f".{sign(signed)}", "empty": ".", "absent": "", "zeros": "." + "A" * 176}[signature]

    with pytest.raises(TokenForged):
        read(signed + tail)


@pytest.mark.parametrize("alg", [None, True, 0, 512, ["ES512"], {"alg": "ES512"}, "ES512\u0000"])
def test_an_algorithm_that_is_not_the_text_is_refused(alg: object) -> None:
    with pytest.raises(TokenForged):
        read(a_token(a_header(alg=alg)))


def public_spellings() -> list[bytes]:
    public = PRIVATE.public_key()
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    der = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    point = public.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    compressed = public.public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
    ssh = public.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    jwk = dict(KEY.public_jwk)
    return [
        pem,
        pem.strip(),
        pem.replace(b"\n", b"\r\n"),
        b"".join(pem.splitlines()[1:-1]),
        der,
        base64.b64encode(der),
        der.hex().encode(),
        point,
        compressed,
        ssh,
        json.dumps(jwk).encode(),
        json.dumps(jwk, separators=(",", ":")).encode(),
        KEY.key_id.encode(),
        jwk["x"].encode(),
        b"",
    ]


@pytest.mark.parametrize("secret", public_spellings())
@pytest.mark.parametrize("alg", ["HS256", "HS512", "ES512"])
def test_hmac_with_the_public_key_is_no_signature(secret: bytes, alg: str) -> None:
    signed = f"{encode(a_header(alg=alg))}.{encode(a_body())}"
    digest = hashlib.sha256 if alg == "HS256" else hashlib.sha512
    mac = hmac.new(secret, signed.encode(), digest).digest()

    for signature in (mac, mac.ljust(132, b"\0"), (mac * 5)[:132]):
        with pytest.raises(TokenForged):
            read(f"{signed}.{encode(signature)}")


# --- headers -----------------------------------------------------------------------------------------------------

OTHER = load_signing_key(a_pem())


@pytest.mark.parametrize(
    "extra",
    [
        {"crit": ["exp"]},
        {"crit": []},
        {"crit": ["b64"], "b64": False},
        {"jwk": dict(OTHER.public_jwk)},
        {"jku": "http://127.0.0.1:1/jwks.json"},
        {"x5u": "http://127.0.0.1:1/cert.pem"},
        {"x5c": ["MIIB"]},
        {"x5t": "AAAA"},
        {"zip": "DEF"},
        {"enc": "A256GCM"},
        {"p2c": 10**9, "p2s": "AAAA"},
        {"cty": "JWT"},
        {"b64": False},
        {"typ": "jwt"},
        {"typ": "at+jwt"},
        {"typ": None},
        {"": ""},
    ],
)
def test_a_header_with_anything_else_in_it_is_refused_although_signed_by_our_key(extra: dict[str, object]) -> None:
    with pytest.raises(TokenForged):
        read(a_token(a_header(**extra)))


@pytest.mark.parametrize("missing", ["alg", "kid", "typ"])
def test_a_header_that_lacks_a_member_is_refused(missing: str) -> None:
    header = a_header()
    del header[missing]

    with pytest.raises(TokenForged):
        read(a_token(header))


@pytest.mark.parametrize(
    "kid",
    [
        "", " ", "0", "../../../../dev/null", "/dev/null", "file:///dev/null", "http://127.0.0.1:1/", "' or '1'='1",
        "\u0000", KEY.key_id + " ", KEY.key_id.upper(), KEY.key_id[:-1], OTHER.key_id, None, 7, True, [KEY.key_id],
        {"kid": KEY.key_id},
    ],
)  # fmt: skip
def test_a_kid_that_is_not_exactly_one_of_ours_is_refused(kid: object) -> None:
    with pytest.raises(TokenForged):
        read(a_token(a_header(kid=kid)))


def test_a_token_of_another_key_under_our_kid_is_refused() -> None:
    other = ec.generate_private_key(ec.SECP521R1())
    signed = f"{encode(a_header())}.{encode(a_body())}"

    with pytest.raises(TokenForged):
        read(f"{signed}.{sign(signed, other)}")


@pytest.mark.parametrize(
    "header",
    [
        f'{{"alg":"ES512","alg":"ES512","kid":"{KEY.key_id}","typ":"JWT"}}',
        f'{{"alg":"none","kid":"{KEY.key_id}","typ":"JWT","alg":"ES512"}}',
        f'{{"alg":"ES512","kid":"x","kid":"{KEY.key_id}","typ":"JWT"}}',
        f'{{"alg":"ES512","kid":"{KEY.key_id}","typ":"JWT","\\u0061lg":"ES512"}}',
        '["ES512"]',
        '"ES512"',
        "null",
        "{}",
        "",
        "{",
        "\ufeff{}",
        "[" * 300,
        '{"alg":NaN}',
    ],
)
def test_a_header_that_is_not_one_plain_object_is_refused(header: str) -> None:
    with pytest.raises(TokenForged):
        read(a_token(header))


# --- shape -------------------------------------------------------------------------------------------------------


def bend(change: Callable[[list[str]], str]) -> str:
    return change(a_token().split("."))


def loosen(part: str) -> str:
    """The same bytes by a lenient decoder: the unused low bits of the last character are set."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return part[:-1] + alphabet[alphabet.index(part[-1]) | 1]


BENDS: dict[str, Callable[[list[str]], str]] = {
    "empty": lambda p: "",
    "one part": lambda p: p[0],
    "two parts": lambda p: f"{p[0]}.{p[1]}",
    "four parts": lambda p: ".".join([*p, p[2]]),
    "trailing dot": lambda p: ".".join(p) + ".",
    "leading dot": lambda p: "." + ".".join(p),
    "five parts as in JWE": lambda p: ".".join([*p, p[1], p[2]]),
    "no header": lambda p: f".{p[1]}.{p[2]}",
    "no body": lambda p: f"{p[0]}..{p[2]}",
    "padded signature": lambda p: ".".join([p[0], p[1], p[2] + "="]),
    "padded header": lambda p: f"{p[0]}==.{p[1]}.{p[2]}",
    "padded body": lambda p: f"{p[0]}.{p[1]}=.{p[2]}",
    "stray in header": lambda p: f"{p[0][:5]}!{p[0][5:]}.{p[1]}.{p[2]}",
    "stray in signature": lambda p: ".".join([p[0], p[1], "!" + p[2][:-1]]),
    "more in signature": lambda p: ".".join([p[0], p[1], p[2][:9] + "*" + p[2][9:]]),
    "standard alphabet": lambda p: ".".join([p[0], p[1], p[2].replace("-", "+").replace("_", "/") + "+"]),
    "plus in signature": lambda p: ".".join([p[0], p[1], "+" + p[2][1:]]),
    "newline at the end": lambda p: ".".join(p) + "\n",
    "newline inside": lambda p: ".".join([p[0], p[1], p[2][:-1] + "\n"]),
    "space before": lambda p: " " + ".".join(p),
    "nul": lambda p: ".".join([p[0], p[1], p[2][:-1] + "\0"]),
    "full width letter": lambda p: ".".join([p[0], p[1], "\uff21" + p[2][1:]]),
    "arabic digit": lambda p: ".".join([p[0], p[1], "\u0661" + p[2][1:]]),
    "lone surrogate": lambda p: ".".join([p[0], p[1], "\ud800" + p[2][1:]]),
    "short signature": lambda p: ".".join([p[0], p[1], p[2][:-4]]),
    "long signature": lambda p: ".".join([p[0], p[1], p[2] + "AAAA"]),
    "no signature": lambda p: f"{p[0]}.{p[1]}.",
    "first flipped": lambda p: ".".join([p[0], p[1], "_" + p[2][1:]]),
    "last flipped": lambda p: ".".join([p[0], p[1], p[2][:-1] + ("A" if p[2][-1] != "A" else "B")]),
    "body of another": lambda p: ".".join([p[0], encode(a_body(sub={"roleid": 1, "tenantid": 14})), p[2]]),
    "impossible length": lambda p: f"{p[0]}.{p[1][: len(p[1]) // 4 * 4 + 1 - 4]}.{p[2]}",
    "huge": lambda p: ".".join([p[0], "A" * 1_000_000, p[2]]),
    "only dots": lambda p: "..",
    "undefined": lambda p: "undefined",
    "[object Object]": lambda p: "[object Object]",
}


@pytest.mark.parametrize("change", BENDS.values(), ids=BENDS.keys())
def test_a_bent_token_is_refused(change: Callable[[list[str]], str]) -> None:
    with pytest.raises(TokenForged):
        read(bend(change))


def test_loose_bits_at_the_end_of_a_part_are_refused_so_that_a_token_has_one_spelling() -> None:
    # Bodies of three lengths, so that two of them end in a character with unused bits.
    for filler in ("a", "aa", "aaa"):
        rules = TokenRules(issuer=filler)
        signed_header, body = encode(a_header()), encode(a_body(iss=filler))
        if len(body) % 4 == 0:
            continue
        signed = f"{signed_header}.{loosen(body)}"
        assert read(a_token(body=a_body(iss=filler)), rules=rules)
        with pytest.raises(TokenForged):
            read(f"{signed}.{sign(signed)}", rules=rules)


@pytest.mark.parametrize(
    ("r", "s"),
    [(0, 0), (0, 1), (1, 0), (1, 1), (P521_ORDER, 1), (1, P521_ORDER), (P521_ORDER, P521_ORDER),
     (P521_ORDER - 1, P521_ORDER - 1), (P521_ORDER + 1, 1), (2**521 - 1, 2**521 - 1), (2**528 - 1, 2**528 - 1)],
)  # fmt: skip
def test_signature_numbers_outside_or_at_the_edge_of_the_field_are_refused(r: int, s: int) -> None:
    signed = f"{encode(a_header())}.{encode(a_body())}"

    with pytest.raises(TokenForged):
        read(f"{signed}.{encode(r.to_bytes(66, 'big') + s.to_bytes(66, 'big'))}")


def test_a_der_signature_is_refused() -> None:
    signed = f"{encode(a_header())}.{encode(a_body())}"
    der = PRIVATE.sign(signed.encode(), ec.ECDSA(hashes.SHA512()))

    for signature in (der, der.ljust(132, b"\0")[:132]):
        with pytest.raises(TokenForged):
            read(f"{signed}.{encode(signature)}")


# --- claims, all signed by our own key ---------------------------------------------------------------------------

WRONG_ANYWHERE: list[Any] = [None, True, False, "", "x", [], {}, [1], 1.5, -1, 0, 2**63, 10**400, float(NOW)]
NAMES = ["iat", "nbf", "jti", "exp", "sub", "type", "sid", "iss"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("value", WRONG_ANYWHERE, ids=lambda value: repr(value)[:20])
def test_a_claim_of_the_wrong_type_is_refused(name: str, value: object) -> None:
    with pytest.raises(TokenForged):
        read(a_token(body=a_body(**{name: value})))


@pytest.mark.parametrize(
    "value", [value for value in WRONG_ANYWHERE if value is not False] + [1], ids=lambda v: repr(v)[:20]
)
def test_fresh_is_false_and_nothing_like_it(value: object) -> None:
    with pytest.raises(TokenForged):
        read(a_token(body=a_body(fresh=value)))


@pytest.mark.parametrize("name", [*NAMES, "fresh"])
def test_a_missing_claim_is_refused(name: str) -> None:
    body = a_body()
    del body[name]

    with pytest.raises(TokenForged):
        read(a_token(body=body))


@pytest.mark.parametrize(
    "sub",
    [
        {"roleid": "42", "tenantid": 14}, {"roleid": 42, "tenantid": "14"}, {"roleid": 42}, {"tenantid": 14},
        {"roleid": True, "tenantid": 14}, {"roleid": 42, "tenantid": None}, {"roleid": 42.0, "tenantid": 14},
        {"roleid": 0, "tenantid": 14}, {"roleid": -42, "tenantid": 14}, {"roleid": 42, "tenantid": 2**63},
        {"roleid": [42], "tenantid": 14}, {"roleid": 42, "tenantid": 14, "admin": True}, [42, 14], "42", 42,
        {"roleid": 1e3, "tenantid": 14},
    ],
)  # fmt: skip
def test_a_subject_that_is_not_two_whole_numbers_is_refused(sub: object) -> None:
    with pytest.raises(TokenForged):
        read(a_token(body=a_body(sub=sub)))


@pytest.mark.parametrize(
    "changes",
    [
        {"exp": NOW + 86_401}, {"exp": NOW + 10**9}, {"exp": 2**62}, {"exp": NOW}, {"exp": NOW - 1}, {"nbf": NOW - 1},
        {"nbf": NOW + 1}, {"iss": "Ostiary"}, {"iss": "ostiary "}, {"iss": ["ostiary"]}, {"type": "Access"},
        {"type": "reset"}, {"type": ["access"]}, {"aud": "ostiary"}, {"aud": None}, {"role": "admin"},
        {"sid": SESSION.upper()}, {"sid": SESSION.replace("-", "")}, {"sid": f"{{{SESSION}}}"},
        {"jti": f"urn:uuid:{SESSION}"}, {"exp": str(NOW + 60)}, {"exp": [NOW + 60]}, {"iat": 1, "nbf": 1},
    ],
)  # fmt: skip
def test_claims_we_would_never_issue_are_refused_although_signed(changes: dict[str, object]) -> None:
    with pytest.raises(TokenForged):
        read(a_token(body=a_body(**changes)))


@pytest.mark.parametrize(
    "payload",
    [
        "null", "[]", '"x"', "{}", "", "{", "7", "\ufeff{}", "NaN", "[" * 1500,
        json.dumps(a_body())[:-1] + ',"sub":{"roleid":1,"tenantid":14}}',
        json.dumps(a_body())[:-1] + ',"exp":1}',
        json.dumps(a_body()).replace('"roleid": 42', '"roleid": 42, "roleid": 1'),
        json.dumps(a_body()).replace(str(NOW + 86_400), "Infinity"),
        json.dumps(a_body()).replace(str(NOW + 86_400), "1e400"),
    ],
)  # fmt: skip
def test_a_payload_that_is_not_one_plain_object_is_refused(payload: str) -> None:
    with pytest.raises(TokenForged):
        read(a_token(body=payload))


@pytest.mark.parametrize("payload", [b"\xff\xfe", json.dumps(a_body()).encode("utf-16"), b'{"iss":"\xff"}'])
def test_a_payload_that_is_not_utf8_is_refused(payload: bytes) -> None:
    with pytest.raises(TokenForged):
        read(a_token(body=payload))


# --- time, type, audience ----------------------------------------------------------------------------------------


def test_an_expired_token_is_told_apart_and_the_leeway_is_small() -> None:
    token = a_token(body=a_body(exp=NOW + 60))

    assert read(token, now=NOW + 60 + 9)
    for late in (11, 65, 3600, 10**9):
        with pytest.raises(TokenExpired, match="expired"):
            read(token, now=NOW + 60 + late)


def test_a_token_from_the_future_is_not_yet_valid() -> None:
    assert read(a_token(), now=NOW - 9)
    with pytest.raises(TokenNotYetValid):
        read(a_token(), now=NOW - 3600)


def test_access_and_refresh_tokens_exclude_each_other() -> None:
    refresh = a_token(body=a_body(type="refresh", exp=NOW + 604_800))

    with pytest.raises(WrongTokenType, match="Only access tokens are allowed"):
        read(refresh)
    with pytest.raises(WrongTokenType, match="Only refresh tokens are allowed"):
        read_token(a_token(), KEYS, RULES, type_="refresh", now=NOW)


@pytest.mark.parametrize("aud", ["other", "", None, 7, ["api"], ["api", "other"], {"api": 1}])
def test_a_configured_audience_must_be_exactly_the_one_in_the_token(aud: object) -> None:
    rules = TokenRules(issuer="ostiary", audience="api")

    assert read(a_token(body=a_body(aud="api")), rules=rules)
    with pytest.raises(TokenForged):
        read(a_token(body=a_body(aud=aud)), rules=rules)
    with pytest.raises(TokenForged):
        read(a_token(), rules=rules)


# --- keys --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("curve", [ec.SECP256R1(), ec.SECP384R1(), ec.SECP256K1()])
def test_a_signing_key_on_another_curve_is_refused(curve: ec.EllipticCurve) -> None:
    with pytest.raises(ValueError, match="P-521"):
        load_signing_key(a_pem(curve))


def test_a_key_that_is_no_private_ec_key_is_refused() -> None:
    rsa_pem = rsa.generate_private_key(65537, 2048).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    with pytest.raises(ValueError, match="P-521"):
        load_signing_key(rsa_pem)
    with pytest.raises(ValueError, match="PEM"):
        load_signing_key(PRIVATE.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))


def test_the_published_key_says_nothing_secret_and_is_named_by_its_thumbprint() -> None:
    members = {name: KEY.public_jwk[name] for name in ("crv", "kty", "x", "y")}
    thumbprint = hashlib.sha256(json.dumps(members, separators=(",", ":"), sort_keys=True).encode()).digest()

    assert set(KEY.public_jwk) == {"kty", "crv", "x", "y", "kid", "use", "alg"}
    assert KEY.public_jwk["kid"] == KEY.key_id == encode(thumbprint)
    assert KEY.public_jwk["crv"] == "P-521"
    assert "PRIVATE" not in repr(KEY)


def test_two_keys_serve_while_one_replaces_the_other() -> None:
    claims = Claims(42, 14, SESSION, str(uuid.uuid4()), "access", NOW, NOW + 60)
    old, new = sign_token(claims, KEY, RULES), sign_token(claims, OTHER, RULES)

    assert read(old, keys=KEYS | {OTHER.key_id: OTHER}) == read(new, keys=KEYS | {OTHER.key_id: OTHER}) == claims
    with pytest.raises(TokenForged):
        read(old, keys={OTHER.key_id: OTHER})
