"""Engines: the control database's, what it refuses, and how any DSN reaches the driver."""

import re
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qs, parse_qsl, unquote, urlencode, urlsplit, urlunsplit

import asyncpg
from sqlalchemy import NullPool
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from db.errors import DatabaseUnavailable, StatementTimedOut, StoreError
from db.refusals import refusal_of

POOL_SIZE: Final = 10
POOL_TIMEOUT_SECONDS: Final = 2.0
POOL_RECYCLE_SECONDS: Final = 1800
CONNECT_TIMEOUT_SECONDS: Final = 5.0
COMMAND_TIMEOUT_SECONDS: Final = 10.0

SCHEMES: Final = frozenset({"postgresql", "postgres", "postgresql+asyncpg", "postgres+asyncpg"})
# A name, an IPv4 address, a percent-encoded folder, or an IPv6 address in brackets; then perhaps a port.
HOST: Final = re.compile(r"(\[[0-9A-Fa-f:.%]+\]|[^:\[\]]*)(:\d{1,5})?")
# What libpq reads itself. asyncpg hands each parameter that it does not know to the server, which refuses these.
LIBPQ_ONLY: Final = frozenset(
    {
        "channel_binding",
        "connect_timeout",
        "gssencmode",
        "keepalives",
        "keepalives_count",
        "keepalives_idle",
        "keepalives_interval",
        "load_balance_hosts",
        "sslcompression",
        "tcp_user_timeout",
    }
)


class InvalidDsn(StoreError):
    """A connection string that cannot be one of a PostgreSQL database. The message holds no part of it."""

    code = "INVALID_DSN"


@dataclass(frozen=True, slots=True)
class Location:
    """Where a DSN leads, without the secrets in it. `host` is a folder when it is reached by a Unix socket."""

    host: str
    database: str


def asyncpg_dsn(dsn: str) -> str:
    """The same connection string as asyncpg takes it. Raises InvalidDsn."""
    try:
        parts = urlsplit(dsn.strip())
        query = parse_qsl(parts.query, keep_blank_values=True)
    except ValueError:
        raise InvalidDsn("The connection string cannot be read.") from None
    if parts.scheme not in SCHEMES:
        raise InvalidDsn("A connection string has to begin with postgresql:// .")
    if not all(HOST.fullmatch(host) for host in parts.netloc.rpartition("@")[2].split(",")):
        raise InvalidDsn("The host or port in the connection string cannot be read.")
    kept = [(key, value) for key, value in query if key not in LIBPQ_ONLY]
    # With no slash behind the colon urlunsplit would write `postgresql:/db`, which asyncpg cannot read.
    rest = urlunsplit(("", "", parts.path, urlencode(kept, safe="/"), ""))
    return f"postgresql://{parts.netloc}{rest}"


def locate(dsn: str) -> Location:
    """Host and database of a connection string, as the rows of tenants show them. Raises InvalidDsn."""
    parts = urlsplit(asyncpg_dsn(dsn))
    query = parse_qs(parts.query)
    hosts = parts.netloc.rpartition("@")[2]
    user = unquote(parts.netloc.partition("@")[0].partition(":")[0]) if "@" in parts.netloc else ""
    [host, *_] = query.get("host", [unquote(hosts) or "localhost"])
    [named, *_] = query.get("database", query.get("dbname", [""]))
    [named_user, *_] = query.get("user", [user])
    return Location(host, unquote(parts.path.removeprefix("/")) or named or named_user or "postgres")


def is_connection_trouble(error: BaseException) -> bool:
    """Whether a control database was not reached or was lost, and the statement is not to blame."""
    if not isinstance(error, DBAPIError):
        return isinstance(error, OSError | PoolTimeout | asyncpg.PostgresError | asyncpg.InterfaceError)
    # Class 08 is the connection, 53 a lack of resources, 57 an administrator who shuts down (PostgreSQL, Appendix A).
    state = str(getattr(error.orig, "sqlstate", None) or "")
    # A connection that was refused has no statement yet.
    return error.statement is None or error.connection_invalidated or state[:2] in {"08", "53", "57"}


def control_engine(dsn: str) -> AsyncEngine:
    """An engine on the control database: few connections, each waited for and used no longer than seconds."""
    return create_async_engine(
        "postgresql+asyncpg://",
        async_creator=_connector(dsn, COMMAND_TIMEOUT_SECONDS),
        pool_size=POOL_SIZE,
        max_overflow=0,
        pool_timeout=POOL_TIMEOUT_SECONDS,
        pool_recycle=POOL_RECYCLE_SECONDS,
        pool_pre_ping=True,
        # An error that SQLAlchemy raises would show the values of its statement: password hashes, sealed secrets.
        hide_parameters=True,
    )


def migration_engine(dsn: str) -> AsyncEngine:
    """An engine on the control database whose statements may take their time, with no connection kept."""
    return create_async_engine(
        "postgresql+asyncpg://", async_creator=_connector(dsn, None), poolclass=NullPool, hide_parameters=True
    )


def _connector(dsn: str, command_timeout_seconds: float | None) -> Callable[[], Awaitable[asyncpg.Connection]]:
    address = asyncpg_dsn(dsn)

    async def connect() -> asyncpg.Connection:
        connection = await asyncpg.connect(
            address,
            timeout=CONNECT_TIMEOUT_SECONDS,
            command_timeout=command_timeout_seconds,
            # Short statements on few rows: compiling them with JIT costs more than running them.
            server_settings={"application_name": "ostiary control", "jit": "off"},
        )
        # No column has one of these: they come from expressions alone, as they are written there.
        for kind in ("date", "interval"):
            await connection.set_type_codec(kind, schema="pg_catalog", encoder=str, decoder=str, format="text")
        return connection

    return connect


@contextmanager
def refusals() -> Generator[None]:
    """What the control database refuses, as a StoreError."""
    try:
        yield
    except DBAPIError as error:
        cause = error.orig.__cause__ if error.orig is not None else None
        raise (refusal_of(cause) if isinstance(cause, asyncpg.PostgresError) else DatabaseUnavailable()) from error
    except TimeoutError as error:
        raise StatementTimedOut from error
    except (OSError, PoolTimeout, asyncpg.PostgresError) as error:
        raise DatabaseUnavailable from error
