"""/anonauth: POST a tenant's id to enter as its Nobody role, or where the tenant says so as a guest of one's own."""

import logging

import orjson
from starlette.requests import Request
from starlette.responses import Response

from gateway.auth.credentials import read_credentials
from gateway.auth.guests import Caller, get_open_tenant, guest_terms, make_guest
from gateway.auth.principals import read_principal
from gateway.auth.refusals import MissingField
from gateway.auth.replies import NO_STORE, address_of, door, error_reply, login_reply, routes, wanted_schemas
from gateway.auth.sessions import TokenPair, begin_session
from gateway.state import AppState
from schema.principal import Principal

log = logging.getLogger(__name__)


@door
async def anonauth_endpoint(request: Request, state: AppState) -> Response:
    """The login reply of the Nobody role or of a new guest; for GET the text that sends refresh tokens elsewhere."""
    match request.method:
        case "POST":
            return await _answer_post(request, state)
        case "GET":
            # The one refusal of the wire that says `message`.
            body = orjson.dumps({"message": "Use /auth for refresh tokens.", "status": 405})
            return Response(body, 405, NO_STORE | {"Allow": "POST"}, "application/json")
        case _:
            return error_reply(405, "Method not allowed.", {"Allow": "POST"})


async def _answer_post(request: Request, state: AppState) -> Response:
    routes(request, state)
    credentials = await read_credentials(request)
    if credentials.tenant_id is None:
        raise MissingField("tenantid")
    address = address_of(request, state)
    await state.limiter.hit_anonymous(address, credentials.tenant_id)
    principal, tokens = await _enter(state, credentials.tenant_id, Caller(address), credentials.challenge)
    log.info("anonymous login to tenant %d", principal.tenant_id)
    return await login_reply(request, state, principal, tokens, await wanted_schemas(request, state, principal))


async def _enter(state: AppState, tenant_id: int, caller: Caller, challenge: str | None) -> tuple[Principal, TokenPair]:
    async with state.engine.begin() as connection:
        tenant, nobody = await get_open_tenant(state, connection, tenant_id)
        if tenant.guests.mode == "shared":
            principal = await read_principal(connection, tenant, nobody, "")
            terms = guest_terms(state, tenant, caller, None)
            _, tokens = await begin_session(state, connection, principal, terms)
            return principal, tokens
    entered = await make_guest(state, tenant_id, caller, challenge=challenge)
    return entered.principal, entered.tokens
