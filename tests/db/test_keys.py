"""Signing keys: sealed at rest, the newest signs, a retired one is gone."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from db.keys import SigningKey, insert_signing_key, list_signing_keys, retire_signing_key
from db.secrets import MasterKey, SecretUnreadable
from tests.control_rows import MASTER_KEY

pytestmark = pytest.mark.postgres

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)
OLD = SigningKey("old", b"-----BEGIN PRIVATE KEY-----\nold\n", NOON)
NEW = SigningKey("new", b"-----BEGIN PRIVATE KEY-----\nnew\n", NOON + timedelta(days=1))


async def test_the_newest_key_comes_first_and_a_retired_one_not_at_all(connection: AsyncConnection) -> None:
    await insert_signing_key(connection, OLD, MASTER_KEY)
    await insert_signing_key(connection, NEW, MASTER_KEY)
    assert await list_signing_keys(connection, MASTER_KEY) == (NEW, OLD)

    await retire_signing_key(connection, "old", NOON)

    assert await list_signing_keys(connection, MASTER_KEY) == (NEW,)


async def test_a_private_key_shows_nowhere_and_needs_its_master_key(connection: AsyncConnection) -> None:
    await insert_signing_key(connection, OLD, MASTER_KEY)

    stored = await connection.scalar(text("select to_jsonb(signing_key)::text from ostiary.signing_key"))

    assert "PRIVATE KEY" not in str(stored)
    assert "PRIVATE KEY" not in repr(OLD)
    with pytest.raises(SecretUnreadable):
        await list_signing_keys(connection, MasterKey(bytes(32)))
