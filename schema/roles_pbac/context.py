"""ControlContext: who asks, and what the gateway lends for answering; OneTransaction: all of it or nothing."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from graphql import DocumentNode
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from strawberry.extensions import SchemaExtension
from strawberry.types.graphql import OperationType

from db.audit import set_actor
from db.commit import commit
from db.engines import refusals
from db.records import Tenant
from db.tenants import announce_change
from schema.errors import OperationError
from schema.model import Model
from schema.principal import Principal
from schema.roles_pbac.access import ControlPolicy
from schema.roles_pbac.explained.asked import Database
from schema.roles_pbac.passwords import PasswordRules

# Selections can multiply rows, and the doors live on the same few connections.
STATEMENT_LIMIT: Final = "set local statement_timeout = '5s'"


class EarlierFieldFailed(OperationError):
    """A field comes after one that failed, in an operation that is going to be rolled back."""

    code = "EARLIER_FIELD_FAILED"

    def __init__(self) -> None:
        super().__init__("An earlier field of this operation failed, so this one was not tried.")


class NothingChangesByGet(OperationError):
    """A field of a query that changes something was asked for by GET."""

    code = "NOTHING_CHANGES_BY_GET"

    def __init__(self) -> None:
        super().__init__("A request by GET changes nothing. Use POST.")


@dataclass(frozen=True, slots=True)
class Lent:
    """What the gateway does for this schema: `tenant_model` gives the model of the tenant's database, `introspect`
    the query schema as the principal sees it (after reading the database again where asked to), `issue_token` an
    access token for a role of the tenant, or a refusal; passwords are worked on in threads. `hold_back` refuses who
    has made too many roles, or set too many passwords, of late. `tenant_database` is the tenant's, for reading."""

    tenant_model: Callable[[], Awaitable[Model]]
    introspect: Callable[[bool], Awaitable[object]]
    refresh: Callable[[int], Awaitable[None]]
    issue_token: Callable[[int], Awaitable[str]]
    hash_password: Callable[[str], Awaitable[str]]
    verify_password: Callable[[str, str], Awaitable[bool]]
    hold_back: Callable[[], Awaitable[None]]
    tenant_database: Callable[[], Awaitable[Database]]


class Transaction:
    """One connection with one transaction on it, opened when first used, and used by one field at a time: fields of
    a query are resolved side by side, and a connection runs one statement at a time."""

    def __init__(self, engine: AsyncEngine, tenant_id: int, *, role_id: int = 0, may_change: bool = True) -> None:
        self._role_id = role_id
        self._engine = engine
        self._tenant_id = tenant_id
        self._may_change = may_change
        self._turn = asyncio.Lock()
        self._connection: AsyncConnection | None = None
        self._failed = False
        self.has_changes = False

    @asynccontextmanager
    async def use(self) -> AsyncGenerator[AsyncConnection]:
        """The connection, for reading. After a failure PostgreSQL would refuse everything else in the transaction."""
        async with self._turn:
            if self._failed:
                raise EarlierFieldFailed
            with refusals():
                if self._connection is None:
                    self._connection = await self._engine.connect()
                if not self._connection.in_transaction():
                    await self._connection.exec_driver_sql(STATEMENT_LIMIT)
                try:
                    yield self._connection
                except BaseException:
                    self._failed = self.has_changes
                    await self._connection.rollback()
                    raise

    @asynccontextmanager
    async def change(self) -> AsyncGenerator[AsyncConnection]:
        """The connection, for writing. Announcing comes first: it locks the tenant's row, so that changes of one
        tenant's roles and rules follow each other and each is judged by what the one before has stored."""
        if not self._may_change:
            raise NothingChangesByGet
        async with self.use() as connection:
            if not self.has_changes:
                self.has_changes = True
                await set_actor(connection, self._role_id)
                await announce_change(connection, self._tenant_id)
            yield connection

    async def commit(self) -> None:
        if self._connection is not None:
            with refusals():
                await commit(self._connection)

    async def close(self) -> None:
        """Gives the connection back; what was not committed is rolled back."""
        if self._connection is not None:
            await self._connection.close()


@dataclass(frozen=True, slots=True)
class ControlContext:
    principal: Principal
    tenant: Tenant
    policy: ControlPolicy
    transaction: Transaction
    lent: Lent
    now: datetime
    document: DocumentNode
    password_rules: PasswordRules = field(default_factory=PasswordRules)


class OneTransaction(SchemaExtension):
    """All changes of an operation are stored together, or none where the response has errors; before the response
    leaves, this process has taken them in."""

    async def on_execute(self) -> AsyncIterator[None]:  # pyright: ignore[reportIncompatibleMethodOverride]
        context: ControlContext = self.execution_context.context
        transaction = context.transaction
        try:
            yield
            result = self.execution_context.result
            is_mutation = self.execution_context.operation_type is OperationType.MUTATION
            if result is not None and result.errors:
                result.data = None if is_mutation or transaction.has_changes else result.data
                return
            if not transaction.has_changes:
                return
            await transaction.commit()
        finally:
            await transaction.close()
        await context.lent.refresh(context.tenant.tenant_id)
