"""comment_of: what a comment in the database says to readers of the schema."""

import re
from dataclasses import dataclass
from typing import Final

_DEPRECATED: Final = re.compile(r"^[ \t]*@deprecated\b[ \t]*(.*)$", re.MULTILINE)
#: What stands for a reason where none is given (GraphQL September 2025, 3.13.3 @deprecated).
NO_REASON: Final = "No longer supported"


@dataclass(frozen=True, slots=True)
class Comment:
    description: str | None = None
    deprecation: str | None = None


def comment_of(text: str | None) -> Comment:
    """The description, and the reason of a line of its own that begins with `@deprecated`.

    >>> comment_of("The old name.\\n@deprecated Use title.")
    Comment(description='The old name.', deprecation='Use title.')
    """
    if not text:
        return Comment()
    found = _DEPRECATED.search(text)
    description = _DEPRECATED.sub("", text).strip() or None
    return Comment(description, (found[1].strip() or NO_REASON) if found else None)
