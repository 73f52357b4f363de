"""OperationError and its family: the operation cannot be answered as it is written."""

from db.errors import PublicError


class OperationError(PublicError):
    """An operation that cannot be answered as it is written."""

    code = "BAD_OPERATION"


class AccessDenied(OperationError):
    """No rule allows the principal this operation on this target."""

    code = "ACCESS_DENIED"

    def __init__(self, capability: str, target: str) -> None:
        super().__init__(f"No policy rule allows {capability} on {target}.")


class PolicyViolated(OperationError):
    """A row as it would be stored lies outside what the rules allow."""

    code = "POLICY_VIOLATED"

    def __init__(self, capability: str, target: str) -> None:
        super().__init__(f"The row is outside what the policy rules for {capability} on {target} allow.")


class ExpressionSyntaxError(OperationError):
    """An expression that the grammar does not know. Position counts characters from 1."""

    code = "EXPRESSION_SYNTAX"

    def __init__(self, message: str, position: int) -> None:
        super().__init__(f"{message} (at character {position})")
        self.position = position

    def extensions(self) -> dict[str, object]:
        return super().extensions() | {"position": self.position}


class UnknownColumn(OperationError):
    """An expression or an ordering names a column or relation that its table does not have, or that is hidden."""

    code = "UNKNOWN_COLUMN"

    def __init__(self, table: str, column: str) -> None:
        super().__init__(f"{table} has no column {column!r}.")


class WrongType(OperationError):
    """A value or operator that does not fit the type of what it is compared with."""

    code = "WRONG_TYPE"


class UnknownFunction(OperationError):
    """An expression calls a function that is not on the list of allowed ones."""

    code = "UNKNOWN_FUNCTION"

    def __init__(self, name: str) -> None:
        super().__init__(f"There is no function {name!r} for expressions.")


class UnsupportedExpression(OperationError):
    """An expression that the grammar knows and that cannot be answered: it is too large, or has no meaning here."""

    code = "UNSUPPORTED_EXPRESSION"
