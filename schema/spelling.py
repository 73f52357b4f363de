"""Words: texts of the database as names that GraphQL allows, and English plurals."""

import re
from typing import Final

_INVARIABLE: Final = ("ss", "us", "is", "species", "series", "news")
_IRREGULAR: Final = {"people": "person", "children": "child", "men": "man", "women": "woman", "movies": "movie"}


def legal_name(text: str) -> str:
    """A GraphQL name as near to the text as can be.

    >>> legal_name("2nd place"), legal_name("__x"), legal_name("productCode")
    ('_2nd_place', '_x', 'productCode')
    """
    legal = re.sub(r"[^_0-9A-Za-z]", "_", text)
    if legal.startswith("__"):
        legal = "_" + legal.lstrip("_")
    return "_" + legal if not legal or legal[0].isdigit() else legal


def singular(word: str) -> str:
    """The singular of an English plural, by its last part; what is singular already stays.

    >>> [singular(word) for word in ("devii_users", "status_value", "species", "categories", "classes", "airlines")]
    ['devii_user', 'status_value', 'species', 'category', 'class', 'airline']
    """
    head, separator, tail = word.rpartition("_")
    lower = tail.lower()
    if lower in _IRREGULAR:
        return head + separator + _IRREGULAR[lower]
    if not lower.endswith("s") or lower.endswith(_INVARIABLE):
        return word
    if lower.endswith("ies") and len(lower) > 4:
        return word[:-3] + "y"
    if lower.endswith(("sses", "xes", "ches", "shes", "zzes")):
        return word[:-2]
    return word[:-1]


def free_name(wanted: tuple[str, ...], taken: set[str]) -> str:
    """The first of the wanted names that is not taken, or the last with a number."""
    for name in wanted:
        if name not in taken:
            return name
    number = 2
    while f"{wanted[-1]}_{number}" in taken:
        number += 1
    return f"{wanted[-1]}_{number}"
