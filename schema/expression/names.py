"""How an expression or an ordering finds columns and relations: by their exact names, else by the only one that
differs in case alone."""

from collections.abc import Mapping
from typing import TypeVar

from db.catalog import Column
from schema.errors import UnknownColumn
from schema.expression.tokens import shortened
from schema.model import Entity, Model, Relation

Found = TypeVar("Found")


def find_by_name(things: Mapping[str, Found], name: str) -> Found | None:
    """What has the name exactly, or is the only one to have it in another case."""
    if name in things:
        return things[name]
    folded = name.casefold()
    alike = [thing for known, thing in things.items() if known.casefold() == folded]
    return alike[0] if len(alike) == 1 else None


def get_column(entity: Entity, name: str) -> Column:
    """The column that `name` means. Raises UnknownColumn."""
    column = find_by_name(entity.columns, name)
    if column is None:
        raise UnknownColumn(entity.name, shortened(name))
    return column


def get_relation(entity: Entity, name: str, model: Model) -> tuple[Relation, Entity]:
    """The relation that `name` means, and what it leads to. Raises UnknownColumn."""
    relation = find_by_name(entity.relations, name)
    target = None if relation is None else model.by_table.get(relation.target)
    if relation is None or target is None:
        raise UnknownColumn(entity.name, shortened(name))
    return relation, target
