"""/auth: POST a password, or as an administrator the name of another role; GET refreshes; DELETE ends the session."""

import logging

from starlette.requests import Request
from starlette.responses import Response

from db.audit import insert_refusal, set_actor
from db.records import Role, Tenant
from db.roles import find_login, find_login_like, find_role_anywhere, renew_password_hash
from db.sessions import end_session
from db.tenants import find_tenant
from gateway.auth.bearer import authenticate, bearer_token, holds_a_token
from gateway.auth.credentials import Credentials, read_credentials
from gateway.auth.principals import read_principal
from gateway.auth.refusals import (
    InvalidCredentials,
    MissingField,
    NoSuchRole,
    NoSuchTenant,
    NotAdministrator,
    RoleNotInTenant,
    RootIsNotYours,
    TenantSuspended,
    TokenRevoked,
)
from gateway.auth.replies import NO_STORE, address_of, door, error_reply, login_reply, routes, wanted_schemas
from gateway.auth.sessions import Entered, Terms, TokenPair, begin_session, moment, open_session, refresh_session
from gateway.state import AppState
from schema.principal import Principal

METHODS = ("GET", "POST", "DELETE")

log = logging.getLogger(__name__)


@door
async def auth_endpoint(request: Request, state: AppState) -> Response:
    """The reply of the door that the method names."""
    match request.method:
        case "POST":
            return await _answer_post(request, state)
        case "GET":
            return await _answer_refresh(request, state)
        case "DELETE":
            return await _answer_logout(request, state)
        case _:
            return error_reply(405, "Method not allowed.", {"Allow": ", ".join(METHODS)})


async def _answer_post(request: Request, state: AppState) -> Response:
    # A request whose Host is nonsense is refused before it opens a session.
    routes(request, state)
    credentials = await read_credentials(request)
    # A password always means an ordinary login, whatever the header says.
    if credentials.password is None and holds_a_token(request.headers):
        administrator = await authenticate(request.headers.getlist("authorization"), state)
        principal, tokens = await act_for(state, administrator, credentials)
        log.info("role %d acts for role %d of tenant %d", administrator.role_id, principal.role_id, principal.tenant_id)
    else:
        try:
            principal, tokens = await _log_in(request, state, credentials)
        except (InvalidCredentials, NoSuchRole, TenantSuspended) as refusal:
            await note_failure(state, credentials.tenant_id, credentials.login, refusal.code)
            raise
        log.info("role %d of tenant %d logged in", principal.role_id, principal.tenant_id)
    return await login_reply(request, state, principal, tokens, await wanted_schemas(request, state, principal))


async def _log_in(request: Request, state: AppState, credentials: Credentials) -> tuple[Principal, TokenPair]:
    if credentials.tenant_id is None:
        raise MissingField("tenantid")
    if credentials.login is None:
        raise MissingField("login")
    if credentials.password is None:
        raise MissingField("password")
    entered = await log_in(
        state, credentials.tenant_id, credentials.login, credentials.password, address_of(request, state)
    )
    return entered.principal, entered.tokens


async def log_in(
    state: AppState, tenant_id: int, login: str, password: str, address: str, terms: Terms | None = None
) -> Entered:
    """A new session of the role whose login and password these are. Raises TooManyAttempts, TooBusy, NoSuchTenant,
    TenantSuspended, NoSuchRole, InvalidCredentials; when logins are concealed only the last of these four."""
    await state.limiter.hit_login(address, tenant_id, login)
    role = await _check_password(state, tenant_id, login, password)
    renewed = await state.passwords.renew(role.password_hash, password)
    async with state.passwords.turns, state.engine.begin() as connection:
        tenant = await find_tenant(connection, role.tenant_id, state.master_key)
        now = await find_login(connection, role.tenant_id, role.login)
        # What was true before the password was checked may have changed while it was.
        if tenant is None or tenant.suspended or now is None or now.deleted or is_new_password(role, now):
            raise InvalidCredentials
        principal = await read_principal(connection, tenant, now, "")
        if not principal.may("login"):
            raise InvalidCredentials
        session, tokens = await begin_session(state, connection, principal, terms or account_terms(state))
        if renewed is not None:
            await renew_password_hash(connection, role, renewed)
    await state.limiter.forget_failures(address, tenant_id, login)
    return Entered(principal, session, tokens)


def account_terms(state: AppState) -> Terms:
    """How long the session of an account lasts unless somebody says otherwise."""
    return Terms(state.settings.session_max_seconds)


async def note_failure(state: AppState, tenant_id: int | None, login: str | None, code: str) -> None:
    """Nothing; the failure is in the audit. Also for a tenant that there is not: to look would take time that tells."""
    told = {"login": login or "", "code": code}
    async with state.passwords.turns, state.engine.begin() as connection:
        await insert_refusal(connection, tenant_id or 0, action="login_failed", kind="session", role_id=None, told=told)


async def _check_password(state: AppState, tenant_id: int, login: str, password: str) -> Role:
    """The role whose login and password these are. Raises NoSuchTenant, TenantSuspended, NoSuchRole,
    InvalidCredentials; when logins are concealed only the last, after as much work."""
    async with state.passwords.turns, state.engine.connect() as connection:
        tenant = await find_tenant(connection, tenant_id, state.master_key)
        role = await find_login_like(connection, tenant_id, login)
    if not conceals_logins(state, tenant):
        require_tenant(tenant, tenant_id)
        if role is None or role.deleted:
            raise NoSuchRole(login, tenant_id)
    is_open = tenant is not None and not tenant.suspended and role is not None and not role.deleted
    is_right = await state.passwords.verify(role.password_hash if is_open and role is not None else None, password)
    if not is_right or role is None:
        raise InvalidCredentials
    return role


def is_new_password(then: Role, now: Role) -> bool:
    """Whether the password was set anew in between. A new form of the same password is none."""
    return (then.role_id, then.password_set_at) != (now.role_id, now.password_set_at) or now.password_hash is None


def conceals_logins(state: AppState, tenant: Tenant | None) -> bool:
    """Whether a refusal must not tell what is there: as the tenant says, or else the gateway's setting."""
    if tenant is None or tenant.conceal_logins is None:
        return state.settings.conceal_logins
    return tenant.conceal_logins


def require_tenant(tenant: Tenant | None, tenant_id: int) -> Tenant:
    """The tenant, if it is there and open. Raises NoSuchTenant, TenantSuspended."""
    if tenant is None:
        raise NoSuchTenant(tenant_id)
    if tenant.suspended:
        raise TenantSuspended(tenant_id)
    return tenant


async def act_for(state: AppState, administrator: Principal, credentials: Credentials) -> tuple[Principal, TokenPair]:
    """The role that an administrator named by `login` or `roleid`, and the tokens of a new session of it.

    Raises NotAdministrator, RoleNotInTenant, NoSuchRole, RootIsNotYours, MissingField.
    """
    if credentials.role_id is None and credentials.login is None:
        raise MissingField("password")
    if not administrator.bypasses_policy:
        raise NotAdministrator
    if credentials.tenant_id not in {None, administrator.tenant_id}:
        raise RoleNotInTenant
    async with state.engine.begin() as connection:
        await set_actor(connection, administrator.role_id)
        if credentials.role_id is not None:
            role = await find_role_anywhere(connection, credentials.role_id)
        else:
            role = await find_login(connection, administrator.tenant_id, credentials.login or "")
        if role is not None and role.tenant_id != administrator.tenant_id:
            raise RoleNotInTenant
        if role is None or role.deleted:
            raise NoSuchRole(credentials.role_id or credentials.login or "", administrator.tenant_id)
        tenant = await find_tenant(connection, administrator.tenant_id, state.master_key)
        if tenant is None:
            raise TokenRevoked
        principal = await read_principal(connection, tenant, role, "")
        # Root may do what no administrator may, so an administrator must not become root by asking.
        if principal.is_root and not administrator.is_root:
            raise RootIsNotYours
        tokens = await open_session(state, connection, principal, max_seconds=state.settings.session_max_seconds)
    return principal, tokens


async def role_token(state: AppState, administrator: Principal, role_id: int) -> str:
    """An access token for another role of the administrator's tenant. Raises as `act_for`."""
    _, tokens = await act_for(state, administrator, Credentials(role_id=role_id))
    return tokens.access


async def refresh(state: AppState, token: str, address: str) -> tuple[Principal, TokenPair]:
    """Whose refresh token it is, and the next tokens of its session. Raises TooManyAttempts, TokenError."""
    await state.limiter.hit_refresh(address)
    claims = await state.principals.claims_of(token, "refresh")
    principal = await state.principals.principal_of(claims)
    async with state.engine.begin() as connection:
        tokens = await refresh_session(state, connection, claims)
    if tokens is None:
        # Somebody has a refresh token that somebody else has used: neither may go on (RFC 9700, 4.14.2).
        state.principals.drop_session(claims.session_id)
        log.warning("a refresh token of role %d was used again; its session is over", claims.role_id)
        raise TokenRevoked
    return principal, tokens


async def _answer_refresh(request: Request, state: AppState) -> Response:
    routes(request, state)
    principal, tokens = await refresh(state, bearer_token(request.headers), address_of(request, state))
    return await login_reply(request, state, principal, tokens, await wanted_schemas(request, state, principal))


async def _answer_logout(request: Request, state: AppState) -> Response:
    claims = await state.principals.claims_of(bearer_token(request.headers), None)
    await state.principals.principal_of(claims)
    async with state.engine.begin() as connection:
        await end_session(connection, claims.session_id, moment(state))
    state.principals.drop_session(claims.session_id)
    return Response(b'{"message":"Logged out.","status":200}', 200, NO_STORE, "application/json")
