"""What a password must be to be taken: PasswordRules, and the refusals."""

from dataclasses import dataclass
from functools import cache
from typing import Final

from zxcvbn.frequency_lists import FREQUENCY_LISTS

from schema.errors import OperationError

# "aaaa…", "abab…", "1231…": whoever guesses begins with these.
MAX_REPEATED_LENGTH: Final = 4


class PasswordRefused(OperationError):
    """A password that the rules do not take."""

    code = "PASSWORD_REFUSED"


@dataclass(frozen=True, slots=True)
class PasswordRules:
    """How a new password is judged: by its length in characters and, unless switched off, by whether it is one of the
    commonest, or one over and over (NIST SP 800-63B-4, 3.1.1.2: at least 15 characters where a password is all that a
    login needs; no rules of composition, any character)."""

    min_length: int = 15
    max_length: int = 1_000
    refuses_common: bool = True
    common_count: int = 3_000

    def check(self, password: str) -> None:
        """Raises PasswordRefused."""
        if len(password) < self.min_length:
            raise PasswordRefused(f"A password needs at least {self.min_length} characters.")
        if len(password) > self.max_length:
            raise PasswordRefused(f"A password has at most {self.max_length} characters.")
        if self.refuses_common and self._is_common(password.lower()):
            raise PasswordRefused("This password is among the commonest ones; choose another.")

    def _is_common(self, password: str) -> bool:
        repeated = repeated_part(password)
        return (
            password in common_passwords(self.common_count, self.min_length)
            or len(repeated) <= MAX_REPEATED_LENGTH
            or (repeated != password and repeated in common_passwords(self.common_count, 1))
        )


def repeated_part(text: str) -> str:
    """The shortest text that gives this one when it is repeated, the last time perhaps in part.

    >>> repeated_part("passwordpassword"), repeated_part("12312312"), repeated_part("once")
    ('password', '123', 'once')
    """
    # How much of each beginning of the text ends it again, as in the search of Knuth, Morris and Pratt: linear.
    overlaps = [0] * len(text)
    for index in range(1, len(text)):
        length = overlaps[index - 1]
        while length and text[index] != text[length]:
            length = overlaps[length - 1]
        overlaps[index] = length + (text[index] == text[length])
    return text[: len(text) - overlaps[-1]] if text else text


@cache
def common_passwords(count: int, min_length: int) -> frozenset[str]:
    """The `count` commonest passwords of at least so many characters."""
    longer = [word for word in FREQUENCY_LISTS["passwords"] if len(word) >= min_length]
    return frozenset(longer[:count])
