"""Guests under any order of events: no row is lost, no identity has two principals, and no token outlives its session.

The machine keeps a model of who is who, what each has written and how long each session lasts, and compares.
"""

import asyncio
from collections.abc import Coroutine
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from db.records import GuestPolicy
from db.roles import set_deleted
from gateway.auth.refusals import TokenExpired, TokenRevoked
from schema.principal import Principal
from tests.databases import Databases
from tests.doors import bearer
from tests.shelters import BuiltShelter, Person, Shelter
from tests.wire import PASSWORD

pytestmark = pytest.mark.postgres

Result = TypeVar("Result")
SESSION_SECONDS = 20_000
IDLE_SECONDS = 7_200
RETENTION_SECONDS = 30_000
# No longer than its access token lasts, whose age the model then need not know.
ACCOUNT_SECONDS = 86_400
POLICY = GuestPolicy(
    mode="identity", session_seconds=SESSION_SECONDS, idle_seconds=IDLE_SECONDS, retention_seconds=RETENTION_SECONDS
)
LOGINS = tuple(f"user{number}@example.org" for number in range(3))


@dataclass
class Session:
    """What the model knows of one session: its tokens, and until when they count."""

    person: Person
    expires_at: float
    idle_seconds: float | None
    used_at: float
    ended: bool = False

    def is_open(self, now: float) -> bool:
        is_idle = self.idle_seconds is not None and now >= self.used_at + self.idle_seconds
        return not self.ended and now < self.expires_at and not is_idle


@dataclass
class Role:
    """What the model knows of one role."""

    role_id: int
    kind: str
    login: str = ""
    notes: set[str] = field(default_factory=set[str])
    sessions: list[Session] = field(default_factory=list[Session])


class GuestMachine(RuleBasedStateMachine):
    """Drives one gateway; `opened` is set by the test."""

    databases: Databases
    built: BuiltShelter

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.roles: dict[int, Role] = {}
        self.enabled = True
        self.count = 0
        self.opening: AbstractAsyncContextManager[Shelter] = self.built.open(
            self.databases, session_max_seconds=ACCOUNT_SECONDS, access_token_seconds=86_400, token_leeway_seconds=0
        )
        self.shelter = self.wait(self.opening.__aenter__())
        self.wait(self.shelter.choose(POLICY))

    def wait(self, work: Coroutine[Any, Any, Result]) -> Result:
        return self.loop.run_until_complete(work)

    def teardown(self) -> None:
        self.wait(self.opening.__aexit__(None, None, None))
        self.loop.close()

    @property
    def now(self) -> float:
        return self.shelter.clock.now

    @property
    def sessions(self) -> list[Session]:
        return [session for role in self.roles.values() for session in role.sessions]

    def role_of(self, session: Session) -> Role:
        return self.roles[session.person.role_id]

    def counts(self, session: Session) -> bool:
        """Whether its tokens are to be taken now."""
        role = self.role_of(session)
        return session.is_open(self.now) and role.kind != "gone" and (role.kind == "account" or self.enabled)

    def use(self, session: Session) -> None:
        if self.counts(session):
            session.used_at = self.now

    # --- events ---------------------------------------------------------------------------------------------------

    @initialize()
    def come_first(self) -> None:
        self.come()

    @rule()
    def come(self) -> None:
        body = {"tenantid": self.shelter.tenant_id}
        reply = self.wait(self.shelter.client.post("/auth/guest?schema=none", json=body))
        assert reply.status_code == (200 if self.enabled else 403)
        if self.enabled:
            given = reply.json()
            assert given["roleid"] not in self.roles
            person = Person(given["roleid"], given["access_token"], given["refresh_token"])
            role = self.roles[person.role_id] = Role(person.role_id, "guest")
            role.sessions.append(Session(person, int(self.now) + SESSION_SECONDS, IDLE_SECONDS, self.now))

    @rule(login=st.sampled_from(LOGINS))
    def register(self, login: str) -> None:
        body = {"tenantid": self.shelter.tenant_id, "login": login.upper(), "password": PASSWORD}
        reply = self.wait(self.shelter.client.post("/auth/register", json=body))
        assert reply.status_code == (403 if not self.enabled else 409 if self.owner_of(login) else 201)
        if reply.status_code == 201:
            role_id = reply.json()["roleid"]
            assert role_id not in self.roles
            self.roles[role_id] = Role(role_id, "account", login)

    def owner_of(self, login: str) -> Role | None:
        return next((role for role in self.roles.values() if role.login == login and role.kind == "account"), None)

    @rule(login=st.sampled_from(LOGINS))
    def log_in(self, login: str) -> None:
        owner = self.owner_of(login)
        body = {"tenantid": self.shelter.tenant_id, "login": login, "password": PASSWORD}
        reply = self.wait(self.shelter.client.post("/auth?schema=none", json=body))
        assert reply.status_code == (200 if owner else 404)
        if owner is not None:
            given = reply.json()
            assert given["roleid"] == owner.role_id
            person = Person(owner.role_id, given["access_token"], given["refresh_token"], login)
            owner.sessions.append(Session(person, int(self.now) + ACCOUNT_SECONDS, None, self.now))

    @precondition(lambda self: bool(self.sessions))
    @rule(data=st.data(), login=st.sampled_from(LOGINS))
    def convert(self, data: st.DataObject, login: str) -> None:
        session = data.draw(st.sampled_from(self.sessions))
        role, may = self.role_of(session), self.counts(session)
        reply = self.wait(self.shelter.convert(session.person, login))
        if not may:
            expected = 401
        elif role.kind != "guest" or self.owner_of(login) is not None:
            expected = 409
        else:
            expected = 200
        assert reply.status_code == expected, reply.text
        self.use(session)
        if expected == 200:
            assert reply.json()["roleid"] == role.role_id
            role.kind, role.login = "account", login

    @precondition(lambda self: len(self.sessions) > 1)
    @rule(data=st.data(), strategy=st.sampled_from(["refuse", "keep_account", "keep_guest"]))
    def adopt(self, data: st.DataObject, strategy: str) -> None:
        one, other = (data.draw(st.sampled_from(self.sessions)) for _ in range(2))
        account, guest = self.role_of(one), self.role_of(other)
        may = self.counts(one) and self.counts(other)
        reply = self.wait(self.shelter.adopt(one.person, other.person, strategy=strategy))
        fits = account.kind == "account" and guest.kind == "guest"
        assert reply.status_code == (401 if not may else 200 if fits else 409), reply.text
        for session in (one, other) if may else (one,):
            self.use(session)
        if not may and self.counts(one):
            one.used_at = self.now
        if reply.status_code == 200:
            account.notes |= guest.notes
            guest.notes, guest.kind = set(), "gone"

    @precondition(lambda self: bool(self.sessions))
    @rule(data=st.data())
    def write(self, data: st.DataObject) -> None:
        session = data.draw(st.sampled_from(self.sessions))
        if self.counts(session):
            self.count += 1
            body = f"note {self.count}"
            self.wait(self.shelter.write_note(session.person, body))
            self.role_of(session).notes.add(body)
            self.use(session)

    @precondition(lambda self: bool(self.sessions))
    @rule(data=st.data())
    def refresh(self, data: st.DataObject) -> None:
        session = data.draw(st.sampled_from(self.sessions))
        may = self.counts(session)
        headers = bearer(session.person.refresh)
        reply = self.wait(self.shelter.client.get("/auth?schema=none", headers=headers))
        assert reply.status_code == (200 if may else 401), reply.text
        self.use(session)
        if may:
            session.person.access = reply.json()["access_token"]
            session.person.refresh = reply.json()["refresh_token"]

    @precondition(lambda self: bool(self.sessions))
    @rule(data=st.data())
    def ask(self, data: st.DataObject) -> None:
        session = data.draw(st.sampled_from(self.sessions))
        reply = self.wait(self.shelter.whoami(session.person))
        assert reply.status_code == (200 if self.counts(session) else 401), reply.text
        self.use(session)

    @precondition(lambda self: bool(self.sessions))
    @rule(data=st.data())
    def log_out(self, data: st.DataObject) -> None:
        session = data.draw(st.sampled_from(self.sessions))
        may = self.counts(session)
        self.wait(self.shelter.log_out(session.person))
        session.ended |= may

    @precondition(lambda self: bool(self.sessions))
    @rule(data=st.data())
    def log_out_everywhere(self, data: st.DataObject) -> None:
        session = data.draw(st.sampled_from(self.sessions))
        may = self.counts(session)
        reply = self.wait(self.shelter.client.delete("/auth/sessions", headers=bearer(session.person.access)))
        assert reply.status_code == (200 if may else 401)
        for each in self.role_of(session).sessions if may else ():
            each.ended = True

    @rule()
    def switch(self) -> None:
        self.enabled = not self.enabled
        self.wait(self._switch())

    async def _switch(self) -> None:
        ((nobody,),) = await self.shelter.control(
            "select nobody_role_id from ostiary.tenant where tenant_id = :id", id=self.shelter.tenant_id
        )
        async with self.shelter.state.engine.begin() as connection:
            await set_deleted(connection, self.shelter.tenant_id, nobody, not self.enabled)
        self.shelter.state.principals.drop_tenant(self.shelter.tenant_id)

    @rule(seconds=st.sampled_from([1, 60, 3_000, 7_199, 7_201, 15_000, 40_000]))
    def let_time_pass(self, seconds: int) -> None:
        self.shelter.clock.now += seconds

    @rule()
    def store_uses(self) -> None:
        self.wait(self.shelter.state.principals.store_uses())

    @rule()
    def forget_everything(self) -> None:
        """As where the listener lost its connection; what was not stored of uses is kept."""
        self.shelter.state.principals.drop_all()

    @rule()
    def sweep(self) -> None:
        self.wait(self.shelter.state.principals.store_uses())
        self.wait(self.shelter.sweep())
        left = {role_id for (role_id,) in self.wait(self.shelter.control("select role_id from ostiary.role"))}
        for role in self.roles.values():
            if role.kind == "guest" and role.role_id not in left:
                seen = max(session.used_at for session in role.sessions)
                assert not any(session.is_open(self.now) for session in role.sessions)
                # Of uses those are stored that are a sixtieth of the limit apart.
                assert self.now >= seen + RETENTION_SECONDS - IDLE_SECONDS / 60 - 1
                role.kind = "gone"
            else:
                assert role.kind == "gone" or role.role_id in left

    # --- what holds at any time -----------------------------------------------------------------------------------

    @invariant()
    def tokens_count_as_long_as_their_sessions(self) -> None:
        # To ask is not to use, for else no session would ever fall idle here.
        for session in self.sessions:
            principal = self.wait(self.principal_of(session))
            assert (principal is not None) is self.counts(session), session
            if principal is not None:
                assert principal.role_id == session.person.role_id
                assert principal.is_guest is (self.role_of(session).kind == "guest")

    async def principal_of(self, session: Session) -> Principal | None:
        principals = self.shelter.state.principals
        try:
            # The refresh token lives as long as the session, which an access token need not.
            claims = await principals.claims_of(session.person.refresh, "refresh")
            return await principals.principal_of(claims, is_use=False)
        except (TokenRevoked, TokenExpired):
            return None

    @invariant()
    def no_row_is_lost(self) -> None:
        stored = self.wait(self.shelter.rows("select owner, body from note"))
        expected = {(role.role_id, note) for role in self.roles.values() for note in role.notes}
        assert set(stored) == expected

    @invariant()
    def no_identity_has_two_principals(self) -> None:
        query = "select login, role_id from ostiary.role where kind = 'account' and not deleted and login like 'user%'"
        stored = self.wait(self.shelter.control(query))
        expected = {role.login: role.role_id for role in self.roles.values() if role.kind == "account"}
        assert len(stored) == len(expected)
        assert dict(stored) == expected
        known = self.wait(
            self.shelter.control("select subject, role_id from ostiary.identity where provider = 'local-userpass'")
        )
        assert dict(known) == expected


@pytest.fixture(scope="module")
def built(databases: Databases) -> BuiltShelter:
    return BuiltShelter.build(databases)


@pytest.mark.timeout(600)
def test_guests_keep_what_they_have_whatever_happens(databases: Databases, built: BuiltShelter) -> None:
    GuestMachine.databases, GuestMachine.built = databases, built

    run_state_machine_as_test(
        GuestMachine,
        settings=settings(
            max_examples=12,
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
            print_blob=True,
        ),
    )
