"""compile_options: what a rule says besides its filter, against one of its targets → a part of a grant."""

from collections.abc import Callable, Iterable
from typing import Final

from db.catalog import Column
from db.errors import InvalidValue
from db.records import ColumnMask, RuleOptions, Scalar
from schema.errors import OperationError
from schema.expression.coerce import coercer
from schema.expression.names import find_by_name
from schema.expression.predicate import Constant, Predicate, PrincipalValue
from schema.expression.types import INT4, is_comparable, is_text
from schema.grants import GrantPart, Mask, PresetValue
from schema.model import Entity

PRINCIPAL: Final = "$_PRINCIPAL."
MASKS: Final = ("null", "hash", "last_four", "text")
_IDS: Final = frozenset({"int4", "int8"})


class OptionUnfit(OperationError):
    """What a rule says of columns does not fit one of its targets."""

    code = "RULE_OPTION_UNFIT"


def compile_options(
    options: RuleOptions, entity: Entity, rows: Predicate, condition: Callable[[str], Predicate]
) -> GrantPart:
    """The part of a grant on these rows; `condition` reads an expression on the rows. Raises OptionUnfit, and what
    `condition` raises: half a rule would grant more than it says."""
    return GrantPart(
        rows=rows,
        read_columns=_columns(entity, options.read_columns),
        write_columns=_columns(entity, options.write_columns),
        forced=_presets(entity, options.forced),
        defaults=_presets(entity, options.defaults),
        masks={column.name: mask for column, mask in _masks(entity, options.masks, condition)},
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


def _masks(
    entity: Entity, masks: Iterable[ColumnMask], condition: Callable[[str], Predicate]
) -> Iterable[tuple[Column, Mask]]:
    for mask in masks:
        column = _column(entity, mask.column)
        if mask.kind not in MASKS:
            raise OptionUnfit(f"A column is masked in one of these ways: {', '.join(MASKS)}.")
        if mask.kind != "null" and not is_text(column.type):
            raise OptionUnfit(f"Only a text can be masked as {mask.kind}, and {column.name!r} is none.")
        # What is always masked has no condition to lift it.
        yield column, Mask.of(mask, condition(mask.unless or "false"))
