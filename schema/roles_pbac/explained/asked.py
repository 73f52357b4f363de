"""Asked: a question about the policy, with what whoever asks may see. Its answers, for /roles_pbac and the command."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Hashable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final, Protocol, cast

import orjson
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from db.classes import list_classes, list_memberships
from db.engines import refusals
from db.errors import InvalidValue, PublicError, StatementTimedOut
from db.records import Role, Tenant
from db.roles import find_nobody, find_role, list_children, list_roles
from db.rules import list_rules
from db.sql import Statement
from schema.expression.predicate import ALWAYS, NEVER, Predicate, all_of
from schema.model import Model
from schema.policy import AGGREGATE, compile_policy
from schema.principal import CAPABILITIES, Principal, build_principal, class_by_kind, is_shut_out
from schema.query.compiler import bind
from schema.query.run import RowNotFound
from schema.roles_pbac.access import IN_TENANT
from schema.roles_pbac.arguments import timed
from schema.roles_pbac.errors import BadInput, NoSuchRow
from schema.roles_pbac.explained.changes import Change, smallest_change
from schema.roles_pbac.explained.columns import ColumnAccess, column_access
from schema.roles_pbac.explained.considered import Explanation, explain_access
from schema.roles_pbac.explained.differences import (
    OF_ROWS,
    Difference,
    OfOnlooker,
    RowsCondition,
    concerned,
    differences_for,
    render_count,
    render_sample,
)
from schema.roles_pbac.explained.filters import Truth
from schema.roles_pbac.explained.judged import AT_ONCE, JudgedRow, RowQuestion, key_predicate
from schema.roles_pbac.explained.matrix import Line, access_matrix, known_targets
from schema.roles_pbac.explained.onlooker import Onlooker
from schema.roles_pbac.explained.rulebook import NoSuchTarget, Rulebook, Target
from schema.roles_pbac.explained.subject import Subject
from schema.validity import is_in_force

STATEMENT_SECONDS: Final = 2.0
#: How long a question about differences goes on counting.
COUNTING_SECONDS: Final = 20.0
MAX_DIFFERENCES: Final = 200


class Reading(Protocol):
    async def fetch(self, text: str, arguments: Sequence[object], /) -> list[tuple[Any, ...]]: ...


class Database(Protocol):
    def reading(self, *, statement_seconds: float) -> AbstractAsyncContextManager[Reading]: ...


@dataclass(frozen=True, slots=True)
class ControlDatabase:
    """The control database in the place of a tenant's own, for rows of control targets."""

    connection: AsyncConnection

    @asynccontextmanager
    async def reading(self, *, statement_seconds: float) -> AsyncGenerator[Reading]:
        await self.connection.execute(
            text("select set_config('statement_timeout', :limit, true)"), {"limit": str(int(statement_seconds * 1000))}
        )
        yield self

    async def fetch(self, text: str, arguments: Sequence[object], /) -> list[tuple[Any, ...]]:
        with refusals():
            result = await self.connection.exec_driver_sql(text, tuple(arguments))
        return [tuple(row) for row in result] if result.returns_rows else []


@dataclass(frozen=True, slots=True)
class Visible:
    """The ids of the roles, classes and rules that whoever asks may see; None for all of the tenant."""

    role_ids: frozenset[int] | None = None
    class_ids: frozenset[int] | None = None
    rule_ids: frozenset[int] | None = None

    @property
    def is_complete(self) -> bool:
        """Whether nothing is hidden that a verdict could depend on."""
        return self.role_ids is None and self.class_ids is None and self.rule_ids is None


EVERYTHING: Final = Visible()


@dataclass(frozen=True)
class Asked:
    """What hidden rules, roles and classes would say is not known here, so that no answer can tell of it."""

    tenant: Tenant
    rulebook: Rulebook
    onlooker: Onlooker
    visible: Visible
    class_names: Mapping[int, str]
    nobody: Role | None = None


@dataclass(frozen=True, slots=True)
class Explained:
    """The explanation with the least that would turn its verdict; of a row where one was asked about, and the least
    then is for that row."""

    explanation: Explanation
    columns: tuple[ColumnAccess, ...]
    change: tuple[Change, ...]
    is_complete: bool
    row: JudgedRow | None = None


@dataclass(frozen=True, slots=True)
class CountedRows:
    """How many rows, with the keys of the first."""

    count: int
    sample: tuple[object, ...] = ()


@dataclass(frozen=True, slots=True)
class CountedDifference:
    """`gained` and `lost` are None where rows were not counted, and `uncounted` says why."""

    difference: Difference
    gained: CountedRows | None = None
    lost: CountedRows | None = None
    uncounted: str | None = None


@dataclass(frozen=True, slots=True)
class Differences:
    """`is_cut` where there are more than are told."""

    found: tuple[CountedDifference, ...]
    is_cut: bool
    is_complete: bool


async def read_asked(
    connection: AsyncConnection,
    tenant: Tenant,
    model: Model,
    now: datetime,
    *,
    principal: Principal | None = None,
    visible: Visible = EVERYTHING,
) -> Asked:
    """What a principal that may see so much asks about; without one, an operator, who sees everything."""
    tenant_id = tenant.tenant_id
    rules = await list_rules(connection, tenant_id)
    names = {each.class_id: each.name for each in await list_classes(connection, tenant_id)}
    in_force = [rule for rule in rules if is_in_force(rule, now)]
    return Asked(
        tenant,
        Rulebook(
            tenant_id,
            tuple(rule for rule in rules if _within(visible.rule_ids, rule.rule_id)),
            model,
            tenant.rule_choice,
            now,
        ),
        Onlooker(principal, compile_policy(in_force, model, tenant_id=tenant_id, choice=tenant.rule_choice)),
        visible,
        {class_id: name for class_id, name in names.items() if _within(visible.class_ids, class_id)},
        await find_nobody(connection, tenant),
    )


async def read_subject(connection: AsyncConnection, asked: Asked, role_id: int) -> Subject:
    """Raises NoSuchRow for a role that is not there, and for one that may not be seen."""
    tenant_id = asked.tenant.tenant_id
    role = await find_role(connection, tenant_id, role_id)
    if role is None or not _within(asked.visible.role_ids, role_id):
        raise NoSuchRow("role", role_id)
    children = await list_children(connection, tenant_id, role_id)
    own_class_ids = await list_memberships(connection, tenant_id, role_id)
    return _subject(asked, role, children, own_class_ids)


async def read_subjects(connection: AsyncConnection, asked: Asked) -> tuple[Subject, ...]:
    """All roles that may be seen and are not flagged as deleted."""
    roles = await list_roles(connection, asked.tenant.tenant_id)
    children: dict[int, set[int]] = {}
    for role in roles:
        if role.parent_id is not None:
            children.setdefault(role.parent_id, set()).add(role.role_id)
    return tuple(
        _subject(asked, role, frozenset(children.get(role.role_id, ())), role.class_ids)
        for role in roles
        if not role.deleted and _within(asked.visible.role_ids, role.role_id)
    )


def _subject(asked: Asked, role: Role, children: frozenset[int], own_class_ids: frozenset[int]) -> Subject:
    """The role as the gateway takes it, without what whoever asks may not know."""
    visible, onlooker = asked.visible, asked.onlooker.principal
    nobody = asked.nobody
    if nobody is not None and not _within(visible.role_ids, nobody.role_id):
        # What it lends is hidden with it.
        nobody = replace(nobody, capabilities=role.capabilities, class_ids=frozenset())
    whole = build_principal(asked.tenant, role, nobody, children)
    claims_are_told = asked.onlooker.sees_everything or (onlooker is not None and onlooker.role_id == role.role_id)
    principal = replace(
        whole,
        class_ids=frozenset(each for each in whole.class_ids if _within(visible.class_ids, each)),
        child_ids=frozenset(each for each in children if _within(visible.role_ids, each)),
        claims=whole.claims if claims_are_told else {},
        lender_id=None
        if whole.lender_id is None or not _within(visible.role_ids, whole.lender_id)
        else whole.lender_id,
    )
    return Subject(
        principal,
        role.deleted,
        is_shut_out(role, asked.nobody),
        own_class_ids,
        class_by_kind(asked.tenant, role),
        frozenset() if principal.lender_id is None or nobody is None else nobody.class_ids,
        asked.class_names,
        claims_are_told,
    )


def _within(ids: frozenset[int] | None, number: int) -> bool:
    return ids is None or number in ids


def get_target(asked: Asked, written: str, operation: str) -> Target:
    """What is asked about. Raises NoSuchTarget, the same for what is not there and for what must not be known;
    BadInput for what is no operation."""
    if operation not in CAPABILITIES and operation != AGGREGATE:
        raise BadInput(f"There is no capability {operation!r}.")
    target = asked.rulebook.get_target(written)
    if not target.is_control and target.name not in known_targets(asked.rulebook, asked.onlooker):
        raise NoSuchTarget(written)
    return target


async def explain(
    asked: Asked, subject: Subject, target: Target, operation: str, key: object = None, database: Database | None = None
) -> Explained:
    """The explanation, of the row with this key where one is given. Raises BadInput, RowNotFound, StoreError."""
    explanation = explain_access(asked.rulebook, subject, target, operation)
    columns = tuple(column_access(explanation.grant, target.entity, operation, asked.onlooker))
    is_complete = asked.visible.is_complete
    if key is None or database is None:
        return Explained(explanation, columns, smallest_change(asked.rulebook, explanation), is_complete)
    if target.entity is None:
        raise BadInput("A function has no rows.")
    if asked.onlooker.rows(target.entity) is None:
        # Not even what a key of it looks like.
        raise RowNotFound(target.entity.name)
    question = RowQuestion(
        explanation,
        target.entity,
        asked.rulebook.model_of(target),
        all_of(key_predicate(target.entity, key), IN_TENANT if target.is_control else ALWAYS),
        asked.onlooker,
        columns,
    )
    row = question.answer(asked.rulebook, await _truths(asked, question, database))
    return Explained(explanation, row.columns, row.change, is_complete, row)


async def _truths(asked: Asked, question: RowQuestion, database: Database) -> list[Truth]:
    """The truths of the question's conditions, all at one moment. Raises RowNotFound for a row that whoever asks does
    not see."""
    conditions, seen = question.conditions, question.visibility
    role = question.explanation.subject.principal
    truths: list[Truth] = []
    async with database.reading(statement_seconds=STATEMENT_SECONDS) as reading:
        if not await reading.fetch(seen.text, _bound(question, seen, asked.onlooker.principal or role)):
            raise RowNotFound(question.entity.name)
        await reading.fetch("savepoint judged", ())
        for start in range(0, len(conditions), AT_ONCE):
            truths += await _judge(question, conditions[start : start + AT_ONCE], reading)
    return truths


async def _judge(question: RowQuestion, conditions: Sequence[Predicate], reading: Reading) -> list[Truth]:
    """The truths of some conditions. What fails is looked for by halves, as it takes the others with it."""
    statement = question.statement(conditions)
    arguments = _bound(question, statement, question.explanation.subject.principal)
    try:
        [(truths,)] = await reading.fetch(statement.text, arguments)
    except InvalidValue:
        await reading.fetch("rollback to savepoint judged", ())
        if len(conditions) == 1:
            return ["fails"]
        half = len(conditions) // 2
        first = await _judge(question, conditions[:half], reading)
        return first + await _judge(question, conditions[half:], reading)
    return list(truths)


def _bound(question: RowQuestion, statement: Statement, principal: Principal) -> list[object]:
    arguments = bind(statement, {}, principal)
    return timed(statement, arguments) if question.explanation.target.is_control else arguments


def may(asked: Asked, subject: Subject) -> tuple[Line, ...]:
    """All that the role may do, as far as whoever asks may know it."""
    return access_matrix(asked.rulebook, subject, asked.onlooker)


async def diff(asked: Asked, after: Rulebook, subjects: Sequence[Subject], database: Callable[[], Any]) -> Differences:
    """What the rules of `after` would give to the roles and take from them. Nothing is changed."""
    where = concerned(asked.rulebook, after, asked.onlooker)
    found: list[Difference] = []
    for subject in subjects:
        found += differences_for(subject, where, asked.rulebook, after, asked.onlooker)
        if len(found) > MAX_DIFFERENCES:
            break
        # There may be thousands of roles, and others are waiting.
        await asyncio.sleep(0)
    counting = _Counting(asked, await database() if found else None)
    told = [await counting.count(difference) for difference in found[:MAX_DIFFERENCES]]
    return Differences(tuple(told), len(found) > MAX_DIFFERENCES, asked.visible.is_complete)


class _Counting:
    """Counts rows, the same ones once, as long as there is time."""

    def __init__(self, asked: Asked, database: Database | None) -> None:
        self._asked = asked
        self._database = database
        self._ends = asyncio.get_running_loop().time() + COUNTING_SECONDS
        self._known: dict[tuple[str, str], CountedRows] = {}

    async def count(self, difference: Difference) -> CountedDifference:
        if difference.gained is None or difference.lost is None:
            has_rows = difference.operation in OF_ROWS and not difference.target.is_control
            why = "Counting these rows would tell of what you may not see." if has_rows else None
            return CountedDifference(difference, uncounted=why if difference.target.entity else None)
        if asyncio.get_running_loop().time() > self._ends:
            return CountedDifference(difference, uncounted="There was no time left to count these rows.")
        try:
            gained = await self._rows(difference, difference.gained)
            return CountedDifference(difference, gained, await self._rows(difference, difference.lost))
        except StatementTimedOut:
            return CountedDifference(difference, uncounted="It takes too long to count these rows.")
        except PublicError as error:
            return CountedDifference(difference, uncounted=f"Counting these rows failed: {error.message}")

    async def _rows(self, difference: Difference, condition: RowsCondition) -> CountedRows:
        if condition.rows == NEVER or self._database is None:
            return CountedRows(0)
        model, principal = self._asked.rulebook.model, difference.subject.principal
        counting, sampling = render_count(condition, model), render_sample(condition, model)
        arguments = self._bind(counting, principal)
        known = (counting.text, repr(arguments))
        if known not in self._known:
            async with self._database.reading(statement_seconds=STATEMENT_SECONDS) as reading:
                [(count,)] = await reading.fetch(counting.text, arguments)
                sample: list[object] = []
                if sampling is not None and count:
                    rows = await reading.fetch(sampling.text, self._bind(sampling, principal))
                    sample = [orjson.loads(json) for (json,) in rows]
            self._known[known] = CountedRows(count, tuple(sample))
        return self._known[known]

    def _bind(self, statement: Statement, principal: Principal) -> list[object]:
        """The arguments: some are the onlooker's own, the others those of the role."""
        return [self._value(source, principal) for source in statement.sources]

    def _value(self, source: Hashable, principal: Principal) -> object:
        if isinstance(source, OfOnlooker):
            return self._value(source.source, cast("Principal", self._asked.onlooker.principal))
        [value] = bind(Statement("", (source,)), {}, principal)
        return value
