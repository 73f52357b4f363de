"""Arguments of our own statements for the control database, as the driver takes them on connections of SQLAlchemy."""

from collections.abc import Sequence
from datetime import UTC, datetime

from db.errors import InvalidValue
from db.sql import Statement
from schema.expression.predicate import Constant, Lifted, PrincipalValue


def timed(statement: Statement, arguments: Sequence[object]) -> list[object]:
    """The arguments, with moments that are no texts. Raises InvalidValue."""
    return [
        _moment(value)
        if isinstance(source, Constant | Lifted | PrincipalValue) and source.type.base == "timestamptz"
        else value
        for source, value in zip(statement.sources, arguments, strict=True)
    ]


def _moment(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        moment = datetime.fromisoformat(value.strip())
    except ValueError:
        raise InvalidValue("That is not a moment in ISO 8601 form.") from None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
