"""Values that a document puts together from variables are those of the request, whoever asked first."""

import json
from typing import Any

import asyncpg
import pytest

from db.read_catalog import read_catalog
from db.tenant_database import TenantDatabase
from gateway.tenancy import LoadedTenant
from schema.names import build_model
from schema.policy import compile_policy
from schema.principal import Principal
from schema.query.document import Limits
from schema.query.run import run_operation

ROOT = Principal(1, 1, "root", is_root=True)


async def ask(loaded: LoadedTenant, document: str, variables: dict[str, object]) -> dict[str, Any]:
    """The data of the answer."""
    view = loaded.view(ROOT)
    prepared = view.prepare(document, None)
    coerced = prepared.read_variables.coerce(variables)
    return dict(
        json.loads(await run_operation(view.compile(prepared, coerced), loaded.database, coerced, ROOT))["data"]
    )


@pytest.mark.postgres
async def test_a_list_with_variables_in_it_is_made_anew_for_each_request(database: str) -> None:
    plain = await asyncpg.connect(database)
    await plain.execute("create table note (id int primary key, tags text[]); insert into note values (1)")
    await plain.close()
    async with TenantDatabase(database, max_connections=1) as opened:
        model = build_model(await read_catalog(opened, ["public"]))
        tenant: Any = None
        loaded = LoadedTenant(tenant, opened, model, "", compile_policy([], model, tenant_id=1), Limits())
        document = 'mutation ($t: String) { update_note(id: 1, input: { tags: ["x", $t] }) { tags } }'

        first = await ask(loaded, document, {"t": "first"})
        second = await ask(loaded, document, {"t": "second"})

    assert first == {"update_note": {"tags": ["x", "first"]}}
    assert second == {"update_note": {"tags": ["x", "second"]}}
