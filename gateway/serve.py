"""serve: the gateway as a process, from its settings to its end."""

import asyncio
import gc
import signal
import socket
import sys
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import partial

import uvicorn
from pydantic import SecretStr
from sqlalchemy.ext.asyncio import AsyncEngine

from db.demo.load import Progress
from db.engines import control_engine
from db.errors import PublicError
from db.migrate import migrate
from db.secrets import MasterKey, load_master_key
from db.tenant_database import TenantDatabase
from gateway.app import OpenTenants, create_app, document_limits
from gateway.databases import Databases, open_databases
from gateway.http_protocol import HttpProtocol
from gateway.log import configure_logging
from gateway.provision import Credentials, provision_demo
from gateway.settings import Settings
from gateway.tenancy import Tenants
from schema.roles_pbac.root import control_schema_text


class AddressUnusable(PublicError):
    """The gateway cannot listen where it should."""

    code = "ADDRESS_UNUSABLE"

    def __init__(self, host: str, port: int, reason: str) -> None:
        super().__init__(f"Cannot listen on {host}:{port}: {reason}.")


@dataclass(frozen=True, slots=True)
class Control:
    """The control database, migrated, and what opens its secrets."""

    databases: Databases
    engine: AsyncEngine
    master_key: MasterKey


@dataclass(frozen=True, slots=True)
class Observer:
    """What an onlooker is told while the gateway starts."""

    step: Callable[[str], None]
    progress: Progress
    ready: Callable[[str, list[Credentials]], None]


@asynccontextmanager
async def open_control(
    settings: Settings, step: Callable[[str], None] = lambda _: None, *, may_join: bool = False
) -> AsyncGenerator[Control]:
    """The control database of these settings, migrated to this release. With `may_join` it may be on an embedded
    server that another process runs. Raises PublicError."""
    step("Starting the database")
    async with open_databases(settings, may_join=may_join) as databases:
        step("Migrating the control database")
        await migrate(databases.control_dsn)
        engine = control_engine(databases.control_dsn)
        try:
            master_key = load_master_key(settings.master_key.get_secret_value() or settings.master_key_path)
            yield Control(databases, engine, master_key)
        finally:
            await engine.dispose()


def run_loop(serving: Coroutine[None, None, None]) -> None:
    """Nothing; returns when the coroutine does. On the loop made of libuv where there is one: with asyncio's own a
    small query costs a third more."""
    factory = None
    if sys.platform != "win32":
        import uvloop

        factory = uvloop.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(serving)


async def serve(settings: Settings, observer: Observer) -> None:
    """Nothing; returns when a signal has ended the gateway, and its database after it. Raises PublicError."""
    configure_logging(settings.log_format, settings.log_level)
    listener = open_listener(settings.host, settings.port)
    with listener:
        async with open_control(settings, observer.step) as control:
            made: list[Credentials] = []
            if settings.demo and control.databases.embedded is not None:
                observer.step("Making the demo tenants")
                made = await provision_demo(control.engine, control.databases, control.master_key, observer.progress)
            observer.step("Opening the doors")
            inner = settings.model_copy(update={"database_url": SecretStr(control.databases.control_dsn)})
            app = create_app(inner, open_tenants=tenants_opener(control.databases.resolve))
            address = f"http://{_bracketed(settings.host)}:{listener.getsockname()[1]}"
            server = _Server(_uvicorn_config(app), on_ready=lambda: observer.ready(address, made))
            # Not left to uvicorn: there a lifespan that cannot begin is a traceback and the exit code 0.
            async with app.router.lifespan_context(app):
                await server.serve(sockets=[listener])


def tenants_opener(resolve_dsn: Callable[[str], str]) -> OpenTenants:
    """What opens the tenants of an application whose stored DSNs are resolved so."""

    def open_tenants(settings: Settings, engine: AsyncEngine, master_key: MasterKey) -> Tenants:
        open_database = partial(
            TenantDatabase,
            max_connections=settings.tenant_connections,
            acquire_seconds=settings.acquire_seconds,
            statement_seconds=settings.statement_seconds,
        )
        return Tenants(engine, master_key, control_schema_text(), document_limits(settings), resolve_dsn, open_database)

    return open_tenants


def open_listener(host: str, port: int) -> socket.socket:
    """A socket that listens there, or anywhere free for port 0. Raises AddressUnusable."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise AddressUnusable(host, port, error.strerror or "the address is not known") from error
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(1024)
    except OSError as error:
        listener.close()
        raise AddressUnusable(host, port, (error.strerror or str(error)).lower()) from error
    return listener


class _Server(uvicorn.Server):
    """uvicorn, but a signal only ends the serving: what was opened around it is closed before the process ends."""

    def __init__(self, config: uvicorn.Config, on_ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            # Modules, types and tables are here to stay: not a thing to be looked through again and again.
            gc.collect()
            gc.freeze()
            self._on_ready()

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        loop = asyncio.get_running_loop()
        caught = (signal.SIGINT, signal.SIGTERM)
        for number in caught:
            loop.add_signal_handler(number, self.handle_exit, number, None)
        try:
            yield
        finally:
            for number in caught:
                loop.remove_signal_handler(number)


def _uvicorn_config(app: object) -> uvicorn.Config:
    return uvicorn.Config(
        app,  # pyright: ignore[reportArgumentType]
        http=HttpProtocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=True,
        proxy_headers=False,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=10,
        h11_max_incomplete_event_size=65_536,
    )


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
