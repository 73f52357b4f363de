"""parts_of: a predicate and everything that it is made of."""

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import Any, Final, cast

from schema.expression import predicate as tree
from schema.expression.predicate import Operand, Predicate

_NODES: Final = tree.__name__


def parts_of(node: Predicate | Operand) -> Iterator[object]:
    """The node itself, then what is in it, to the last value."""
    return _walk(node)


def _walk(value: object) -> Iterator[object]:
    if isinstance(value, tuple):
        for item in cast("tuple[object, ...]", value):
            yield from _walk(item)
    elif is_dataclass(value) and type(value).__module__ == _NODES:
        yield value
        # Of a class and not of its type, as fields() also takes those.
        for each in fields(cast("Any", value)):
            yield from _walk(getattr(value, each.name))
