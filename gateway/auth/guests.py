"""Guests and accounts: the one place where visitors come in, register, become accounts, and end their sessions.

Doors and facades only translate to these functions and back. Each takes `state` and who asks: a `Caller`, or the
`Claims` of a token that was read. Each raises AuthErrors, and on any failure has changed nothing.

    login_guest(state, tenant_id, caller, terms=None, challenge=None)   → Entered   a guest with a session of its own
    register(state, tenant_id, login, password, caller, name=None)      → Principal an account, without a session
    register_login(state, tenant_id, login, password, caller)           → None      a login that nobody has entered by
    log_in(state, tenant_id, login, password, caller, terms=None)       → Entered   an account, also by such a login
    convert(state, claims, login, password, caller, name=None)          → Principal the guest as an account, same id
    link(state, claims, login, password, caller)                        → Principal the same, by a registered login
    renew(state, claims)                                                → Entered   new tokens of the same session
    delete_own(state, claims)                                           → None      the role of the session, gone
    list_sessions(state, claims)                                        → sessions of the role that go on
    end(state, claims, session_id=None), end_all(state, claims)         → what ends

`state.principals.claims_of(token, type)` reads a token, `claims_of_secret(secret)` one that is no JWT,
`principal_of(claims, is_use=…)` says who that is now.
"""

import logging
from collections.abc import Iterable
from dataclasses import dataclass, replace

from sqlalchemy.ext.asyncio import AsyncConnection

from db.audit import set_actor
from db.commit import commit
from db.guests import (
    Converted,
    NewAccount,
    NotConverted,
    convert_guest,
    count_live_guests,
    delete_own_role,
    insert_account,
    insert_guest,
)
from db.identities import is_storable
from db.provider_identities import PASSWORD, claim_identity, find_provider_identity
from db.records import Role, Session, Tenant
from db.roles import find_login, find_role, normal_login
from db.sessions import end_session, find_session, list_open_sessions
from db.tenants import find_tenant
from gateway.auth.credentials import MAX_LOGIN_CHARS
from gateway.auth.login import account_terms, conceals_logins, require_tenant
from gateway.auth.login import log_in as log_in_by_password
from gateway.auth.principals import read_principal
from gateway.auth.refusals import (
    AnonymousNotAllowed,
    AuthError,
    BadField,
    InvalidCredentials,
    LoginInUse,
    NotAGuest,
    RegistrationClosed,
    RootStays,
    TokenRevoked,
    TooManyGuests,
    WeakPassword,
)
from gateway.auth.sessions import Entered, Terms, begin_session, moment, renew_session
from gateway.auth.tokens import Claims
from gateway.hooks import ask_challenge, ask_hook, tell_hook
from gateway.state import AppState
from schema.principal import NORMAL_CAPABILITIES, Principal
from schema.roles_pbac.passwords import PasswordRefused, PasswordRules

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Caller:
    """From where somebody asks, by which wire and on which device; the last is no secret, and proves nothing."""

    address: str
    facade: str = "native"
    device_id: str | None = None


async def login_guest(
    state: AppState, tenant_id: int, caller: Caller, *, terms: Terms | None = None, challenge: str | None = None
) -> Entered:
    """A new guest, and its session: no longer than `terms` or the tenant's policy allow. Raises TooManyAttempts,
    AnonymousNotAllowed, NoSuchTenant, TenantSuspended, TooManyGuests, ChallengeFailed, RefusedByHook, HookSilent."""
    await state.limiter.hit_anonymous(caller.address, tenant_id)
    return await make_guest(state, tenant_id, caller, terms=terms, challenge=challenge)


async def make_guest(
    state: AppState, tenant_id: int, caller: Caller, *, terms: Terms | None = None, challenge: str | None = None
) -> Entered:
    """The same, of an anonymous login that was counted already."""
    # Counted with sign-ups: a guest is a role that somebody makes for itself.
    await state.limiter.hit_role(caller.address, tenant_id)
    async with state.passwords.turns, state.engine.connect() as connection:
        tenant, _ = await get_open_tenant(state, connection, tenant_id)
    asked = {"facade": caller.facade, "device_id": caller.device_id, "address": caller.address}
    await ask_challenge(state, tenant, challenge, caller.address)
    await ask_hook(state, tenant, "before_guest_login", asked)
    async with state.passwords.turns, state.engine.begin() as connection:
        tenant, _ = await get_open_tenant(state, connection, tenant_id)
        limit = tenant.guests.max_guests
        if limit is not None and await count_live_guests(connection, tenant_id) >= limit:
            raise TooManyGuests(tenant_id)
        role = await insert_guest(connection, tenant_id, public_id=state.random(12).hex(), now=moment(state))
        principal = await read_principal(connection, tenant, role, "")
        session, tokens = await begin_session(state, connection, principal, guest_terms(state, tenant, caller, terms))
        told = {"roleid": role.role_id, "id": role.public_id, "facade": caller.facade}
        await tell_hook(connection, tenant, "after_guest_login", told, moment(state))
    log.info("guest %d came to tenant %d", role.role_id, tenant_id)
    return Entered(replace(principal, session_id=session.session_id), session, tokens)


async def get_open_tenant(state: AppState, connection: AsyncConnection, tenant_id: int) -> tuple[Tenant, Role]:
    """A tenant that visitors may come to, and its Nobody role. Raises AnonymousNotAllowed, NoSuchTenant,
    TenantSuspended; when logins are concealed only the first."""
    tenant = await find_tenant(connection, tenant_id, state.master_key)
    if conceals_logins(state, tenant) and (tenant is None or tenant.suspended):
        raise AnonymousNotAllowed(tenant_id)
    tenant = require_tenant(tenant, tenant_id)
    if tenant.nobody_role_id is None:
        raise AnonymousNotAllowed(tenant_id)
    nobody = await find_role(connection, tenant_id, tenant.nobody_role_id)
    if nobody is None or nobody.deleted:
        raise AnonymousNotAllowed(tenant_id)
    return tenant, nobody


def guest_terms(state: AppState, tenant: Tenant, caller: Caller, wanted: Terms | None) -> Terms:
    """What a guest's session lasts: as wanted, within what the tenant allows."""
    policy = tenant.guests
    longest = policy.session_seconds or state.settings.anonymous_session_max_seconds
    if wanted is None:
        return Terms(longest, policy.idle_seconds, caller.facade, caller.device_id)
    limits = [seconds for seconds in (wanted.idle_seconds, policy.idle_seconds) if seconds is not None]
    max_seconds = wanted.max_seconds if policy.session_seconds is None else min(wanted.max_seconds, longest)
    return replace(
        wanted,
        max_seconds=max_seconds,
        idle_seconds=min(limits, default=None),
        facade=caller.facade,
        device_id=caller.device_id,
    )


async def register(
    state: AppState, tenant_id: int, login: str, password: str, caller: Caller, *, name: str | None = None
) -> Principal:
    """A new account that somebody makes for itself; to log in is another step. Raises as `login_guest`, and
    RegistrationClosed, LoginInUse, BadField, WeakPassword, TooBusy."""
    account = await _new_account(state, tenant_id, login, password, caller, name)
    async with state.passwords.turns, state.engine.begin() as connection:
        tenant = await _get_registering(state, connection, tenant_id)
        principal = await _insert_account(state, connection, tenant, account)
        if principal is None:
            raise LoginInUse
    log.info("role %d of tenant %d registered", principal.role_id, tenant_id)
    return principal


async def _insert_account(
    state: AppState, connection: AsyncConnection, tenant: Tenant, account: NewAccount
) -> Principal | None:
    """Who the new account is; None where its login is another's."""
    role = await insert_account(
        connection,
        tenant.tenant_id,
        account,
        public_id=state.random(12).hex(),
        capabilities=NORMAL_CAPABILITIES,
        now=moment(state),
    )
    return None if role is None else await read_principal(connection, tenant, role, "")


async def register_login(state: AppState, tenant_id: int, login: str, password: str, caller: Caller) -> None:
    """Nothing; the login is registered, and makes an account once somebody logs in by it, or `link`s it to a guest.
    Raises as `register`."""
    account = await _new_account(state, tenant_id, login, password, caller, None)
    async with state.passwords.turns, state.engine.begin() as connection:
        await _get_registering(state, connection, tenant_id)
        role = await find_login(connection, tenant_id, account.login)
        is_free = (role is None or role.deleted) and await claim_identity(
            connection,
            tenant_id=tenant_id,
            provider=PASSWORD,
            subject=account.login,
            role_id=None,
            now=moment(state),
            password_hash=account.password_hash,
        )
        if not is_free:
            raise LoginInUse


async def log_in(
    state: AppState, tenant_id: int, login: str, password: str, caller: Caller, *, terms: Terms | None = None
) -> Entered:
    """A new session of the account whose login and password these are; a login that was registered and not entered by
    makes one. Raises as the login at /auth does."""
    terms = replace(terms or account_terms(state), facade=caller.facade, device_id=caller.device_id)
    async with state.passwords.turns, state.engine.connect() as connection:
        identity = await find_provider_identity(connection, tenant_id, PASSWORD, normal_login(login))
        is_unclaimed = identity is not None and identity.role_id is None
        is_unclaimed = is_unclaimed and await find_login(connection, tenant_id, normal_login(login)) is None
    if identity is None or not is_unclaimed:
        return await log_in_by_password(state, tenant_id, login, password, caller.address, terms)
    await state.limiter.hit_login(caller.address, tenant_id, login)
    claimed = await _verify_unclaimed(state, identity.password_hash, password)
    account = NewAccount(identity.subject, claimed, claimed_hash=claimed)
    async with state.passwords.turns, state.engine.begin() as connection:
        tenant = await _get_registering(state, connection, tenant_id)
        principal = await _insert_account(state, connection, tenant, account)
        if principal is None:
            raise InvalidCredentials
        session, tokens = await begin_session(state, connection, principal, terms)
    await state.limiter.forget_failures(caller.address, tenant_id, login)
    return Entered(replace(principal, session_id=session.session_id), session, tokens)


async def convert(
    state: AppState, claims: Claims, login: str, password: str, caller: Caller, *, name: str | None = None
) -> Principal:
    """The guest of the session as an account: its id, its rows and its sessions stay, and their tokens go on. Raises
    TokenRevoked, NotAGuest, RegistrationClosed, LoginInUse, BadField, WeakPassword, TooManyAttempts, TooBusy,
    RefusedByHook, HookSilent."""
    guest = await _get_guest(state, claims)
    account = await _new_account(state, guest.tenant_id, login, password, caller, name)
    return await _convert(state, guest, account)


async def link(state: AppState, claims: Claims, login: str, password: str, caller: Caller) -> Principal:
    """The same, by a login that was registered before and has no account yet. Raises as `convert`, LoginInUse where
    the login has one, and InvalidCredentials."""
    guest = await _get_guest(state, claims)
    await state.limiter.hit_login(caller.address, guest.tenant_id, login)
    async with state.passwords.turns, state.engine.connect() as connection:
        identity = await find_provider_identity(connection, guest.tenant_id, PASSWORD, normal_login(login))
        role = await find_login(connection, guest.tenant_id, normal_login(login))
    if identity is not None and identity.role_id is None:
        claimed = await _verify_unclaimed(state, identity.password_hash, password)
        return await _convert(state, guest, NewAccount(identity.subject, claimed, claimed_hash=claimed))
    # Whether a login is taken is told to whoever knows its password, and not by how long the refusal takes.
    is_taken = role is not None and not role.deleted
    if await state.passwords.verify(role.password_hash if is_taken and role is not None else None, password):
        raise LoginInUse
    raise InvalidCredentials


async def renew(state: AppState, claims: Claims) -> Entered:
    """New tokens of the session, whose refresh token of before is used up. Raises TokenRevoked."""
    principal = await state.principals.principal_of(claims)
    async with state.passwords.turns, state.engine.begin() as connection:
        session = await find_session(connection, claims.session_id)
        tokens = None if session is None else await renew_session(state, connection, session)
        if session is None or tokens is None:
            raise TokenRevoked
    return Entered(principal, session, tokens)


async def delete_own(state: AppState, claims: Claims) -> None:
    """Nothing; the role of the session is gone for good, and so are all its sessions. Its rows stay. Raises
    TokenRevoked, RootStays, and NotAGuest for the visitors' shared role."""
    principal = await state.principals.principal_of(claims)
    if principal.is_root:
        raise RootStays
    if principal.kind == "nobody":
        raise NotAGuest
    async with state.passwords.turns, state.engine.connect() as connection:
        await set_actor(connection, principal.role_id)
        session_ids = await delete_own_role(connection, principal.role_id, moment(state))
        await commit(connection)
    drop_sessions(state, session_ids)


async def list_sessions(state: AppState, claims: Claims) -> tuple[Session, ...]:
    """The sessions of the role that go on; of the visitors' shared role only the one that asks. Raises TokenRevoked."""
    principal = await state.principals.principal_of(claims)
    async with state.engine.connect() as connection:
        if principal.kind == "nobody":
            session = await find_session(connection, claims.session_id)
            return () if session is None else (session,)
        return await list_open_sessions(connection, principal.role_id, moment(state))


async def end(state: AppState, claims: Claims, session_id: str | None = None) -> bool:
    """Whether a session of the same role was ended: the one of the claims, or the one that is named. Raises
    TokenRevoked."""
    chosen = session_id or claims.session_id
    own = {session.session_id for session in await list_sessions(state, claims)}
    if chosen not in own | {claims.session_id}:
        return False
    return bool(await _end_sessions(state, [chosen]))


async def end_all(state: AppState, claims: Claims) -> int:
    """How many sessions were ended: all of the role. Raises TokenRevoked."""
    return await _end_sessions(state, [session.session_id for session in await list_sessions(state, claims)])


def drop_sessions(state: AppState, session_ids: Iterable[str]) -> None:
    """Nothing; this process reads anew whom the sessions stand for. The others hear of it by the commit."""
    for session_id in session_ids:
        state.principals.drop_session(session_id)


async def _end_sessions(state: AppState, session_ids: list[str]) -> int:
    async with state.passwords.turns, state.engine.begin() as connection:
        ended = [await end_session(connection, session_id, moment(state)) for session_id in sorted(session_ids)]
    drop_sessions(state, session_ids)
    return sum(ended)


async def _get_guest(state: AppState, claims: Claims) -> Principal:
    principal = await state.principals.principal_of(claims)
    if principal.kind != "guest":
        raise NotAGuest
    return principal


async def _get_registering(state: AppState, connection: AsyncConnection, tenant_id: int) -> Tenant:
    tenant, _ = await get_open_tenant(state, connection, tenant_id)
    if not tenant.guests.registration:
        raise RegistrationClosed(tenant_id)
    return tenant


async def _convert(state: AppState, guest: Principal, account: NewAccount) -> Principal:
    told = {"roleid": guest.role_id, "id": guest.public_id, "login": account.login}
    async with state.passwords.turns, state.engine.connect() as connection:
        tenant = await _get_registering(state, connection, guest.tenant_id)
    await ask_hook(state, tenant, "before_conversion", told)
    async with state.passwords.turns, state.engine.connect() as connection:
        await set_actor(connection, guest.role_id)
        tenant = await _get_registering(state, connection, guest.tenant_id)
        converted = await convert_guest(
            connection,
            guest.tenant_id,
            guest.role_id,
            guest.session_id,
            account,
            capabilities=NORMAL_CAPABILITIES,
            now=moment(state),
        )
        if not isinstance(converted, Converted):
            # What was tried is undone with the connection's transaction.
            raise _refusal(converted)
        principal = await read_principal(connection, tenant, converted.role, guest.session_id)
        await tell_hook(connection, tenant, "after_conversion", told, moment(state))
        await commit(connection)
    drop_sessions(state, converted.session_ids)
    log.info("guest %d of tenant %d is an account", guest.role_id, guest.tenant_id)
    return principal


def _refusal(reason: NotConverted) -> AuthError:
    match reason:
        case "session_over":
            return TokenRevoked()
        case "not_a_guest":
            return NotAGuest()
        case "login_taken":
            return LoginInUse()


async def _new_account(
    state: AppState, tenant_id: int, login: str, password: str, caller: Caller, name: str | None
) -> NewAccount:
    """The account, if its parts are such as are taken; nothing is stored yet. Counted with sign-ups."""
    normal = normal_login(login)
    if not normal or len(normal) > MAX_LOGIN_CHARS or not is_storable(normal):
        raise BadField("login must be text that can be stored.")
    if name is not None and not is_storable(name):
        raise BadField("name must be text that can be stored.")
    await state.limiter.hit_role(caller.address, tenant_id)
    rules = PasswordRules(state.settings.password_min_length, refuses_common=state.settings.password_refuse_common)
    try:
        rules.check(password)
    except PasswordRefused as refusal:
        raise WeakPassword(refusal.message) from refusal
    async with state.passwords.turns, state.engine.connect() as connection:
        await _get_registering(state, connection, tenant_id)
    return NewAccount(normal, await state.passwords.hash(password), name)


async def _verify_unclaimed(state: AppState, password_hash: str | None, password: str) -> str:
    if password_hash is None or not await state.passwords.verify(password_hash, password):
        raise InvalidCredentials
    return password_hash
