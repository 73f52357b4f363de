"""The native doors of guests and accounts: /auth/guest, /auth/register, /auth/convert, /auth/adopt, /auth/session and
/auth/sessions. They only translate to `guests.py` and `adoption.py`, as the facades of other systems do."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final, cast, get_args

import orjson
from starlette.requests import Request
from starlette.responses import Response

from db.owned_rows import Strategy
from db.records import Session
from gateway.auth import guests
from gateway.auth.adoption import adopt
from gateway.auth.bearer import bearer_token
from gateway.auth.credentials import (
    MAX_LOGIN_CHARS,
    MAX_PASSWORD_CHARS,
    parse_id,
    parse_text,
    read_fields,
)
from gateway.auth.guests import Caller
from gateway.auth.refusals import BadField, MissingField
from gateway.auth.replies import NO_STORE, address_of, door, error_reply, login_reply, routes, wanted_schemas
from gateway.auth.tokens import MAX_TOKEN_CHARS, Claims
from gateway.state import AppState
from schema.principal import Principal

MAX_NAME_CHARS: Final = 320
MAX_COLUMNS: Final = 100

Fields = Mapping[str, object]


@door
async def guest_endpoint(request: Request, state: AppState) -> Response:
    """POST `tenantid`, and `challenge` where the tenant sets one: a new guest, with the reply of a login."""
    if request.method != "POST":
        return _not_allowed("POST")
    routes(request, state)
    fields = await read_fields(request)
    challenge = parse_text("challenge", fields.get("challenge"), MAX_PASSWORD_CHARS)
    caller = Caller(address_of(request, state))
    entered = await guests.login_guest(state, _get_tenant_id(fields), caller, challenge=challenge)
    more = {"id": entered.principal.public_id, "is_guest": True, "session": _session(entered.session)}
    schemas = await wanted_schemas(request, state, entered.principal)
    return await login_reply(request, state, entered.principal, entered.tokens, schemas, more)


@door
async def register_endpoint(request: Request, state: AppState) -> Response:
    """POST `tenantid`, `login`, `password` and perhaps `name`: a new account, which can then log in at /auth."""
    if request.method != "POST":
        return _not_allowed("POST")
    fields = await read_fields(request)
    login, password, name = _get_account(fields)
    caller = Caller(address_of(request, state))
    principal = await guests.register(state, _get_tenant_id(fields), login, password, caller, name=name)
    return _reply({"message": f"Registered as {principal.login}."} | _principal(principal), 201)


@door
async def convert_endpoint(request: Request, state: AppState) -> Response:
    """POST `login`, `password` and perhaps `name`, with a guest's access token: that guest as an account. All its
    tokens go on, as what they are now."""
    if request.method != "POST":
        return _not_allowed("POST")
    claims = await _claims_of(request, state)
    login, password, name = _get_account(await read_fields(request))
    principal = await guests.convert(state, claims, login, password, Caller(address_of(request, state)), name=name)
    return _reply({"message": f"Converted to {principal.login}."} | _principal(principal))


@door
async def adopt_endpoint(request: Request, state: AppState) -> Response:
    """POST `guest_token` with an account's access token: the rows of that guest are the account's."""
    if request.method != "POST":
        return _not_allowed("POST")
    account = await _claims_of(request, state)
    fields = await read_fields(request)
    token = parse_text("guest_token", fields.get("guest_token"), MAX_TOKEN_CHARS)
    if token is None:
        raise MissingField("guest_token")
    guest = await state.principals.claims_of(token, "access")
    # No names of tables: the account may not know of all of them.
    adopted = await adopt(state, account, guest, strategy=_get_strategy(fields), columns=_get_columns(fields))
    return _reply(
        {
            "message": "Adopted.",
            "roleid": adopted.account.role_id,
            "guest_roleid": adopted.guest.role_id,
            "rows": sum(adopted.rows.values()),
            "left": sum(adopted.left.values()),
        }
    )


@door
async def session_endpoint(request: Request, state: AppState) -> Response:
    """GET: whose session this is, and how long it lasts. DELETE: it is over."""
    if request.method not in {"GET", "DELETE"}:
        return _not_allowed("GET", "DELETE")
    claims = await _claims_of(request, state)
    if request.method == "DELETE":
        await guests.end(state, claims)
        return _reply({"message": "Logged out.", "status": 200})
    principal = await state.principals.principal_of(claims)
    found = [each for each in await guests.list_sessions(state, claims) if each.session_id == claims.session_id]
    return _reply({"authenticated": True} | _principal(principal) | {"session": [*map(_session, found), None][0]})


@door
async def sessions_endpoint(request: Request, state: AppState) -> Response:
    """GET: the role's sessions that go on. DELETE: all of them are over, or with `?id=` that one."""
    if request.method not in {"GET", "DELETE"}:
        return _not_allowed("GET", "DELETE")
    claims = await _claims_of(request, state)
    if request.method == "DELETE":
        chosen = request.query_params.get("id")
        ended = await (guests.end(state, claims, chosen) if chosen else guests.end_all(state, claims))
        return _reply({"ended": int(ended)})
    sessions = await guests.list_sessions(state, claims)
    return _reply(
        {
            "sessions": [
                _session(session) | {"is_current": session.session_id == claims.session_id} for session in sessions
            ]
        }
    )


async def _claims_of(request: Request, state: AppState) -> Claims:
    return await state.principals.claims_of(bearer_token(request.headers), "access")


def _get_tenant_id(fields: Fields) -> int:
    tenant_id = parse_id("tenantid", fields.get("tenantid"))
    if tenant_id is None:
        raise MissingField("tenantid")
    return tenant_id


def _get_account(fields: Fields) -> tuple[str, str, str | None]:
    login = parse_text("login", fields.get("login"), MAX_LOGIN_CHARS)
    password = parse_text("password", fields.get("password"), MAX_PASSWORD_CHARS)
    if login is None:
        raise MissingField("login")
    if password is None:
        raise MissingField("password")
    return login, password, parse_text("name", fields.get("name"), MAX_NAME_CHARS)


def _get_strategy(fields: Fields) -> Strategy:
    given = fields.get("strategy") or "refuse"
    if given not in get_args(Strategy):
        raise BadField(f"strategy must be one of: {', '.join(get_args(Strategy))}.")
    return cast("Strategy", given)


def _get_columns(fields: Fields) -> tuple[str, ...] | None:
    given = fields.get("columns")
    if given is None:
        return None
    columns = cast("list[object]", given) if isinstance(given, list) else [given]
    if len(columns) > MAX_COLUMNS or not all(isinstance(column, str) for column in columns):
        raise BadField("columns must be a list of texts: table.column.")
    return tuple(str(column) for column in columns)


def _principal(principal: Principal) -> dict[str, object]:
    return {
        "roleid": principal.role_id,
        "id": principal.public_id,
        "login": principal.login,
        "is_guest": principal.is_guest,
    }


def _session(session: Session) -> dict[str, object]:
    return {
        "id": session.session_id,
        "facade": session.facade,
        "device_id": session.device_id,
        "created": _time(session.created_at),
        "expires": _time(session.expires_at),
        "idle_seconds": session.idle_seconds,
    }


def _time(moment: datetime) -> str:
    return moment.isoformat()


def _reply(body: object, status: int = 200) -> Response:
    return Response(orjson.dumps(body), status, NO_STORE, "application/json")


def _not_allowed(*methods: str) -> Response:
    return error_reply(405, "Method not allowed.", {"Allow": ", ".join(methods)})
