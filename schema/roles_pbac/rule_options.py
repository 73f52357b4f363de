"""read_options: what a rule says besides, from its input. What the input leaves out stays, and null takes it away."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final, TypeVar, cast

import strawberry

from db.records import ColumnMask, RuleOptions, Scalar
from schema.roles_pbac.errors import BadInput
from schema.roles_pbac.inputs import PolicyRuleInput
from schema.roles_pbac.keys import listed

Read = TypeVar("Read")

MIN_GROUP_SIZE: Final = 2
MIN_SECONDS: Final = 0.01
MAX_SECONDS: Final = 3_600
_AGGREGATES: Final = ("none", "also", "only")
_MASK_MEMBERS: Final = ("mask", "unless", "text", "when", "value")


def read_options(given: PolicyRuleInput, before: RuleOptions) -> RuleOptions:
    """Raises BadInput."""
    options = replace(
        before,
        read_columns=_read(given.read_columns, before.read_columns, _names),
        write_columns=_read(given.write_columns, before.write_columns, _names),
        forced=_read(given.forced, before.forced, _presets) or (),
        defaults=_read(given.defaults, before.defaults, _presets) or (),
        masks=_read(given.masks, before.masks, _masks) or (),
        valid_from=_read(given.valid_from, before.valid_from, _moment),
        valid_until=_read(given.valid_until, before.valid_until, _moment),
        aggregates=_read(given.aggregates, before.aggregates, _aggregates),
        min_group_size=_read(given.min_group_size, before.min_group_size, _group_size),
        group_columns=_read(given.group_columns, before.group_columns, _names),
        max_rows=_read(given.max_rows, before.max_rows, _max_rows),
        max_seconds=_read(given.max_seconds, before.max_seconds, _max_seconds),
    )
    if options.valid_from and options.valid_until and options.valid_until <= options.valid_from:
        raise BadInput("A rule ends after it begins.")
    if (options.aggregates == "only") is not (options.min_group_size is not None):
        # Whoever reads rows can count them, and without a size groups of one row are rows.
        raise BadInput("min_group_size goes with aggregates 'only', and these with it.")
    if options.group_columns is not None and options.aggregates != "only":
        raise BadInput("group_columns go with aggregates 'only'.")
    return options


def _read(given: object, before: Read | None, read: Callable[[object], Read]) -> Read | None:
    if given is strawberry.UNSET:
        return before
    return None if given is None else read(given)


def _names(given: object) -> frozenset[str]:
    return frozenset(listed(cast("list[str | None]", given)))


def _presets(given: object) -> tuple[tuple[str, Scalar], ...]:
    presets = _object(given)
    for column, value in presets.items():
        if not isinstance(value, str | int | float | bool | None):
            raise BadInput(f"The value for column {column!r} must be a text, a number, true, false or null.")
    return tuple(sorted(cast("dict[str, Scalar]", presets).items()))


def _masks(given: object) -> tuple[ColumnMask, ...]:
    return tuple(_mask(column, _object(mask)) for column, mask in sorted(_object(given).items()))


def _mask(column: str, mask: Mapping[str, object]) -> ColumnMask:
    values = [mask.get(name, "") for name in _MASK_MEMBERS]
    texts = [value for value in values if isinstance(value, str)]
    if not mask.keys() <= set(_MASK_MEMBERS) or len(texts) != len(values):
        raise BadInput(f"The mask of column {column!r} has members {', '.join(_MASK_MEMBERS)}, all of them texts.")
    read = ColumnMask(column, *texts)
    if read.unless.strip() and read.when.strip():
        raise BadInput(f"The mask of column {column!r} has `unless` or `when`, not both.")
    if (read.kind == "expression") is not bool(read.value.strip()):
        raise BadInput(f"The mask of column {column!r} has a `value` where it is an 'expression', and only there.")
    return read


def _object(given: object) -> dict[str, object]:
    if not isinstance(given, dict):
        raise BadInput("Presets and masks are objects with a member for each column.")
    return cast("dict[str, object]", given)


def _aggregates(given: object) -> str | None:
    if given not in _AGGREGATES:
        raise BadInput(f"aggregates is one of {', '.join(_AGGREGATES)}.")
    return None if given == "also" else str(given)


def _group_size(given: object) -> int:
    if not isinstance(given, int) or given < MIN_GROUP_SIZE:
        raise BadInput(f"min_group_size is at least {MIN_GROUP_SIZE}.")
    return given


def _max_rows(given: object) -> int:
    if not isinstance(given, int) or given < 1:
        raise BadInput("max_rows is at least 1.")
    return given


def _max_seconds(given: object) -> float:
    if not isinstance(given, int | float) or not MIN_SECONDS <= given <= MAX_SECONDS:
        raise BadInput(f"max_seconds is between {MIN_SECONDS} and {MAX_SECONDS}.")
    return float(given)


def _moment(given: object) -> datetime:
    try:
        moment = datetime.fromisoformat(str(given).strip())
    except ValueError:
        raise BadInput("A rule begins and ends at a moment in ISO 8601 form.") from None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
