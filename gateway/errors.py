"""What an error becomes at the wire: its HTTP status, its headers, and its form in a body. Pure."""

from collections.abc import Iterable, Mapping
from typing import ClassVar

from db.errors import DatabaseUnavailable, PublicError, StatementTimedOut, StoreError
from gateway.auth.refusals import AuthError
from schema.errors import OperationError
from schema.query.errors import DocumentError

JsonObject = dict[str, object]


class RequestError(PublicError):
    """An HTTP request that is refused before anyone looks at what it asks for."""

    code = "BAD_REQUEST"
    status: ClassVar[int] = 400

    def headers(self) -> Mapping[str, str]:
        """The response headers that belong to this refusal."""
        return {}


class InternalError(PublicError):
    """A fault of ours. What it was stands in the log under the same id, and nowhere else."""

    code = "INTERNAL"

    def __init__(self, incident: str) -> None:
        super().__init__(f"Something went wrong inside. The log has it under {incident}.")
        self.incident = incident

    def extensions(self) -> JsonObject:
        return super().extensions() | {"id": self.incident}


def auth_status(error: PublicError) -> int:
    """The HTTP status of an error at the doors, where body and response have the same one."""
    match error:
        case AuthError() | RequestError():
            return error.status
        case DatabaseUnavailable() | StatementTimedOut():
            return 503
        case StoreError() | OperationError():
            return 400
        case _:
            return 500


def auth_body(error: PublicError) -> JsonObject:
    """The body of an error at the doors: a sentence and the status."""
    return {"error": error.message, "status": auth_status(error)}


def graphql_status(error: PublicError) -> int:
    """The HTTP status of an error at a GraphQL endpoint, the same for both media types.

    Refusals of the request itself have a status of 4xx. What goes wrong while an operation runs is told inside a
    response with status 200, since clients of the wire look for `errors` only there.
    """
    match error:
        case AuthError() | RequestError():
            return error.status
        case DocumentError():
            return 400
        case _:
            return 200


def is_request_error(error: PublicError) -> bool:
    """Whether nothing was run, so that the response has no `data` (GraphQL September 2025, 7.1.2)."""
    return isinstance(error, AuthError | RequestError | DocumentError)


def error_headers(error: PublicError) -> Mapping[str, str]:
    """The response headers that belong to an error."""
    return error.headers() if isinstance(error, AuthError | RequestError) else {}


def graphql_errors(
    error: PublicError,
    *,
    path: Iterable[str | int] | None = None,
    locations: Iterable[tuple[int, int]] = (),
) -> list[JsonObject]:
    """The members of `errors` for one error: several for a document with several faults.

    A path leads to the field that failed and is for errors of execution alone.
    """
    extensions = error.extensions()
    if isinstance(error, DocumentError):
        return [_graphql_error(fault.message, extensions, None, fault.locations) for fault in error.faults]
    return [_graphql_error(error.message, extensions, path, locations)]


def graphql_body(error: PublicError) -> JsonObject:
    """The body of a response that consists of one error.

    Trouble with a token also has the fields of the doors, so that both kinds of client see its text.
    """
    path = None if error.field is None else [error.field]
    body: JsonObject = {"errors": graphql_errors(error, path=path)}
    if isinstance(error, AuthError):
        return body | auth_body(error)
    return body if is_request_error(error) else body | {"data": None}


def _graphql_error(
    message: str,
    extensions: JsonObject,
    path: Iterable[str | int] | None,
    locations: Iterable[tuple[int, int]],
) -> JsonObject:
    member: JsonObject = {"message": message}
    places = [{"line": line, "column": column} for line, column in locations]
    if places:
        member["locations"] = places
    if path is not None:
        member["path"] = list(path)
    member["extensions"] = extensions
    return member
