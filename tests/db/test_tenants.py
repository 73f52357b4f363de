"""Tenants, and that every process hears of their changes."""

import asyncio
import json
from typing import Any

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from db.engines import InvalidDsn
from db.records import Role, Tenant
from db.secrets import MasterKey, SecretUnreadable
from db.tenants import (
    CHANGE_CHANNEL,
    announce_change,
    find_tenant,
    find_tenant_of_app,
    insert_tenant,
    list_tenants,
    set_facades,
    set_nobody,
    set_root,
    set_suspended,
)
from tests.control_rows import MASTER_KEY, a_role, a_tenant

pytestmark = pytest.mark.postgres


async def test_a_tenant_is_found_as_it_was_inserted(connection: AsyncConnection) -> None:
    dsn = "postgresql://owner:p%40ss@db.test:5433/todo"

    inserted = await insert_tenant(connection, name="todo", dsn=dsn, master_key=MASTER_KEY, schemas=("public", "sales"))

    assert inserted == Tenant(1, "todo", None, None, suspended=False, dsn=dsn, schemas=("public", "sales"), version=1)
    assert await find_tenant(connection, 1, MASTER_KEY) == inserted


async def test_what_is_stored_of_a_dsn_does_not_show_its_password(connection: AsyncConnection, tenant: Tenant) -> None:
    row = await connection.scalar(text("select to_jsonb(tenant)::text from ostiary.tenant"))

    assert "secret" not in str(row)
    assert json.loads(row)["host"] == "db.test"
    assert json.loads(row)["database"] == "todo"
    assert "secret" not in repr(tenant)


async def test_another_master_key_opens_no_tenant(connection: AsyncConnection, tenant: Tenant) -> None:
    with pytest.raises(SecretUnreadable):
        await find_tenant(connection, tenant.tenant_id, MasterKey(bytes(32)))


async def test_a_tenant_with_a_wrong_dsn_is_refused(connection: AsyncConnection) -> None:
    with pytest.raises(InvalidDsn):
        await insert_tenant(connection, name="x", dsn="mysql://h/d", master_key=MASTER_KEY)


async def test_clients_of_another_system_find_a_tenant_by_its_id_or_its_name(
    connection: AsyncConnection, tenant: Tenant
) -> None:
    await set_facades(connection, tenant.tenant_id, ["realm"])

    for app_id in (str(tenant.tenant_id), tenant.name):
        found = await find_tenant_of_app(connection, app_id, "realm", MASTER_KEY)
        assert found is not None
        assert (found.tenant_id, found.facades) == (tenant.tenant_id, {"realm"})
        assert await find_tenant_of_app(connection, app_id, "mudbase", MASTER_KEY) is None
    for nowhere in ("", "0", "nowhere", f"0{tenant.tenant_id}", "a\0", "\ud800", "9" * 400):
        assert await find_tenant_of_app(connection, nowhere, "realm", MASTER_KEY) is None


async def test_the_clients_of_a_suspended_tenant_find_none(connection: AsyncConnection, tenant: Tenant) -> None:
    await set_facades(connection, tenant.tenant_id, ["realm"])
    await set_suspended(connection, tenant.tenant_id, True)

    assert await find_tenant_of_app(connection, tenant.name, "realm", MASTER_KEY) is None


async def test_a_name_that_two_tenants_have_finds_neither_and_none_takes_an_id(
    connection: AsyncConnection, tenant: Tenant
) -> None:
    twin = await a_tenant(connection, name=tenant.name)
    thief = await a_tenant(connection, name=str(tenant.tenant_id))
    for each in (tenant, twin, thief):
        await set_facades(connection, each.tenant_id, ["realm"])

    assert await find_tenant_of_app(connection, tenant.name, "realm", MASTER_KEY) is None
    found = await find_tenant_of_app(connection, str(tenant.tenant_id), "realm", MASTER_KEY)
    assert found is not None
    assert found.tenant_id == tenant.tenant_id


@pytest.mark.parametrize("tenant_id", [0, -1, 2, 2**31, 2**63, 2**200])
async def test_a_tenant_that_is_nowhere_is_not_found(
    connection: AsyncConnection, tenant: Tenant, tenant_id: int
) -> None:
    assert tenant.tenant_id == 1
    assert await find_tenant(connection, tenant_id, MASTER_KEY) is None


async def test_tenants_are_listed_by_id_suspended_ones_too(connection: AsyncConnection) -> None:
    for name in ("b", "a", "c"):
        await a_tenant(connection, name)
    await set_suspended(connection, 2, True)

    listed = await list_tenants(connection, MASTER_KEY)

    assert [(tenant.name, tenant.suspended) for tenant in listed] == [("b", False), ("a", True), ("c", False)]


async def test_root_and_nobody_are_remembered(connection: AsyncConnection, role: Role) -> None:
    nobody = await a_role(connection, role.tenant_id, f"nobody{role.tenant_id}", parent_id=role.role_id)
    await set_root(connection, role.tenant_id, role.role_id)
    await set_nobody(connection, role.tenant_id, nobody.role_id)

    found = await find_tenant(connection, role.tenant_id, MASTER_KEY)

    assert found is not None
    assert (found.root_role_id, found.nobody_role_id) == (role.role_id, nobody.role_id)


async def test_a_role_of_another_tenant_cannot_become_root(connection: AsyncConnection, role: Role) -> None:
    other = await a_tenant(connection, "other")

    with pytest.raises(IntegrityError):
        await set_root(connection, other.tenant_id, role.role_id)


async def test_every_change_gives_a_tenant_a_higher_version(connection: AsyncConnection, tenant: Tenant) -> None:
    versions = [tenant.version]
    for suspended in (True, False):
        await set_suspended(connection, tenant.tenant_id, suspended)
        found = await find_tenant(connection, tenant.tenant_id, MASTER_KEY)
        assert found is not None
        versions.append(found.version)

    assert versions == sorted(set(versions))


async def test_a_change_is_heard_when_it_is_committed_and_not_before(control: AsyncEngine, control_dsn: str) -> None:
    async with control.begin() as connection:
        tenant = await a_tenant(connection)
    heard: asyncio.Queue[str] = asyncio.Queue()

    def hear(_connection: Any, _pid: int, _channel: str, payload: str) -> None:
        heard.put_nowait(payload)

    listener = await asyncpg.connect(control_dsn)
    await listener.add_listener(CHANGE_CHANNEL, hear)
    async with control.connect() as connection:
        await announce_change(connection, tenant.tenant_id)
        await connection.rollback()
    async with control.begin() as connection:
        await announce_change(connection, tenant.tenant_id)
        # A round trip of the listener: had it been told already, it would know by now.
        await listener.fetchval("select 1")
        assert heard.empty()

    payload = await asyncio.wait_for(heard.get(), 5)

    assert json.loads(payload) == {"tenantid": tenant.tenant_id, "version": tenant.version + 1}
    assert heard.empty()
    await listener.close()


async def test_a_change_of_a_tenant_that_is_nowhere_is_not_announced(connection: AsyncConnection) -> None:
    await announce_change(connection, 7)

    assert await list_tenants(connection, MASTER_KEY) == ()
