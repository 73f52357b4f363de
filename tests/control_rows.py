"""Rows of a control database for tests that only need some."""

from sqlalchemy.ext.asyncio import AsyncConnection

from db.records import Role, Tenant
from db.roles import NO_CREATOR, insert_role
from db.secrets import MasterKey
from db.tenants import insert_tenant

MASTER_KEY = MasterKey(bytes(range(32)))


async def a_tenant(connection: AsyncConnection, name: str = "todo") -> Tenant:
    return await insert_tenant(
        connection, name=name, dsn=f"postgresql://owner:secret@db.test/{name}", master_key=MASTER_KEY
    )


async def a_role(
    connection: AsyncConnection,
    tenant_id: int,
    login: str,
    *,
    parent_id: int | None = None,
    creator_id: int = NO_CREATOR,
    class_ids: tuple[int, ...] = (),
) -> Role:
    return await insert_role(
        connection,
        tenant_id=tenant_id,
        login=login,
        name=login.title(),
        parent_id=parent_id,
        creator_id=creator_id,
        capabilities=["select", "login"],
        class_ids=class_ids,
        password_hash="$argon2id$of-" + login,
    )
