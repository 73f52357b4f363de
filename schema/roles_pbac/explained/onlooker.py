"""Onlooker: whoever asks about the policy, and what may be told to it of rows and columns."""

from dataclasses import dataclass

from db.catalog import TableName
from schema.expression import syntax
from schema.expression.aggregate import AGGREGATE_FUNCTIONS
from schema.expression.names import find_by_name
from schema.expression.predicate import ALWAYS, Predicate
from schema.expression.source import children_of
from schema.grants import Grant
from schema.model import Entity
from schema.policy import Policy
from schema.principal import Principal
from schema.roles_pbac.explained.subject import Subject


@dataclass(frozen=True, slots=True)
class Onlooker:
    """An operator has no principal, and sees everything, as root and administrators do. Of anybody else `policy` says
    which rows and columns it sees, in the whole tenant and not only by the rules that it may see."""

    principal: Principal | None = None
    policy: Policy | None = None

    @property
    def sees_everything(self) -> bool:
        return self.principal is None or self.principal.bypasses_policy

    def knows(self, table: TableName) -> bool:
        """Whether it may do anything with the table or function, so that it is told that there is one."""
        if self.principal is None or self.policy is None or self.sees_everything:
            return self.sees_everything
        capabilities = ("select", "insert", "update", "delete")
        return any(self.policy.may(self.principal, table, capability) for capability in capabilities)

    def rows(self, entity: Entity) -> Predicate | None:
        """The rows that it sees; None where it sees none, or not which row is which."""
        if self.sees_everything:
            return ALWAYS
        if not entity.table.primary_key or not all(self.reads(entity, name) for name in entity.table.primary_key):
            return None
        grant = self._grant(entity.table.name)
        return None if grant is None else grant.rows

    def reads(self, entity: Entity, column: str) -> bool:
        """Whether it sees the column as it is, on every row that it sees."""
        if self.sees_everything:
            return True
        grant = self._grant(entity.table.name)
        return grant is not None and grant.reads(column) and grant.view(column) is None

    def may_know(self, entity: Entity, part: syntax.Expression, subject: Subject) -> bool:
        """Whether it could find out by itself, on a row that it sees, if this part of a filter holds for the role:
        other rows a rule's filter sees whole, so that what it says of them is not for everybody, nor are claims."""
        if self.sees_everything:
            return True
        match part:
            case syntax.Path(names):
                column = find_by_name(entity.columns, names[0])
                # Only a column, or what is called like a column and is none, such as current_date, has a single name.
                return len(names) == 1 and (column is None or self.reads(entity, column.name))
            case syntax.PrincipalAttribute(claim=claim) if claim:
                return subject.claims_are_told
            case syntax.Call(name, star=star) if star or name.lower() in AGGREGATE_FUNCTIONS:
                return False
            case _:
                return all(self.may_know(entity, child, subject) for child in children_of(part))

    def _grant(self, table: TableName) -> Grant | None:
        if self.principal is None or self.policy is None:
            return None
        decision = self.policy.decide(self.principal, table, "select")
        return None if decision.is_ambiguous else decision.grant
