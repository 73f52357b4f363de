"""A tenant that one test has for itself: its root, and roles, classes and rules as root makes them over the wire."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import count
from typing import Any
from uuid import uuid4

from db.engines import control_engine
from db.guests import set_guest_policy
from db.records import GuestPolicy, RuleChoice
from db.secrets import load_master_key
from db.tenants import set_rule_choice
from gateway.provision import Credentials, create_tenant
from tests.gateways import Login
from tests.wire import PASSWORD, Json
from tests.worlds import World

TABLES = """
create schema side;
create table team (id integer primary key, name text not null, owner integer);
create table note (
    id integer primary key, team_id integer references team, owner integer, body text not null, size integer not null
);
create table tag (id integer primary key, word text not null);
create table note_tag (
    note_id integer not null references note on delete cascade,
    tag_id integer not null references tag,
    primary key (note_id, tag_id)
);
create table side.memo (id integer primary key, body text not null);
create view short_note as select id, body from note where size < 15;

insert into team values (1, 'Red', null), (2, 'Blue', null);
insert into note values (1, 1, null, 'one', 10), (2, 1, null, 'two', 20), (3, 2, null, 'three', 30);
insert into tag values (1, 'new'), (2, 'old');
insert into note_tag values (1, 1), (1, 2), (3, 2);
insert into side.memo values (1, 'aside');
"""
SCHEMAS = ("public", "side")
CREATE_ROLE = "mutation ($i: roleInput) { create_role(input: $i) { roleid } }"
CREATE_CLASS = "mutation ($i: role_classInput) { create_role_class(input: $i) { classid } }"
CREATE_RULE = "mutation ($i: policy_ruleInput) { create_policy_rule(input: $i) { ruleid } }"

_numbers = count(1)


@dataclass(frozen=True)
class Member:
    """A role with a token; with `password` it can log in as well."""

    role_id: int
    token: str = field(repr=False)
    login: str
    password: str = field(default="", repr=False)


@dataclass(frozen=True)
class House:
    """One tenant of a running gateway, on a database like TABLES that nobody else uses."""

    wire: World
    tenant_id: int
    root: Member

    @classmethod
    def open(cls, world: World, tenant_dsn: str) -> "House":
        made = asyncio.run(_add_tenant(world, tenant_dsn))
        reply = world.enter(Login(made.tenant_id, made.login, made.password))
        root = Member(int(reply["roleid"]), str(reply["access_token"]), made.login, made.password)
        return cls(world, made.tenant_id, root)

    def member(
        self,
        *capabilities: str,
        classes: Iterable[int] = (),
        parent: Member | None = None,
        by: Member | None = None,
        can_log_in: bool = False,
    ) -> Member:
        """A new role: with these capabilities, or with the normal ones where none is given."""
        login = uuid4().hex
        given: dict[str, object] = {"tenantid": self.tenant_id, "login": login, "name": "A role"}
        given |= {"capabilities": capabilities} if capabilities else {}
        given |= {"classes": list(classes)} if classes else {}
        given |= {"parentid": parent.role_id} if parent else {}
        given |= {"password": PASSWORD} if can_log_in else {}
        made = self.control(by or self.root, CREATE_ROLE, {"i": given})["create_role"]
        role_id = int(made["roleid"])
        return Member(role_id, self.token_of(role_id), login, PASSWORD if can_log_in else "")

    def token_of(self, role_id: int) -> str:
        """An access token for a role of this tenant, as root gets one for it."""
        answer = self.control(self.root, f"{{ Utility {{ role_token(roleid: {role_id}) }} }}")
        return str(answer["Utility"]["role_token"])

    def role_class(self, *members: Member, inherit: str = "none") -> int:
        given = {
            "tenantid": self.tenant_id,
            "name": f"class {next(_numbers)}",
            "inherit": inherit,
            "members": [member.role_id for member in members],
        }
        return int(self.control(self.root, CREATE_CLASS, {"i": given})["create_role_class"]["classid"])

    def rule(
        self,
        capabilities: str | list[str] = "select",
        targets: str | list[str] = "note",
        only: str = "",
        *,
        to: Member | list[Member] | None = None,
        classes: Iterable[int] = (),
        **more: object,
    ) -> int:
        """A rule of root's: global unless it says to whom."""
        members = [to] if isinstance(to, Member) else to or []
        given = {
            "name": f"rule {next(_numbers)}",
            "capabilities": [capabilities] if isinstance(capabilities, str) else capabilities,
            "targets": [targets] if isinstance(targets, str) else targets,
            "filter": only,
            "roles": [member.role_id for member in members],
            "classes": list(classes),
        } | more
        return int(self.control(self.root, CREATE_RULE, {"i": given})["create_policy_rule"]["ruleid"])

    def choose(self, rule_choice: RuleChoice) -> None:
        """Nothing; the rules that are made from now on go together in this way, as the operator says it."""
        asyncio.run(_choose(self.wire, self.tenant_id, rule_choice))

    def choose_guests(self, policy: GuestPolicy) -> None:
        """Nothing; what becomes of visitors, as the operator says it."""
        asyncio.run(_choose_guests(self.wire, self.tenant_id, policy))

    def enable_anonymous(self) -> Member:
        """The Nobody role, as a visitor has it."""
        self.control(self.root, "{ Utility { anonymous_logins(enable: true) } }")
        reply = self.wire.post("/anonauth?schema=none", {"tenantid": self.tenant_id}).json()
        return Member(int(reply["roleid"]), str(reply["access_token"]), f"nobody{self.tenant_id}")

    def ask(self, who: Member, document: str, variables: object = None) -> Json:
        return self.wire.ask(who.token, document, variables)

    def ids(self, who: Member, field: str = "note") -> list[int]:
        """The keys of the rows of a list that someone sees."""
        rows = self.ask(who, f"{{ {field} {{ id }} }}")[field]
        return sorted(int(row["id"]) for row in rows)

    def refused(self, who: Member, document: str, variables: object = None) -> Json:
        return self.wire.refused(who.token, document, variables)

    def control(self, who: Member, document: str, variables: object = None) -> Json:
        return self.wire.control(who.token, document, variables)

    def control_refused(self, who: Member, document: str, variables: object = None) -> Json:
        return self.wire.refused(who.token, document, variables, "/roles_pbac")

    def code(self, who: Member, document: str, variables: object = None) -> str:
        """The code of a refusal on /query."""
        return code_of(self.refused(who, document, variables))


def code_of(error: dict[str, Any]) -> str:
    return str(error["extensions"]["code"])


async def _choose_guests(world: World, tenant_id: int, policy: GuestPolicy) -> None:
    engine = control_engine(world.control_dsn)
    try:
        async with engine.begin() as connection:
            await set_guest_policy(connection, tenant_id, policy)
    finally:
        await engine.dispose()


async def _choose(world: World, tenant_id: int, rule_choice: RuleChoice) -> None:
    engine = control_engine(world.control_dsn)
    try:
        async with engine.begin() as connection:
            await set_rule_choice(connection, tenant_id, rule_choice)
    finally:
        await engine.dispose()


async def _add_tenant(world: World, tenant_dsn: str) -> Credentials:
    engine = control_engine(world.control_dsn)
    try:
        async with engine.begin() as connection:
            _, _, made = await create_tenant(
                connection,
                name=f"house {next(_numbers)}",
                dsn=tenant_dsn,
                master_key=load_master_key(world.master_key),
                schemas=SCHEMAS,
            )
        return made
    finally:
        await engine.dispose()
