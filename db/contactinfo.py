"""Where roles can be reached: one row for each role that has said so."""

from dataclasses import asdict, dataclass

from sqlalchemy import delete, insert, update
from sqlalchemy.ext.asyncio import AsyncConnection

from db.tables import role_contactinfo


@dataclass(frozen=True, slots=True)
class ContactInfo:
    address: str
    city: str
    stateprov: str
    mailcd: str
    phone: str
    email: str


async def insert_contactinfo(connection: AsyncConnection, tenant_id: int, role_id: int, info: ContactInfo) -> None:
    statement = insert(role_contactinfo).values(tenant_id=tenant_id, role_id=role_id, **asdict(info))
    await connection.execute(statement)


async def update_contactinfo(connection: AsyncConnection, tenant_id: int, role_id: int, info: ContactInfo) -> bool:
    """Whether there was a row to change."""
    where = (role_contactinfo.c.tenant_id == tenant_id, role_contactinfo.c.role_id == role_id)
    result = await connection.execute(update(role_contactinfo).where(*where).values(**asdict(info)))
    return result.rowcount == 1


async def delete_contactinfo(connection: AsyncConnection, tenant_id: int, role_id: int) -> bool:
    """Whether there was a row to delete."""
    where = (role_contactinfo.c.tenant_id == tenant_id, role_contactinfo.c.role_id == role_id)
    result = await connection.execute(delete(role_contactinfo).where(*where))
    return result.rowcount == 1
