"""Whole operations: each case is a document, the SQL that it becomes and the answer that it gives.

`cases/<case>.graphql` may begin with comments: `# as: member` (root if it is missing) and `# variables: {…}`.
`make snapshots` writes `<case>.sql` and `<case>.json`; whoever reviews a change reads their diff.
"""

import asyncio
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from db.errors import PublicError
from db.read_catalog import read_catalog
from db.records import Rule
from db.tenant_database import TenantDatabase
from gateway.errors import graphql_body
from gateway.tenancy import LoadedTenant
from schema.names import build_model
from schema.policy import compile_policy
from schema.principal import Principal
from schema.query.compiler import Compiled
from schema.query.cursors import CursorKey
from schema.query.document import Limits
from schema.query.run import run_operation
from schema.validity import TimedPolicy
from tests.databases import Databases

HERE = Path(__file__).parent
CASES = sorted(HERE.glob("cases/*.graphql"))
TENANT = 1
PRINCIPALS = {
    "root": Principal(TENANT, 1, "root", is_root=True),
    "member": Principal(
        TENANT, 7, "member", capabilities=frozenset({"select", "insert", "update", "delete"}), class_ids=frozenset({5})
    ),
    "writer": Principal(TENANT, 11, "writer", capabilities=frozenset({"update"})),
    "nobody": Principal(TENANT, 9, "nobody1", capabilities=frozenset({"select", "insert"})),
}


def a_rule(number: int, capabilities: str, targets: str, filter_text: str = "", **scope: frozenset[int]) -> Rule:
    return Rule(
        number,
        TENANT,
        f"rule {number}",
        frozenset(capabilities.split()),
        frozenset(targets.split()),
        filter_text,
        **scope,
    )


MEMBERS = frozenset({5})
RULES = (
    a_rule(1, "select", "people"),
    a_rule(2, "select insert update delete", "films", "owner = $_PRINCIPAL.roleid", class_ids=MEMBERS),
    a_rule(3, "select", "cast_members", "film.is_classic = true", class_ids=MEMBERS),
    a_rule(4, "insert", "public.notes", role_ids=frozenset({9})),
    a_rule(5, "update", "people", role_ids=frozenset({11})),
)


@pytest.fixture(scope="module")
def template(databases: Databases) -> Iterator[str]:
    dsn = databases.create()
    asyncio.run(_fill(dsn))
    yield dsn
    databases.drop(dsn)


async def _fill(dsn: str) -> None:
    connection = await asyncpg.connect(dsn)
    await connection.execute((HERE / "world.sql").read_text("utf-8"))
    await connection.close()


@pytest.mark.postgres
@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
async def test_the_operation_gives_its_sql_and_its_answer(path: Path, template: str, databases: Databases) -> None:
    text = path.read_text("utf-8")
    dsn = databases.create(template=template)
    async with TenantDatabase(dsn, max_connections=2) as database:
        model = build_model(await read_catalog(database, ["public"]))
        tenant: Any = None
        policy = TimedPolicy(RULES, lambda rules: compile_policy(rules, model, tenant_id=TENANT))
        loaded = LoadedTenant(tenant, database, model, "", policy, Limits(), CursorKey(b"key"))
        sql, answer = await _answer(loaded, PRINCIPALS[_header(text, "as") or "root"], text)
    databases.drop(dsn)

    for suffix, found in ((".sql", sql), (".json", json.dumps(answer, indent=2, ensure_ascii=False) + "\n")):
        expected = path.with_suffix(suffix)
        if os.environ.get("OSTIARY_WRITE_SNAPSHOTS"):
            expected.write_text(found, "utf-8")
        assert found == expected.read_text("utf-8")


async def _answer(loaded: LoadedTenant, principal: Principal, text: str) -> tuple[str, object]:
    given: dict[str, object] = json.loads(_header(text, "variables") or "{}")
    sql = ""
    try:
        view = loaded.view(principal)
        prepared = view.prepare(text, None)
        variables = prepared.read_variables.coerce(given)
        compiled = view.compile(prepared, variables)
        sql = _sql(compiled)
        return sql, json.loads(await run_operation(compiled, loaded.database, variables, principal))
    except PublicError as error:
        return sql, graphql_body(error)


def _sql(compiled: Compiled) -> str:
    statements = [compiled.statement] if compiled.statement else []
    statements += [step.statement for field in compiled.fields for step in field.steps]
    return "".join(f"{statement.text}\n" for statement in statements)


def _header(text: str, name: str) -> str | None:
    prefix = f"# {name}: "
    return next((line.removeprefix(prefix) for line in text.splitlines() if line.startswith(prefix)), None)
