"""Hooks: what a tenant is asked before a visitor comes in or becomes an account, and what it is told afterwards.

A hook is an address, which gets a signed request, or a function of the tenant's database, which takes a jsonb. Whoever
is asked must answer in time, and yes: `ask_hook` refuses otherwise. What is told is stored with what it tells of, and
delivered until it was heard (`deliver_once`).
"""

import asyncio
import base64
import json
import logging
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal, cast, get_args

import orjson
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection

from db.errors import PublicError, Stopped
from db.hook_outbox import Undelivered, claim_undelivered, delete_delivered, insert_told, put_off
from db.records import GuestPolicy, Hook, Tenant
from db.secrets import MasterKey, seal, unseal
from db.sql import name, slot, sql, to_statement
from db.tenants import find_tenant
from gateway.auth.refusals import ChallengeFailed, HookSilent, RefusedByHook
from gateway.state import AppState
from gateway.webhooks import SECRET_PREFIX, parse_address, post_signed

Question = Literal["before_guest_login", "before_conversion", "challenge"]
News = Literal["after_guest_login", "after_conversion", "after_expiry"]

EVENTS: Final = (*get_args(Question), *get_args(News))
HOOK_SECRET_PURPOSE: Final = "hook secret"  # noqa: S105 - what a secret is sealed for
PAUSE_SECONDS: Final = 1.0
MAX_REASON_CHARS: Final = 200
# Longer than any hook may take, so that nobody else tells it the same meanwhile.
LEASE: Final = timedelta(seconds=60)

log = logging.getLogger(__name__)


class _Failed(Exception):
    """A hook could not be reached, or did not say that it has heard."""


class UnknownEvent(PublicError):
    """A hook is to hang on something that does not happen."""

    code = "UNKNOWN_EVENT"

    def __init__(self) -> None:
        super().__init__(f"A hook can be on one of these: {', '.join(EVENTS)}.")


def with_hook(
    policy: GuestPolicy, hook: Hook, master_key: MasterKey, random: Callable[[int], bytes]
) -> tuple[GuestPolicy, str | None]:
    """The policy with this hook in the place of another on the same event, and the secret that requests are signed
    with, if it was made now. Raises UnknownEvent, HookAddressUnusable."""
    if hook.event not in EVENTS:
        raise UnknownEvent
    if hook.kind == "http":
        parse_address(hook.target)
    hooks = (*(each for each in policy.hooks if each.event != hook.event), hook)
    if policy.sealed_hook_secret is not None:
        return replace(policy, hooks=hooks), None
    secret = SECRET_PREFIX + base64.b64encode(random(32)).decode()
    sealed = seal(master_key, secret.encode(), purpose=HOOK_SECRET_PURPOSE)
    return replace(policy, hooks=hooks, sealed_hook_secret=sealed), secret


def find_hook(tenant: Tenant, event: str) -> Hook | None:
    """The tenant's hook for an event."""
    return next((hook for hook in tenant.guests.hooks if hook.event == event), None)


async def ask_challenge(state: AppState, tenant: Tenant, challenge: str | None, address: str) -> None:
    """Nothing, if the tenant sets visitors no challenge or this one was met. Raises ChallengeFailed, HookSilent."""
    if find_hook(tenant, "challenge") is None:
        return
    if not challenge:
        raise ChallengeFailed
    try:
        await ask_hook(state, tenant, "challenge", {"challenge": challenge, "address": address})
    except RefusedByHook as refusal:
        raise ChallengeFailed from refusal


async def ask_hook(state: AppState, tenant: Tenant, event: Question, told: Mapping[str, object]) -> None:
    """Nothing, if the tenant's hook lets it happen or there is none. Raises RefusedByHook, HookSilent: what was not
    answered is not allowed."""
    hook = find_hook(tenant, event)
    if hook is None:
        return
    message_id = f"msg_{state.random(12).hex()}"
    try:
        reason = await _call(state, tenant, hook, message_id, told)
    except (_Failed, PublicError) as error:
        log.warning("hook %s of tenant %d failed: %s", event, tenant.tenant_id, type(error.__cause__ or error).__name__)
        raise HookSilent from error
    if reason is not None:
        raise RefusedByHook(reason[:MAX_REASON_CHARS])


async def tell_hook(
    connection: AsyncConnection, tenant: Tenant, event: News, told: Mapping[str, object], now: datetime
) -> None:
    """Nothing; if the tenant has a hook for it, it is told once the transaction has committed."""
    if find_hook(tenant, event) is not None:
        await insert_told(connection, tenant.tenant_id, event, told, now)


async def deliver_once(state: AppState) -> bool:
    """Whether something was due. What its hook has not heard is put off."""
    async with state.engine.begin() as connection:
        entry = await claim_undelivered(connection, _now(state), lease=LEASE)
        tenant = None if entry is None else await find_tenant(connection, entry.tenant_id, state.master_key)
    if entry is None:
        return False
    hook = None if tenant is None else find_hook(tenant, entry.event)
    is_heard = tenant is None or hook is None or await _is_heard(state, tenant, hook, entry)
    async with state.engine.begin() as connection:
        if is_heard:
            await delete_delivered(connection, entry.entry_id)
        elif not await put_off(connection, entry, _now(state)):
            log.warning("hook %s of tenant %d was given up", entry.event, entry.tenant_id)
    return True


@asynccontextmanager
async def keep_delivering(state: AppState) -> AsyncGenerator[None]:
    """Nothing; meanwhile hooks are told what they have still to be told."""
    task = asyncio.create_task(_deliver_forever(state))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _deliver_forever(state: AppState) -> None:
    while True:
        try:
            while await deliver_once(state):
                pass
        except (OSError, DBAPIError, PoolTimeout) as error:
            log.warning("hooks could not be told: %s", type(error).__name__)
        await asyncio.sleep(PAUSE_SECONDS)


async def _is_heard(state: AppState, tenant: Tenant, hook: Hook, entry: Undelivered) -> bool:
    told = {"happened_at": entry.created_at.isoformat(), **entry.payload}
    try:
        # The same id at every try, by which the receiver knows what it has heard already.
        await _call(state, tenant, hook, f"msg_{entry.entry_id}", told, is_question=False)
    except (_Failed, PublicError) as error:
        log.info("hook %s of tenant %d did not hear: %s", hook.event, tenant.tenant_id, type(error).__name__)
        return False
    return True


async def _call(
    state: AppState,
    tenant: Tenant,
    hook: Hook,
    message_id: str,
    told: Mapping[str, object],
    *,
    is_question: bool = True,
) -> str | None:
    """None for yes; the reason for no, which may be empty. Raises _Failed, PublicError."""
    data = {"tenantid": tenant.tenant_id, **told}
    document = {"type": hook.event, "timestamp": _now(state).isoformat(), "data": data}
    try:
        if hook.kind == "sql":
            async with asyncio.timeout(hook.timeout_seconds):
                return await _call_function(state, tenant, hook, document)
        return await _call_address(state, tenant, hook, message_id, document, is_question=is_question)
    except (OSError, ValueError, Stopped) as error:
        raise _Failed from error


async def _call_address(
    state: AppState, tenant: Tenant, hook: Hook, message_id: str, document: object, *, is_question: bool
) -> str | None:
    sealed = tenant.guests.sealed_hook_secret
    if sealed is None:
        raise _Failed
    status, body = await post_signed(
        hook.target,
        orjson.dumps(document),
        secret=unseal(state.master_key, sealed, purpose=HOOK_SECRET_PURPOSE).decode(),
        message_id=message_id,
        timestamp=int(state.clock()),
        timeout_seconds=hook.timeout_seconds,
    )
    if is_question and status in {401, 403, 409, 422}:
        return _reason_in(body)
    if not 200 <= status < 300:
        raise _Failed
    answer = _parse(body)
    return _reason_in(body) if answer.get("allow") is False else None


async def _call_function(state: AppState, tenant: Tenant, hook: Hook, document: object) -> str | None:
    """What a function of the tenant's database says: null and true are a yes, false is a no, and so is a text, which
    is the reason."""
    loaded = await state.tenants.get(tenant.tenant_id, tenant.version)
    schema, _, function = hook.target.rpartition(".")
    called = to_statement(
        sql(
            "select ({function}({document}::jsonb))::text",
            function=name(schema or "public", function),
            document=slot("document", "text"),
        )
    )
    async with loaded.database.transaction() as running:
        rows = await running.fetch(called.text, [json.dumps(document)])
    answer = cast("bytes | None", rows[0][0] if rows else None)
    if answer in {None, b"", b"true", b"null"}:
        return None
    return "" if answer == b"false" else cast("bytes", answer).decode()


def _parse(body: bytes) -> dict[str, Any]:
    try:
        answer: object = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return cast("dict[str, Any]", answer) if isinstance(answer, dict) else {}


def _reason_in(body: bytes) -> str:
    reason = _parse(body).get("reason")
    return reason if isinstance(reason, str) else ""


def _now(state: AppState) -> datetime:
    return datetime.fromtimestamp(state.clock(), UTC)
