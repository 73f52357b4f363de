"""The command `ostiary` as an operator types it: a process of its own, its output, its exit code."""

import atexit
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]
COLUMNS = "500"

# Importing the product takes longer than most commands. So it is imported once, by a process that forks for each.
# Standard streams are files: an embedded server that outlived its command would hold a pipe open.
FORKING = """
import json, os, sys, traceback
from gateway.cli import main

def run(order):
    for number, path in enumerate(order["files"]):
        os.dup2(os.open(path, os.O_RDWR), number)
    os.environ.clear()
    os.environ.update(order["environment"])
    sys.argv = ["ostiary", *order["arguments"]]
    try:
        main()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
        return 1
    return 0

for line in sys.stdin:
    child = os.fork()
    if child == 0:
        code = run(json.loads(line))
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


@dataclass(frozen=True)
class Finished:
    """A command that has ended."""

    code: int
    out: str
    error: str

    @property
    def sentence(self) -> str:
        """All that a refused command says: on the standard error, in one line."""
        assert self.code not in {0, -9}
        assert "Traceback" not in self.error
        assert self.error.count("\n") == 1, self.error
        return self.error.strip()


def command_environment(data_folder: Path, settings: dict[str, str]) -> dict[str, str]:
    """The environment of a command, with none of our own settings in it; the names of settings are given in lower
    case and without their prefix."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("OSTIARY_", "DATABASE_"))}
    own = {f"OSTIARY_{name.upper()}": value for name, value in settings.items()}
    return inherited | {"OSTIARY_DATA_DIR": str(data_folder), "OSTIARY_PORT": "0", "COLUMNS": COLUMNS} | own


def ostiary(*arguments: str, data_folder: Path, text: str = "", **settings: str) -> Finished:
    """How the command ended; `text` is its standard input."""
    with tempfile.TemporaryDirectory() as folder:
        given, out, error = files = [Path(folder) / name for name in ("in", "out", "error")]
        given.write_text(text)
        out.touch()
        error.touch()
        environment = command_environment(data_folder, settings)
        order = {"arguments": arguments, "environment": environment, "files": [str(file) for file in files]}
        forking = _forking()
        assert forking.stdin is not None
        assert forking.stdout is not None
        forking.stdin.write(json.dumps(order) + "\n")
        forking.stdin.flush()
        code = int(forking.stdout.readline())
        return Finished(code, out.read_text(), error.read_text())


@cache
def _forking() -> "subprocess.Popen[str]":
    forking = subprocess.Popen(
        [sys.executable, "-c", FORKING],
        cwd=ROOT,
        env=os.environ | {"COLUMNS": COLUMNS},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    atexit.register(_end, forking)
    return forking


def _end(forking: "subprocess.Popen[str]") -> None:
    forking.communicate()
