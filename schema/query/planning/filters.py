"""plan_filter: a `filter:` or `having:` → a predicate, with the caller's grants on what it looks into."""

from collections.abc import Callable

from db.catalog import PgType
from schema.expression.check import check_expression
from schema.expression.parse import parse_expression
from schema.expression.predicate import ALWAYS, Constant, Lifted, Predicate, Value
from schema.model import Entity
from schema.query.planning.context import Planning
from schema.query.planning.given import Given, frozen
from schema.query.planning.guard import guard


def plan_filter(planning: Planning, entity: Entity, value: Given | None) -> Predicate:
    """The predicate on rows of the entity; an empty text is no filter. Raises UnknownColumn, WrongType and such."""
    text = value.plain() if value is not None else None
    if value is None or not isinstance(text, str) or not text.strip():
        return ALWAYS
    source = value.variable

    def literal(index: int, value: object, kind: PgType, coerce: Callable[[object], object]) -> Value:
        return Lifted(index, kind, coerce, source) if source else Constant(frozen(coerce(value)), kind)

    predicate = check_expression(parse_expression(text), entity, planning.model, literal, under_grant=True)
    return guard(planning, predicate, entity)
