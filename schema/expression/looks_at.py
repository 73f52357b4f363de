"""own_columns: the columns of its own row that a predicate looks at, also where it does so from related rows."""

from collections.abc import Iterator
from typing import assert_never

from schema.expression.predicate import (
    Aggregated,
    Alike,
    Always,
    And,
    AnyOf,
    Applied,
    Calculated,
    Cast,
    ColumnOf,
    Compare,
    ComposedValue,
    Constant,
    Counted,
    CursorValue,
    Exists,
    Fenced,
    IsNull,
    JsonAt,
    Lifted,
    Matches,
    Never,
    Not,
    NotTrue,
    Operand,
    Or,
    Outer,
    Predicate,
    PrincipalValue,
    Related,
    RowCount,
    Search,
    VariableValue,
)
from schema.model import Entity


def own_columns(predicate: Predicate, entity: Entity) -> frozenset[str]:
    """Their names in the SQL, with those by which its relations lead on."""
    return frozenset(_of_predicate(predicate, entity, 0))


def _of_predicate(predicate: Predicate, entity: Entity, level: int) -> Iterator[str]:
    """`level` relations away from the row, whose level is 0."""
    match predicate:
        case Always() | Never():
            return
        case Compare(left, _, right) | Matches(left, right):
            yield from _of_operand(left, entity, level)
            yield from _of_operand(right, entity, level)
        case IsNull(operand) | AnyOf(operand) | Search(operand):
            yield from _of_operand(operand, entity, level)
        case Applied(RowCount() as count) | Counted(count):
            yield from _of_relation(count.relation, entity, level)
            yield from _of_predicate(count.where, entity, level + 1)
        case Applied(operand):
            # Pyright does not part the union by the case before.
            assert not isinstance(operand, RowCount)
            yield from _of_operand(operand, entity, level)
        case Not(operand) | NotTrue(operand):
            yield from _of_predicate(operand, entity, level)
        case And(operands) | Or(operands):
            yield from (name for each in operands for name in _of_predicate(each, entity, level))
        case Fenced(guard, condition):
            yield from _of_predicate(guard, entity, level)
            yield from _of_predicate(condition, entity, level)
        case Exists(relation, where):
            yield from _of_relation(relation, entity, level - predicate.outer)
            yield from _of_predicate(where, entity, level + 1)
        case Alike(columns, _, rows):
            yield from (column.name for column in columns if level == 0)
            yield from _of_predicate(rows, entity, level)
        case _:
            assert_never(predicate)


def _of_operand(operand: Operand, entity: Entity, level: int) -> Iterator[str]:
    match operand:
        case ColumnOf(column):
            yield from [column] if level == 0 else []
        case JsonAt(column):
            yield from _of_operand(column, entity, level)
        case Constant() | Lifted() | PrincipalValue() | VariableValue() | ComposedValue() | CursorValue():
            return
        case Related(relation, inner):
            yield from _of_relation(relation, entity, level)
            yield from _of_operand(inner, entity, level + 1)
        case Outer(levels, inner):
            yield from _of_operand(inner, entity, level - levels)
        case Cast(inner):
            yield from _of_operand(inner, entity, level)
        case Calculated(_, operands):
            yield from (name for each in operands for name in _of_operand(each, entity, level))
        case Aggregated():
            if operand.ways:
                yield from _of_relation(operand.ways[0].relation, entity, level)
            if operand.operand is not None:
                yield from _of_operand(operand.operand, entity, level + 1)
        case _:
            assert_never(operand)


def _of_relation(name: str, entity: Entity, level: int) -> Iterator[str]:
    if level == 0:
        yield from entity.relation(name).columns
