"""can_raise: whether evaluating a predicate on some row could end in an error rather than in true, false or null.

What can must never be evaluated on a row that policy hides, for whether it fails would tell what is in it.
"""

from typing import assert_never

from db.catalog import PgType
from schema.expression.predicate import (
    ALWAYS,
    NEVER,
    RAISING,
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
    all_of,
)
from schema.expression.types import FLOATS, INTEGERS, is_comparable_as_floats


def can_raise(predicate: Predicate) -> bool:
    """Whether a row is thinkable on which the predicate ends in an error."""
    match predicate:
        case Always() | Never():
            return False
        case Compare(left, _, right):
            return is_comparable_as_floats(left.type, right.type) or _can_fail(left) or _can_fail(right)
        case IsNull(operand) | AnyOf(operand):
            return _can_fail(operand)
        case Matches(operand, pattern):
            # What is given has been checked by `like_pattern`; what a row holds has not.
            given = isinstance(pattern, Constant | Lifted | VariableValue | ComposedValue)
            return not given or _can_fail(operand)
        case Not(operand):
            return can_raise(operand)
        case And(operands) | Or(operands):
            return any(can_raise(operand) for operand in operands)
        case Exists(_, where, _, via, grant):
            return can_raise(where) or can_raise(via) or can_raise(grant)
        case Applied(operand, operator, value):
            # A range is cast from its text, which may be none.
            return (
                operator in RAISING
                or value.type.kind in {"range", "composite"}
                or (isinstance(operand, RowCount) and can_raise(operand.where))
            )
        case Counted(operand):
            return can_raise(operand.where)
        case Search(operand, _, mode):
            # A text may be too long for a tsvector.
            return mode == "raw" or operand.type.base != "tsvector"
        case Alike(_, _, operand) | NotTrue(operand) | Fenced(_, operand):
            return can_raise(operand)
        case _:
            assert_never(predicate)


def fence(guard: Predicate, condition: Predicate) -> Predicate:
    """Both, such that what can raise is evaluated on no row that the guard hides; the rest stays beside the guard,
    where indexes serve both."""
    safe, risky = parted(condition)
    guarded = all_of(guard, safe)
    if risky == ALWAYS or guarded == NEVER:
        return guarded
    return risky if guarded == ALWAYS else all_of(guarded, Fenced(guarded, risky))


def parted(condition: Predicate) -> tuple[Predicate, Predicate]:
    """What of a conjunction cannot raise, and what can."""
    parts = condition.operands if isinstance(condition, And) else (condition,)
    risky = [can_raise(part) for part in parts]
    return (
        all_of(*(part for part, is_risky in zip(parts, risky, strict=True) if not is_risky)),
        all_of(*(part for part, is_risky in zip(parts, risky, strict=True) if is_risky)),
    )


def _can_fail(operand: Operand) -> bool:
    match operand:
        case ColumnOf() | JsonAt() | Constant() | Lifted() | PrincipalValue():
            return False
        case VariableValue() | ComposedValue() | CursorValue():
            return False
        case Related(_, inner, _, via, grant):
            return can_raise(via) or can_raise(grant) or _can_fail(inner)
        case Outer(_, inner):
            return _can_fail(inner)
        case Cast(inner, pg_type):
            return _cast_can_fail(inner.type, pg_type) or _can_fail(inner)
        case Calculated(_, operands, _, total):
            return not total or any(_can_fail(each) for each in operands)
        case Aggregated():
            conditions = [operand.grant, *(each for way in operand.ways for each in (way.via, way.grant))]
            inner = operand.operand
            fails = not operand.total or (inner is not None and _can_fail(inner))
            return fails or any(can_raise(condition) for condition in conditions)
        case _:
            assert_never(operand)


def any_aggregate(predicate: Predicate) -> bool:
    """Whether the predicate is about rows of its own table beside the one at hand."""
    match predicate:
        case Compare(left, _, right):
            return _is_aggregate(left) or _is_aggregate(right)
        case Matches(operand, pattern):
            return _is_aggregate(operand) or _is_aggregate(pattern)
        case IsNull(operand) | AnyOf(operand):
            return _is_aggregate(operand)
        case Not(operand):
            return any_aggregate(operand)
        case And(operands) | Or(operands):
            return any(any_aggregate(operand) for operand in operands)
        case _:
            return False


def _is_aggregate(operand: Operand) -> bool:
    match operand:
        case Aggregated():
            return True
        case Cast(inner) | Outer(_, inner):
            return _is_aggregate(inner)
        case Calculated(_, operands):
            return any(_is_aggregate(each) for each in operands)
        case _:
            return False


def _cast_can_fail(source: PgType, target: PgType) -> bool:
    if target.base in FLOATS:
        return source.base == "numeric"
    return target.base in INTEGERS and source.base not in INTEGERS
