"""The queries of table `signing_key`: the keys that sign tokens, their private parts sealed."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from sqlalchemy import RowMapping, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from db import tables
from db.secrets import MasterKey, seal, unseal
from db.tenants import notify

KEY_PURPOSE: Final = "signing key"


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key in PEM, and the id that tokens name it by."""

    key_id: str
    private_pem: bytes = field(repr=False)
    created_at: datetime


async def list_signing_keys(connection: AsyncConnection, master_key: MasterKey) -> tuple[SigningKey, ...]:
    """The keys whose tokens are good, the newest first; that one signs."""
    query = (
        select(tables.signing_key)
        .where(tables.signing_key.c.retired_at.is_(None))
        .order_by(tables.signing_key.c.created_at.desc(), tables.signing_key.c.key_id)
    )
    return tuple(_to_key(row, master_key) for row in (await connection.execute(query)).mappings())


async def insert_signing_key(connection: AsyncConnection, key: SigningKey, master_key: MasterKey) -> None:
    """Nothing. Every process hears of it and signs with this key from then on."""
    sealed = seal(master_key, key.private_pem, purpose=KEY_PURPOSE)
    await connection.execute(
        insert(tables.signing_key).values(key_id=key.key_id, sealed_private_pem=sealed, created_at=key.created_at)
    )
    await notify(connection, {"signing_key": key.key_id})


async def retire_signing_key(connection: AsyncConnection, key_id: str, now: datetime) -> None:
    """Nothing. No token that this key signed is good any more."""
    await connection.execute(
        update(tables.signing_key)
        .where(tables.signing_key.c.key_id == key_id, tables.signing_key.c.retired_at.is_(None))
        .values(retired_at=now)
    )
    await notify(connection, {"signing_key": key_id})


def _to_key(row: RowMapping, master_key: MasterKey) -> SigningKey:
    return SigningKey(
        key_id=row["key_id"],
        private_pem=unseal(master_key, row["sealed_private_pem"], purpose=KEY_PURPOSE),
        created_at=row["created_at"],
    )
