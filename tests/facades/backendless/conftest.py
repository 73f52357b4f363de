"""A tenant that opens the facade of Backendless, and applications that use it by the unmodified SDK."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path

import pytest

from db.engines import control_engine
from db.tenants import set_facades
from tests.databases import Databases
from tests.sdks import FACADES, Sdk, launch, node_with, serve
from tests.shelters import BuiltShelter, Shelter


@dataclass(frozen=True)
class Bench:
    """A running gateway, and where an application keeps what it stores."""

    shelter: Shelter
    address: str
    storage: Path
    node: str

    def launch(self, *, in_domain_mode: bool = False) -> AbstractAsyncContextManager[Sdk]:
        """The application, started on its device: what an earlier start has stored is there."""
        script = FACADES / "backendless" / "driver.cjs"
        return launch(self.node, script, json.dumps(self.config(in_domain_mode=in_domain_mode)), str(self.storage))

    def config(self, *, in_domain_mode: bool) -> dict[str, object]:
        if in_domain_mode:
            return {"domain": f"{self.address}/backendless/shelter"}
        root, app_id = f"{self.address}/backendless", str(self.shelter.tenant_id)
        return {"serverURL": root, "appId": app_id, "apiKey": "00000000-0000-0000-0000-000000000000"}


@pytest.fixture(scope="session")
def built_counter(databases: Databases) -> BuiltShelter:
    """Databases of a tenant that opens this facade, to be cloned."""
    built = BuiltShelter.build(databases)
    asyncio.run(_open_facade(built))
    return built


@pytest.fixture
async def shelter(databases: Databases, built_counter: BuiltShelter) -> AsyncGenerator[Shelter]:
    """A gateway whose tenant opens this facade, which this test has for itself."""
    async with built_counter.open(databases) as opened:
        yield opened


@pytest.fixture
async def bench(shelter: Shelter, tmp_path: Path) -> AsyncGenerator[Bench]:
    """The same, with an address, for applications. Skips the test where there is no Node."""
    node = node_with("backendless")
    async with serve(shelter.app) as address:
        yield Bench(shelter, address, tmp_path / "storage.json", node)


async def _open_facade(built: BuiltShelter) -> None:
    engine = control_engine(built.control_dsn)
    async with engine.begin() as connection:
        await set_facades(connection, built.tenant_id, ["backendless"])
    await engine.dispose()
