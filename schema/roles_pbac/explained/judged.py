"""How an explanation stands with one row: each part of each filter as PostgreSQL finds it, for the role explained."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, cast

from db.catalog import Column
from db.sql import Statement, join, name, sql, to_statement
from schema.expression.coerce import coercer
from schema.expression.predicate import ALWAYS, NEVER, Constant, Predicate, all_of
from schema.grants import equals
from schema.model import Entity, Model
from schema.query.rendering.predicate import Aliases, render_predicate, table_name
from schema.query.run import RowNotFound
from schema.roles_pbac.errors import BadInput
from schema.roles_pbac.explained.changes import Change, smallest_change_for_row
from schema.roles_pbac.explained.columns import ColumnAccess
from schema.roles_pbac.explained.considered import Considered, Explanation
from schema.roles_pbac.explained.filters import FilterPart, JudgedPart, Truth
from schema.roles_pbac.explained.onlooker import Onlooker
from schema.roles_pbac.explained.rulebook import Rulebook

#: Conditions of one statement, which has room for some 32,000 values.
AT_ONCE: Final = 100


@dataclass(frozen=True, slots=True)
class JudgedRow:
    """`is_allowed` is None where it would tell more of the row than the onlooker may know. `parts` are those of each
    rule's filter, in order, by the id of the rule. Where filters fail on the row, so does the operation."""

    is_allowed: bool | None
    parts: Mapping[int, tuple[JudgedPart, ...]]
    columns: tuple[ColumnAccess, ...]
    change: tuple[Change, ...]
    fails: bool = False


@dataclass(frozen=True)
class RowQuestion:
    """What has to be found out of a row: `conditions`, one by one, and first whether the onlooker sees it at all."""

    explanation: Explanation
    entity: Entity
    model: Model
    key: Predicate
    onlooker: Onlooker
    columns: tuple[ColumnAccess, ...]

    @property
    def visibility(self) -> Statement:
        """Gives a row where the onlooker sees the row; to be bound with the onlooker's own values."""
        seen = self.onlooker.rows(self.entity)
        return render_truths(self.model, self.entity, NEVER if seen is None else all_of(self.key, seen), [ALWAYS])

    def statement(self, conditions: Sequence[Predicate]) -> Statement:
        """Gives the truths of some conditions; to be bound with the values of the role that is explained."""
        return render_truths(self.model, self.entity, self.key, conditions)

    @property
    def conditions(self) -> list[Predicate]:
        """What the onlooker may not know is not even evaluated: it could be told by an error."""
        grant = self.explanation.grant
        whole = NEVER if grant is None or not self.is_open else grant.rows
        parts = [
            part.predicate if self._may_know(part) else NEVER for _, tree in self.filters for _, part in tree.in_order()
        ]
        columns = [
            predicate if self.is_open else NEVER for column in self.columns for predicate, _, _ in column.conditions
        ]
        return [whole, *parts, *columns]

    @property
    def filters(self) -> list[tuple[Considered, FilterPart]]:
        return [(rule, rule.filter) for rule in self.explanation.rules if rule.filter is not None]

    @property
    def is_open(self) -> bool:
        """Whether the onlooker may know all that the verdict is made of."""
        counting = [rule.rule.options for rule in self.explanation.rules if rule.counts]
        # Masks look at other columns, and crowds at other rows.
        options = any(each.masks or each.aggregates == "only" for each in counting)
        knows = all(self._may_know(tree) for rule, tree in self.filters if rule.counts)
        return self.onlooker.sees_everything or (knows and not options)

    def answer(self, rulebook: Rulebook, truths: Sequence[Truth]) -> JudgedRow:
        """The row, by the truths of `conditions`."""
        found = iter(truths)
        whole = next(found)
        is_granted = self.explanation.verdict in {"allowed", "conditioned"}
        is_allowed = whole is True and is_granted
        parts = {
            rule.rule.rule_id: tuple(
                self._told(JudgedPart(part, depth, next(found))) for depth, part in tree.in_order()
            )
            for rule, tree in self.filters
        }
        columns = tuple(column.on_row([next(found) for _ in column.conditions]) for column in self.columns)
        if not self.is_open:
            return JudgedRow(None, parts, (), ())
        counting = [(rule, parts.get(rule.rule.rule_id, ())) for rule in self.explanation.rules if rule.counts]
        change = smallest_change_for_row(rulebook, self.explanation, counting, is_allowed=is_allowed)
        fails = whole == "fails" and is_granted
        return JudgedRow(is_allowed, parts, columns if is_allowed else (), change, fails)

    def _told(self, judged: JudgedPart) -> JudgedPart:
        return judged if self._may_know(judged.part) else replace(judged, truth=None, is_told=False)

    def _may_know(self, part: FilterPart) -> bool:
        return self.onlooker.may_know(self.entity, part.expression, self.explanation.subject)


def render_truths(model: Model, entity: Entity, where: Predicate, conditions: Sequence[Predicate]) -> Statement:
    """A statement that gives, for each row that satisfies `where`, the truths of the conditions."""
    aliases = Aliases()
    alias = aliases.new(entity)
    return to_statement(
        sql(
            "select array[{conditions}]::bool[] from {table} as {alias} where {where}",
            conditions=join(", ", [render_predicate(each, entity, alias, model, aliases) for each in conditions]),
            table=table_name(entity),
            alias=name(alias),
            where=render_predicate(where, entity, alias, model, aliases),
        )
    )


def key_predicate(entity: Entity, key: object) -> Predicate:
    """That a row has this primary key: a value, or an object with the values of its columns. Raises BadInput,
    RowNotFound for a table without a key, and what a value raises that does not fit its column."""
    columns = {name: column for name, column in entity.columns.items() if column.name in entity.table.primary_key}
    if not columns:
        raise RowNotFound(entity.name)
    given = {next(iter(columns)): key}
    if len(columns) > 1 or isinstance(key, dict):
        given = cast("dict[str, object]", key) if isinstance(key, dict) else {}
    if given.keys() != columns.keys():
        raise BadInput(f"The key is an object with {', '.join(columns)}." if len(columns) > 1 else "That is not a key.")
    return all_of(*(_is(column, given[name]) for name, column in columns.items()))


def _is(column: Column, value: object) -> Predicate:
    if value is None or isinstance(value, list | dict):
        raise BadInput(f"The key has a value for {column.name!r}.")
    return equals(column, Constant(coercer(column.type)(value), column.type))
