"""MongoDB's extended JSON, version 2, in which clients of Realm write what they send. Pure.

Source: the specification "MongoDB Extended JSON (v2)", canonical and relaxed.
"""

import base64
import binascii
import math
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Final, cast

from gateway.body import BodyUnreadable

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_UUID_KIND: Final = "04"


def plain_json(value: object) -> object:
    """The value as JSON has it: numbers as numbers, moments as ISO 8601, ids, decimals and bytes (Base64) as text.
    Raises BodyUnreadable for a wrapper whose content does not fit.

    >>> plain_json([{"$numberInt": "7"}, {"a": {"$date": {"$numberLong": "0"}}}, {"$oid": "0" * 24}])
    [7, {'a': '1970-01-01T00:00:00+00:00'}, '000000000000000000000000']
    """
    if isinstance(value, list):
        return [plain_json(each) for each in cast("list[object]", value)]
    if not isinstance(value, dict):
        return value
    members = cast("dict[str, object]", value)
    if len(members) == 1:
        [(name, content)] = members.items()
        read = _WRAPPERS.get(name)
        if read is not None:
            return _unwrap(read, name, content)
    return {name: plain_json(each) for name, each in members.items()}


def _unwrap(read: Callable[[object], object], name: str, content: object) -> object:
    try:
        return read(content)
    except (ValueError, TypeError, KeyError, OverflowError, binascii.Error) as error:
        raise BodyUnreadable(f"The content of {name} cannot be read.") from error


def _text(content: object) -> str:
    if not isinstance(content, str):
        raise TypeError
    return content


def _whole(content: object) -> int:
    text = _text(content)
    if len(text) > 20:
        raise ValueError
    return int(text)


def _double(content: object) -> object:
    text = _text(content)
    number = float(text)
    # JSON has no number for these; PostgreSQL reads their names.
    return number if math.isfinite(number) else text


def _moment(content: object) -> str:
    if isinstance(content, str):
        return content
    milliseconds = plain_json(content)
    if type(milliseconds) is not int:
        raise TypeError
    return (_EPOCH + timedelta(milliseconds=milliseconds)).isoformat()


def _binary(content: object) -> str:
    if not isinstance(content, dict):
        raise TypeError
    members = cast("Mapping[str, object]", content)
    encoded = _text(members["base64"])
    data = base64.b64decode(encoded, validate=True)
    return str(uuid.UUID(bytes=data)) if members.get("subType") == _UUID_KIND else encoded


def _nothing(_: object) -> None:
    return None


_WRAPPERS: Final[Mapping[str, Callable[[object], object]]] = {
    "$numberInt": _whole,
    "$numberLong": _whole,
    "$numberDouble": _double,
    "$numberDecimal": _text,
    "$oid": _text,
    "$uuid": _text,
    "$symbol": _text,
    "$date": _moment,
    "$binary": _binary,
    "$undefined": _nothing,
}
