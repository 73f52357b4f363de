"""Under whom the server's programs run. PostgreSQL refuses to run as root, so root lends them another account."""

import os
import pwd
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from db.embedded.errors import EmbeddedError

UNPRIVILEGED = ("postgres", "nobody")


@dataclass(frozen=True)
class Account:
    """The ids to change to before a program starts; both None where it runs as who we are."""

    uid: int | None = None
    gid: int | None = None

    def spawn(
        self, arguments: list[str], *, stdin: int, stdout: int | IO[bytes], stderr: int | IO[bytes]
    ) -> subprocess.Popen[bytes]:
        """The program as a running process of its own session, so that Ctrl-C in a terminal reaches only us."""
        return subprocess.Popen(  # noqa: S603 - the programs are those that `binaries` chose
            arguments,
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            cwd="/",
            env=environment(),
            start_new_session=True,
            user=self.uid,
            group=self.gid,
            extra_groups=None if self.uid is None else [],
        )

    def run(self, arguments: list[str], text: str = "") -> subprocess.CompletedProcess[bytes]:
        """The outcome of a program that ends by itself soon, with `text` on its standard input."""
        return subprocess.run(  # noqa: S603
            arguments,
            input=text.encode(),
            capture_output=True,
            check=False,
            cwd="/",
            env=environment(),
            timeout=60,
            user=self.uid,
            group=self.gid,
            extra_groups=None if self.uid is None else [],
        )

    def may(self, access: str, path: Path) -> bool:
        """Whether the account may read (r), write (w) or enter and run (x) what is at the path."""
        try:
            return self.run(["/bin/sh", "-c", f'test -{access} "$1"', "sh", str(path)]).returncode == 0
        except OSError as refusal:
            raise EmbeddedError(
                "The embedded PostgreSQL may not run as root, and root may not change to another account here."
            ) from refusal


def environment() -> dict[str, str]:
    """What the programs see of the environment: none of our secrets, no PG variables, messages in English."""
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"}


def choose_account(folder: Path) -> Account:
    """Who we are; for root the owner of the folder, if it was lent before, else the first that the machine has."""
    if os.geteuid() != 0:
        return Account()
    if folder.exists() and (owner := folder.stat()).st_uid != 0:
        return Account(owner.st_uid, owner.st_gid)
    for name in UNPRIVILEGED:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(entry.pw_uid, entry.pw_gid)
    raise EmbeddedError(
        "The embedded PostgreSQL may not run as root, and this machine has no account postgres or nobody."
    )
