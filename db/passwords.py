"""A password's stored form: argon2id, slow on purpose, so callers run these in a thread of a bounded executor."""

from typing import Final

from argon2 import PasswordHasher, Type
from argon2.exceptions import InvalidHashError, VerificationError

# 19 MiB, two passes, one lane: the least that OWASP's Password Storage Cheat Sheet names for argon2id.
_hasher: Final = PasswordHasher(
    time_cost=2, memory_cost=19 * 1024, parallelism=1, hash_len=32, salt_len=16, type=Type.ID
)

# Of random bytes that nobody kept. Verifying against it costs what verifying against a real one costs, so the time of
# a refusal does not tell whether the login exists.
DUMMY_HASH: Final = "$argon2id$v=19$m=19456,t=2,p=1$A7xDg9eb6BqbzFKLwTAzzA$zwk1+2njt+KCS9ru3JRDqIhV6xarCZP3iMv97qBZr1Q"


def hash_password(password: str) -> str:
    """The encoded hash of a password, with a fresh salt. The whole password counts, exactly as it was given."""
    return _hasher.hash(_to_bytes(password))


def verify_password(password_hash: str, password: str) -> bool:
    """Whether this is the password of that hash. A hash that cannot be read fits no password."""
    try:
        return _hasher.verify(password_hash, _to_bytes(password))
    except (VerificationError, InvalidHashError):
        return False


def needs_rehash(password_hash: str) -> bool:
    """Whether a hash was made with other parameters than today's."""
    return _hasher.check_needs_rehash(password_hash)


def _to_bytes(password: str) -> bytes:
    # JSON may hold a lone surrogate, which strict UTF-8 refuses; as a password it is as good as any other character.
    return password.encode("utf-8", "surrogatepass")
