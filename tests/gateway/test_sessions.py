"""What may be done with tokens, how long, and what ends it: refresh, reuse, logout, changes made elsewhere."""

import asyncio
import uuid
from collections.abc import Callable, Coroutine
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import httpx2
import pytest
from jose import jwt
from sqlalchemy import text

from db.keys import insert_signing_key, retire_signing_key
from db.roles import RoleChanges, set_deleted, update_role
from db.sessions import end_session, end_sessions_of_role
from db.tenants import announce_change, set_suspended
from gateway.auth.keys import generate_key
from gateway.auth.login import role_token
from gateway.auth.refusals import NotAdministrator, RoleNotInTenant
from gateway.auth.tokens import read_token, sign_token
from tests.databases import Databases, database_name
from tests.doors import Doors, bearer

pytestmark = pytest.mark.postgres

REVOKED = (401, {"error": "Unauthorized access: Token has been revoked", "status": 401})
MISSING = (401, {"error": "Unauthorized access: Missing Authorization Header", "status": 401})
NOW = datetime(2027, 1, 15, tzinfo=UTC)


def seen(reply: httpx2.Response) -> tuple[int, Any]:
    return reply.status_code, reply.json()


def claims_of(token: str) -> dict[str, Any]:
    return jwt.get_unverified_claims(token)


async def until(condition: Callable[[], Coroutine[Any, Any, bool]], timeout_seconds: float = 5) -> None:
    """Nothing, once the condition holds; it is what has to come true, so its time limit is only for failures."""
    async with asyncio.timeout(timeout_seconds):
        while not await condition():
            await asyncio.sleep(0.005)


async def is_refused(doors: Doors, token: str) -> bool:
    return (await doors.whoami(token)).status_code != 200


# --- tokens at an endpoint ---------------------------------------------------------------------------------------


async def test_an_access_token_says_who_one_is(doors: Doors) -> None:
    token = (await doors.log_in("root"))["access_token"]

    assert (await doors.whoami(token)).json() == {"roleid": doors.world.root, "login": "root", "root": True}


@pytest.mark.parametrize("value", [None, "", "Bearer", "Bearer ", "Basic dXNlcjpwYXNz", "Token abc", "Bearerx"])
async def test_a_missing_bearer_token_is_a_401_with_a_challenge(doors: Doors, value: str | None) -> None:
    headers = {} if value is None else {"Authorization": value}

    for path in ("/whoami", "/auth"):
        reply = await doors.client.get(path, headers=headers)
        assert seen(reply) == MISSING
        assert reply.headers["www-authenticate"] == "Bearer"
        assert reply.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("token", ["undefined", "[object Object]", "a.b.c", "x" * 5000, "a b", "=.=.="])
async def test_what_is_no_token_is_a_422(doors: Doors, token: str) -> None:
    reply = await doors.whoami(token)

    assert reply.status_code == reply.json()["status"] == 422
    assert reply.json()["error"].startswith("Unauthorized access: ")


async def test_a_token_counts_in_the_header_alone_and_there_once(doors: Doors) -> None:
    token = (await doors.log_in())["access_token"]

    twice = await doors.client.get("/whoami", headers=[("Authorization", f"Bearer {token}")] * 2)
    assert twice.status_code == 422
    assert seen(await doors.client.get(f"/whoami?access_token={token}")) == MISSING
    assert seen(await doors.client.get("/whoami", headers={"Cookie": f"access_token={token}"})) == MISSING
    assert (await doors.client.get("/whoami", headers={"authorization": f"bearer {token}"})).status_code == 200


async def test_access_and_refresh_tokens_are_no_use_in_each_others_place(doors: Doors) -> None:
    tokens = await doors.log_in()

    assert seen(await doors.whoami(tokens["refresh_token"])) == (
        422,
        {"error": "Unauthorized access: Only access tokens are allowed", "status": 422},
    )
    assert seen(await doors.refresh(tokens["access_token"])) == (
        422,
        {"error": "Unauthorized access: Only refresh tokens are allowed", "status": 422},
    )


async def test_an_expired_access_token_is_told_so_also_when_it_was_remembered(doors: Doors) -> None:
    token = (await doors.log_in())["access_token"]
    assert (await doors.whoami(token)).status_code == 200

    doors.clock.now += 86_400 + 11

    assert seen(await doors.whoami(token)) == (
        401,
        {"error": "Unauthorized access: Token has expired", "status": 401},
    )


async def test_a_signed_token_must_fit_its_session(doors: Doors) -> None:
    state, world = doors.state, doors.world
    token = (await doors.log_in())["access_token"]
    claims = read_token(token, state.keys.verifying, state.token_rules, type_="access", now=doors.clock.now)

    for changes in (
        {"tenant_id": world.flights},
        {"role_id": world.root},
        {"role_id": world.stranger, "tenant_id": world.flights},
        {"role_id": world.stranger},
        {"session_id": str(uuid.uuid4())},
        {"role_id": 999_999},
        {"tenant_id": 2**40},
    ):
        forged = sign_token(replace(claims, **changes), state.keys.signing, state.token_rules)
        assert seen(await doors.whoami(forged)) == REVOKED
        assert (await doors.whoami(token)).status_code == 200


async def test_a_session_that_is_past_its_end_counts_no_more_whatever_its_tokens_say(doors: Doors) -> None:
    token = (await doors.log_in())["access_token"]
    await doors.execute("update ostiary.session set expires_at = '2027-01-01'")

    assert seen(await doors.whoami(token)) == REVOKED


# --- refresh -----------------------------------------------------------------------------------------------------


async def test_a_refresh_gives_the_login_reply_again_with_new_tokens(doors: Doors) -> None:
    first = await doors.log_in()
    doors.clock.now += 3600

    reply = await doors.client.get("/auth", headers=bearer(first["refresh_token"]))

    body = reply.json()
    assert reply.status_code == 200
    assert list(body) == ["access_token", "message", "refresh_token", "roleid", "routes", "schema", "rpb_schema"]
    assert (body["message"], body["roleid"]) == ("Logged in as ann@example.org.", doors.world.ann)
    assert claims_of(body["access_token"])["sid"] == claims_of(first["access_token"])["sid"]
    assert claims_of(body["refresh_token"])["exp"] == int(doors.clock.now) + 604_800
    assert (await doors.whoami(body["access_token"])).status_code == 200
    assert (await doors.whoami(first["access_token"])).status_code == 200


async def test_a_second_use_within_the_grace_gives_the_same_successor(doors: Doors) -> None:
    refresh = (await doors.log_in())["refresh_token"]
    successor = (await doors.refresh(refresh)).json()["refresh_token"]

    doors.clock.now += 9
    again = (await doors.refresh(refresh)).json()["refresh_token"]

    assert claims_of(again) == claims_of(successor)
    assert (await doors.refresh(again)).status_code == 200


async def test_reuse_after_the_grace_ends_the_session_and_all_its_tokens(doors: Doors) -> None:
    first = await doors.log_in()
    other = await doors.log_in()
    second = (await doors.refresh(first["refresh_token"])).json()

    doors.clock.now += 11
    assert seen(await doors.refresh(first["refresh_token"])) == REVOKED

    assert seen(await doors.whoami(first["access_token"])) == REVOKED
    assert seen(await doors.whoami(second["access_token"])) == REVOKED
    assert seen(await doors.refresh(second["refresh_token"])) == REVOKED
    assert (await doors.whoami(other["access_token"])).status_code == 200


async def test_reuse_of_a_token_older_than_the_last_ends_the_session_within_the_grace_too(doors: Doors) -> None:
    first = await doors.log_in()
    second = (await doors.refresh(first["refresh_token"])).json()
    third = (await doors.refresh(second["refresh_token"])).json()

    assert seen(await doors.refresh(first["refresh_token"])) == REVOKED
    assert seen(await doors.whoami(third["access_token"])) == REVOKED


async def test_twelve_uses_at_once_give_one_successor(doors: Doors) -> None:
    refresh = (await doors.log_in())["refresh_token"]

    replies = await asyncio.gather(*(doors.refresh(refresh) for _ in range(12)))

    assert [reply.status_code for reply in replies] == [200] * 12
    assert len({claims_of(reply.json()["refresh_token"])["jti"] for reply in replies}) == 1


async def test_a_session_ends_at_last_however_often_it_is_refreshed(doors: Doors) -> None:
    refresh = (await doors.log_in())["refresh_token"]
    for _ in range(4):
        doors.clock.now += 7 * 86_400 - 60
        refresh = (await doors.refresh(refresh)).json()["refresh_token"]

    assert claims_of(refresh)["exp"] - claims_of(refresh)["iat"] < 3 * 86_400
    doors.clock.now = claims_of(refresh)["exp"] + 60
    assert (await doors.refresh(refresh)).status_code == 401


# --- logout ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("which", ["access_token", "refresh_token"])
async def test_logout_ends_the_session_of_either_token_and_no_other(doors: Doors, which: str) -> None:
    tokens, other = await doors.log_in(), await doors.log_in()

    reply = await doors.client.delete("/auth", headers=bearer(tokens[which]))

    assert seen(reply) == (200, {"message": "Logged out.", "status": 200})
    assert seen(await doors.whoami(tokens["access_token"])) == REVOKED
    assert seen(await doors.refresh(tokens["refresh_token"])) == REVOKED
    assert seen(await doors.client.delete("/auth", headers=bearer(tokens[which]))) == REVOKED
    assert (await doors.whoami(other["access_token"])).status_code == 200


async def test_logout_without_a_token_is_refused(doors: Doors) -> None:
    assert seen(await doors.client.delete("/auth")) == MISSING


# --- changes made by other processes -----------------------------------------------------------------------------


async def delete_role(doors: Doors, session_id: str) -> None:
    async with doors.change() as connection:
        await set_deleted(connection, doors.world.todo, doors.world.ann, True)


async def suspend_tenant(doors: Doors, session_id: str) -> None:
    async with doors.change() as connection:
        await set_suspended(connection, doors.world.todo, True)


async def end_one(doors: Doors, session_id: str) -> None:
    async with doors.change() as connection:
        await end_session(connection, session_id, NOW)


async def end_all(doors: Doors, session_id: str) -> None:
    async with doors.change() as connection:
        await end_sessions_of_role(connection, doors.world.ann, NOW)


@pytest.mark.parametrize("change", [delete_role, suspend_tenant, end_one, end_all])
async def test_a_change_made_elsewhere_stops_existing_tokens_within_a_second(
    doors: Doors, change: Callable[[Doors, str], Coroutine[Any, Any, None]]
) -> None:
    tokens = await doors.log_in()
    assert (await doors.whoami(tokens["access_token"])).status_code == 200

    await change(doors, claims_of(tokens["access_token"])["sid"])

    await until(lambda: is_refused(doors, tokens["access_token"]), timeout_seconds=1)
    assert seen(await doors.whoami(tokens["access_token"])) == REVOKED
    assert seen(await doors.refresh(tokens["refresh_token"])) == REVOKED


async def test_changed_capabilities_reach_a_principal_that_was_remembered(doors: Doors) -> None:
    token = (await doors.log_in())["access_token"]
    claims = await doors.state.principals.claims_of(token, "access")
    assert not (await doors.state.principals.principal_of(claims)).bypasses_policy

    async with doors.change() as connection:
        await update_role(connection, doors.world.todo, doors.world.ann, RoleChanges(capabilities=frozenset({"admin"})))

    async def is_admin() -> bool:
        return (await doors.state.principals.principal_of(claims)).bypasses_policy

    await until(is_admin, timeout_seconds=1)


async def test_principals_come_from_memory_until_a_change_is_announced(doors: Doors) -> None:
    token = (await doors.log_in())["access_token"]
    assert (await doors.whoami(token)).status_code == 200
    await doors.execute("update ostiary.role set deleted = true where role_id = :id", id=doors.world.ann)
    assert (await doors.whoami(token)).status_code == 200

    async with doors.change() as connection:
        await announce_change(connection, doors.world.todo)

    await until(lambda: is_refused(doors, token), timeout_seconds=1)
    assert doors.world.todo in doors.tenants.refreshed


async def test_without_its_listener_a_process_asks_the_database_each_time(doors: Doors, databases: Databases) -> None:
    token = (await doors.log_in())["access_token"]
    assert (await doors.whoami(token)).status_code == 200
    name = database_name(doors.state.settings.database_url.get_secret_value())
    databases.execute(f'alter database "{name}" allow_connections false')
    await doors.execute(
        "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'ostiary changes' "
        "and datname = current_database()"
    )

    async def is_deaf() -> bool:
        return not doors.state.changes.is_listening

    await until(is_deaf)
    # Not announced at all.
    await doors.execute("update ostiary.role set deleted = true where role_id = :id", id=doors.world.ann)
    assert seen(await doors.whoami(token)) == REVOKED
    await doors.execute("update ostiary.role set deleted = false where role_id = :id", id=doors.world.ann)
    assert (await doors.whoami(token)).status_code == 200
    await doors.execute("update ostiary.role set deleted = true where role_id = :id", id=doors.world.ann)
    assert seen(await doors.whoami(token)) == REVOKED
    assert (await doors.client.get("/readyz")).json()["changes_heard"] is False

    before = len(doors.tenants.refreshed)
    databases.execute(f'alter database "{name}" allow_connections true')
    assert await doors.state.changes.wait_until_listening(15)

    async def is_all_refreshed() -> bool:
        return None in doors.tenants.refreshed[before:]

    await until(is_all_refreshed)


async def test_what_was_read_before_a_change_is_not_remembered_after_it(doors: Doors) -> None:
    tokens = await doors.log_in()
    async with doors.state.engine.connect() as blocker:
        await blocker.execute(text("lock table ostiary.role in access exclusive mode"))
        # Reads its session, still open, and then waits for the role.
        early = asyncio.create_task(doors.whoami(tokens["access_token"]))

        async def is_waiting() -> bool:
            async with doors.change() as connection:
                waiting = await connection.execute(
                    text(
                        "select exists (select from pg_locks where not granted and relation = 'ostiary.role'::regclass)"
                    )
                )
            return bool(waiting.scalar_one())

        await until(is_waiting)
        async with doors.change() as connection:
            await end_session(connection, claims_of(tokens["access_token"])["sid"], NOW)
        await until(lambda: heard(doors))
        await blocker.rollback()
    assert (await early).status_code == 200

    assert seen(await doors.whoami(tokens["access_token"])) == REVOKED


async def heard(doors: Doors) -> bool:
    return doors.state.principals._ended_sessions > 0


async def test_an_unreadable_notice_makes_the_process_forget_and_go_on(doors: Doors) -> None:
    token = (await doors.log_in())["access_token"]
    assert (await doors.whoami(token)).status_code == 200
    await doors.execute("update ostiary.role set deleted = true where role_id = :id", id=doors.world.ann)

    for payload in ("", "{", "[]", '{"tenantid": "x"}', "null"):
        await doors.execute("select pg_notify('ostiary_change', :payload)", payload=payload)

    await until(lambda: is_refused(doors, token), timeout_seconds=1)
    assert doors.state.changes.is_listening


# --- keys --------------------------------------------------------------------------------------------------------


async def test_a_new_key_signs_at_once_and_a_retired_one_counts_no_more(doors: Doors) -> None:
    state = doors.state
    old = (await doors.log_in())["access_token"]
    first = state.keys.signing.key_id
    key = generate_key(datetime(2028, 1, 1, tzinfo=UTC))
    async with doors.change() as connection:
        await insert_signing_key(connection, key, state.master_key)

    async def is_new() -> bool:
        return state.keys.signing.key_id == key.key_id

    await until(is_new)
    new = (await doors.log_in())["access_token"]
    published = (await doors.client.get("/.well-known/jwks.json")).json()["keys"]
    assert {entry["kid"] for entry in published} == {first, key.key_id}
    assert (jwt.get_unverified_header(new)["kid"], jwt.get_unverified_header(old)["kid"]) == (key.key_id, first)
    assert (await doors.whoami(old)).status_code == (await doors.whoami(new)).status_code == 200

    async with doors.change() as connection:
        await retire_signing_key(connection, first, NOW)

    await until(lambda: is_refused(doors, old))
    assert (await doors.whoami(old)).status_code == 422
    assert (await doors.whoami(new)).status_code == 200


async def test_a_key_that_is_gone_takes_remembered_tokens_with_it(doors: Doors) -> None:
    token = (await doors.log_in())["access_token"]
    assert (await doors.whoami(token)).status_code == 200

    doors.state.keys._keys.clear()

    assert (await doors.whoami(token)).status_code == 422


async def test_the_private_key_is_stored_sealed(doors: Doors) -> None:
    async with doors.change() as connection:
        stored = (await connection.execute(text("select sealed_private_pem from ostiary.signing_key"))).scalar_one()

    assert stored.startswith("v1.")
    assert "PRIVATE" not in stored


# --- what the control schema borrows -----------------------------------------------------------------------------


async def test_role_token_is_for_administrators_and_roles_of_their_tenant(doors: Doors) -> None:
    principals = doors.state.principals

    async def principal_of(login: str) -> Any:
        token = (await doors.log_in(login))["access_token"]
        return await principals.principal_of(await principals.claims_of(token, "access"))

    token = await role_token(doors.state, await principal_of("admin"), doors.world.ann)

    assert (await doors.whoami(token)).json()["roleid"] == doors.world.ann
    with pytest.raises(NotAdministrator):
        await role_token(doors.state, await principal_of("ann@example.org"), doors.world.root)
    with pytest.raises(RoleNotInTenant):
        await role_token(doors.state, await principal_of("root"), doors.world.stranger)
