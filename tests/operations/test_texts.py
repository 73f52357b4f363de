"""Texts of citext and of collations, as a real PostgreSQL compares them."""

import json
from collections.abc import Iterator
from typing import Any

import asyncpg
import pytest

from db.read_catalog import read_catalog
from db.tenant_database import TenantDatabase
from gateway.tenancy import LoadedTenant
from schema.errors import WrongType
from schema.names import build_model
from schema.policy import compile_policy
from schema.query.cursors import CursorKey
from schema.query.document import Limits
from schema.query.run import run_operation
from schema.validity import TimedPolicy
from tests.builders import a_principal
from tests.databases import Databases

pytestmark = pytest.mark.postgres

WORDS = """
create schema extensions;
create extension citext schema extensions;
create table words (
    id integer primary key, folded extensions.citext, bytes text collate "C", others text collate "POSIX", plain text
);
insert into words values (1, 'STRASSE', 'apple', 'x', 'abc');
"""


@pytest.fixture(scope="module")
def dsn(databases: Databases) -> Iterator[str]:
    created = databases.create()
    yield created
    databases.drop(created)


@pytest.fixture
async def tenant(dsn: str) -> Any:
    connection = await asyncpg.connect(dsn)
    if not await connection.fetchval("select to_regclass('words') is not null"):
        await connection.execute(WORDS)
    await connection.close()
    async with TenantDatabase(dsn, max_connections=1) as database:
        model = build_model(await read_catalog(database, ["public"]))
        record: Any = None
        policy = TimedPolicy((), lambda rules: compile_policy(rules, model, tenant_id=1))
        yield LoadedTenant(record, database, model, "", policy, Limits(), CursorKey(b"key"))


async def found(tenant: LoadedTenant, text: str) -> bool:
    root = a_principal(is_root=True)
    view = tenant.view(root)
    prepared = view.prepare(f"{{ words(filter: {json.dumps(text)}) {{ id }} }}", None)
    answer = await run_operation(view.compile(prepared, {}), tenant.database, {}, root)
    return bool(json.loads(answer)["data"]["words"])


@pytest.mark.parametrize(
    "text",
    [
        "folded like 'stra%'",
        "folded not like 'x%'",
        "lower(folded) like 'stra%' and not lower(folded) like 'STRA%'",
        "'strasse' like folded",
        "bytes > 'Zebra'",
        "bytes != plain",
        "concat(bytes, plain) like 'apple%'",
        "lower(bytes) in ['x', plain] or max(bytes) = bytes",
        "max(folded) = 'STRASSE'",
        "coalesce(bytes, plain) = 'apple'",
    ],
)
async def test_texts_meet_as_they_do_in_postgresql(tenant: LoadedTenant, text: str) -> None:
    assert await found(tenant, text)


async def test_collations_are_those_of_the_columns(tenant: LoadedTenant) -> None:
    columns = tenant.model.entities["words"].columns

    assert {name: column.collation for name, column in columns.items() if column.collation} == {
        "bytes": '"C"',
        "others": '"POSIX"',
    }
    assert all(column.is_deterministic for column in columns.values())


@pytest.mark.parametrize(
    "text", ["bytes = others", "concat(bytes, others) = 'x'", "bytes like others", "bytes in ['x', upper(others)]"]
)
async def test_texts_that_postgresql_would_not_compare_are_refused(tenant: LoadedTenant, text: str) -> None:
    with pytest.raises(WrongType):
        await found(tenant, text)
