"""Random histories of roles and classes: who is in which class, and whose children are whose, beside a plain model."""

import asyncio
from dataclasses import dataclass, field
from typing import Any, Literal

import pytest
from hypothesis import strategies as st
from sqlalchemy.ext.asyncio import AsyncConnection

from db.classes import ClassChanges, insert_class, update_class
from db.engines import control_engine
from db.migrate import migrate
from db.roles import ParentCycle, RoleChanges, find_role, insert_role, update_role
from gateway.auth.principals import read_principal
from schema.principal import Principal
from tests.control_rows import a_tenant
from tests.databases import Databases
from tests.oracle.cases import above_of
from tests.oracle.dice import Dice, DrawnDice, one_of, some_of
from tests.oracle.explore import HISTORIES, explore

pytestmark = [pytest.mark.postgres, pytest.mark.timeout(0)]

Inherit = Literal["none", "create", "full"]
ROLES = 5
CLASSES = 3


@dataclass(frozen=True)
class NewRole:
    """`parent` and `creator` are numbers of roles that are there already; the creator may be nobody of the tenant's."""

    parent: int | None
    creator: int | None
    classes: tuple[int, ...]


@dataclass(frozen=True)
class Move:
    role: int
    parent: int | None


@dataclass(frozen=True)
class Members:
    class_: int
    roles: tuple[int, ...]


@dataclass(frozen=True)
class Handing:
    class_: int
    inherit: Inherit


Event = NewRole | Move | Members | Handing


@dataclass(frozen=True)
class History:
    inherits: tuple[Inherit, ...]
    events: tuple[Event, ...]


def histories() -> st.SearchStrategy[History]:
    @st.composite
    def drawn(draw: Any) -> History:
        return a_history(DrawnDice(draw))

    return drawn()


def a_history(dice: Dice) -> History:
    kinds: tuple[Inherit, ...] = ("full", "create", "none")
    inherits = tuple(one_of(dice, kinds) for _ in range(CLASSES))
    events: list[Event] = []
    count = 0
    for _ in range(ROLES + dice.below(6)):
        there = range(count)
        match dice.below(6) if count else 0:
            case 3:
                events.append(Move(one_of(dice, there), one_of(dice, (None, *there))))
            case 4:
                events.append(Members(dice.below(CLASSES), some_of(dice, there, 40)))
            case 5:
                events.append(Handing(dice.below(CLASSES), one_of(dice, kinds)))
            case _:
                parent = one_of(dice, (*reversed(there), None))
                creator = one_of(dice, (parent, None, *there))
                events.append(NewRole(parent, creator, some_of(dice, range(CLASSES), 25)))
                count += 1
    return History(inherits, tuple(events))


@dataclass
class Plain:
    """What docs/policy.md says of roles and classes, kept in dictionaries."""

    inherits: dict[int, Inherit]
    parents: dict[int, int | None] = field(default_factory=dict[int, int | None])
    members: set[tuple[int, int]] = field(default_factory=set[tuple[int, int]])

    def classes_of(self, role: int) -> set[int]:
        above = above_of(self.parents, role)
        return {
            class_
            for class_, inherit in self.inherits.items()
            if (role, class_) in self.members
            or (inherit == "full" and any((each, class_) in self.members for each in above))
        }

    def happen(self, event: Event) -> None:
        match event:
            case NewRole(parent, creator, classes):
                role = len(self.parents)
                joined = set(classes)
                if parent is not None and parent == creator:
                    joined |= {each for each in self.classes_of(parent) if self.inherits[each] == "create"}
                self.parents[role] = parent
                self.members |= {(role, each) for each in joined}
            case Move(role, parent):
                # Nobody is below itself.
                if parent is None or (parent != role and role not in above_of(self.parents, parent)):
                    self.parents[role] = parent
            case Members(class_, roles):
                self.members = {pair for pair in self.members if pair[1] != class_} | {(role, class_) for role in roles}
            case Handing(class_, inherit):
                self.inherits[class_] = inherit


def test_roles_are_in_the_classes_that_are_handed_on_to_them(databases: Databases) -> None:
    dsn = databases.create()
    with asyncio.Runner() as runner:
        runner.run(migrate(dsn))
        explore(histories(), lambda history: runner.run(compare(dsn, history)), HISTORIES, 0)
    databases.drop(dsn)


async def compare(dsn: str, history: History) -> None:
    engine = control_engine(dsn)
    try:
        # Nothing of it is committed.
        async with engine.connect() as connection:
            await _live_through(connection, history)
    finally:
        await engine.dispose()


async def _live_through(connection: AsyncConnection, history: History) -> None:
    tenant = await a_tenant(connection)
    plain = Plain(dict(enumerate(history.inherits)))
    classes = [
        (
            await insert_class(
                connection, tenant_id=tenant.tenant_id, name=f"class {number}", inherit=inherit, creator_id=0
            )
        ).class_id
        for number, inherit in enumerate(history.inherits)
    ]
    roles: list[int] = []
    for event in history.events:
        plain.happen(event)
        await _happen(connection, tenant.tenant_id, event, roles, classes)
    numbers = {role_id: number for number, role_id in enumerate(roles)}
    kinds = {class_id: number for number, class_id in enumerate(classes)}
    for number, role_id in enumerate(roles):
        role = await find_role(connection, tenant.tenant_id, role_id)
        assert role is not None
        principal: Principal = await read_principal(connection, tenant, role, "")
        found = (
            None if principal.parent_id is None else numbers[principal.parent_id],
            {numbers[child] for child in principal.child_ids},
            {kinds[class_id] for class_id in principal.class_ids},
        )
        children = {child for child, parent in plain.parents.items() if parent == number}
        assert found == (plain.parents[number], children, plain.classes_of(number)), (number, history)


async def _happen(
    connection: AsyncConnection, tenant_id: int, event: Event, roles: list[int], classes: list[int]
) -> None:
    match event:
        case NewRole(parent, creator, joined):
            made = await insert_role(
                connection,
                tenant_id=tenant_id,
                login=f"role {len(roles)}",
                name="A role",
                parent_id=None if parent is None else roles[parent],
                creator_id=0 if creator is None else roles[creator],
                capabilities=["select"],
                class_ids=[classes[each] for each in joined],
                password_hash=None,
            )
            roles.append(made.role_id)
        case Move(role, parent):
            changes = RoleChanges(parent_id=None if parent is None else roles[parent])
            try:
                async with connection.begin_nested():
                    await update_role(connection, tenant_id, roles[role], changes)
            except ParentCycle:
                return
        case Members(class_, members):
            ids = frozenset(roles[each] for each in members)
            await update_class(connection, tenant_id, classes[class_], ClassChanges(member_ids=ids))
        case Handing(class_, inherit):
            await update_class(connection, tenant_id, classes[class_], ClassChanges(inherit=inherit))
