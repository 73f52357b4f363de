"""What a refusal becomes at the wire of Mudbase: a status, and `{"error", "code"}`. Pure.

Its SDK drops an error whose members have other types than it knows: `error` and `code` are texts, `retryAfter` is a
number.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from db.errors import (
    ConstraintViolated,
    DatabaseUnavailable,
    PublicError,
    StatementTimedOut,
    StoreError,
    UniqueViolated,
)
from gateway.auth.refusals import (
    AnonymousNotAllowed,
    AuthError,
    ChallengeFailed,
    InvalidCredentials,
    LoginInUse,
    NoSuchRole,
    NoSuchTenant,
    RefusedByHook,
    RegistrationClosed,
    RootStays,
    TenantSuspended,
    TokenError,
    TooManyAttempts,
    TooManyGuests,
)
from gateway.errors import InternalError, RequestError, error_headers
from gateway.facades.apps import AppNotFound
from gateway.tenancy import NoSuchTenant as TenantGone
from schema.errors import AccessDenied, OperationError, PolicyViolated
from schema.query.run import RowNotFound


@dataclass
class Refusal(Exception):
    """A refusal in this wire's own terms. Without a `code` there is none in the body."""

    status: int
    code: str
    message: str
    headers: Mapping[str, str] = field(default_factory=dict[str, str])

    def body(self) -> dict[str, object]:
        told: dict[str, object] = {"error": self.message}
        if self.code:
            told["code"] = self.code
        if "Retry-After" in self.headers and self.status == 429:
            told["retryAfter"] = int(self.headers["Retry-After"])
        return told


def invalid(message: str) -> Refusal:
    """What is asked for lacks something, or holds something that it cannot hold."""
    return Refusal(400, "VALIDATION_ERROR", message)


def unauthorized(message: str = "Unauthorized") -> Refusal:
    """No token, or not one that counts here."""
    return Refusal(401, "UNAUTHORIZED", message, {"WWW-Authenticate": "Bearer"})


def forbidden(message: str = "Forbidden") -> Refusal:
    return Refusal(403, "FORBIDDEN", message)


def not_found(what: str) -> Refusal:
    """There is no such thing, or none that the caller may know of: the two look the same."""
    return Refusal(404, "NOT_FOUND", f"{what} not found")


def refusal_of(error: PublicError) -> Refusal:
    """The refusal that tells of an error what it may tell."""
    match error:
        case AuthError() | TenantGone():
            return _of_door(error)
        case StoreError() | OperationError():
            return _of_operation(error)
        case RequestError():
            return Refusal(error.status, "BAD_REQUEST", error.message, error_headers(error))
        case InternalError():
            return Refusal(500, "INTERNAL_ERROR", error.message)
        case _:
            return invalid(error.message)


def _of_door(error: AuthError | TenantGone) -> Refusal:
    match error:
        case TokenError():
            return unauthorized()
        case AppNotFound() | TenantGone() | NoSuchTenant() | TenantSuspended():
            return not_found("Project")
        case AnonymousNotAllowed():
            return forbidden("Anonymous authentication is not enabled for this project")
        case RegistrationClosed() | RefusedByHook() | ChallengeFailed() | RootStays():
            return forbidden(error.message)
        case InvalidCredentials() | NoSuchRole():
            return unauthorized("Invalid email or password")
        case LoginInUse():
            return Refusal(400, "EMAIL_IN_USE", "Email is already registered")
        case TooManyAttempts() | TooManyGuests():
            return Refusal(429, "RATE_LIMITED", error.message, error.headers())
        case _ if error.status < 500:
            # Of the statuses that the SDK has a class for, that of a request which cannot be answered.
            return Refusal(400, error.code if error.status == 409 else "VALIDATION_ERROR", error.message)
        case _:
            return Refusal(error.status, "UNAVAILABLE", error.message, error.headers())


def _of_operation(error: StoreError | OperationError) -> Refusal:
    match error:
        case AccessDenied() | PolicyViolated():
            return forbidden("No policy rule allows this")
        case RowNotFound():
            return not_found("Document")
        case UniqueViolated():
            return Refusal(409, "CONFLICT", error.message)
        case ConstraintViolated():
            return invalid(error.message)
        case DatabaseUnavailable() | StatementTimedOut():
            return Refusal(503, "UNAVAILABLE", error.message, {"Retry-After": "1"})
        case _:
            return invalid(error.message)
