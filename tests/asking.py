"""A tenant's database behind the compiler of /query, without a gateway around it."""

import json
from collections.abc import AsyncGenerator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import asyncpg
from graphql import print_schema

from db.errors import PublicError
from db.read_catalog import read_catalog
from db.records import Rule
from db.tenant_database import TenantDatabase
from gateway.errors import graphql_body
from gateway.tenancy import LoadedTenant
from schema.names import build_model
from schema.policy import compile_policy
from schema.principal import Principal
from schema.query.cursors import CursorKey
from schema.query.document import Limits
from schema.query.run import run_operation
from schema.validity import TimedPolicy

ROOT = Principal(1, 1, "root", is_root=True)


@dataclass(frozen=True)
class Asker:
    """`loaded` as it is asked, and a plain connection to the same database."""

    loaded: LoadedTenant
    plain: "asyncpg.Connection[Any]"

    async def ask(
        self, document: str, variables: Mapping[str, object] | None = None, who: Principal = ROOT
    ) -> dict[str, Any]:
        """The data of the answer. Raises PublicError."""
        view = self.loaded.view(who)
        prepared = view.prepare(document, None)
        coerced = prepared.read_variables.coerce(variables or {})
        answer = await run_operation(view.compile(prepared, coerced), self.loaded.database, coerced, who)
        return dict(json.loads(answer, parse_float=_exact, parse_int=_exact)["data"])

    async def refused(
        self, document: str, variables: Mapping[str, object] | None = None, who: Principal = ROOT
    ) -> dict[str, Any]:
        """The first error of an answer that must be a refusal."""
        try:
            await self.ask(document, variables, who)
        except PublicError as error:
            errors: Any = graphql_body(error)["errors"]
            return dict(errors[0])
        raise AssertionError(document)

    def sdl(self, who: Principal = ROOT) -> str:
        return print_schema(self.loaded.view(who).schema.graphql)


def _exact(text: str) -> int | float | str:
    """A number as a client reads it, or its text where Python's own would lose digits, or the sign of a zero."""
    number = int(text) if text.lstrip("-").isdigit() else float(text)
    return number if text != "-0" and (isinstance(number, int) or repr(number) == text) else text


@asynccontextmanager
async def open_asker(
    dsn: str, ddl: str = "", rules: Iterable[Rule] = (), schemas: Iterable[str] = ("public",)
) -> AsyncGenerator[Asker]:
    """The database with these tables, as tenant 1 under these rules."""
    plain = await asyncpg.connect(dsn, server_settings={"timezone": "UTC"})
    try:
        if ddl:
            await plain.execute(ddl)
        async with TenantDatabase(dsn, max_connections=2) as opened:
            model = build_model(await read_catalog(opened, list(schemas)))
            tenant: Any = None
            policy = TimedPolicy(rules, lambda in_force: compile_policy(in_force, model, tenant_id=1))
            yield Asker(LoadedTenant(tenant, opened, model, "", policy, Limits(), CursorKey(b"key")), plain)
    finally:
        await plain.close()
