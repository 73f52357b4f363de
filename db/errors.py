"""Every refusal that a caller may see, from its root down to what a database can say."""

from typing import ClassVar


class PublicError(Exception):
    """A refusal in one sentence that is safe to show. Each class has one stable code."""

    code: ClassVar[str] = "REFUSED"

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message
        #: The response key of the root field that failed, where it was one of several.
        self.field: str | None = None

    def extensions(self) -> dict[str, object]:
        """What stands under `extensions` in a GraphQL error: the code, and what a class adds to it."""
        return {"code": self.code}


class StoreError(PublicError):
    """A database could not do what was asked."""

    code = "STORE_ERROR"


class DatabaseUnavailable(StoreError):
    """A database did not answer, or no connection to it came free in time."""

    code = "DATABASE_UNAVAILABLE"

    def __init__(self, message: str = "The database cannot be reached at the moment.") -> None:
        super().__init__(message)


class StatementTimedOut(StoreError):
    """A statement ran past its time limit and was ended."""

    code = "TIMEOUT"

    def __init__(self) -> None:
        super().__init__("The operation took too long and was stopped.")


class TimeLimitExceeded(StoreError):
    """An operation took longer than rules let whoever asked for it take."""

    code = "TIME_LIMIT_EXCEEDED"

    def __init__(self, max_seconds: float) -> None:
        super().__init__(f"The operation took longer than the {max_seconds:g} s that you may take, and was stopped.")


class OutcomeUnknown(StoreError):
    """The connection was lost while a change was being committed, and nobody can tell yet whether it was."""

    code = "OUTCOME_UNKNOWN"

    def __init__(self) -> None:
        super().__init__("The connection was lost during the commit; whether the change was stored is not known.")


class Stopped(Exception):
    """A statement has ended itself with `stop(reason)` of db/sql.py, and with it its transaction."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class ConstraintViolated(StoreError):
    """A change breaks a constraint of the tenant's database. Its names are those of the database, which are told only
    to those who know the table (schema/query/constraints.py)."""

    code = "CONSTRAINT_VIOLATED"
    sentence: ClassVar[str] = "The row conflicts with another by {constraint}."
    unnamed: ClassVar[str] = "A constraint of the database forbids this."

    def __init__(
        self,
        message: str = "",
        *,
        schema: str | None = None,
        table: str | None = None,
        constraint: str | None = None,
        columns: tuple[str, ...] = (),
    ) -> None:
        named = constraint or " and ".join(columns)
        super().__init__(message or (self.sentence.format(constraint=named) if named else self.unnamed))
        self.schema = schema
        self.table = table
        self.constraint = constraint
        self.columns = columns

    def extensions(self) -> dict[str, object]:
        named = {"table": self.table, "columns": list(self.columns) or None, "constraint": self.constraint}
        return super().extensions() | {name: value for name, value in named.items() if value is not None}


class UniqueViolated(ConstraintViolated):
    code = "UNIQUE_VIOLATED"
    sentence = "A row with this {constraint} exists already."


class ForeignKeyViolated(ConstraintViolated):
    code = "FOREIGN_KEY_VIOLATED"
    sentence = "A row that {constraint} refers to is missing or still in use."
    unnamed = "A row that is referred to is missing or still in use."


class NotNullViolated(ConstraintViolated):
    code = "NOT_NULL_VIOLATED"
    sentence = "{constraint} must have a value."
    unnamed = "A column must have a value."


class CheckViolated(ConstraintViolated):
    code = "CHECK_VIOLATED"
    sentence = "The row does not satisfy {constraint}."


class InvalidValue(StoreError):
    """A value is not one that its PostgreSQL type can hold."""

    code = "INVALID_VALUE"
