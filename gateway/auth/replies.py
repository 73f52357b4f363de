"""The replies of the doors: `{"error", "status"}` for a refusal, and what a login gives (devii wire, success reply)."""

import hashlib
import logging
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

import orjson
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response

from db.engines import is_connection_trouble
from db.errors import DatabaseUnavailable, StoreError
from gateway.auth.rate_limit import client_address
from gateway.auth.refusals import AuthError, BadHost
from gateway.auth.sessions import TokenPair
from gateway.compression import Deflated, deflate, gzip_of
from gateway.state import AppState, SchemaText, state_of
from schema.principal import Principal

NO_STORE: Final = {"Cache-Control": "no-store"}
# RFC 3986, 3.2.2, without what no browser sends: a name or IPv4 address, or an IPv6 address, and a port.
_HOST: Final = re.compile(r"(?P<name>[A-Za-z0-9_](?:[A-Za-z0-9._-]{0,252})|\[[0-9A-Fa-f:.]{2,45}\])(?::\d{1,5})?")

log = logging.getLogger(__name__)

Door = Callable[[Request, AppState], Awaitable[Response]]


def door(answer: Door) -> Callable[[Request], Awaitable[Response]]:
    """An endpoint of `answer`, whose refusals become replies. Anything else rises and is masked further out."""

    async def endpoint(request: Request) -> Response:
        try:
            return await answer(request, state_of(request))
        except AuthError as refusal:
            log.info("refused at %s: %s", request.url.path, refusal.code)
            return error_reply(refusal.status, refusal.message, refusal.headers())
        except StoreError as error:
            log.warning("the store failed at %s: %s", request.url.path, error.code)
            return unavailable_reply(error.message)
        except Exception as error:
            if not is_connection_trouble(error):
                raise
            log.warning("the control database cannot be reached: %s", type(error).__name__)
            return unavailable_reply(DatabaseUnavailable().message)

    return endpoint


def error_reply(status: int, text: str, headers: Mapping[str, str] | None = None) -> Response:
    """The body of every refusal at a door; HTTP status and `status` are equal."""
    body = orjson.dumps({"error": text, "status": status})
    return Response(body, status, NO_STORE | dict(headers or {}), "application/json")


def unavailable_reply(text: str) -> Response:
    return error_reply(503, text, {"Retry-After": "1"})


async def login_reply(
    request: Request,
    state: AppState,
    principal: Principal,
    tokens: TokenPair,
    schemas: tuple[SchemaText, SchemaText] | None,
    more: Mapping[str, object] | None = None,
) -> Response:
    """Tokens, routes, `more` and, unless the client wants none or has them already, both schemas.

    A client that sends the ETag of an earlier reply in If-None-Match gets status 200 and new tokens, without the
    schemas: those it has are the current ones.
    """
    head = {
        "access_token": tokens.access,
        "message": f"Logged in as {principal.login}.",
        "refresh_token": tokens.refresh,
        "roleid": principal.role_id,
        "routes": routes(request, state),
        **(more or {}),
    }
    prefix = orjson.dumps(head)
    headers = NO_STORE | {"Vary": "Accept-Encoding"}
    if schemas is None:
        return Response(prefix, 200, headers, "application/json")
    query, control = schemas
    headers["ETag"] = etag_of(query, control)
    if matches(request.headers.get("if-none-match", ""), headers["ETag"]):
        return Response(prefix, 200, headers, "application/json")
    pieces = (prefix[:-1] + b',"schema":', query, b',"rpb_schema":', control, b"}")
    if accepts_gzip(request.headers.getlist("accept-encoding")):
        body = gzip_of([await _deflated(state, piece) for piece in pieces])
        return Response(body, 200, headers | {"Content-Encoding": "gzip"}, "application/json")
    body = b"".join(piece if isinstance(piece, bytes) else piece.body for piece in pieces)
    return Response(body, 200, headers, "application/json")


async def wanted_schemas(
    request: Request, state: AppState, principal: Principal
) -> tuple[SchemaText, SchemaText] | None:
    """The schemas that the reply shall carry; None when the client asked for none by `?schema=none`."""
    if request.query_params.get("schema") == "none":
        return None
    return await state.tenants.role_schemas(principal)


def etag_of(query: SchemaText, control: SchemaText) -> str:
    """A strong entity tag of both schemas, quoted (RFC 9110, 8.8.3)."""
    return '"' + hashlib.sha256(f"{query.etag}\n{control.etag}".encode()).hexdigest()[:32] + '"'


def matches(if_none_match: str, etag: str) -> bool:
    """Whether the field lists the tag, compared weakly (RFC 9110, 13.1.2).

    >>> matches('W/"a", "b"', '"a"'), matches("*", '"a"'), matches("", '"a"')
    (True, False, False)
    """
    # `*` would leave out the schemas for a client that has none; it means nothing here.
    return etag in [tag.strip().removeprefix("W/") for tag in if_none_match.split(",")]


def accepts_gzip(lines: list[str]) -> bool:
    """Whether Accept-Encoding names gzip, or everything, with a weight other than 0 (RFC 9110, 12.5.3).

    >>> accepts_gzip(["br, gzip;q=0.5"]), accepts_gzip(["gzip;q=0, *"]), accepts_gzip(["*"]), accepts_gzip([])
    (True, False, True, False)
    """
    weights: dict[str, bool] = {}
    for entry in ",".join(lines).split(","):
        coding, _, weight = entry.partition(";")
        weights[coding.strip().lower()] = not re.fullmatch(r"\s*q=0(\.0*)?\s*", weight)
    return weights.get("gzip", weights.get("x-gzip", weights.get("*", False)))


def routes(request: HTTPConnection, state: AppState) -> dict[str, str]:
    """The absolute addresses that clients go on with; `base` ends in a slash. Raises BadHost."""
    base = state.settings.base_url or _base_of(request, state)
    base = base.rstrip("/") + "/"
    return {"base": base, "query": f"{base}query", "roles_pbac": f"{base}roles_pbac"}


def address_of(request: HTTPConnection, state: AppState) -> str:
    """The address that attempts are counted under."""
    peer = request.client.host if request.client is not None else "local"
    return client_address(peer, request.headers.getlist("x-forwarded-for"), state.trusted_proxies)


def _base_of(request: HTTPConnection, state: AppState) -> str:
    lines = request.headers.getlist("host")
    found = _HOST.fullmatch(lines[0]) if len(lines) == 1 else None
    if found is None:
        raise BadHost
    allowed = state.settings.allowed_hosts
    if allowed and found["name"].lower() not in {name.lower() for name in allowed}:
        raise BadHost
    return f"{_scheme_of(request, state)}://{found[0]}{request.scope.get('root_path', '')}"


def _scheme_of(request: HTTPConnection, state: AppState) -> str:
    forwarded = request.headers.get("x-forwarded-proto", "").strip().lower()
    peer = request.client.host if request.client is not None else ""
    # A peer that counts as a proxy of ours is one that X-Forwarded-For is believed from.
    is_proxy = client_address(peer, ["192.0.2.1"], state.trusted_proxies) == "192.0.2.1"
    if is_proxy and forwarded in {"http", "https"}:
        return forwarded
    return "https" if request.scope.get("scheme") in {"https", "wss"} else "http"


async def _deflated(state: AppState, piece: bytes | SchemaText) -> Deflated:
    return deflate(piece) if isinstance(piece, bytes) else await state.deflated.get(piece.etag, piece.body)
