"""What Realm's client API answers: JSON, nothing at all, or a refusal with a code that its clients know."""

import logging
from collections.abc import Awaitable, Callable

import orjson
from starlette.requests import Request
from starlette.responses import Response

from db.engines import is_connection_trouble
from db.errors import DatabaseUnavailable, PublicError
from gateway.auth.replies import NO_STORE
from gateway.errors import error_headers
from gateway.facades.realm_errors import refusal_of
from gateway.state import AppState, state_of

log = logging.getLogger(__name__)

Door = Callable[[Request, AppState], Awaitable[Response]]


def realm_door(answer: Door) -> Callable[[Request], Awaitable[Response]]:
    """An endpoint of `answer`, whose refusals are Realm's. Anything else rises and is masked further out."""

    async def endpoint(request: Request) -> Response:
        try:
            return await answer(request, state_of(request))
        except PublicError as error:
            log.info("refused at Realm's %s: %s", request.url.path.rpartition("/")[2], error.code)
            return refusal_reply(error)
        except Exception as error:
            if not is_connection_trouble(error):
                raise
            log.warning("the control database cannot be reached: %s", type(error).__name__)
            return refusal_reply(DatabaseUnavailable())

    return endpoint


def refusal_reply(error: PublicError) -> Response:
    refusal = refusal_of(error)
    body = {"error": refusal.error, "error_code": refusal.error_code}
    headers = {name: value for name, value in error_headers(error).items() if name != "WWW-Authenticate"}
    return Response(orjson.dumps(body), refusal.status, NO_STORE | headers, "application/json")


def json_reply(body: object, status: int = 200) -> Response:
    return raw_reply(orjson.dumps(body), status)


def raw_reply(body: bytes, status: int = 200) -> Response:
    """A body that is JSON already."""
    return Response(body, status, NO_STORE, "application/json")


def empty_reply() -> Response:
    """Nothing, and no content type: with one, clients would look for JSON."""
    return Response(status_code=204, headers=NO_STORE)
