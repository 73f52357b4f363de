"""Realm's client API, as its official clients speak it: /api/client/v2.0/…, for tenants that open this facade.

It only translates: onto `auth/guests.py` for whoever comes, becomes an account and goes, and onto the engine of /query
for functions and GraphQL. An app is a tenant, its id the tenant's id or name. The refresh token is one that is no JWT
and lasts as long as its session, since the clients never store another.
"""

import re
from collections.abc import Mapping
from typing import Final, cast

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from db.provider_identities import PASSWORD, list_provider_identities
from db.records import Tenant
from db.refusals import CatalogOutdated
from gateway.auth import guests
from gateway.auth.bearer import authenticate, bearer_token
from gateway.auth.credentials import MAX_LOGIN_CHARS, MAX_PASSWORD_CHARS, parse_text
from gateway.auth.guests import Caller
from gateway.auth.login import note_failure
from gateway.auth.refusals import (
    BadBody,
    InvalidCredentials,
    LoginInUse,
    MissingField,
    NoSuchRole,
    NotAGuest,
    TokenError,
    TokenRevoked,
)
from gateway.auth.replies import address_of, routes
from gateway.auth.sessions import Entered, Terms, reissue_access
from gateway.auth.tokens import Claims
from gateway.body import check_nesting, parse_json, read_body
from gateway.facades.apps import get_app, is_meant, is_open
from gateway.facades.extended_json import plain_json
from gateway.facades.realm_errors import (
    AnonymousNotLinked,
    ForeignToken,
    NoMail,
    NotLinked,
    ServiceNotFound,
)
from gateway.facades.realm_functions import build_call
from gateway.facades.realm_replies import empty_reply, json_reply, raw_reply, realm_door
from gateway.graphql_http import GraphQLRequest, read_lines
from gateway.metrics import OUTCOME, outcome_of
from gateway.query import answer_query, answer_request
from gateway.state import AppState
from gateway.tenancy import LoadedTenant
from schema.principal import Principal

FACADE: Final = "realm"
BASE: Final = "/api/client/v2.0"
APP: Final = f"{BASE}/app/{{app_id}}"
PASSWORD_PROVIDER: Final = f"{APP}/auth/providers/{PASSWORD}"
MAIL_PATHS: Final = ("confirm", "confirm/send", "confirm/call", "reset", "reset/send", "reset/call")
_DEVICE_ID: Final = re.compile(r"(?!0{24})[0-9a-f]{24}")

Fields = Mapping[str, object]


def realm_routes() -> list[BaseRoute]:
    """Every address of the facade."""
    return [
        Route(f"{APP}/location", location_endpoint, methods=["GET"]),
        Route(f"{APP}/auth/providers/anon-user/login", guest_endpoint, methods=["POST"]),
        Route(f"{PASSWORD_PROVIDER}/register", register_endpoint, methods=["POST"]),
        Route(f"{PASSWORD_PROVIDER}/login", login_endpoint, methods=["POST"]),
        *(Route(f"{PASSWORD_PROVIDER}/{path}", mail_endpoint, methods=["POST"]) for path in MAIL_PATHS),
        Route(f"{BASE}/auth/profile", profile_endpoint, methods=["GET"]),
        Route(f"{BASE}/auth/session", session_endpoint, methods=["POST", "DELETE"]),
        Route(f"{BASE}/auth/delete", delete_endpoint, methods=["DELETE"]),
        Route(f"{APP}/functions/call", function_endpoint, methods=["POST"]),
        Route(f"{APP}/graphql", graphql_endpoint, methods=["POST"]),
    ]


@realm_door
async def location_endpoint(request: Request, state: AppState) -> Response:
    """Where the clients of an app go on."""
    await _get_app(request, state)
    # Clients put a path that begins with a slash behind it.
    host = routes(request, state)["base"].rstrip("/")
    body = {
        "deployment_model": "LOCAL",
        "location": "LOCAL",
        "hostname": host,
        "ws_hostname": host.replace("http", "ws", 1),
    }
    return json_reply(body)


@realm_door
async def guest_endpoint(request: Request, state: AppState) -> Response:
    """A new guest, whose session lasts as long as the tenant lets it."""
    tenant = await _get_app(request, state)
    fields = await _read_fields(request, state)
    if _is_link(request):
        await _claims_of(request, state)
        raise AnonymousNotLinked
    longest = tenant.guests.session_seconds or state.settings.anonymous_session_max_seconds
    # Clients send what an application puts beside its credentials.
    challenge = parse_text("challenge", fields.get("challenge"), MAX_PASSWORD_CHARS)
    caller, terms = _caller(request, state, fields), Terms(longest, has_secret=True)
    return _login_reply(await guests.login_guest(state, tenant.tenant_id, caller, terms=terms, challenge=challenge))


@realm_door
async def register_endpoint(request: Request, state: AppState) -> Response:
    """Credentials that nobody has entered by yet; whoever is logged in stays who that is."""
    tenant = await _get_app(request, state)
    fields = await _read_fields(request, state)
    login, password = _credentials(fields, "email")
    await guests.register_login(state, tenant.tenant_id, login, password, _caller(request, state, fields))
    return json_reply({}, 201)


@realm_door
async def login_endpoint(request: Request, state: AppState) -> Response:
    """An account's new session; or with `?link=true` the guest that asks, as the account of these credentials."""
    tenant = await _get_app(request, state)
    fields = await _read_fields(request, state)
    login, password = _credentials(fields, "username")
    caller = _caller(request, state, fields)
    try:
        if _is_link(request):
            return await _link(request, state, tenant, login, password, caller)
        terms = Terms(state.settings.session_max_seconds, has_secret=True)
        return _login_reply(await guests.log_in(state, tenant.tenant_id, login, password, caller, terms=terms))
    except (InvalidCredentials, NoSuchRole) as refusal:
        await note_failure(state, tenant.tenant_id, login, refusal.code)
        raise


async def _link(
    request: Request, state: AppState, tenant: Tenant, login: str, password: str, caller: Caller
) -> Response:
    claims = await _claims_of(request, state)
    if claims.tenant_id != tenant.tenant_id:
        raise ForeignToken
    try:
        principal = await guests.link(state, claims, login, password, caller)
    except LoginInUse as error:
        raise NotLinked("a user already exists with the specified provider") from error
    except NotAGuest as error:
        raise NotLinked("linking a local-userpass identity is not allowed") from error
    async with state.engine.connect() as connection:
        session, access = await reissue_access(state, connection, claims)
    # Without a refresh token: clients keep the one they have.
    return json_reply({"user_id": principal.public_id, "access_token": access, "device_id": session.device_id or ""})


@realm_door
async def mail_endpoint(request: Request, state: AppState) -> Response:
    """A refusal: of what would need a mail."""
    await _get_app(request, state)
    raise NoMail


@realm_door
async def profile_endpoint(request: Request, state: AppState) -> Response:
    """Who is logged in, and by which providers that is known."""
    principal = await state.principals.principal_of(await _claims_of(request, state))
    await _check_open(state, principal.tenant_id)
    async with state.engine.connect() as connection:
        known = await list_provider_identities(connection, principal.role_id)
    identities = [{"id": f"{each.identity_id:024x}", "provider_type": each.provider} for each in known]
    if principal.kind == "account" and not any(each.provider == PASSWORD for each in known):
        # Made by an administrator: a login of a role, and no identity.
        identities.append({"id": principal.public_id, "provider_type": PASSWORD})
    data = {"email": principal.login} if principal.kind == "account" else {}
    return json_reply({"user_id": principal.public_id, "type": "normal", "identities": identities, "data": data})


@realm_door
async def session_endpoint(request: Request, state: AppState) -> Response:
    """POST: a new access token. DELETE: the session is over. Both by the refresh token."""
    if request.method == "DELETE":
        return await _log_out(request, state)
    await state.limiter.hit_refresh(address_of(request, state))
    claims = await state.principals.claims_of_secret(bearer_token(request.headers))
    await state.principals.principal_of(claims)
    await _check_open(state, claims.tenant_id)
    async with state.engine.connect() as connection:
        _, access = await reissue_access(state, connection, claims, facade=FACADE)
    return json_reply({"access_token": access}, 201)


async def _log_out(request: Request, state: AppState) -> Response:
    try:
        claims = await state.principals.claims_of_secret(bearer_token(request.headers))
        await guests.end(state, claims)
    except TokenError:
        # By this text clients know that there is nothing left to end, as after a user's deletion.
        refusal = {"error": "failed to find refresh token", "error_code": "InvalidSession"}
        return json_reply(refusal, 401)
    return empty_reply()


@realm_door
async def delete_endpoint(request: Request, state: AppState) -> Response:
    """Nothing; whoever asks is gone, with all sessions. Rows stay."""
    claims = await _claims_of(request, state)
    await state.principals.principal_of(claims)
    await _check_open(state, claims.tenant_id)
    await guests.delete_own(state, claims)
    return empty_reply()


@realm_door
async def function_endpoint(request: Request, state: AppState) -> Response:
    """What a function gives that the caller may call."""
    principal, loaded = await _enter_app(request, state)
    fields = await _read_fields(request, state, state.http_limits.max_body_bytes)
    if fields.get("service") is not None:
        raise ServiceNotFound
    name = parse_text("name", fields.get("name"), MAX_LOGIN_CHARS)
    if name is None:
        raise MissingField("name")
    given = fields.get("arguments")
    if given is not None and not isinstance(given, list):
        raise BadBody("The member arguments must be an array.")
    arguments = cast("list[object]", given or [])
    return raw_reply(await _call(state, loaded, principal, name, arguments))


async def _call(
    state: AppState, loaded: LoadedTenant, principal: Principal, name: str, arguments: list[object]
) -> bytes:
    """What the function gives, as JSON. One that only reads is called once more where the tables were not as they are
    known."""
    call = build_call(loaded.view(principal).schema, name, arguments)
    request = GraphQLRequest(call.document, dict(call.variables))
    try:
        return call.result_in(await answer_query(loaded, principal, request))
    except CatalogOutdated:
        latest = None if call.changes else await state.tenants.catch_up(loaded)
        if latest is None:
            raise
        return call.result_in(await answer_query(latest, principal, request))


@realm_door
async def graphql_endpoint(request: Request, state: AppState) -> Response:
    """What /query answers to the same request."""
    await _enter_app(request, state)
    reply = await answer_request(state, read_lines(request.scope), request.receive)
    if reply.error is not None:
        request.scope[OUTCOME] = outcome_of(reply.error)
    response = Response(reply.body, reply.status)
    response.raw_headers = [*reply.headers, (b"content-length", b"%d" % len(reply.body))]
    return response


async def _enter_app(request: Request, state: AppState) -> tuple[Principal, LoadedTenant]:
    """Who asks for the app, and the tenant that it is. Raises TokenError, ForeignToken."""
    lines = request.headers.getlist("authorization")
    principal = state.principals.recall(lines) or await authenticate(lines, state)
    loaded = state.tenants.recall(principal)
    loaded = loaded or await state.tenants.get(principal.tenant_id, principal.tenant_version)
    if FACADE not in loaded.tenant.facades:
        raise TokenRevoked
    if not is_meant(loaded.tenant, request.path_params["app_id"], FACADE):
        raise ForeignToken
    return principal, loaded


async def _get_app(request: Request, state: AppState) -> Tenant:
    return await get_app(state, request.path_params["app_id"], FACADE)


async def _check_open(state: AppState, tenant_id: int) -> None:
    """Nothing. Raises TokenRevoked where the tenant has closed the facade: for access tokens and refresh tokens alike,
    since a client that still got the one by the other would never end."""
    if not await is_open(state, tenant_id, FACADE):
        raise TokenRevoked


async def _claims_of(request: Request, state: AppState) -> Claims:
    return await state.principals.claims_of(bearer_token(request.headers), "access")


async def _read_fields(request: Request, state: AppState, max_bytes: int | None = None) -> Fields:
    """The members of the body in plain JSON; none where it is empty. Raises RequestError, BadBody."""
    body = await read_body(request.receive, max_bytes or state.settings.max_auth_body_bytes)
    if not body.strip():
        return {}
    value = parse_json(body)
    check_nesting(value)
    plain = plain_json(value)
    if not isinstance(plain, dict):
        raise BadBody("The body is not a JSON object.")
    return cast("Fields", plain)


def _credentials(fields: Fields, login_name: str) -> tuple[str, str]:
    """Login and password. Raises BadField, MissingField."""
    login = parse_text(login_name, fields.get(login_name), MAX_LOGIN_CHARS)
    password = parse_text("password", fields.get("password"), MAX_PASSWORD_CHARS)
    if login is None:
        raise MissingField(login_name)
    if password is None:
        raise MissingField("password")
    return login, password


def _caller(request: Request, state: AppState, fields: Fields) -> Caller:
    """From where and on which device somebody asks; a device that has no id yet gets one."""
    options = fields.get("options")
    device = cast("Fields", options).get("device") if isinstance(options, dict) else None
    given = cast("Fields", device).get("deviceId") if isinstance(device, dict) else None
    # Clients take 24 hexadecimal digits alone, and send any other id but once.
    is_known = isinstance(given, str) and _DEVICE_ID.fullmatch(given) is not None
    device_id = str(given) if is_known else state.random(12).hex()
    return Caller(address_of(request, state), FACADE, device_id)


def _is_link(request: Request) -> bool:
    return request.query_params.get("link") == "true"


def _login_reply(entered: Entered) -> Response:
    body = {
        "user_id": entered.principal.public_id,
        "access_token": entered.tokens.access,
        "refresh_token": entered.tokens.secret,
        "device_id": entered.session.device_id,
    }
    return json_reply(body)
