"""Protection: what holds for every request before anything reads it, and for every response after it is written."""

import logging
import re
import time
import uuid
from collections.abc import Iterable, Mapping
from typing import Final

import orjson
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.body import BodyTooLarge
from gateway.log import bind_request
from gateway.metrics import OUTCOME, Metrics, Outcome, endpoint_of, outcome_of_status

SECURITY_HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    # For what is not a page. A page of ours brings its own policy, which then stays.
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}

_SECURITY_LINES: Final = [(name.lower().encode(), value.encode()) for name, value in SECURITY_HEADERS.items()]

log = logging.getLogger(__name__)

DOORS: Final = frozenset(
    {
        "/auth",
        "/anonauth",
        "/auth/guest",
        "/auth/register",
        "/auth/convert",
        "/auth/adopt",
        "/auth/session",
        "/auth/sessions",
    }
)
#: The same of other systems: who asks there may have no session yet.
FACADE_DOORS: Final = re.compile(r"/backendless/[^/]+/[^/]+/users/|(?:/mudbase/[^/]+)?/api/auth/")


def is_door(path: str) -> bool:
    """Whether it is where somebody comes in, registers or leaves."""
    return path in DOORS or FACADE_DOORS.match(path) is not None


def plain_error(path: str, status: int, text: str, headers: Mapping[str, str] | None = None) -> Response:
    """A refusal that no endpoint gave; at a GraphQL endpoint its clients find the text under `errors` as well."""
    body: dict[str, object] = {"error": text, "status": status}
    if path.startswith("/backendless/"):
        # Where its clients look for it.
        body |= {"message": text, "code": 40000 + status}
    elif path not in DOORS:
        body["errors"] = [{"message": text}]
    return Response(orjson.dumps(body), status, {"Cache-Control": "no-store"} | dict(headers or {}), "application/json")


class Protection:
    """Bounds headers and bodies, refuses WebSockets, masks bugs, adds security headers.

    Plain ASGI, so that nothing goes round it.
    """

    def __init__(self, app: ASGIApp, *, max_header_bytes: int, max_body_bytes: int, max_door_body_bytes: int) -> None:
        self._app = app
        self._max_header_bytes = max_header_bytes
        self._max_body_bytes = max_body_bytes
        self._max_door_body_bytes = max_door_body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        match scope["type"]:
            case "http":
                await self._serve(scope, receive, send)
            case "websocket":
                # Closed before it is accepted, which the server turns into 403.
                await receive()
                await send({"type": "websocket.close", "code": 1008})
            case _:
                await self._app(scope, receive, send)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        has_started = False
        status = 500
        began = time.perf_counter()
        identity = bind_request(_request_id_line(scope))
        metrics: Metrics = scope["app"].state.ostiary.metrics
        metrics.begin()

        async def send_secured(message: Message) -> None:
            nonlocal has_started, status
            has_started = True
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*secured(message.get("headers", ())), (b"x-request-id", identity.encode())]
            await send(message)

        path: str = scope["path"]
        limit = self._max_door_body_bytes if is_door(path) else self._max_body_bytes
        headers: list[tuple[bytes, bytes]] = scope["headers"]
        try:
            # httptools sets no limit of its own.
            if sum(len(name) + len(value) + 4 for name, value in headers) > self._max_header_bytes:
                refusal = plain_error(path, 431, "The request headers are too large.", {"Connection": "close"})
                await refusal(scope, receive, send_secured)
            elif _declared_length(headers) > limit:
                refusal = plain_error(path, 413, _too_large(limit), {"Connection": "close"})
                await refusal(scope, receive, send_secured)
            else:
                await self._app(scope, _bounded(receive, limit), send_secured)
        except Exception:
            # A bug of ours: an id for the caller, the rest for the log.
            incident = str(uuid.uuid4())
            log.exception("incident %s at %s %r", incident, scope["method"], path)
            if has_started:
                raise
            text = f"Something went wrong inside. The log has it under {incident}."
            await plain_error(path, 500, text)(scope, receive, send_secured)
        finally:
            outcome: Outcome = scope.get(OUTCOME) or outcome_of_status(status)
            metrics.count(endpoint_of(path), outcome, time.perf_counter() - began)


def _request_id_line(scope: Scope) -> bytes | None:
    headers: list[tuple[bytes, bytes]] = scope["headers"]
    return next((value for name, value in headers if name == b"x-request-id"), None)


def secured(headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """The headers of a response with those of SECURITY_HEADERS where they are not set."""
    given = list(headers)
    names = [name.lower() for name, _ in given]
    return [*given, *(header for header in _SECURITY_LINES if header[0] not in names)]


def _declared_length(headers: list[tuple[bytes, bytes]]) -> int:
    values = [value for name, value in headers if name == b"content-length" and value.isdigit()]
    return max((int(value) for value in values if len(value) < 20), default=0)


def _bounded(receive: Receive, limit: int) -> Receive:
    """The same body, until it is longer than the limit; then BodyTooLarge, which is answered as any refusal is."""
    seen = 0

    async def receive_bounded() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > limit:
            raise BodyTooLarge(limit)
        return message

    return receive_bounded


def _too_large(limit: int) -> str:
    return f"The body is larger than {limit} bytes."
