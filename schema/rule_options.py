"""compile_options: what a rule says besides its filter, against one of its targets → a part of a grant."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from db.catalog import Column
from db.errors import InvalidValue
from db.records import ColumnMask, RuleOptions, Scalar
from schema.errors import OperationError
from schema.expression.coerce import coercer
from schema.expression.names import find_by_name
from schema.expression.predicate import (
    NEVER,
    ColumnOf,
    Constant,
    IsNull,
    Predicate,
    PrincipalValue,
)
from schema.expression.totality import can_raise
from schema.expression.types import INT4, is_comparable, is_text
from schema.grants import Crowd, GrantPart, Mask, PresetValue
from schema.model import Entity
from schema.rule_expressions import RuleExpressions

PRINCIPAL: Final = "$_PRINCIPAL."
MASKS: Final = ("null", "hash", "last_four", "text", "expression")
_OF_TEXTS: Final = frozenset({"hash", "last_four", "text"})
_IDS: Final = frozenset({"int4", "int8"})


class OptionUnfit(OperationError):
    """What a rule says of columns does not fit one of its targets."""

    code = "RULE_OPTION_UNFIT"


def compile_options(options: RuleOptions, rows: Predicate, expressions: RuleExpressions) -> GrantPart:
    """The part of a grant on these rows. Raises OptionUnfit, and what reading expressions raises: half a rule would
    grant more than it says."""
    entity = expressions.entity
    part = GrantPart(
        rows=rows,
        read_columns=_columns(entity, options.read_columns),
        write_columns=_columns(entity, options.write_columns),
        forced=_presets(entity, options.forced),
        defaults=_presets(entity, options.defaults),
        masks={column.name: mask for column, mask in _masks(options.masks, expressions)},
        aggregates=options.aggregates,
        max_rows=options.max_rows,
        max_seconds=options.max_seconds,
        valid_until=options.valid_until,
    )
    return part if options.aggregates != "only" else _in_crowds(options, entity, part)


def _in_crowds(options: RuleOptions, entity: Entity, part: GrantPart) -> GrantPart:
    """The part with how many of its rows have to be alike for them to be told of."""
    if part.masks or part.forced or part.defaults or part.write_columns is not None:
        raise OptionUnfit("A rule for aggregates only has no masks, presets or columns to write.")
    least = options.min_group_size
    if least is None:
        raise OptionUnfit("A rule for aggregates only has a min_group_size.")
    grouped = _columns(entity, options.group_columns or ()) or frozenset()
    columns = tuple(ColumnOf(column.name, column.type) for column in entity.columns.values() if column.name in grouped)

    others = tuple(column for column in entity.columns.values() if column.name not in grouped)
    return replace(
        part,
        read_columns=None if part.read_columns is None else part.read_columns | grouped,
        grouped=grouped,
        crowd=Crowd(least, columns, others),
    )


def _columns(entity: Entity, names: Iterable[str] | None) -> frozenset[str] | None:
    return None if names is None else frozenset(_column(entity, name).name for name in names)


def _column(entity: Entity, name: str) -> Column:
    column = find_by_name(entity.columns, name) or entity.table.by_name.get(name)
    if column is None:
        raise OptionUnfit(f"{entity.name} has no column {name!r}.")
    return column


def _presets(entity: Entity, given: Iterable[tuple[str, Scalar]]) -> tuple[tuple[Column, PresetValue], ...]:
    return tuple((column, _preset(column, value)) for name, value in given for column in [_column(entity, name)])


def _preset(column: Column, value: Scalar) -> PresetValue:
    if not column.is_writable or not is_comparable(column.type, column.type):
        raise OptionUnfit(f"The column {column.name!r} cannot be given a value by a rule.")
    if not isinstance(value, str) or not value.startswith(PRINCIPAL):
        try:
            return Constant(coercer(column.type)(value), column.type)
        except (OperationError, InvalidValue) as error:
            raise OptionUnfit(f"The value for column {column.name!r} does not fit its type.") from error
    match value.removeprefix(PRINCIPAL):
        case "roleid" | "parentid" | "tenantid" as attribute if column.type.base in _IDS:
            return PrincipalValue(attribute, INT4)
        case _:
            raise OptionUnfit(f"{value} is nothing to store in the column {column.name!r}.")


def _masks(masks: Iterable[ColumnMask], expressions: RuleExpressions) -> Iterable[tuple[Column, Mask]]:
    for mask in masks:
        column = _column(expressions.entity, mask.column)
        if mask.kind not in MASKS:
            raise OptionUnfit(f"A column is masked in one of these ways: {', '.join(MASKS)}.")
        if mask.kind in _OF_TEXTS and not is_text(column.type):
            raise OptionUnfit(f"Only a text can be masked as {mask.kind}, and {column.name!r} is none.")
        value = expressions.value(mask.value, column.type) if mask.kind == "expression" else None
        unless = _unless(mask, expressions)
        # What is seen of a column is looked at before it is known whether the row may be.
        if can_raise(unless) or (value is not None and can_raise(IsNull(value))):
            raise OptionUnfit(f"The mask of column {column.name!r} could fail on some row.")
        yield column, Mask(mask.kind, unless, mask.text, value)


def _unless(mask: ColumnMask, expressions: RuleExpressions) -> Predicate:
    """Where the column is as it is. What has no condition is always masked."""
    if mask.when.strip():
        return expressions.opposite(mask.when)
    return expressions.condition(mask.unless) if mask.unless.strip() else NEVER
