"""plan_text: a plan as its reader wants it, with the names of tables, columns and types in place of all they hold."""

from collections.abc import Iterable
from dataclasses import fields, is_dataclass
from typing import cast

from db.catalog import Column, PgType, Table, TableName
from schema.model import Entity, Relation

INDENT = "  "


def plan_text(value: object) -> str:
    """The plan, a line for each of its nodes and members; members that say nothing are left out."""
    return "\n".join(_lines(value))


def _lines(value: object, label: str = "", depth: int = 0) -> Iterable[str]:
    prefix = INDENT * depth + (f"{label}: " if label else "")
    match value:
        case Entity() | Column() | PgType() | Relation():
            yield f"{prefix}{value.name}"
        case Table():
            yield f"{prefix}{value.name}"
        case TableName() | str():
            yield f"{prefix}{value}"
        case tuple():
            yield prefix.rstrip()
            for item in cast("tuple[object, ...]", value):
                yield from _lines(item, "", depth + 1)
        case _ if is_dataclass(value) and not isinstance(value, type):
            yield f"{prefix}{type(value).__name__}"
            for field in fields(value):
                member: object = getattr(value, field.name)
                # Of a function there is no more to print than where it lies in memory.
                if member is not None and member is not False and member != () and not callable(member):
                    yield from _lines(member, field.name, depth + 1)
        case _:
            yield f"{prefix}{value!r}"
