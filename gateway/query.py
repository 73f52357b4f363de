"""QueryEndpoint: /query, from the raw request to the bytes that PostgreSQL wrote."""

from collections.abc import Awaitable, Callable
from time import perf_counter

from starlette.types import Receive, Scope, Send

from db.errors import PublicError, TimeLimitExceeded
from db.idempotency import IdempotencyKey
from db.refusals import CatalogOutdated
from gateway.auth.bearer import authenticate
from gateway.graphql_http import (
    GraphQLRequest,
    Lines,
    MediaType,
    Reply,
    batch_reply,
    check_method,
    check_sizes,
    data_reply,
    error_reply,
    is_probe,
    media_type_of,
    read_lines,
    read_request,
    send_reply,
)
from gateway.idempotency import IdempotencyKeyInvalid, Ledger, Record, answer_once, digest_of, read_key
from gateway.log import bind_request, publish
from gateway.metrics import OUTCOME, Outcome, outcome_of
from gateway.protection import secured
from gateway.state import AppState, Tenants
from gateway.tenancy import LoadedTenant
from schema.errors import AccessDenied, PolicyViolated
from schema.principal import Principal
from schema.query.planning.summary import GroupColumnsOnly
from schema.query.run import RowLimitExceeded, run_operation

#: What the audit tells of. Who asks for what it does not know of has made a mistake, as far as anybody can tell.
REFUSALS = (AccessDenied, PolicyViolated, RowLimitExceeded, TimeLimitExceeded, GroupColumnsOnly)

Answer = Callable[[GraphQLRequest], Awaitable[bytes]]


class QueryEndpoint:
    """The ASGI application of /query. An instance, as Starlette would wrap a function in objects it does not need."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        reply = await answer_request(scope["app"].state.ostiary, read_lines(scope), receive)
        if reply.error is not None:
            scope[OUTCOME] = outcome_of(reply.error)
        await send_reply(send, reply)


class QueryDoor:
    """The same without anything around it, for requests of which nothing but /query has to know: on the way through
    routes and middleware a small query would spend much of its time."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        reply, identity = await answer_counted(scope["app"].state.ostiary, read_lines(scope), receive)
        reply.headers = [*secured(reply.headers), (b"x-request-id", identity.encode())]
        await send_reply(send, reply)


async def answer_counted(state: AppState, lines: Lines, body: bytes | Receive) -> tuple[Reply, str]:
    """The reply, and the id of the request. What middleware would look after on the usual way is looked after, but
    for the headers that every reply has."""
    began = perf_counter()
    identity = bind_request(lines.request_id)
    state.metrics.begin()
    outcome: Outcome = "internal"
    try:
        reply = await answer_request(state, lines, body)
        outcome = outcome_of(reply.error)
    finally:
        state.metrics.count("query", outcome, perf_counter() - began)
    return reply, identity


async def answer_request(state: AppState, lines: Lines, body: bytes | Receive) -> Reply:
    """Who is calling, what is asked, the plan for it, its statement, the reply."""
    media_type = media_type_of(lines)
    try:
        # Also for who has no token: what follows a refusal that leaves a huge body unread would be read after all.
        check_sizes(lines, state.http_limits)
        principal = state.principals.recall(lines.authorization) or await authenticate(lines.authorization, state)
        if is_probe(lines):
            return data_reply(b'{"data":{"__typename":"Query"}}', media_type)
        return await _answer(lines, body, state, principal)
    except Exception as error:  # noqa: BLE001 - whatever it is, the caller gets an answer, and the log the rest
        return error_reply(publish(error), media_type)


async def _answer(lines: Lines, body: bytes | Receive, state: AppState, principal: Principal) -> Reply:
    head, request = await read_request(lines, body, state.http_limits)
    tenants = state.tenants
    loaded = tenants.recall(principal) or await tenants.get(principal.tenant_id, principal.tenant_version)
    if not isinstance(request, list):
        key = read_key(lines.idempotency_keys, principal)
        ledger = None if key is None else Ledger(state.engine, state.master_key, state.random)
        try:
            data = await answer_latest(tenants, loaded, principal, request, key, ledger)
        except REFUSALS as refusal:
            await state.refusals.note(principal, "query", refusal.field or "", refusal)
            raise
        return data_reply(data, head.media_type, copy_to_top=request.from_form and state.settings.form_fields_at_top)
    if lines.idempotency_keys:
        raise IdempotencyKeyInvalid("Send requests with an Idempotency-Key one at a time.")
    replies = [await _reply_to(state, loaded, principal, each, head.media_type) for each in request]
    return batch_reply(replies, head.media_type)


async def _reply_to(
    state: AppState, loaded: LoadedTenant, principal: Principal, request: GraphQLRequest, media_type: MediaType
) -> Reply:
    try:
        return data_reply(await answer_latest(state.tenants, loaded, principal, request), media_type)
    except PublicError as error:
        if isinstance(error, REFUSALS):
            await state.refusals.note(principal, "query", error.field or "", error)
        return error_reply(error, media_type)


async def answer_latest(
    tenants: Tenants,
    loaded: LoadedTenant,
    principal: Principal,
    request: GraphQLRequest,
    key: IdempotencyKey | None = None,
    ledger: Ledger | None = None,
) -> bytes:
    """`{"data":…}` for one request. What names a table or column that is gone is asked once more of the tables as they
    now are, if it only reads; a mutation is left to its caller. Raises PublicError."""
    if loaded.documents.concern(request):
        request = await loaded.documents.resolve(request)
    try:
        return await answer_query(loaded, principal, request, key, ledger)
    except CatalogOutdated:
        latest = await tenants.catch_up(loaded)
        if latest is None or latest.view(principal).prepare(request.query, request.operation_name).is_mutation:
            raise
        return await answer_query(latest, principal, request)


async def answer_query(
    loaded: LoadedTenant,
    principal: Principal,
    request: GraphQLRequest,
    key: IdempotencyKey | None = None,
    ledger: Ledger | None = None,
) -> bytes:
    """`{"data":…}` for one request; for a mutation with a key what it gave the first time. Raises PublicError."""
    view = loaded.view(principal)
    prepared = view.prepare(request.query, request.operation_name)
    check_method(request, "mutation" if prepared.is_mutation else "query")
    variables = prepared.read_variables.coerce(request.variables)
    compiled = view.compile(prepared, variables)
    if key is None or ledger is None or not prepared.is_mutation or compiled.is_dry_run:
        return await run_operation(compiled, loaded.database, variables, principal)

    async def run(record: Record) -> bytes:
        return await run_operation(compiled, loaded.database, variables, principal, record)

    digest = digest_of(request.query, request.operation_name, request.variables)
    return await answer_once(ledger, loaded.database, key, digest, run)
