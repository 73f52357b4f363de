"""What a password must be to be taken: PasswordRules, and the refusals."""

from dataclasses import dataclass
from functools import cache

from zxcvbn.frequency_lists import FREQUENCY_LISTS

from schema.errors import OperationError


class PasswordRefused(OperationError):
    """A password that the rules do not take."""

    code = "PASSWORD_REFUSED"


@dataclass(frozen=True, slots=True)
class PasswordRules:
    """How a new password is judged: by its length in characters and, unless switched off, by whether it is one of the
    commonest (NIST SP 800-63B-4, 3.1.1.2: no rules of composition, any character)."""

    min_length: int = 8
    max_length: int = 1_000
    refuses_common: bool = True
    common_count: int = 3_000

    def check(self, password: str) -> None:
        """Raises PasswordRefused."""
        if len(password) < self.min_length:
            raise PasswordRefused(f"A password needs at least {self.min_length} characters.")
        if len(password) > self.max_length:
            raise PasswordRefused(f"A password has at most {self.max_length} characters.")
        if self.refuses_common and password.lower() in common_passwords(self.common_count):
            raise PasswordRefused("This password is among the commonest ones; choose another.")


@cache
def common_passwords(count: int) -> frozenset[str]:
    """The `count` commonest passwords of at least eight characters."""
    longer = [word for word in FREQUENCY_LISTS["passwords"] if len(word) >= 8]
    return frozenset(longer[:count])
