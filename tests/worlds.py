"""A gateway on a control database of its own, with a tenant that has one of everything and no anonymous logins yet."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from tests.databases import Databases
from tests.gateways import ROOT, Gateway, logins_in
from tests.wire import Wire

TENANT = "world"


@dataclass(frozen=True)
class World(Wire):
    """A client of the gateway; with where its control database and master key are, for whoever plays the operator."""

    control_dsn: str
    master_key: Path


@contextmanager
def open_world(databases: Databases, folder: Path, **settings: str) -> Generator[World]:
    """The gateway, started with these settings; its tenant is added as an operator adds one."""
    control, tenant = databases.create(), databases.create()
    asyncio.run(_fill(tenant))
    with Gateway.start(folder, database_url=control, **settings) as gateway:
        own = {"OSTIARY_DATA_DIR": str(folder), "OSTIARY_DATABASE_URL": control, "COLUMNS": "200"}
        added = subprocess.run(
            [sys.executable, "-m", "gateway", "tenant", "add", TENANT, "--dsn", tenant],
            cwd=ROOT,
            env=dict(os.environ) | own,
            capture_output=True,
            text=True,
            check=True,
        )
        gateway.logins.update(logins_in(added.stdout))
        with gateway.client() as client:
            yield World(gateway, client, control, folder / "master.key")
    databases.drop(control)
    databases.drop(tenant)


async def _fill(dsn: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(Path(__file__).with_name("world.sql").read_text("utf-8"))
    finally:
        await connection.close()
