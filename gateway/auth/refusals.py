"""Every refusal of the doors, each with the status and the sentence that the wire gives it. Pure."""

from typing import ClassVar

from db.errors import PublicError


class AuthError(PublicError):
    """A refusal at a door. `status` is both the HTTP status and the `status` of the body."""

    code = "AUTH_REFUSED"
    status: ClassVar[int] = 400

    def headers(self) -> dict[str, str]:
        """The response headers that belong to this refusal."""
        return {"WWW-Authenticate": "Bearer"} if self.status == 401 else {}


class BadBody(AuthError):
    """A body that is neither JSON nor a form, or not what its content type says."""

    code = "BAD_BODY"


class UnsupportedContentType(AuthError):
    code = "UNSUPPORTED_CONTENT_TYPE"
    status = 415

    def __init__(self) -> None:
        super().__init__("Send JSON or a form.")


class MissingField(AuthError):
    code = "MISSING_FIELD"

    def __init__(self, field: str) -> None:
        super().__init__(f"Missing required field: {field}.")


class BadField(AuthError):
    """A field whose value has the wrong type, or is too long."""

    code = "BAD_FIELD"


class BadHost(AuthError):
    """A Host header that is malformed or not one of ours: no address can be made of it."""

    code = "BAD_HOST"

    def __init__(self) -> None:
        super().__init__("The Host header does not name this gateway.")


class InvalidCredentials(AuthError):
    code = "INVALID_CREDENTIALS"
    status = 403

    def __init__(self) -> None:
        super().__init__("Invalid credentials.")


class NoSuchRole(AuthError):
    code = "NO_SUCH_ROLE"
    status = 404

    def __init__(self, role: str | int, tenant_id: int) -> None:
        super().__init__(f"No such role {role} for tenant {tenant_id}.")


class NoSuchTenant(AuthError):
    code = "NO_SUCH_TENANT"
    status = 404

    def __init__(self, tenant_id: int) -> None:
        super().__init__(f"No such tenant {tenant_id}.")


class TenantSuspended(AuthError):
    code = "TENANT_SUSPENDED"
    status = 403

    def __init__(self, tenant_id: int) -> None:
        super().__init__(f"Tenant {tenant_id} is suspended.")


class AnonymousNotAllowed(AuthError):
    code = "ANONYMOUS_NOT_ALLOWED"
    status = 403

    def __init__(self, tenant_id: int) -> None:
        super().__init__(f"Tenant {tenant_id} does not allow anonymous access.")


class RegistrationClosed(AuthError):
    """Newcomers cannot make themselves an account here, and guests cannot become one."""

    code = "REGISTRATION_CLOSED"
    status = 403

    def __init__(self, tenant_id: int) -> None:
        super().__init__(f"Tenant {tenant_id} does not let visitors register.")


class TooManyGuests(AuthError):
    """The tenant has as many guests as it wants."""

    code = "TOO_MANY_GUESTS"
    status = 429

    def __init__(self, tenant_id: int) -> None:
        super().__init__(f"Tenant {tenant_id} takes no more guests at the moment.")

    def headers(self) -> dict[str, str]:
        return {"Retry-After": "3600"}


class NotAGuest(AuthError):
    """Only a guest of its own can become an account, or part of one: not the shared visitor, and not an account."""

    code = "NOT_A_GUEST"
    status = 409

    def __init__(self) -> None:
        super().__init__("This session is not that of a guest.")


class NotAnAccount(AuthError):
    """What only an account can do: a guest, or the shared visitor, asks for it."""

    code = "NOT_AN_ACCOUNT"
    status = 409

    def __init__(self) -> None:
        super().__init__("This session is not that of an account.")


class LoginInUse(AuthError):
    """Somebody has this login. Nothing was changed, and nothing is ever merged by itself."""

    code = "LOGIN_IN_USE"
    status = 409

    def __init__(self) -> None:
        super().__init__("This login is in use.")


class WeakPassword(AuthError):
    """A password that the rules for passwords do not take."""

    code = "WEAK_PASSWORD"


class AdoptionRefused(AuthError):
    """Rows of the guest stand in the way of rows of the account. Nothing was changed."""

    code = "ADOPTION_REFUSED"
    status = 409


class RefusedByHook(AuthError):
    """The tenant was asked, and does not want it. What it says is the sentence."""

    code = "REFUSED_BY_HOOK"
    status = 403

    def __init__(self, reason: str) -> None:
        super().__init__(reason or "The tenant has refused this.")


class HookSilent(AuthError):
    """The tenant was asked, and did not answer in time. Nothing was changed."""

    code = "HOOK_SILENT"
    status = 503

    def __init__(self) -> None:
        super().__init__("The tenant cannot be asked at the moment. Try again shortly.")

    def headers(self) -> dict[str, str]:
        return {"Retry-After": "5"}


class ChallengeFailed(AuthError):
    """The tenant sets visitors a challenge, and none, or not the right one, was met."""

    code = "CHALLENGE_FAILED"
    status = 403

    def __init__(self) -> None:
        super().__init__("The challenge was not met.")


class RootStays(AuthError):
    """The tenant's root role cannot delete itself."""

    code = "ROOT_STAYS"
    status = 403

    def __init__(self) -> None:
        super().__init__("The tenant's root role cannot delete itself.")


class RoleNotInTenant(AuthError):
    code = "ROLE_NOT_IN_TENANT"

    def __init__(self) -> None:
        super().__init__("Role is not in this tenant.")


class NotAdministrator(AuthError):
    code = "NOT_ADMINISTRATOR"

    def __init__(self) -> None:
        super().__init__("Non-administrators may not access other roles.")


class RootIsNotYours(AuthError):
    """An administrator other than the tenant's root asks to act as root, which may do more."""

    code = "ROOT_ONLY"
    status = 403

    def __init__(self) -> None:
        super().__init__("Only the tenant's root role may act as the root role.")


class TooManyAttempts(AuthError):
    code = "TOO_MANY_ATTEMPTS"
    status = 429

    def __init__(self, retry_after_seconds: int) -> None:
        super().__init__(f"Too many attempts. Try again in {retry_after_seconds} seconds.")
        self.retry_after_seconds = retry_after_seconds

    def headers(self) -> dict[str, str]:
        return {"Retry-After": str(self.retry_after_seconds)}


class TooBusy(AuthError):
    """More logins wait for their password check than the gateway is willing to keep waiting."""

    code = "TOO_BUSY"
    status = 503

    def __init__(self) -> None:
        super().__init__("Too many logins at this moment. Try again shortly.")

    def headers(self) -> dict[str, str]:
        return {"Retry-After": "1"}


class TokenError(AuthError):
    """No token, or not one that counts here. The wire's texts all begin alike."""

    code = "TOKEN_REFUSED"
    status = 401

    def __init__(self, reason: str) -> None:
        super().__init__(f"Unauthorized access: {reason}")


class TokenMissing(TokenError):
    code = "TOKEN_MISSING"

    def __init__(self) -> None:
        super().__init__("Missing Authorization Header")


class TokenExpired(TokenError):
    code = "TOKEN_EXPIRED"

    def __init__(self) -> None:
        super().__init__("Token has expired")


class TokenRevoked(TokenError):
    """A genuine token whose session, role or tenant is no longer there."""

    code = "TOKEN_REVOKED"

    def __init__(self) -> None:
        super().__init__("Token has been revoked")


class TokenForged(TokenError):
    """A token that this gateway did not issue in this form."""

    code = "TOKEN_FORGED"
    status = 422


class TokenNotYetValid(TokenError):
    code = "TOKEN_NOT_YET_VALID"
    status = 422

    def __init__(self) -> None:
        super().__init__("Token is not yet valid")


class WrongTokenType(TokenError):
    """A refresh token where an access token belongs, or the other way round."""

    code = "WRONG_TOKEN_TYPE"
    status = 422

    def __init__(self, expected: str) -> None:
        super().__init__(f"Only {expected} tokens are allowed")
