"""read_claims: what root says of a role, from its input: names with a value each, or a list of values."""

import re
from typing import Final, cast

import orjson

from db.identities import is_storable
from db.records import Claim, Claims
from schema.principal import Principal
from schema.roles_pbac.errors import BadInput, RootOnly

MAX_CLAIMS: Final = 50
MAX_VALUES: Final = 200
MAX_BYTES: Final = 4_096
MAX_NUMBER: Final = 2**53
_NAME: Final = re.compile(r"[A-Za-z_]\w{0,62}", re.ASCII)


def read_claims(principal: Principal, given: object) -> Claims | None:
    """None takes them away. Raises RootOnly for everybody else: by claims rules tell who may see what; BadInput."""
    if not principal.is_root:
        raise RootOnly("Setting claims")
    if given is None:
        return None
    if not isinstance(given, dict) or len(cast("dict[str, object]", given)) > MAX_CLAIMS:
        raise BadInput(f"Claims are an object with at most {MAX_CLAIMS} members.")
    claims = {name: _claim(name, value) for name, value in cast("dict[str, object]", given).items()}
    if len(orjson.dumps(claims)) > MAX_BYTES:
        raise BadInput(f"Claims take at most {MAX_BYTES} bytes.")
    return claims


def _claim(name: str, value: object) -> Claim:
    if not _NAME.fullmatch(name):
        raise BadInput("A claim has a name of letters, digits and underscores.")
    values = cast("list[object]", value) if isinstance(value, list) else [value]
    if len(values) > MAX_VALUES or not all(_is_plain(each) for each in values):
        raise BadInput(
            f"The claim {name!r} is a text, a number, true, false, or a list of up to {MAX_VALUES} of these."
        )
    return cast("Claim", value)


def _is_plain(value: object) -> bool:
    if isinstance(value, int | float):
        return abs(value) <= MAX_NUMBER
    return isinstance(value, str) and is_storable(value)
