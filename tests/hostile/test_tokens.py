"""Forged and bent tokens, at every place that reads one."""

import asyncio
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from db.engines import control_engine
from db.keys import list_signing_keys
from db.secrets import load_master_key
from tests.forgeries import Forger
from tests.siege import check_answer, check_refusal, check_serving, exchange, raw_query, statuses
from tests.wire import Wire, bearer
from tests.worlds import World

pytestmark = pytest.mark.server

TYPENAME = {"query": "{ __typename }"}


async def read_private_pem(world: World) -> bytes:
    engine = control_engine(world.control_dsn)
    try:
        async with engine.connect() as connection:
            return (await list_signing_keys(connection, load_master_key(world.master_key)))[0].private_pem
    finally:
        await engine.dispose()


@pytest.fixture(scope="module")
def forger(world: World) -> Forger:
    """Holds the gateway's own key, and an access token of root."""
    token = str(world.enter(world.login("world"))["access_token"])
    return Forger.with_key(token, asyncio.run(read_private_pem(world)))


def test_a_token_by_the_same_hand_with_nothing_wrong_is_taken(world: World, forger: Forger) -> None:
    check_serving(world, forger.sign())


def test_no_forged_or_bent_token_is_taken_anywhere(world: World, forger: Forger) -> None:
    for name, token in forger.forgeries().items():
        replies = [
            world.client.post("/query", json=TYPENAME, headers=bearer(token)),
            world.client.post("/roles_pbac", json=TYPENAME, headers=bearer(token)),
            world.client.get("/query", headers=bearer(token)),
            world.client.get("/auth", headers=bearer(token)),
            world.client.delete("/auth", headers=bearer(token)),
            world.client.post("/auth", json={"login": "root"}, headers=bearer(token)),
        ]
        for reply in replies:
            assert 400 <= reply.status_code < 500, (name, reply.status_code, reply.text)
            assert "data" not in reply.json(), name
            check_refusal(reply)
        check_serving(world, forger.token)


def test_an_expired_token_is_told_by_the_word_that_clients_look_for(world: World, forger: Forger) -> None:
    for path in ("/query", "/roles_pbac"):
        reply = world.post(path, TYPENAME, forger.expired())
        assert reply.status_code == reply.json()["status"] == 401
        assert reply.json()["error"] == "Unauthorized access: Token has expired"
        assert reply.json()["errors"][0]["message"] == "Unauthorized access: Token has expired"


def test_addresses_in_a_header_are_never_called(world: World, forger: Forger) -> None:
    called: list[str] = []

    class Trap(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            called.append(self.path)

        def log_message(self, *_: Any) -> None:
            return

    with HTTPServer(("127.0.0.1", 0), Trap) as trap:
        thread = threading.Thread(target=trap.serve_forever)
        thread.start()
        try:
            place = f"http://127.0.0.1:{trap.server_port}/keys"
            for extra in ({"jku": place}, {"x5u": place}, {"kid": place}, {"jku": place, "kid": place}):
                check_refusal(world.post("/query", TYPENAME, forger.sign(forger.header | extra)))
        finally:
            trap.shutdown()
            thread.join()
    assert called == []


def test_a_token_counts_in_the_header_alone(wire: Wire, root: str) -> None:
    for path in ("/query", "/roles_pbac", "/auth"):
        for name in ("access_token", "token", "jwt", "authorization"):
            assert wire.client.get(path, params={name: root}).status_code == 401
            assert wire.client.get(path, headers={"Cookie": f"{name}={root}"}).status_code == 401
    assert wire.client.post("/query", json=TYPENAME | {"access_token": root}).status_code == 401


@pytest.mark.parametrize("scheme", ["Basic", "Token", "JWT", "Bearer:", "BearerX", ""])
def test_another_scheme_is_no_token(wire: Wire, root: str, scheme: str) -> None:
    # What is remembered about a token must not make it count without its scheme.
    assert wire.client.post("/query", json=TYPENAME, headers={"Authorization": f"Bearer {root}"}).status_code == 200

    reply = wire.client.post("/query", json=TYPENAME, headers={"Authorization": f"{scheme} {root}".strip()})

    assert reply.status_code == 401
    check_refusal(reply)


def test_bytes_that_no_client_would_send_in_the_header_are_refused(wire: Wire, root: str) -> None:
    for value in ("Bearer ", "Bearer  ", f"Bearer {root}\xff", "Bearer \xe9.\xe9.\xe9", f"Bearer\t{root}"):
        request = raw_query(root).replace(f"Bearer {root}".encode(), value.encode("latin-1"))
        request = request.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n", 1)
        received = exchange(wire, request)
        assert statuses(received) in ([401], [422], [400]), (value, received[:300])
    twice = raw_query(root, f"Authorization: Bearer {root}", "Connection: close")
    assert statuses(exchange(wire, twice)) == [422]
    check_serving(wire, root)


def test_a_good_token_with_a_guests_is_still_only_its_own(wire: Wire, nobody: str, root: str) -> None:
    reply = wire.post("/query", {"query": "{ list { listid } }"}, nobody)

    check_answer(reply)
    assert reply.json().get("data") is None
    check_serving(wire, root)
