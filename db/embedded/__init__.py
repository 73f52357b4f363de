"""The embedded PostgreSQL. Nothing else in the product knows that it exists: it gives a DSN like any other.

In the order of a start: `binaries` finds the programs, `account` says under whom they run, `placement` where the
files live, `cluster` makes them, `guard` ties the server's life to ours, `server` puts these together; `joined` is
for a command beside the process that runs it. `errors` is what can go wrong, in one sentence each.
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
from db.embedded.joined import JoinedServer, join_embedded
from db.embedded.server import EmbeddedServer, RunningServer, start_embedded

__all__ = [
    "AlreadyRunning",
    "BinariesMissing",
    "DiskFull",
    "EmbeddedError",
    "EmbeddedServer",
    "FolderUnusable",
    "JoinedServer",
    "RunningServer",
    "ServerNotStarted",
    "WrongMajorVersion",
    "join_embedded",
    "start_embedded",
]
