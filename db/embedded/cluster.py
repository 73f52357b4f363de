"""PostgreSQL's data directory: made whole or not at all, and of the right major version."""

import re
import secrets
import shutil
from pathlib import Path

from db.embedded.binaries import Binaries
from db.embedded.errors import DiskFull, EmbeddedError, ServerNotStarted, WrongMajorVersion, folder_faults
from db.embedded.guard import start_guarded
from db.embedded.placement import Placement

SUPERUSER = "ostiary"
LEAST_FREE_BYTES = 1024 * 1024

# Statements and details stay out of the log, since values of tenants stand in them; `log_statement` still works
# when someone asks for it. What is set here can be changed with ALTER SYSTEM.
CONFIGURATION = """
max_connections = 200
timezone = 'UTC'
log_timezone = 'UTC'
jit = off
log_min_messages = log
log_min_error_statement = panic
log_error_verbosity = terse
"""


def check_major_version(placement: Placement) -> None:
    """Raises WrongMajorVersion if the cluster exists and is not of the programs' version."""
    wanted = placement.binaries.version[0]
    try:
        found = (placement.cluster / "PG_VERSION").read_text(encoding="ascii").strip()
    except FileNotFoundError:
        return
    if found != str(wanted):
        raise WrongMajorVersion(placement.data_folder, found, wanted)


async def make_cluster(placement: Placement, *, fast: bool) -> None:
    """Nothing; afterwards the cluster exists. An attempt that was killed leaves a folder that the next one removes."""
    with folder_faults(placement.data_folder):
        for leftover in placement.folder.glob("cluster-unfinished-*"):
            shutil.rmtree(leftover, ignore_errors=True)
        if placement.cluster.exists():
            return
    # A name of its own for each attempt: the initdb of a killed attempt may still be clearing up.
    unfinished = placement.folder / f"cluster-unfinished-{secrets.token_hex(4)}"
    log = unfinished.with_suffix(".log")
    try:
        with folder_faults(placement.data_folder):
            arguments = initdb_arguments(placement.binaries, unfinished, fast=fast)
            initdb = await start_guarded(placement.account, arguments, log)
        try:
            code = await initdb.wait()
        finally:
            await initdb.end()
        if code != 0:
            raise failure(placement, log.read_bytes(), "set up")
        with folder_faults(placement.data_folder):
            with (unfinished / "postgresql.conf").open("a", encoding="utf-8") as configuration:
                configuration.write(CONFIGURATION)
            unfinished.rename(placement.cluster)
    finally:
        log.unlink(missing_ok=True)
        shutil.rmtree(unfinished, ignore_errors=True)


def initdb_arguments(binaries: Binaries, folder: Path, *, fast: bool) -> list[str]:
    arguments = [
        binaries.program("initdb"),
        f"--pgdata={folder}",
        f"--username={SUPERUSER}",
        # Whoever can open the socket is in: its folder can be entered by the server's account and root alone.
        "--auth-local=trust",
        "--auth-host=reject",
        "--encoding=UTF8",
        "--locale=C.UTF-8",
    ]
    if binaries.version >= (17, 0):
        # Right upper, lower and \w for all of Unicode, without ICU and without locales of the system.
        arguments += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    return [*arguments, "--no-sync"] if fast else arguments


def failure(placement: Placement, output: bytes, what: str) -> EmbeddedError:
    """The error that PostgreSQL's last words amount to."""
    text = output.decode(errors="replace")
    if "No space left on device" in text or "Disk quota exceeded" in text:
        return DiskFull(placement.data_folder)
    lines = [line for line in text.splitlines() if line.strip()]
    # On a full disk there may be no room for its last words either.
    if not lines and shutil.disk_usage(placement.folder).free < LEAST_FREE_BYTES:
        return DiskFull(placement.data_folder)
    fatal = [line for line in lines if re.search(r"(FATAL|PANIC|ERROR|error):", line)]
    reason = fatal[-1].split(": ", 1)[-1].strip() if fatal else " ".join(lines[-3:])[-500:] or "it gave no reason"
    return ServerNotStarted(f"PostgreSQL could not be {what} in {placement.data_folder}: {reason.removesuffix('.')}.")
