"""run_operation: a compiled operation on a tenant's database → the bytes of the response."""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

from db.errors import PublicError
from schema.errors import OperationError, PolicyViolated
from schema.principal import Principal
from schema.query.compiler import Compiled, MutationField, Variables, bind
from schema.query.cursors import CursorKey
from schema.query.discretion import discreet


class Transaction(Protocol):
    async def fetch(self, text: str, arguments: Sequence[object], /) -> list[tuple[Any, ...]]: ...


class Database(Protocol):
    async def fetch_text(self, text: str, arguments: Sequence[object], /) -> bytes: ...

    def transaction(self, *, commit: bool = True) -> AbstractAsyncContextManager[Transaction]: ...


class RowNotFound(OperationError):
    """There is no row with this key, or none that the caller may touch: the two look the same."""

    code = "NOT_FOUND"

    def __init__(self, target: str) -> None:
        super().__init__(f"There is no such row in {target}.")


async def run_operation(compiled: Compiled, database: Database, variables: Variables, principal: Principal) -> bytes:
    """`{"data":{…}}`. A query is one statement; a mutation one transaction, its fields in order, all or nothing."""
    if compiled.fixed is not None:
        return compiled.fixed
    if compiled.statement is not None:
        return await database.fetch_text(compiled.statement.text, compiled.bind(variables, principal))
    members: list[bytes] = []
    async with database.transaction() as transaction:
        for field in compiled.fields:
            try:
                json = await _run_field(field, transaction, variables, principal, compiled.cursors)
            except PublicError as error:
                error.field = field.key
                raise discreet(error, field.entity, principal) from error
            members.append(f'"{field.key}":'.encode() + json)
    return b'{"data":{' + b",".join(members) + b"}}"


async def _run_field(
    field: MutationField, transaction: Transaction, variables: Variables, principal: Principal, cursors: CursorKey
) -> bytes:
    json = (field.fixed or "null").encode()
    row_key: tuple[object, ...] = ()
    for step in field.steps:
        arguments = bind(step.statement, variables, principal, row_key, cursors)
        rows = await transaction.fetch(step.statement.text, arguments)
        if step.kind == "call":
            row_key = rows[0] if rows else ()
            continue
        if not rows and field.ignores_conflict:
            return b"null"
        if not rows:
            raise RowNotFound(field.target)
        match step.kind:
            case "write":
                row_key = rows[0]
            case "judge":
                holds, json = rows[0]
                if holds is not True:
                    raise PolicyViolated(field.capability, field.target)
            case "read":
                json = rows[0][0]
            case _:
                pass
    return json
