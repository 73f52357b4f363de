"""Tokens that no gateway may take, made by hand from a genuine one and, for the worst, with the gateway's own key."""

import base64
import hashlib
import hmac
import json
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from tests.wire import Json, decode

FOREIGN = ["none", "None", "NONE", "nOnE", "", "HS256", "HS384", "HS512", "RS256", "PS512", "ES256", "ES384", "ES256K",
           "EdDSA", "es512", "ES512 ", "dir"]  # fmt: skip


def encode(value: object) -> str:
    raw = value if isinstance(value, bytes) else (value if isinstance(value, str) else json.dumps(value)).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


@dataclass(frozen=True)
class Forger:
    """Someone with a genuine token, and with the private key that it was signed with."""

    token: str
    private: ec.EllipticCurvePrivateKey

    @classmethod
    def with_key(cls, token: str, pem: bytes) -> "Forger":
        private = load_pem_private_key(pem, None)
        assert isinstance(private, ec.EllipticCurvePrivateKey)
        return cls(token, private)

    @property
    def header(self) -> Json:
        return decode(self.token)[0]

    @property
    def claims(self) -> Json:
        return decode(self.token)[1]

    def sign(self, header: object = None, claims: object = None, key: ec.EllipticCurvePrivateKey | None = None) -> str:
        """A token with a genuine signature, or one of another key."""
        signed = (
            f"{encode(self.header if header is None else header)}.{encode(self.claims if claims is None else claims)}"
        )
        r, s = decode_dss_signature((key or self.private).sign(signed.encode(), ec.ECDSA(hashes.SHA512())))
        size = ((key or self.private).key_size + 7) // 8
        return f"{signed}.{encode(r.to_bytes(size, 'big') + s.to_bytes(size, 'big'))}"

    def expired(self) -> str:
        now = int(time.time())
        return self.sign(claims=self.claims | {"iat": now - 7200, "nbf": now - 7200, "exp": now - 3600})

    def forgeries(self) -> dict[str, str]:
        """Every forgery by the name of what is wrong with it."""
        return self.algorithms() | self.headers() | self.subjects() | self.bends() | self.wrong_claims()

    def algorithms(self) -> dict[str, str]:
        made: dict[str, str] = {}
        for alg in FOREIGN:
            header = self.header | {"alg": alg}
            made[f"alg {alg!r}, signed"] = self.sign(header)
            signed = f"{encode(header)}.{encode(self.claims)}"
            made[f"alg {alg!r}, no signature"] = f"{signed}."
            for name, secret in self._public_spellings().items():
                digest = hashlib.sha256 if alg == "HS256" else hashlib.sha512
                if alg in {"HS256", "HS512"}:
                    mac = hmac.new(secret, signed.encode(), digest).digest()
                    made[f"{alg} with the public key as {name}"] = f"{signed}.{encode(mac)}"
        made["another key"] = self.sign(key=ec.generate_private_key(ec.SECP521R1()))
        made["a key of another curve"] = self.sign(key=ec.generate_private_key(ec.SECP256R1()))
        made["alg missing"] = self.sign({name: value for name, value in self.header.items() if name != "alg"})
        return made

    def headers(self) -> dict[str, str]:
        extras: list[Json] = [
            {"crit": ["exp"]}, {"crit": []}, {"crit": ["b64"], "b64": False}, {"jku": "http://127.0.0.1:1/jwks"},
            {"x5u": "http://127.0.0.1:1/x"}, {"jwk": {"kty": "EC"}}, {"x5c": ["MIIB"]}, {"zip": "DEF"},
            {"p2c": 10**9, "p2s": "AAAA"}, {"typ": "at+jwt"}, {"typ": None}, {"cty": "JWT"},
        ]  # fmt: skip
        kids: list[object] = ["", "0", "../../../../dev/null", "/dev/null", "' or '1'='1", "\0", None, 7, [], {}]
        made = {f"header with {extra}": self.sign(self.header | extra) for extra in extras}
        made |= {f"kid {kid!r}": self.sign(self.header | {"kid": kid}) for kid in kids}
        doubled = json.dumps(self.header)[:-1] + ',"alg":"none"}'
        return made | {
            "alg twice": self.sign(doubled),
            "header a list": self.sign([]),
            "header nested": self.sign("[" * 900),
        }

    def subjects(self) -> dict[str, str]:
        role, tenant = self.claims["sub"]["roleid"], self.claims["sub"]["tenantid"]
        subjects: list[object] = [
            {"roleid": role, "tenantid": tenant + 1}, {"roleid": role + 1, "tenantid": tenant},
            {"roleid": str(role), "tenantid": tenant}, {"roleid": role}, {"tenantid": tenant}, {}, [], None, "1", 1,
            {"roleid": role, "tenantid": tenant, "admin": True}, {"roleid": 0, "tenantid": tenant},
            {"roleid": -1, "tenantid": tenant}, {"roleid": 2**63, "tenantid": 2**63}, {"roleid": True, "tenantid": 1},
            {"roleid": 10**400, "tenantid": tenant},
        ]  # fmt: skip
        return {f"sub {str(subject)[:60]}": self.sign(claims=self.claims | {"sub": subject}) for subject in subjects}

    def wrong_claims(self) -> dict[str, str]:
        now = int(time.time())
        changes: list[Json] = [
            {"exp": now - 65}, {"exp": 0}, {"exp": None}, {"exp": True}, {"exp": str(now + 60)}, {"exp": [now + 60]},
            {"exp": now + 10**9}, {"nbf": now + 3600}, {"iat": now + 3600, "nbf": now + 3600, "exp": now + 7200},
            {"iss": "other"}, {"iss": None}, {"iss": 1}, {"iss": ["ostiary"]}, {"aud": "other"}, {"type": "reset"},
            {"type": None}, {"type": "Access"}, {"fresh": True}, {"sid": str(uuid.uuid4())}, {"sid": None},
            {"sid": "' or true --"}, {"jti": None}, {"jti": 7}, {"role": "admin"}, {"exp": 10**400}, {"nbf": 1.5},
        ]  # fmt: skip
        made = {f"claim {str(change)[:60]}": self.sign(claims=self.claims | change) for change in changes}
        for name in self.claims:
            rest = {key: value for key, value in self.claims.items() if key != name}
            made[f"no {name}"] = self.sign(claims=rest)
        payloads = ["null", "[]", '"x"', "{}", "", "{", "[" * 900, "NaN", json.dumps(self.claims)[:-1] + ',"exp":1}']
        return made | {f"payload {payload[:20]!r}": self.sign(claims=payload) for payload in payloads}

    def bends(self) -> dict[str, str]:
        head, body, signature = self.token.split(".")
        other = encode(self.claims | {"sub": {"roleid": 1, "tenantid": 1}})
        last = "A" if signature[-1] != "A" else "B"
        return {
            "one part": head,
            "two parts": f"{head}.{body}",
            "four parts": f"{self.token}.{signature}",
            "five parts": f"{self.token}.{body}.{signature}",
            "only dots": "..",
            "trailing dot": f"{self.token}.",
            "no header": f".{body}.{signature}",
            "no body": f"{head}..{signature}",
            "padded header": f"{head}==.{body}.{signature}",
            "padded signature": f"{self.token}=",
            "stray in the signature": f"{head}.{body}.{signature[:9]}*{signature[9:]}",
            "standard alphabet": f"{head}.{body}.+{signature[1:]}",
            "short signature": f"{head}.{body}.{signature[:-4]}",
            "long signature": f"{self.token}AAAA",
            "last character changed": f"{head}.{body}.{signature[:-1]}{last}",
            "claims of another": f"{head}.{other}.{signature}",
            "zeros": f"{head}.{body}.{'A' * 176}",
            "r and s of 1": f"{head}.{body}.{encode((1).to_bytes(66, 'big') * 2)}",
            "9 KB": f"{head}.{'A' * 9_000}.{signature}",
            "31 KB": f"{head}.{'A' * 31_000}.{signature}",
            "undefined": "undefined",
            "an object": "[object Object]",
            "percent signs": "%00.%00.%00",
        }

    def _public_spellings(self) -> dict[str, bytes]:
        public = self.private.public_key()
        formats: dict[str, Callable[[], bytes]] = {
            "PEM": lambda: public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
            "PEM, stripped": lambda: public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).strip(),
            "DER": lambda: public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
            "point": lambda: public.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint),
            "compressed point": lambda: public.public_bytes(Encoding.X962, PublicFormat.CompressedPoint),
            "kid": lambda: str(self.header["kid"]).encode(),
            "nothing": lambda: b"",
        }
        return {name: make() for name, make in formats.items()}
