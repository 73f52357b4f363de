"""Having: the `having` of groups → a predicate on what functions give for each of them."""

from dataclasses import dataclass, field
from typing import cast

from db.catalog import Column
from schema.expression.predicate import (
    ALWAYS,
    Not,
    Predicate,
    all_of,
    any_of,
)
from schema.model import Entity
from schema.query.measures import MeasureFunction
from schema.query.plan import Measure
from schema.query.planning.given import Given
from schema.query.planning.measured import COUNT, a_measure
from schema.query.planning.where import plan_test


@dataclass(frozen=True, slots=True)
class Having:
    """Walks one `having`. What it tests is gathered in `tested`; the predicate calls it h0, h1 …"""

    entity: Entity
    tested: list[Measure] = field(default_factory=list[Measure])

    def plan(self, value: Given | None) -> Predicate:
        """The predicate; nothing given, or null, is no condition. Raises WrongType, InvalidValue."""
        if value is None or value.is_null:
            return ALWAYS
        return all_of(*(self._member(name, member) for name, member in value.fields() if not member.is_null))

    def _member(self, name: str, value: Given) -> Predicate:
        match name:
            case "_and":
                return all_of(*(self.plan(item) for item in value.items()))
            case "_or":
                return any_of(*(self.plan(item) for item in value.items()))
            case "_not":
                return Not(self.plan(value))
            case "_count":
                return self._tests(COUNT, value)
            case _:
                column = self.entity.columns[name]
                return all_of(
                    *(
                        self._tests(a_measure(cast("MeasureFunction", function), column), tests)
                        for function, tests in value.fields()
                    )
                )

    def _tests(self, measure: Measure, value: Given) -> Predicate:
        """The measure beside values of its own type, so that no number is rounded."""
        if measure not in self.tested:
            self.tested.append(measure)
        column = Column(f"h{self.tested.index(measure)}", measure.type)
        return all_of(*(plan_test(column, name, each) for name, each in value.fields()))
