"""Policy rules as they are stored."""

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from db.classes import delete_class, insert_class
from db.errors import CheckViolated, ForeignKeyViolated, InvalidValue
from db.records import Role, Rule
from db.rules import RuleChanges, delete_rule, find_rule, insert_rule, list_rules, update_rule
from db.tenants import find_tenant
from tests.control_rows import MASTER_KEY, a_role, a_tenant

pytestmark = pytest.mark.postgres


async def a_rule(connection: AsyncConnection, role: Role, name: str = "read items") -> Rule:
    return await insert_rule(
        connection,
        tenant_id=role.tenant_id,
        name=name,
        capabilities=["select", "update"],
        targets=["item", "public.list"],
        filter_text="devii_roleid = $_PRINCIPAL.roleid",
        role_ids=[role.role_id],
        creator_id=role.role_id,
    )


async def test_a_rule_is_found_and_listed_as_it_was_inserted(connection: AsyncConnection, role: Role) -> None:
    rule = await a_rule(connection, role)
    second = await a_rule(connection, role, "another")

    assert rule == Rule(
        rule_id=1,
        tenant_id=role.tenant_id,
        name="read items",
        capabilities=frozenset({"select", "update"}),
        targets=frozenset({"item", "public.list"}),
        filter="devii_roleid = $_PRINCIPAL.roleid",
        role_ids=frozenset({role.role_id}),
    )
    assert await find_rule(connection, role.tenant_id, 1) == rule
    assert await list_rules(connection, role.tenant_id) == (rule, second)


async def test_an_update_changes_what_it_names_and_nothing_else(connection: AsyncConnection, role: Role) -> None:
    rule = await a_rule(connection, role)

    updated = await update_rule(connection, role.tenant_id, rule.rule_id, RuleChanges(filter="", role_ids=frozenset()))

    assert updated is not None
    assert (updated.filter, updated.role_ids) == ("", frozenset())
    assert (updated.name, updated.capabilities, updated.targets) == (rule.name, rule.capabilities, rule.targets)
    assert await find_rule(connection, role.tenant_id, rule.rule_id) == updated


async def test_a_deleted_rule_is_gone(connection: AsyncConnection, role: Role) -> None:
    rule = await a_rule(connection, role)

    assert await delete_rule(connection, role.tenant_id, rule.rule_id) == rule
    assert await delete_rule(connection, role.tenant_id, rule.rule_id) is None
    assert await list_rules(connection, role.tenant_id) == ()


async def test_a_rule_without_capability_or_target_is_refused(connection: AsyncConnection, role: Role) -> None:
    rule = await a_rule(connection, role)

    for changes in (RuleChanges(capabilities=frozenset()), RuleChanges(targets=frozenset())):
        with pytest.raises(CheckViolated):
            await update_rule(connection, role.tenant_id, rule.rule_id, changes)
    with pytest.raises(CheckViolated):
        await insert_rule(
            connection, tenant_id=role.tenant_id, name="x", capabilities=[], targets=["item"], creator_id=1
        )


async def test_tenants_share_no_rules(connection: AsyncConnection, role: Role) -> None:
    rule = await a_rule(connection, role)
    other = await a_role(connection, (await a_tenant(connection, "other")).tenant_id, "bob")

    assert await list_rules(connection, other.tenant_id) == ()
    assert await find_rule(connection, other.tenant_id, rule.rule_id) is None
    assert await update_rule(connection, other.tenant_id, rule.rule_id, RuleChanges(name="x")) is None
    assert await delete_rule(connection, other.tenant_id, rule.rule_id) is None
    with pytest.raises(ForeignKeyViolated):
        await update_rule(connection, role.tenant_id, rule.rule_id, RuleChanges(role_ids=frozenset({other.role_id})))
    assert await list_rules(connection, role.tenant_id) == (rule,)


async def test_a_class_that_was_deleted_may_stay_in_a_rule_but_not_come_anew(
    connection: AsyncConnection, role: Role
) -> None:
    users = await insert_class(connection, tenant_id=role.tenant_id, name="u", inherit="none", creator_id=1)
    rule = await a_rule(connection, role)
    named = frozenset({users.class_id})
    await update_rule(connection, role.tenant_id, rule.rule_id, RuleChanges(class_ids=named))
    await delete_class(connection, role.tenant_id, users.class_id)

    kept = await update_rule(connection, role.tenant_id, rule.rule_id, RuleChanges(name="n", class_ids=named))

    assert kept is not None
    assert kept.class_ids == named
    second = await a_rule(connection, role)
    with pytest.raises(ForeignKeyViolated):
        await update_rule(connection, role.tenant_id, second.rule_id, RuleChanges(class_ids=named))


@pytest.mark.parametrize("changes", [RuleChanges(filter="a\0"), RuleChanges(targets=frozenset({"\ud800"}))])
async def test_a_text_that_no_column_can_hold_is_refused(
    connection: AsyncConnection, role: Role, changes: RuleChanges
) -> None:
    rule = await a_rule(connection, role)

    with pytest.raises(InvalidValue):
        await update_rule(connection, role.tenant_id, rule.rule_id, changes)


async def test_every_change_of_a_rule_is_announced(connection: AsyncConnection, role: Role) -> None:
    async def version() -> int:
        found = await find_tenant(connection, role.tenant_id, MASTER_KEY)
        assert found is not None
        return found.version

    seen = [await version()]
    rule = await a_rule(connection, role)
    seen.append(await version())
    await update_rule(connection, role.tenant_id, rule.rule_id, RuleChanges(name="x"))
    seen.append(await version())
    await delete_rule(connection, role.tenant_id, rule.rule_id)
    seen.append(await version())

    assert seen == sorted(set(seen))
