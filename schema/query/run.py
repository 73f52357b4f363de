"""run_operation: a compiled operation on a tenant's database → the bytes of the response."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

from db.errors import ConstraintViolated, PublicError, Stopped
from schema.errors import OperationError, PolicyViolated
from schema.principal import Principal
from schema.query.compiler import Compiled, MutationField, Variables
from schema.query.rendering.step import Step


class Transaction(Protocol):
    async def fetch(self, text: str, arguments: Sequence[object], /) -> list[tuple[Any, ...]]: ...

    async def transaction_id(self) -> str | None: ...

    async def check_deferred(self) -> None: ...


class Database(Protocol):
    async def fetch_text(
        self, text: str, arguments: Sequence[object], /, *, max_seconds: float | None = None
    ) -> bytes: ...

    async def write_text(self, text: str, arguments: Sequence[object], /) -> bytes | None: ...

    def transaction(
        self, *, commit: bool = True, max_seconds: float | None = None
    ) -> AbstractAsyncContextManager[Transaction]: ...


class RowNotFound(OperationError):
    """There is no row with this key, or none that the caller may touch: the two look the same."""

    code = "NOT_FOUND"

    def __init__(self, target: str) -> None:
        super().__init__(f"There is no such row in {target}.")


class TooManyRows(OperationError):
    """A mutation would change more rows than its `max_affected`; it has changed none."""

    code = "TOO_MANY_ROWS"

    def __init__(self, target: str) -> None:
        super().__init__(f"This would change more rows of {target} than max_affected allows. Nothing was changed.")


class PreconditionFailed(OperationError):
    """The row is no longer as `if_match` says."""

    code = "PRECONDITION_FAILED"

    def __init__(self, target: str) -> None:
        super().__init__(f"The row in {target} has changed in the meantime.")


class RowLimitExceeded(OperationError):
    """A list would have more rows than rules let the caller read at once."""

    code = "ROW_LIMIT_EXCEEDED"

    def __init__(self) -> None:
        super().__init__("A list has more rows than you may read at once. Ask for fewer, with limit or first.")


async def run_operation(
    compiled: Compiled,
    database: Database,
    variables: Variables,
    principal: Principal,
    record: Callable[[str | None, bytes], Awaitable[None]] | None = None,
) -> bytes:
    """`{"data":{…}}`. A query is one statement; a mutation one transaction, its fields in order, all or nothing.

    `record` is told of a mutation, before it is committed, the id of its transaction and what it gives. A dry run is
    undone, and says so in its `extensions`.
    """
    if compiled.fixed is not None:
        return compiled.fixed
    if compiled.statement is not None:
        try:
            return await database.fetch_text(
                compiled.statement.text, compiled.bind(variables, principal), max_seconds=compiled.max_seconds
            )
        except Stopped as stopped:
            raise RowLimitExceeded from stopped
    is_plain = record is None and not compiled.is_dry_run and compiled.max_seconds is None
    if is_plain and (alone := _only_step(compiled)) is not None:
        json = await _run_alone(compiled, alone, database, variables, principal)
        return b'{"data":{"' + compiled.fields[0].key.encode() + b'":' + json + b"}}"
    members: list[bytes] = []
    async with database.transaction(commit=not compiled.is_dry_run, max_seconds=compiled.max_seconds) as transaction:
        for field in compiled.fields:
            with _told(compiled, field):
                json = await _run_field(field, transaction, variables, principal)
            members.append(f'"{field.key}":'.encode() + json)
        reply = b'{"data":{' + b",".join(members) + b"}}"
        if compiled.is_dry_run:
            with _told(compiled, compiled.fields[-1]):
                await transaction.check_deferred()
            return b'{"extensions":{"dry_run":true},' + reply[1:]
        if record is not None:
            await record(await transaction.transaction_id(), reply)
    return reply


def _only_step(compiled: Compiled) -> Step | None:
    """The step of a mutation that is one statement, which PostgreSQL makes a transaction by itself."""
    steps = [step for field in compiled.fields for step in field.steps]
    return steps[0] if len(compiled.fields) == len(steps) == 1 and steps[0].kind == "answer" else None


async def _run_alone(
    compiled: Compiled, step: Step, database: Database, variables: Variables, principal: Principal
) -> bytes:
    field = compiled.fields[0]
    with _told(compiled, field):
        try:
            json = await database.write_text(step.statement.text, field.bind(0, variables, principal))
        except Stopped as stopped:
            raise refusal(stopped, step, field) from stopped
        return _answered(field, [] if json is None else [(json,)])


async def _run_field(
    field: MutationField, transaction: Transaction, variables: Variables, principal: Principal
) -> bytes:
    json = (field.fixed or "null").encode()
    results: list[tuple[object, ...]] = []
    for place, step in enumerate(field.steps):
        try:
            rows = await transaction.fetch(step.statement.text, field.bind(place, variables, principal, results))
        except Stopped as stopped:
            raise refusal(stopped, step, field) from stopped
        match step.kind:
            case "keys":
                if not rows:
                    return _answered(field, rows)
                results.append(rows[0])
            case "call":
                results.append(rows[0] if rows else ())
            case "judge":
                if not rows:
                    return _answered(field, rows)
                holds, json = rows[0]
                if holds is not True:
                    raise PolicyViolated(step.capability or field.capability, step.target or field.target)
            case "answer":
                json = _answered(field, rows)
    return json


def _answered(field: MutationField, rows: Sequence[tuple[bytes, ...]]) -> bytes:
    if rows:
        return rows[0][0]
    if field.ignores_conflict:
        return b"null"
    raise RowNotFound(field.target)


def refusal(stopped: Stopped, step: Step, field: MutationField) -> OperationError:
    """What a statement meant that has stopped itself."""
    target = step.target or field.target
    match stopped.reason:
        case "missing":
            return RowNotFound(target)
        case "many":
            return TooManyRows(target)
        case "changed":
            return PreconditionFailed(target)
        case "rows":
            return RowLimitExceeded()
        case _:
            return PolicyViolated(step.capability or field.capability, target)


class _told:  # noqa: N801 - reads as what it does: `with _told(…)`
    """Refusals name the field that they came from, and tell of constraints what the caller may know."""

    def __init__(self, compiled: Compiled, field: MutationField) -> None:
        self._compiled = compiled
        self._field = field

    def __enter__(self) -> None:
        pass

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        if isinstance(error, ConstraintViolated) and self._compiled.tell is not None:
            shown = self._compiled.tell(error)
            shown.field = self._field.key
            raise shown from error
        if isinstance(error, PublicError):
            error.field = self._field.key
