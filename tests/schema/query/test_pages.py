"""Pages by keys, walked from one end to the other: together they are the whole list, in its order, each row once."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import asyncpg
import pytest

from db.tenant_database import TenantDatabase
from schema.principal import Principal
from schema.query.cursors import CursorInvalid, cursor_key
from schema.query.planning.pages import InvalidPage
from schema.query.run import run_operation
from tests.builders import a_rule
from tests.databases import Databases
from tests.lists import ROOT, Lists, load_lists, page_document

pytestmark = pytest.mark.postgres

TABLES = """
create table parents (id int primary key, name text);
create table things (
    id int primary key, a int, b text not null, c numeric, d double precision, moment timestamptz,
    parent_id int references parents
);
create table kids (id int primary key, thing_id int references things, weight int);
create view bare as select a, b, c from things where id < 20;
insert into parents select i, case when i % 3 > 0 then 'parent ' || i % 2 end from generate_series(1, 6) i;
insert into things select i, nullif(i % 4, 0), 'b' || i % 3, nullif(i % 5, 0) / 3.0,
    case i % 6 when 0 then 'NaN' when 1 then 'infinity' when 2 then null else i / 7.0 end,
    case when i % 2 = 0 then '2024-01-01'::timestamptz + i % 5 * interval '1 microsecond' end, nullif(i % 7, 0)
    from generate_series(1, 25) i;
insert into kids select i, i % 9 + 1, nullif(i % 4, 0) from generate_series(1, 30) i;
"""
ORDERS = [
    "",
    "order_by: { b: asc }",
    "order_by: { b: desc, id: desc }",
    "order_by: { a: asc }",
    "order_by: { a: desc }",
    "order_by: { a: asc_nulls_first, c: desc_nulls_last }",
    "order_by: { a: desc_nulls_first, c: asc_nulls_first, b: desc }",
    "order_by: { d: desc_nulls_last, moment: asc }",
    "order_by: { moment: desc }",
    "order_by: [{ parent: { name: asc_nulls_first } }, { a: desc }]",
    "order_by: { parent: { name: desc_nulls_last, id: asc } }",
    "order_by: { kids_collection: { function: count, direction: desc } }",
    "order_by: { kids_collection: { function: avg, column: weight, direction: desc, where: { id: { _gt: 5 } } } }",
    "order_by: { kids_collection: { function: max, column: weight, direction: asc_nulls_first } }",
    'ordering: ["parent.name desc", "a"]',
    'ordering: ["kids_collection.weight desc"], order_by: { b: asc }',
    "distinct_on: [a, b], order_by: { c: desc_nulls_last }",
    "where: { a: { _is_null: false } }, order_by: { a: asc, b: desc }",
]


@pytest.fixture(scope="module")
def dsn(databases: Databases) -> Iterator[str]:
    made = databases.create()
    asyncio.run(_fill(made))
    yield made
    databases.drop(made)


async def _fill(dsn: str) -> None:
    connection = await asyncpg.connect(dsn)
    await connection.execute(TABLES)
    await connection.close()


@pytest.fixture
async def lists(dsn: str) -> Any:
    async with TenantDatabase(dsn, max_connections=2) as database:
        yield await load_lists(database)


@pytest.mark.parametrize("size", [1, 3, 7, 100])
@pytest.mark.parametrize("order", ORDERS)
async def test_pages_from_the_first_on_are_the_whole_list(lists: Lists, order: str, size: int) -> None:
    whole = (await lists.page("things", order))["rows"]
    walked: list[Any] = []
    cursor: str | None = None
    while True:
        page = await lists.page("things", order, first=size, after=cursor)
        walked += page["rows"]
        assert page["has_previous_page"] is (cursor is not None)
        assert page["has_next_page"] is (len(walked) < len(whole))
        if not page["has_next_page"]:
            break
        cursor = page["end_cursor"]

    assert walked == whole
    assert len({row["id"] for row in walked}) == len(walked)


@pytest.mark.parametrize("size", [1, 3, 7, 100])
@pytest.mark.parametrize("order", ORDERS)
async def test_pages_from_the_last_back_are_the_whole_list(lists: Lists, order: str, size: int) -> None:
    whole = (await lists.page("things", order))["rows"]
    walked: list[Any] = []
    cursor: str | None = None
    while True:
        page = await lists.page("things", order, last=size, before=cursor)
        walked = page["rows"] + walked
        assert page["has_next_page"] is (cursor is not None)
        assert page["has_previous_page"] is (len(walked) < len(whole))
        if not page["has_previous_page"]:
            break
        cursor = page["start_cursor"]

    assert walked == whole


@pytest.mark.parametrize("order", ORDERS)
async def test_the_whole_list_is_in_the_order_that_it_has_without_pages(lists: Lists, order: str) -> None:
    whole = (await lists.page("things", order))["rows"]

    plain = await lists.rows("things", order)
    assert sorted(row["id"] for row in whole) == sorted(row["id"] for row in plain)


async def test_between_two_cursors_are_the_rows_between(lists: Lists) -> None:
    whole = (await lists.page("things", "order_by: { a: desc }"))["rows"]
    after = (await lists.page("things", "order_by: { a: desc }", first=4))["end_cursor"]
    before = (await lists.page("things", "order_by: { a: desc }", last=6))["start_cursor"]

    page = await lists.page("things", "order_by: { a: desc }", after=after, before=before)

    assert page["rows"] == whole[4:-6]
    assert page["has_next_page"]
    assert page["has_previous_page"]


async def test_an_offset_counts_from_the_cursor(lists: Lists) -> None:
    whole = (await lists.page("things", ""))["rows"]
    after = (await lists.page("things", "", first=4))["end_cursor"]

    page = await lists.page("things", "", first=3, after=after, offset=2)

    assert page["rows"] == whole[6:9]
    assert page["has_previous_page"]
    assert (await lists.page("things", "", first=3, offset=2))["has_previous_page"]


async def test_rows_without_a_key_are_told_apart_by_all_their_columns(lists: Lists) -> None:
    whole = (await lists.page("bare", "order_by: { a: desc }, distinct_on: [a, b, c]"))["rows"]
    walked: list[Any] = []
    cursor: str | None = None
    while cursor is not None or not walked:
        page = await lists.page("bare", "order_by: { a: desc }, distinct_on: [a, b, c]", first=4, after=cursor)
        walked += page["rows"]
        cursor = page["end_cursor"] if page["has_next_page"] else None

    assert walked == whole


async def test_an_empty_page_has_no_cursors(lists: Lists) -> None:
    page = await lists.page("things", "where: { id: { _lt: 0 } }", first=3)

    assert page == {
        "rows": [],
        "has_next_page": False,
        "has_previous_page": False,
        "start_cursor": None,
        "end_cursor": None,
    }


async def test_a_cursor_written_in_the_document_is_one_like_a_sent_one(lists: Lists) -> None:
    cursor = (await lists.page("things", "", first=4))["end_cursor"]
    view = lists.loaded.view(ROOT)
    prepared = view.prepare(f'{{ things(after: "{cursor}", first: 2) {{ id }} }}', None)

    answer = await run_operation(view.compile(prepared, {}), lists.database, {}, ROOT)

    assert json.loads(answer)["data"]["things"] == [{"id": "5"}, {"id": "6"}]


async def test_plans_are_shared_by_cursors_with_the_same_nulls(lists: Lists) -> None:
    view = lists.loaded.view(ROOT)
    order = "order_by: { a: asc }"
    cursors = [(await lists.page("things", order, first=size))["end_cursor"] for size in (2, 9, 22, 24)]
    prepared = view.prepare(page_document("things", order), None)

    for cursor in cursors:
        await lists.rows("things", order, after=cursor)

    assert len(prepared.plans) == 2


@pytest.mark.parametrize(
    "change",
    [
        lambda cursor: cursor[:-1],
        lambda cursor: cursor[:50] + ("A" if cursor[50] != "A" else "B") + cursor[51:],
        lambda cursor: ("A" if cursor[0] != "A" else "B") + cursor[1:],
        lambda cursor: cursor + "AAAA",
        lambda cursor: "",
        lambda cursor: "é" + cursor,
        lambda cursor: "A" * 200_000,
    ],
)
async def test_an_altered_cursor_is_refused(lists: Lists, change: Any) -> None:
    cursor = (await lists.page("things", "order_by: { b: asc }", first=4))["end_cursor"]

    with pytest.raises(CursorInvalid):
        await lists.rows("things", "order_by: { b: asc }", after=change(cursor))


async def test_a_cursor_is_of_no_other_order_table_or_tenant(lists: Lists) -> None:
    cursor = (await lists.page("things", "order_by: { a: asc }", first=4))["end_cursor"]
    for table, order in (
        ("things", "order_by: { a: desc }"),
        ("things", "order_by: { a: asc_nulls_first }"),
        ("things", "order_by: { c: asc }"),
        ("things", ""),
        ("kids", "order_by: { weight: asc }"),
    ):
        with pytest.raises(CursorInvalid):
            await lists.rows(table, order, after=cursor)
    for other in (cursor_key(b"a secret", 2), cursor_key(b"another", 1)):
        foreign = (await lists.page("things", "order_by: { a: asc }", other, first=4))["end_cursor"]
        assert foreign != cursor
        with pytest.raises(CursorInvalid):
            await lists.rows("things", "order_by: { a: asc }", after=foreign)


@pytest.mark.parametrize(
    "sizes",
    [{"first": -1}, {"last": -1}, {"first": 1, "last": 1}, {"last": 1, "offset": 1}],
    ids=str,
)
async def test_a_page_of_no_size_or_of_two_is_refused(lists: Lists, sizes: dict[str, int]) -> None:
    with pytest.raises(InvalidPage):
        await lists.rows("things", "", **sizes)


async def test_hidden_rows_are_on_no_page_and_tell_of_none(dsn: str) -> None:
    reader = Principal(1, 7, "reader", capabilities=frozenset({"select"}))
    rules = (
        a_rule(1, targets=["things"], filter="id <= 10"),
        a_rule(2, targets=["parents"], filter="id = 1"),
        a_rule(3, targets=["kids"], filter="thing_id < 3"),
    )
    async with TenantDatabase(dsn, max_connections=2) as database:
        lists = await load_lists(database, *rules, principal=reader)
        page = await lists.page("things", "order_by: { parent: { name: desc_nulls_last } }", first=10)
        counted = await lists.page(
            "things", "order_by: { kids_collection: { function: count, direction: desc } }", first=2
        )

    assert {int(row["id"]) for row in page["rows"]} == set(range(1, 11))
    assert page["rows"][:2] == [{"id": "1"}, {"id": "8"}]
    assert not page["has_next_page"]
    assert [row["id"] for row in counted["rows"]] == ["2", "1"]
