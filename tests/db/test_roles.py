"""Roles: whom a login finds, who is below whom, and that tenants stay apart."""

import asyncio

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from db.errors import ForeignKeyViolated, InvalidValue
from db.records import Role, Tenant
from db.roles import (
    NO_CREATOR,
    LoginTaken,
    ParentCycle,
    RoleChanges,
    find_login,
    find_role,
    find_role_anywhere,
    insert_role,
    list_children,
    list_roles,
    nobody_login,
    set_deleted,
    set_password,
    update_role,
)
from db.tenants import find_tenant
from tests.control_rows import MASTER_KEY, a_role, a_tenant

pytestmark = pytest.mark.postgres


async def test_a_role_is_found_as_it_was_inserted(connection: AsyncConnection, tenant: Tenant) -> None:
    inserted = await insert_role(
        connection,
        tenant_id=tenant.tenant_id,
        login="ann@example.org",
        name="Ann",
        parent_id=None,
        creator_id=NO_CREATOR,
        capabilities=["select", "login", "select"],
        class_ids=[],
        password_hash="$argon2id$x",
    )

    assert inserted.capabilities == {"login", "select"}
    assert (inserted.login, inserted.name, inserted.parent_id, inserted.creator_id) == (
        "ann@example.org",
        "Ann",
        None,
        0,
    )
    assert (inserted.deleted, inserted.password_hash, inserted.password_set_by) == (False, "$argon2id$x", 0)
    assert inserted.password_set_at == inserted.created_at
    assert "argon2id" not in repr(inserted)
    assert await find_role(connection, tenant.tenant_id, inserted.role_id) == inserted
    assert await find_role_anywhere(connection, inserted.role_id) == inserted
    assert await find_login(connection, tenant.tenant_id, "ann@example.org") == inserted


@pytest.mark.parametrize("login", ["Ann", "ann ", "an", "", "ann\0", "\ud800", "%"])
async def test_a_login_finds_nobody_who_is_spelt_otherwise(connection: AsyncConnection, role: Role, login: str) -> None:
    assert await find_login(connection, role.tenant_id, login) is None


@pytest.mark.parametrize("number", [0, -1, 99, 2**31, 2**70])
async def test_ids_that_are_nowhere_are_not_found(connection: AsyncConnection, role: Role, number: int) -> None:
    assert await find_role(connection, role.tenant_id, number) is None
    assert await find_role(connection, number, role.role_id) is None
    assert await find_role_anywhere(connection, number) is None
    assert await find_login(connection, number, role.login) is None
    assert await update_role(connection, role.tenant_id, number, RoleChanges(name="x")) is None
    assert await update_role(connection, number, role.role_id, RoleChanges(name="x")) is None


async def test_a_role_of_another_tenant_is_as_good_as_none(connection: AsyncConnection, role: Role) -> None:
    other = (await a_tenant(connection, "other")).tenant_id

    assert await find_role(connection, other, role.role_id) is None
    assert await find_login(connection, other, role.login) is None
    assert await update_role(connection, other, role.role_id, RoleChanges(name="taken over")) is None
    assert await set_deleted(connection, other, role.role_id, True) is None
    await set_password(connection, other, role.role_id, "$x", 1)
    assert await list_children(connection, other, role.role_id) == frozenset()
    assert await list_roles(connection, other) == ()
    with pytest.raises(ForeignKeyViolated, match=f"no role {role.role_id}"):
        await a_role(connection, other, "child", parent_id=role.role_id)
    assert await find_role_anywhere(connection, role.role_id) == role


async def test_postgresql_itself_refuses_a_parent_in_another_tenant(connection: AsyncConnection, role: Role) -> None:
    other = await a_role(connection, (await a_tenant(connection, "other")).tenant_id, "bob")

    with pytest.raises(IntegrityError):
        await connection.execute(
            text(f"update ostiary.role set parent_id = {role.role_id} where role_id = {other.role_id}")
        )


async def test_a_login_is_taken_once_in_a_tenant_and_free_in_another(connection: AsyncConnection, role: Role) -> None:
    other = await a_tenant(connection, "other")

    with pytest.raises(LoginTaken):
        await a_role(connection, role.tenant_id, "ann")
    # The transaction goes on behind the refusal.
    assert (await a_role(connection, other.tenant_id, "ann")).login == "ann"


async def test_one_login_inserted_at_once_is_given_once(control: AsyncEngine) -> None:
    async with control.begin() as connection:
        tenant = await a_tenant(connection)

    async def sign_up() -> bool:
        try:
            async with control.begin() as connection:
                await a_role(connection, tenant.tenant_id, "ann")
        except LoginTaken:
            return False
        return True

    assert sorted(await asyncio.gather(*(sign_up() for _ in range(8)))) == [False] * 7 + [True]


async def test_the_login_of_a_deleted_role_may_be_given_again(connection: AsyncConnection, role: Role) -> None:
    await set_deleted(connection, role.tenant_id, role.role_id, True)
    deleted = await find_login(connection, role.tenant_id, "ann")
    assert deleted is not None
    assert (deleted.role_id, deleted.deleted) == (role.role_id, True)

    successor = await a_role(connection, role.tenant_id, "ann")

    assert await find_login(connection, role.tenant_id, "ann") == successor
    with pytest.raises(LoginTaken):
        await set_deleted(connection, role.tenant_id, role.role_id, False)


async def test_nobody_keeps_its_login_and_comes_back_as_the_same_role(
    connection: AsyncConnection, tenant: Tenant
) -> None:
    nobody = await a_role(connection, tenant.tenant_id, nobody_login(tenant.tenant_id))
    await set_deleted(connection, tenant.tenant_id, nobody.role_id, True)

    with pytest.raises(LoginTaken):
        await a_role(connection, tenant.tenant_id, nobody.login)
    back = await set_deleted(connection, tenant.tenant_id, nobody.role_id, False)

    assert back == nobody


async def test_the_index_too_keeps_the_login_of_nobody(connection: AsyncConnection, tenant: Tenant) -> None:
    nobody = await a_role(connection, tenant.tenant_id, nobody_login(tenant.tenant_id))
    await set_deleted(connection, tenant.tenant_id, nobody.role_id, True)

    with pytest.raises(IntegrityError, match="role_login_key"):
        await connection.execute(
            text("insert into ostiary.role (tenant_id, login, name, creator_id) values (1, 'nobody1', 'x', 0)")
        )


async def test_an_update_changes_what_it_names_and_nothing_else(connection: AsyncConnection, role: Role) -> None:
    child = await a_role(connection, role.tenant_id, "child", parent_id=role.role_id)

    renamed = await update_role(connection, role.tenant_id, child.role_id, RoleChanges(name="New"))
    orphaned = await update_role(connection, role.tenant_id, child.role_id, RoleChanges(parent_id=None))
    stripped = await update_role(connection, role.tenant_id, child.role_id, RoleChanges(capabilities=frozenset()))

    assert renamed is not None
    assert orphaned is not None
    assert stripped is not None
    assert (renamed.name, renamed.parent_id, renamed.login) == ("New", role.role_id, "child")
    assert (orphaned.name, orphaned.parent_id) == ("New", None)
    assert (stripped.capabilities, stripped.password_hash) == (frozenset(), child.password_hash)


async def test_an_update_to_a_login_of_another_role_is_refused(connection: AsyncConnection, role: Role) -> None:
    bob = await a_role(connection, role.tenant_id, "bob")

    with pytest.raises(LoginTaken):
        await update_role(connection, role.tenant_id, bob.role_id, RoleChanges(login="ann"))
    assert await update_role(connection, role.tenant_id, bob.role_id, RoleChanges(login="bob")) == bob


async def test_children_are_the_roles_right_below(connection: AsyncConnection, role: Role) -> None:
    child = await a_role(connection, role.tenant_id, "child", parent_id=role.role_id)
    await a_role(connection, role.tenant_id, "grandchild", parent_id=child.role_id)

    assert await list_children(connection, role.tenant_id, role.role_id) == {child.role_id}
    assert await list_children(connection, role.tenant_id, 2**40) == frozenset()


async def test_a_role_never_comes_to_be_below_itself(connection: AsyncConnection, role: Role) -> None:
    child = await a_role(connection, role.tenant_id, "child", parent_id=role.role_id)
    grandchild = await a_role(connection, role.tenant_id, "grandchild", parent_id=child.role_id)

    for parent in (role, child, grandchild):
        with pytest.raises(ParentCycle):
            await update_role(connection, role.tenant_id, role.role_id, RoleChanges(parent_id=parent.role_id))


async def test_two_moves_at_once_make_no_circle(control: AsyncEngine) -> None:
    async with control.begin() as connection:
        tenant_id = (await a_tenant(connection)).tenant_id
        ids = [(await a_role(connection, tenant_id, login)).role_id for login in ("ann", "bob")]

    async def move(role_id: int, parent_id: int) -> bool:
        try:
            async with control.begin() as connection:
                await update_role(connection, tenant_id, role_id, RoleChanges(parent_id=parent_id))
        except ParentCycle:
            return False
        return True

    assert sorted(await asyncio.gather(move(ids[0], ids[1]), move(ids[1], ids[0]))) == [False, True]


async def test_a_password_is_set_with_who_set_it(connection: AsyncConnection, role: Role) -> None:
    await set_password(connection, role.tenant_id, role.role_id, "$new", 17)

    found = await find_role(connection, role.tenant_id, role.role_id)

    assert found is not None
    assert (found.password_hash, found.password_set_by) == ("$new", 17)


@pytest.mark.parametrize("text_value", ["a\0b", "\ud800"])
async def test_a_text_that_no_column_can_hold_is_refused_in_a_sentence(
    connection: AsyncConnection, role: Role, text_value: str
) -> None:
    with pytest.raises(InvalidValue, match="The login holds"):
        await a_role(connection, role.tenant_id, text_value)
    with pytest.raises(InvalidValue, match="The name holds"):
        await update_role(connection, role.tenant_id, role.role_id, RoleChanges(name=text_value))


async def test_every_change_of_a_role_is_announced(connection: AsyncConnection, role: Role) -> None:
    async def version() -> int:
        found = await find_tenant(connection, role.tenant_id, MASTER_KEY)
        assert found is not None
        return found.version

    seen = [await version()]
    await a_role(connection, role.tenant_id, "bob")
    seen.append(await version())
    await update_role(connection, role.tenant_id, role.role_id, RoleChanges(name="x"))
    seen.append(await version())
    await set_password(connection, role.tenant_id, role.role_id, "$new", 1)
    seen.append(await version())
    await set_deleted(connection, role.tenant_id, role.role_id, True)
    seen.append(await version())

    assert seen == sorted(set(seen))


async def test_ten_thousand_roles_are_searched_by_index(connection: AsyncConnection, role: Role) -> None:
    await connection.execute(
        text(
            "insert into ostiary.role (tenant_id, login, name, parent_id, creator_id)"
            f" select {role.tenant_id}, 'login' || n, 'n', {role.role_id} + n / 100, 0 from generate_series(1, 10000) n"
        )
    )
    await connection.execute(text("analyze ostiary.role"))

    plans = [
        "\n".join(
            await connection.scalars(text(f"explain select * from ostiary.role where tenant_id = 1 and {condition}"))
        )
        for condition in ("login = 'login77'", "parent_id = 5", "role_id = 77")
    ]

    assert ["Seq Scan" in plan for plan in plans] == [False, False, False]
    found = await find_login(connection, role.tenant_id, "login9999")
    assert found is not None
    assert len(await list_roles(connection, role.tenant_id)) == 10_001
