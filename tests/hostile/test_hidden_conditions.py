"""What `where`, `order_by` and cursors tell of rows that policy hides: nothing, by no answer and by no error."""

import asyncio
from collections.abc import Iterator

import asyncpg
import pytest

from db.errors import PublicError
from db.tenant_database import TenantDatabase
from schema.principal import Principal
from tests.builders import a_rule
from tests.databases import Databases
from tests.lists import Lists, load_lists
from tests.wire import Person, Wire, make_person

TABLES = """
create table parents (id int primary key, name text);
create table secrets (
    id int primary key, title text, span int4range, about text, words tsvector, facts jsonb,
    parent_id int references parents
);
create table kids (id int primary key, secret_id int references secrets, weight double precision);
insert into parents values (1, 'visible'), (2, 'nobody');
insert into secrets values (1, 'open', '[1,2)', 'a', 'a', '{}', 1);
"""
HIDDEN = """
insert into secrets select i, 'hidden', '[1,2)', repeat('x ', 10), 'b', '{"a": "x"}', 1 from generate_series(10, 40) i;
insert into secrets
    select 50, 'long', null, string_agg(md5(i::text), ' '), 'b', '{}', 1 from generate_series(1, 50000) i;
insert into kids select i, i % 31 + 10, 1e308 from generate_series(1, 62) i;
"""
READER = Principal(1, 7, "reader", capabilities=frozenset({"select"}))
# No secret satisfies it. PostgreSQL makes a join of it, and tries whatever else a scan is to find before.
NOBODYS = "parent.name = 'nobody'"
RULES = (
    a_rule(1, targets=["secrets"], filter=NOBODYS),
    a_rule(2, targets=["parents"]),
    a_rule(3, targets=["kids"]),
)
# Each fails on whatever row it is evaluated on.
RAISING = [
    '{ title: { _regex: "(" } }',
    '{ title: { _niregex: "[" } }',
    '{ _not: { title: { _nregex: "(" } } }',
    '{ _or: [{ title: { _regex: "(" } }, { id: { _eq: 1 } }] }',
    '{ id: { _gt: 0 }, title: { _iregex: "(" } }',
    '{ about: { _search: { query: "quick" } } }',
    '{ span: { _overlaps: "nothing" } }',
    '{ span: { _contains: "[3,1]" } }',
    '{ words: { _search: { query: "a b", mode: raw } } }',
    '{ about: { _search: { query: "a & (", mode: raw } } }',
    '{ parent: { name: { _regex: "(" } } }',
    '{ parent: { secrets_collection: { _some: { parent: { name: { _regex: "(" } } } } } }',
    '{ kids_collection: { _some: { secret: { title: { _regex: "(" } } } } }',
    '{ kids_collection: { _none: { secret: { parent: { name: { _regex: "(" } } } } } }',
    '{ parent: { secrets_collection: { _count: { _gt: 1 }, _where: { title: { _regex: "(" } } } } }',
    '{ parent: { secrets_collection: { _every: { title: { _regex: "(" } } } } }',
]


@pytest.fixture(scope="module")
def dsns(databases: Databases) -> Iterator[tuple[str, str]]:
    """A database with hidden rows, and the same without."""
    made = (databases.create(), databases.create())
    asyncio.run(_fill(made[0], TABLES + HIDDEN))
    asyncio.run(_fill(made[1], TABLES))
    yield made
    for dsn in made:
        databases.drop(dsn)


async def _fill(dsn: str, script: str) -> None:
    connection = await asyncpg.connect(dsn)
    await connection.execute(script)
    await connection.close()


async def outcome(lists: Lists, table: str, arguments: str, **variables: object) -> object:
    try:
        return await lists.rows(table, arguments, **variables)
    except PublicError as error:
        return error.code


@pytest.mark.postgres
@pytest.mark.parametrize("where", RAISING)
async def test_what_fails_on_a_row_fails_on_no_hidden_one(dsns: tuple[str, str], where: str) -> None:
    """With a plan for these arguments PostgreSQL looks at a pattern before any row; with one for all, at the rows."""
    for mode in ("force_custom_plan", "force_generic_plan"):
        outcomes: list[object] = []
        for dsn in dsns:
            async with TenantDatabase(f"{dsn}&plan_cache_mode={mode}", max_connections=1) as database:
                lists = await load_lists(database, *RULES, principal=READER)
                outcomes += [
                    await outcome(lists, "secrets", f"where: {where}"),
                    await outcome(lists, "secrets", f"where: {where}, limit: 1"),
                ]

        assert outcomes[:2] == outcomes[2:]


@pytest.mark.postgres
@pytest.mark.parametrize("where", RAISING[:10])
async def test_the_same_fails_on_a_row_that_may_be_seen(dsns: tuple[str, str], where: str) -> None:
    """Else the test before would prove nothing."""
    async with TenantDatabase(dsns[0], max_connections=1) as database:
        lists = await load_lists(database, a_rule(1, targets=["secrets", "parents", "kids"]), principal=READER)

        assert isinstance(await outcome(lists, "secrets", f"where: {where}"), str)


@pytest.mark.postgres
async def test_a_sum_that_overflows_behind_a_hidden_row_is_never_made(dsns: tuple[str, str]) -> None:
    order = "order_by: { kids_collection: { function: sum, column: weight } }"
    async with TenantDatabase(dsns[1], max_connections=1) as database:
        cursor = (await (await load_lists(database)).page("secrets", order, first=1))["end_cursor"]
    async with TenantDatabase(dsns[0], max_connections=1) as database:
        lists = await load_lists(database, *RULES, principal=READER)

        assert await outcome(lists, "secrets", order, first=1, before=cursor) == []
        assert await outcome(lists, "secrets", order, first=1, after=cursor) == []


# Each speaks of a hidden value (the number 424242, the text `classified`) or, altered, of one that is nowhere.
PROBES = [
    "{ devii_roleid: { _eq: 424242 } }",
    "{ devii_roleid: { _in: [424242] } }",
    "{ _not: { devii_roleid: { _eq: 424242 } } }",
    "{ devii_roleid: { _nin: [424242] } }",
    '{ listname: { _eq: "classified" } }',
    '{ listname: { _like: "class%" } }',
    '{ listname: { _regex: "^class" } }',
    '{ listname: { _starts_with: "class" } }',
    '{ listname: { _search: { query: "classified" } } }',
    "{ _compare: { column: devii_roleid, _gt: listid }, devii_roleid: { _eq: 424242 } }",
    '{ item_collection: { _some: { itemname: { _eq: "classified" } } } }',
    '{ status_value: { list_collection: { _some: { listname: { _eq: "classified" } } } } }',
    '{ status_value: { list_collection: { _none: { listname: { _eq: "classified" } } } } }',
    '{ status_value: { list_collection: { _every: { listname: { _neq: "classified" } } } } }',
    '{ status_value: { list_collection: { _count: { _gt: 0 }, _where: { listname: { _eq: "classified" } } } } }',
    "{ status_value: { item_collection: { _some: { list: { devii_roleid: { _eq: 424242 } } } } } }",
    '{ _or: [{ listname: { _eq: "mine" } }, { devii_roleid: { _eq: 424242 } }] }',
]


@pytest.fixture(scope="module")
def watched(wire: Wire, root: str, todo: int) -> Person:
    """A user with a list of its own, beside a list and an item of somebody else."""
    create = "mutation ($i: listInput) { create_list(input: $i) { listid } }"
    hidden = wire.ask(root, create, {"i": {"listname": "classified", "devii_roleid": 424_242}})["create_list"]["listid"]
    wire.ask(
        root,
        "mutation ($i: itemInput) { create_item(input: $i) { itemid } }",
        {"i": {"itemname": "classified", "listid": hidden, "devii_roleid": 424_242}},
    )
    person = make_person(wire, root, todo)
    wire.ask(person.token, create, {"i": {"listname": "mine", "devii_roleid": person.role_id}})
    return person


@pytest.mark.server
@pytest.mark.parametrize("probe", PROBES)
def test_a_condition_tells_a_hidden_value_from_an_absent_one_by_nothing(
    wire: Wire, watched: Person, probe: str
) -> None:
    absent = probe.replace("424242", "424999").replace("class", "closx")

    replies = [
        wire.post("/query", {"query": f"{{ list(where: {each}) {{ listname devii_roleid }} }}"}, watched.token)
        for each in (probe, absent)
    ]

    assert (replies[0].status_code, replies[0].text) == (replies[1].status_code, replies[1].text)
    assert replies[0].status_code == 200
    assert "errors" not in replies[0].text


@pytest.mark.server
def test_a_role_knows_no_types_of_tables_that_it_may_not_see(wire: Wire, nobody: str) -> None:
    for name in ("list_where", "list_order", "list_column", "list_where_many"):
        found = wire.ask(nobody, f'{{ __type(name: "{name}") {{ name }} }}')
        assert found == {"__type": None}
