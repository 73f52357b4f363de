"""A password stored with other parameters than today's is stored anew by the login that it opens."""

import asyncio

import pytest
from argon2 import PasswordHasher
from sqlalchemy import text

from db.passwords import needs_rehash, verify_password
from tests.doors import PASSWORD, Doors

pytestmark = pytest.mark.postgres

OLD = PasswordHasher(time_cost=1, memory_cost=8 * 1024, parallelism=1).hash(PASSWORD)


async def stored(doors: Doors) -> tuple[str, object, object]:
    """Hash, moment and setter of the password of ann."""
    async with doors.state.engine.connect() as connection:
        rows = await connection.execute(
            text("select password_hash, password_set_at, password_set_by from ostiary.role where role_id = :id"),
            {"id": doors.world.ann},
        )
        return tuple(rows.one())


@pytest.fixture
async def aged(doors: Doors) -> Doors:
    """The doors, where the password of ann has a form of long ago."""
    await doors.execute("update ostiary.role set password_hash = :old where role_id = :id", old=OLD, id=doors.world.ann)
    return doors


async def test_a_login_stores_an_old_hash_anew_and_changes_nothing_else(aged: Doors) -> None:
    _, *before = await stored(aged)
    earlier = await aged.log_in()

    renewed, *after = await stored(aged)

    assert needs_rehash(OLD)
    assert not needs_rehash(renewed)
    assert verify_password(renewed, PASSWORD)
    assert after == before
    assert (await aged.whoami(earlier["access_token"])).status_code == 200
    await aged.log_in()
    assert (await stored(aged))[0] == renewed


async def test_logins_at_once_are_all_let_in(aged: Doors) -> None:
    await asyncio.gather(*(aged.log_in() for _ in range(8)))

    assert not needs_rehash((await stored(aged))[0])


async def test_a_wrong_password_stores_nothing(aged: Doors) -> None:
    reply = await aged.client.post(
        "/auth", json={"login": "ann@example.org", "password": "wrong", "tenantid": aged.world.todo}
    )

    assert reply.status_code == 403
    assert (await stored(aged))[0] == OLD


async def test_a_login_does_not_wait_for_a_role_that_somebody_else_is_changing(aged: Doors) -> None:
    async with aged.change() as connection:
        await connection.execute(
            text("update ostiary.role set name = 'Ann' where role_id = :id"), {"id": aged.world.ann}
        )

        async with asyncio.timeout(5):
            await aged.log_in()

    assert (await stored(aged))[0] == OLD


async def test_a_login_without_room_for_another_hash_goes_on_with_the_old_one(aged: Doors) -> None:
    passwords = aged.state.passwords
    check = passwords.verify

    async def verify_and_fill(password_hash: str | None, password: str) -> bool:
        is_right = await check(password_hash, password)
        passwords._room = 0
        return is_right

    passwords.verify = verify_and_fill

    await aged.log_in()

    assert (await stored(aged))[0] == OLD


async def test_a_password_that_is_changed_while_it_is_checked_opens_nothing(aged: Doors) -> None:
    check = aged.state.passwords.verify

    async def change_meanwhile(password_hash: str | None, password: str) -> bool:
        is_right = await check(password_hash, password)
        await aged.execute(
            "update ostiary.role set password_hash = 'another', password_set_at = now() where role_id = :id",
            id=aged.world.ann,
        )
        return is_right

    aged.state.passwords.verify = change_meanwhile
    reply = await aged.client.post(
        "/auth", json={"login": "ann@example.org", "password": PASSWORD, "tenantid": aged.world.todo}
    )

    assert reply.status_code == 403
    assert (await stored(aged))[0] == "another"
