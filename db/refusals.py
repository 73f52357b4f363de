"""refusal_of: what PostgreSQL refused, as a StoreError that tells no row and no value."""

import asyncpg

from db.errors import (
    CheckViolated,
    ConstraintViolated,
    DatabaseUnavailable,
    ForeignKeyViolated,
    InvalidValue,
    NotNullViolated,
    StatementTimedOut,
    StoreError,
    UniqueViolated,
)


class DatabaseRefused(StoreError):
    """PostgreSQL refused a statement for a reason that is not the caller's to know."""

    code = "DATABASE_REFUSED"

    def __init__(self) -> None:
        super().__init__("The database refused the operation.")


class DatabasePermissionDenied(StoreError):
    """The database user that the tenant is configured with may not do this."""

    code = "DATABASE_PERMISSION_DENIED"

    def __init__(self) -> None:
        super().__init__("The gateway's database user may not do this.")


class CatalogOutdated(StoreError):
    """The statement names something that the database no longer has."""

    code = "CATALOG_OUTDATED"

    def __init__(self) -> None:
        super().__init__("The database has changed; ask again in a moment.")


def refusal_of(error: asyncpg.PostgresError) -> StoreError:
    """The class for an SQLSTATE (PostgreSQL documentation, Appendix A)."""
    state: str = error.sqlstate or ""
    match state:
        case "23505":
            return _constraint(UniqueViolated, "A row with this {constraint} exists already", error)
        case "23503":
            return _constraint(
                ForeignKeyViolated, "A row that {constraint} refers to is missing or still in use", error
            )
        case "23502":
            return NotNullViolated(f"{_column(error)} must have a value.", table=_text(error, "table_name"))
        case "23514":
            return _constraint(CheckViolated, "The row does not satisfy {constraint}", error)
        case "23P01":
            return _constraint(ConstraintViolated, "The row conflicts with another by {constraint}", error)
        case "57014":
            return StatementTimedOut()
        case "42501":
            return DatabasePermissionDenied()
        case "42P01" | "42703" | "42883" | "42704" | "42846":
            return CatalogOutdated()
        case "0A000" if str(error).startswith("cached plan"):
            return CatalogOutdated()
        case _ if state[:2] in {"22", "2F"}:
            return InvalidValue("A value is not valid for its type.")
        case _ if state[:2] in {"08", "53", "57", "58"}:
            return DatabaseUnavailable()
        case _:
            return DatabaseRefused()


def _constraint(kind: type[ConstraintViolated], sentence: str, error: asyncpg.PostgresError) -> ConstraintViolated:
    constraint = _text(error, "constraint_name")
    return kind(
        sentence.format(constraint=constraint or "constraint") + ".",
        table=_text(error, "table_name"),
        constraint=constraint,
    )


def _column(error: asyncpg.PostgresError) -> str:
    return _text(error, "column_name") or "A column"


def _text(error: asyncpg.PostgresError, attribute: str) -> str | None:
    value: object = getattr(error, attribute, None)
    return value if isinstance(value, str) else None
