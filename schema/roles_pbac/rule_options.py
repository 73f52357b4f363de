"""read_options: what a rule says besides, from its input. What the input leaves out stays, and null takes it away."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import TypeVar, cast

import strawberry

from db.records import ColumnMask, RuleOptions, Scalar
from schema.roles_pbac.errors import BadInput
from schema.roles_pbac.inputs import PolicyRuleInput
from schema.roles_pbac.keys import listed

Read = TypeVar("Read")


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
    )
    if options.valid_from and options.valid_until and options.valid_until <= options.valid_from:
        raise BadInput("A rule ends after it begins.")
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
    kind, unless, text = (mask.get(name, "") for name in ("mask", "unless", "text"))
    known = mask.keys() <= {"mask", "unless", "text"}
    if not known or not (isinstance(kind, str) and isinstance(unless, str) and isinstance(text, str)):
        raise BadInput(f"The mask of column {column!r} has members 'mask', 'unless' and 'text', all of them texts.")
    return ColumnMask(column, kind, unless, text)


def _object(given: object) -> dict[str, object]:
    if not isinstance(given, dict):
        raise BadInput("Presets and masks are objects with a member for each column.")
    return cast("dict[str, object]", given)


def _moment(given: object) -> datetime:
    try:
        moment = datetime.fromisoformat(str(given).strip())
    except ValueError:
        raise BadInput("A rule begins and ends at a moment in ISO 8601 form.") from None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
