"""Ostiary as a contender of the benchmark rig: `prepare`, `serve` and `headers`, as its contender.toml calls them.

The control database lies beside the rig's own. One role without a bypass reads and writes under policy: with `plain`
one rule for everybody and without a filter, with `policies` a rule of its own for each table, each with a filter that
lets through every row of the rig, so that the answers are the same. With `many` those rules are its class's, among 200
rules for 33 classes of 10,000 roles.
"""

import asyncio
import json
import os
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import asyncpg
import httpx2
from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from db import tables
from db.classes import insert_class
from db.engines import control_engine
from db.migrate import migrate
from db.passwords import hash_password
from db.roles import insert_role
from db.rules import insert_rule
from db.secrets import load_master_key
from gateway.app import create_app
from gateway.provision import create_tenant
from gateway.serve import tenants_opener
from gateway.settings import Settings

TABLES: Final = {
    "album": "artist_id > 0",
    "artist": "id > 0",
    "customer": "id > 0",
    "invoice": "total >= 0 and customer_id > 0",
    "invoice_line": "quantity > 0",
    "track": "unit_price >= 0 and milliseconds >= 0",
}
CAPABILITIES: Final = frozenset({"login", "select", "insert", "update", "delete"})
LOGIN: Final = "bench"
MANY_ROLES: Final = 10_000
MANY_CLASSES: Final = 33
MANY_RULES: Final = 200
#: For a database on the loopback of the machine that measures; there is nothing to guard.
PASSWORD: Final = "a-password-of-the-rig"
MASTER_KEY: Final = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="


def main() -> None:
    command, kind, dsn, *rest = sys.argv[1:]
    os.environ |= {"OSTIARY_DATABASE_URL": control_dsn(kind, dsn), "OSTIARY_MASTER_KEY": MASTER_KEY}
    match command:
        case "prepare":
            asyncio.run(prepare(kind, dsn))
        case "headers":
            sys.stdout.write(json.dumps({"Authorization": f"Bearer {asyncio.run(access_token())}"}))
        case "serve":
            os.environ |= {"OSTIARY_PORT": rest[0], "OSTIARY_METRICS": "true"}
            os.execv(sys.executable, [sys.executable, "-m", "gateway", "run"])
        case _:
            sys.exit(f"There is no command {command}.")


def control_dsn(kind: str, dsn: str) -> str:
    return dsn.rpartition("/")[0] + f"/ostiary_{kind}"


async def prepare(kind: str, dsn: str) -> None:
    """Nothing; a new control database has the tenant, its role and its rules."""
    name = f"ostiary_{kind}"
    server = await asyncpg.connect(dsn)
    await server.execute(f'drop database if exists "{name}" with (force)')
    await server.execute(f'create database "{name}"')
    await server.close()
    await migrate(control_dsn(kind, dsn))
    engine = control_engine(control_dsn(kind, dsn))
    async with engine.begin() as connection:
        tenant, root, _ = await create_tenant(connection, name="bench", dsn=dsn, master_key=load_master_key(MASTER_KEY))
        role = await insert_role(
            connection,
            tenant_id=tenant.tenant_id,
            login=LOGIN,
            name=LOGIN,
            parent_id=root.role_id,
            creator_id=root.role_id,
            capabilities=CAPABILITIES,
            class_ids=(),
            password_hash=hash_password(PASSWORD),
        )
        owner = Owner(connection, tenant.tenant_id, root.role_id)
        match kind:
            case "many":
                await owner.fill(role.role_id)
            case "policies":
                for table, filter_text in TABLES.items():
                    await owner.add_rule([table], filter_text, role_ids=[role.role_id])
            case _:
                await owner.add_rule(TABLES)
    await engine.dispose()


@dataclass(frozen=True)
class Owner:
    """The tenant's root, who makes roles, classes and rules."""

    connection: AsyncConnection
    tenant_id: int
    role_id: int

    async def add_rule(
        self, targets: Iterable[str], filter_text: str = "", role_ids: Iterable[int] = (), class_ids: Iterable[int] = ()
    ) -> None:
        await insert_rule(
            self.connection,
            tenant_id=self.tenant_id,
            name=" ".join(targets),
            capabilities=CAPABILITIES - {"login"},
            targets=frozenset(targets),
            creator_id=self.role_id,
            filter_text=filter_text,
            role_ids=role_ids,
            class_ids=class_ids,
        )

    async def fill(self, measured_id: int) -> None:
        """Nothing; there are MANY of everything. The role that is measured is in the first class."""
        numbers = range(1, MANY_ROLES)
        roles = await self.connection.execute(
            insert(tables.role).returning(tables.role.c.role_id),
            [
                {
                    "tenant_id": self.tenant_id,
                    "login": f"{LOGIN} {number}",
                    "name": LOGIN,
                    "parent_id": self.role_id,
                    "creator_id": self.role_id,
                    "capabilities": sorted(CAPABILITIES),
                }
                for number in numbers
            ],
        )
        role_ids = [measured_id, *roles.scalars()]
        for place in range(MANY_CLASSES):
            made = await insert_class(
                self.connection,
                tenant_id=self.tenant_id,
                name=f"class {place}",
                inherit="none",
                creator_id=self.role_id,
                member_ids=role_ids[place::MANY_CLASSES],
            )
            for table, filter_text in TABLES.items():
                await self.add_rule([table], filter_text, class_ids=[made.class_id])
        for other_id in role_ids[1 : 1 + MANY_RULES - MANY_CLASSES * len(TABLES)]:
            await self.add_rule(["track"], "id > 0", role_ids=[other_id])


async def access_token() -> str:
    """A token of the role, by a login over the wire of a gateway that listens nowhere."""
    app = create_app(Settings(), open_tenants=tenants_opener(lambda dsn: dsn))
    transport = httpx2.ASGITransport(app=app)
    async with (
        app.router.lifespan_context(app),
        httpx2.AsyncClient(transport=transport, base_url="http://rig") as client,
    ):
        reply = await client.post("/auth?schema=none", json={"tenantid": 1, "login": LOGIN, "password": PASSWORD})
    reply.raise_for_status()
    return str(reply.json()["access_token"])


if __name__ == "__main__":
    main()
