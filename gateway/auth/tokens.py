"""Claims ↔ signed tokens (RFC 7519, RFC 8725). Pure: keys and the time are arguments. Only this file imports jose.

The library is trusted with one thing, the ES512 signature. It decodes leniently, ignores `crit`, insists that `sub`
is a string and reads the clock by itself, so the shape of a token, its header and its claims are checked here.
"""

import base64
import hashlib
import json
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, cast

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from jose import jwk, jwt
from jose.backends import ECKey
from jose.backends.base import Key

from gateway.auth.refusals import TokenExpired, TokenForged, TokenNotYetValid, WrongTokenType

ALGORITHM: Final = "ES512"
MAX_TOKEN_CHARS: Final = 4096
MAX_HEADER_CHARS: Final = 512
# r and s of 66 bytes each (RFC 7518, 3.4), in base64url without padding.
SIGNATURE_CHARS: Final = 176
HEADER_MEMBERS: Final = frozenset({"alg", "kid", "typ"})
CLAIM_NAMES: Final = frozenset({"iat", "nbf", "jti", "exp", "sub", "fresh", "type", "sid", "iss"})

_PART = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)

TokenType = Literal["access", "refresh"]

# python-jose falls back to the pure Python `ecdsa`, whose timing leaks the key (CVE-2024-23342), when it cannot
# import cryptography. Better not to start at all.
if ECKey.__module__ != "jose.backends.cryptography_backend":
    raise RuntimeError("python-jose does not use the cryptography backend; install python-jose[cryptography].")


@dataclass(frozen=True, slots=True)
class Claims:
    """What a token says. Times are whole seconds since 1970 (RFC 7519, NumericDate)."""

    role_id: int
    tenant_id: int
    session_id: str
    token_id: str
    type: TokenType
    issued_at: int
    expires_at: int


@dataclass(frozen=True, slots=True)
class TokenRules:
    """What every token of this gateway has in common."""

    issuer: str
    audience: str | None = None
    access_seconds: int = 86_400
    refresh_seconds: int = 604_800
    leeway_seconds: int = 10

    def lifetime_seconds(self, type_: TokenType) -> int:
        return self.access_seconds if type_ == "access" else self.refresh_seconds


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A P-521 key pair, ready for use; `key_id` is the RFC 7638 thumbprint of its public half."""

    key_id: str
    private: Key = field(repr=False)
    public: Key = field(repr=False)
    public_jwk: Mapping[str, str] = field(repr=False)


def load_signing_key(private_pem: bytes) -> SigningKey:
    """The key of a PEM text. Raises ValueError unless it is a private key on P-521: the library would sign with any."""
    private = load_pem_private_key(private_pem, password=None)
    if not isinstance(private, ec.EllipticCurvePrivateKey) or not isinstance(private.curve, ec.SECP521R1):
        raise ValueError("A signing key must lie on the curve P-521.")  # noqa: TRY004 - a value, not a type, is wrong
    signing = jwk.construct(private_pem, ALGORITHM)
    public = signing.public_key()
    members = {name: str(value) for name, value in public.to_dict().items()}
    # RFC 7638, 3: the required members only, in the order of their names, without spaces.
    required = {name: members[name] for name in ("crv", "kty", "x", "y")}
    digest = hashlib.sha256(json.dumps(required, separators=(",", ":")).encode()).digest()
    key_id = _encode(digest)
    return SigningKey(key_id, signing, public, required | {"alg": ALGORITHM, "use": "sig", "kid": key_id})


def sign_token(claims: Claims, key: SigningKey, rules: TokenRules) -> str:
    """The token that says these claims."""
    body: dict[str, object] = {
        "fresh": False,
        "iat": claims.issued_at,
        "jti": claims.token_id,
        "type": claims.type,
        "sub": {"roleid": claims.role_id, "tenantid": claims.tenant_id},
        "nbf": claims.issued_at,
        "exp": claims.expires_at,
        "sid": claims.session_id,
        "iss": rules.issuer,
    }
    if rules.audience is not None:
        body["aud"] = rules.audience
    return jwt.encode(body, key.private, algorithm=ALGORITHM, headers={"kid": key.key_id})


def read_token(
    token: str, keys: Mapping[str, SigningKey], rules: TokenRules, *, type_: TokenType, now: float
) -> Claims:
    """The claims of a token that is genuine, of the given type and in date.

    Raises TokenForged, WrongTokenType, TokenNotYetValid, TokenExpired.
    """
    claims = verify_token(token, keys, rules)
    check_claims(claims, rules, type_=type_, now=now)
    return claims


def check_claims(claims: Claims, rules: TokenRules, *, type_: TokenType | None, now: float) -> None:
    """Nothing, if genuine claims count here and now; `type_` None takes either type.

    Raises WrongTokenType, TokenNotYetValid, TokenExpired.
    """
    if type_ is not None and claims.type != type_:
        raise WrongTokenType(type_)
    if claims.issued_at > now + rules.leeway_seconds:
        raise TokenNotYetValid
    if claims.expires_at <= now - rules.leeway_seconds:
        raise TokenExpired


def verify_token(token: str, keys: Mapping[str, SigningKey], rules: TokenRules) -> Claims:
    """The claims of a genuine token, whenever it may count. Raises TokenForged."""
    key = _select_key(token, keys)
    signed, _, signature = token.rpartition(".")
    if not is_signed(signed.encode("ascii"), signature, key.public):
        raise TokenForged("Signature verification failed")
    return _parse_claims(_parse_object(_decode(signed.partition(".")[2])), rules)


def is_signed(signed: bytes, signature: str, public: Key) -> bool:
    """Whether a token's last part is this key's signature of what stands before it: r and s, each at its full length
    (RFC 7518, 3.4). Raises TokenForged when it is not canonical base64url."""
    return len(signature) == SIGNATURE_CHARS and public.verify(signed, _decode(signature))


def key_id_of(token: str) -> str:
    """The `kid` of a well-formed token, which nothing has vouched for yet. Raises TokenForged."""
    parts = token.split(".") if len(token) <= MAX_TOKEN_CHARS else []
    if len(parts) != 3 or len(parts[0]) > MAX_HEADER_CHARS or len(parts[2]) != SIGNATURE_CHARS:
        raise TokenForged("Token is malformed")
    header_bytes, _, _ = (_decode(part) for part in parts)
    header = _parse_object(header_bytes)
    # An exact set of members refuses `crit`, `jwk`, `jku`, `x5u`, `x5c`, `zip` and whatever else may be invented.
    if header.keys() ^ HEADER_MEMBERS or header["alg"] != ALGORITHM or header["typ"] != "JWT":
        raise TokenForged("Token header is not one of this gateway")
    key_id = header["kid"]
    if not isinstance(key_id, str):
        raise TokenForged("Token header is not one of this gateway")
    return key_id


def _select_key(token: str, keys: Mapping[str, SigningKey]) -> SigningKey:
    key = keys.get(key_id_of(token))
    if key is None:
        raise TokenForged("Token was signed by an unknown key")
    return key


def _parse_claims(body: Mapping[str, object], rules: TokenRules) -> Claims:
    names = CLAIM_NAMES if rules.audience is None else CLAIM_NAMES | {"aud"}
    if body.keys() ^ names or body["iss"] != rules.issuer or body.get("aud") != rules.audience:
        raise TokenForged("Token claims are not those of this gateway")
    role_id, tenant_id = _parse_subject(body["sub"])
    claims = Claims(
        role_id=role_id,
        tenant_id=tenant_id,
        session_id=_parse_uuid(body["sid"]),
        token_id=_parse_uuid(body["jti"]),
        type=_parse_type(body["type"]),
        issued_at=_parse_positive(body["iat"]),
        expires_at=_parse_positive(body["exp"]),
    )
    lifetime = claims.expires_at - claims.issued_at
    is_ours = body["fresh"] is False and _parse_positive(body["nbf"]) == claims.issued_at
    if not is_ours or not 0 < lifetime <= rules.lifetime_seconds(claims.type):
        raise TokenForged("Token claims are not those of this gateway")
    return claims


def _parse_subject(value: object) -> tuple[int, int]:
    if not isinstance(value, dict):
        raise TokenForged("Token claims are not those of this gateway")
    subject = cast("dict[str, object]", value)
    if subject.keys() ^ {"roleid", "tenantid"}:
        raise TokenForged("Token claims are not those of this gateway")
    return _parse_positive(subject["roleid"]), _parse_positive(subject["tenantid"])


def _parse_type(value: object) -> TokenType:
    if value == "access":
        return "access"
    if value == "refresh":
        return "refresh"
    raise TokenForged("Token claims are not those of this gateway")


def _parse_positive(value: object) -> int:
    # `type(…) is`, because True is an int as well.
    if type(value) is not int or not 0 < value < 2**63:
        raise TokenForged("Token claims are not those of this gateway")
    return value


def _parse_uuid(value: object) -> str:
    try:
        if isinstance(value, str) and str(uuid.UUID(value)) == value:
            return value
    except ValueError:
        pass
    raise TokenForged("Token claims are not those of this gateway")


def _parse_object(data: bytes) -> Mapping[str, object]:
    """The members of a JSON object in which, at any depth, none is given twice (RFC 7515, 4)."""
    try:
        value: object = json.loads(data.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise TokenForged("Token is malformed") from error
    if not isinstance(value, dict):
        raise TokenForged("Token is malformed")
    return cast("dict[str, object]", value)


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member is given twice")
    return members


def _no_constant(name: str) -> object:
    raise ValueError(f"{name} is not JSON")


def _decode(part: str) -> bytes:
    """The bytes of base64url in its one canonical spelling: no padding, no strays, no loose bits (RFC 7515, 2)."""
    if not _PART.fullmatch(part) or len(part) % 4 == 1:
        raise TokenForged("Token is malformed")
    data = base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
    if _encode(data) != part:
        raise TokenForged("Token is malformed")
    return data


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")
