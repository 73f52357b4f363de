"""differences_for: what a change of rules would give to roles, and take from them, without making it."""

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from db.catalog import FunctionName, TableName
from db.records import Rule
from db.sql import Slot, Sql, Statement, concatenate, join, json_text, name, slot, sql, to_statement
from schema.expression.parse import parse_expression
from schema.expression.predicate import ALWAYS, NEVER, Constant, NotTrue, Predicate, all_of
from schema.expression.types import INT8
from schema.grants import Grant
from schema.model import Entity, Model
from schema.policy import AGGREGATE, capability_for
from schema.query.rendering.json import render_column
from schema.query.rendering.predicate import Aliases, render_predicate, table_name
from schema.roles_pbac.explained.considered import Judgement, Limits, judge
from schema.roles_pbac.explained.matrix import known_targets
from schema.roles_pbac.explained.onlooker import Onlooker
from schema.roles_pbac.explained.rulebook import Rulebook, Target
from schema.roles_pbac.explained.subject import Subject

SAMPLE_ROWS: Final = 5
OF_ROWS: Final = frozenset({"select", AGGREGATE, "update", "delete"})


@dataclass(frozen=True, slots=True)
class OfOnlooker:
    """A value of a statement that is the onlooker's own, beside those of the role that is asked about."""

    source: Hashable


@dataclass(frozen=True, slots=True)
class RowsCondition:
    """Which rows are gained or lost, of those that the onlooker sees."""

    entity: Entity
    rows: Predicate
    seen: Predicate


@dataclass(frozen=True, slots=True)
class Difference:
    """What a role gains and loses in one operation on one target. `gained` and `lost` are conditions on the rows, None
    where there is nothing to count, or where counting would tell more than the onlooker may know."""

    subject: Subject
    target: Target
    operation: str
    before: Judgement
    after: Judgement
    gained: RowsCondition | None = field(repr=False, default=None)
    lost: RowsCondition | None = field(repr=False, default=None)
    columns_gained: tuple[str, ...] = ()
    columns_lost: tuple[str, ...] = ()
    columns_changed: tuple[str, ...] = ()

    @property
    def limits(self) -> tuple[Limits, Limits]:
        """Before and after."""
        was, becomes = (Limits.of(_grant(each), self.operation) for each in (self.before, self.after))
        return was, becomes


Concerned = Sequence[tuple[Target, str]]


def concerned(before: Rulebook, after: Rulebook, onlooker: Onlooker) -> Concerned:
    """The targets and operations that the rules are about which are not the same, if the onlooker may know of them."""
    known = known_targets(before, onlooker) | known_targets(after, onlooker)
    return [
        (target, operation)
        for target, operation in _concerned(before, after)
        if target.is_control or target.name in known
    ]


def differences_for(
    subject: Subject, where: Concerned, before: Rulebook, after: Rulebook, onlooker: Onlooker
) -> Iterator[Difference]:
    """One for each target and operation of which the two rulebooks say different things to the role. Of aggregates only
    what is not the same as of rows that are read."""
    for target, operation in where:
        was, becomes = (judge(rulebook, subject, target, operation) for rulebook in (before, after))
        if operation == AGGREGATE:
            reads = [_grant(judge(rulebook, subject, target, "select")) for rulebook in (before, after)]
            if reads == [_grant(was), _grant(becomes)]:
                continue
        if was.verdict != becomes.verdict or not _is_alike(_grant(was), _grant(becomes), target.entity, operation):
            yield _difference(subject, target, operation, was, becomes, onlooker)


def _concerned(before: Rulebook, after: Rulebook) -> list[tuple[Target, str]]:
    """The targets and operations that the rules are about which differ."""
    old, new = ({rule.rule_id: rule for rule in rulebook.rules} for rulebook in (before, after))
    differing = [
        (rulebook, rule)
        for rulebook, rules, others in ((before, old, new), (after, new, old))
        for number, rule in rules.items()
        if others.get(number) != rule
    ]
    found = {
        (target.is_control, target.name, operation): target
        for rulebook, rule in differing
        for target in _targets_of(rulebook, rule)
        for operation in (*rule.capabilities, *((AGGREGATE,) if "select" in rule.capabilities else ()))
        if operation != AGGREGATE or (target.entity is not None and not target.is_control)
    }
    return [(target, key[2]) for key, target in sorted(found.items(), key=lambda each: _key(each[0]))]


def _key(key: tuple[bool, TableName, str]) -> tuple[bool, bool, str, str, str]:
    is_control, target, operation = key
    return is_control, isinstance(target, FunctionName), target.schema, target.name, operation


def _targets_of(rulebook: Rulebook, rule: Rule) -> Iterator[Target]:
    for written in rule.targets:
        if written in rulebook.spellings or written.startswith("roles_pbac."):
            yield rulebook.get_target(written)


def _grant(judgement: Judgement) -> Grant | None:
    return judgement.decision.grant if judgement.is_granted else None


def _is_alike(old: Grant | None, new: Grant | None, entity: Entity | None, operation: str) -> bool:
    """Whether two grants give the same, as far as can be told without looking at rows."""
    if old is None or new is None or entity is None or old == new:
        return old == new
    if Limits.of(old, operation) != Limits.of(new, operation):
        return False
    if _without(old, new) != NEVER or _without(new, old) != NEVER:
        return False
    columns = [column.name for column in entity.columns.values()]
    match operation:
        case "select" | "aggregate":
            return all(old.reads(each) == new.reads(each) and old.view(each) == new.view(each) for each in columns)
        case "insert" | "update":
            same = (
                old.writes(each) == new.writes(each)
                and old.before([each]) == new.before([each])
                and old.after([each]) == new.after([each])
                for each in columns
            )
            return old.presets(()) == new.presets(()) and all(same)
        case _:
            return True


def _difference(
    subject: Subject, target: Target, operation: str, was: Judgement, becomes: Judgement, onlooker: Onlooker
) -> Difference:
    entity, old, new = target.entity, _grant(was), _grant(becomes)
    if entity is None or target.is_control:
        return Difference(subject, target, operation, was, becomes)
    columns = {name: column.name for name, column in entity.columns.items() if onlooker.reads(entity, column.name)}
    uses = [name for name, column in columns.items() if _uses(new, column, operation)]
    used = [name for name, column in columns.items() if _uses(old, column, operation)]
    changed: list[str] = []
    if capability_for(operation) == "select" and old is not None and new is not None:
        changed = [name for name in uses if name in used and old.view(columns[name]) != new.view(columns[name])]
    gained = lost = None
    seen = onlooker.rows(entity)
    is_open = all(_may_know(onlooker, entity, judgement, subject) for judgement in (was, becomes))
    if operation in OF_ROWS and seen is not None and is_open:
        gained = RowsCondition(entity, _without(new, old), seen)
        lost = RowsCondition(entity, _without(old, new), seen)
    return Difference(
        subject,
        target,
        operation,
        was,
        becomes,
        gained,
        lost,
        tuple(name for name in uses if name not in used),
        tuple(name for name in used if name not in uses),
        tuple(changed),
    )


def _uses(grant: Grant | None, column: str, operation: str) -> bool:
    if grant is None or operation not in {"select", AGGREGATE, "insert", "update"}:
        return False
    return grant.reads(column) if capability_for(operation) == "select" else grant.writes(column)


def _without(grant: Grant | None, other: Grant | None) -> Predicate:
    """The rows of one grant that are not those of the other."""
    if grant is None or (other is not None and other.rows in (ALWAYS, grant.rows)):
        return NEVER
    return grant.rows if other is None or other.rows == NEVER else all_of(grant.rows, NotTrue(other.rows))


def _may_know(onlooker: Onlooker, entity: Entity, judgement: Judgement, subject: Subject) -> bool:
    if onlooker.sees_everything:
        return True
    if judgement.decision.grant is not None and judgement.decision.grant.grouped is not None:
        # How many rows are alike is told of rows that it does not see.
        return False
    filters = (rule.filter for rule in judgement.decision.granting)
    return all(onlooker.may_know(entity, parse_expression(text), subject) for text in filters)


def render_count(condition: RowsCondition, model: Model) -> Statement:
    """A statement that gives how many rows there are."""
    source, _ = _source(condition, model)
    return to_statement(sql("select count(*) from {source}", source=source))


def render_sample(condition: RowsCondition, model: Model) -> Statement | None:
    """A statement that gives the first keys of the rows, as JSON; None for a table without a key."""
    source, alias = _source(condition, model)
    entity = condition.entity
    keys = [(label, column) for label, column in entity.columns.items() if column.name in entity.table.primary_key]
    if not keys:
        return None
    parts: list[Sql] = []
    for index, (label, column) in enumerate(keys):
        parts.append(json_text('{"' if index == 0 else ',"', (label,), '":'))
        parts.append(render_column(name(alias, column.name), column, as_id=False))
    parts.append(json_text("}"))
    return to_statement(
        sql(
            "select {json} from {source} order by {keys} limit {limit}",
            json=concatenate(parts),
            source=source,
            keys=join(", ", [name(alias, column.name) for _, column in keys]),
            limit=slot(Constant(SAMPLE_ROWS, INT8), "int8"),
        )
    )


def _source(condition: RowsCondition, model: Model) -> tuple[Sql, str]:
    """The rows behind `from`, and their alias."""
    aliases, entity = Aliases(), condition.entity
    alias = aliases.new(entity)
    rows = render_predicate(condition.rows, entity, alias, model, aliases)
    if condition.seen != ALWAYS:
        seen = render_predicate(condition.seen, entity, alias, model, aliases)
        # A filter that can fail would tell by that of rows which the onlooker does not see.
        rows = sql("(case when {seen} then {rows} end)", seen=_of_onlooker(seen), rows=rows)
    source = sql("{table} as {alias} where {rows}", table=table_name(entity), alias=name(alias), rows=rows)
    return source, alias


def _of_onlooker(part: Sql) -> Sql:
    """The same, with the values of the onlooker."""
    return Sql(
        tuple(
            piece if isinstance(piece, str) else Slot(OfOnlooker(piece.source), piece.type_name)
            for piece in part.pieces
        )
    )
