"""What a refusal becomes at the wire of Backendless: a status, and `{"message", "code"}` with a number as code. Pure.

The numbers are those of its list of error codes. What it has none for gets 40000 and the status.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from db.errors import DatabaseUnavailable, InvalidValue, PublicError, StatementTimedOut, StoreError, UniqueViolated
from gateway.auth.refusals import (
    AnonymousNotAllowed,
    AuthError,
    InvalidCredentials,
    LoginInUse,
    NoSuchRole,
    NoSuchTenant,
    RegistrationClosed,
    TenantSuspended,
    TokenError,
    TooManyAttempts,
    TooManyGuests,
)
from gateway.errors import RequestError, error_headers
from gateway.facades.apps import AppNotFound
from gateway.tenancy import NoSuchTenant as TenantGone
from schema.errors import (
    AccessDenied,
    ExpressionSyntaxError,
    OperationError,
    PolicyViolated,
    UnknownColumn,
    UnknownFunction,
    UnsupportedExpression,
    WrongType,
)
from schema.query.run import RowNotFound

Action = Literal["create", "update", "find", "delete", "users"]

_DENIED: Final[Mapping[Action, tuple[int, str]]] = {
    "create": (1011, "User has no permission to create entity"),
    "update": (1012, "User has no permission to update entity"),
    "find": (1013, "User has no permission to find elements in persistence storage."),
    "delete": (1014, "User has no permission to delete elements from persistence storage."),
    "users": (1012, "User has no permission to update entity"),
}


@dataclass
class Refusal(Exception):
    """A refusal in this wire's own terms. `number` is its code."""

    status: int
    number: int
    message: str
    headers: Mapping[str, str] = field(default_factory=dict[str, str])


def denied(action: Action) -> Refusal:
    """The caller may not do this, or not with this row."""
    number, message = _DENIED[action]
    return Refusal(403, number, message)


def unknown_app() -> Refusal:
    """There is no such application, or its tenant does not open this facade: the two look the same."""
    return Refusal(400, 2002, "Invalid application info (application id or api-key)")


def unknown_token() -> Refusal:
    """A token that never was one, whose session is over, or that belongs to another application."""
    return Refusal(400, 3064, "Not existing user token. Relogin user")


def unknown_table(name: str) -> Refusal:
    """There is no such table, or none that the caller may know of."""
    return Refusal(400, 1009, f"Unable to retrieve data - unknown entity {name[:63]}")


def unknown_row() -> Refusal:
    """There is no row with this id, or none that the caller may see."""
    return Refusal(404, 1000, "Entity with the specified ID cannot be found")


def unsupported(what: str) -> Refusal:
    """Something of the real service that is not offered here."""
    return Refusal(400, 40400, f"{what} is not offered here.")


def no_such_address() -> Refusal:
    return Refusal(404, 40404, "There is nothing at this address.")


def refusal_of(error: PublicError, action: Action) -> Refusal:
    """The refusal that tells of an error what it may tell."""
    match error:
        case AuthError() | TenantGone():
            return _of_door(error, action)
        case StoreError() | OperationError():
            return _of_operation(error, action)
        case RequestError():
            return Refusal(error.status, 40000 + error.status, error.message, error_headers(error))
        case _:
            return Refusal(500, 40500, error.message)


def _of_door(error: AuthError | TenantGone, action: Action) -> Refusal:
    headers = error.headers() if isinstance(error, AuthError) else {}
    match error:
        case TokenError():
            return unknown_token()
        case AppNotFound() | TenantGone() | NoSuchTenant() | TenantSuspended():
            return unknown_app()
        case AnonymousNotAllowed() if action != "users":
            return denied(action)
        case AnonymousNotAllowed() | RegistrationClosed():
            return Refusal(403, 3009, "User registration is disabled for the application")
        case InvalidCredentials() | NoSuchRole():
            return Refusal(401, 3003, "Invalid login or password")
        case LoginInUse():
            return Refusal(409, 3033, "User with the same identity already exists")
        case TooManyAttempts() | TooManyGuests():
            return Refusal(429, 999, error.message, headers)
        case _:
            return Refusal(error.status, 40000 + error.status, error.message, headers)


def _of_operation(error: StoreError | OperationError, action: Action) -> Refusal:
    match error:
        case AccessDenied() | PolicyViolated():
            return denied(action)
        case RowNotFound():
            return unknown_row()
        case UnknownColumn():
            return Refusal(400, 1006, error.message)
        case ExpressionSyntaxError() | UnknownFunction() | UnsupportedExpression():
            return Refusal(400, 1017, f"Invalid where clause. {error.message}")
        case WrongType() | InvalidValue() if action in {"find", "delete"}:
            return Refusal(400, 1017, f"Invalid where clause. {error.message}")
        case WrongType() | InvalidValue():
            return Refusal(400, 1007, error.message)
        case UniqueViolated():
            return Refusal(409, 40409, error.message)
        case DatabaseUnavailable() | StatementTimedOut():
            # Not 502, which the SDK reads as no connection, whatever the body says.
            return Refusal(503, 40503, error.message, {"Retry-After": "1"})
        case _:
            return Refusal(400, 40400, error.message)
