"""create_app(settings): routes, middleware, lifespan. The one place where parts are joined."""

import ipaddress
import secrets
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Final, cast

from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from db.engines import control_engine
from db.secrets import MasterKey, load_master_key
from gateway.auth.anonymous import anonauth_endpoint
from gateway.auth.guest_doors import (
    adopt_endpoint,
    convert_endpoint,
    guest_endpoint,
    register_endpoint,
    session_endpoint,
    sessions_endpoint,
)
from gateway.auth.keys import KeyRing
from gateway.auth.login import auth_endpoint
from gateway.auth.passwords import PasswordChecker
from gateway.auth.principals import Principals
from gateway.auth.rate_limit import RateLimiter
from gateway.auth.session_uses import keep_uses
from gateway.auth.sweep import keep_swept
from gateway.auth.tokens import TokenRules
from gateway.catalog_watch import CatalogWatch
from gateway.changes import ChangeListener
from gateway.compression import DeflatedTexts
from gateway.errors import RequestError
from gateway.facades.backendless import BackendlessEndpoint
from gateway.facades.mudbase import mudbase_routes
from gateway.facades.realm import realm_routes
from gateway.graphiql import graphiql_routes
from gateway.graphql_http import HttpLimits
from gateway.health import healthz_endpoint, jwks_endpoint, readyz_endpoint
from gateway.hooks import keep_delivering
from gateway.protection import Protection, plain_error
from gateway.query import QueryDoor, QueryEndpoint
from gateway.refusal_notes import RefusalNotes
from gateway.retention import keep_audit
from gateway.roles_pbac import ControlEndpoint
from gateway.settings import Settings
from gateway.state import AppState, Clock, Random, Tenants, state_of
from schema.query.document import Limits

# How long a start waits for the first connection of the change listener; without one it serves all the same.
LISTENER_PATIENCE_SECONDS: Final = 5.0
EVERY_METHOD: Final = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]

OpenTenants = Callable[[Settings, AsyncEngine, MasterKey], Tenants]


def create_app(
    settings: Settings, *, open_tenants: OpenTenants, clock: Clock = time.time, random: Random = secrets.token_bytes
) -> Starlette:
    """The gateway as an ASGI application. When its lifespan begins the control database must be there, and migrated."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncGenerator[None]:
        async with open_state(settings, open_tenants, clock, random) as state:
            app.state.ostiary = state
            yield

    app = _Gateway(
        routes=routes(settings),
        middleware=middleware(settings),
        exception_handlers={HTTPException: _answer_http_exception, RequestError: _answer_request_error},
        lifespan=lifespan,
    )
    # A redirect would lead to whatever the Host header says, and take the body of a login with it.
    app.router.redirect_slashes = False
    return app


class _Gateway(Starlette):
    """Starlette, with a door of its own for /query. Where a page of another origin asks, what it may read is to be
    decided first: such requests go the usual way."""

    _query_door: Final = QueryDoor()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] == "/query" and not _has_origin(scope):
            scope["app"] = self
            await self._query_door(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)


def _has_origin(scope: Scope) -> bool:
    return any(name == b"origin" for name, _ in scope["headers"])


def routes(settings: Settings) -> list[BaseRoute]:
    """Every address of the gateway."""
    return [
        # The doors take every method themselves, since each answers a wrong one in its own words.
        Route("/auth", auth_endpoint, methods=EVERY_METHOD),
        Route("/anonauth", anonauth_endpoint, methods=EVERY_METHOD),
        Route("/auth/guest", guest_endpoint, methods=EVERY_METHOD),
        Route("/auth/register", register_endpoint, methods=EVERY_METHOD),
        Route("/auth/convert", convert_endpoint, methods=EVERY_METHOD),
        Route("/auth/adopt", adopt_endpoint, methods=EVERY_METHOD),
        Route("/auth/session", session_endpoint, methods=EVERY_METHOD),
        Route("/auth/sessions", sessions_endpoint, methods=EVERY_METHOD),
        Route("/.well-known/jwks.json", jwks_endpoint, methods=["GET"]),
        Route("/healthz", healthz_endpoint, methods=["GET"]),
        Route("/readyz", readyz_endpoint, methods=["GET"]),
        Route("/query", QueryEndpoint()),
        Route("/roles_pbac", ControlEndpoint()),
        Route("/backendless/{app}/{key}/{path:path}", BackendlessEndpoint()),
        *graphiql_routes(),
        *realm_routes(),
        *mudbase_routes(),
        *([Route("/metrics", metrics_endpoint, methods=["GET"])] if settings.metrics else []),
    ]


def middleware(settings: Settings) -> list[Middleware]:
    """Outermost first: a page on another origin must be able to read refusals too."""
    return [
        Middleware(
            CORSMiddleware,
            allow_origins=settings.cors_origins,
            allow_methods=["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"],
            allow_headers=[
                *("Authorization", "Content-Type", "If-None-Match", "X-Requested-With", "Idempotency-Key"),
                # Of Backendless' clients.
                "user-token",
            ],
            expose_headers=["ETag", "Retry-After", "WWW-Authenticate"],
            max_age=7200,
        ),
        Middleware(
            Protection,
            max_header_bytes=settings.max_header_bytes,
            max_body_bytes=settings.max_body_bytes,
            max_door_body_bytes=settings.max_auth_body_bytes,
        ),
    ]


@asynccontextmanager
async def open_state(
    settings: Settings, open_tenants: OpenTenants, clock: Clock = time.time, random: Random = secrets.token_bytes
) -> AsyncGenerator[AppState]:
    """All parts of the gateway, put together, and taken apart in the opposite order."""
    dsn = settings.database_url.get_secret_value()
    master_key = load_master_key(settings.master_key.get_secret_value() or settings.master_key_path)
    engine = control_engine(dsn)
    passwords = PasswordChecker(threads=settings.password_threads, queue=settings.password_queue)
    try:
        keys = KeyRing(engine, master_key, clock)
        await keys.load()
        rules = token_rules(settings)
        principals = Principals(engine, master_key, keys, rules, clock=clock, cache_size=settings.token_cache_size)
        tenants = open_tenants(settings, engine, master_key)
        changes = ChangeListener(dsn, keys, principals, tenants)
        changes.start()
        watch = CatalogWatch(tenants, settings.catalog_watch_seconds)
        watch.start()
        try:
            await changes.wait_until_listening(LISTENER_PATIENCE_SECONDS)
            state = AppState(
                settings=settings,
                engine=engine,
                master_key=master_key,
                tenants=tenants,
                keys=keys,
                token_rules=rules,
                principals=principals,
                passwords=passwords,
                limiter=RateLimiter(settings),
                changes=changes,
                deflated=DeflatedTexts(),
                trusted_proxies=tuple(ipaddress.ip_network(network) for network in settings.trusted_proxies),
                clock=clock,
                random=random,
                refusals=RefusalNotes(engine, clock),
                http_limits=http_limits(settings),
                document_limits=document_limits(settings),
            )
            async with (
                keep_audit(engine, settings.audit_days, clock),
                keep_uses(principals),
                keep_delivering(state),
                keep_swept(engine, master_key, tenants, clock, settings.guest_sweep_seconds),
            ):
                yield state
        finally:
            await watch.stop()
            await changes.stop()
            await tenants.close()
    finally:
        await passwords.close()
        await engine.dispose()


def http_limits(settings: Settings) -> HttpLimits:
    return HttpLimits(
        max_body_bytes=settings.max_body_bytes, max_header_bytes=settings.max_header_bytes, max_batch=settings.max_batch
    )


def document_limits(settings: Settings) -> Limits:
    return Limits(
        max_tokens=settings.max_tokens,
        max_depth=settings.max_depth,
        max_aliases=settings.max_aliases,
        max_root_fields=settings.max_root_fields,
        max_complexity=settings.max_complexity,
    )


async def metrics_endpoint(request: Request) -> Response:
    """The counters of this process, in Prometheus' text format."""
    return await state_of(request).metrics.endpoint(request)


def token_rules(settings: Settings) -> TokenRules:
    return TokenRules(
        issuer=settings.issuer,
        audience=settings.audience,
        access_seconds=settings.access_token_seconds,
        refresh_seconds=settings.refresh_token_seconds,
        leeway_seconds=settings.token_leeway_seconds,
    )


async def _answer_http_exception(request: Request, error: Exception) -> Response:
    refusal = cast("HTTPException", error)
    return plain_error(request.url.path, refusal.status_code, refusal.detail, refusal.headers)


async def _answer_request_error(request: Request, error: Exception) -> Response:
    refusal = cast("RequestError", error)
    return plain_error(request.url.path, refusal.status, refusal.message, refusal.headers())
