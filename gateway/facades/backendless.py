"""BackendlessEndpoint: `/backendless/<app>/<key>/…`, the wire of Backendless' REST API and of its JavaScript SDK.

`<app>` is a tenant that opens this facade, by its id or name. In path mode `<key>` is the API key, which every client
carries and which proves nothing: it is not looked at. In domain mode it is `api`. Who asks is said by the header
`user-token`; who sends none is a visitor.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, cast

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from db.errors import PublicError
from db.records import Tenant
from gateway.auth import guests
from gateway.auth.replies import NO_STORE, address_of
from gateway.auth.tokens import MAX_TOKEN_CHARS, Claims
from gateway.body import BodyUnreadable, check_nesting, parse_json, parse_query_string, read_body
from gateway.facades.apps import get_app, is_meant
from gateway.facades.asking import load, read_latest, visitor_of
from gateway.facades.backendless_data import Desk, open_desk
from gateway.facades.backendless_errors import (
    Action,
    Refusal,
    denied,
    no_such_address,
    refusal_of,
    unknown_row,
    unknown_table,
    unknown_token,
)
from gateway.facades.backendless_users import Registry, roles_of
from gateway.facades.shown_tables import ShownTables
from gateway.log import log, publish
from gateway.metrics import OUTCOME, outcome_of
from gateway.state import AppState, state_of
from gateway.tenancy import LoadedTenant
from schema.principal import Principal

FACADE: Final = "backendless"
#: The table of users, which are no rows of the tenant's.
USERS: Final = "Users"

Row = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Call:
    """One request: to which application, what for, and with which token."""

    request: Request
    state: AppState
    app_id: str
    key: str
    steps: tuple[str, ...]
    token: str | None

    @property
    def action(self) -> Action:
        """What a refusal is about."""
        if self.steps[:1] == ("users",):
            return "users"
        match self.request.method, self.steps[-1:]:
            case "DELETE", _:
                return "delete"
            case "PUT", _:
                return "update"
            case "POST", ("find",) | ("count",):
                return "find"
            case "POST", _:
                return "create"
            case _:
                return "find"

    async def tenant(self) -> Tenant:
        """The application's tenant. Raises AppNotFound."""
        return await get_app(self.state, self.app_id, FACADE)

    async def registry(self) -> Registry:
        return Registry(self.state, await self.tenant(), address_of(self.request, self.state))

    async def fields(self) -> Row:
        """The members of the body, none where it is empty. Raises BodyUnreadable."""
        body = await read_body(self.request.receive, self.state.http_limits.max_body_bytes)
        value = parse_json(body or b"{}")
        check_nesting(value)
        if not isinstance(value, dict):
            raise BodyUnreadable("The body is not a JSON object.")
        return cast("dict[str, object]", value)

    def query(self) -> Row:
        """The fields of the address behind its question mark. Raises BodyUnreadable."""
        return parse_query_string(self.request.scope["query_string"])

    def require_token(self) -> str:
        if self.token is None:
            raise unknown_token()
        return self.token


class BackendlessEndpoint:
    """The ASGI application of this facade."""

    def __init__(self) -> None:
        self._tables = ShownTables()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        call = _read_call(Request(scope, receive))
        try:
            response = await self._answer(call)
        except Refusal as refusal:
            response = _refused(refusal)
        except Exception as error:  # noqa: BLE001 - whatever it is, the caller gets an answer, and the log the rest
            public = publish(error)
            scope[OUTCOME] = outcome_of(public)
            response = _refused(_told(public, call.action))
        await response(scope, receive, send)

    async def _answer(self, call: Call) -> Response:
        match call.steps:
            case ("info",):
                # Whatever the token: the SDK would wait for ever for an answer that it may read.
                await call.tenant()
                return _reply({"appId": call.app_id, "apiKey": call.key, "loggers": []})
            case ("users", *steps):
                return _reply(await _answer_users(call, tuple(steps)))
            case ("data", table_name, *steps):
                return _reply(await self._answer_data(call, table_name, tuple(steps)))
            case _:
                raise no_such_address()

    async def _answer_data(self, call: Call, name: str, steps: tuple[str, ...]) -> object:
        principal, loaded, claims = await _who_asks(call)
        is_own = name == USERS and principal.kind != "nobody" and steps == (principal.public_id,)
        if is_own and claims is not None:
            return await _answer_own_user(call, principal, claims)
        given = call.query() if call.request.method == "GET" else await call.fields()

        async def read(loaded: LoadedTenant) -> object:
            return await _read(call, self._open(call, loaded, principal, name), steps, given)

        if call.action == "find":
            return await read_latest(call.state, loaded, read)
        desk = self._open(call, loaded, principal, name)
        match call.request.method, steps:
            case "PUT" | "POST", ():
                return await desk.save(given)
            case "PUT", ("upsert",):
                return await desk.create(given, upsert=True)
            case "PUT", (row_id,):
                return await desk.change(row_id, given)
            case "DELETE", (row_id,):
                return await desk.remove(row_id)
            case _:
                raise no_such_address()

    def _open(self, call: Call, loaded: LoadedTenant, principal: Principal, name: str) -> Desk:
        try:
            return open_desk(call.state, self._tables, loaded, principal, name)
        except Refusal as refusal:
            if name != USERS or refusal.number != unknown_table(name).number:
                raise
            # Other users are nobody's to see, and what is stored of them is for `users/…`.
            match call.action:
                case "create" | "update":
                    raise Refusal(400, 1002, "Use the User Service to create and change users.") from refusal
                case "find" if call.steps[2:] in {(), ("find",), ("count",)}:
                    raise denied("find") from refusal
                case _:
                    raise unknown_row() from refusal


async def _read(call: Call, desk: Desk, steps: tuple[str, ...], given: Row) -> object:
    match call.request.method, steps:
        case ("GET", ()) | ("POST", ("find",)):
            return await desk.find(given)
        case "GET" | "POST", ("count",):
            return await desk.count(given)
        case "GET", (row_id,):
            return await desk.get(row_id, given)
        case _:
            raise no_such_address()


async def _answer_users(call: Call, steps: tuple[str, ...]) -> object:
    registry = await call.registry()
    match call.request.method, steps:
        # A stale token comes with each of these, and must not shut its owner out.
        case "POST", ("register", "guest"):
            return await registry.log_in_guest(await call.fields())
        case "POST", ("login",):
            return await registry.log_in(await call.fields())
        case "POST", ("register",):
            return await registry.register(await call.fields(), call.token)
        case "GET", ("isvalidusertoken", token):
            return await registry.is_valid(token)
        case "GET", ("logout",):
            await guests.end(call.state, await registry.claims_of(call.require_token()))
            return {}
        case "GET", ("userroles",):
            claims = await registry.claims_of(call.require_token())
            return roles_of(await call.state.principals.principal_of(claims))
        case "PUT", (user_id,):
            claims = await registry.claims_of(call.require_token())
            principal = await call.state.principals.principal_of(claims)
            return await registry.change(principal, user_id, await call.fields())
        case _:
            raise no_such_address()


async def _answer_own_user(call: Call, principal: Principal, claims: Claims) -> object:
    registry = await call.registry()
    match call.request.method:
        case "GET":
            return await registry.user_of(principal)
        case "PUT":
            return await registry.change(principal, principal.public_id, await call.fields())
        case "DELETE":
            await registry.remove(claims)
            return {"deletionTime": round(call.state.clock() * 1000)}
        case _:
            raise no_such_address()


async def _who_asks(call: Call) -> tuple[Principal, LoadedTenant, Claims | None]:
    """The principal of the token, or who visits without one, and the application's tenant. Raises Refusal."""
    if call.token is None:
        principal = await visitor_of(call.state, (await call.tenant()).tenant_id)
        return principal, await load(call.state, principal), None
    claims = await call.state.principals.claims_of_secret(call.token)
    principal = await call.state.principals.principal_of(claims)
    loaded = await load(call.state, principal)
    # The token says whose data it is; the address must agree. No look into the control database is needed for that.
    if not is_meant(loaded.tenant, call.app_id, FACADE):
        raise unknown_token()
    return principal, loaded, claims


def _read_call(request: Request) -> Call:
    parts: Mapping[str, str] = request.scope["path_params"]
    steps = tuple(step for step in parts["path"].split("/") if step)
    token = request.headers.get("user-token", "").strip()
    has_token = token not in {"", "null", "undefined"} and len(token) <= MAX_TOKEN_CHARS
    return Call(request, state_of(request), parts["app"], parts["key"], steps, token if has_token else None)


def _told(error: PublicError, action: Action) -> Refusal:
    refusal = refusal_of(error, action)
    log.info("refused", facade=FACADE, code=error.code)
    return refusal


def _reply(value: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    body = orjson.dumps(value)
    return Response(body, status, NO_STORE | dict(headers or {}), "application/json")


def _refused(refusal: Refusal) -> Response:
    told: dict[str, object] = {"message": refusal.message, "code": refusal.number, "errorData": {}}
    return _reply(told, refusal.status, refusal.headers)
