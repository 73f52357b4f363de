"""Rendering: what the rendering of one statement shares."""

from dataclasses import dataclass, field

from db.sql import Sql
from schema.expression.predicate import ALWAYS, Predicate
from schema.model import Entity, Model, Relation
from schema.query.rendering.predicate import Aliases, render_link, render_predicate


@dataclass(frozen=True, slots=True)
class Rendering:
    """The model, and the aliases given so far."""

    model: Model
    aliases: Aliases = field(default_factory=Aliases)

    def condition(self, predicate: Predicate, entity: Entity, alias: str) -> Sql:
        """The condition on the row of `alias`."""
        return render_predicate(predicate, entity, alias, self.model, self.aliases)

    def link(self, relation: Relation, parent: str, alias: str, via: Predicate | None) -> Sql:
        """The condition under which the row of `alias` belongs to that of `parent`."""
        return render_link(relation, parent, alias, via or ALWAYS, self.model, self.aliases)
