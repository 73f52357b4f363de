"""Tables with rows of extremes, which the role 7 may not see."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import asyncpg

from db.read_catalog import read_catalog
from db.tenant_database import TenantDatabase
from gateway.tenancy import LoadedTenant
from schema.names import build_model
from schema.policy import compile_policy
from schema.principal import Principal
from schema.query.compiler import Compiled
from schema.query.cursors import CursorKey
from schema.query.document import Limits
from schema.query.run import run_operation
from tests.builders import a_principal, a_rule
from tests.databases import Databases

OWNER = a_principal(7)
ROOT = a_principal(is_root=True)
TABLES = """
create type mood as enum ('calm', 'cross');
create table owner (id integer primary key, role_id integer, nick text);
create table vault (
    id integer primary key, owner_id integer references owner, name text not null, pattern text, zero integer,
    big bigint, exact numeric, real double precision, day date, endless date, local timestamp, moment timestamptz,
    span interval, small smallint, single real, clock time, code char(4), short varchar(9), mood mood, flag boolean,
    key uuid, facts jsonb, tags text[]
);
create table coin (
    id integer primary key, vault_id integer references vault, owner_id integer references owner,
    exact numeric, real double precision
);
create table tag (id integer primary key, real double precision);
create table tagged (
    vault_id integer references vault, tag_id integer references tag, owner_id integer references owner,
    primary key (vault_id, tag_id)
);
insert into owner values (1, 7, 'me'), (2, 8, null);
insert into vault
    select id, 1, 'mine', 'm%', 1, 1, 1, 1, '2024-01-01', '2024-01-01', '2024-01-01', '2024-01-01', '1 day'
    from generate_series(1, 3) as id;
insert into coin values (1, 1, 1, 1, 1), (4, null, 1, 1, 1);
insert into tag values (1, 1), (2, 1e308);
insert into tagged values (1, 1, 1);
"""
HIDDEN = """
insert into vault values (4, 2, 'theirs', '%\\', 0, 9223372036854775807, 9e131071, 1e308, '5874897-12-31', 'infinity',
    '294276-12-31', '294276-12-31 00:00:00+00', '178000000 years');
insert into coin values (2, 4, 2, 9e131071, 1e308), (3, 1, 2, 9e131071, 1e308);
update coin set vault_id = 4 where id = 4;
insert into tagged values (2, 2, 2);
"""
RULES = (
    a_rule(1, targets=["vault", "coin", "tagged"], filter="owner.role_id = $_PRINCIPAL.roleid"),
    a_rule(2, targets=["tag", "owner"]),
)


@dataclass(frozen=True)
class Vaults:
    """The tables in a database of their own."""

    runner: asyncio.Runner
    database: TenantDatabase
    tenant: LoadedTenant

    def compile(self, principal: Principal, document: str) -> Compiled:
        view = self.tenant.view(principal)
        return view.compile(view.prepare(document, None), {})

    def answer(self, principal: Principal, document: str) -> Any:
        """The body of the reply. Raises PublicError."""
        compiled = self.compile(principal, document)
        return json.loads(self.runner.run(run_operation(compiled, self.database, {}, principal)))


@contextmanager
def open_vaults(databases: Databases, *, with_hidden: bool) -> Iterator[Vaults]:
    """The tables, with the rows of extremes or without them."""
    dsn = databases.create()
    with asyncio.Runner() as runner:
        runner.run(_fill(dsn, TABLES + HIDDEN * with_hidden))
        database = TenantDatabase(dsn, max_connections=1, statement_seconds=5)
        model = build_model(runner.run(read_catalog(database, ["public"])))
        tenant: Any = None
        policy = compile_policy(RULES, model, tenant_id=1)
        yield Vaults(runner, database, LoadedTenant(tenant, database, model, "", policy, Limits(), CursorKey(b"key")))
        runner.run(database.close())
    databases.drop(dsn)


async def _fill(dsn: str, text: str) -> None:
    connection = await asyncpg.connect(dsn)
    await connection.execute(text)
    await connection.execute("analyze")
    await connection.close()
