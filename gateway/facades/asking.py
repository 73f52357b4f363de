"""ask(loaded, principal, document): what a facade asks of /query, by the same way as every other request."""

from collections.abc import Awaitable, Callable
from typing import TypeVar, cast

import orjson

from db.refusals import CatalogOutdated
from gateway.auth.guests import get_open_tenant
from gateway.auth.principals import read_principal
from gateway.facades.tables import Document
from gateway.graphql_http import GraphQLRequest
from gateway.query import answer_query
from gateway.state import AppState
from gateway.tenancy import LoadedTenant
from schema.principal import Principal

Answer = TypeVar("Answer")


async def ask(loaded: LoadedTenant, principal: Principal, document: Document) -> dict[str, object]:
    """The `data` that a document gives the principal. Raises PublicError.

    It is the gateway's own document, so it is answered also where a tenant answers trusted documents only.
    """
    body = await answer_query(loaded, principal, GraphQLRequest(document.text, dict(document.variables)))
    answer = cast("dict[str, dict[str, object]]", orjson.loads(body))
    return answer["data"]


async def read_latest(
    state: AppState, loaded: LoadedTenant, read: Callable[[LoadedTenant], Awaitable[Answer]]
) -> Answer:
    """What is read of the tenant. Where tables have changed that it names, it is read once more of those that there are
    now. Raises as `read` does."""
    try:
        return await read(loaded)
    except CatalogOutdated:
        latest = await state.tenants.catch_up(loaded)
        if latest is None:
            raise
        return await read(latest)


async def load(state: AppState, principal: Principal) -> LoadedTenant:
    """The principal's tenant. Raises NoSuchTenant, StoreError."""
    return state.tenants.recall(principal) or await state.tenants.get(principal.tenant_id, principal.tenant_version)


async def visitor_of(state: AppState, tenant_id: int) -> Principal:
    """Who asks without having come in by any door: the tenant's Nobody role, of which each visitor may have a session
    at /anonauth. Raises AnonymousNotAllowed and its like."""
    async with state.passwords.turns, state.engine.connect() as connection:
        tenant, nobody = await get_open_tenant(state, connection, tenant_id)
        return await read_principal(connection, tenant, nobody, "")
