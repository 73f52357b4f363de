"""to_where(filter, table): a filter of Mudbase, which writes it as MongoDB does → the value of `where:`. Pure."""

from collections.abc import Mapping
from typing import Final, cast

from db.catalog import Column
from gateway.facades.mudbase_errors import invalid
from gateway.facades.tables import TableView, only_key
from schema.model import Entity, Relation
from schema.names import condition_members

MAX_LEVELS: Final = 20
_TESTS: Final = {
    "$eq": "_eq",
    "$ne": "_neq",
    "$gt": "_gt",
    "$gte": "_gte",
    "$lt": "_lt",
    "$lte": "_lte",
    "$in": "_in",
    "$nin": "_nin",
}

Where = dict[str, object]
Members = Mapping[str, object]


def to_where(given: object, table: TableView) -> Where:
    """The condition that means the same. Raises Refusal.

    Whether the caller may look into a column, and what it can be compared with, is left for the engine to judge.
    """
    return _condition(given, table, table.entity, 0)


def to_ordering(text: str, table: TableView) -> tuple[str, ...]:
    """The entries of `ordering:` for names of columns, each perhaps with a minus for the other direction."""
    names = [name for name in text.replace(",", " ").split() if name.strip("+-")]
    return tuple(
        f"{_name(name.lstrip('+-'), table.entity)} {'desc' if name.startswith('-') else 'asc'}" for name in names
    )


def _condition(given: object, table: TableView, entity: Entity, level: int) -> Where:
    if not isinstance(given, dict) or level > MAX_LEVELS:
        raise invalid("filter must be a JSON object, and not too deep")
    parts = [_part(name, value, table, entity, level) for name, value in cast("dict[str, object]", given).items()]
    return parts[0] if len(parts) == 1 else {"_and": parts} if parts else {}


def _part(name: str, value: object, table: TableView, entity: Entity, level: int) -> Where:
    match name:
        case "$and" | "$or":
            return {f"_{name[1:]}": _conditions(value, table, entity, level)}
        case "$nor":
            return {"_not": {"_or": _conditions(value, table, entity, level)}}
        case "$not":
            return {"_not": _condition(value, table, entity, level + 1)}
        case _ if name.startswith("$"):
            raise invalid(f"The operator {name[:63]} is not offered here")
        case _:
            return _on_path(name.split("."), value, table, entity, level)


def _conditions(value: object, table: TableView, entity: Entity, level: int) -> list[Where]:
    if not isinstance(value, list):
        raise invalid("$and, $or and $nor take a list")
    return [_condition(each, table, entity, level + 1) for each in cast("list[object]", value)]


def _on_path(path: list[str], value: object, table: TableView, entity: Entity, level: int) -> Where:
    if level > MAX_LEVELS:
        raise invalid("filter must be a JSON object, and not too deep")
    step, *rest = path
    member = _member(step, entity)
    found = condition_members(entity).get(member)
    if isinstance(found, Relation) and rest:
        target = table.view.schema.model.by_table.get(found.target)
        if target is None:
            raise invalid(f"There is no field {step[:63]}")
        inner = _on_path(rest, value, table, target, level + 1)
        return {member: {"_some": inner} if found.many else inner}
    if not isinstance(found, Column) or rest:
        raise invalid(f"There is no field {'.'.join(path)[:63]}")
    tests = _tests(value)
    negated = tests.pop("_not", None)
    return {member: tests} if negated is None else {"_and": [{member: tests}, {"_not": {member: negated}}]}


def _tests(value: object) -> Where:
    """The tests of a column; `_not` are those that shall not hold."""
    is_operators = isinstance(value, dict) and any(name.startswith("$") for name in cast("Members", value))
    if not is_operators:
        return {"_is_null": True} if value is None else {"_eq": value}
    given = cast("Members", value)
    tests: Where = {}
    for name, operand in given.items():
        match name:
            case "$eq" | "$ne" if operand is None:
                tests["_is_null"] = name == "$eq"
            case "$exists":
                tests["_is_null"] = not operand
            case "$regex":
                tests["_iregex" if "i" in str(given.get("$options", "")) else "_regex"] = operand
            case "$options":
                continue
            case "$not":
                tests["_not"] = _tests(operand)
            case _ if name in _TESTS:
                tests[_TESTS[name]] = operand
            case _:
                raise invalid(f"The operator {name[:63]} is not offered here")
    return tests


def _member(name: str, entity: Entity) -> str:
    name = _name(name, entity)
    if name in entity.columns:
        column = entity.columns[name]
        return next((each for each, member in condition_members(entity).items() if member is column), name)
    return name


def _name(name: str, entity: Entity) -> str:
    """The column that a field is: `_id` is the primary key."""
    return only_key(entity) or name if name == "_id" and name not in entity.columns else name
