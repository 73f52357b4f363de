"""Planning: what the planning of one operation knows."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from graphql import FieldNode

from db.catalog import TableName
from schema.errors import AccessDenied, UnknownColumn
from schema.expression.predicate import ALWAYS, Predicate
from schema.grants import Grant
from schema.model import Entity, Model, Relation
from schema.policy import COMPARE
from schema.query.plan import Hop
from schema.query.planning.given import Given, Variables, given
from schema.query.selection import Fragments, collect_fields


class Grants(Protocol):
    """What the policy gives one principal."""

    def grant(self, table: TableName, capability: str, /) -> Predicate: ...
    def get_grant(self, table: TableName, capability: str, /) -> Grant: ...


@dataclass(frozen=True, slots=True)
class Planning:
    """The model, what the caller is granted on it, and the fragments and variables of the operation."""

    model: Model
    grants: Grants
    fragments: Fragments
    variables: Variables

    def grant(self, entity: Entity, capability: str) -> Predicate:
        """The condition on the rows of the entity. Raises AccessDenied."""
        return self.grants.grant(entity.table.name, capability)

    def max_rows(self, entity: Entity, capability: str = "select") -> int | None:
        """How many rows of the entity a list may have. Raises AccessDenied."""
        return self.grants.get_grant(entity.table.name, capability).max_rows

    def via(self, relation: Relation | None) -> Predicate:
        """The grant on the junction of a many-to-many relation: whoever sees the relation sees its rows."""
        junction = relation and relation.junction and self.model.by_table.get(relation.junction.table)
        return self.grant(junction, "select") if junction else ALWAYS

    def hop(self, entity: Entity, name: str) -> Hop:
        """The way over a relation. Where the caller may not go there it does not exist."""
        relation = entity.relations.get(name)
        if relation is None:
            raise UnknownColumn(entity.name, name)
        target = self.model.by_table[relation.target]
        try:
            return Hop(relation, target, self.grant(target, "select"), self.via(relation))
        except AccessDenied:
            raise UnknownColumn(entity.name, name) from None

    def counted(self, hop: Hop) -> Hop:
        """The way to those of the rows that may be aggregated. Raises AccessDenied."""
        return replace(hop, grant=self.grant(hop.target, COMPARE))

    def fields(self, nodes: Sequence[FieldNode]) -> dict[str, list[FieldNode]]:
        """What is selected below a field, by response key."""
        return collect_fields(
            [node.selection_set for node in nodes if node.selection_set], self.fragments, self.variables
        )

    def arguments(self, node: FieldNode) -> list[tuple[str, Given]]:
        """All arguments of the field for which something is given."""
        found = [(each.name.value, given(each.value, self.variables)) for each in node.arguments or ()]
        return [(name, value) for name, value in found if value is not None]

    def argument(self, node: FieldNode, name: str) -> Given | None:
        """What is given for an argument of the field."""
        written = next((argument.value for argument in node.arguments or () if argument.name.value == name), None)
        return given(written, self.variables)
