"""Folders for the clusters of tests."""

import os
import shutil
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

MEMORY = Path("/dev/shm")
ENOUGH_BYTES = 2 * 1024**3


@contextmanager
def cluster_folder() -> Generator[Path]:
    """An empty folder that every account may pass through, gone afterwards; in memory if there is room.

    A new database is some 300 files, and a disk may take a millisecond for each.
    """
    folder = Path(tempfile.mkdtemp(prefix="ostiary-tests-", dir=MEMORY if may_use_memory() else None))
    folder.chmod(0o711)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


class FolderFactory:
    """Makes folders below one, which every account may pass through."""

    def __init__(self, base: Path) -> None:
        self._base = base
        self._numbers = count()

    def mktemp(self, basename: str) -> Path:
        folder = self._base / f"{basename}{next(self._numbers)}"
        folder.mkdir()
        folder.chmod(0o711)
        return folder


def may_use_memory() -> bool:
    if not (MEMORY.is_dir() and os.access(MEMORY, os.W_OK)):
        return False
    system = os.statvfs(MEMORY)
    return system.f_bavail * system.f_frsize >= ENOUGH_BYTES and not system.f_flag & os.ST_NOEXEC
