"""What Mudbase's clients do with users and sessions, onto the doors of guests and accounts."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from db.records import Tenant
from db.roles import find_role
from gateway.auth import guests
from gateway.auth.credentials import MAX_LOGIN_CHARS, MAX_PASSWORD_CHARS, parse_text
from gateway.auth.guests import Caller
from gateway.auth.login import note_failure, refresh
from gateway.auth.refusals import InvalidCredentials, NoSuchRole, TenantSuspended
from gateway.auth.sessions import TokenPair
from gateway.auth.tokens import Claims
from gateway.facades.mudbase_errors import Refusal, invalid, unauthorized
from gateway.state import AppState
from schema.principal import Principal

MAX_NAME_CHARS: Final = 160
MAX_DEVICE_CHARS: Final = 200

Fields = Mapping[str, object]
Body = dict[str, object]


@dataclass(frozen=True, slots=True)
class Issued:
    """Tokens, and for how many seconds the access token counts."""

    tokens: TokenPair
    expires_in: int


@dataclass(frozen=True, slots=True)
class Project:
    """A tenant as its clients know it, for one caller."""

    state: AppState
    tenant: Tenant
    address: str

    async def log_in_guest(self, fields: Fields) -> Body:
        """A new guest with a session. A device is remembered, and proves nothing."""
        device_id = parse_text("deviceId", fields.get("deviceId"), MAX_DEVICE_CHARS)
        challenge = parse_text("challenge", fields.get("challenge"), MAX_PASSWORD_CHARS)
        caller = Caller(self.address, "mudbase", device_id)
        entered = await guests.login_guest(self.state, self.tenant.tenant_id, caller, challenge=challenge)
        return await self._entered("Anonymous session created successfully", entered.principal, entered.tokens)

    async def convert(self, claims: Claims, fields: Fields) -> Body:
        """The guest as an account, with new tokens of its session."""
        email, password = _credentials(fields)
        name = _name(fields)
        principal = await guests.convert(self.state, claims, email, password, self._caller(), name=name)
        renewed = await guests.renew(self.state, claims)
        return await self._entered("Account converted successfully", principal, renewed.tokens)

    async def register(self, fields: Fields) -> Body:
        """A new account with a session."""
        email, password = _credentials(fields)
        tenant_id, caller = self.tenant.tenant_id, self._caller()
        await guests.register(self.state, tenant_id, email, password, caller, name=_name(fields))
        entered = await guests.log_in(self.state, tenant_id, email, password, caller)
        body = await self._entered("Registered successfully", entered.principal, entered.tokens)
        return body | {"requireVerification": False}

    async def log_in(self, fields: Fields) -> Body:
        """An account with a session."""
        email = parse_text("email", fields.get("email"), MAX_LOGIN_CHARS)
        password = parse_text("password", fields.get("password"), MAX_PASSWORD_CHARS)
        if email is None or password is None:
            raise invalid("email and password are required")
        tenant_id = self.tenant.tenant_id
        try:
            entered = await guests.log_in(self.state, tenant_id, email, password, self._caller())
        except (InvalidCredentials, NoSuchRole, TenantSuspended) as refusal:
            if isinstance(refusal, NoSuchRole):
                # The answer does not tell an unknown email from a wrong password, and its time must not either.
                await self.state.passwords.verify(None, password)
            await note_failure(self.state, tenant_id, email, refusal.code)
            raise
        return await self._entered("Login successful", entered.principal, entered.tokens)

    async def erase(self, claims: Claims, fields: Fields) -> Body:
        """What was done: the caller's own user is gone. An account has to prove its password once more."""
        if fields.get("confirm") != "DELETE":
            raise Refusal(400, "", "confirm must be DELETE")
        principal = await self.state.principals.principal_of(claims)
        if principal.kind == "account":
            await self._prove(principal, fields.get("currentPassword"))
        await guests.delete_own(self.state, claims)
        erased = {
            "alreadyErased": False,
            "subjectId": principal.public_id,
            "anonymized": True,
            "sessionsRevoked": True,
        }
        return {"success": True, "message": "User data erased", "data": erased}

    async def _prove(self, principal: Principal, password: object) -> None:
        await self.state.limiter.hit_login(self.address, principal.tenant_id, principal.login)
        async with self.state.passwords.turns, self.state.engine.connect() as connection:
            role = await find_role(connection, principal.tenant_id, principal.role_id)
        given = parse_text("currentPassword", password, MAX_PASSWORD_CHARS) or ""
        if role is None or not await self.state.passwords.verify(role.password_hash, given):
            raise unauthorized("Current password is incorrect")
        await self.state.limiter.forget_failures(self.address, principal.tenant_id, principal.login)

    async def _entered(self, message: str, principal: Principal, tokens: TokenPair) -> Body:
        issued = await _issued(self.state, tokens)
        return {"message": message} | fields_of_session(issued) | {"user": await user_of(self.state, principal)}

    def _caller(self) -> Caller:
        return Caller(self.address, "mudbase")


async def renew(state: AppState, token: str, address: str) -> Issued:
    """The next tokens of a session, for its refresh token. Raises TooManyAttempts, TokenError."""
    _, tokens = await refresh(state, token, address)
    return await _issued(state, tokens)


async def session_of(state: AppState, principal: Principal) -> Body:
    """Whose session it is."""
    return {"authenticated": True, "user": await user_of(state, principal)}


async def leave(state: AppState, claims: Claims) -> None:
    """Nothing; the session is over."""
    await guests.end(state, claims)


def fields_of_session(issued: Issued) -> Body:
    """Tokens as this wire has them."""
    return {
        "token": issued.tokens.access,
        "refreshToken": issued.tokens.refresh,
        "expiresIn": issued.expires_in,
    }


async def user_of(state: AppState, principal: Principal) -> Body:
    """A user in all of its forms at once: the id under both names, and a role that the SDK knows."""
    async with state.engine.connect() as connection:
        role = await find_role(connection, principal.tenant_id, principal.role_id)
    if role is None:
        raise unauthorized()
    is_guest = principal.is_guest
    first, _, last = ("Anonymous", "", "User") if is_guest else role.name.partition(" ")
    return {
        "id": role.public_id,
        "_id": role.public_id,
        "email": f"anonymous_{role.public_id}@anonymous.local" if is_guest else role.login,
        "firstName": first,
        "lastName": last,
        "fullName": f"{first} {last}".strip(),
        "role": "viewer" if is_guest else "member",
        "isAnonymous": is_guest,
        "emailVerified": False,
        "twoFactorEnabled": False,
        "createdAt": role.created_at.isoformat(),
    }


async def _issued(state: AppState, tokens: TokenPair) -> Issued:
    claims = await state.principals.claims_of(tokens.access, "access")
    return Issued(tokens, claims.expires_at - claims.issued_at)


def _credentials(fields: Fields) -> tuple[str, str]:
    email = parse_text("email", fields.get("email"), MAX_LOGIN_CHARS)
    password = parse_text("password", fields.get("password"), MAX_PASSWORD_CHARS)
    if email is None or password is None:
        raise invalid("email and password are required")
    local, at, domain = email.strip().rpartition("@")
    if not at or not local or "." not in domain:
        raise invalid("email must be an email address")
    return email, password


def _name(fields: Fields) -> str | None:
    parts = [parse_text(name, fields.get(name), MAX_NAME_CHARS) for name in ("firstName", "lastName")]
    return " ".join(part.strip() for part in parts if part is not None).strip() or None
