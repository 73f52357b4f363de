"""/anonauth: who enters as Nobody, and when nobody does."""

import pytest
from jose import jwt

from db.roles import set_deleted
from tests.doors import Doors, World, bearer, open_doors

pytestmark = pytest.mark.postgres


async def test_anonymous_login_enters_as_the_nobody_role(doors: Doors) -> None:
    todo = doors.world.todo

    reply = await doors.client.post("/anonauth", json={"tenantid": todo})

    body = reply.json()
    assert reply.status_code == 200
    assert list(body) == ["access_token", "message", "refresh_token", "roleid", "routes", "schema", "rpb_schema"]
    assert (body["message"], body["roleid"]) == (f"Logged in as nobody{todo}.", doors.world.nobody)
    assert jwt.get_unverified_claims(body["access_token"])["sub"] == {"roleid": doors.world.nobody, "tenantid": todo}
    assert (await doors.whoami(body["access_token"])).json()["login"] == f"nobody{todo}"
    assert (await doors.refresh(body["refresh_token"])).json()["roleid"] == doors.world.nobody


async def test_forms_and_junk_headers_are_taken_as_at_the_other_door(doors: Doors) -> None:
    todo = str(doors.world.todo)

    assert (await doors.client.post("/anonauth", data={"tenantid": todo})).status_code == 200
    assert (await doors.client.post("/anonauth", files={"tenantid": (None, todo)})).status_code == 200
    reply = await doors.client.post("/anonauth", json={"tenantid": todo}, headers=bearer("[object Object]"))
    assert reply.status_code == 200


async def test_get_names_the_right_door_in_the_one_reply_that_says_message(doors: Doors) -> None:
    reply = await doors.client.get("/anonauth")

    assert (reply.status_code, reply.json()) == (405, {"message": "Use /auth for refresh tokens.", "status": 405})
    assert reply.headers["allow"] == "POST"


async def test_refusals_have_the_texts_of_the_wire(doors: Doors) -> None:
    flights = doors.world.flights
    for body, status, text in (
        ({"tenantid": flights}, 403, f"Tenant {flights} does not allow anonymous access."),
        ({"tenantid": 999_999}, 404, "No such tenant 999999."),
        ({}, 400, "Missing required field: tenantid."),
        ({"tenantid": "abc"}, 400, "tenantid must be a whole number."),
    ):
        reply = await doors.client.post("/anonauth", json=body)
        assert (reply.status_code, reply.json()) == (status, {"error": text, "status": status})


async def test_disabling_ends_what_guests_have_and_enabling_brings_the_same_role_back(doors: Doors) -> None:
    todo, nobody = doors.world.todo, doors.world.nobody
    token = (await doors.client.post("/anonauth?schema=none", json={"tenantid": todo})).json()["access_token"]
    async with doors.change() as connection:
        await set_deleted(connection, todo, nobody, True)
    doors.state.principals.drop_tenant(todo)

    refused = await doors.client.post("/anonauth", json={"tenantid": todo})
    assert (refused.status_code, refused.json()["error"]) == (403, f"Tenant {todo} does not allow anonymous access.")
    assert (await doors.whoami(token)).status_code == 401

    async with doors.change() as connection:
        await set_deleted(connection, todo, nobody, False)
    again = await doors.client.post("/anonauth?schema=none", json={"tenantid": todo})
    assert again.json()["roleid"] == nobody


async def test_an_anonymous_session_lasts_a_week_at_most(doors: Doors) -> None:
    reply = await doors.client.post("/anonauth?schema=none", json={"tenantid": doors.world.todo})
    refresh = reply.json()["refresh_token"]
    doors.clock.now += 6 * 86_400
    refresh = (await doors.refresh(refresh)).json()["refresh_token"]

    doors.clock.now += 86_400 + 60

    assert (await doors.refresh(refresh)).status_code == 401


async def test_concealed_tenants_answer_as_those_that_allow_no_anonymous_access(
    control_dsn: str, filled: tuple[str, World]
) -> None:
    async with open_doors(control_dsn, filled[1], conceal_logins=True) as doors:
        reply = await doors.client.post("/anonauth", json={"tenantid": 999_999})

        assert (reply.status_code, reply.json()["error"]) == (403, "Tenant 999999 does not allow anonymous access.")
