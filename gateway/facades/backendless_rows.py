"""Rows as Backendless writes them ↔ rows of ours: `objectId`, `___class`, `ownerId`, moments in milliseconds. Pure."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final, cast

from db.catalog import Column
from gateway.facades.backendless_errors import Refusal
from gateway.facades.backendless_where import MOMENTS, Names, iso_text
from gateway.facades.tables import Picked, TableView

#: What the service adds to rows, and its SDK sends back with them.
ADDED: Final = frozenset({"___class", "__meta", "__subID", "objectId", "ownerId", "created", "updated"})
Row = Mapping[str, object]


def shown_row(picked: Picked, row: Row, class_name: str, names: Names) -> dict[str, object]:
    """A row as its reader has it; `class_name` is the name under which the table was asked for."""
    table = picked.table
    shown = {name: shown_value(row[name], table.columns[name]) for name in picked.columns}
    for name, related in picked.related.items():
        shown[name] = _shown_related(related, row[name], names)
    shown["___class"] = class_name
    if table.key is not None and "objectId" not in table.columns:
        shown["objectId"] = None if row[table.key] is None else str(row[table.key])
    if "ownerId" not in table.columns and names.owner is not None and names.owner in row:
        # Who else a row belongs to is not told.
        shown["ownerId"] = names.public_id if row[names.owner] == names.role_id else None
    return shown


def shown_value(value: object, column: Column) -> object:
    """A value; a moment is counted in milliseconds since 1970."""
    if not isinstance(value, str) or column.type.base not in MOMENTS or column.type.kind != "base":
        return value
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        # PostgreSQL's infinity, or a year that Python does not have.
        return value
    return milliseconds(moment)


def milliseconds(moment: datetime) -> int:
    """A moment in milliseconds since 1970; without a zone it is in UTC."""
    zoned = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return round(zoned.timestamp() * 1000)


def stored_values(table: TableView, row: Row) -> dict[str, object]:
    """The values that are to be stored. Raises Refusal for what is no column that the caller may write."""
    writable = table.entity.writable
    values: dict[str, object] = {}
    for name, value in row.items():
        column = writable.get(name)
        if column is not None:
            values[name] = _stored(value, column)
        elif name not in ADDED and name not in table.columns:
            raise Refusal(400, 1021, f"There are no such properties : {name[:63]}")
    return values


def id_of(table: TableView, row: Row) -> object:
    """The id that a row is sent with, None for a new one."""
    given = row.get("objectId")
    return row.get(table.key) if given is None and table.key is not None else given


def _stored(value: object, column: Column) -> object:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if is_number and column.type.base in MOMENTS and column.type.kind == "base":
        return iso_text(float(cast("int | float", value)), column) or value
    return value


def _shown_related(picked: Picked, value: object, names: Names) -> object:
    # Of rows beside the one at hand nobody has said which column names the owner.
    apart = Names(None, names.public_id, names.role_id)
    if isinstance(value, list):
        rows = cast("list[Row]", value)
        return [shown_row(picked, row, picked.table.name, apart) for row in rows]
    return None if value is None else shown_row(picked, cast("Row", value), picked.table.name, apart)
