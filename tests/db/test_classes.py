"""Role classes, who is in them, and how they pass down."""

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from db.classes import ClassChanges, delete_class, find_class, insert_class, list_classes, update_class
from db.errors import CheckViolated, ForeignKeyViolated
from db.records import Role, RoleClass
from db.roles import RoleChanges, find_role, update_role
from db.rules import insert_rule, list_rules
from tests.control_rows import a_role, a_tenant

pytestmark = pytest.mark.postgres


async def a_class(
    connection: AsyncConnection,
    role: Role,
    name: str = "users",
    *,
    inherit: str = "none",
    members: tuple[int, ...] = (),
) -> RoleClass:
    return await insert_class(
        connection, tenant_id=role.tenant_id, name=name, inherit=inherit, creator_id=role.role_id, member_ids=members
    )


async def classes_of(connection: AsyncConnection, role: Role) -> frozenset[int]:
    found = await find_role(connection, role.tenant_id, role.role_id)
    assert found is not None
    return found.class_ids


async def test_a_class_is_found_and_listed_as_it_was_inserted(connection: AsyncConnection, role: Role) -> None:
    users = await a_class(connection, role)
    admins = await a_class(connection, role, "admins", inherit="full")

    assert (users.name, users.inherit, users.creator_id) == ("users", "none", role.role_id)
    assert await find_class(connection, role.tenant_id, admins.class_id) == admins
    assert await list_classes(connection, role.tenant_id) == (users, admins)


async def test_membership_can_be_set_from_both_ends(connection: AsyncConnection, role: Role) -> None:
    bob = await a_role(connection, role.tenant_id, "bob")
    users = await a_class(connection, role, members=(role.role_id, bob.role_id))
    admins = await a_class(connection, role, "admins")

    await update_role(connection, role.tenant_id, bob.role_id, RoleChanges(class_ids=frozenset({admins.class_id})))
    assert await classes_of(connection, bob) == {admins.class_id}
    assert await classes_of(connection, role) == {users.class_id}

    await update_class(connection, role.tenant_id, admins.class_id, ClassChanges(member_ids=frozenset({role.role_id})))
    assert await classes_of(connection, bob) == frozenset()
    assert await classes_of(connection, role) == {users.class_id, admins.class_id}

    await update_role(connection, role.tenant_id, role.role_id, RoleChanges(class_ids=frozenset()))
    assert await classes_of(connection, role) == frozenset()


async def test_an_update_of_a_class_keeps_what_it_does_not_name(connection: AsyncConnection, role: Role) -> None:
    users = await a_class(connection, role, members=(role.role_id,))

    updated = await update_class(connection, role.tenant_id, users.class_id, ClassChanges(name="people"))

    assert updated is not None
    assert (updated.name, updated.inherit) == ("people", "none")
    assert await classes_of(connection, role) == {users.class_id}


async def test_a_class_that_hands_on_at_creation_goes_to_children_that_the_member_creates(
    connection: AsyncConnection, role: Role
) -> None:
    team = await a_class(connection, role, inherit="create", members=(role.role_id,))
    await a_class(connection, role, "own", members=(role.role_id,))

    created = await a_role(connection, role.tenant_id, "created", parent_id=role.role_id, creator_id=role.role_id)
    behalf = await a_role(connection, role.tenant_id, "behalf", parent_id=role.role_id, creator_id=created.role_id)

    assert created.class_ids == {team.class_id}
    assert behalf.class_ids == frozenset()


async def test_a_class_that_hands_on_fully_reaches_all_who_are_below_a_member(
    connection: AsyncConnection, role: Role
) -> None:
    child = await a_role(connection, role.tenant_id, "child", parent_id=role.role_id)
    grandchild = await a_role(connection, role.tenant_id, "grandchild", parent_id=child.role_id)
    stranger = await a_role(connection, role.tenant_id, "stranger")

    family = await a_class(connection, role, inherit="full", members=(role.role_id,))

    assert [await classes_of(connection, each) for each in (role, child, grandchild, stranger)] == [
        {family.class_id},
        {family.class_id},
        {family.class_id},
        frozenset(),
    ]


async def test_tenants_share_no_classes(connection: AsyncConnection, role: Role) -> None:
    users = await a_class(connection, role)
    other = await a_role(connection, (await a_tenant(connection, "other")).tenant_id, "bob")

    assert await find_class(connection, other.tenant_id, users.class_id) is None
    assert await list_classes(connection, other.tenant_id) == ()
    assert await update_class(connection, other.tenant_id, users.class_id, ClassChanges(name="x")) is None
    assert await delete_class(connection, other.tenant_id, users.class_id) is None
    with pytest.raises(ForeignKeyViolated):
        await update_class(
            connection, role.tenant_id, users.class_id, ClassChanges(member_ids=frozenset({other.role_id}))
        )
    with pytest.raises(ForeignKeyViolated):
        await a_role(connection, other.tenant_id, "eve", class_ids=(users.class_id,))
    with pytest.raises(IntegrityError):
        await connection.execute(
            text(
                "insert into ostiary.role_membership (tenant_id, role_id, class_id)"
                f" values ({role.tenant_id}, {other.role_id}, {users.class_id})"
            )
        )


@pytest.mark.parametrize("missing", [99, 0, -1, 2**40])
async def test_an_unknown_class_or_member_is_named_in_the_refusal(
    connection: AsyncConnection, role: Role, missing: int
) -> None:
    with pytest.raises(ForeignKeyViolated, match=f"no role class {missing}"):
        await a_role(connection, role.tenant_id, "bob", class_ids=(missing,))
    with pytest.raises(ForeignKeyViolated, match=f"no role {missing}"):
        await a_class(connection, role, members=(missing,))


async def test_an_unknown_way_to_inherit_is_refused(connection: AsyncConnection, role: Role) -> None:
    with pytest.raises(CheckViolated, match="none, create, full"):
        await a_class(connection, role, inherit="sometimes")


async def test_deleting_a_class_leaves_no_member_and_opens_no_rule(connection: AsyncConnection, role: Role) -> None:
    users = await a_class(connection, role, members=(role.role_id,))
    rule = await insert_rule(
        connection,
        tenant_id=role.tenant_id,
        name="for users",
        capabilities=["select"],
        targets=["item"],
        creator_id=role.role_id,
        class_ids=[users.class_id],
    )

    assert await delete_class(connection, role.tenant_id, users.class_id) == users

    assert await classes_of(connection, role) == frozenset()
    # With no class it would be a rule for everybody.
    assert await list_rules(connection, role.tenant_id) == (rule,)
    assert rule.class_ids == {users.class_id}


async def test_a_class_may_have_more_members_than_a_statement_has_parameters(
    connection: AsyncConnection, role: Role
) -> None:
    ids = await connection.scalars(
        text(
            "insert into ostiary.role (tenant_id, login, name, creator_id)"
            f" select {role.tenant_id}, 'r' || n, 'n', 0 from generate_series(1, 33000) n returning role_id"
        )
    )
    everybody = frozenset(ids)

    users = await a_class(connection, role, members=tuple(everybody))
    await update_class(
        connection, role.tenant_id, users.class_id, ClassChanges(member_ids=everybody - {max(everybody)})
    )

    assert await connection.scalar(text("select count(*) from ostiary.role_membership")) == 32_999
