"""is_at_once: whether one statement can both change rows and answer for them.

What a statement reads of tables is as they stood before it (PostgreSQL, 7.8.4 Data-Modifying Statements in WITH), but
what it gives back of the rows it has written is as they are stored, save for what triggers do later. So the written
rows alone, and tables that the change cannot have touched, may be read by the same statement.
"""

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import cast

from db.catalog import TableName
from schema.expression.predicate import (
    Always,
    And,
    AnyOf,
    ColumnOf,
    Compare,
    Constant,
    IsNull,
    Lifted,
    Matches,
    Never,
    Not,
    Or,
    Predicate,
    PrincipalValue,
    VariableValue,
)
from schema.model import Entity, Relation, Routine
from schema.query.plan import ColumnOutput, Output, Read, ReadOutput, TypenameOutput

_VALUES = (ColumnOf, Constant, Lifted, PrincipalValue, VariableValue)


def is_at_once(entity: Entity, checks: tuple[Predicate, ...], result: Read | None, *, moves_keys: bool = False) -> bool:
    """Whether the checks on the rows as stored, and what is selected of them, can be answered by the statement that
    writes them. `moves_keys` says that it changes columns to which other tables may refer."""
    table = entity.table
    if table.kind not in {"table", "partitioned_table"} or table.has_late_triggers or entity.sights is not None:
        return False
    if not all(map(is_plain, checks)):
        return False
    if result is None:
        return True
    is_flat = all(isinstance(output, ColumnOutput | TypenameOutput) for output in result.outputs)
    others_stand_still = not (table.has_early_triggers or moves_keys)
    return is_plain(result.grant) and (
        is_flat or (others_stand_still and all(_is_elsewhere(entity, output) for output in result.outputs))
    )


def is_plain(predicate: Predicate) -> bool:
    """Whether the predicate looks at the columns of its row and at nothing else."""
    match predicate:
        case Always() | Never():
            return True
        case Compare(left, _, right):
            return _are_values(left, right)
        case IsNull(operand) | Matches(operand):
            return _are_values(operand)
        case AnyOf(operand, items):
            return _are_values(operand, *(items if isinstance(items, tuple) else (items,)))
        case Not(operand):
            return is_plain(operand)
        case And(operands) | Or(operands):
            return all(map(is_plain, operands))
        case _:
            return False


def _are_values(*operands: object) -> bool:
    return all(isinstance(operand, _VALUES) for operand in operands)


def _is_elsewhere(entity: Entity, output: Output) -> bool:
    """Whether the output reads nothing of the entity's table beyond the row itself."""
    match output:
        case ColumnOutput() | TypenameOutput():
            return True
        case ReadOutput(_, read):
            return all(table is not None and table != entity.table.name for table in _tables(read))
        case _:
            return False


def _tables(value: object) -> Iterator[TableName | None]:
    """The tables that a part of a plan reads; None for one that it names in another way."""
    match value:
        case Entity():
            # What is seen of columns may depend on any table.
            yield value.table.name if value.sights is None else None
        case Routine():
            # Nobody knows what it looks at.
            yield None
        case Relation():
            yield value.target
            yield from [value.junction.table] if value.junction else []
        case tuple():
            for item in cast("tuple[object, ...]", value):
                yield from _tables(item)
        case _ if is_dataclass(value) and not isinstance(value, type):
            for field in fields(value):
                member: object = getattr(value, field.name)
                if field.name == "relation" and isinstance(member, str):
                    yield None
                yield from _tables(member)
        case _:
            pass
