"""What an operator makes from outside: tenants with their root role, roles, and the demo tenants of a first start."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

import asyncpg
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from db.classes import insert_class
from db.demo.load import Progress, load_flights, load_todo
from db.demo.policy import FLIGHTS, NOBODY, TODO, DemoTenant
from db.errors import PublicError
from db.guests import set_guest_policy
from db.passwords import hash_password
from db.records import FACADES, GuestPolicy, Role, Tenant
from db.roles import insert_role
from db.rules import insert_rule
from db.secrets import MasterKey
from db.tenants import insert_tenant, list_tenants, set_facades, set_root
from gateway.databases import Databases, embedded_dsn
from schema.roles_pbac.anonymous import make_nobody

ROOT_LOGIN: Final = "root"
_LOADERS: Final[dict[str, Callable[["asyncpg.Connection[asyncpg.Record]", Progress], Awaitable[None]]]] = {
    FLIGHTS.name: lambda connection, progress: load_flights(connection, progress=progress),
    TODO.name: lambda connection, _: load_todo(connection),
}


class NoEmbeddedServer(PublicError):
    """The demo needs databases of its own, and there is no embedded server to hold them."""

    code = "NO_EMBEDDED_SERVER"

    def __init__(self) -> None:
        super().__init__("The demo tenants live on the embedded PostgreSQL; unset DATABASE_URL to have one.")


@dataclass(frozen=True, slots=True)
class Credentials:
    """How to log in for the first time. Shown once: only a hash of the password is stored."""

    tenant_name: str
    tenant_id: int
    login: str
    password: str = field(repr=False)


def generate_password() -> str:
    """A random password of about 96 bits that can be typed and pasted into a shell.

    >>> len(generate_password()) >= 16
    True
    """
    return "-".join(secrets.token_hex(3) for _ in range(4))


async def create_tenant(
    connection: AsyncConnection, *, name: str, dsn: str, master_key: MasterKey, schemas: tuple[str, ...] = ("public",)
) -> tuple[Tenant, Role, Credentials]:
    """A tenant with its root role, whose password is made here."""
    password = generate_password()
    tenant = await insert_tenant(connection, name=name, dsn=dsn, master_key=master_key, schemas=schemas)
    root = await insert_role(
        connection,
        tenant_id=tenant.tenant_id,
        login=ROOT_LOGIN,
        name=f"Root of {name}",
        parent_id=None,
        creator_id=0,
        capabilities=frozenset({"login", "admin"}),
        class_ids=(),
        password_hash=await asyncio.to_thread(hash_password, password),
    )
    await set_root(connection, tenant.tenant_id, root.role_id)
    return tenant, root, Credentials(name, tenant.tenant_id, ROOT_LOGIN, password)


async def provision_demo(
    engine: AsyncEngine, databases: Databases, master_key: MasterKey, progress: Progress
) -> list[Credentials]:
    """The credentials of the demo tenants that were made now; none where they were there before."""
    if databases.embedded is None:
        raise NoEmbeddedServer
    made: list[Credentials] = []
    async with engine.connect() as connection:
        known = {tenant.name for tenant in await list_tenants(connection, master_key)}
    for demo in (FLIGHTS, TODO):
        if demo.name in known:
            continue
        await databases.embedded.create_database(demo.name)
        database = await asyncpg.connect(databases.embedded.dsn(demo.name))
        try:
            await _LOADERS[demo.name](database, progress)
        finally:
            await database.close()
        async with engine.begin() as connection:
            made += await _insert_demo(connection, demo, master_key)
    # Behind all of them, so that the classes which this makes leave the ids of the demo's own as they are.
    async with engine.begin() as connection:
        for tenant_id in sorted({credentials.tenant_id for credentials in made}):
            await set_guest_policy(connection, tenant_id, GuestPolicy())
    return made


async def _insert_demo(connection: AsyncConnection, demo: DemoTenant, master_key: MasterKey) -> list[Credentials]:
    tenant, root, credentials = await create_tenant(
        connection, name=demo.name, dsn=embedded_dsn(demo.name), master_key=master_key
    )
    await set_facades(connection, tenant.tenant_id, FACADES)
    made = [credentials]
    class_ids: dict[str, int] = {}
    for each in demo.classes:
        created = await insert_class(
            connection, tenant_id=tenant.tenant_id, name=each.name, inherit="none", creator_id=root.role_id
        )
        class_ids[each.name] = created.class_id
    role_ids: dict[object, int] = {}
    if demo.allows_anonymous:
        role_ids[NOBODY] = (await make_nobody(connection, tenant.tenant_id, creator_id=root.role_id)).role_id
    for role in demo.roles:
        password = generate_password()
        stored = await insert_role(
            connection,
            tenant_id=tenant.tenant_id,
            login=role.login,
            name=role.name,
            parent_id=root.role_id,
            creator_id=root.role_id,
            capabilities=role.capabilities,
            class_ids=[class_ids[name] for name in role.classes],
            password_hash=await asyncio.to_thread(hash_password, password),
        )
        role_ids[role.login] = stored.role_id
        made.append(Credentials(demo.name, tenant.tenant_id, role.login, password))
    for rule in demo.rules:
        await insert_rule(
            connection,
            tenant_id=tenant.tenant_id,
            name=rule.name,
            capabilities=rule.capabilities,
            targets=rule.targets,
            creator_id=root.role_id,
            filter_text=rule.filter,
            role_ids=[role_ids[reference] for reference in rule.roles],
            class_ids=[class_ids[name] for name in rule.classes],
        )
    return made
