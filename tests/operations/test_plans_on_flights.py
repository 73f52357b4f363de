"""On all of 2013's 336,776 flights: no table is read further than a query written by hand reads it.

The shipped days are there as often as the year has them; which rows there are does not matter here, how many does.
"""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from typing import Any, Final, cast

import asyncpg
import pytest

from db.demo.load import load_flights
from db.read_catalog import read_catalog
from db.tenant_database import TenantDatabase
from gateway.tenancy import LoadedTenant
from schema.names import build_model
from schema.policy import compile_policy
from schema.principal import Principal
from schema.query.compiler import bind
from schema.query.cursors import CursorKey
from schema.query.document import Limits
from schema.validity import TimedPolicy
from tests.builders import a_rule
from tests.databases import Databases

pytestmark = pytest.mark.postgres

FLIGHTS: Final = 336_776
KEY: Final = CursorKey(b"key")
ROOT: Final = Principal(1, 1, "root", is_root=True)
AT_JFK: Final = Principal(1, 2, "jfk")
RULES: Final = (
    a_rule(1, targets={"flights"}, filter="origin = 'JFK'"),
    a_rule(2, targets={"airlines", "airports", "planes", "weather"}),
)
MULTIPLY: Final = """
set session_replication_role = replica;
insert into flights (year, month, day, dep_time, sched_dep_time, dep_delay, arr_time, sched_arr_time, arr_delay,
        carrier, flight, tailnum, origin, dest, air_time, distance, hour, minute, time_hour, weather_hour)
    select year + g, month, day, dep_time, sched_dep_time, dep_delay, arr_time, sched_arr_time, arr_delay,
           carrier, flight, tailnum, origin, dest, air_time, distance, hour, minute, time_hour, weather_hour
    from generate_series(1, 27) g, flights
    order by g, flightid
    limit 336776 - (select count(*) from flights);
"""

Asked = tuple[str, dict[str, object], Principal]
CASES: Final[dict[str, tuple[Asked, str]]] = {
    "a row by its key": (
        ("query ($id: ID!) { flights(where: { flightid: { _eq: $id } }) { flight } }", {"id": "77"}, ROOT),
        "select flight from flights where flightid = 77",
    ),
    "a row by its key, under a policy": (
        ("query ($id: ID!) { flights(where: { flightid: { _eq: $id } }) { flight } }", {"id": "77"}, AT_JFK),
        "select flight from flights where flightid = 77 and origin = 'JFK'",
    ),
    "a row by its key, as the contract has it": (
        ("query ($f: String) { flights(filter: $f) { flight } }", {"f": "flightid = 77"}, AT_JFK),
        "select flight from flights where flightid = 77 and origin = 'JFK'",
    ),
    "the latest of an order that an index has": (
        (
            """{ flights(where: { origin: { _eq: "LGA" } }, order_by: { dep_delay: asc }, limit: 20) {
                flight dep_delay } }""",
            {},
            ROOT,
        ),
        "select flight, dep_delay from flights where origin = 'LGA' order by dep_delay limit 20",
    ),
    "the first page by keys": (
        ("{ flights(order_by: { flightid: asc }, first: 50) { flightid carrier } }", {}, AT_JFK),
        "select flightid, carrier from flights where origin = 'JFK' order by flightid limit 50",
    ),
    "children of a page, and theirs": (
        (
            """{ planes(order_by: { tailnum: asc }, limit: 5) {
                tailnum flights_collection(order_by: { flightid: asc }) { flight airline { name } } } }""",
            {},
            ROOT,
        ),
        """select p.tailnum, f.flight, f.name from (select tailnum from planes order by tailnum limit 5) p
           left join lateral (select flight, a.name from flights left join airlines a using (carrier)
               where flights.tailnum = p.tailnum order by flightid) f on true""",
    ),
    "children of a page, cut": (
        (
            """{ planes(order_by: { tailnum: asc }, limit: 5) {
                tailnum flights_collection(limit: 3, order_by: { flightid: asc }) { flight } } }""",
            {},
            AT_JFK,
        ),
        """select p.tailnum, f.flight from (select tailnum from planes order by tailnum limit 5) p
           left join lateral (select flight from flights where flights.tailnum = p.tailnum and origin = 'JFK'
               order by flightid limit 3) f on true""",
    ),
    "rows that have some child": (
        (
            "{ planes(where: { flights_collection: { _some: { dep_delay: { _gt: 600 } } } }, limit: 50) { tailnum } }",
            {},
            ROOT,
        ),
        """select tailnum from planes p
           where exists (select from flights f where f.tailnum = p.tailnum and dep_delay > 600) limit 50""",
    ),
    "parents of few rows": (
        (
            """{ flights(where: { flightid: { _in: [1, 2, 3] } }, order_by: { flightid: asc }) {
                flight airline { name } airport { name } airport_dest { name } plane { model seats }
                weather { temp } } }""",
            {},
            ROOT,
        ),
        """select flight, a.name, o.name, d.name, model, seats, temp from flights f
           left join airlines a using (carrier) left join airports o on o.faa = f.origin
           left join airports d on d.faa = f.dest left join planes p on p.tailnum = f.tailnum
           left join weather w on w.origin = f.origin and w.time_hour = f.weather_hour
           where flightid in (1, 2, 3) order by flightid""",
    ),
    "groups of all rows": (
        (
            "{ Aggregates { flights { groups(by: { carrier: value }) { key { carrier } count avg { dep_delay } } } } }",
            {},
            ROOT,
        ),
        "select carrier, count(*), avg(dep_delay) from flights group by carrier",
    ),
    "several measures of one scan": (
        ("{ Aggregates { flights { count avg { dep_delay } max { distance } sum { air_time } } } }", {}, AT_JFK),
        "select count(*), avg(dep_delay), max(distance), sum(air_time) from flights where origin = 'JFK'",
    ),
}


@pytest.fixture(scope="module")
def year(databases: Databases) -> Iterator[str]:
    """The DSN of a database with as many flights as there were in the year."""
    dsn = databases.create()
    asyncio.run(_fill(dsn))
    yield dsn
    databases.drop(dsn)


async def _fill(dsn: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        await load_flights(connection)
        await connection.execute(MULTIPLY)
        await connection.execute("vacuum analyze")
        assert await connection.fetchval("select count(*) from flights") == FLIGHTS
    finally:
        await connection.close()


@pytest.fixture
async def loaded(year: str) -> AsyncIterator[LoadedTenant]:
    async with TenantDatabase(year, max_connections=1) as database:
        model = build_model(await read_catalog(database, ["public"]))
        policy = TimedPolicy(RULES, lambda in_force: compile_policy(in_force, model, tenant_id=1))
        tenant: Any = None
        yield LoadedTenant(tenant, database, model, "", policy, Limits(), KEY)


@pytest.mark.parametrize("name", CASES)
async def test_no_table_is_read_further_than_by_hand(loaded: LoadedTenant, name: str) -> None:
    (document, variables, principal), by_hand = CASES[name]
    view = loaded.view(principal)
    prepared = view.prepare(document, None)
    given = prepared.read_variables.coerce(variables)
    statement = view.compile(prepared, given).statement
    assert statement is not None

    ours = await rows_read(loaded, statement.text, bind(statement, given, principal, KEY))
    theirs = await rows_read(loaded, by_hand, [])

    assert theirs
    assert {table: rows for table, rows in ours.items() if rows > theirs[table]} == {}


async def rows_read(loaded: LoadedTenant, statement: str, values: list[object]) -> Counter[str]:
    """How many rows of each table the statement looks at, those included that it then throws away."""
    async with loaded.database.transaction(commit=False) as transaction:
        [(plan,)] = await transaction.fetch("explain (analyze, timing off, format json) " + statement, values)
    found: Counter[str] = Counter()
    _count(cast("dict[str, Any]", json.loads(plan)[0]["Plan"]), found)
    return found


def _count(node: dict[str, Any], found: Counter[str]) -> None:
    if "Relation Name" in node:
        looked_at = node["Actual Rows"] + node.get("Rows Removed by Filter", 0)
        found[node["Relation Name"]] += round(looked_at * node["Actual Loops"])
    for child in node.get("Plans", []):
        _count(child, found)
