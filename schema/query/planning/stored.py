"""plan_stored: the values that a caller gives a row → what is stored, under which conditions. Every write of rows goes
by it, as rules may list the columns that can be written and preset others."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from db.catalog import Column
from schema.errors import PolicyViolated
from schema.expression.predicate import Predicate
from schema.model import Entity
from schema.query.plan import Argument
from schema.query.planning.context import Planning

Values = tuple[tuple[Column, Argument], ...]


@dataclass(frozen=True, slots=True)
class Stored:
    """What is stored: `given` and `preset` values. A row that is changed must satisfy `before` as it stands, and every
    row `after` as it is stored."""

    given: Values
    preset: Values
    before: Predicate
    after: Predicate

    @property
    def values(self) -> Values:
        return self.given + self.preset


def plan_stored(
    planning: Planning,
    entity: Entity,
    capability: Literal["insert", "update"],
    given: Sequence[tuple[Column, Argument]],
) -> Stored:
    """Raises AccessDenied, PolicyViolated where no rule lets the caller write one of the columns."""
    grant = planning.grants.get_grant(entity.table.name, capability)
    names = [column.name for column, _ in given]
    if not all(grant.writes(name) for name in names):
        raise PolicyViolated(capability, str(entity.table.name))
    return Stored(tuple(given), grant.presets(names), grant.before(names), grant.after(names))
