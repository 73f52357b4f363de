"""The demo tenants' tables and rows, put into a database. Each function is one transaction: all of it or nothing."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import TypeAlias

import asyncpg

from db.demo.csv_files import CsvFile, DemoDataInvalid, find_csv_files, read_chunks

Progress: TypeAlias = Callable[[str, int], None]
"""Called with a table and the number of its rows that have been read so far."""

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

HERE = Path(__file__).parent
SHIPPED_DATA = HERE / "data"

FLIGHTS_COLUMNS = {
    "airlines": ("carrier", "name"),
    "airports": ("faa", "name", "lat", "lon", "alt", "tz", "dst", "tzone"),
    "planes": ("tailnum", "year", "type", "manufacturer", "model", "engines", "seats", "speed", "engine"),
    "weather": (
        *("origin", "year", "month", "day", "hour", "temp", "dewp", "humid", "wind_dir", "wind_speed", "wind_gust"),
        *("precip", "pressure", "visib", "time_hour"),
    ),
    "flights": (
        *("year", "month", "day", "dep_time", "sched_dep_time", "dep_delay", "arr_time", "sched_arr_time", "arr_delay"),
        *("carrier", "flight", "tailnum", "origin", "dest", "air_time", "distance", "hour", "minute", "time_hour"),
    ),
}
"""The columns of each file, tables in the order in which they can be filled."""

TODO_TABLES = ("status_value", "devii_users", "list", "item")


async def load_flights(connection: Connection, *, progress: Progress | None = None) -> None:
    """Nothing; makes the tables of the flights tenant with the first 14 days, unless they are there already."""
    async with connection.transaction():
        await wait_for_other_loads(connection)
        if not await has_tables(connection, *FLIGHTS_COLUMNS):
            await create_tables(connection, "flights.sql")
            await fill_flights(connection, SHIPPED_DATA, progress)


async def load_flights_full(connection: Connection, folder: Path, progress: Progress | None = None) -> None:
    """Nothing; replaces every row of the flights tenant by those of the CSV files in the folder, plain or compressed.
    Makes the tables if need be. Raises DemoDataInvalid, and then all is as it was."""
    async with connection.transaction():
        await wait_for_other_loads(connection)
        if await has_tables(connection, *FLIGHTS_COLUMNS):
            await connection.execute(EMPTY_TABLES)
        else:
            await create_tables(connection, "flights.sql")
        await fill_flights(connection, folder, progress)


async def load_todo(connection: Connection) -> None:
    """Nothing; makes the tables of the todo tenant and their first rows, unless they are there already."""
    async with connection.transaction():
        await wait_for_other_loads(connection)
        if not await has_tables(connection, *TODO_TABLES):
            await create_tables(connection, "todo.sql")


async def is_flights_loaded(connection: Connection) -> bool:
    return await has_tables(connection, *FLIGHTS_COLUMNS)


async def is_todo_loaded(connection: Connection) -> bool:
    return await has_tables(connection, *TODO_TABLES)


async def has_tables(connection: Connection, *tables: str) -> bool:
    """Whether all of these tables are in the schema `public`. As a load is one transaction, it is whole if so."""
    return await connection.fetchval(
        "select bool_and(to_regclass(format('public.%I', t)) is not null) from unnest($1::text[]) as t", tables
    )


async def wait_for_other_loads(connection: Connection) -> None:
    """Nothing; from here to the end of the transaction no other process loads a demo into this database."""
    await connection.execute("select pg_advisory_xact_lock(hashtext('ostiary demo'))")


async def create_tables(connection: Connection, script: str) -> None:
    await connection.execute(await asyncio.to_thread((HERE / script).read_text, "utf-8"))


async def fill_flights(connection: Connection, folder: Path, progress: Progress | None) -> None:
    """Nothing; fills the five empty tables. Raises DemoDataInvalid."""
    files = await asyncio.to_thread(find_csv_files, folder, FLIGHTS_COLUMNS)
    await copy_file(connection, files["airlines"], "airlines", progress)
    await copy_file(connection, files["airports"], "airports", progress)
    await copy_file(connection, files["planes"], "planes", progress)
    await copy_file(connection, files["weather"], "weather", progress)
    await connection.execute(CREATE_ARRIVALS)
    await copy_file(connection, files["flights"], "flights", progress, into="arrivals")
    # Checked and sorted once at the end, a full load takes a third of the time.
    keys = await connection.fetch(FLIGHTS_KEYS)
    await connection.execute("".join(key["drop"] for key in keys))
    try:
        await connection.execute(MOVE_ARRIVALS)
        await connection.execute("".join(key["restore"] for key in keys))
    except (asyncpg.IntegrityConstraintViolationError, asyncpg.DataError) as error:
        raise DemoDataInvalid(f"{files['flights'].path} does not fit the tables: {describe(error)}") from error
    await connection.execute(ANALYZE)


async def copy_file(
    connection: Connection, file: CsvFile, table: str, progress: Progress | None, *, into: str | None = None
) -> None:
    """Nothing; streams a file into its table, or into a temporary one. Raises DemoDataInvalid."""
    feed = Feed(file, table, progress)
    try:
        status = await connection.copy_to_table(
            into or table,
            schema_name="pg_temp" if into else "public",
            source=feed.chunks(),
            columns=file.columns,
            format="csv",
            null="NA",
            encoding="utf-8",
        )
    except (asyncpg.IntegrityConstraintViolationError, asyncpg.DataError) as error:
        raise feed.failure or DemoDataInvalid(
            f"{file.path} does not fit the table {table}: {describe(error)}"
        ) from error
    if feed.failure is not None:
        raise feed.failure
    if progress is not None:
        # "COPY 16": the true number, also when the last line does not end in a newline.
        progress(table, int(status.removeprefix("COPY ")))


class Feed:
    """A file's chunks on their way into a COPY. If the file cannot be read to its end, the chunks merely end early and
    `failure` says why: asyncpg 0.32 waits forever when a source raises after PostgreSQL has refused an earlier row."""

    def __init__(self, file: CsvFile, table: str, progress: Progress | None) -> None:
        self.file = file
        self.table = table
        self.progress = progress
        self.failure: DemoDataInvalid | None = None

    async def chunks(self) -> AsyncIterator[bytes]:
        """What stands below the header; after each piece the progress hears how many lines have ended."""
        rows = 0
        try:
            async for chunk in read_chunks(self.file):
                yield chunk
                rows += chunk.count(b"\n")
                if self.progress is not None:
                    self.progress(self.table, rows)
        except DemoDataInvalid as error:
            self.failure = error


def describe(error: asyncpg.PostgresError) -> str:
    """One sentence of PostgreSQL's message and, where it says so, the place."""
    place = next((part for part in (error.detail, error.context) if part), None)
    return f"{error.message} ({place})." if place else f"{error.message}."


EMPTY_TABLES = """
truncate public.airlines, public.airports, public.planes, public.weather, public.flights restart identity
"""

# Flights arrive in a table without constraints, as their file comes before what it refers to is known to be there.
CREATE_ARRIVALS = """
create temporary table arrivals (like public.flights) on commit drop;
alter table arrivals drop column flightid, drop column weather_hour;
"""

# Numbered in the order of departure, so that a flight's id is the same in the first 14 days and in the whole.
MOVE_ARRIVALS = """
insert into public.planes (tailnum)
select tailnum from pg_temp.arrivals where tailnum is not null
except select tailnum from public.planes;

insert into public.airports (faa)
select dest from pg_temp.arrivals
except select faa from public.airports;

insert into public.flights (
    year, month, day, dep_time, sched_dep_time, dep_delay, arr_time, sched_arr_time, arr_delay, carrier, flight,
    tailnum, origin, dest, air_time, distance, hour, minute, time_hour, weather_hour
)
select
    arrivals.year, arrivals.month, arrivals.day, dep_time, sched_dep_time, dep_delay, arr_time, sched_arr_time,
    arr_delay, carrier, flight, tailnum, arrivals.origin, dest, air_time, distance, arrivals.hour, minute,
    arrivals.time_hour, weather.time_hour
from pg_temp.arrivals left join public.weather using (origin, time_hour)
order by arrivals.year, arrivals.month, arrivals.day, sched_dep_time, carrier, flight, origin;

drop table pg_temp.arrivals;
"""

# How to drop, and to restore just as they are, the foreign keys of flights and the indexes that no constraint needs.
# In the order of their making, which a reader of the catalog may go by.
FLIGHTS_KEYS = """
select
    format('alter table public.flights drop constraint %I;', conname) as drop,
    format('alter table public.flights add constraint %I %s;', conname, pg_get_constraintdef(oid)) as restore,
    1 as place, oid
from pg_constraint
where conrelid = 'public.flights'::regclass and contype = 'f'
union all
select
    format('drop index %s;', indexrelid::regclass), format('%s;', pg_get_indexdef(indexrelid)), 0, indexrelid
from pg_index
where indrelid = 'public.flights'::regclass
    and not exists (select from pg_constraint where conindid = indexrelid and contype in ('p', 'u', 'x'))
order by place, oid
"""

ANALYZE = "analyze public.airlines, public.airports, public.planes, public.weather, public.flights"
