"""Conditions and pages are written so that PostgreSQL finds the indexes that serve them."""

import asyncio
from collections.abc import Iterator

import asyncpg
import pytest

from db.tenant_database import TenantDatabase
from schema.query.compiler import bind
from tests.databases import Databases
from tests.lists import KEY, ROOT, Lists, load_lists

pytestmark = pytest.mark.postgres

TABLE = """
create table rows (id int primary key, a int not null, n int, title text not null, tags text[], facts jsonb);
insert into rows select i, i % 1000, i % 500, md5(i::text), array[md5((i % 5000)::text)], jsonb_build_object('k', i)
    from generate_series(1, 20000) i;
create index by_a on rows (a, id);
create index by_n on rows (n);
create index by_title on rows (title text_pattern_ops);
create index by_tags on rows using gin (tags);
create index by_facts on rows using gin (facts);
create index by_words on rows using gin (to_tsvector('english', title));
analyze rows;
"""


@pytest.fixture(scope="module")
def dsn(databases: Databases) -> Iterator[str]:
    made = databases.create()
    asyncio.run(_fill(made))
    yield made
    databases.drop(made)


async def _fill(dsn: str) -> None:
    connection = await asyncpg.connect(dsn)
    await connection.execute(TABLE)
    await connection.close()


async def explained(lists: Lists, arguments: str, **variables: object) -> str:
    view = lists.loaded.view(ROOT)
    head = "query ($after: String)" if variables else "query"
    prepared = view.prepare(f"{head} {{ rows({arguments}) {{ id }} }}", None)
    compiled = view.compile(prepared, variables)
    assert compiled.statement is not None
    values = bind(compiled.statement, variables, ROOT, cursors=KEY)
    async with lists.database.transaction(commit=False) as transaction:
        found = await transaction.fetch("explain " + compiled.statement.text, values)
    return "\n".join(line.decode() for (line,) in found)


@pytest.mark.parametrize(
    ("arguments", "index"),
    [
        ("where: { id: { _eq: 7 } }", "rows_pkey"),
        ("where: { id: { _in: [7, 8] } }", "rows_pkey"),
        ("where: { n: { _is_null: true } }", "by_n"),
        ('where: { title: { _starts_with: "abcd" } }', "by_title"),
        ('where: { title: { _like: "abcd%" } }', "by_title"),
        ('where: { tags: { _has: "abcd" } }', "by_tags"),
        ('where: { tags: { _overlaps: ["abcd", "x"] } }', "by_tags"),
        ("where: { facts: { _contains: { k: 7 } } }", "by_facts"),
        ('where: { title: { _search: { query: "abcd", config: english } } }', "by_words"),
        ("where: { _not: { id: { _neq: 7 } } }", "rows_pkey"),
        ("order_by: { a: asc }, first: 10", "by_a"),
        ("order_by: { a: desc, id: desc }, first: 10", "by_a"),
        ("order_by: { a: asc, id: asc }, last: 10", "by_a"),
    ],
)
async def test_an_index_is_read(dsn: str, arguments: str, index: str) -> None:
    async with TenantDatabase(dsn, max_connections=1) as database:
        plan = await explained(await load_lists(database), arguments)

    assert index in plan
    assert "Seq Scan" not in plan


@pytest.mark.parametrize(
    ("order", "index"),
    [
        ("order_by: { a: asc }", "by_a"),
        ("order_by: { a: desc, id: desc }", "by_a"),
        ("order_by: { n: asc }", "by_n"),
    ],
)
async def test_a_page_begins_in_the_index(dsn: str, order: str, index: str) -> None:
    async with TenantDatabase(dsn, max_connections=1) as database:
        lists = await load_lists(database)
        cursor = (await lists.page("rows", order, first=9000))["end_cursor"]
        plan = await explained(lists, f"{order}, first: 10, after: $after", after=cursor)

    assert index in plan
    assert "Index Cond" in plan or "Incremental Sort" in plan
    assert "Seq Scan" not in plan
