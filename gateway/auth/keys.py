"""KeyRing: the signing keys of the control database, opened with the master key."""

import asyncio
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from db.keys import SigningKey as StoredKey
from db.keys import insert_signing_key, list_signing_keys
from db.secrets import MasterKey
from gateway.auth.tokens import SigningKey, load_signing_key

# An unknown key id may mean that another process began a new key; asking the database for each would be a way to
# flood it with forged tokens.
RELOAD_PAUSE_SECONDS: Final = 5.0
# Any number, the same in every process: it keeps two that start together from each making a first key.
ADVISORY_LOCK: Final = 7_240_511_001


class KeyRing:
    """The keys that tokens are verified with, and the newest, which signs."""

    def __init__(self, engine: AsyncEngine, master_key: MasterKey, clock: Callable[[], float]) -> None:
        self._engine = engine
        self._master_key = master_key
        self._clock = clock
        self._keys: dict[str, SigningKey] = {}
        self._signing: SigningKey | None = None
        self._loaded_at = 0.0
        self._lock = asyncio.Lock()

    @property
    def signing(self) -> SigningKey:
        if self._signing is None:
            raise RuntimeError("The signing keys are not loaded yet.")
        return self._signing

    @property
    def verifying(self) -> Mapping[str, SigningKey]:
        return self._keys

    async def load(self) -> None:
        """Nothing; the keys are those of the control database, which gets a first one if it has none."""
        async with self._engine.begin() as connection:
            stored = await list_signing_keys(connection, self._master_key)
            if not stored:
                await connection.execute(text("select pg_advisory_xact_lock(:key)"), {"key": ADVISORY_LOCK})
                stored = await list_signing_keys(connection, self._master_key)
            if not stored:
                stored = (generate_key(datetime.fromtimestamp(self._clock(), UTC)),)
                await insert_signing_key(connection, stored[0], self._master_key)
        keys = {key.key_id: load_signing_key(key.private_pem) for key in stored}
        self._keys, self._signing, self._loaded_at = keys, keys[stored[0].key_id], self._clock()

    async def learn(self, key_id: str) -> None:
        """Nothing; a key of that id is known now, if the control database has it. Asks it seldom."""
        async with self._lock:
            if key_id not in self._keys and self._clock() - self._loaded_at >= RELOAD_PAUSE_SECONDS:
                self._loaded_at = self._clock()
                await self.load()

    def jwks(self) -> dict[str, object]:
        """The public halves as a JSON Web Key Set (RFC 7517, 5)."""
        return {"keys": [dict(key.public_jwk) for key in self._keys.values()]}


def generate_private_pem() -> bytes:
    """A new private key on P-521, in PKCS #8."""
    private = ec.generate_private_key(ec.SECP521R1())
    return private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def generate_key(now: datetime) -> StoredKey:
    """A new key, as the control database takes it."""
    pem = generate_private_pem()
    return StoredKey(load_signing_key(pem).key_id, pem, now)
