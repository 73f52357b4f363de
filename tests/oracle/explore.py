"""explore: how many random cases are tried, and from where they start."""

import os
import random
from collections.abc import Callable
from typing import Final, TypeVar

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

Case = TypeVar("Case")

#: `make soak` sets it; then each run begins somewhere else.
IS_SOAK: Final = bool(os.environ.get("OSTIARY_SOAK"))
SHAPES: Final = 200 if IS_SOAK else 10
POLICIES: Final = 50
PAIRS: Final = 25 if IS_SOAK else 10
PAIRS_OF_CATALOGS: Final = 5 if IS_SOAK else 2
HISTORIES: Final = 2000 if IS_SOAK else 25


def explore(
    strategy: st.SearchStrategy[Case], check: Callable[[Case], None], examples: int, start: int, *, shrink: bool = True
) -> None:
    """Nothing, when the check passes for so many cases; else what it raises, for the smallest case that still fails."""
    phases = [Phase.generate, *([Phase.shrink] if shrink else [])]

    @seed(random.SystemRandom().getrandbits(64) if IS_SOAK else start)
    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        phases=phases,
        print_blob=True,
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def each(case: Case) -> None:
        check(case)

    each()
