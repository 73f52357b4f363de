"""Mutations of many rows under rules that list columns, preset values and mask what is seen."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from db.errors import PublicError
from db.read_catalog import read_catalog
from db.records import ColumnMask, Rule, RuleOptions
from db.tenant_database import TenantDatabase
from gateway.errors import graphql_body
from gateway.tenancy import LoadedTenant
from schema.names import build_model
from schema.policy import compile_policy
from schema.principal import Principal
from schema.query.cursors import CursorKey
from schema.query.document import Limits
from schema.query.run import run_operation
from schema.validity import TimedPolicy
from tests.databases import Databases

pytestmark = pytest.mark.postgres

TENANT = 1
ALL = frozenset({"select", "insert", "update", "delete"})
CLERK = Principal(TENANT, 21, "clerk", capabilities=ALL)
GUEST = Principal(TENANT, 22, "guest", capabilities=ALL)


def a_rule(number: int, role: Principal, capabilities: str, filter_text: str = "", **options: Any) -> Rule:
    return Rule(
        number,
        TENANT,
        f"rule {number}",
        frozenset(capabilities.split()),
        frozenset({"films"}),
        filter_text,
        role_ids=frozenset({role.role_id}),
        options=RuleOptions(**options),
    )


RULES = (
    a_rule(1, CLERK, "select", read_columns=frozenset({"id", "title", "owner"})),
    a_rule(
        2,
        CLERK,
        "insert",
        write_columns=frozenset({"id", "title", "director_id", "is_classic"}),
        forced=(("owner", "$_PRINCIPAL.roleid"),),
        defaults=(("is_classic", True),),
    ),
    a_rule(3, CLERK, "update", write_columns=frozenset({"title", "seen"}), forced=(("token", UPDATED := "0" * 32),)),
    a_rule(4, GUEST, "select", masks=(ColumnMask("title", "last_four", "owner = 8"),)),
    a_rule(5, GUEST, "update delete"),
)


@pytest.fixture(scope="module")
def template(databases: Databases) -> Iterator[str]:
    dsn = databases.create()
    asyncio.run(_fill(dsn))
    yield dsn
    databases.drop(dsn)


async def _fill(dsn: str) -> None:
    connection = await asyncpg.connect(dsn)
    await connection.execute((Path(__file__).parent / "world.sql").read_text("utf-8"))
    await connection.close()


@pytest.fixture
async def films(template: str, databases: Databases) -> AsyncIterator[LoadedTenant]:
    dsn = databases.create(template=template)
    async with TenantDatabase(dsn, max_connections=2) as database:
        model = build_model(await read_catalog(database, ["public"]))
        tenant: Any = None
        policy = TimedPolicy(RULES, lambda rules: compile_policy(rules, model, tenant_id=TENANT))
        yield LoadedTenant(tenant, database, model, "", policy, Limits(), CursorKey(b"key"))
    databases.drop(dsn)


async def ask(loaded: LoadedTenant, principal: Principal, document: str, given: object = None) -> Any:
    """The data, or the code of the error."""
    try:
        view = loaded.view(principal)
        prepared = view.prepare(document, None)
        variables = prepared.read_variables.coerce({"v": given})
        compiled = view.compile(prepared, variables)
        return json.loads(await run_operation(compiled, loaded.database, variables, principal))["data"]
    except PublicError as error:
        body: Any = graphql_body(error)
        return body["errors"][0]["extensions"]["code"]


async def stored(loaded: LoadedTenant, select: str) -> Any:
    return json.loads(await loaded.database.fetch_text(f"select ({select})::text", []))


async def test_what_rules_preset_is_stored_in_each_of_many_rows(films: LoadedTenant) -> None:
    document = "mutation ($v: [films_insert!]!) { insert_films(objects: $v) { returning { id owner } } }"
    rows = [{"id": 10, "title": "a", "director_id": 1}, {"id": 11, "title": "b", "director_id": 1, "is_classic": False}]

    even = await ask(films, CLERK, document, rows[:1])
    uneven = await ask(films, CLERK, document, [rows[1], {"id": 12, "title": "c", "director_id": 2}])

    assert even == {"insert_films": {"returning": [{"id": "10", "owner": 21}]}}
    assert uneven == {"insert_films": {"returning": [{"id": "11", "owner": 21}, {"id": "12", "owner": 21}]}}
    assert await stored(films, "select json_agg(is_classic order by id) from films where id > 9") == [True, False, True]


async def test_an_update_of_rows_stores_what_rules_preset(films: LoadedTenant) -> None:
    await ask(films, CLERK, 'mutation { update_films_where(filter: "id = 1", set: {title: "x"}) { affected_rows } }')

    assert await stored(films, "select to_json(token) from films where id = 1") == "-".join(
        UPDATED[start:end] for start, end in ((0, 8), (8, 12), (12, 16), (16, 20), (20, 32))
    )


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ('set: {budget: "1"}', "GRAPHQL_VALIDATION_FAILED"),
        ('set: {token: "x"}', "GRAPHQL_VALIDATION_FAILED"),
        ('filter: "seen = 5", set: {title: "x"}', "UNKNOWN_COLUMN"),
        ('where: {seen: {_eq: 5}}, set: {title: "x"}', "GRAPHQL_VALIDATION_FAILED"),
        ("inc: {seen: 9223372036854775807}", "UNKNOWN_COLUMN"),
    ],
)
async def test_a_column_that_is_hidden_can_be_written_but_neither_asked_nor_worked_with(
    films: LoadedTenant, arguments: str, code: str
) -> None:
    assert await ask(films, CLERK, f"mutation {{ update_films_where({arguments}) {{ affected_rows }} }}") == code
    assert await ask(films, CLERK, "mutation { update_films_where(set: {seen: 3}) { affected_rows } }") == {
        "update_films_where": {"affected_rows": 3}
    }


async def test_what_must_match_is_of_columns_that_are_seen(films: LoadedTenant) -> None:
    document = 'mutation ($v: filmsInput) { update_films_by_key(key: {id: 2}, set: {title: "x"}, if_match: $v) { id } }'

    assert await ask(films, CLERK, document, {"seen": 5}) == "UNKNOWN_COLUMN"
    assert await ask(films, CLERK, document, {"title": "other"}) == "PRECONDITION_FAILED"
    assert await ask(films, GUEST, document, {"title": "It's 100% late"}) == "UNKNOWN_COLUMN"


async def test_where_columns_are_hidden_versions_are_too(films: LoadedTenant) -> None:
    for who in (CLERK, GUEST):
        document = "mutation { update_films_where(set: {seen: 1}) { versions } }"
        assert await ask(films, who, document) == "GRAPHQL_VALIDATION_FAILED"


async def test_a_condition_finds_a_masked_column_as_it_is_seen(films: LoadedTenant) -> None:
    document = "mutation ($v: String) { update_films_where(filter: $v, set: {seen: 1}) { returning { id title } } }"

    by_what_is_hidden = await ask(films, GUEST, document, "title = 'It''s 100% late'")
    by_what_is_seen = await ask(films, GUEST, document, "title = '**********late'")
    own = await ask(films, GUEST, document, "title = 'Noon_and after'")

    assert by_what_is_hidden == {"update_films_where": {"returning": []}}
    assert by_what_is_seen == {"update_films_where": {"returning": [{"id": "2", "title": "**********late"}]}}
    assert own == {"update_films_where": {"returning": [{"id": "3", "title": "Noon_and after"}]}}


async def test_what_is_deleted_is_shown_as_it_was_seen(films: LoadedTenant) -> None:
    document = "mutation ($v: String) { delete_films_where(filter: $v) { returning { title } } }"

    assert await ask(films, GUEST, document, "id = 1") == {"delete_films_where": {"returning": [{"title": "****"}]}}


async def test_an_upsert_stores_what_rules_preset_whichever_it_comes_to(films: LoadedTenant) -> None:
    document = "mutation ($v: [filmsInput!]!) { upsert_films(objects: $v, update_columns: [title]) { affected_rows } }"

    first = await ask(films, CLERK, document, {"id": 20, "title": "one", "director_id": 1})
    both = await ask(films, CLERK, document, [{"id": n, "title": "two", "director_id": 1} for n in (20, 21)])

    assert (first, both) == tuple({"upsert_films": {"affected_rows": number}} for number in (1, 2))
    rows = await stored(films, "select json_agg(array[owner::text, token::text]) from films where id > 19")
    assert [(owner, token.strip("0-")) for owner, token in rows] == [("21", ""), ("21", "")]


async def test_an_upsert_changes_no_column_that_only_an_insert_may_write(films: LoadedTenant) -> None:
    document = "mutation ($v: [filmsInput!]!) { upsert_films(objects: $v) { affected_rows } }"

    assert await ask(films, CLERK, document, [{"id": 1, "title": "x", "director_id": 2}]) == "POLICY_VIOLATED"
