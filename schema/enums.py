"""enum_names: the labels of a PostgreSQL enum, under names that GraphQL allows."""

import re
from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Final

from schema.spelling import free_name, legal_name

# GraphQL keeps these words for itself (September 2025, 2.10.6 Enum Value).
_NO_NAMES: Final = frozenset({"true", "false", "null"})
_NAME: Final = re.compile(r"[_A-Za-z][_0-9A-Za-z]*")


@lru_cache(maxsize=1024)
def enum_names(labels: tuple[str, ...]) -> Mapping[str, str]:
    """The label of each name, in the order of the labels.

    A label that is a legal name is its own name. In others a character that GraphQL does not allow becomes `_`, a
    leading digit or `__` gets `_` before it or loses one, and so do the words `true`, `false` and `null` get one; if
    another label has that name, it gets a number.

    >>> dict(enum_names(("so so", "so_so", "2nd", "true", "")))
    {'so_so_2': 'so so', 'so_so': 'so_so', '_2nd': '2nd', '_true': 'true', '_': ''}
    """
    taken = {label for label in labels if _is_legal(label)}
    names: dict[str, str] = {}
    for label in labels:
        name = label if _is_legal(label) else free_name((_near(label),), taken)
        taken.add(name)
        names[name] = label
    return MappingProxyType(names)


@lru_cache(maxsize=1024)
def mapped_labels(labels: tuple[str, ...]) -> Mapping[str, str]:
    """The name of each label that is not its own."""
    return MappingProxyType({label: name for name, label in enum_names(labels).items() if name != label})


def label_of(labels: tuple[str, ...], text: str) -> str | None:
    """The label that a text means, be it the label itself or its name."""
    return text if text in labels else enum_names(labels).get(text)


def _is_legal(label: str) -> bool:
    return _NAME.fullmatch(label) is not None and not label.startswith("__") and label not in _NO_NAMES


def _near(label: str) -> str:
    name = legal_name(label)
    return "_" + name if name in _NO_NAMES else name
