"""Lists: a tenant without a gateway, asked for lists and for what is told of their pages."""

import json
from typing import Any

from db.read_catalog import read_catalog
from db.sql import Sql, join, json_text, sql, to_statement
from db.tenant_database import TenantDatabase
from gateway.tenancy import LoadedTenant
from schema.names import build_model
from schema.policy import compile_policy
from schema.principal import Principal
from schema.query.compiler import bind
from schema.query.cursors import CursorKey, cursor_key
from schema.query.document import Limits
from schema.query.planning.context import Planning
from schema.query.planning.reads import plan_outputs, plan_rows
from schema.query.rendering.context import Rendering
from schema.query.rendering.pages import PAGE_MEMBERS, render_page_member
from schema.query.rendering.reads import render_list
from schema.query.run import run_operation
from schema.validity import TimedPolicy

ROOT = Principal(1, 1, "root", is_root=True)
KEY = cursor_key(b"a secret", 1)


class Lists:
    """A loaded tenant that is asked for lists and their pages."""

    def __init__(self, database: TenantDatabase, loaded: LoadedTenant, principal: Principal) -> None:
        self.database = database
        self.loaded = loaded
        self.principal = principal

    async def rows(self, table: str, arguments: str, **variables: object) -> list[Any]:
        """The rows, as `/query` gives them."""
        view = self.loaded.view(self.principal)
        prepared = view.prepare(page_document(table, arguments), None)
        given = prepared.read_variables.coerce(variables)
        compiled = view.compile(prepared, given)
        return json.loads(await run_operation(compiled, self.database, given, self.principal))["data"][table]

    async def page(self, table: str, arguments: str, key: CursorKey = KEY, **variables: object) -> dict[str, Any]:
        """The rows, and what is told of their page."""
        view = self.loaded.view(self.principal)
        prepared = view.prepare(page_document(table, arguments), None)
        given = prepared.read_variables.coerce(variables)
        (field,) = prepared.operation.selection_set.selections
        grants: Any = view._grants
        planning = Planning(self.loaded.model, grants, prepared.fragments, given)
        entity = self.loaded.model.entities[table]
        node: Any = field
        read = plan_rows(planning, entity, node, plan_outputs(planning, entity, [node]), by_keys=True)
        rendering = Rendering(self.loaded.model)
        members: list[Sql] = [json_text('{"', ("rows",), '":'), render_list(rendering, read, "")]
        for member in PAGE_MEMBERS:
            members.append(json_text(',"', (member,), '":'))
            members.append(render_page_member(rendering, read, member))
        statement = to_statement(sql("select {all} || '}'", all=join(" || ", members)))
        arguments_ = bind(statement, given, self.principal, cursors=key)
        return json.loads(await self.database.fetch_text(statement.text, arguments_))


def page_document(table: str, arguments: str) -> str:
    key = "a b c" if table == "bare" else "id"
    given = ", ".join(
        part for part in (arguments, "first: $first, after: $after, last: $last, before: $before") if part
    )
    head = "query ($first: Int, $after: String, $last: Int, $before: String, $offset: Int)"
    return f"{head} {{ {table}({given}, offset: $offset) {{ {key} }} }}"


async def load_lists(database: TenantDatabase, *rules: Any, principal: Principal = ROOT) -> Lists:
    model = build_model(await read_catalog(database, ["public"]))
    tenant: Any = None
    policy = TimedPolicy(rules, lambda in_force: compile_policy(in_force, model, tenant_id=1))
    return Lists(database, LoadedTenant(tenant, database, model, "", policy, Limits(), KEY), principal)
