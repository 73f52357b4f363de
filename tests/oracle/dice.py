"""Dice: choices, made by hypothesis so that a failure shrinks, or by a seed."""

import random
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, Protocol, TypeVar

from hypothesis import strategies as st

Thing = TypeVar("Thing")


class Dice(Protocol):
    """Where every choice of the generators comes from. The first choice is the simplest."""

    def below(self, limit: int) -> int:
        """A number from 0 up to the one before the limit."""
        ...


class SeededDice:
    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def below(self, limit: int) -> int:
        return self._random.randrange(limit)


class DrawnDice:
    def __init__(self, draw: Callable[[st.SearchStrategy[int]], int]) -> None:
        self._draw = draw

    def below(self, limit: int) -> int:
        return self._draw(_below(limit)) if limit > 1 else 0


@cache
def _below(limit: int) -> st.SearchStrategy[int]:
    return st.integers(0, limit - 1)


def one_of(dice: Dice, things: Sequence[Thing]) -> Thing:
    return things[dice.below(len(things))]


def chance(dice: Dice, in_hundred: int) -> bool:
    """Whether what happens in so many cases of a hundred does; that it does not is the simpler."""
    return dice.below(100) >= 100 - in_hundred


def some_of(dice: Dice, things: Sequence[Thing], in_hundred: int = 50) -> tuple[Thing, ...]:
    return tuple(thing for thing in things if chance(dice, in_hundred))


def several(dice: Dice, least: int, most: int, make: Callable[[], Any]) -> tuple[Any, ...]:
    return tuple(make() for _ in range(least + dice.below(most - least + 1)))
