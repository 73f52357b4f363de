"""PasswordChecker: passwords verified in a few threads, and no more of them waiting than memory and patience allow."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, ParamSpec, TypeVar

from db.passwords import DUMMY_HASH, hash_password, needs_rehash, verify_password
from gateway.auth.refusals import TooBusy

# Half of db.engines.POOL_SIZE.
CONNECTIONS_FOR_LOGINS: Final = 5

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


class PasswordChecker:
    """argon2 leaves the interpreter lock alone while it works, so that threads keep the event loop free."""

    def __init__(self, *, threads: int, queue: int) -> None:
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="password")
        self._room = threads + queue
        # Logins queue here and not for the control database's connections, where waiting ends with an error after
        # seconds, and of which the requests of those who are logged in need some too.
        self.turns = asyncio.Semaphore(CONNECTIONS_FOR_LOGINS)

    async def verify(self, password_hash: str | None, password: str) -> bool:
        """Whether it is the password of that hash; without a hash False, at the same cost. Raises TooBusy."""
        is_right = await self._run(verify_password, password_hash or DUMMY_HASH, password)
        return is_right and password_hash is not None

    async def renew(self, password_hash: str | None, password: str) -> str | None:
        """The stored form of a password that was right, where the one that is stored is not what is made today; None
        also while there are too many passwords to check, since a login can do without."""
        if password_hash is None or not needs_rehash(password_hash):
            return None
        try:
            return await self.hash(password)
        except TooBusy:
            return None

    async def hash(self, password: str) -> str:
        """The stored form of a password. Raises TooBusy."""
        return await self._run(hash_password, password)

    async def _run(
        self, work: Callable[Arguments, Result], *args: Arguments.args, **kwargs: Arguments.kwargs
    ) -> Result:
        if self._room == 0:
            raise TooBusy
        self._room -= 1
        future = self._executor.submit(work, *args, **kwargs)
        # Given back when the thread is done, not when the caller is: one who hangs up makes no room.
        loop = asyncio.get_running_loop()
        future.add_done_callback(lambda _: loop.call_soon_threadsafe(self._give_back))
        return await asyncio.wrap_future(future)

    def _give_back(self) -> None:
        self._room += 1

    async def close(self) -> None:
        await asyncio.to_thread(self._executor.shutdown, wait=True, cancel_futures=True)
