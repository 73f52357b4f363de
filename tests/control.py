"""A control database with one tenant in it, and its schema's answers, for tests of /roles_pbac."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Self

from sqlalchemy import event, text
from sqlalchemy.ext.asyncio import AsyncEngine

from db.classes import insert_class
from db.engines import control_engine
from db.errors import DatabaseUnavailable
from db.passwords import hash_password, verify_password
from db.records import Role, Rule, Tenant
from db.roles import find_role, insert_role, list_children
from db.rules import insert_rule, list_rules
from db.secrets import load_master_key
from db.tenants import find_tenant, insert_tenant, set_root
from schema.principal import Principal
from schema.query.document import Limits, choose_operation, read_document, validate_document
from schema.query.variables import variable_reader
from schema.roles_pbac.access import ControlPolicy
from schema.roles_pbac.context import ControlContext, Lent, Transaction
from schema.roles_pbac.root import control_schema
from tests.builders import a_model

MASTER_KEY = load_master_key("00" * 32)


@dataclass
class Answer:
    data: Any
    errors: list[Any]

    @property
    def codes(self) -> list[str]:
        return [getattr(error.original_error, "code", type(error.original_error).__name__) for error in self.errors]

    @property
    def messages(self) -> list[str]:
        return [error.message for error in self.errors]


@dataclass
class Control:
    """One tenant with a root role. `statements` are those that answering has run."""

    engine: AsyncEngine
    tenant_id: int
    root_id: int
    refreshed: list[int] = field(default_factory=list[int])
    statements: list[str] = field(default_factory=list[str])

    @classmethod
    @asynccontextmanager
    async def open(cls, dsn: str) -> AsyncGenerator[Self]:
        engine = control_engine(dsn)
        try:
            tenant_id, root_id = await add_tenant(engine, "todo")
            opened = cls(engine, tenant_id, root_id)
            event.listen(engine.sync_engine, "before_cursor_execute", opened._note)
            yield opened
        finally:
            await engine.dispose()

    async def add_role(
        self,
        login: str,
        *capabilities: str,
        parent_id: int | None = None,
        class_ids: tuple[int, ...] = (),
        password: str | None = None,
    ) -> int:
        async with self.engine.begin() as connection:
            role = await insert_role(
                connection,
                tenant_id=self.tenant_id,
                login=login,
                name=login.title(),
                parent_id=parent_id,
                creator_id=self.root_id,
                capabilities=capabilities,
                class_ids=class_ids,
                password_hash=hash_password(password) if password else None,
            )
        return role.role_id

    async def add_class(self, name: str, *members: int, inherit: str = "none") -> int:
        async with self.engine.begin() as connection:
            created = await insert_class(
                connection,
                tenant_id=self.tenant_id,
                name=name,
                inherit=inherit,
                creator_id=self.root_id,
                member_ids=members,
            )
        return created.class_id

    async def add_rule(
        self, capability: str, target: str, *, to: int | None = None, only: str = "", to_class: int | None = None
    ) -> int:
        async with self.engine.begin() as connection:
            rule = await insert_rule(
                connection,
                tenant_id=self.tenant_id,
                name=f"{capability} on {target}",
                capabilities=[capability],
                targets=[target],
                creator_id=self.root_id,
                filter_text=only,
                role_ids=[] if to is None else [to],
                class_ids=[] if to_class is None else [to_class],
            )
        return rule.rule_id

    async def role(self, role_id: int) -> Role:
        async with self.engine.connect() as connection:
            role = await find_role(connection, self.tenant_id, role_id)
        assert role is not None
        return role

    async def rules(self) -> tuple[Rule, ...]:
        async with self.engine.connect() as connection:
            return await list_rules(connection, self.tenant_id)

    async def tenant(self) -> Tenant:
        async with self.engine.connect() as connection:
            tenant = await find_tenant(connection, self.tenant_id, MASTER_KEY)
        assert tenant is not None
        return tenant

    async def scalar(self, statement: str) -> Any:
        async with self.engine.connect() as connection:
            return await connection.scalar(text(statement))

    async def principal(self, role_id: int) -> Principal:
        role = await self.role(role_id)
        async with self.engine.connect() as connection:
            children = await list_children(connection, self.tenant_id, role_id)
        return Principal(
            tenant_id=self.tenant_id,
            role_id=role_id,
            login=role.login,
            parent_id=role.parent_id,
            capabilities=role.capabilities,
            class_ids=role.class_ids,
            child_ids=children,
            is_root=role_id == self.root_id,
        )

    async def ask(self, role_id: int, query: str, **variables: object) -> Answer:
        """What the role is answered."""
        schema = control_schema()
        document = read_document(query, Limits())
        validate_document(schema.core, document)
        operation = choose_operation(document, None)
        tenant = await self.tenant()
        context = ControlContext(
            principal=await self.principal(role_id),
            tenant=tenant,
            policy=ControlPolicy(await self.rules(), tenant_id=self.tenant_id),
            transaction=Transaction(self.engine, self.tenant_id),
            lent=self._lent(),
            now=datetime.now(UTC),
            document=document,
        )
        values = variable_reader(schema.core, operation).conform(variables)
        result = await schema.answer(document, values, None, context)
        return Answer(result.data, result.errors or [])

    async def good(self, role_id: int, query: str, **variables: object) -> Any:
        """The data of an answer that has no errors."""
        answer = await self.ask(role_id, query, **variables)
        assert answer.errors == [], answer.messages
        return answer.data

    async def refused(self, role_id: int, query: str, **variables: object) -> str:
        """The code of the one refusal."""
        answer = await self.ask(role_id, query, **variables)
        assert answer.data is None or set(answer.data.values()) == {None}, answer.data
        [code] = answer.codes
        return code

    def _note(self, _connection: object, _cursor: object, statement: str, *_: object) -> None:
        self.statements.append(statement)

    def _lent(self) -> Lent:
        async def tenant_model() -> Any:
            return a_model()

        async def introspect(read_again: bool) -> object:
            return {"gql": "type Query", "json": {"__schema": {"again": read_again}}}

        async def refresh(tenant_id: int) -> None:
            self.refreshed.append(tenant_id)

        async def issue_token(role_id: int) -> str:
            return f"token of {role_id}"

        async def hashed(password: str) -> str:
            return await asyncio.to_thread(hash_password, password)

        async def verified(password_hash: str, password: str) -> bool:
            return await asyncio.to_thread(verify_password, password_hash, password)

        async def hold_back() -> None:
            return None

        async def tenant_database() -> Any:
            raise DatabaseUnavailable

        return Lent(tenant_model, introspect, refresh, issue_token, hashed, verified, hold_back, tenant_database)


async def add_tenant(engine: AsyncEngine, name: str) -> tuple[int, int]:
    """The ids of a new tenant and of its root role."""
    async with engine.begin() as connection:
        tenant = await insert_tenant(
            connection, name=name, dsn="postgresql://app:secret@db.example/app", master_key=MASTER_KEY
        )
        root = await insert_role(
            connection,
            tenant_id=tenant.tenant_id,
            login="root",
            name="Root",
            parent_id=None,
            creator_id=0,
            capabilities=["login"],
            class_ids=(),
            password_hash=None,
        )
        await set_root(connection, tenant.tenant_id, root.role_id)
    return tenant.tenant_id, root.role_id
