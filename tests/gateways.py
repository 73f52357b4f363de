"""A gateway as its operator runs it: a process of its own with an embedded PostgreSQL and the demo tenants."""

import os
import queue
import re
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import httpx2

ROOT = Path(__file__).parents[1]
START_SECONDS = 90.0
END_SECONDS = 30.0
_ROW = re.compile(r"│\s*(\w+)\s*│\s*(\d+)\s*│\s*(\S+)\s*│\s*(\S+)\s*│")


class GatewayNotStarted(Exception):
    """What a gateway wrote before it ended without having opened."""


@dataclass(frozen=True)
class Login:
    """A role that can log in over the wire."""

    tenant_id: int
    login: str
    password: str

    def body(self) -> dict[str, object]:
        return {"tenantid": self.tenant_id, "login": self.login, "password": self.password}


class Gateway:
    """A running gateway. Ends with `stop`, or at the end of a `with` block."""

    def __init__(self, process: "subprocess.Popen[str]", output: list[str], data_folder: Path) -> None:
        self.process = process
        self.output = output
        self.data_folder = data_folder
        opened = re.search(r"open at (\S+)", "".join(output))
        assert opened is not None
        self.address = opened[1]
        self.logins = logins_in("".join(output))

    @classmethod
    def start(cls, data_folder: Path, **settings: str) -> Self:
        """A gateway on a free port, once it is open. Raises GatewayNotStarted."""
        foreign = ("OSTIARY_", "DATABASE_")
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
        own = {f"OSTIARY_{name.upper()}": value for name, value in settings.items()}
        environment = inherited | {
            "OSTIARY_DATA_DIR": str(data_folder),
            "OSTIARY_PORT": "0",
            "COLUMNS": "200",
            **own,
        }
        process = subprocess.Popen(
            [sys.executable, "-m", "gateway", "run"],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        return cls(process, _read_until_open(process), data_folder)

    def client(self) -> httpx2.Client:
        return httpx2.Client(base_url=self.address, timeout=30.0)

    def access(self, tenant: str, login: str = "root") -> str:
        """An access token for a role that was shown at the first start."""
        with self.client() as client:
            reply = client.post("/auth?schema=none", json=self.logins[tenant, login].body())
        reply.raise_for_status()
        return str(reply.json()["access_token"])

    def anonymous(self, tenant: str) -> str:
        """An access token for the Nobody role."""
        with self.client() as client:
            reply = client.post("/anonauth?schema=none", json={"tenantid": self.logins[tenant, "root"].tenant_id})
        reply.raise_for_status()
        return str(reply.json()["access_token"])

    def ask(self, token: str, query: str, variables: object = None, path: str = "/query") -> dict[str, Any]:
        """The body of the reply to an operation."""
        with self.client() as client:
            headers = {"Authorization": f"Bearer {token}"}
            return dict(client.post(path, json={"query": query, "variables": variables}, headers=headers).json())

    def stop(self, number: int = signal.SIGTERM) -> int:
        """The exit code, after the process has ended by this signal."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        code = self.process.wait(END_SECONDS)
        if self.process.stdout is not None:
            self.process.stdout.close()
        return code

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def logins_in(output: str) -> dict[tuple[str, str], Login]:
    """The logins of a table that the gateway's command printed, by tenant's name and login."""
    return {
        (tenant, login): Login(int(number), login, password) for tenant, number, login, password in _ROW.findall(output)
    }


def _read_until_open(process: "subprocess.Popen[str]") -> list[str]:
    """What the process wrote until it was open. What it writes afterwards is added as it comes."""
    arrived: queue.Queue[str | None] = queue.Queue()
    output: list[str] = []

    def read() -> None:
        assert process.stdout is not None
        for line in process.stdout:
            output.append(line)
            arrived.put(line)
        arrived.put(None)

    threading.Thread(target=read, daemon=True).start()
    while True:
        line = arrived.get(timeout=START_SECONDS)
        if line is None:
            process.wait()
            if process.stdout is not None:
                process.stdout.close()
            raise GatewayNotStarted("".join(output))
        if "Ctrl-C ends it" in line:
            return output
