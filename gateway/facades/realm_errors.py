"""Refusals of Realm's client API, and what every refusal is called there. Pure."""

from dataclasses import dataclass
from typing import Final

from db.errors import DatabaseUnavailable, PublicError, StatementTimedOut
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
)
from gateway.errors import RequestError
from gateway.facades.apps import AppNotFound


class ForeignToken(AuthError):
    """A token of one tenant, used for the app of another. A 401 would let a client renew its token, again and again."""

    code = "FOREIGN_TOKEN"
    status = 403

    def __init__(self) -> None:
        super().__init__("This token is not one of this app.")


class FunctionNotFound(AuthError):
    """A function that the caller may not call, or that is not there: nobody learns which."""

    code = "FUNCTION_NOT_FOUND"
    status = 404

    def __init__(self, name: str) -> None:
        super().__init__(f"function not found: '{name[:200]}'")


class ServiceNotFound(AuthError):
    """A call of a service. There are functions only; rows are read and written by GraphQL."""

    code = "SERVICE_NOT_FOUND"
    status = 404

    def __init__(self) -> None:
        super().__init__("service not found: functions and GraphQL are what this app has")


class NoMail(AuthError):
    """A mail is to be sent or was to be answered: to confirm an address, or to forget a password."""

    code = "NO_MAIL"
    status = 400

    def __init__(self) -> None:
        super().__init__("this app sends no mail: accounts need no confirmation, administrators give new passwords")


class NotLinked(AuthError):
    """Credentials that belong to an account already, or somebody who is no guest: nothing is ever merged by itself."""

    code = "NOT_LINKED"
    status = 409


class AnonymousNotLinked(AuthError):
    """An anonymous login is to be linked to whoever is logged in."""

    code = "ANONYMOUS_NOT_LINKED"

    def __init__(self) -> None:
        super().__init__("linking an anonymous identity is not allowed")


@dataclass(frozen=True, slots=True)
class Refusal:
    """A refusal as clients of Realm know it."""

    status: int
    error_code: str
    error: str


_BY_STATUS: Final = {403: "Forbidden", 404: "NotFound", 409: "Conflict", 429: "TooManyRequests"}

# In the order in which they are looked up. Without a text the sentence of the error is said.
_KNOWN: Final[tuple[tuple[type[PublicError], int, str, str | None], ...]] = (
    (TokenError, 401, "InvalidSession", "invalid session"),
    (InvalidCredentials, 401, "InvalidPassword", "invalid username/password"),
    (NoSuchRole, 401, "InvalidPassword", "invalid username/password"),
    (AppNotFound, 404, "AppNotFound", "cannot find app using this Client App ID"),
    (NoSuchTenant, 404, "AppNotFound", "cannot find app using this Client App ID"),
    (TenantSuspended, 404, "AppNotFound", "cannot find app using this Client App ID"),
    (AnonymousNotAllowed, 403, "AuthProviderNotFound", "authentication via 'anon-user' is unsupported"),
    (RegistrationClosed, 403, "AuthProviderNotFound", "registration via 'local-userpass' is unsupported"),
    (LoginInUse, 409, "AccountNameInUse", "name already in use"),
    (NotLinked, 409, "AccountNameInUse", None),
    (FunctionNotFound, 404, "FunctionNotFound", None),
    (ServiceNotFound, 404, "ServiceNotFound", None),
    (DatabaseUnavailable, 503, "InternalServerError", None),
    (StatementTimedOut, 503, "InternalServerError", None),
)


def refusal_of(error: PublicError) -> Refusal:
    """What a refusal is called there.

    On 401 with InvalidSession, or with the error `unauthorized`, clients renew their access token and try again, and
    do so without end if that does not help: so only trouble with a token is called so.
    """
    for known, status, error_code, text in _KNOWN:
        if isinstance(error, known):
            return Refusal(status, error_code, text or error.message)
    if isinstance(error, AuthError | RequestError):
        status = 400 if error.status == 401 else error.status
        return Refusal(status, _BY_STATUS.get(status, "BadRequest"), error.message)
    return Refusal(400, "FunctionExecutionError", error.message)
