"""What a tenant has chosen for its guests: GuestPolicy ↔ a row of table `guest_policy`. Pure."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, Final

from db.records import GuestPolicy, Hook

_PLAIN: Final = tuple(
    field.name for field in fields(GuestPolicy) if field.name not in {"owner_columns", "hooks", "sealed_hook_secret"}
)


def parse_guest_policy(row: Mapping[str, Any] | None) -> GuestPolicy:
    """The policy of a row; without one, what holds where nothing was chosen: nobody makes themselves an account."""
    if row is None:
        return GuestPolicy(registration=False)
    columns: list[str] | None = row["owner_columns"]
    hooks: list[dict[str, Any]] = row["hooks"] or []
    return GuestPolicy(
        **{name: row[name] for name in _PLAIN},
        owner_columns=None if columns is None else tuple(columns),
        hooks=tuple(Hook(**hook) for hook in hooks),
        sealed_hook_secret=row["sealed_hook_secret"],
    )


def row_of(policy: GuestPolicy) -> dict[str, Any]:
    """The values of the row that `parse_guest_policy` reads as this policy."""
    return {
        **{name: getattr(policy, name) for name in _PLAIN},
        "owner_columns": None if policy.owner_columns is None else list(policy.owner_columns),
        "hooks": [{field.name: getattr(hook, field.name) for field in fields(Hook)} for hook in policy.hooks] or None,
        "sealed_hook_secret": policy.sealed_hook_secret,
    }
