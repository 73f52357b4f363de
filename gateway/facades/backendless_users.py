"""What Backendless' clients do with users: `users/…`, onto the doors of guests and accounts."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from db.records import Tenant
from db.roles import find_role
from gateway.auth import guests
from gateway.auth.credentials import MAX_LOGIN_CHARS, MAX_PASSWORD_CHARS, parse_text
from gateway.auth.guests import Caller
from gateway.auth.login import note_failure
from gateway.auth.refusals import InvalidCredentials, NoSuchRole, TenantSuspended, TokenRevoked
from gateway.auth.sessions import Terms
from gateway.auth.tokens import Claims
from gateway.facades.backendless_errors import Refusal, denied, unknown_token
from gateway.facades.backendless_rows import ADDED, milliseconds
from gateway.facades.own_role import change_own
from gateway.state import AppState
from schema.principal import Principal
from schema.roles_pbac.passwords import PasswordRefused

#: What a session may rest, where the tenant has not said otherwise: the service's own default.
IDLE_SECONDS: Final = 3600
MAX_NAME_CHARS: Final = 320
_KNOWN: Final = frozenset({"email", "password", "name"})
#: What the service or its SDK adds to a user. Of it nothing is stored.
_IGNORED: Final = ADDED | {
    "user-token",
    "userStatus",
    "blUserLocale",
    "lastLogin",
    "socialAccount",
    "oAuthIdentities",
    "loggedInUser",
}

Fields = Mapping[str, object]
User = dict[str, object]


@dataclass(frozen=True, slots=True)
class Registry:
    """The users of one application, for one caller."""

    state: AppState
    tenant: Tenant
    address: str

    @property
    def caller(self) -> Caller:
        return Caller(self.address, "backendless")

    @property
    def terms(self) -> Terms:
        """How long sessions of this wire last: as long as they are used, and the gateway lets any last."""
        idle_seconds = self.tenant.guests.idle_seconds or IDLE_SECONDS
        return Terms(self.state.settings.session_max_seconds, idle_seconds, has_secret=True)

    async def claims_of(self, token: str) -> Claims:
        """The claims of a `user-token` of this application. Raises Refusal."""
        try:
            claims = await self.state.principals.claims_of_secret(token)
        except TokenRevoked as error:
            raise unknown_token() from error
        if claims.tenant_id != self.tenant.tenant_id:
            raise unknown_token()
        return claims

    async def is_valid(self, token: str) -> bool:
        """Whether the session of the token goes on; to ask is no use of it, or it would be kept by asking."""
        try:
            await self.state.principals.principal_of(await self.claims_of(token), is_use=False)
        except (Refusal, TokenRevoked):
            return False
        return True

    async def log_in_guest(self, fields: Fields) -> User:
        """A new guest, with its token. The SDK sends no field; others may meet a tenant's challenge."""
        challenge = parse_text("challenge", fields.get("challenge"), MAX_PASSWORD_CHARS)
        entered = await guests.login_guest(
            self.state, self.tenant.tenant_id, self.caller, terms=self.terms, challenge=challenge
        )
        return await self.user_of(entered.principal) | {"user-token": entered.tokens.secret}

    async def log_in(self, fields: Fields) -> User:
        """An account, with its token."""
        login = parse_text("login", _as_text(fields.get("login")), MAX_LOGIN_CHARS)
        password = parse_text("password", fields.get("password"), MAX_PASSWORD_CHARS)
        if login is None and fields.get("objectId") is not None:
            raise Refusal(400, 2014, "Login by objectId alone is not allowed")
        if login is None or password is None:
            raise Refusal(401, 3003, "Invalid login or password")
        tenant_id = self.tenant.tenant_id
        try:
            entered = await guests.log_in(self.state, tenant_id, login, password, self.caller, terms=self.terms)
        except (InvalidCredentials, NoSuchRole, TenantSuspended) as refusal:
            if isinstance(refusal, NoSuchRole):
                # The answer does not tell an unknown login from a wrong password, and its time must not either.
                await self.state.passwords.verify(None, password)
            await note_failure(self.state, tenant_id, login, refusal.code)
            raise
        return await self.user_of(entered.principal) | {"user-token": entered.tokens.secret}

    async def register(self, fields: Fields, token: str | None) -> User:
        """An account without a session: a new one, or with the `objectId` of the guest who asks that guest itself."""
        login, password, name = _read_registration(fields)
        public_id = fields.get("objectId")
        if public_id is None:
            tenant_id = self.tenant.tenant_id
            made = await guests.register(self.state, tenant_id, login, password, self.caller, name=name)
            return await self.user_of(made)
        # The id alone is no proof: whoever sees a row of a guest's may see it.
        if token is None:
            raise unknown_token()
        claims = await self.claims_of(token)
        guest = await self.state.principals.principal_of(claims)
        if guest.public_id != public_id:
            raise denied("update")
        return await self.user_of(await guests.convert(self.state, claims, login, password, self.caller, name=name))

    async def change(self, principal: Principal, user_id: str, fields: Fields) -> User:
        """The caller's own user, with another name or password."""
        if user_id != principal.public_id or principal.kind == "nobody":
            raise denied("update")
        _require_known(fields)
        before = await self.user_of(principal)
        name = parse_text("name", fields.get("name"), MAX_NAME_CHARS) or str(before["name"])
        password = parse_text("password", fields.get("password"), MAX_PASSWORD_CHARS)
        email = fields.get("email")
        if (email is not None and email != before["email"]) or (password is not None and principal.is_guest):
            raise Refusal(
                400, 40400, "The email of a user stays, and a guest gets one, and a password, by registering."
            )
        if name != before["name"] or password is not None:
            try:
                await change_own(self.state, principal, self.address, name=name, password=password)
            except PasswordRefused as error:
                raise Refusal(400, 40400, error.message) from error
        return await self.user_of(principal)

    async def remove(self, claims: Claims) -> None:
        """Nothing; the caller's own user is gone."""
        await guests.delete_own(self.state, claims)

    async def user_of(self, principal: Principal) -> User:
        """A user as its own client sees it."""
        async with self.state.engine.connect() as connection:
            role = await find_role(connection, principal.tenant_id, principal.role_id)
        if role is None:
            raise unknown_token()
        return {
            "___class": "Users",
            "objectId": role.public_id,
            "ownerId": role.public_id,
            "email": None if role.kind == "guest" else role.login,
            "name": role.name,
            "userStatus": "GUEST" if role.kind == "guest" else "ENABLED",
            "created": milliseconds(role.created_at),
            "updated": None,
        }


def roles_of(principal: Principal) -> list[str]:
    """The names of the service's own roles that a user has."""
    match principal.kind:
        case "nobody":
            return ["NotAuthenticatedUser"]
        case "guest":
            return ["GuestUser"]
        case "account":
            return ["AuthenticatedUser"]


def _read_registration(fields: Fields) -> tuple[str, str, str | None]:
    _require_known(fields)
    login = parse_text("email", fields.get("email"), MAX_LOGIN_CHARS)
    password = parse_text("password", fields.get("password"), MAX_PASSWORD_CHARS)
    if password is None:
        raise Refusal(400, 3011, "Password cannot be empty")
    if login is None:
        raise Refusal(400, 3013, "The value of the identity property email cannot be empty")
    _, at, domain = login.strip().rpartition("@")
    if not at or "." not in domain or login.strip().startswith("@"):
        raise Refusal(400, 3040, "User email is in the wrong format")
    return login, password, parse_text("name", fields.get("name"), MAX_NAME_CHARS)


def _require_known(fields: Fields) -> None:
    if "id" in fields:
        raise Refusal(400, 3039, "Property 'id' is not allowed for users")
    for name, value in fields.items():
        if value is not None and name not in _KNOWN | _IGNORED:
            raise Refusal(400, 1021, f"There are no such properties : {name[:63]}")


def _as_text(value: object) -> object:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value
