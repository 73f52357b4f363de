"""What can keep the embedded server from running: a class and a sentence each."""

import errno
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from db.errors import StoreError


class EmbeddedError(StoreError):
    """The embedded PostgreSQL cannot do what was asked."""

    code = "EMBEDDED_SERVER_FAILED"


class BinariesMissing(EmbeddedError):
    """No PostgreSQL programs were found, or not in the folder that was named."""

    code = "EMBEDDED_BINARIES_MISSING"


class WrongMajorVersion(EmbeddedError):
    """The data were made by another major version of PostgreSQL than the programs at hand."""

    code = "EMBEDDED_WRONG_MAJOR_VERSION"

    def __init__(self, folder: Path, found: str, wanted: int) -> None:
        super().__init__(
            f"The data in {folder} were made by PostgreSQL {found}, and the programs at hand are PostgreSQL {wanted}:"
            f" nothing was changed; name a folder with the programs of version {found}, or another data folder."
        )


class FolderUnusable(EmbeddedError):
    """The data folder cannot be made, written or entered."""

    code = "EMBEDDED_FOLDER_UNUSABLE"

    def __init__(self, folder: Path, reason: str) -> None:
        super().__init__(f"The data folder {folder} cannot be used: {reason}.")


class DiskFull(EmbeddedError):
    """There is no room left where the data are."""

    code = "EMBEDDED_DISK_FULL"

    def __init__(self, folder: Path) -> None:
        super().__init__(
            f"No space is left for the data folder {folder}: make room and start again; the data are intact."
        )


class AlreadyRunning(EmbeddedError):
    """Another process serves the same data folder."""

    code = "EMBEDDED_ALREADY_RUNNING"

    def __init__(self, folder: Path) -> None:
        super().__init__(f"The data folder {folder} is in use by another process that is running.")


class ServerNotStarted(EmbeddedError):
    """PostgreSQL gave up while it was being set up or started, for a reason that only its log tells."""

    code = "EMBEDDED_SERVER_NOT_STARTED"


@contextmanager
def folder_faults(folder: Path) -> Generator[None]:
    """Within it, what the file system refuses becomes DiskFull or FolderUnusable, with the folder's name."""
    try:
        yield
    except OSError as fault:
        if fault.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise DiskFull(folder) from fault
        raise FolderUnusable(folder, (fault.strerror or "the system refused").lower()) from fault
