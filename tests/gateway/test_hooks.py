"""Hooks: whom a tenant asks before a visitor comes in or becomes an account, and whom it tells afterwards."""

import asyncio
import base64
import hashlib
import hmac
import json
import secrets
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import httpx2
import pytest
from sqlalchemy import text

from db.guests import set_guest_policy
from db.hook_outbox import RETRIES
from db.records import GuestPolicy, Hook
from gateway.hooks import UnknownEvent, deliver_once, with_hook
from gateway.webhooks import HookAddressUnusable, parse_address
from tests.doors import MASTER_KEY
from tests.shelters import DAY, Shelter

IDENTITY = GuestPolicy(mode="identity", session_seconds=3600)
YES = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
NO = (
    b"HTTP/1.1 403 No\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    b'18\r\n{"reason": "Not today."}\r\n0\r\n\r\n'
)
BROKEN = b"HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n"


@dataclass
class Receiver:
    """A server that a hook's address leads to: it gives one answer, and keeps what it was sent."""

    answer: bytes = YES
    is_mute: bool = False
    port: int = 0
    received: list[tuple[dict[str, str], bytes]] = field(default_factory=list[tuple[dict[str, str], bytes]])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hooks?of=ostiary"

    def bodies(self, event: str) -> list[dict[str, Any]]:
        return [body for _, text in self.received if (body := json.loads(text))["type"] == event]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        lines = [line.split(": ", 1) for line in head.splitlines()[1:] if line]
        headers = {name.lower(): value for name, value in lines}
        self.received.append((headers, await reader.readexactly(int(headers["content-length"]))))
        if self.is_mute:
            await reader.read()
        else:
            writer.write(self.answer)
            await writer.drain()
        writer.close()


@pytest.fixture
async def receiver() -> AsyncGenerator[Receiver]:
    opened = Receiver()
    server = await asyncio.start_server(opened.serve, "127.0.0.1", 0)
    opened.port = server.sockets[0].getsockname()[1]
    yield opened
    server.close()


async def hang(shelter: Shelter, *hooks: Hook) -> str:
    """The secret that requests are signed with, after the tenant has these hooks and no others."""
    policy, made = replace(IDENTITY), None
    for hook in hooks:
        policy, secret = with_hook(policy, hook, MASTER_KEY, secrets.token_bytes)
        made = made or secret
    await shelter.choose(policy)
    return made or ""


async def visit(shelter: Shelter, **given: object) -> httpx2.Response:
    body = {"tenantid": shelter.tenant_id} | given
    return await shelter.client.post("/auth/guest?schema=none", json=body)


async def deliver(shelter: Shelter) -> None:
    while await deliver_once(shelter.state):
        pass


@asynccontextmanager
async def guests_stay(shelter: Shelter) -> AsyncGenerator[None]:
    """Nothing; meanwhile no guest comes and none becomes anything else."""
    query = "select role_id, kind, login from ostiary.role order by role_id"
    before = await shelter.control(query)
    yield
    assert await shelter.control(query) == before


@pytest.mark.postgres
async def test_a_request_is_signed_with_the_tenants_secret(shelter: Shelter, receiver: Receiver) -> None:
    secret = await hang(shelter, Hook("before_guest_login", "http", receiver.url))

    assert (await visit(shelter)).status_code == 200

    ((headers, body),) = receiver.received
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    key = base64.b64decode(secret.removeprefix("whsec_"))
    expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"
    assert json.loads(body)["data"]["tenantid"] == shelter.tenant_id
    stored = await shelter.control(
        "select to_jsonb(p)::text from ostiary.guest_policy p union all select to_jsonb(a)::text from ostiary.audit a"
    )
    assert secret not in str(stored)
    assert "sealed_hook_secret" not in str(
        await shelter.control("select before::text, after::text from ostiary.audit where kind = 'guest_policy'")
    )


@pytest.mark.postgres
async def test_a_hook_that_is_asked_may_refuse_and_then_nothing_has_happened(
    shelter: Shelter, receiver: Receiver
) -> None:
    await hang(
        shelter,
        Hook("before_guest_login", "http", receiver.url),
        Hook("before_conversion", "http", receiver.url),
    )
    guest = await shelter.guest()
    for answer, status, sentence in (
        (NO, 403, "Not today."),
        (YES.replace(b"2\r\n\r\n{}", b'16\r\n\r\n{"allow": false}'), 403, "The tenant has refused this."),
        (BROKEN, 503, "The tenant cannot be asked at the moment. Try again shortly."),
        (b"nonsense\r\n\r\n", 503, "The tenant cannot be asked at the moment. Try again shortly."),
        (b"", 503, "The tenant cannot be asked at the moment. Try again shortly."),
        (b"HTTP/1.1 302 Away\r\nLocation: /\r\nContent-Length: 0\r\n\r\n", 503, None),
    ):
        receiver.answer = answer
        async with guests_stay(shelter):
            for reply in (await visit(shelter), await shelter.convert(guest, "me@example.org")):
                assert reply.status_code == status
                assert sentence is None or reply.json()["error"] == sentence
    receiver.answer = YES

    assert (await shelter.convert(guest, "me@example.org")).status_code == 200
    assert receiver.bodies("before_conversion")[-1]["data"]["login"] == "me@example.org"


@pytest.mark.postgres
async def test_a_hook_that_does_not_answer_in_time_refuses(shelter: Shelter, receiver: Receiver) -> None:
    receiver.is_mute = True
    await hang(shelter, Hook("before_guest_login", "http", receiver.url, timeout_seconds=0.2))

    async with guests_stay(shelter):
        assert (await visit(shelter)).status_code == 503


@pytest.mark.postgres
async def test_what_has_happened_is_told_once_it_is_stored(shelter: Shelter, receiver: Receiver) -> None:
    await hang(shelter, *(Hook(f"after_{event}", "http", receiver.url) for event in EVENTS))
    guest, gone = await shelter.guest(), await shelter.guest()
    await shelter.convert(guest, "me@example.org")
    await shelter.convert(gone, "me@example.org")
    shelter.clock.now += 91 * DAY
    await shelter.sweep()

    await deliver(shelter)

    told = {event: [body["data"] for body in receiver.bodies(f"after_{event}")] for event in EVENTS}
    assert [data["roleid"] for data in told["guest_login"]] == [guest.role_id, gone.role_id]
    assert [(data["roleid"], data["login"]) for data in told["conversion"]] == [(guest.role_id, "me@example.org")]
    assert [data["roleids"] for data in told["expiry"]] == [[gone.role_id]]
    assert await shelter.control("select 1 from ostiary.hook_outbox") == []


EVENTS = ("guest_login", "conversion", "expiry")


@pytest.mark.postgres
async def test_what_was_not_heard_is_told_again_under_the_same_id_and_in_the_end_given_up(
    shelter: Shelter, receiver: Receiver
) -> None:
    receiver.answer = BROKEN
    await hang(shelter, Hook("after_guest_login", "http", receiver.url))
    await shelter.guest()
    await deliver(shelter)
    assert len(receiver.received) == 1

    for delay in RETRIES:
        await deliver(shelter)
        shelter.clock.now += delay.total_seconds() + 1
        await deliver(shelter)

    assert len(receiver.received) == 1 + len(RETRIES)
    assert len({headers["webhook-id"] for headers, _ in receiver.received}) == 1
    assert await shelter.control("select 1 from ostiary.hook_outbox") == []


@pytest.mark.postgres
async def test_a_challenge_guards_guests_and_nobody_else(shelter: Shelter, receiver: Receiver) -> None:
    await hang(shelter, Hook("challenge", "http", receiver.url))

    without, met = await visit(shelter), await visit(shelter, challenge="solved")
    receiver.answer = NO
    failed = await visit(shelter, challenge="wrong")
    through_the_other_door = await shelter.client.post("/anonauth", json={"tenantid": shelter.tenant_id})

    assert [reply.status_code for reply in (without, met, failed, through_the_other_door)] == [403, 200, 403, 403]
    assert failed.json()["error"] == "The challenge was not met."
    assert [body["data"]["challenge"] for body in receiver.bodies("challenge")] == ["solved", "wrong"]
    account = await shelter.account("ann@example.org")
    assert (await shelter.whoami(account)).status_code == 200


@pytest.mark.postgres
@pytest.mark.parametrize(
    ("kind", "body", "status"),
    [
        ("boolean", "select true", 200),
        ("boolean", "select null::boolean", 200),
        ("boolean", "select false", 403),
        ("text", "select null::text", 200),
        ("text", "select 'Not from ' || ($1 -> 'data' ->> 'facade')", 403),
        ("void", "insert into heard values ($1)", 200),
        ("integer", "select 1 / 0", 503),
        ("void", "select pg_sleep(5)", 503),
    ],
)
async def test_a_function_of_the_tenants_database_can_be_a_hook(
    shelter: Shelter, kind: str, body: str, status: int
) -> None:
    await shelter.rows("create table heard (what jsonb)")
    await shelter.rows(f'create function "Before"(jsonb) returns {kind} language sql as $body$ {body} $body$')
    await hang(shelter, Hook("before_guest_login", "sql", "public.Before", timeout_seconds=0.5))

    reply = await visit(shelter)

    assert reply.status_code == status, reply.text
    if kind == "text" and status == 403:
        assert reply.json()["error"] == "Not from native"
    if "heard" in body:
        ((what,),) = await shelter.rows("select what ->> 'type' from heard")
        assert what == "before_guest_login"


@pytest.mark.postgres
async def test_a_policy_keeps_its_hooks_when_something_else_is_chosen(shelter: Shelter) -> None:
    policy, first = with_hook(IDENTITY, Hook("challenge", "sql", "f"), MASTER_KEY, secrets.token_bytes)
    policy, second = with_hook(policy, Hook("challenge", "sql", "g", 1.5), MASTER_KEY, secrets.token_bytes)
    async with shelter.state.engine.begin() as connection:
        stored = await set_guest_policy(connection, shelter.tenant_id, policy)
        kept = await set_guest_policy(connection, shelter.tenant_id, replace(stored, rows="disown"))
        await connection.execute(text("select 1"))

    assert first is not None
    assert second is None
    assert stored.hooks == kept.hooks == (Hook("challenge", "sql", "g", 1.5),)
    assert stored.sealed_hook_secret == kept.sealed_hook_secret != None  # noqa: E711 - of all three


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.org/",
        "example.org/hook",
        "http://",
        "http://user:password@example.org/",
        "http://example.org/a b",
        "http://example.org/\r\nX: y",
        "http://example.org:port/",
        "http://exämple.org/",
    ],
)
def test_an_address_that_could_not_be_asked_is_refused(url: str) -> None:
    with pytest.raises(HookAddressUnusable):
        with_hook(IDENTITY, Hook("challenge", "http", url), MASTER_KEY, secrets.token_bytes)


def test_a_hook_on_something_that_does_not_happen_is_refused() -> None:
    with pytest.raises(UnknownEvent):
        with_hook(IDENTITY, Hook("before_breakfast", "sql", "f"), MASTER_KEY, secrets.token_bytes)


def test_an_address_has_the_port_of_its_scheme() -> None:
    assert [parse_address(url).port for url in ("http://a.org", "https://a.org/x", "https://a.org:8443")] == [
        80,
        443,
        8443,
    ]
