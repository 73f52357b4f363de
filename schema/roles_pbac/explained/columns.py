"""Which columns an operation can read or write, and how they look."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from db.catalog import Column
from schema.expression.predicate import NEVER, Predicate
from schema.grants import ColumnView, Grant
from schema.model import Entity
from schema.policy import AGGREGATE, capability_for
from schema.roles_pbac.explained.filters import Truth
from schema.roles_pbac.explained.onlooker import Onlooker

Access = Literal["read", "masked", "null", "depends", "hidden", "write", "forced", "closed"]
"""`depends` is on the row; what is `hidden` is not in the schema; `closed` cannot be given a value, and `forced` is by
the rules."""


@dataclass(frozen=True, slots=True)
class ColumnAccess:
    """`conditions` are those on the row that decide, in the order in which they do."""

    name: str
    access: Access
    mask: str | None = None
    conditions: tuple[tuple[Predicate, Access, str | None], ...] = ()

    def on_row(self, truths: Sequence[Truth]) -> "ColumnAccess":
        """The same for a row, of which `truths` are those of the conditions."""
        if not self.conditions:
            return self
        otherwise: Access = "closed" if self.access in {"write", "closed"} else "null"
        for (_, access, mask), truth in zip(self.conditions, truths, strict=True):
            if truth is True:
                return ColumnAccess(self.name, access, mask)
        return ColumnAccess(self.name, otherwise)


def column_access(grant: Grant | None, entity: Entity | None, operation: str, onlooker: Onlooker) -> list[ColumnAccess]:
    """Each column, as far as the onlooker knows of it; nothing where all columns are alike."""
    if grant is None or entity is None or operation not in {"select", AGGREGATE, "insert", "update"}:
        return []
    if capability_for(operation) == "select":
        found = [] if grant.is_whole else list(_read(grant, entity))
    else:
        found = list(_written(grant, entity, operation))
        if all(each.access == "write" and not each.conditions for each in found):
            return []
    return [each for each in found if onlooker.reads(entity, entity.columns[each.name].name)]


def _read(grant: Grant, entity: Entity) -> Iterator[ColumnAccess]:
    for name, column in entity.columns.items():
        view = grant.view(column.name) if grant.reads(column.name) else None
        # A key that is sometimes null is none, and not in the schema (role_model).
        if not grant.reads(column.name) or (view is not None and column.name in entity.table.primary_key):
            yield ColumnAccess(name, "hidden")
        elif view is None:
            yield ColumnAccess(name, "read")
        else:
            yield _seen(name, view)


def _seen(name: str, view: ColumnView) -> ColumnAccess:
    conditions: list[tuple[Predicate, Access, str | None]] = []
    if view.plain != NEVER:
        conditions.append((view.plain, "read", None))
    for rows, mask in view.masked:
        conditions.append((rows, "null" if mask.kind == "null" else "masked", mask.kind))
    is_masked = view.plain == NEVER and len(view.masked) == 1
    mask = view.masked[0][1].kind if is_masked else None
    return ColumnAccess(name, "masked" if is_masked else "depends", mask, tuple(conditions))


def _written(grant: Grant, entity: Entity, operation: str) -> Iterator[ColumnAccess]:
    lists_columns = any(part.write_columns is not None for part in grant.parts)
    for name, column in entity.columns.items():
        if not grant.writes(column.name) or not column.is_writable:
            yield ColumnAccess(name, "forced" if _is_forced(grant, column) else "closed")
        elif operation == "update" and lists_columns:
            yield ColumnAccess(name, "write", None, ((grant.before([column.name]), "write", None),))
        else:
            yield ColumnAccess(name, "write")


def _is_forced(grant: Grant, column: Column) -> bool:
    return any(column.name == forced.name for part in grant.parts for forced, _ in part.forced)
