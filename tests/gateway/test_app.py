"""What holds at every address: CORS, limits, security headers, masked faults, health and keys."""

import logging
from typing import Any

import httpx2
import pytest
from jose import jws
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Message

from tests.doors import PASSWORD, Doors, World, bearer, open_doors

pytestmark = pytest.mark.postgres


async def preflight(doors: Doors, path: str, **headers: str) -> httpx2.Response:
    asked = {"Origin": "https://app.test", "Access-Control-Request-Method": "POST"}
    return await doors.client.options(path, headers=asked | headers)


@pytest.mark.parametrize("path", ["/auth", "/anonauth", "/query", "/roles_pbac"])
async def test_any_page_may_call_with_token_and_content_type(doors: Doors, path: str) -> None:
    asked = {"Access-Control-Request-Headers": "authorization,content-type"}
    for method in ("GET", "POST", "DELETE"):
        reply = await preflight(doors, path, **asked, **{"Access-Control-Request-Method": method})
        assert reply.status_code == 200
        assert reply.headers["access-control-allow-origin"] == "*"
        assert "authorization" in reply.headers["access-control-allow-headers"].lower()
        assert "access-control-allow-credentials" not in reply.headers


async def test_refusals_of_every_kind_can_be_read_by_a_page(doors: Doors) -> None:
    origin = {"Origin": "https://app.test"}
    for reply in (
        await doors.client.get("/auth", headers=origin),
        await doors.client.post("/auth", content=b"x" * 70_000, headers=origin),
        await doors.client.get("/nowhere", headers=origin | {"X-Large": "x" * 40_000}),
        await doors.client.get("/nowhere", headers=origin),
    ):
        assert reply.status_code >= 400
        assert reply.headers["access-control-allow-origin"] == "*"
        assert "Retry-After" in reply.headers["access-control-expose-headers"]


async def test_origins_can_be_restricted(control_dsn: str, filled: tuple[str, World]) -> None:
    async with open_doors(control_dsn, filled[1], cors_origins=("https://app.test",)) as doors:
        allowed = await preflight(doors, "/auth")
        assert allowed.headers["access-control-allow-origin"] == "https://app.test"
        denied = await preflight(doors, "/auth", Origin="https://evil.test")
        assert denied.status_code == 400
        assert "access-control-allow-origin" not in denied.headers


async def test_every_response_has_the_security_headers(doors: Doors) -> None:
    for reply in (await doors.client.get("/healthz"), await doors.client.get("/auth"), await doors.client.get("/x")):
        assert reply.headers["x-content-type-options"] == "nosniff"
        assert reply.headers["referrer-policy"] == "no-referrer"
        assert reply.headers["x-frame-options"] == "DENY"
        assert "default-src 'none'" in reply.headers["content-security-policy"]
        assert "server" not in reply.headers


async def test_a_page_keeps_the_policy_that_it_brings(doors: Doors) -> None:
    async def page(_: Request) -> Response:
        return Response("hi", headers={"Content-Security-Policy": "default-src 'self'"})

    doors.app.router.routes.append(Route("/page", page))

    assert (await doors.client.get("/page")).headers["content-security-policy"] == "default-src 'self'"


async def test_large_headers_and_bodies_are_refused_where_graphql_clients_look_too(doors: Doors) -> None:
    headers = await doors.client.post("/query", headers={f"X-{n}": "x" * 1000 for n in range(40)})
    body = await doors.client.post("/query", content=b"x" * 3_000_000)

    assert (headers.status_code, body.status_code) == (431, 413)
    assert headers.json()["errors"][0]["message"] == "The header lines are larger than 32768 bytes."
    assert body.json()["errors"][0]["message"] == "The body is larger than 2097152 bytes."
    assert body.headers["connection"] == "close"


@pytest.mark.parametrize("length", ["99999999999", "9" * 400, "-5", "x", "\u0663"])
async def test_a_strange_declared_length_breaks_nothing(doors: Doors, length: str) -> None:
    reply = await doors.client.post(
        "/auth",
        content=b"{}",
        headers=[(b"Content-Length", length.encode()), (b"Content-Type", b"application/json")],
    )

    assert reply.status_code in {400, 413}


async def test_unknown_addresses_and_methods_have_the_shape_of_the_doors(doors: Doors) -> None:
    missing = await doors.client.get("/nowhere")
    wrong = await doors.client.post("/healthz")

    assert (missing.status_code, missing.json()["error"], missing.json()["status"]) == (404, "Not Found", 404)
    assert (wrong.status_code, wrong.json()["status"]) == (405, 405)
    assert set(wrong.headers["allow"].split(", ")) == {"GET", "HEAD"}


async def test_a_fault_of_ours_is_masked_by_an_id_that_the_log_has(
    doors: Doors, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(_: Request) -> Response:
        raise ZeroDivisionError("secret inside")

    doors.app.router.routes.append(Route("/broken", broken))
    reply = await doors.client.get("/broken", headers={"Origin": "https://app.test"})

    assert reply.status_code == reply.json()["status"] == 500
    assert "secret inside" not in reply.text
    incident = reply.json()["error"].rpartition(" ")[2].rstrip(".")
    assert incident in caplog.text
    assert "secret inside" in caplog.text
    assert reply.headers["access-control-allow-origin"] == "*"


@pytest.mark.parametrize("path", ["/", "/query", "/auth", "/graphql"])
async def test_websockets_are_closed_before_they_are_open(doors: Doors, path: str) -> None:
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    async def send(message: Message) -> None:
        sent.append(message)

    scope: dict[str, Any] = {"type": "websocket", "path": path, "headers": [], "query_string": b"", "subprotocols": []}
    await doors.app(scope, receive, send)

    assert [message["type"] for message in sent] == ["websocket.close"]


async def test_health_and_readiness_say_what_they_looked_at(doors: Doors) -> None:
    assert (await doors.client.get("/healthz")).json() == {"status": "ok"}
    ready = await doors.client.get("/readyz")
    assert (ready.status_code, ready.json()) == (
        200,
        {"status": "ready", "changes_heard": True, "control_database": True},
    )
    with_tenant = await doors.client.get("/readyz?tenant=1")
    assert (with_tenant.status_code, with_tenant.json()["tenant"]) == (200, True)


@pytest.mark.parametrize("tenant", ["5000", "0", "x", "-1", "9" * 500, "", "\u0661"])
async def test_readiness_of_a_tenant_that_does_not_answer_is_a_503(doors: Doors, tenant: str) -> None:
    reply = await doors.client.get("/readyz", params={"tenant": tenant})

    assert (reply.status_code, reply.json()["tenant"]) == (503, False)


async def test_the_public_keys_verify_the_tokens_and_hold_nothing_private(doors: Doors) -> None:
    token = (await doors.log_in())["access_token"]

    reply = await doors.client.get("/.well-known/jwks.json")

    [key] = reply.json()["keys"]
    assert set(key) == {"kty", "crv", "x", "y", "kid", "use", "alg"}
    assert "max-age" in reply.headers["cache-control"]
    assert jws.verify(token, key, ["ES512"])


async def test_the_log_tells_logins_and_refusals_and_no_secrets(doors: Doors, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    tokens = await doors.log_in()
    await doors.client.post(
        "/auth", json={"login": "x\nforged line", "password": "my-secret-guess", "tenantid": doors.world.todo}
    )
    await doors.refresh(tokens["refresh_token"])
    await doors.client.get("/auth", headers=bearer(tokens["access_token"]))

    ours = [record.getMessage() for record in caplog.records if record.name.startswith(("gateway", "sqlalchemy"))]
    assert f"role {doors.world.ann} of tenant {doors.world.todo} logged in" in ours
    assert "refused at /auth: NO_SUCH_ROLE" in ours
    assert "refused at /auth: WRONG_TOKEN_TYPE" in ours
    for secret in (PASSWORD, "my-secret-guess", tokens["access_token"], tokens["refresh_token"], "argon2id"):
        assert secret not in "\n".join(ours)
    assert not any("\n" in line for line in ours)
