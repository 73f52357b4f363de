"""GraphQL over HTTP: from the parts of a request to a GraphQLRequest, and from what it gives to a reply.

Works on the raw ASGI scope and body. Knows no tenant, and does not look inside a document.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import lru_cache
from typing import Final, cast

import orjson
from starlette.types import Receive, Scope, Send

from db.errors import PublicError
from gateway.body import (
    BodyTooLarge,
    HeadersTooLarge,
    UnsupportedMediaType,
    check_nesting,
    parse_content_type,
    parse_form,
    parse_json,
    parse_parameters,
    parse_query_string,
    read_body,
)
from gateway.errors import RequestError, error_headers, graphql_body, graphql_status

HeaderLine = tuple[bytes, bytes]
HeaderLines = list[HeaderLine]

_OF_THE_BODY = frozenset({b"content-length", b"content-encoding"})


class MediaType(Enum):
    """The two media types of a response. By default it is the older one, which every client knows."""

    JSON = b"application/json"
    GRAPHQL_RESPONSE = b"application/graphql-response+json"


class MethodNotAllowed(RequestError):
    code = "METHOD_NOT_ALLOWED"
    status = 405

    def __init__(self, message: str, allow: str) -> None:
        super().__init__(message)
        self.allow = allow

    def headers(self) -> Mapping[str, str]:
        return {"Allow": self.allow}


class NotAcceptable(RequestError):
    code = "NOT_ACCEPTABLE"
    status = 406

    def __init__(self) -> None:
        super().__init__("Accept application/json or application/graphql-response+json.")


class AddressTooLong(RequestError):
    code = "ADDRESS_TOO_LONG"
    status = 414

    def __init__(self, max_bytes: int) -> None:
        super().__init__(f"The query in the address is longer than {max_bytes} bytes. Use POST.")


class EnvelopeInvalid(RequestError):
    """A body that can be read, but whose members are not those of a GraphQL request."""

    code = "ENVELOPE_INVALID"


class BatchRefused(RequestError):
    """An array of requests where none is allowed, or of more requests than are."""

    code = "BATCH_REFUSED"


@dataclass(frozen=True, slots=True)
class HttpLimits:
    """How large a request may be. `max_batch` is the number of requests in one array; 0 takes none."""

    max_body_bytes: int = 2 * 1024 * 1024
    max_header_bytes: int = 32 * 1024
    max_address_bytes: int = 16 * 1024
    max_batch: int = 0
    body_timeout_seconds: float = 30.0


MAX_DOCUMENT_ID_CHARACTERS: Final = 200


@dataclass(slots=True)
class GraphQLRequest:
    """One request for an operation: by its text, by the id of its document, or by both. `from_form` says that it came
    as a form, `by_get` that it may change nothing."""

    query: str
    variables: dict[str, object] = field(default_factory=dict[str, object])
    operation_name: str | None = None
    from_form: bool = False
    by_get: bool = False
    document_id: str | None = None


@dataclass(slots=True)
class Lines:
    """The header lines that matter here, as they came: those of one name together, and the size of all."""

    method: str
    query_string: bytes
    authorization: list[str]
    request_id: bytes | None
    content_types: list[bytes]
    accept: bytes | None
    idempotency_keys: list[bytes]
    body_lines: list[tuple[bytes, bytes]]
    size: int


@dataclass(slots=True)
class Head:
    """What the lines before a body say."""

    method: str
    media_type: MediaType
    content_type: bytes | None
    query_string: bytes


@dataclass(slots=True)
class Reply:
    """A whole response. `error` is what it is about, if nothing came of the request."""

    status: int
    body: bytes
    headers: HeaderLines
    error: PublicError | None = None


def read_lines(scope: Scope) -> Lines:
    """What the lines before the body say of a GraphQL request, not yet judged."""
    return gather_lines(scope["method"], scope["query_string"], cast("HeaderLines", scope["headers"]))


def gather_lines(method: str, query_string: bytes, headers: HeaderLines) -> Lines:
    """The same of lines as they came, in one pass."""
    authorization: list[str] = []
    identity: bytes | None = None
    content_types: list[bytes] = []
    accept: bytes | None = None
    idempotency_keys: list[bytes] = []
    body_lines: list[tuple[bytes, bytes]] = []
    size = 0
    for name, value in headers:
        size += len(name) + len(value) + 4
        if name == b"authorization":
            authorization.append(value.decode("latin-1"))
        elif name == b"content-type":
            content_types.append(value)
        elif name == b"accept":
            accept = value if accept is None else accept + b"," + value
        elif name == b"x-request-id":
            identity = value if identity is None else identity
        elif name == b"idempotency-key":
            idempotency_keys.append(value)
        elif name in _OF_THE_BODY:
            body_lines.append((name, value))
    return Lines(
        method,
        query_string,
        authorization,
        identity,
        content_types,
        accept,
        idempotency_keys,
        body_lines,
        size,
    )


def check_sizes(lines: Lines, limits: HttpLimits) -> None:
    """Nothing, or HeadersTooLarge, BodyTooLarge and the like for what is too large already by its head.

    uvicorn with httptools has no limit of its own for header lines, and takes 200 KB.
    """
    if lines.size > limits.max_header_bytes:
        raise HeadersTooLarge(limits.max_header_bytes)
    for name, value in lines.body_lines:
        _check_body_line(name, value, limits.max_body_bytes)


def read_head(lines: Lines, limits: HttpLimits) -> Head:
    """What the lines before the body say. Raises every RequestError that they are reason enough for."""
    if lines.method not in {"POST", "GET"}:
        raise MethodNotAllowed("Use POST, or GET for queries.", "GET, POST")
    if len(lines.query_string) > limits.max_address_bytes:
        raise AddressTooLong(limits.max_address_bytes)
    if len(lines.content_types) > 1:
        raise UnsupportedMediaType("Send one Content-Type.")
    check_sizes(lines, limits)
    content_type = lines.content_types[0] if lines.content_types else None
    return Head(lines.method, negotiate(lines.accept), content_type, lines.query_string)


def parse_request(head: Head, body: bytes, limits: HttpLimits) -> GraphQLRequest | list[GraphQLRequest]:
    """The request, or for an array of them a list. Raises RequestError."""
    if head.method == "GET":
        return _from_fields(parse_query_string(head.query_string), from_form=False, by_get=True)
    if head.content_type is None:
        raise UnsupportedMediaType("Send a Content-Type: application/json, or a form.")
    content_type = parse_content_type(head.content_type)
    if content_type.kind != "json":
        return _from_fields(parse_form(body, content_type), from_form=True, by_get=False)
    envelope = parse_json(body)
    if isinstance(envelope, list):
        return _from_batch(cast("list[object]", envelope), limits.max_batch)
    return _from_json(envelope)


async def read_request(
    lines: Lines, body: bytes | Receive, limits: HttpLimits
) -> tuple[Head, GraphQLRequest | list[GraphQLRequest]]:
    """The head and the request, whose body is there or is to be received. Raises RequestError; media_type_of tells how
    to answer it."""
    head = read_head(lines, limits)
    if not isinstance(body, bytes):
        is_post = head.method == "POST"
        body = await read_body(body, limits.max_body_bytes, limits.body_timeout_seconds) if is_post else b""
    elif len(body) > limits.max_body_bytes:
        raise BodyTooLarge(limits.max_body_bytes)
    return head, parse_request(head, body, limits)


def is_probe(lines: Lines) -> bool:
    """Whether this is a GET that asks for nothing: clients use it to see whether their token still works."""
    return lines.method == "GET" and not lines.query_string


def check_method(request: GraphQLRequest, operation_kind: str) -> None:
    """Nothing, or MethodNotAllowed for anything but a query by GET: a link must not change data."""
    if request.by_get and operation_kind != "query":
        raise MethodNotAllowed(f"A {operation_kind} cannot be sent by GET. Use POST.", "POST")


def media_type_of(lines: Lines) -> MediaType:
    """The media type for answering a request that was refused early; JSON where the client accepts neither."""
    try:
        return negotiate(lines.accept)
    except NotAcceptable:
        return MediaType.JSON


@lru_cache(maxsize=256)
def negotiate(accept: bytes | None) -> MediaType:
    """The media type of the response (RFC 9110, 12.5.1). Raises NotAcceptable.

    >>> negotiate(b"text/html, */*;q=0.8")
    <MediaType.JSON: b'application/json'>
    """
    if accept is None or not accept.strip():
        return MediaType.JSON
    ranges = [_parse_range(part) for part in accept.split(b",") if part.strip()]
    old, new = _weigh(ranges, MediaType.JSON), _weigh(ranges, MediaType.GRAPHQL_RESPONSE)
    if max(old, new)[0] <= 0:
        raise NotAcceptable
    # Where a client names both alike it gets the newer one, where it accepts anything the older.
    return MediaType.GRAPHQL_RESPONSE if new > old or (new == old and new[1] == 2) else MediaType.JSON


def data_reply(body: bytes, media_type: MediaType, *, copy_to_top: bool = False) -> Reply:
    """The reply for a body `{"data": …}` as the database wrote it, which is not parsed.

    With `copy_to_top` the fields of `data` also stand beside it: clients that post forms look for them there.
    """
    return Reply(200, spread_data(body) if copy_to_top else body, _HEADERS[media_type])


def errors_reply(
    errors: Sequence[Mapping[str, object]], media_type: MediaType, *, data: bytes = b"null", status: int = 200
) -> Reply:
    """The reply for errors of execution, with what data there is as JSON."""
    body = b'{"errors":' + orjson.dumps(errors) + b',"data":' + data + b"}"
    return Reply(status, body, _HEADERS[media_type])


def error_reply(error: PublicError, media_type: MediaType) -> Reply:
    """The reply for an operation or a request that failed as a whole."""
    extra = [
        (name.lower().encode(), value.encode("latin-1", "replace")) for name, value in error_headers(error).items()
    ]
    return Reply(graphql_status(error), orjson.dumps(graphql_body(error)), _HEADERS[media_type] + extra, error)


def batch_reply(replies: Sequence[Reply], media_type: MediaType) -> Reply:
    """The reply for an array of requests: an array of their bodies. Each tells its own errors, so the status is 200."""
    return Reply(200, b"[" + b",".join(reply.body for reply in replies) + b"]", _HEADERS[media_type])


def spread_data(body: bytes) -> bytes:
    """A body with the fields of its `data` also at its top; unchanged where `data` is not an object with fields.

    >>> spread_data(b'{"data":{"film":[{"id":1}]}}')
    b'{"film":[{"id":1}],"data":{"film":[{"id":1}]}}'

    The copy comes first: of two members with one name parsers take the last, so an alias `data` cannot hide the data.
    """
    if not (body.startswith(b'{"data":{') and body.endswith(b"}}")) or body == b'{"data":{}}':
        return body
    return b"{" + body[9:-2] + b"," + body[1:]


async def send_reply(send: Send, reply: Reply) -> None:
    """Sends the whole response."""
    length = (b"content-length", b"%d" % len(reply.body))
    await send({"type": "http.response.start", "status": reply.status, "headers": [*reply.headers, length]})
    await send({"type": "http.response.body", "body": reply.body})


_HEADERS: Mapping[MediaType, HeaderLines] = {
    media_type: [
        (b"content-type", media_type.value + b"; charset=utf-8"),
        (b"cache-control", b"no-store"),
        (b"vary", b"accept, authorization"),
        (b"x-content-type-options", b"nosniff"),
    ]
    for media_type in MediaType
}


def _check_body_line(name: bytes, value: bytes, max_body_bytes: int) -> None:
    if name == b"content-encoding":
        if value.strip().lower() != b"identity":
            raise UnsupportedMediaType("Send the body without a Content-Encoding.")
    elif value.isdigit() and (len(value) > 18 or int(value) > max_body_bytes):
        raise BodyTooLarge(max_body_bytes)


def _from_json(envelope: object) -> GraphQLRequest:
    if not isinstance(envelope, dict):
        raise EnvelopeInvalid("The body must be a JSON object with a member query.")
    members = cast("dict[str, object]", envelope)
    extensions = members.get("extensions")
    if extensions is not None and not isinstance(extensions, dict):
        raise EnvelopeInvalid("The member extensions must be an object or null.")
    document_id = _document_id(members.get("documentId"), cast("dict[str, object] | None", extensions))
    query = members.get("query")
    if query is None and document_id is not None:
        query = ""
    if not isinstance(query, str):
        raise EnvelopeInvalid("The member query is missing." if query is None else "The member query must be a text.")
    operation_name = members.get("operationName")
    if operation_name is not None and not isinstance(operation_name, str):
        raise EnvelopeInvalid("The member operationName must be a text or null.")
    variables = members.get("variables")
    return GraphQLRequest(
        query,
        _read_variables(variables) if variables else _no_variables(variables),
        operation_name,
        document_id=document_id,
    )


def _document_id(named: object, extensions: Mapping[str, object] | None) -> str | None:
    """The id of a document, as `documentId` or in the older way of Apollo's clients."""
    if named is None and extensions:
        persisted = extensions.get("persistedQuery")
        named = cast("dict[str, object]", persisted).get("sha256Hash") if isinstance(persisted, dict) else None
    if named is None:
        return None
    if not isinstance(named, str) or not 1 <= len(named) <= MAX_DOCUMENT_ID_CHARACTERS:
        raise EnvelopeInvalid(f"The id of a document must be a text of 1 to {MAX_DOCUMENT_ID_CHARACTERS} characters.")
    return named.removeprefix("sha256:")


def _no_variables(variables: object) -> dict[str, object]:
    if variables is None or variables in ("", {}):
        return {}
    raise EnvelopeInvalid("The member variables must be an object or null.")


def _read_variables(variables: object) -> dict[str, object]:
    # An axios that turns a form into JSON sends the variables as the JSON text that the form would have held.
    value = parse_json(variables.encode(), "The text of variables") if isinstance(variables, str) else variables
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise EnvelopeInvalid("The member variables must be an object or null.")
    check_nesting(cast("dict[str, object]", value))
    return cast("dict[str, object]", value)


def _from_fields(fields: Mapping[str, str], *, from_form: bool, by_get: bool) -> GraphQLRequest:
    document_id = _document_id(fields.get("documentId") or None, _read_extensions(fields.get("extensions", "")))
    if "query" not in fields and document_id is None:
        raise EnvelopeInvalid("The field query is missing.")
    text = fields.get("variables", "").strip()
    variables = _read_variables(text) if text else {}
    operation_name = fields.get("operationName") or None
    return GraphQLRequest(fields.get("query", ""), variables, operation_name, from_form, by_get, document_id)


def _read_extensions(text: str) -> dict[str, object] | None:
    value = parse_json(text.encode(), "The text of extensions") if text.strip() else None
    if value is not None and not isinstance(value, dict):
        raise EnvelopeInvalid("The field extensions must be an object or null.")
    return cast("dict[str, object] | None", value)


def _from_batch(envelopes: list[object], max_batch: int) -> list[GraphQLRequest]:
    if max_batch == 0:
        raise BatchRefused("Arrays of requests are not taken here. Send one request at a time.")
    if not 1 <= len(envelopes) <= max_batch:
        raise BatchRefused(f"An array of requests must hold 1 to {max_batch}.")
    return [_from_json(envelope) for envelope in envelopes]


def _parse_range(text: bytes) -> tuple[bytes, float]:
    media_range, _, rest = text.partition(b";")
    try:
        quality = float(parse_parameters(b";" + rest, 0).get(b"q", b"1")) if rest else 1.0
    except (ValueError, UnsupportedMediaType):
        quality = 0.0
    return media_range.strip().lower(), quality if 0.0 <= quality <= 1.0 else 0.0


def _weigh(ranges: Sequence[tuple[bytes, float]], media_type: MediaType) -> tuple[float, int]:
    """How much a client wants a media type, and how exactly it names it: 2 by name, 1 by kind, 0 by anything."""
    for exactness, name in ((2, media_type.value), (1, b"application/*"), (0, b"*/*")):
        qualities = [quality for media_range, quality in ranges if media_range == name]
        if qualities:
            return max(qualities), exactness
    return 0.0, 0
