"""A program whose life ends with ours, whatever ends us: it is told to stop when a pipe that we hold is closed."""

import asyncio
import subprocess
from dataclasses import dataclass
from pathlib import Path

from db.embedded.account import Account

# The kernel closes the pipe at any end of ours, SIGKILL included, and the watcher's `read` returns. SIGINT is
# PostgreSQL's fast shutdown. The watcher is a process of its own, so that the guard can wait for the program
# meanwhile, and so that the program is still watched if someone kills the guard.
GUARD = """
exec 3<&0 </dev/null
"$@" 3<&- >&2 &
program=$!
echo $program
exec >&2
trap 'kill -INT $program' HUP INT TERM
{ read -r _ <&3; kill -INT $program; } 2>/dev/null &
watcher=$!
wait $program
code=$?
while kill -0 $program 2>/dev/null; do wait $program; code=$?; done
kill $watcher 2>/dev/null
exit $code
"""

POLL_SECONDS = 0.01


@dataclass(frozen=True)
class Guarded:
    """A guarded program: the guard's process, and the program's own id."""

    guard: subprocess.Popen[bytes]
    pid: int

    def exit_code(self) -> int | None:
        """How the program ended, or None while it runs."""
        return self.guard.poll()

    async def wait(self, poll_seconds: float = POLL_SECONDS) -> int:
        # Polled, not awaited through the loop's child watcher: a server may outlive the loop that started it.
        while (code := self.guard.poll()) is None:  # noqa: ASYNC110
            await asyncio.sleep(poll_seconds)
        return code

    async def end(self) -> int:
        """How the program ended, once it was asked to."""
        self.ask_to_end()
        return await self.wait()

    def ask_to_end(self) -> None:
        if self.guard.stdin is not None:
            self.guard.stdin.close()


async def start_guarded(account: Account, arguments: list[str], log: Path) -> Guarded:
    """The program, started; what it says is appended to the log."""

    def start() -> Guarded:
        with log.open("ab") as output:
            guard = account.spawn(
                ["/bin/sh", "-c", GUARD, "sh", *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=output,
            )
        assert guard.stdout is not None
        with guard.stdout as answer:
            return Guarded(guard, int(answer.readline() or 0))

    return await asyncio.to_thread(start)
