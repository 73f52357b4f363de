"""The embedded PostgreSQL. Nothing else in the product knows that it exists: it gives a DSN like any other.

In the order of a start: `binaries` finds the programs, `account` says under whom they run, `placement` where the
files live, `cluster` makes them, `guard` ties the server's life to ours, `server` puts these together. `errors` is
what can go wrong, in one sentence each.
"""

from db.embedded.errors import (
    AlreadyRunning,
    BinariesMissing,
    DiskFull,
    EmbeddedError,
    FolderUnusable,
    ServerNotStarted,
    WrongMajorVersion,
)
from db.embedded.server import EmbeddedServer, RunningServer, find_running, start_embedded

__all__ = [
    "AlreadyRunning",
    "BinariesMissing",
    "DiskFull",
    "EmbeddedError",
    "EmbeddedServer",
    "FolderUnusable",
    "RunningServer",
    "ServerNotStarted",
    "WrongMajorVersion",
    "find_running",
    "start_embedded",
]
