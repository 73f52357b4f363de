"""plan_changes: what an update makes of the columns of a row."""

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from db.catalog import Column, PgType
from schema.errors import OperationError, UnknownColumn, WrongType
from schema.expression.coerce import json_text
from schema.expression.predicate import Constant
from schema.model import Entity
from schema.query.building.writes import is_json, is_list, is_number, seen_columns
from schema.query.plan import Change, ChangeOperator
from schema.query.planning.given import Given

TEXTS: Final = PgType("_text", "_text", "array", PgType("text", "text"))
INT8: Final = PgType("int8", "int8")
TEXT: Final = PgType("text", "text")
JSONB: Final = PgType("jsonb", "jsonb")
NO_JSON: Final = Constant(None, JSONB)
_OPERATORS: Final[tuple[ChangeOperator, ...]] = ("set", "inc", "append", "prepend", "remove", "concat")
_SUITS: Final[Mapping[ChangeOperator, Callable[[Column], bool]]] = {
    "inc": is_number,
    "append": is_list,
    "prepend": is_list,
    "remove": is_list,
    "concat": is_json,
}


class ColumnChangedTwice(OperationError):
    """An update says two things about one column."""

    code = "COLUMN_CHANGED_TWICE"

    def __init__(self, column: str) -> None:
        super().__init__(f"{column} is changed twice in one update.")


class NothingToChange(OperationError):
    """An update says nothing about any column or relation."""

    code = "NOTHING_TO_CHANGE"

    def __init__(self, field: str) -> None:
        super().__init__(f"{field} changes nothing.")


def plan_changes(entity: Entity, members: Iterable[tuple[str, Given]]) -> tuple[Change, ...]:
    """The changes that `set`, `inc` and the like stand for, among the members of an object or the arguments of a field.

    Several places in one JSON column are one change after another. Raises ColumnChangedTwice."""
    found: list[Change] = []
    for name, value in members:
        if value.is_null:
            continue
        if name in _OPERATORS:
            # Null is a value to be set, but nothing to be added.
            found += [
                _change(entity, name, column, given)
                for column, given in value.fields()
                if name == "set" or not given.is_null
            ]
        elif name in {"set_path", "delete_path"}:
            found += [_at_path(entity, item, is_set=name == "set_path") for item in value.items()]
    _check_once(found)
    return tuple(found)


def _change(entity: Entity, operator: ChangeOperator, name: str, value: Given) -> Change:
    if operator == "set":
        column = entity.writable[name]
        return Change(column, operator, (value.argument(column.type),))
    column = _seen(entity, name, _SUITS[operator])
    return Change(column, operator, (value.argument(JSONB if operator == "concat" else column.type),))


def _seen(entity: Entity, name: str, suits: Callable[[Column], bool]) -> Column:
    """The column, which must be one that the caller sees as it is: what is made of a value tells the value, be it by
    the error that it is too large."""
    column = seen_columns(entity).get(name)
    if column is None:
        raise UnknownColumn(entity.name, name)
    if not suits(column):
        raise WrongType(f"{name} is of another type than this works on.")
    return column


def _at_path(entity: Entity, item: Given, *, is_set: bool) -> Change:
    members = dict(item.fields())
    column = _seen(entity, str(members["column"].plain()), is_json)
    path = members["path"].argument(TEXTS)
    if not is_set:
        return Change(column, "delete_path", (path,))
    value = members.get("value")
    return Change(column, "set_path", (path, NO_JSON if value is None else value.argument(JSONB, json_text)))


def _check_once(changes: list[Change]) -> None:
    operators: dict[str, set[ChangeOperator]] = {}
    for change in changes:
        seen = operators.setdefault(change.column.name, set())
        if seen and not (seen | {change.operator} <= {"set_path", "delete_path", "concat"}):
            raise ColumnChangedTwice(change.column.name)
        seen.add(change.operator)
