"""ChangeListener: hears what other processes have changed in the control database, by LISTEN."""

import asyncio
import json
import logging
from collections.abc import Coroutine
from typing import Any, Final, Protocol, cast

import asyncpg

from db.engines import asyncpg_dsn
from db.tenants import CHANGE_CHANNEL
from gateway.auth.keys import KeyRing
from gateway.auth.principals import Principals

CONNECT_TIMEOUT_SECONDS: Final = 5.0
# A connection that a firewall forgot looks alive until something is asked of it.
HEARTBEAT_SECONDS: Final = 2.0
FIRST_PAUSE_SECONDS: Final = 0.1
LONGEST_PAUSE_SECONDS: Final = 10.0

log = logging.getLogger(__name__)


class Refreshed(Protocol):
    """The part of Tenants that a change concerns."""

    async def refresh(self, tenant_id: int) -> None: ...
    async def refresh_all(self) -> None: ...


class ChangeListener:
    """One connection that only listens. What was missed while it was down is made up for by forgetting everything."""

    def __init__(self, dsn: str, keys: KeyRing, principals: Principals, tenants: Refreshed) -> None:
        self._dsn = asyncpg_dsn(dsn)
        self._keys = keys
        self._principals = principals
        self._tenants = tenants
        self._is_listening = asyncio.Event()
        self._stale: set[int | None] = set()
        self._is_stale = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def is_listening(self) -> bool:
        return self._is_listening.is_set()

    def start(self) -> None:
        """Nothing; from now on changes are heard, as soon as there is a connection."""
        self._tasks = [asyncio.create_task(self._listen_forever()), asyncio.create_task(self._refresh_forever())]

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def wait_until_listening(self, timeout_seconds: float) -> bool:
        """Whether there is a connection, after waiting for it at most this long."""
        try:
            await asyncio.wait_for(self._is_listening.wait(), timeout_seconds)
        except TimeoutError:
            return False
        return True

    async def _listen_forever(self) -> None:
        pause = FIRST_PAUSE_SECONDS
        while True:
            try:
                await self._listen_once()
                pause = FIRST_PAUSE_SECONDS
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                # TimeoutError is an OSError.
                log.warning("the change listener has no connection: %s", type(error).__name__)
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE_SECONDS)

    async def _listen_once(self) -> None:
        """Nothing, after a connection was there and was lost. Raises what asyncpg does if there is none."""
        connection = await asyncpg.connect(
            self._dsn, timeout=CONNECT_TIMEOUT_SECONDS, server_settings={"application_name": "ostiary changes"}
        )
        lost = asyncio.Event()
        try:
            connection.add_termination_listener(lambda _: lost.set())
            await connection.add_listener(CHANGE_CHANNEL, self._hear)
            self._set_listening(is_listening=True)
            await _watch(connection, lost)
        finally:
            self._set_listening(is_listening=False)
            await _close(connection)

    def _set_listening(self, *, is_listening: bool) -> None:
        if is_listening == self.is_listening:
            return
        self._principals.set_listening(is_listening=is_listening)
        if is_listening:
            self._is_listening.set()
            self._mark_stale(None)
        else:
            self._is_listening.clear()

    def _hear(self, _connection: object, _pid: int, _channel: str, payload: object) -> None:
        match _parse(payload):
            case {"session": str(session_id)}:
                self._principals.drop_session(session_id)
            case {"tenantid": int(tenant_id)}:
                self._principals.drop_tenant(tenant_id)
                self._mark_stale(tenant_id)
            case _:
                # A signing key, or what only a newer gateway knows of: safest is to remember nothing.
                self._principals.drop_all()
                self._mark_stale(None)

    def _mark_stale(self, tenant_id: int | None) -> None:
        self._stale.add(tenant_id)
        self._is_stale.set()

    async def _refresh_forever(self) -> None:
        """Refreshes one tenant after the other, each once however many changes of it were heard meanwhile."""
        while True:
            await self._is_stale.wait()
            self._is_stale.clear()
            stale, self._stale = self._stale, set()
            if None in stale:
                await _logging_failure(self._keys.load())
                await _logging_failure(self._tenants.refresh_all())
            else:
                for tenant_id in stale:
                    await _logging_failure(self._tenants.refresh(cast("int", tenant_id)))


async def _watch(connection: "asyncpg.Connection[asyncpg.Record]", lost: asyncio.Event) -> None:
    """Nothing, once the connection is lost. Raises when it does not answer any more."""
    while not lost.is_set():
        try:
            await asyncio.wait_for(lost.wait(), HEARTBEAT_SECONDS)
        except TimeoutError:
            await connection.execute("select 1", timeout=HEARTBEAT_SECONDS)


async def _close(connection: "asyncpg.Connection[asyncpg.Record]") -> None:
    try:
        await connection.close(timeout=HEARTBEAT_SECONDS)
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
        connection.terminate()


async def _logging_failure(work: Coroutine[Any, Any, None]) -> None:
    try:
        await work
    except Exception:
        # One tenant that cannot be read must not keep the changes of the others from being heard.
        log.exception("what has changed could not be read")


def _parse(payload: object) -> object:
    try:
        return json.loads(payload) if isinstance(payload, str) else None
    except ValueError:
        return None
