"""refusal_of: what PostgreSQL refused, as a StoreError that tells no row and no value."""

import re
from typing import Final

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

_STOPPED: Final = re.compile(r'"ostiary\.stopped_(\w+)"')


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
            return _constraint(UniqueViolated, error)
        case "23503":
            return _constraint(ForeignKeyViolated, error)
        case "23502":
            return _constraint(NotNullViolated, error)
        case "23514":
            return _constraint(CheckViolated, error)
        case "23P01":
            return _constraint(ConstraintViolated, error)
        case "57014":
            return StatementTimedOut()
        case "42501":
            return DatabasePermissionDenied()
        case "42P01" | "42703" | "42883" | "42704" | "42846":
            return CatalogOutdated()
        case "0A000" if str(error).startswith("cached plan"):
            return CatalogOutdated()
        case _ if state[:2] in {"21", "22", "2F"}:
            # Of the class 21 nothing but an upsert of one key twice can come to be here.
            twice = "Two of the rows have the same key."
            return InvalidValue(twice if state[:2] == "21" else "A value is not valid for its type.")
        case _ if state[:2] in {"08", "53", "57", "58"}:
            return DatabaseUnavailable()
        case _:
            return DatabaseRefused()


def reason_of(error: asyncpg.PostgresError) -> str | None:
    """Why a statement has stopped itself, if it has: the reason it gave to `stop` of db/sql.py."""
    # Only the name is looked at: the words around it are in the server's language.
    found = _STOPPED.search(str(error)) if error.sqlstate == "42704" else None
    return found[1] if found else None


def _constraint(kind: type[ConstraintViolated], error: asyncpg.PostgresError) -> ConstraintViolated:
    column = _text(error, "column_name")
    return kind(
        schema=_text(error, "schema_name"),
        table=_text(error, "table_name"),
        constraint=_text(error, "constraint_name"),
        columns=(column,) if column else (),
    )


def _text(error: asyncpg.PostgresError, attribute: str) -> str | None:
    value: object = getattr(error, attribute, None)
    return value if isinstance(value, str) else None
