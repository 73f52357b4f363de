"""Log lines: JSON or for a console, each with the id of its request, without secrets, and never more than one line."""

import logging
import os
import re
import sys
from collections.abc import Mapping, MutableMapping
from contextvars import ContextVar
from itertools import count
from pathlib import Path
from traceback import walk_tb
from typing import Any, Literal, cast

import orjson
import structlog

from db.engines import is_connection_trouble
from db.errors import DatabaseUnavailable, PublicError
from gateway.errors import InternalError

MAX_TEXT_LENGTH = 1_000
MAX_FRAMES = 30

_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_SECRET_NAME = re.compile(
    r"passw|secret|token|authorization|cookie|credential|dsn|database_url|api_?key|master_?key|private", re.IGNORECASE
)
# Bearer tokens, tokens in addresses, and what stands between user and host in the address of a database.
_SECRET_TEXT = re.compile(
    r"(?i:bearer)\s+\S+|eyJ[\w-]{10,}\.[\w-]+\.[\w-]+|(?<=/isvalidusertoken/)\S+|(?<=://)[^\s/@:]*:[^\s@]*(?=@)",
    re.ASCII,
)
# Control characters, and the line ends that only Unicode knows.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_HIDDEN = "[hidden]"

_START = int.from_bytes(os.urandom(4))
_COUNT = count()

Event = MutableMapping[str, Any]

#: The id of the request that the current task answers.
REQUEST_ID: ContextVar[str] = ContextVar("request_id")

log = structlog.stdlib.get_logger("ostiary")


def configure_logging(form: Literal["json", "console"] = "json", level: str = "INFO") -> None:
    """Sends every log line of the process, ours and those of libraries, to the standard error in one form."""
    shared = [
        _add_request,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
        _describe_exception,
        cleanse,
    ]
    renderer = (
        structlog.processors.JSONRenderer(serializer=_to_json)
        if form == "json"
        else structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
    )
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logging.getLogger(name).handlers = []
        logging.getLogger(name).propagate = True
    # SQLAlchemy writes statements and their parameters at INFO.
    logging.getLogger("sqlalchemy.engine").setLevel(logging.WARNING)
    # Steps that went well, which would hide what a first start has to say.
    for name in ("alembic", "uvicorn.error"):
        logging.getLogger(name).setLevel(logging.WARNING)


def request_id(given: bytes | None) -> str:
    """The id of a request: the client's own X-Request-ID if it is harmless, or a new one."""
    if given is not None and _REQUEST_ID.fullmatch(given):
        return given.decode()
    # Unique, and no secret: a random start for the process, then counted.
    return f"{_START:08x}{next(_COUNT):08x}"


def bind_request(given: bytes | None) -> str:
    """The id of a request, which from here on stands in every log line of its task."""
    identity = request_id(given)
    REQUEST_ID.set(identity)
    return identity


def publish(error: BaseException) -> PublicError:
    """What of an error may be shown: itself, if it was written for that; that the control database is away; otherwise
    an id, under which it is logged."""
    if isinstance(error, PublicError):
        return error
    if is_connection_trouble(error):
        log.warning("the control database cannot be reached", error=type(error).__name__)
        return DatabaseUnavailable()
    incident = os.urandom(8).hex()
    log.error("internal error", id=incident, exc_info=error)
    return InternalError(incident)


def _add_request(_logger: object, _method: str, event: Event) -> Event:
    identity = REQUEST_ID.get(None)
    if identity is not None:
        event.setdefault("request", identity)
    return event


def cleanse(_logger: object, _method: str, event: Event) -> Event:
    """The event without secrets and control characters: a name with a line end in it must not forge a line."""
    for name, value in event.items():
        if not name.startswith("_"):
            event[name] = _HIDDEN if _SECRET_NAME.search(name) else _clean(value)
    return event


def _clean(value: object) -> object:
    match value:
        case bool() | int() | float() | None:
            return value
        case Mapping():
            members = cast("Mapping[object, object]", value).items()
            return {
                _clean_text(str(name)): _HIDDEN if _SECRET_NAME.search(str(name)) else _clean(member)
                for name, member in members
            }
        case list() | tuple() | set() | frozenset():
            return [_clean(member) for member in cast("list[object]", value)]
        case _:
            return _clean_text(str(value))


def _clean_text(text: str) -> str:
    # Cut wide first, for speed, and to size last: a secret must not lose the mark by which it is known.
    shown = _SECRET_TEXT.sub(_HIDDEN, text[: 4 * MAX_TEXT_LENGTH])
    shown = _CONTROL.sub(lambda match: f"\\u{ord(match[0]):04x}", shown)
    return shown if len(shown) <= MAX_TEXT_LENGTH else shown[:MAX_TEXT_LENGTH] + "…"


def _describe_exception(_logger: object, _method: str, event: Event) -> Event:
    """The event with where and why an exception was raised, in place of the exception.

    No source lines and no values of variables. Of the message only the first line: SQLAlchemy adds the statement and
    its parameters below it, PostgreSQL the values of the row.
    """
    given = event.pop("exc_info", None)
    if given is True:
        given = sys.exc_info()
    error = cast("object", given[1]) if isinstance(given, tuple) else given
    if isinstance(error, BaseException):
        event["error"] = [_describe(cause) for cause in chain_of(error)]
    return event


def chain_of(error: BaseException) -> list[BaseException]:
    """An exception and what led to it, the last one first."""
    found: list[BaseException] = []
    current: BaseException | None = error
    while current is not None and current not in found and len(found) < 10:
        found.append(current)
        current = current.__cause__ or (None if current.__suppress_context__ else current.__context__)
    return found


def _describe(error: BaseException) -> dict[str, object]:
    frames = [
        f"{Path(frame.f_code.co_filename).name}:{line} {frame.f_code.co_name}"
        for frame, line in walk_tb(error.__traceback__)
    ]
    lines = str(error).splitlines()
    return {"type": type(error).__qualname__, "message": lines[0] if lines else "", "at": frames[-MAX_FRAMES:]}


def _to_json(event: object, **_options: object) -> str:
    return orjson.dumps(event, default=str).decode()
