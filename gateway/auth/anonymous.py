"""/anonauth: POST a tenant's id to enter as its Nobody role."""

import logging

import orjson
from starlette.requests import Request
from starlette.responses import Response

from db.roles import find_role
from db.tenants import find_tenant
from gateway.auth.credentials import read_credentials
from gateway.auth.login import conceals_logins, require_tenant
from gateway.auth.principals import read_principal
from gateway.auth.refusals import AnonymousNotAllowed, MissingField
from gateway.auth.replies import NO_STORE, address_of, door, error_reply, login_reply, routes, wanted_schemas
from gateway.auth.sessions import TokenPair, open_session
from gateway.state import AppState
from schema.principal import Principal

log = logging.getLogger(__name__)


@door
async def anonauth_endpoint(request: Request, state: AppState) -> Response:
    """The login reply of the Nobody role; for GET the text that sends refresh tokens elsewhere."""
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
    await state.limiter.hit_anonymous(address_of(request, state), credentials.tenant_id)
    principal, tokens = await _enter(state, credentials.tenant_id)
    log.info("anonymous login to tenant %d", principal.tenant_id)
    return await login_reply(request, state, principal, tokens, await wanted_schemas(request, state, principal))


async def _enter(state: AppState, tenant_id: int) -> tuple[Principal, TokenPair]:
    async with state.engine.begin() as connection:
        tenant = await find_tenant(connection, tenant_id, state.master_key)
        if conceals_logins(state, tenant) and (tenant is None or tenant.suspended):
            raise AnonymousNotAllowed(tenant_id)
        tenant = require_tenant(tenant, tenant_id)
        if tenant.nobody_role_id is None:
            raise AnonymousNotAllowed(tenant_id)
        nobody = await find_role(connection, tenant_id, tenant.nobody_role_id)
        if nobody is None or nobody.deleted:
            raise AnonymousNotAllowed(tenant_id)
        principal = await read_principal(connection, tenant, nobody, "")
        tokens = await open_session(
            state, connection, principal, max_seconds=state.settings.anonymous_session_max_seconds
        )
    return principal, tokens
