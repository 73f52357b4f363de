"""DocumentError and its family: a document that is refused before anything of it is run."""

from collections.abc import Iterable
from dataclasses import dataclass

from schema.errors import OperationError

MAX_MESSAGE_LENGTH = 500


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong with a document. Locations are lines and columns, both counted from 1."""

    message: str
    locations: tuple[tuple[int, int], ...] = ()


class DocumentError(OperationError):
    """A request error (GraphQL September 2025, 7.1.2): nothing was run, and the response has no `data`."""

    code = "DOCUMENT_REFUSED"

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__(self.faults[0].message)


class DocumentSyntax(DocumentError):
    """A text that the grammar of GraphQL does not know."""

    code = "GRAPHQL_PARSE_FAILED"


class DocumentInvalid(DocumentError):
    """A document that breaks a validation rule, or asks for what the schema does not have."""

    code = "GRAPHQL_VALIDATION_FAILED"


class LimitExceeded(DocumentError):
    """A document larger, deeper or wider than the limits allow."""

    code = "LIMIT_EXCEEDED"

    def __init__(self, what: str, limit: int) -> None:
        super().__init__([Fault(f"The document has more {what} than the limit of {limit}.")])
        self.limit = limit


class TooMuchToValidate(DocumentError):
    """A document that repeats so many fields that comparing them would keep the others waiting."""

    code = "TOO_MUCH_TO_VALIDATE"

    def __init__(self) -> None:
        super().__init__([Fault("The document repeats too many fields to be compared with each other.")])


class OperationNotChosen(DocumentError):
    """No operation, or more than one, fits the request (GraphQL September 2025, 6.1 GetOperation)."""

    code = "OPERATION_RESOLUTION_FAILURE"

    def __init__(self, message: str) -> None:
        super().__init__([Fault(message)])


class VariablesInvalid(DocumentError):
    """Variables that do not fit what the operation declares (GraphQL September 2025, 6.1.2)."""

    code = "BAD_USER_INPUT"


def clip(message: str) -> str:
    """The message, cut where it would repeat too much of what the caller sent."""
    if len(message) <= MAX_MESSAGE_LENGTH:
        return message
    return message[: MAX_MESSAGE_LENGTH - 1] + "…"
