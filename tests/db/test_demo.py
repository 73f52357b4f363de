"""The demo tenants: what is loaded is what the files say, keys hold, and a load that fails changes nothing."""

import csv
import gzip
import io
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import asyncpg
import pytest

from db.demo import policy
from db.demo.csv_files import CHUNK_BYTES, CsvFile, DemoDataInvalid, read_chunks
from db.demo.load import (
    FLIGHTS_COLUMNS,
    SHIPPED_DATA,
    is_flights_loaded,
    is_todo_loaded,
    load_flights,
    load_flights_full,
    load_todo,
)
from tests.conftest import FLIGHTS_FOLDER

Row = dict[str, str]
Connection = asyncpg.Connection

ROOT = Path(__file__).parents[2]
TABLES = ("airlines", "airports", "planes", "weather", "flights")

WORST_DELAYS_AT_JFK = """
select flight, dep_delay, airlines.name, planes.model, planes.seats
from flights join airlines using (carrier) left join planes using (tailnum)
where origin = 'JFK' and dep_delay > 60 order by dep_delay desc, flightid limit 20
"""


def rows_of(folder: Path, table: str) -> list[Row]:
    with gzip.open(folder / f"{table}.csv.gz", "rt", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture
async def connection(database: str) -> AsyncIterator[Connection]:
    connection = await asyncpg.connect(database)
    yield connection
    await connection.close()


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    """A folder with a row or two in each file: plain text, columns in another order, one file without a last newline,
    one with a byte order mark."""
    folder = tmp_path / "tiny"
    folder.mkdir()
    (folder / "airlines.csv").write_text('name,carrier\n"Sky, Ltd.",AA\n')
    (folder / "airports.csv").write_text(
        "\ufefffaa,name,lat,lon,alt,tz,dst,tzone\nJFK,Kennedy,40.6,-73.8,13,-5,A,America/New_York"
    )
    (folder / "planes.csv").write_text(
        "tailnum,year,type,manufacturer,model,engines,seats,speed,engine\n"
        "N1,NA,Fixed wing multi engine,BOEING,737,2,149,NA,Turbo-fan\n"
    )
    (folder / "weather.csv").write_text(
        "origin,year,month,day,hour,temp,dewp,humid,wind_dir,wind_speed,wind_gust,precip,pressure,visib,time_hour\n"
        "JFK,2013,2,1,5,39.02,26.06,59.37,NA,10.4,NA,0,1012,10,2013-02-01T10:00:00Z\n"
    )
    (folder / "flights.csv").write_text(
        "time_hour,year,month,day,dep_time,sched_dep_time,dep_delay,arr_time,sched_arr_time,arr_delay,carrier,flight,"
        "tailnum,origin,dest,air_time,distance,hour,minute\n"
        "2013-02-01T11:00:00Z,2013,2,1,NA,600,NA,NA,830,NA,AA,2,N2,JFK,SJU,NA,1598,6,0\n"
        "2013-02-01T10:00:00Z,2013,2,1,517,515,2,830,819,11,AA,1,N1,JFK,JFK,227,1400,5,15\n"
    )
    return folder


async def contents(connection: Connection) -> dict[str, str]:
    """A checksum of each table's rows."""
    return {
        table: await connection.fetchval(f"select md5(string_agg(t::text, ' ' order by t::text)) from {table} as t")
        for table in TABLES
    }


async def keys_of_flights(connection: Connection) -> list[str]:
    """The foreign keys, then the indexes, in the order in which they were made."""
    found = await connection.fetch(
        """
        select pg_get_constraintdef(oid) as key from
            (select oid from pg_constraint where conrelid = 'flights'::regclass and contype = 'f' and convalidated
             order by oid) as k
        union all select pg_get_indexdef(indexrelid) from
            (select indexrelid from pg_index where indrelid = 'flights'::regclass and indisvalid
             order by indexrelid) as i
        """
    )
    return [row["key"] for row in found]


async def check_against_files(connection: Connection, folder: Path, kept: Callable[[Row], bool]) -> None:
    """Everything that the files say, found out without the loader, holds in the database."""
    rows = {table: rows_of(folder, table) for table in TABLES}
    flights = [row for row in rows["flights"] if kept(row)]
    weather = [row for row in rows["weather"] if kept(row)]
    planes = {row["tailnum"] for row in rows["planes"]}
    airports = {row["faa"] for row in rows["airports"]}
    observed = {(row["origin"], row["time_hour"]) for row in weather}
    flown = {row["tailnum"] for row in flights} - {"NA"}

    assert await connection.fetchval("select count(*) from flights") == len(flights)
    assert await connection.fetchval("select count(*) from weather") == len(weather)
    assert await connection.fetchval("select count(*) from airlines") == len(rows["airlines"])
    assert await connection.fetchval("select count(*) from planes") == len(planes | flown)
    assert await connection.fetchval("select count(*) from planes where type is null") == len(flown - planes)
    assert {row["faa"] for row in await connection.fetch("select faa from airports")} == (
        airports | {row["dest"] for row in flights}
    )
    assert await connection.fetchval("select count(*) from flights where weather_hour is null") == sum(
        (row["origin"], row["time_hour"]) not in observed for row in flights
    )
    for column in ("dep_time", "dep_delay", "arr_time", "arr_delay", "tailnum", "air_time"):
        found = await connection.fetchval(f"select count(*) from flights where {column} is null")
        assert found == sum(row[column] == "NA" for row in flights), column
    for column in ("dep_delay", "arr_delay", "air_time", "distance", "flight"):
        found = await connection.fetchval(f"select sum({column}) from flights")
        assert found == sum(int(row[column]) for row in flights if row[column] != "NA"), column

    worst = sorted(
        (int(row["dep_delay"]) for row in flights if row["origin"] == "JFK" and row["dep_delay"] != "NA"), reverse=True
    )
    names = {row["carrier"]: row["name"] for row in rows["airlines"]}
    models = {row["tailnum"]: (row["model"], int(row["seats"])) for row in rows["planes"]}
    expected = {
        (int(row["flight"]), int(row["dep_delay"]), names[row["carrier"]], *models.get(row["tailnum"], (None, None)))
        for row in flights
        if row["origin"] == "JFK" and row["dep_delay"] != "NA" and int(row["dep_delay"]) >= worst[19]
    }
    answer = [tuple(row) for row in await connection.fetch(WORST_DELAYS_AT_JFK)]
    assert [row[1] for row in answer] == worst[:20]
    assert set(answer) <= expected


@pytest.mark.postgres
async def test_shipped_flights_are_those_of_the_files(connection: Connection) -> None:
    await load_flights(connection)

    await check_against_files(connection, SHIPPED_DATA, kept=lambda _: True)
    days = await connection.fetch("select distinct year, month, day from flights order by day")
    assert [tuple(row) for row in days] == [(2013, 1, day) for day in range(1, 15)]


@pytest.mark.postgres
async def test_every_reference_of_the_flights_tenant_is_a_checked_foreign_key(connection: Connection) -> None:
    await load_flights(connection)

    found = await connection.fetch(
        """
        select conrelid::regclass::text, pg_get_constraintdef(oid) as key from pg_constraint
        where contype = 'f' and convalidated and connamespace = 'public'::regnamespace order by conname
        """
    )

    assert [tuple(row) for row in found] == [
        ("flights", "FOREIGN KEY (carrier) REFERENCES airlines(carrier)"),
        ("flights", "FOREIGN KEY (origin) REFERENCES airports(faa)"),
        ("flights", "FOREIGN KEY (tailnum) REFERENCES planes(tailnum)"),
        ("flights", "FOREIGN KEY (dest) REFERENCES airports(faa)"),
        ("flights", "FOREIGN KEY (origin, weather_hour) REFERENCES weather(origin, time_hour)"),
        ("weather", "FOREIGN KEY (origin) REFERENCES airports(faa)"),
    ]


@pytest.mark.postgres
async def test_files_and_tables_have_the_same_columns(connection: Connection) -> None:
    await load_flights(connection)

    for table, columns in FLIGHTS_COLUMNS.items():
        found = await connection.fetch(
            "select attname from pg_attribute where attrelid = $1::text::regclass and attnum > 0 order by attnum", table
        )
        assert [row["attname"] for row in found if row["attname"] not in ("flightid", "weather_hour")] == list(columns)


@pytest.mark.postgres
async def test_second_load_leaves_changed_rows_alone(connection: Connection) -> None:
    assert not await is_flights_loaded(connection)
    assert not await is_todo_loaded(connection)
    await load_flights(connection)
    await load_todo(connection)
    await connection.execute("update airlines set name = 'Mine'; delete from item")

    await load_flights(connection)
    await load_todo(connection)

    assert await is_flights_loaded(connection)
    assert await is_todo_loaded(connection)
    assert await connection.fetchval("select distinct name from airlines") == "Mine"
    assert await connection.fetchval("select count(*) from item") == 0


@pytest.mark.postgres
async def test_full_load_replaces_all_rows_and_keeps_keys_and_indexes(connection: Connection, tiny: Path) -> None:
    await load_flights(connection)
    keys = await keys_of_flights(connection)
    seen: list[tuple[str, int]] = []

    await load_flights_full(connection, tiny, lambda table, rows: seen.append((table, rows)))

    assert await keys_of_flights(connection) == keys
    assert [tuple(row) for row in await connection.fetch("table airlines")] == [("AA", "Sky, Ltd.")]
    assert [tuple(row) for row in await connection.fetch("select faa, alt from airports order by faa")] == [
        ("JFK", 13),
        ("SJU", None),
    ]
    assert [tuple(row) for row in await connection.fetch("select tailnum, model, speed from planes order by 1")] == [
        ("N1", "737", None),
        ("N2", None, None),
    ]
    flights = await connection.fetch(
        "select flightid, flight, dep_time, weather_hour = time_hour as observed from flights order by flightid"
    )
    assert [tuple(row) for row in flights] == [(1, 1, 517, True), (2, 2, None, None)]
    assert dict(seen) == {"airlines": 1, "airports": 1, "planes": 1, "weather": 1, "flights": 2}


@pytest.mark.postgres
async def test_full_load_makes_the_tables_when_there_are_none(connection: Connection, tiny: Path) -> None:
    await load_flights_full(connection, tiny)

    assert await connection.fetchval("select count(*) from flights") == 2


@pytest.mark.postgres
async def test_a_flight_has_the_same_id_in_fourteen_days_and_in_the_whole(connection: Connection) -> None:
    await load_flights(connection)
    ids = "select md5(string_agg(concat_ws(' ', flightid, time_hour, carrier, flight, origin), ',' order by flightid))"
    before = await connection.fetchval(f"{ids} from flights")

    await load_flights_full(connection, SHIPPED_DATA)

    assert await connection.fetchval(f"{ids} from flights") == before


def without_file(folder: Path) -> None:
    (folder / "weather.csv").unlink()


def with_renamed_column(folder: Path) -> None:
    path = folder / "planes.csv"
    path.write_text(path.read_text().replace("seats", "chairs"))


def with_text_for_a_number(folder: Path) -> None:
    path = folder / "flights.csv"
    path.write_text(path.read_text().replace("1598", "far"))


def with_unknown_carrier(folder: Path) -> None:
    path = folder / "flights.csv"
    path.write_text(path.read_text().replace("AA,2", "ZZ,2"))


def with_repeated_plane(folder: Path) -> None:
    path = folder / "planes.csv"
    path.write_text(path.read_text() + path.read_text().splitlines()[1])


def with_file_cut_short(folder: Path) -> None:
    path = folder / "flights.csv"
    rows = path.read_bytes() + b"".join(os.urandom(40).hex().encode() + b"\n" for _ in range(20_000))
    (folder / "flights.csv.gz").write_bytes(gzip.compress(rows)[:-1000])
    path.unlink()


def with_file_that_is_not_compressed(folder: Path) -> None:
    (folder / "airlines.csv").rename(folder / "airlines.csv.gz")


@pytest.mark.postgres
@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (without_file, "{folder} holds neither weather.csv nor weather.csv.gz."),
        (
            with_renamed_column,
            (
                "{folder}/planes.csv must have the columns tailnum, year, type, manufacturer, model, engines, seats, "
                "speed, engine, each once; missing: seats; surplus: chairs."
            ),
        ),
        (
            with_text_for_a_number,
            (
                '{folder}/flights.csv does not fit the table flights: invalid input syntax for type integer: "far" '
                '(COPY arrivals, line 1, column distance: "far").'
            ),
        ),
        (
            with_unknown_carrier,
            (
                '{folder}/flights.csv does not fit the tables: insert or update on table "flights" violates '
                'foreign key constraint "flights_carrier_fkey" (Key (carrier)=(ZZ) is not present in table '
                '"airlines".).'
            ),
        ),
        (
            with_repeated_plane,
            (
                "{folder}/planes.csv does not fit the table planes: duplicate key value violates unique constraint "
                '"planes_pkey" (Key (tailnum)=(N1) already exists.).'
            ),
        ),
        (
            with_file_cut_short,
            (
                "{folder}/flights.csv.gz cannot be read: "
                "Compressed file ended before the end-of-stream marker was reached."
            ),
        ),
        (
            with_file_that_is_not_compressed,
            "{folder}/airlines.csv.gz cannot be read: Not a gzipped file (b'na').",
        ),
    ],
)
async def test_bad_files_are_refused_in_one_sentence_and_change_nothing(
    connection: Connection, tiny: Path, spoil: Callable[[Path], None], sentence: str
) -> None:
    await load_flights(connection)
    before = await contents(connection), await keys_of_flights(connection)
    spoil(tiny)

    with pytest.raises(DemoDataInvalid) as refusal:
        await load_flights_full(connection, tiny)

    assert refusal.value.message == sentence.format(folder=tiny)
    assert (await contents(connection), await keys_of_flights(connection)) == before


@pytest.mark.postgres
async def test_folder_that_is_none_is_refused(connection: Connection, tmp_path: Path) -> None:
    with pytest.raises(DemoDataInvalid, match="is not a folder"):
        await load_flights_full(connection, tmp_path / "nowhere")

    assert not await is_flights_loaded(connection)


@pytest.mark.postgres
async def test_whole_year_is_loaded(connection: Connection, request: pytest.FixtureRequest) -> None:
    if not (folder := request.config.stash[FLIGHTS_FOLDER]):
        pytest.skip("OSTIARY_FLIGHTS_FOLDER does not name a folder with the whole nycflights13 data")
    await load_flights(connection)

    await load_flights_full(connection, Path(folder))

    await check_against_files(connection, Path(folder), kept=lambda _: True)


async def test_a_file_is_read_in_pieces_of_bounded_size(tmp_path: Path) -> None:
    path = tmp_path / "long.csv.gz"
    body = b"0123456789\n" * (CHUNK_BYTES // 4)
    path.write_bytes(gzip.compress(b"number\n" + body))

    chunks = [chunk async for chunk in read_chunks(CsvFile(path, ("number",)))]

    assert max(len(chunk) for chunk in chunks) <= CHUNK_BYTES
    assert b"".join(chunks) == body


def test_shipped_data_is_what_the_tool_makes_whenever_it_runs(tmp_path: Path) -> None:
    made = [tmp_path / "once", tmp_path / "again"]
    for target in made:
        command = [sys.executable, str(ROOT / "tools" / "make_demo_data"), str(SHIPPED_DATA), str(target)]
        subprocess.run(command, check=True, capture_output=True)

    for table in TABLES:
        packed = [(folder / f"{table}.csv.gz").read_bytes() for folder in made]
        assert packed[0] == packed[1]
        # The bytes of gzip depend on the zlib that wrote them, the text does not.
        assert gzip.decompress(packed[0]) == gzip.decompress((SHIPPED_DATA / f"{table}.csv.gz").read_bytes())


def test_tool_keeps_only_the_first_fourteen_days(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    for table in TABLES:
        text = io.StringIO()
        rows = rows_of(SHIPPED_DATA, table)[:2]
        if table in ("weather", "flights"):
            rows = [rows[0], rows[0] | {"day": "14"}, rows[0] | {"day": "15"}, rows[0] | {"month": "10"}]
        writer = csv.DictWriter(text, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)
        (source / f"{table}.csv").write_text(text.getvalue())

    command = [sys.executable, str(ROOT / "tools" / "make_demo_data"), str(source), str(tmp_path / "made")]
    subprocess.run(command, check=True, capture_output=True)

    assert [(row["month"], row["day"]) for row in rows_of(tmp_path / "made", "flights")] == [("1", "1"), ("1", "14")]
    assert [(row["month"], row["day"]) for row in rows_of(tmp_path / "made", "weather")] == [("1", "1"), ("1", "14")]
    assert len(rows_of(tmp_path / "made", "planes")) == 2


def test_shipped_data_is_small() -> None:
    assert sum(path.stat().st_size for path in SHIPPED_DATA.iterdir()) < 1_500_000


@pytest.mark.postgres
async def test_todo_has_the_columns_of_the_contract(connection: Connection) -> None:
    await load_todo(connection)

    found = await connection.fetch(
        """
        select relname, string_agg(attname, ' ' order by attnum) as columns from pg_class join pg_attribute
        on attrelid = pg_class.oid where attnum > 0 and relkind = 'r' and relnamespace = 'public'::regnamespace
        group by relname order by relname
        """
    )
    assert dict([tuple(row) for row in found]) == {
        "devii_users": "userid name email devii_roleid",
        "item": "itemid itemname listid statusid devii_roleid",
        "list": "listid listname statusid devii_roleid",
        "status_value": "statusid statusname",
    }


@pytest.mark.postgres
async def test_client_that_names_its_role_needs_no_status(connection: Connection) -> None:
    await load_todo(connection)

    listid = await connection.fetchval("insert into list (listname, devii_roleid) values ('Home', 7) returning listid")
    await connection.execute("insert into item (itemname, listid, devii_roleid) values ('Sweep', $1, 7)", listid)

    status = "select statusname from item join status_value using (statusid) where itemname = 'Sweep'"
    assert await connection.fetchval(status) == "To do"
    with pytest.raises(asyncpg.NotNullViolationError):
        await connection.execute("insert into list (listname) values ('Whose?')")


@pytest.mark.postgres
async def test_item_cannot_be_put_on_the_list_of_another_role(connection: Connection) -> None:
    await load_todo(connection)
    listid = await connection.fetchval("insert into list (listname, devii_roleid) values ('Home', 7) returning listid")
    insert = "insert into item (itemname, listid, devii_roleid) values ('Sweep', $1, 8)"

    with pytest.raises(asyncpg.ForeignKeyViolationError):
        await connection.execute(insert, listid)
    with pytest.raises(asyncpg.ForeignKeyViolationError):
        await connection.execute(insert, listid + 1000)


@pytest.mark.postgres
async def test_list_takes_its_items_along_when_it_goes(connection: Connection) -> None:
    await load_todo(connection)
    assert await connection.fetchval("select count(*) from item") > 0

    await connection.execute("delete from list")

    assert await connection.fetchval("select count(*) from item") == 0


@pytest.mark.postgres
async def test_new_status_does_not_collide_with_the_first_ones(connection: Connection) -> None:
    await load_todo(connection)

    insert = "insert into status_value (statusname) values ('Dropped') returning statusid"

    assert await connection.fetchval(insert) == 4


@pytest.mark.postgres
async def test_rules_name_only_tables_that_exist(connection: Connection) -> None:
    for tenant, load in ((policy.FLIGHTS, load_flights), (policy.TODO, load_todo)):
        await load(connection)
        named = {target for rule in tenant.rules for target in rule.targets}
        targets = {target for target in named if not target.startswith("roles_pbac.")}
        assert targets
        for target in targets:
            assert await connection.fetchval("select to_regclass($1) is not null", target), target


@pytest.mark.parametrize("tenant", policy.DEMO_TENANTS, ids=lambda tenant: tenant.name)
def test_rules_name_only_roles_and_classes_of_their_tenant(tenant: policy.DemoTenant) -> None:
    logins = {role.login for role in tenant.roles} | {policy.NOBODY}
    classes = {demo_class.name for demo_class in tenant.classes}

    assert all(set(rule.roles) <= logins and set(rule.classes) <= classes for rule in tenant.rules)
    assert all(set(role.classes) <= classes for role in tenant.roles)
    assert all(rule.capabilities and rule.targets for rule in tenant.rules)


def test_strangers_read_airlines_and_airports_and_no_more() -> None:
    open_to_all = [rule for rule in policy.FLIGHTS.rules if not rule.classes]

    assert [(rule.capabilities, rule.targets) for rule in open_to_all] == [
        (frozenset({"select"}), ("airlines", "airports"))
    ]


def test_every_rule_on_rows_with_an_owner_has_a_filter() -> None:
    owned = {"list", "item", "public.devii_users"}

    unfiltered = [rule for rule in policy.TODO.rules if not rule.filter]

    assert all(owned.isdisjoint(rule.targets) for rule in unfiltered)
    assert not any(rule.roles == rule.classes == () for rule in policy.TODO.rules)
