"""mudbase_routes: `/api/auth/…`, `/api/data/…`, `/api/projects/…/graphql` and `/api/users/me/…`, the wire of Mudbase.

A project is a tenant that opens this facade, by its id or name. It is named in the body or in the address, or is that
of the token; below `/mudbase/<project>` the address says it for requests that do not.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, cast

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from db.errors import PublicError
from db.records import Tenant
from gateway.auth.bearer import bearer_token
from gateway.auth.replies import NO_STORE, address_of
from gateway.auth.tokens import MAX_TOKEN_CHARS, Claims
from gateway.body import check_nesting, parse_json, parse_query_string, read_body
from gateway.facades.apps import get_app, is_meant
from gateway.facades.asking import load, read_latest
from gateway.facades.mudbase_data import Collection
from gateway.facades.mudbase_errors import Refusal, invalid, not_found, refusal_of, unauthorized
from gateway.facades.mudbase_users import Project, fields_of_session, leave, renew, session_of
from gateway.facades.shown_tables import ShownTables
from gateway.graphql_http import (
    BatchRefused,
    data_reply,
    error_reply,
    media_type_of,
    read_lines,
    read_request,
    send_reply,
)
from gateway.log import log, publish
from gateway.metrics import OUTCOME, outcome_of
from gateway.query import answer_latest
from gateway.state import AppState, state_of
from gateway.tenancy import LoadedTenant
from schema.principal import Principal

FACADE: Final = "mudbase"
AREAS: Final = ("auth", "data", "projects", "users")

Row = Mapping[str, object]


def mudbase_routes() -> list[BaseRoute]:
    """Every address of the facade."""
    tables = ShownTables()
    return [
        *(Route(f"/api/{area}/{{rest:path}}", MudbaseEndpoint(tables, area)) for area in AREAS),
        Route("/mudbase/{project}/api/{rest:path}", MudbaseEndpoint(tables)),
    ]


@dataclass(frozen=True, slots=True)
class Call:
    """One request: what for, and to which project if its address begins with one."""

    request: Request
    state: AppState
    steps: tuple[str, ...]
    project_id: str | None

    async def project(self, fields: Row) -> Project:
        """The project that the request names. Raises Refusal, AppNotFound."""
        named = fields.get("projectId") or self.query().get("projectId") or self.project_id
        if not isinstance(named, str):
            raise invalid("projectId is required")
        return self._project(await get_app(self.state, named, FACADE))

    async def own_project(self, principal: Principal) -> Project:
        """The project of who asks. Raises Refusal where its tenant does not open the facade, or another is named."""
        tenant = (await load(self.state, principal)).tenant
        if not is_meant(tenant, self.project_id or str(tenant.tenant_id), FACADE):
            raise unauthorized()
        return self._project(tenant)

    async def claims(self) -> Claims:
        """What the access token says. Raises TokenError."""
        return await self.state.principals.claims_of(bearer_token(self.request.headers), "access")

    async def enter(self, project_id: str) -> tuple[Principal, LoadedTenant]:
        """Who asks for this project, and its tenant. Raises TokenError, Refusal."""
        principal = await self.state.principals.principal_of(await self.claims())
        loaded = await load(self.state, principal)
        if not is_meant(loaded.tenant, project_id, FACADE):
            raise not_found("Project")
        return principal, loaded

    async def fields(self) -> Row:
        """The members of the body, none where it is empty. Raises Refusal, RequestError."""
        body = await read_body(self.request.receive, self.state.http_limits.max_body_bytes)
        value = parse_json(body or b"{}")
        check_nesting(value)
        if not isinstance(value, dict):
            raise invalid("The body must be a JSON object")
        return cast("dict[str, object]", value)

    def query(self) -> Mapping[str, str]:
        return parse_query_string(self.request.scope["query_string"])

    def _project(self, tenant: Tenant) -> Project:
        return Project(self.state, tenant, address_of(self.request, self.state))


class MudbaseEndpoint:
    """The ASGI application of this facade, for the addresses in one area of it or in all."""

    def __init__(self, tables: ShownTables, area: str | None = None) -> None:
        self._tables = tables
        self._area = () if area is None else (area,)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        call = self._read_call(Request(scope, receive))
        try:
            match call.request.method, call.steps:
                case "POST", ("projects", project_id, "graphql"):
                    await _answer_graphql(call, project_id, scope, receive, send)
                    return
                case _:
                    response = await self._answer(call)
        except Refusal as refusal:
            response = _reply(refusal.body(), refusal.status, refusal.headers)
        except Exception as error:  # noqa: BLE001 - whatever it is, the caller gets an answer, and the log the rest
            refusal = _told(scope, publish(error))
            response = _reply(refusal.body(), refusal.status, refusal.headers)
        await response(scope, receive, send)

    def _read_call(self, request: Request) -> Call:
        parts: Mapping[str, str] = request.scope["path_params"]
        steps = tuple(step for step in parts["rest"].split("/") if step)
        return Call(request, state_of(request), self._area + steps, parts.get("project"))

    async def _answer(self, call: Call) -> Response:
        match call.steps:
            case ("auth", *steps):
                status, body = await _answer_auth(call, tuple(steps))
                return _reply(body, status)
            case ("users", "me", "erase") if call.request.method == "POST":
                claims = await call.claims()
                project = await call.own_project(await call.state.principals.principal_of(claims))
                return _reply(await project.erase(claims, await call.fields()))
            case ("data", "projects", project_id, "collections", name, "data", *steps):
                principal, loaded = await call.enter(project_id)

                async def answer(loaded: LoadedTenant) -> Response:
                    shown = self._tables.find(loaded, principal, name)
                    if shown is None:
                        raise not_found("Collection")
                    return await _answer_data(call, Collection(loaded, principal, *shown), tuple(steps))

                is_read = call.request.method == "GET"
                return await (read_latest(call.state, loaded, answer) if is_read else answer(loaded))
            case _:
                raise not_found("Route")


async def _answer_auth(call: Call, steps: tuple[str, ...]) -> tuple[int, object]:
    """The status, which has to be just the one that the SDK expects, and the body."""
    match call.request.method, steps:
        case "POST", ("anonymous",):
            fields = await call.fields()
            return 200, await (await call.project(fields)).log_in_guest(fields)
        case "POST", ("anonymous", "convert"):
            claims = await call.claims()
            project = await call.own_project(await call.state.principals.principal_of(claims))
            return 200, await project.convert(claims, await call.fields())
        case "POST", ("local", "register") | ("register",):
            fields = await call.fields()
            return 201, await (await call.project(fields)).register(fields)
        case "POST", ("local", "login") | ("login",):
            fields = await call.fields()
            return 200, await (await call.project(fields)).log_in(fields)
        case "POST", ("refresh",):
            return 200, await _refresh(call, (await call.fields()).get("refreshToken"))
        case "GET", ("local", "session") | ("session",):
            principal = await call.state.principals.principal_of(await call.claims())
            project = await call.own_project(principal)
            named = call.query().get("projectId")
            if named is not None and not is_meant(project.tenant, named, FACADE):
                raise not_found("Project")
            return 200, await session_of(call.state, principal)
        case "POST", ("local", "logout") | ("logout",):
            claims = await call.claims()
            await call.own_project(await call.state.principals.principal_of(claims))
            await leave(call.state, claims)
            return 200, {"message": "Logged out successfully"}
        case _:
            raise not_found("Route")


async def _refresh(call: Call, token: object) -> Row:
    """New tokens. Its refusals have a text and no code."""
    if not isinstance(token, str) or not token:
        raise Refusal(400, "", "Refresh token is required")
    expired = Refusal(401, "", "Invalid or expired refresh token")
    if len(token) > MAX_TOKEN_CHARS:
        raise expired
    try:
        # Before the token is used up.
        claims = await call.state.principals.claims_of(token, "refresh")
        await call.own_project(await call.state.principals.principal_of(claims))
        return fields_of_session(await renew(call.state, token, address_of(call.request, call.state)))
    except PublicError as error:
        refusal = refusal_of(error)
        raise (expired if refusal.status in {401, 404} else refusal) from error
    except Refusal as refusal:
        raise expired from refusal


async def _answer_data(call: Call, collection: Collection, steps: tuple[str, ...]) -> Response:
    match call.request.method, steps:
        case "GET", ():
            return _reply(await collection.page(call.query()))
        case "POST", ():
            made = await collection.create(await call.fields())
            return _reply({"message": "Document created successfully", "data": made}, 201)
        case "GET", (row_id,):
            return _reply({"data": await collection.get(row_id)})
        case "PATCH" | "PUT", (row_id,):
            changed = await collection.change(row_id, await call.fields())
            return _reply({"message": "Document updated successfully", "data": changed})
        case "DELETE", (row_id,):
            await collection.remove(row_id)
            return _reply({"message": "Document deleted successfully"})
        case _:
            raise not_found("Route")


async def _answer_graphql(call: Call, project_id: str, scope: Scope, receive: Receive, send: Send) -> None:
    """Sends what /query answers to the same query; mutations are not for this address."""
    lines = read_lines(scope)
    media_type = media_type_of(lines)
    principal, loaded = await call.enter(project_id)
    try:
        head, asked = await read_request(lines, receive, call.state.http_limits)
        if isinstance(asked, list):
            raise BatchRefused("Send requests one at a time.")
        asked.by_get = True
        body = await answer_latest(call.state.tenants, loaded, principal, asked)
        reply = data_reply(body, head.media_type)
    except PublicError as error:
        scope[OUTCOME] = outcome_of(error)
        reply = error_reply(error, media_type)
    await send_reply(send, reply)


def _told(scope: Scope, error: PublicError) -> Refusal:
    scope[OUTCOME] = outcome_of(error)
    log.info("refused", facade=FACADE, code=error.code)
    return refusal_of(error)


def _reply(value: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(orjson.dumps(value), status, NO_STORE | dict(headers or {}), "application/json")
