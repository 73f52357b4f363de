"""Bounded: a dict that forgets its oldest entries. To look something up costs what it costs in a dict."""

from typing import TypeVar

Key = TypeVar("Key")
Value = TypeVar("Value")


class Bounded(dict[Key, Value]):
    """Keeps at most `limit` entries: a new one drops the one that was put in first.

    >>> cache = Bounded[str, int](2)
    >>> cache["a"] = 1; cache["b"] = 2; cache["c"] = 3
    >>> list(cache)
    ['b', 'c']
    """

    def __init__(self, limit: int) -> None:
        super().__init__()
        self._limit = limit

    def __setitem__(self, key: Key, value: Value) -> None:
        if len(self) >= self._limit and key not in self:
            del self[next(iter(self))]
        super().__setitem__(key, value)
