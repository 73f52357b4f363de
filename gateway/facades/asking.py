"""ask(state, loaded, principal, document): what a facade asks of /query, by the same way as every other request."""

from typing import cast

import orjson

from gateway.auth.guests import get_open_tenant
from gateway.auth.principals import read_principal
from gateway.facades.tables import Document
from gateway.graphql_http import GraphQLRequest
from gateway.query import answer_latest
from gateway.state import AppState
from gateway.tenancy import LoadedTenant
from schema.principal import Principal


async def ask(state: AppState, loaded: LoadedTenant, principal: Principal, document: Document) -> dict[str, object]:
    """The `data` that a document gives the principal. Raises PublicError."""
    request = GraphQLRequest(document.text, dict(document.variables))
    body = await answer_latest(state.tenants, loaded, principal, request)
    answer = cast("dict[str, dict[str, object]]", orjson.loads(body))
    return answer["data"]


async def load(state: AppState, principal: Principal) -> LoadedTenant:
    """The principal's tenant. Raises NoSuchTenant, StoreError."""
    return state.tenants.recall(principal) or await state.tenants.get(principal.tenant_id, principal.tenant_version)


async def visitor_of(state: AppState, tenant_id: int) -> Principal:
    """Who asks without having come in by any door: the tenant's Nobody role, of which each visitor may have a session
    at /anonauth. Raises AnonymousNotAllowed and its like."""
    async with state.passwords.turns, state.engine.connect() as connection:
        tenant, nobody = await get_open_tenant(state, connection, tenant_id)
        return await read_principal(connection, tenant, nobody, "")
