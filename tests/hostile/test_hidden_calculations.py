"""What could fail on a row that policy hides fails on none: a hidden row gives the answer of one that is nowhere.

Each filter does fail on the hidden row: whoever may see it is told of an error.
"""

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import asyncpg
import pytest

from db.errors import PublicError
from db.read_catalog import read_catalog
from db.tenant_database import TenantDatabase
from gateway.errors import graphql_body
from gateway.tenancy import LoadedTenant
from schema.names import build_model
from schema.policy import compile_policy
from schema.principal import Principal
from schema.query.document import Limits
from schema.query.run import run_operation
from tests.builders import a_principal, a_rule
from tests.databases import Databases

pytestmark = pytest.mark.postgres

TABLES = """
create table owner (id integer primary key, role_id integer);
create table vault (
    id integer primary key, owner_id integer references owner, name text not null, pattern text, zero integer,
    big bigint, exact numeric, real double precision, day date, endless date, local timestamp, moment timestamptz,
    span interval
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
insert into owner values (1, 7), (2, 8);
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
VAULTS = [
    "2 ^ big > 1",
    "zero ^ -1 > 1",
    "(zero - 1) ^ 0.5 = 1 or true = false",
    "exact ^ 2.0 > 1",
    "exact + exact > 1",
    "exact - -exact > 1",
    "exact * 10.0 > 1",
    "exact / 0.001 > 1",
    "abs(exact) * 10 > 1",
    "round(exact * 10, 1) > 1",
    "coalesce(exact, 0) + exact > 1",
    "real + real > 1",
    "real - -real > 1",
    "real * 10 > 1",
    "real / 0.001 > 1",
    "real * exact > 1",
    "exact = real",
    "real < exact",
    "exact in [real, 5]",
    "coalesce(exact, real) > 1",
    "(big + big) & 1 = 1",
    "big * 2 << 1 = 1",
    "day + 1 > '2024-01-01'",
    "day + big > '2024-01-01'",
    "day - -1 > '2024-01-01'",
    "endless - day > 1",
    "day + '1 day' > '2024-01-01'",
    "local + '1 day' > '2024-01-01'",
    "moment - '-1 day' > '2024-01-01'",
    "moment + span > '2024-01-01'",
    "span + span > '1 day'",
    "span * 2 > '1 day'",
    "2 * span > '1 day'",
    "span / 0.5 > '1 day'",
    "name like pattern",
    "name not like pattern",
    "'abc' ilike pattern",
    "name like concat(pattern, '')",
    "name like lower(pattern)",
    "not (real * 10 > 1)",
    "id = 1 or real * 10 > 1",
    "name != 'x' and real * 10 > 1",
    "real * 10 = null",
    "real * 10 in [10, 20]",
    "count(coin_collection.id) * real * 10 > 1",
    "sum(coin_collection.exact) > 1 and max(coin_collection.exact) * 10 > 1",
    "sum(coin_collection.real * 10) > 1",
    "avg(coin_collection.real * 10) > 1",
    "sum(real * 10) > 1",
    "max(exact) * 10 > 1",
    "coin_collection.real * 10 > 1",
    "coin_collection.real * 10 > 1 or name = 'mine'",
    "not coin_collection.exact * 10 > 1",
    "coin_collection.exact * 10 > real",
    "coin_collection.exact + exact = -5",
    "tag_collection.real * 10 > 1",
    "tag_collection.real * 10 > real",
    "owner.id + real * 10 > 1",
    "concat(owner.id, real * 10) = 'x'",
]
COINS = [
    "vault.exact * 10 > 1",
    "vault.real * real > 1",
    "max(vault.exact) * 10 > 1",
    "coalesce(vault.exact, 0) * 10 > 1",
]
DOCUMENTS = [
    '{ owner { id vault_collection(filter: "real * 10 > 1", ordering: "id") { id } } }',
    '{ owner { vault_collection(filter: "name like pattern", limit: 2, ordering: "id") { id } } }',
    '{ vault(ordering: "id") { id tag_collection(filter: "real * 10 > 1") { id } } }',
    '{ Aggregates { count(subquery: "{ vault { id } }", filter: "real * 10 > 1") } }',
    '{ Aggregates { count(subquery: "{ vault(filter: \\"real * 10 > 1\\") { id } }") } }',
    '{ Aggregates { count(subquery: "{ vault { id real } }", having: "real * 10 > 1") } }',
    '{ Aggregates { sum(subquery: "{ vault { id pattern name } }", having: "name like pattern") } }',
]
RULES = (
    a_rule(1, targets=["vault", "coin", "tagged"], filter="owner.role_id = $_PRINCIPAL.roleid"),
    a_rule(2, targets=["tag", "owner"]),
)


@dataclass(frozen=True)
class Asked:
    """The same tables with the hidden rows, and without them."""

    hidden: str
    absent: str


@pytest.fixture(scope="module")
def asked(databases: Databases) -> Iterator[Asked]:
    found = Asked(databases.create(), databases.create())
    asyncio.run(fill(found.hidden, TABLES + HIDDEN))
    asyncio.run(fill(found.absent, TABLES))
    yield found
    databases.drop(found.hidden)
    databases.drop(found.absent)


async def fill(dsn: str, text: str) -> None:
    connection = await asyncpg.connect(dsn)
    await connection.execute(text)
    await connection.execute("analyze")
    await connection.close()


async def answer(dsn: str, principal: Principal, document: str) -> Any:
    async with TenantDatabase(dsn, max_connections=1) as database:
        model = build_model(await read_catalog(database, ["public"]))
        tenant: Any = None
        policy = compile_policy(RULES, model, tenant_id=1)
        view = LoadedTenant(tenant, database, model, "", policy, Limits()).view(principal)
        prepared = view.prepare(document, None)
        try:
            return json.loads(await run_operation(view.compile(prepared, {}), database, {}, principal))
        except PublicError as error:
            return graphql_body(error)


def read(table: str, text: str) -> str:
    return f'{{ {table}(filter: {json.dumps(text)}, ordering: "id") {{ id }} }}'


@pytest.mark.parametrize(
    "document",
    [*(read("vault", text) for text in VAULTS), *(read("coin", text) for text in COINS), *DOCUMENTS],
    ids=[*VAULTS, *COINS, *DOCUMENTS],
)
async def test_what_fails_on_a_hidden_row_tells_nothing_of_it(asked: Asked, document: str) -> None:
    shown = await answer(asked.hidden, a_principal(is_root=True), document)
    assert [error["extensions"]["code"] for error in shown["errors"]] == ["INVALID_VALUE"]

    hidden = await answer(asked.hidden, a_principal(7), document)

    assert "errors" not in hidden
    assert hidden == await answer(asked.absent, a_principal(7), document)


TOTAL = [
    "10 / zero = 1",
    "10 % zero = null",
    "10.5 % zero = null",
    "exact % 0 = null",
    "real / 0 = null",
    "span / 0 = null",
    "big * big * big * big > 1",
    "-big - big < 1",
    "-exact < 1",
    "big / -1 < 0",
    "real % 7 = 1",
    "abs(-big) > 0",
    "round(real) > 1",
    "big << 70 = 1",
    "big >> big = 1",
    "sum(big) > 1",
    "length(lower(concat(name, exact, moment, span))) > 1",
    "coalesce(moment, local) > current_date",
    "big = exact",
    "big + 1 > real",
]


@pytest.mark.parametrize("text", TOTAL)
async def test_what_is_total_fails_on_no_row(asked: Asked, text: str) -> None:
    shown = await answer(asked.hidden, a_principal(is_root=True), read("vault", text))

    assert "errors" not in shown
