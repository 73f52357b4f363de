"""Step: one statement of a mutation."""

from dataclasses import dataclass
from typing import Literal

from db.sql import Statement


@dataclass(frozen=True, slots=True)
class Step:
    """One statement of a mutation, run on what the steps before gave. Of its row,

    - "keys" is kept for the steps after, and there must be one,
    - "call" is kept if there is one,
    - "judge" says whether the policy holds, and the JSON,
    - "answer" is the JSON."""

    statement: Statement
    kind: Literal["keys", "call", "judge", "answer"]
    target: str = ""
    capability: str = ""
