"""RuleExpressions: what a rule writes about the rows of one table, read as rules are: it sees every row whole."""

from collections.abc import Callable
from dataclasses import dataclass

from db.catalog import PgType
from schema.expression.check import check_expression, check_value
from schema.expression.parse import parse_expression
from schema.expression.predicate import ALWAYS, Constant, Operand, Predicate
from schema.expression.syntax import Expression, Negation
from schema.model import Entity, Model


@dataclass(frozen=True, slots=True)
class RuleExpressions:
    entity: Entity
    model: Model

    def condition(self, text: str) -> Predicate:
        """The rows on which an expression holds; an empty one holds on all. Raises what parsing and checking raise."""
        if not text.strip():
            return ALWAYS
        return self.checked(parse_expression(text))

    def checked(self, expression: Expression) -> Predicate:
        """The rows on which a part of an expression holds."""
        return check_expression(expression, self.entity, self.model, constant, under_grant=False)

    def opposite(self, text: str) -> Predicate:
        """The rows on which the expression is false, and not merely unknown."""
        return self.checked(Negation(parse_expression(text), position=1))

    def value(self, text: str, pg_type: PgType) -> Operand:
        """What the expression gives, for where a value of the type is looked for."""
        return check_value(parse_expression(text), self.entity, self.model, constant, pg_type)


def constant(_: int, value: object, pg_type: PgType, coerce: Callable[[object], object]) -> Constant:
    """A rule's literals stay in the plan: they belong to the grant, and plans are kept per grant."""
    return Constant(coerce(value), pg_type)
