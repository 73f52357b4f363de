"""The queries of table `trusted_document`: documents that requests name by an id, and that their tenant knows."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256

from sqlalchemy import delete, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from db import tables


@dataclass(frozen=True, slots=True)
class TrustedDocument:
    """A document under its id: the SHA-256 of its text in hexadecimal digits, or whatever a build has called it."""

    id: str
    name: str
    query: str


async def list_documents(connection: AsyncConnection, tenant_id: int) -> tuple[TrustedDocument, ...]:
    """All of the tenant, by name and id."""
    columns = tables.trusted_document.c
    query = select(columns.id, columns.name, columns.query).where(columns.tenant_id == tenant_id)
    rows = await connection.execute(query.order_by(columns.name, columns.id))
    return tuple(TrustedDocument(*row) for row in rows)


async def find_document(connection: AsyncConnection, tenant_id: int, id_or_digest: str) -> TrustedDocument | None:
    """The document with this id, or with a text of this SHA-256."""
    columns = tables.trusted_document.c
    if "\0" in id_or_digest:
        # PostgreSQL stores no zero character, and would refuse the question.
        return None
    found = (
        select(columns.id, columns.name, columns.query)
        .where(columns.tenant_id == tenant_id, or_(columns.id == id_or_digest, columns.digest == id_or_digest))
        .order_by(columns.id != id_or_digest)
        .limit(1)
    )
    row = (await connection.execute(found)).first()
    return None if row is None else TrustedDocument(*row)


def digest_of(query: str) -> str:
    """The SHA-256 of the text, in hexadecimal digits."""
    return sha256(query.encode("utf-8", "surrogatepass")).hexdigest()


async def insert_documents(
    connection: AsyncConnection, tenant_id: int, documents: Sequence[TrustedDocument]
) -> tuple[str, ...]:
    """The ids of those that are new. One that is there already stays as it is: an id stands for one text for good."""
    values = [{"tenant_id": tenant_id, "digest": digest_of(each.query)} | asdict(each) for each in documents]
    if not values:
        return ()
    statement = insert(tables.trusted_document).on_conflict_do_nothing().returning(tables.trusted_document.c.id)
    return tuple((await connection.execute(statement.values(values))).scalars())


async def delete_documents(connection: AsyncConnection, tenant_id: int, ids: Sequence[str]) -> tuple[str, ...]:
    """The ids of those that were there."""
    columns = tables.trusted_document.c
    named = columns.tenant_id == tenant_id, columns.id.in_(ids)
    gone = delete(tables.trusted_document).where(*named).returning(columns.id)
    return tuple((await connection.execute(gone)).scalars())
