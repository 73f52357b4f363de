"""read_credentials(request): the fields of a login, from JSON, an urlencoded form or a multipart form alike."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, cast

import orjson
from starlette.exceptions import HTTPException
from starlette.requests import Request

from gateway.auth.refusals import BadBody, BadField, UnsupportedContentType

MAX_LOGIN_CHARS: Final = 320
MAX_PASSWORD_CHARS: Final = 4096
MAX_FORM_FIELDS: Final = 32
MAX_ID: Final = 2**31 - 1
# What a door reads, of which one field must not say two things. Others are ignored.
FIELDS: Final = ("login", "password", "tenantid", "roleid", "name", "challenge", "guest_token", "strategy")
FORM_TYPES: Final = frozenset({"application/x-www-form-urlencoded", "multipart/form-data"})


@dataclass(frozen=True, slots=True)
class Credentials:
    login: str | None = None
    password: str | None = field(default=None, repr=False)
    tenant_id: int | None = None
    role_id: int | None = None
    challenge: str | None = None


async def read_credentials(request: Request) -> Credentials:
    """What the body says, each field None if it is absent or null. Raises BadBody, BadField, UnsupportedContentType."""
    return parse_credentials(await read_fields(request))


def parse_credentials(fields: Mapping[str, object]) -> Credentials:
    """The fields that count, others ignored. Raises BadField."""
    return Credentials(
        login=parse_text("login", fields.get("login"), MAX_LOGIN_CHARS),
        password=parse_text("password", fields.get("password"), MAX_PASSWORD_CHARS),
        tenant_id=parse_id("tenantid", fields.get("tenantid")),
        role_id=parse_id("roleid", fields.get("roleid")),
        challenge=parse_text("challenge", fields.get("challenge"), MAX_PASSWORD_CHARS),
    )


def media_type(content_type: str) -> str:
    """The type and subtype of a Content-Type, in small letters (RFC 9110, 8.3.1)."""
    return content_type.partition(";")[0].strip().lower()


async def read_fields(request: Request) -> Mapping[str, object]:
    """The fields of a body, whatever it is written in. Raises BadBody, BadField, UnsupportedContentType."""
    kind = media_type(request.headers.get("content-type", ""))
    if kind in FORM_TYPES:
        return await _read_form(request)
    body = await request.body()
    if kind == "application/json" or (kind.startswith("application/") and kind.endswith("+json")):
        return _parse_json(body)
    if not body:
        return {}
    raise UnsupportedContentType


async def _read_form(request: Request) -> Mapping[str, object]:
    try:
        async with request.form(max_files=0, max_fields=MAX_FORM_FIELDS, max_part_size=4 * MAX_PASSWORD_CHARS) as form:
            items = form.multi_items()
    except HTTPException as error:
        if error.status_code != 400:
            raise
        raise BadBody("The form cannot be read.") from error
    except (ValueError, LookupError) as error:
        # UnicodeDecodeError is a ValueError; an unknown charset is a LookupError.
        raise BadBody("The form cannot be read.") from error
    names = [name for name, _ in items]
    for name in names:
        if names.count(name) > 1 and name in FIELDS:
            raise BadField(f"{name} is given twice.")
    return dict(items)


def _parse_json(body: bytes) -> Mapping[str, object]:
    try:
        value: object = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise BadBody("The body is not valid JSON.") from error
    if not isinstance(value, dict):
        raise BadBody("The body is not a JSON object.")
    return cast("dict[str, object]", value)


def parse_text(name: str, value: object, max_chars: int) -> str | None:
    """The text of a field, None for an empty one. Raises BadField."""
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise BadField(f"{name} must be text.")
    if len(value) > max_chars:
        raise BadField(f"{name} is too long.")
    return value


def parse_id(name: str, value: object) -> int | None:
    """The id that a field holds, None for an empty one. Raises BadField."""
    if value is None or value == "":
        return None
    number = value
    if isinstance(number, str):
        digits = number.strip()
        # isdigit alone takes digits of every script.
        number = int(digits) if digits.isascii() and digits.isdigit() and len(digits) <= 20 else None
    # `type(…) is`, because JSON's true is an int as well.
    if type(number) is not int or not 0 < number <= MAX_ID:
        raise BadField(f"{name} must be a whole number.")
    return number
