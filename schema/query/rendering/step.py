"""Step: one statement of a mutation."""

from dataclasses import dataclass
from typing import Literal

from db.sql import Statement


@dataclass(frozen=True, slots=True)
class Step:
    """One statement of a mutation, run on the key that the step before gave.

    "write" gives the key, "judge" gives (holds, json), "read" gives json, "end" gives a row if it hit, "call" gives
    what was called gave, if anything.
    """

    statement: Statement
    kind: Literal["write", "judge", "read", "end", "call"]
