"""Ground: a database of one shape, filled anew for each case, and Ostiary's own way from a request to its answer."""

import json
from collections.abc import AsyncGenerator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import asyncpg

from db.errors import PublicError
from db.read_catalog import read_catalog
from db.tenant_database import TenantDatabase
from gateway.errors import graphql_body
from gateway.graphql_http import GraphQLRequest
from gateway.query import answer_query
from gateway.tenancy import LoadedTenant
from schema.model import Model
from schema.names import build_model
from schema.policy import compile_policy
from schema.query.cursors import CursorKey
from schema.query.document import Limits
from schema.validity import TimedPolicy
from tests.oracle.policy import TENANT, Grants, Person
from tests.oracle.questions import canonical
from tests.oracle.rights import RuleChoice
from tests.oracle.shape import Row, Shape, State, literal

READER = "oracle_reader"
#: A tenant as it is loaded never looks at its own record on the way of a query.
_NO_RECORD: Any = None


@dataclass(frozen=True)
class Answer:
    """The bytes that a caller gets."""

    body: bytes
    code: str | None = None

    @property
    def data(self) -> Any:
        return json.loads(self.body, parse_float=Decimal)["data"]


@dataclass
class Ground:
    shape: Shape
    plain: "asyncpg.Connection[Any]"
    database: TenantDatabase
    model: Model

    async def fill(self, state: State, *, anew: bool = False) -> None:
        """Nothing; the tables hold these rows and no others, and with `anew` their files hold nothing else either."""
        names = [table.name for table in reversed(self.shape.tables)]
        statements = [f"truncate {', '.join(names)};"] if anew else [f"delete from {name};" for name in names]
        for table in self.shape.tables:
            rows = [f"({', '.join(literal(row[name]) for name in table.by_name)})" for row in state[table.name]]
            if rows:
                statements.append(f"insert into {table.name} ({', '.join(table.by_name)}) values {', '.join(rows)};")
        await self.plain.execute(" ".join(statements))

    async def stored(self) -> dict[str, list[Row]]:
        """The rows as they stand, in a form in which equal rows are equal."""
        parts = [
            f"'{table.name}', (select coalesce(json_agg(t), '[]') from {table.name} t)" for table in self.shape.tables
        ]
        text = await self.plain.fetchval(f"select json_build_object({', '.join(parts)})::text")
        return canonical_state(self.shape, json.loads(text, parse_float=Decimal))

    def tenant(self, rules: Iterable[Grants], choice: RuleChoice) -> LoadedTenant:
        stored = [rule.stored() for rule in rules]
        policy = TimedPolicy(
            stored, lambda in_force: compile_policy(in_force, self.model, tenant_id=TENANT, choice=choice)
        )
        return LoadedTenant(_NO_RECORD, self.database, self.model, "", policy, Limits(), CursorKey(b"oracle"))


async def answer(tenant: LoadedTenant, person: Person, document: str, variables: Mapping[str, object]) -> Answer:
    """What the person is answered at /query. What is no PublicError is a bug, and rises."""
    try:
        return Answer(await answer_query(tenant, person.stored(), GraphQLRequest(document, dict(variables))))
    except PublicError as error:
        return Answer(json.dumps(graphql_body(error)).encode(), error.code)


def canonical_state(shape: Shape, state: Mapping[str, Iterable[Mapping[str, Any]]]) -> dict[str, list[Row]]:
    return {
        table.name: sorted(
            (
                {name: canonical(column.kind, row[name]) for name, column in table.by_name.items()}
                for row in state[table.name]
            ),
            key=repr,
        )
        for table in shape.tables
    }


@asynccontextmanager
async def open_ground(dsn: str, shape: Shape, more: str = "") -> AsyncGenerator[Ground]:
    """The empty database with the tables of the shape, as PostgreSQL's own row-level security guards them too."""
    plain = await asyncpg.connect(dsn)
    try:
        await plain.execute(shape.ddl() + more)
        for table in shape.tables:
            await plain.execute(
                f"alter table {table.name} enable row level security;"
                f"grant select, insert, update, delete on {table.name} to {READER};"
            )
        await plain.execute("create schema whole; grant usage on schema whole to " + READER)
        for table in shape.tables:
            # A view of the tables' owner, whom no policy binds.
            await plain.execute(
                f"create view whole.{table.name} as select * from {table.name};"
                f"grant select on whole.{table.name} to {READER};"
            )
        async with TenantDatabase(dsn, max_connections=2) as database:
            model = build_model(await read_catalog(database, ["public"]))
            yield Ground(shape, plain, database, model)
    finally:
        await plain.close()


async def make_reader(dsn: str) -> None:
    """Nothing; the server has the role by which row-level security is asked. It is the same for all who share it."""
    plain = await asyncpg.connect(dsn)
    try:
        await plain.execute(
            f"do $$ begin create role {READER} nobypassrls; exception when duplicate_object or unique_violation"
            " then null; end $$"
        )
    finally:
        await plain.close()
