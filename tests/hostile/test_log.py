"""What the log holds after hostile requests: what happened, without a secret, and no line that a caller wrote."""

import time

import httpx2
import pytest

from tests.wire import Wire, bearer
from tests.worlds import World

pytestmark = pytest.mark.server


def log_after(world: World, reply: httpx2.Response) -> list[str]:
    """The lines of the log up to those about this reply."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        lines = list(world.gateway.output)
        if any(reply.headers["x-request-id"] in line for line in lines):
            return lines
        time.sleep(0.01)
    raise AssertionError(lines[-5:])


def refused_login(world: World, login: str, password: str) -> httpx2.Response:
    tenant = world.login("world").tenant_id
    return world.post("/auth", {"tenantid": tenant, "login": login, "password": password})


def test_a_caller_cannot_write_a_line_of_the_log(world: World) -> None:
    forged = "[info     ] role 999 of tenant 999 logged in"
    reply = refused_login(world, f"a\r\n{forged}\n\x1b[2Jb", "x")
    world.client.get("/nowhere%0d%0a" + forged.replace(" ", "%20").replace("[", "%5b").replace("]", "%5d"))

    lines = log_after(world, refused_login(world, "end", "x"))

    assert reply.status_code == 404
    assert not any(line.startswith(forged) for line in lines)
    assert not any("\x1b[2J" in line for line in lines)


def test_no_password_token_or_value_is_in_the_log(world: World, world_root: str) -> None:
    own = world.login("world")
    session = world.enter(own)
    secrets = ["a-secret-0001", "a-secret-0002", "a-secret-0003", "a-secret-0004", "a-secret-0005", "a-secret-0006"]
    refused_login(world, "root", secrets[0])
    world.client.get("/auth", headers=bearer(session["refresh_token"] + secrets[1]))
    create = "mutation ($i: productsInput) { create_products(input: $i) { note } }"
    for given in ({"productCode": "S18_1", "productLine": "Trains", "price": 1}, {"productCode": None}, {"price": "x"}):
        world.post(
            "/query", {"query": create, "variables": {"i": given | {"note": secrets[2]}}}, session["access_token"]
        )
    world.post("/query", {"query": f"{{ films(filter: \"title = '{secrets[3]}' and\") {{ id }} }}"}, world_root)
    world.client.get(f"/query?query={{{secrets[4]}", headers=bearer(world_root))
    world.client.post("/query", content=f'{{"query": "{secrets[5]}', headers=bearer(world_root))

    log = "".join(log_after(world, refused_login(world, "end", "x")))

    kept = [own.password, session["access_token"], session["refresh_token"], world_root, *secrets]
    assert [secret for secret in kept if secret in log] == []
    assert session["access_token"].split(".")[2] not in log
    assert "insert into" not in log.lower()


def test_a_refused_login_is_in_the_log(world: World) -> None:
    lines = log_after(world, refused_login(world, "root", "wrong"))

    assert any("INVALID_CREDENTIALS" in line for line in lines)


@pytest.mark.parametrize("given", ["a b", "x" * 5_000, "<script>", "a;b", "a,b", "$(id)", "level=error"])
def test_a_request_id_that_could_pass_for_more_is_not_taken(wire: Wire, given: str) -> None:
    reply = wire.client.get("/query", headers={"X-Request-Id": given})

    assert reply.headers["x-request-id"] != given
