"""Where the embedded server's files live: in the data folder, or in /var/lib where that is shut to others.

DATA_FOLDER/embedded.lock   held by the process that runs the server
DATA_FOLDER/embedded/       the server's folder, or a link to it
    cluster/                PostgreSQL's data directory
    socket/                 its Unix socket, or a link to a folder with a short name
    server.log              what PostgreSQL says
    binaries-18.6/          a copy of the programs, where the account cannot reach the originals
"""

import fcntl
import os
import re
import secrets
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from db.embedded.account import Account, choose_account
from db.embedded.binaries import Binaries, find_binaries, reachable_binaries
from db.embedded.errors import AlreadyRunning, FolderUnusable, folder_faults

MACHINE_STATE = Path("/var/lib/ostiary")

# sockaddr_un has room for 108 bytes on Linux and 104 on the BSDs, the name of the socket and a zero included.
LONGEST_SOCKET_FOLDER = 104 - len("/.s.PGSQL.5432.lock") - 1

# PostgreSQL and its clients read a comma as the next folder, and SQLAlchemy a colon as the start of a port.
PLAIN_PATH = re.compile(r"[\w/. +=~-]+")


@dataclass(frozen=True)
class Placement:
    """All that a start needs to know of the machine."""

    data_folder: Path
    folder: Path
    socket_folder: Path
    account: Account
    binaries: Binaries

    @property
    def cluster(self) -> Path:
        return self.folder / "cluster"

    @property
    def log(self) -> Path:
        return self.folder / "server.log"


def take_lock(data_folder: Path) -> IO[bytes]:
    """The lock on a data folder, which is made if it is missing; to be closed by the caller. Raises AlreadyRunning."""
    with folder_faults(data_folder):
        # 0711: the server's account must pass through to its own folder, and may see nothing else on its way.
        data_folder.mkdir(mode=0o711 if os.geteuid() == 0 else 0o700, parents=True, exist_ok=True)
        lock = (data_folder / "embedded.lock").open("ab")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as refusal:
        lock.close()
        raise AlreadyRunning(data_folder) from refusal
    return lock


def prepare(data_folder: Path, bin_folder: Path | None) -> Placement:
    """Folders that are there and belong to the right account, programs that it can run. Raises EmbeddedError."""
    binaries = find_binaries(bin_folder)
    data_folder = data_folder.absolute()
    link = data_folder / "embedded"
    with folder_faults(data_folder):
        account = choose_account(link)
        folder = place_server(link, account)
        socket_folder = place_socket(folder / "socket", account)
    return Placement(data_folder, folder, socket_folder, account, reachable_binaries(binaries, account, folder))


def place_server(link: Path, account: Account) -> Path:
    """The server's folder: `link` itself, or what it links to. A link without its target is as good as none."""
    if link.is_symlink() and not link.exists():
        link.unlink()
    if not link.exists():
        own_folder(link, account)
        if not account.may("w", link):
            link.rmdir()
            link.symlink_to(place_outside(account))
    folder = link.resolve()
    if not (account.may("w", folder) and account.may("x", folder)):
        raise FolderUnusable(folder, "the account that runs PostgreSQL cannot enter it")
    return folder


def place_outside(account: Account) -> Path:
    # Root's data folder may lie where only root can pass, as in root's home. Its parents are not ours to open.
    # The name is drawn anew, so that who deletes the data folder begins afresh.
    MACHINE_STATE.mkdir(mode=0o711, parents=True, exist_ok=True)
    folder = MACHINE_STATE / secrets.token_hex(8)
    own_folder(folder, account)
    return folder


def place_socket(link: Path, account: Account) -> Path:
    """A folder that only the account can enter, with a name that is short and plain enough for a socket's address."""
    if link.is_symlink() and not is_private(link, account):
        link.unlink()
    if not link.exists():
        if len(os.fsencode(link)) <= LONGEST_SOCKET_FOLDER and PLAIN_PATH.fullmatch(str(link)):
            own_folder(link, account)
        else:
            short = Path(tempfile.mkdtemp(prefix="ostiary-", dir="/tmp"))
            own_folder(short, account)
            link.symlink_to(short)
    return link.resolve()


def is_private(folder: Path, account: Account) -> bool:
    owner = os.geteuid() if account.uid is None else account.uid
    return folder.is_dir() and folder.stat().st_uid == owner and folder.stat().st_mode & 0o077 == 0


def own_folder(folder: Path, account: Account) -> None:
    folder.mkdir(mode=0o700, exist_ok=True)
    if account.uid is not None and account.gid is not None:
        os.chown(folder, account.uid, account.gid)
