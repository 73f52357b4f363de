"""A tenant that opens the facade of Realm, and applications that use it by the unmodified SDK."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import pytest

from db.engines import control_engine
from db.rules import insert_rule
from db.tenants import set_facades
from tests.databases import Databases
from tests.sdks import FACADES, Sdk, launch, node_with, serve
from tests.shelters import BuiltShelter, Shelter

FUNCTIONS = """
create type place as (street text, number integer);
create function add_up(a integer, b integer default 10) returns integer immutable as 'select $1 + $2' language sql;
create function notes_like(pattern text) returns setof note stable as 'select * from note where body like $1'
    language sql;
create function home() returns place stable as $$ select row('Main Street', 7)::place $$ language sql;
create function day_after(day date) returns date immutable as 'select $1 + 1' language sql;
create function clear_prices() returns bigint volatile
    as 'with gone as (delete from price returning id) select count(*) from gone' language sql;
create function fail(reason text) returns integer stable as
    $$ begin raise exception 'secret: %', reason; end $$ language plpgsql;
create function total(variadic numbers integer[]) returns bigint immutable
    as 'select sum(number) from unnest($1) as number' language sql;
create function street_of(home place) returns text immutable as 'select ($1).street' language sql;
create function letters() returns setof text stable as $$ values ('a'), ('b'), (null) $$ language sql;
create function nothing_at_all() returns integer stable as 'select null::integer' language sql;
create function largest() returns numeric stable as 'select 123456789012345678901234567890.5' language sql;
create function span(out low integer, out high integer) stable as 'select 1, 9' language sql;
create function forget() returns void volatile as 'delete from price where id < 0' language sql;
create procedure tidy() as 'delete from price where id < 0' language sql;
create function prices() returns setof price stable as 'select * from price' language sql;
create function not_for_guests() returns integer stable as 'select 1' language sql;
"""
READING = (
    *("add_up()", "notes_like()", "home()", "day_after()", "fail()", "total()", "street_of()", "letters()"),
    *("nothing_at_all()", "largest()", "span()", "prices()"),
)
CHANGING = ("clear_prices()", "forget()", "tidy()")


@dataclass(frozen=True)
class Bench:
    """A running gateway, and where an application keeps what it stores."""

    shelter: Shelter
    address: str
    storage: Path
    node: str

    def launch(self, app_id: str = "shelter", storage: Path | None = None) -> AbstractAsyncContextManager[Sdk]:
        """The application, started on its device: what an earlier start has stored is there."""
        config = json.dumps({"id": app_id, "baseUrl": self.address})
        return launch(self.node, FACADES / "realm" / "driver.cjs", config, str(storage or self.storage))


@pytest.fixture(scope="session")
def built_realm(databases: Databases) -> BuiltShelter:
    """Databases of a tenant that opens this facade, and has functions, to be cloned."""
    built = BuiltShelter.build(databases)
    asyncio.run(_open_facade(built))
    return built


@pytest.fixture
async def shelter(databases: Databases, built_realm: BuiltShelter) -> AsyncGenerator[Shelter]:
    """A gateway whose tenant opens this facade, which this test has for itself."""
    async with built_realm.open(databases) as opened:
        yield opened


@pytest.fixture
async def bench(shelter: Shelter, tmp_path: Path) -> AsyncGenerator[Bench]:
    """The same, with an address, for applications. Skips the test where there is no Node."""
    node = node_with("realm")
    async with serve(shelter.app) as address:
        yield Bench(shelter, address, tmp_path / "storage.json", node)


async def _open_facade(built: BuiltShelter) -> None:
    connection_to_tenant = await asyncpg.connect(built.tenant_dsn)
    await connection_to_tenant.execute(FUNCTIONS)
    await connection_to_tenant.close()
    engine = control_engine(built.control_dsn)
    async with engine.begin() as connection:
        await set_facades(connection, built.tenant_id, ["realm"])
        for capability, targets in (("select", READING), ("update", CHANGING)):
            await insert_rule(
                connection,
                tenant_id=built.tenant_id,
                name=f"Everybody may {capability} by functions",
                capabilities=frozenset({capability}),
                targets=frozenset(targets),
                creator_id=0,
            )
    await engine.dispose()
