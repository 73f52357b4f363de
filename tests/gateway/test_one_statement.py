"""A query is one statement, by PostgreSQL's own log, and its answer is that of SQL written by hand.

On the flights that are shipped, and on all of them when OSTIARY_FLIGHTS_FOLDER names the folder of their files.
"""

import asyncio
import re
import time
from collections import Counter
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from db.embedded import EmbeddedServer, find_running
from tests.commands import ostiary
from tests.conftest import FLIGHTS_FOLDER
from tests.folders import cluster_folder
from tests.gateways import Gateway

pytestmark = [pytest.mark.server, pytest.mark.postgres]

PATIENCE_SECONDS = 20.0
# How many flights there were in the first 14 days of 2013.
SHIPPED = 12_208
LOGGED = re.compile(r"^flights ostiary\|LOG:  (?:execute [^:]+|statement): (.*(?:\n\t.*)*)", re.MULTILINE)

LATE = """{
  flights(filter: "origin = 'JFK' and dep_delay > 60", ordering: ["dep_delay desc"], limit: 20) {
    flight dep_delay airline { name } plane { model seats }
  }
}"""
LATE_SQL = """
select f.flight, f.dep_delay, a.name, p.model, p.seats
from flights f join airlines a on a.carrier = f.carrier left join planes p on p.tailnum = f.tailnum
where f.origin = 'JFK' and f.dep_delay > 60
order by f.dep_delay desc
fetch first 20 rows with ties
"""

NO_PLANE = {"model": None, "seats": None}

DEEP = """{
  airports(filter: "faa = 'JFK'") {
    faa name
    flights_collection(filter: "day = 1 and hour < 7", ordering: ["flightid"], limit: 3) {
      flight
      plane { tailnum flights_collection(ordering: ["flightid"], limit: 2) { flight airline { name } } }
    }
  }
  airlines(ordering: ["carrier"]) { carrier name }
  planes(filter: "seats > 300", ordering: ["tailnum"], limit: 2) { tailnum seats }
}"""

AGGREGATES = """{
  Aggregates { count(subquery: "{flights{flightid origin}}") max(subquery: "{flights{dep_delay airline{name}}}") }
}"""


SUMMARY = """{
  Aggregates {
    flights(filter: "origin = 'JFK'", ordering: ["flightid"], limit: 3, offset: 2) {
      count
      planes: count(distinct: tailnum)
      routes: count(distinct: [carrier, dest])
      sum { distance air_time }
      avg { dep_delay }
      stddev { dep_delay }
      var_pop { dep_delay }
      min { time_hour carrier }
      max { arr_delay }
      nodes { flightid }
      page_info { total has_next_page has_previous_page }
      groups(
        by: { airline: { name: value }, time_hour: week }
        zone: "America/New_York"
        having: { _count: { _gt: 20 }, dep_delay: { avg: { _gt: 5 } } }
        order_by: [{ dep_delay: { avg: desc } }, { airline: { name: { key: asc } } }, { time_hour: { key: asc } }]
        limit: 10
      ) {
        key { airline { name } time_hour }
        count
        avg { dep_delay }
        planes: count(distinct: tailnum)
      }
    }
  }
}"""
SUMMARY_SQL = """
select count(*), count(distinct tailnum) planes, count(distinct carrier || '|' || dest) routes,
       sum(distance) distance, sum(air_time) air_time, avg(dep_delay)::float8 dep_delay,
       stddev(dep_delay)::float8 spread, var_pop(dep_delay)::float8 variance,
       min(time_hour) first, min(carrier) carrier, max(arr_delay) arr_delay
from flights where origin = 'JFK'
"""
GROUPS_SQL = """
select name, begins, count(*), avg(dep_delay)::float8 delay, count(distinct tailnum) planes
from (
  select a.name, f.dep_delay, f.tailnum,
         date_trunc('week', f.time_hour at time zone 'America/New_York') at time zone 'America/New_York' as begins
  from flights f join airlines a using (carrier) where f.origin = 'JFK'
) f
group by name, begins having count(*) > 20 and avg(dep_delay) > 5
order by avg(dep_delay) desc, name, begins limit 10
"""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "flights_gateway" in metafunc.fixturenames:
        folder = metafunc.config.stash[FLIGHTS_FOLDER]
        given = [None, folder] if folder else [None]
        metafunc.parametrize(
            "flights_gateway", given, ids=["shipped", "all"][: len(given)], indirect=True, scope="module"
        )


@pytest.fixture(scope="module")
def flights_gateway(request: pytest.FixtureRequest) -> Iterator[Gateway]:
    """A gateway with the shipped flights, or with all of them."""
    folder: str | None = request.param
    if folder is None:
        yield request.getfixturevalue("gateway")
        return
    with cluster_folder() as data_folder, Gateway.start(data_folder) as gateway:
        loaded = ostiary("demo", "--full", folder, data_folder=data_folder)
        assert loaded.code == 0, loaded.error
        yield gateway


class Log:
    """What PostgreSQL has logged of the gateway's statements on the flights, since the last `clear`."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._seen = 0

    def clear(self) -> None:
        self._seen = self._file.stat().st_size

    def statements(self) -> list[str]:
        found = LOGGED.findall(self._file.read_bytes()[self._seen :].decode())
        # Whether tables have changed is asked once a second, whatever else is.
        return [statement for statement in found if "pg_namespace" not in statement]


@pytest.fixture
def log(flights_gateway: Gateway) -> Iterator[Log]:
    """The log, with every statement in it as long as the test runs."""
    with logging_of_statements(server_of(flights_gateway)):
        log = Log(flights_gateway.data_folder / "postgres" / "embedded" / "server.log")
        log.clear()
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not log.statements():
            # Each session notices the new settings by itself.
            assert time.monotonic() < deadline
            flights_gateway.ask(flights_gateway.access("flights"), "{ airlines { name } }")
        yield log


@contextmanager
def logging_of_statements(server: EmbeddedServer) -> Generator[None]:
    asyncio.run(
        execute(
            server,
            "alter system set log_statement = 'all'",
            "alter system set log_line_prefix = '%d %a|'",
            "select pg_reload_conf()",
        )
    )
    try:
        yield
    finally:
        asyncio.run(
            execute(
                server,
                "alter system reset log_statement",
                "alter system reset log_line_prefix",
                "select pg_reload_conf()",
            )
        )


def server_of(gateway: Gateway) -> EmbeddedServer:
    server = find_running(gateway.data_folder / "postgres")
    assert server is not None
    return server


async def execute(server: EmbeddedServer, *statements: str) -> None:
    connection = await asyncpg.connect(server.dsn("postgres"))
    for statement in statements:
        await connection.execute(statement)
    await connection.close()


def rows(gateway: Gateway, query: str) -> list[Any]:
    """What PostgreSQL answers to SQL, asked without the gateway."""

    async def fetch() -> list[Any]:
        connection = await asyncpg.connect(server_of(gateway).dsn("flights"))
        try:
            return await connection.fetch(query)
        finally:
            await connection.close()

    return asyncio.run(fetch())


def ask(gateway: Gateway, query: str) -> Any:
    body = gateway.ask(gateway.access("flights"), query)
    assert "errors" not in body, body
    return body["data"]


@pytest.mark.parametrize("query", [LATE, DEEP, AGGREGATES, SUMMARY], ids=["late", "deep", "aggregates", "summary"])
def test_a_query_is_one_statement(flights_gateway: Gateway, log: Log, query: str) -> None:
    log.clear()

    ask(flights_gateway, query)

    assert len(log.statements()) == 1, log.statements()


def test_the_latest_flights_are_those_of_sql_written_by_hand(flights_gateway: Gateway) -> None:
    # Which of several flights with the same delay come first is nobody's to say.
    allowed = Counter(tuple(row.values()) for row in rows(flights_gateway, LATE_SQL))

    answered = ask(flights_gateway, LATE)["flights"]

    found = [
        (each["flight"], each["dep_delay"], each["airline"]["name"], *(each["plane"] or NO_PLANE).values())
        for each in answered
    ]
    assert [row[1] for row in found] == sorted((row[1] for row in allowed.elements()), reverse=True)[:20]
    assert Counter(found) <= allowed


def test_a_deep_query_with_several_roots_gives_what_sql_gives(flights_gateway: Gateway) -> None:
    data = ask(flights_gateway, DEEP)

    [jfk] = data["airports"]
    early = rows(
        flights_gateway,
        "select flight, tailnum from flights where origin = 'JFK' and day = 1 and hour < 7 order by flightid limit 3",
    )
    assert [(flight["flight"], flight["plane"]["tailnum"]) for flight in jfk["flights_collection"]] == [
        (row["flight"], row["tailnum"]) for row in early
    ]
    for flight in jfk["flights_collection"]:
        of_the_plane = rows(
            flights_gateway,
            "select f.flight, a.name from flights f join airlines a on a.carrier = f.carrier"
            f" where f.tailnum = '{flight['plane']['tailnum']}' order by f.flightid limit 2",
        )
        assert flight["plane"]["flights_collection"] == [
            {"flight": row["flight"], "airline": {"name": row["name"]}} for row in of_the_plane
        ]
    carriers = rows(flights_gateway, "select carrier, name from airlines order by carrier")
    assert data["airlines"] == [dict(row) for row in carriers]
    largest = rows(flights_gateway, "select tailnum, seats from planes where seats > 300 order by tailnum limit 2")
    assert data["planes"] == [dict(row) for row in largest]


def test_aggregates_are_those_of_sql(flights_gateway: Gateway) -> None:
    counts = rows(flights_gateway, "select count(*), origin from flights group by origin")
    latest = rows(
        flights_gateway,
        "select max(dep_delay), name as airline_name from flights join airlines using (carrier) group by name",
    )

    answered = ask(flights_gateway, AGGREGATES)["Aggregates"]

    assert sorted(answered["count"], key=str) == sorted(map(dict, counts), key=str)
    assert sorted(answered["max"], key=str) == sorted(map(dict, latest), key=str)


def test_a_summary_of_flights_is_that_of_sql(flights_gateway: Gateway) -> None:
    [whole] = rows(flights_gateway, SUMMARY_SQL)
    page = rows(flights_gateway, "select flightid from flights where origin = 'JFK' order by flightid limit 3 offset 2")
    groups = rows(flights_gateway, GROUPS_SQL)

    found = ask(flights_gateway, SUMMARY)["Aggregates"]["flights"]

    assert (found["count"], found["planes"], found["routes"]) == (whole["count"], whole["planes"], whole["routes"])
    assert found["sum"] == {"distance": whole["distance"], "air_time": whole["air_time"]}
    assert found["avg"]["dep_delay"] == pytest.approx(whole["dep_delay"])
    assert found["stddev"]["dep_delay"] == pytest.approx(whole["spread"])
    assert found["var_pop"]["dep_delay"] == pytest.approx(whole["variance"])
    assert found["min"] == {"time_hour": whole["first"].isoformat(), "carrier": whole["carrier"]}
    assert found["max"] == {"arr_delay": whole["arr_delay"]}
    assert found["nodes"] == [{"flightid": str(row["flightid"])} for row in page]
    assert found["page_info"] == {"total": whole["count"], "has_next_page": True, "has_previous_page": True}
    assert groups
    assert [(each["key"], each["count"], each["planes"]) for each in found["groups"]] == [
        ({"airline": {"name": row["name"]}, "time_hour": row["begins"].isoformat()}, row["count"], row["planes"])
        for row in groups
    ]
    assert [each["avg"]["dep_delay"] for each in found["groups"]] == pytest.approx([row["delay"] for row in groups])


def test_all_functions_of_a_summary_come_of_one_scan(flights_gateway: Gateway, log: Log) -> None:
    functions = "count sum { distance } avg { dep_delay } min { arr_delay } max { arr_delay } page_info { total }"
    log.clear()
    ask(flights_gateway, f"{{ Aggregates {{ flights {{ {functions} }} }} }}")
    [statement] = log.statements()

    plan = "\n".join(row[0] for row in rows(flights_gateway, f"explain {statement}"))

    assert len(re.findall(r"Scan (?:using \w+ )?on flights", plan)) == 1, plan


def test_as_many_flights_are_there_as_were_loaded(flights_gateway: Gateway, request: pytest.FixtureRequest) -> None:
    [[count]] = rows(flights_gateway, "select count(*) from flights")

    assert count == (336_776 if "[all]" in request.node.name else SHIPPED)
