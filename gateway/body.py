"""What a request carries: its body within limits, and JSON or the fields of a form in it."""

import asyncio
import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, ClassVar, Literal, cast
from urllib.parse import parse_qsl

import orjson
from python_multipart import MultipartParser
from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import parse_options_header
from starlette.types import Message, Receive

from gateway.errors import RequestError

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

MAX_FIELDS = 100
MAX_NESTING = 100

# RFC 9110, 5.6.6: parameters are tokens, or strings in quotes.
_PARAMETER = re.compile(rb""";[ \t]*(?:([!#$%&'*+.^_`|~0-9A-Za-z-]+)=("(?:[^"\\]|\\.)*"|[^\s;"]*))?[ \t]*""", re.DOTALL)
_MEDIA_TYPE = re.compile(rb"[ \t]*([!#$%&'*+.^_`|~0-9A-Za-z-]+/[!#$%&'*+.^_`|~0-9A-Za-z-]+)[ \t]*")
_UTF_8 = frozenset({b"utf-8", b"utf8"})

# An integer of more digits than 64 bits hold; orjson would round it to a float.
_LONG_NUMBER = re.compile(rb"[0-9]{19}")


class BodyTooLarge(RequestError):
    code = "BODY_TOO_LARGE"
    status = 413

    def __init__(self, max_bytes: int) -> None:
        super().__init__(f"The body is larger than {max_bytes} bytes.")

    def headers(self) -> Mapping[str, str]:
        # What is still on its way would otherwise be read as the next request.
        return {"Connection": "close"}


class BodyTooSlow(RequestError):
    code = "BODY_TOO_SLOW"
    status = 408

    def __init__(self) -> None:
        super().__init__("The body did not arrive in time.")

    def headers(self) -> Mapping[str, str]:
        return {"Connection": "close"}


class ClientGone(RequestError):
    """The client closed the connection before its body was complete: nobody is left to answer."""

    code = "CLIENT_GONE"

    def __init__(self) -> None:
        super().__init__("The connection was closed before the body was complete.")


class HeadersTooLarge(RequestError):
    code = "HEADERS_TOO_LARGE"
    status = 431

    def __init__(self, max_bytes: int) -> None:
        super().__init__(f"The header lines are larger than {max_bytes} bytes.")


class UnsupportedMediaType(RequestError):
    """A content type, charset or encoding of the body that is not read here."""

    code = "UNSUPPORTED_MEDIA_TYPE"
    status = 415


class BodyUnreadable(RequestError):
    """A body that is not what its content type says."""

    code = "BODY_UNREADABLE"


@dataclass(frozen=True, slots=True)
class ContentType:
    """How a body is to be read; a boundary only for multipart."""

    kind: Literal["json", "form", "multipart"]
    boundary: bytes = b""


JSON = ContentType("json")

_KINDS: Mapping[bytes, Literal["json", "form", "multipart"]] = {
    b"application/json": "json",
    b"application/x-www-form-urlencoded": "form",
    b"multipart/form-data": "multipart",
}


async def read_body(receive: Receive, max_bytes: int, timeout_seconds: float = 30.0) -> bytes:
    """The whole body of a request. Raises BodyTooLarge, BodyTooSlow, ClientGone."""
    body = bytearray()
    try:
        async with asyncio.timeout(timeout_seconds):
            while True:
                message = await receive()
                body += _chunk(message)
                if len(body) > max_bytes:
                    raise BodyTooLarge(max_bytes)
                if not message.get("more_body", False):
                    return bytes(body)
    except TimeoutError as error:
        raise BodyTooSlow from error


def _chunk(message: Message) -> bytes:
    if message["type"] == "http.disconnect":
        raise ClientGone
    return cast("bytes", message.get("body", b""))


@lru_cache(maxsize=256)
def parse_content_type(value: bytes) -> ContentType:
    """How to read a body of this Content-Type. Raises UnsupportedMediaType, also for charsets other than UTF-8.

    >>> parse_content_type(b"Application/JSON; Charset=UTF-8").kind
    'json'
    """
    match = _MEDIA_TYPE.match(value)
    if match is None:
        raise UnsupportedMediaType("Send a Content-Type: application/json, or a form.")
    kind = _KINDS.get(match[1].lower())
    if kind is None:
        raise UnsupportedMediaType("Send application/json, application/x-www-form-urlencoded or multipart/form-data.")
    parameters = parse_parameters(value, match.end())
    if parameters.get(b"charset", b"utf-8").lower() not in _UTF_8:
        raise UnsupportedMediaType("Send text in UTF-8.")
    boundary = parameters.get(b"boundary", b"")
    if kind == "multipart" and not 1 <= len(boundary) <= 70:
        raise UnsupportedMediaType("Send multipart/form-data with a boundary of 1 to 70 characters.")
    return ContentType(kind, boundary)


def parse_parameters(value: bytes, start: int) -> dict[bytes, bytes]:
    """The parameters of a header value from this position on, names in lower case. Raises UnsupportedMediaType."""
    parameters: dict[bytes, bytes] = {}
    while start < len(value):
        match = _PARAMETER.match(value, start)
        if match is None:
            raise UnsupportedMediaType("The parameters of the media type cannot be read.")
        if match[1] is not None:
            text = match[2]
            if text.startswith(b'"'):
                text = re.sub(rb"\\(.)", rb"\1", text[1:-1], flags=re.DOTALL)
            parameters[match[1].lower()] = text
        start = match.end()
    return parameters


def parse_json(text: bytes, subject: str = "The body") -> object:
    """The value of a JSON text, integers of any size exact. Raises BodyUnreadable.

    orjson refuses what JSON does not have (NaN, lone surrogates, other encodings than UTF-8) and bounds the nesting.
    """
    try:
        value: object = orjson.loads(text)
        if _LONG_NUMBER.search(text):
            value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BodyUnreadable(f"{subject} is not valid JSON.") from error
    return value


def check_nesting(value: object, max_nesting: int = MAX_NESTING) -> None:
    """Nothing, or BodyUnreadable for lists and objects within one another beyond what any walk should descend."""
    level: list[object] = [value]
    for _ in range(max_nesting + 1):
        deeper: list[object] = []
        for container in level:
            if isinstance(container, dict):
                deeper.extend(cast("dict[str, object]", container).values())
            elif isinstance(container, list):
                deeper.extend(cast("list[object]", container))
        if not deeper:
            return
        level = deeper
    raise BodyUnreadable("The JSON is nested too deeply.")


def parse_form(body: bytes, content_type: ContentType) -> dict[str, str]:
    """The text fields of a form, files left out. Raises BodyUnreadable."""
    pairs = parse_urlencoded(body) if content_type.kind == "form" else _parse_multipart(body, content_type.boundary)
    return _unique(pairs)


def parse_query_string(query_string: bytes) -> dict[str, str]:
    """The fields of the part of an address behind its question mark. Raises BodyUnreadable."""
    return _unique(parse_urlencoded(query_string))


def parse_urlencoded(text: bytes) -> list[tuple[str, str]]:
    """The fields of a text in application/x-www-form-urlencoded. Raises BodyUnreadable."""
    try:
        return parse_qsl(text.decode(), keep_blank_values=True, errors="strict", max_num_fields=MAX_FIELDS)
    except ValueError as error:
        raise BodyUnreadable("The form cannot be read: it has too many fields, or is not in UTF-8.") from error


def _unique(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    fields: dict[str, str] = {}
    for name, value in pairs:
        if name in fields:
            # Which of two counts is read differently by every proxy and framework.
            raise BodyUnreadable("The form has a field twice.")
        fields[name] = value
    return fields


class _Parts:
    """Collects the text fields that the multipart parser reports."""

    TOO_MANY: ClassVar[str] = f"The form has more than {MAX_FIELDS} fields."

    def __init__(self) -> None:
        self.pairs: list[tuple[str, str]] = []
        self.complete = False
        self._disposition = b""
        self._header_name = bytearray()
        self._header_value = bytearray()
        self._content = bytearray()

    def callbacks(self) -> "MultipartCallbacks":
        return {
            "on_part_begin": self._begin_part,
            "on_header_field": self._into(self._header_name),
            "on_header_value": self._into(self._header_value),
            "on_header_end": self._end_header,
            "on_part_data": self._into(self._content),
            "on_part_end": self._end_part,
            "on_end": self._end,
        }

    @staticmethod
    def _into(buffer: bytearray) -> Callable[[bytes, int, int], None]:
        return lambda data, start, end: buffer.extend(data[start:end])

    def _begin_part(self) -> None:
        self._disposition = b""
        self._content.clear()

    def _end_header(self) -> None:
        if bytes(self._header_name).lower() == b"content-disposition":
            self._disposition = bytes(self._header_value)
        self._header_name.clear()
        self._header_value.clear()

    def _end_part(self) -> None:
        _, options = parse_options_header(self._disposition)
        if b"name" not in options:
            raise BodyUnreadable("The form has a part without a name.")
        if b"filename" not in options:
            self.pairs.append((options[b"name"].decode(), self._content.decode()))
        if len(self.pairs) > MAX_FIELDS:
            raise BodyUnreadable(self.TOO_MANY)

    def _end(self) -> None:
        self.complete = True


def _parse_multipart(body: bytes, boundary: bytes) -> list[tuple[str, str]]:
    parts = _Parts()
    try:
        parser = MultipartParser(boundary, parts.callbacks())
        parser.write(body)
        parser.finalize()
    except (MultipartParseError, UnicodeDecodeError) as error:
        raise BodyUnreadable("The form cannot be read as multipart in UTF-8.") from error
    if not parts.complete:
        raise BodyUnreadable("The form ends before its last boundary.")
    return parts.pairs
