"""Secrets at rest: sealed under the master key (AES-256-GCM), which itself is kept in a file or the environment. Pure
but for `load_master_key`."""

import base64
import binascii
import os
import re
import secrets
import tempfile
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from db.errors import StoreError

KEY_BYTES: Final = 32
NONCE_BYTES: Final = 12
FORMAT: Final = "v1"


class SecretUnreadable(StoreError):
    """A sealed secret that this master key does not open: sealed under another one, or altered."""

    code = "SECRET_UNREADABLE"

    def __init__(self) -> None:
        super().__init__("A stored secret cannot be opened with this master key.")


class MasterKeyUnusable(StoreError):
    """A master key that is no key, or whose file cannot be used as one."""

    code = "MASTER_KEY_UNUSABLE"


@dataclass(frozen=True, slots=True)
class MasterKey:
    """256 random bits. `key_id` tells keys apart and says nothing about the key."""

    secret: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.secret) != KEY_BYTES:
            raise MasterKeyUnusable(f"A master key has {KEY_BYTES} bytes.")

    @property
    def key_id(self) -> str:
        return sha256(b"ostiary master key id" + self.secret).hexdigest()[:8]


def seal(key: MasterKey, secret: bytes, *, purpose: str = "") -> str:
    """The secret in a form that only this key opens, for this purpose alone: `v1.<key id>.<nonce and ciphertext>`."""
    nonce = secrets.token_bytes(NONCE_BYTES)
    head = f"{FORMAT}.{key.key_id}"
    sealed = nonce + AESGCM(key.secret).encrypt(nonce, secret, _bound(head, purpose))
    return f"{head}.{base64.urlsafe_b64encode(sealed).decode()}"


def unseal(key: MasterKey, sealed: str, *, purpose: str = "") -> bytes:
    """The secret that was sealed. Raises SecretUnreadable."""
    head, _, body = sealed.rpartition(".")
    if head != f"{FORMAT}.{key.key_id}":
        raise SecretUnreadable
    try:
        raw = base64.b64decode(body, altchars=b"-_", validate=True)
        return AESGCM(key.secret).decrypt(raw[:NONCE_BYTES], raw[NONCE_BYTES:], _bound(head, purpose))
    except (binascii.Error, InvalidTag, ValueError) as error:
        raise SecretUnreadable from error


def _bound(head: str, purpose: str) -> bytes:
    return f"{head}.{purpose}".encode()


def load_master_key(path_or_value: str | Path) -> MasterKey:
    """The master key: a value of 64 hexadecimal or 43 URL-safe base64 characters is the key itself, anything else the
    path of its file, made with a random key and mode 0600 if there is none. Raises MasterKeyUnusable."""
    if isinstance(path_or_value, str):
        value = parse_master_key(path_or_value)
        if value is not None:
            return value
    return _read_key_file(Path(path_or_value).expanduser())


def parse_master_key(text: str) -> MasterKey | None:
    """The master key that is written as 64 hexadecimal or 43 URL-safe base64 characters, or None."""
    text = text.strip()
    if re.fullmatch(r"[0-9A-Fa-f]{64}", text):
        return MasterKey(bytes.fromhex(text))
    if re.fullmatch(r"[0-9A-Za-z_-]{43}=?", text):
        return MasterKey(base64.urlsafe_b64decode(text[:43] + "="))
    return None


def _read_key_file(path: Path) -> MasterKey:
    try:
        if not path.exists():
            _create_key_file(path)
        # Group access is left to whoever runs this: container platforms hand out secrets as root:group 0440.
        if os.name == "posix" and path.stat().st_mode & 0o007:
            raise MasterKeyUnusable(
                f"The master key file {path} is open to other users of this machine; run chmod 600."
            )
        key = parse_master_key(path.read_text("ascii"))
    except (OSError, UnicodeDecodeError) as error:
        raise MasterKeyUnusable(f"The master key file {path} cannot be used: {_reason(error)}.") from error
    if key is None:
        raise MasterKeyUnusable(f"The file {path} does not hold a master key.")
    return key


def _create_key_file(path: Path) -> None:
    """Several processes may start at once: each writes a key of its own, and the first link to the name wins."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor, draft = tempfile.mkstemp(dir=path.parent, prefix=".master-key-")
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_hex(KEY_BYTES) + "\n")
            file.flush()
            os.fsync(file.fileno())
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        Path(draft).unlink()


def _reason(error: OSError | UnicodeDecodeError) -> str:
    return (error.strerror or "unknown reason").lower() if isinstance(error, OSError) else "it is not text"
