"""access_matrix: all that a role may do, target by target and operation by operation."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from db.catalog import FunctionName, TableName
from schema.grants import Grant
from schema.model import Entity, Model
from schema.policy import AGGREGATE, CONTROL_TARGETS, capability_for
from schema.roles_pbac.explained.considered import Limits, Verdict, judge
from schema.roles_pbac.explained.onlooker import Onlooker
from schema.roles_pbac.explained.rulebook import Rulebook, Target
from schema.roles_pbac.explained.subject import Subject

TargetKind = Literal["table", "function", "control"]
ROW_OPERATIONS: Final = ("select", AGGREGATE, "insert", "update", "delete")
_CONTROL_NOUNS: Final = {"roles": "role", "role_classes": "class", "policy_rules": "rule"}


@dataclass(frozen=True, slots=True)
class Cell:
    """What comes of one operation. `columns` are those that it can read or write, None for all; `masked` those of them
    that are not on every row as they are. `rule_ids` are the rules that grant it."""

    operation: str
    verdict: Verdict
    columns: tuple[str, ...] | None
    masked: tuple[str, ...]
    rule_ids: tuple[int, ...]
    limits: Limits


@dataclass(frozen=True, slots=True)
class Line:
    target: Target
    kind: TargetKind
    cells: tuple[Cell, ...]


def access_matrix(rulebook: Rulebook, subject: Subject, onlooker: Onlooker) -> tuple[Line, ...]:
    """A line for each target that the onlooker may know of: by what it may do itself, or by a rule that it sees."""
    return tuple(
        Line(target, kind, tuple(_cell(rulebook, subject, target, each, onlooker) for each in operations))
        for target, kind, operations in _targets(rulebook, onlooker)
    )


def known_targets(rulebook: Rulebook, onlooker: Onlooker) -> frozenset[TableName]:
    """The tables and functions that the onlooker may know of."""
    everything = {*rulebook.model.by_table, *call_operations(rulebook.model)}
    if onlooker.sees_everything:
        return frozenset(everything)
    named = {rulebook.spellings.get(written) for rule in rulebook.rules for written in rule.targets}
    return frozenset(each for each in everything if each in named or onlooker.knows(each))


def call_operations(model: Model) -> Mapping[FunctionName, str]:
    """What each function takes to be called."""
    routines = [*model.routines.values()]
    routines += [routine for entity in model.entities.values() for routine in entity.computed.values()]
    return {routine.function.name: routine.capability for routine in routines}


def _targets(rulebook: Rulebook, onlooker: Onlooker) -> Iterator[tuple[Target, TargetKind, tuple[str, ...]]]:
    known = known_targets(rulebook, onlooker)
    for table in sorted(each for each in rulebook.model.by_table if each in known):
        yield rulebook.target_of(table), "table", ROW_OPERATIONS
    for function, operation in sorted(call_operations(rulebook.model).items()):
        if function in known:
            yield rulebook.target_of(function, f"{function}()"), "function", (operation,)
    for written, name in CONTROL_TARGETS.items():
        noun = _CONTROL_NOUNS[name.name]
        verbs = ("view", "create", "update", "delete")
        yield rulebook.get_target(written), "control", tuple(f"{verb}_{noun}" for verb in verbs)


def _cell(rulebook: Rulebook, subject: Subject, target: Target, operation: str, onlooker: Onlooker) -> Cell:
    judgement = judge(rulebook, subject, target, operation)
    grant = None if judgement.verdict == "denied" else judgement.decision.grant
    columns, masked = _columns(grant, target.entity, operation, onlooker)
    granting = () if grant is None else tuple(rule.rule_id for rule in judgement.decision.granting)
    return Cell(operation, judgement.verdict, columns, masked, granting, Limits.of(grant, operation))


def _columns(
    grant: Grant | None, entity: Entity | None, operation: str, onlooker: Onlooker
) -> tuple[tuple[str, ...] | None, tuple[str, ...]]:
    if grant is None or entity is None or operation not in {"select", AGGREGATE, "insert", "update"}:
        return None, ()
    seen = {name: column.name for name, column in entity.columns.items() if onlooker.reads(entity, column.name)}
    if capability_for(operation) == "select":
        columns = None if grant.columns is None else tuple(name for name, column in seen.items() if grant.reads(column))
        masked = (name for name, column in seen.items() if grant.reads(column) and grant.view(column) is not None)
        return columns, tuple(masked)
    is_bounded = any(part.write_columns is not None or part.forced for part in grant.parts)
    return tuple(name for name, column in seen.items() if grant.writes(column)) if is_bounded else None, ()
