"""What a caller may send as an id or a text and PostgreSQL could not even compare: it is simply not found."""

from typing import Final

from db.errors import InvalidValue

LARGEST_IDENTITY: Final = 2**31 - 1


def is_identity(number: int) -> bool:
    """Whether a row could have this id (type integer).

    >>> is_identity(1), is_identity(0), is_identity(2**31)
    (True, False, False)
    """
    return 0 < number <= LARGEST_IDENTITY


def is_storable(text: str) -> bool:
    """Whether a column of type text could hold this: UTF-8, and no zero byte.

    >>> is_storable("Ånn"), is_storable("a\\0"), is_storable("\\ud800")
    (True, False, False)
    """
    try:
        return b"\0" not in text.encode()
    except UnicodeEncodeError:
        return False


def require_storable(**texts: str | None) -> None:
    """Nothing. Raises InvalidValue, naming the first text that no column could hold."""
    for name, text in texts.items():
        if text is not None and not is_storable(text):
            raise InvalidValue(f"The {name} holds a character that cannot be stored.")
