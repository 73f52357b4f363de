"""/healthz: the process lives. /readyz: it can serve, and with `?tenant=ID` that tenant too. Also the public keys."""

import asyncio
from collections.abc import Mapping
from typing import Final

import orjson
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from starlette.requests import Request
from starlette.responses import Response

from db.errors import PublicError
from gateway.auth.credentials import MAX_ID
from gateway.state import AppState, state_of

PATIENCE_SECONDS: Final = 3.0
JWKS_CACHE: Final = {"Cache-Control": "public, max-age=300"}


async def healthz_endpoint(_: Request) -> Response:
    return _reply(200, {"status": "ok"})


async def readyz_endpoint(request: Request) -> Response:
    """200 with what was looked at, or 503. Nothing says why: the log does, and this page is for everybody."""
    state = state_of(request)
    checks: dict[str, bool] = {"control_database": await _is_control_database_there(state)}
    asked = request.query_params.get("tenant")
    if asked is not None:
        checks["tenant"] = checks["control_database"] and await _is_tenant_there(state, asked)
    is_ready = all(checks.values())
    # Without its listener a process serves as well, only more slowly.
    told = {"status": "ready" if is_ready else "unavailable", "changes_heard": state.changes.is_listening, **checks}
    return _reply(200 if is_ready else 503, told)


async def jwks_endpoint(request: Request) -> Response:
    """The public signing keys (RFC 7517)."""
    return Response(orjson.dumps(state_of(request).keys.jwks()), 200, JWKS_CACHE, "application/json")


async def _is_control_database_there(state: AppState) -> bool:
    try:
        async with asyncio.timeout(PATIENCE_SECONDS), state.engine.connect() as connection:
            await connection.execute(text("select 1"))
    except (OSError, SQLAlchemyError):
        return False
    return True


async def _is_tenant_there(state: AppState, tenant: str) -> bool:
    if not (tenant.isascii() and tenant.isdigit() and len(tenant) <= 10 and 0 < int(tenant) <= MAX_ID):
        return False
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            await state.tenants.ping(int(tenant))
    except (OSError, SQLAlchemyError, PublicError):
        return False
    return True


def _reply(status: int, body: Mapping[str, object]) -> Response:
    return Response(orjson.dumps(dict(body)), status, {"Cache-Control": "no-store"}, "application/json")
