"""guard: a predicate that a caller has written → the same, under the caller's grants on all that it looks into.

What it can raise for is not told here: rendering keeps it behind the grants (`rendering.predicate.behind`).
"""

from dataclasses import dataclass, replace
from typing import assert_never

from schema.errors import UnsupportedExpression
from schema.expression.predicate import (
    ALWAYS,
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
    Search,
    VariableValue,
    Way,
)
from schema.model import Entity
from schema.policy import COMPARE
from schema.query.planning.context import Planning


def guard(planning: Planning, predicate: Predicate, entity: Entity) -> Predicate:
    """The predicate on rows of the entity, with the caller's grant wherever `under_grant` asks for one.

    Raises UnknownColumn for a relation to what the caller may not see at all.
    """
    return _Guard(planning, (entity,)).predicate(predicate)


@dataclass(frozen=True, slots=True)
class _Guard:
    """Guards what is about the last of some tables; those before are where Exists has come from."""

    planning: Planning
    entities: tuple[Entity, ...]

    def predicate(self, predicate: Predicate) -> Predicate:
        match predicate:
            case Always() | Never():
                return predicate
            case Applied() | Counted() | Search() | NotTrue() | Fenced() | Alike():
                # These are of `where`, which is guarded as it is planned, or of rules.
                return predicate
            case Compare(left, operator, right):
                return Compare(self.operand(left), operator, self.operand(right))
            case IsNull(operand) | AnyOf(operand):
                return replace(predicate, operand=self.operand(operand))
            case Matches(operand, pattern):
                return replace(predicate, operand=self.operand(operand), pattern=self.operand(pattern))
            case Not(operand):
                return Not(self.predicate(operand))
            case And(operands):
                return And(tuple(self.predicate(operand) for operand in operands))
            case Or(operands):
                return Or(tuple(self.predicate(operand) for operand in operands))
            case Exists(under_grant=False):
                return predicate
            case Exists(relation, where):
                hop = self.planning.hop(self.entities[-1 - predicate.outer], relation)
                within = self.at(hop.target).predicate(where)
                return replace(predicate, where=within, under_grant=False, via=hop.via, grant=hop.grant)
            case _:
                assert_never(predicate)

    def operand(self, operand: Operand) -> Operand:
        match operand:
            case ColumnOf() | JsonAt() | Constant() | Lifted() | PrincipalValue():
                return operand
            case VariableValue() | ComposedValue() | CursorValue():
                return operand
            case Related():
                return self.related(operand)
            case Outer(levels, inner):
                return Outer(levels, _Guard(self.planning, self.entities[:-levels]).operand(inner))
            case Cast(inner, pg_type):
                return Cast(self.operand(inner), pg_type)
            case Calculated(_, operands):
                return replace(operand, operands=tuple(self.operand(each) for each in operands))
            case Aggregated():
                return self.aggregated(operand)
            case _:
                assert_never(operand)

    def related(self, value: Related) -> Related:
        if not value.under_grant:
            return value
        hop = self.planning.hop(self.entities[-1], value.relation)
        inner = self.at(hop.target).related(value.operand) if isinstance(value.operand, Related) else value.operand
        return Related(value.relation, inner, under_grant=False, via=hop.via, grant=hop.grant)

    def aggregated(self, value: Aggregated) -> Aggregated:
        if not value.under_grant:
            return value
        entity = self.entities[-1]
        if not value.ways and not entity.table.name.name:
            raise UnsupportedExpression("An aggregate over the rows that a function gives cannot be in their filter.")
        # Result rows are what the caller has been given already.
        is_table = not value.ways and entity.table.name.schema
        grant = self.planning.grant(entity, COMPARE) if is_table else ALWAYS
        ways: list[Way] = []
        for way in value.ways:
            hop = self.planning.counted(self.planning.hop(entity, way.relation))
            ways.append(Way(way.relation, hop.via, hop.grant))
            entity = hop.target
        operand = value.operand and self.at(entity).operand(value.operand)
        return replace(value, under_grant=False, ways=tuple(ways), grant=grant, operand=operand)

    def at(self, entity: Entity) -> "_Guard":
        return _Guard(self.planning, (*self.entities, entity))
