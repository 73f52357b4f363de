"""The GraphiQL page in a real browser that can reach nothing but the gateway."""

import json
import secrets
import socket
import threading
import time
from collections.abc import Awaitable, Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
import pytest
import strawberry
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from strawberry.schema.config import StrawberryConfig

from gateway.graphiql import graphiql_routes
from tests.chromium import CONTROL, DELETE, ENTER, RELEASE, TAB, Chromium, chromedriver, chromium, missing_package

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]

if (_missing := missing_package()) is not None:
    pytest.skip(_missing, allow_module_level=True)


@dataclass(frozen=True)
class Gateway:
    """A running gateway, and what these tests need to know of a tenant in it."""

    base_url: str
    tenant: str
    login: str
    password: str
    anonymous_login: str
    data_field: str
    """A root field of /query."""
    control_field: str
    """A root field of /roles_pbac."""
    document: str
    """An operation on /query, on one line, and a piece of its result."""
    answer: str


@pytest.fixture(scope="module")
def gateway() -> Iterator[Gateway]:
    with running(stand_in(access_seconds=3600)) as base_url:
        yield flights_tenant(base_url)


@pytest.fixture(scope="module")
def impatient_gateway() -> Iterator[Gateway]:
    """A gateway whose access tokens live for two seconds."""
    with running(stand_in(access_seconds=2)) as base_url:
        yield flights_tenant(base_url)


@pytest.fixture(scope="module")
def driver() -> Iterator[httpx2.Client]:
    with chromedriver() as client:
        yield client


@pytest.fixture
def browser(driver: httpx2.Client, tmp_path: Path) -> Iterator[Chromium]:
    with chromium(driver, tmp_path / "profile") as window:
        yield window


EDITOR = ".graphiql-query-editor .monaco-editor"
RESULT = ".result-window .view-lines"


def sign_in(browser: Chromium, gateway: Gateway) -> None:
    browser.open(f"{gateway.base_url}/graphiql?tenant={gateway.tenant}")
    browser.type("#login", gateway.login)
    browser.type("#password", gateway.password + ENTER)


def wait_for_text(browser: Chromium, selector: str, text: str) -> None:
    shown = r"document.querySelector(arguments[0])?.innerText.replaceAll('\u00a0', ' ').includes(arguments[1])"
    browser.until(shown, selector, text)


def run(browser: Chromium, document: str) -> None:
    browser.click(f"{EDITOR} .view-lines")
    browser.press(f"{CONTROL}a{RELEASE}{DELETE}")
    browser.press(document)
    browser.press(f"{CONTROL}{ENTER}{RELEASE}")


def stored_session(browser: Chromium) -> dict[str, str]:
    return json.loads(browser.script("return sessionStorage.getItem('ostiary:session')"))


def test_newcomer_signs_in_and_asks_without_any_other_host(browser: Chromium, gateway: Gateway) -> None:
    sign_in(browser, gateway)

    wait_for_text(browser, ".ostiary-who", gateway.login)
    # The first query is made from the schema: it cannot be there before introspection has answered.
    wait_for_text(browser, EDITOR, f"{gateway.data_field}(limit: 10) {{")
    run(browser, gateway.document)
    wait_for_text(browser, RESULT, gateway.answer)

    assert browser.console() == []
    origins = "[...new Set(performance.getEntriesByType('resource').map((entry) => new URL(entry.name).origin))]"
    assert browser.script(f"return {origins}") == [gateway.base_url]


def test_faults_in_a_document_are_marked_by_the_language_worker(browser: Chromium, gateway: Gateway) -> None:
    sign_in(browser, gateway)
    wait_for_text(browser, EDITOR, gateway.data_field)
    browser.click(f"{EDITOR} .view-lines")

    browser.press(f"{CONTROL}a{RELEASE}{DELETE}")
    browser.press("{ no_such_table { id } }")

    browser.find(f"{EDITOR} .squiggly-error")
    assert browser.console() == []


def test_endpoint_switch_leads_to_the_control_schema_and_back(browser: Chromium, gateway: Gateway) -> None:
    sign_in(browser, gateway)
    wait_for_text(browser, EDITOR, f"{gateway.data_field}(")

    browser.click("input[value=roles_pbac]")
    wait_for_text(browser, EDITOR, f"{gateway.control_field}(")
    browser.click(".graphiql-execute-button")
    wait_for_text(browser, RESULT, f'"{gateway.control_field}"')
    browser.click("input[value=query]")
    wait_for_text(browser, EDITOR, f"{gateway.data_field}(")
    run(browser, gateway.document)
    wait_for_text(browser, RESULT, gateway.answer)

    assert browser.console() == []


def test_tokens_are_in_the_tab_alone(browser: Chromium, gateway: Gateway) -> None:
    sign_in(browser, gateway)
    wait_for_text(browser, EDITOR, gateway.data_field)
    run(browser, gateway.document)
    wait_for_text(browser, RESULT, gateway.answer)

    tokens = [stored_session(browser)["accessToken"], stored_session(browser)["refreshToken"]]
    elsewhere = browser.script(
        "return [location.href, JSON.stringify(history.state), JSON.stringify(localStorage), document.cookie,"
        " ...performance.getEntries().map((entry) => entry.name)].join(' ')"
    )

    assert browser.location() == f"{gateway.base_url}/graphiql?tenant={gateway.tenant}"
    assert all(tokens)
    assert not [token for token in tokens if token in elsewhere]
    assert gateway.password not in elsewhere


def test_reload_keeps_the_session_and_what_was_typed(browser: Chromium, gateway: Gateway) -> None:
    sign_in(browser, gateway)
    wait_for_text(browser, EDITOR, gateway.data_field)
    run(browser, gateway.document)
    wait_for_text(browser, RESULT, gateway.answer)
    typed = (
        "Object.entries(localStorage).some(([key, text]) => key.endsWith(':tabState') && text.includes(arguments[0]))"
    )
    browser.until(typed, json.dumps(gateway.document)[1:-1])

    browser.reload()

    wait_for_text(browser, EDITOR, gateway.document)
    assert gateway.login in browser.text(".ostiary-who")


def test_wrong_password_shows_the_sentence_of_the_gateway(browser: Chromium, gateway: Gateway) -> None:
    browser.open(f"{gateway.base_url}/graphiql?tenant={gateway.tenant}")
    browser.type("#login", gateway.login)
    browser.type("#password", "not it" + ENTER)

    assert browser.text("[role=alert]") == "Invalid credentials."
    assert browser.script("return sessionStorage.length") == 0


def test_nothing_is_sent_before_the_form_is_filled(browser: Chromium, gateway: Gateway) -> None:
    browser.open(f"{gateway.base_url}/graphiql")

    browser.click(".ostiary-secondary")

    assert browser.text("[role=alert]") == "Enter the tenant id."
    assert browser.script("return document.activeElement.id") == "tenant"
    calls = "performance.getEntriesByType('resource').filter((entry) => entry.name.includes('auth')).length"
    assert browser.script(f"return {calls}") == 0


def test_anonymous_button_enters_as_nobody(browser: Chromium, gateway: Gateway) -> None:
    browser.open(f"{gateway.base_url}/graphiql")
    browser.type("#tenant", gateway.tenant)
    browser.click(".ostiary-secondary")

    wait_for_text(browser, ".ostiary-who", gateway.anonymous_login)


def test_way_in_can_be_walked_by_keyboard_and_every_field_has_its_name(browser: Chromium, gateway: Gateway) -> None:
    browser.open(f"{gateway.base_url}/graphiql")
    browser.find("#tenant")
    names = {selector: browser.accessible_name(selector) for selector in ("#tenant", "#login", "#password")}

    browser.press(gateway.tenant + TAB)
    browser.press(gateway.login + TAB)
    browser.press(gateway.password + TAB)
    browser.press(ENTER)
    wait_for_text(browser, ".ostiary-who", gateway.login)

    assert names == {"#tenant": "Tenant id", "#login": "Login", "#password": "Password"}
    assert browser.accessible_name("input[value=roles_pbac]") == "roles_pbac"


def test_log_out_ends_the_session_here_and_at_the_gateway(browser: Chromium, gateway: Gateway) -> None:
    sign_in(browser, gateway)
    wait_for_text(browser, ".ostiary-who", gateway.login)
    token = stored_session(browser)["accessToken"]

    browser.click(".ostiary-quiet")
    browser.find("#password")

    def status() -> int:
        headers = {"Authorization": f"Bearer {token}"}
        with httpx2.Client(base_url=gateway.base_url, trust_env=False) as client:
            return client.post("/query", json={"query": "{ __typename }"}, headers=headers).status_code

    browser.until(
        "performance.getEntriesByType('resource').filter((entry) => entry.name.endsWith('/auth')"
        " && entry.responseEnd > 0).length"
    )
    assert status() == 401
    assert browser.script("return sessionStorage.length") == 0


def test_expired_token_is_renewed_without_a_word(browser: Chromium, impatient_gateway: Gateway) -> None:
    sign_in(browser, impatient_gateway)
    wait_for_text(browser, EDITOR, impatient_gateway.data_field)
    first = stored_session(browser)
    wait_until_refused(impatient_gateway, first["accessToken"])

    run(browser, impatient_gateway.document)
    wait_for_text(browser, RESULT, impatient_gateway.answer)

    second = stored_session(browser)
    assert second["accessToken"] != first["accessToken"]
    assert second["refreshToken"] != first["refreshToken"]


def test_session_that_cannot_be_renewed_leads_back_to_the_way_in(browser: Chromium, impatient_gateway: Gateway) -> None:
    sign_in(browser, impatient_gateway)
    wait_for_text(browser, EDITOR, impatient_gateway.data_field)
    session = stored_session(browser)
    # Elsewhere the refresh token is used up twice over: to the gateway this is theft, and it ends the session.
    with httpx2.Client(base_url=impatient_gateway.base_url, trust_env=False) as client:
        client.request("DELETE", "/auth", headers={"Authorization": f"Bearer {session['refreshToken']}"})
    wait_until_refused(impatient_gateway, session["accessToken"])

    browser.click(".graphiql-execute-button")

    assert "Unauthorized access" in browser.text(".ostiary-notice")
    browser.find("#password")
    assert browser.script("return sessionStorage.length") == 0


def test_browser_holds_the_page_to_its_policy(browser: Chromium, gateway: Gateway) -> None:
    """Were this to pass unseen, the empty consoles above would prove nothing."""
    browser.open(f"{gateway.base_url}/graphiql")
    browser.find("#tenant")
    browser.script(
        "const inline = document.createElement('script'); inline.textContent = 'window.ran = true';"
        "document.head.append(inline); return fetch('http://127.0.0.1:9/').catch(() => 0)"
    )

    assert browser.script("return window.ran === true") is False
    breaches = [line for line in browser.console() if "Content Security Policy" in line]
    assert len([line for line in breaches if "script-src" in line]) == 1
    assert len([line for line in breaches if "connect-src" in line]) >= 1


def wait_until_refused(gateway: Gateway, token: str) -> None:
    deadline = time.monotonic() + 20
    with httpx2.Client(
        base_url=gateway.base_url, headers={"Authorization": f"Bearer {token}"}, trust_env=False
    ) as client:
        while client.post("/query", json={"query": "{ __typename }"}).status_code != 401:
            assert time.monotonic() < deadline
            time.sleep(0.1)


# A small gateway of the same wire, with the flights tenant in it.


@strawberry.type(name="airlines")
class Airline:
    """A carrier and the code it flies under."""

    carrier: strawberry.ID
    name: str


@strawberry.type(name="flights")
class Flight:
    """A departure from one of New York's airports in 2013. Delays are minutes."""

    id: strawberry.ID
    flight: int
    origin: str
    dest: str
    dep_delay: int | None
    airline: Airline | None


JETBLUE = Airline(carrier=strawberry.ID("B6"), name="JetBlue Airways")
AMERICAN = Airline(carrier=strawberry.ID("AA"), name="American Airlines")
FLIGHTS = [
    Flight(id=strawberry.ID("2"), flight=1545, origin="JFK", dest="MIA", dep_delay=88, airline=AMERICAN),
    Flight(id=strawberry.ID("1"), flight=725, origin="JFK", dest="BQN", dep_delay=64, airline=JETBLUE),
]


@strawberry.type
class Query:
    @strawberry.field
    def flights(
        self,
        filter: str = "",  # noqa: A002
        ordering: list[str] | None = None,
        limit: int | None = None,
        offset: int = 0,
    ) -> list[Flight]:
        return FLIGHTS[offset:][:limit]

    @strawberry.field
    def airlines(self, limit: int | None = None) -> list[Airline]:
        return [JETBLUE, AMERICAN][:limit]


@strawberry.type(name="role")
class Role:
    roleid: int
    login: str


@strawberry.type(name="Query")
class ControlQuery:
    @strawberry.field
    def role(self, limit: int | None = None) -> list[Role]:
        return [Role(roleid=42, login="ann@example.org")][:limit]


def flights_tenant(base_url: str) -> Gateway:
    return Gateway(
        base_url=base_url,
        tenant="7",
        login="ann@example.org",
        password="correct horse",
        anonymous_login="nobody7",
        data_field="flights",
        control_field="role",
        document="{ flights(limit: 1) { flight airline { name } } }",
        answer='"name": "American Airlines"',
    )


@dataclass
class Issued:
    kind: str
    session: str
    expires: float


@dataclass
class Doors:
    """The logins of the stand-in: opaque tokens, kept in memory."""

    access_seconds: float
    issued: dict[str, Issued] = field(default_factory=dict[str, Issued])
    ended: set[str] = field(default_factory=set[str])

    async def auth(self, request: Request) -> JSONResponse:
        body = await request.json()
        if (body.get("login"), body.get("password")) != ("ann@example.org", "correct horse"):
            return refusal(403, "Invalid credentials.")
        return self._reply(request, "ann@example.org", secrets.token_hex(4))

    async def renew(self, request: Request) -> JSONResponse:
        known = self._find(request, "refresh")
        if isinstance(known, str):
            return refusal(401, known)
        return self._reply(request, "ann@example.org", known.session)

    async def leave(self, request: Request) -> JSONResponse:
        known = self.issued.get(token_of(request))
        if known is not None:
            self.ended.add(known.session)
        return JSONResponse({"message": "Logged out.", "status": 200})

    async def anonauth(self, request: Request) -> JSONResponse:
        tenant = (await request.json())["tenantid"]
        return self._reply(request, f"nobody{tenant}", secrets.token_hex(4))

    def guarded(self, schema: strawberry.Schema) -> Callable[[Request], Awaitable[JSONResponse]]:
        async def endpoint(request: Request) -> JSONResponse:
            known = self._find(request, "access")
            if isinstance(known, str):
                return refusal(401, known)
            asked = await request.json()
            result = await schema.execute(
                asked["query"], asked.get("variables"), operation_name=asked.get("operationName")
            )
            errors = [error.formatted for error in result.errors or []]
            return JSONResponse({"data": result.data, **({"errors": errors} if errors else {})})

        return endpoint

    def _find(self, request: Request, kind: str) -> Issued | str:
        known = self.issued.get(token_of(request))
        if known is None or known.kind != kind:
            return "Unauthorized access: Not enough segments"
        if known.expires < time.monotonic():
            return "Unauthorized access: Token has expired"
        return "Unauthorized access: The session has ended" if known.session in self.ended else known

    def _reply(self, request: Request, login: str, session: str) -> JSONResponse:
        assert request.query_params["schema"] == "none"
        access, renewal = secrets.token_urlsafe(), secrets.token_urlsafe()
        self.issued[access] = Issued("access", session, time.monotonic() + self.access_seconds)
        self.issued[renewal] = Issued("refresh", session, time.monotonic() + 3600)
        # Routes may name the gateway as the world outside its proxy knows it; the page stays on its own origin.
        base = "https://gateway.example/"
        return JSONResponse(
            {
                "access_token": access,
                "refresh_token": renewal,
                "message": f"Logged in as {login}.",
                "roleid": 42,
                "routes": {"base": base, "query": f"{base}query", "roles_pbac": f"{base}roles_pbac"},
            }
        )


def stand_in(access_seconds: float) -> Starlette:
    doors = Doors(access_seconds)
    config = StrawberryConfig(auto_camel_case=False)
    return Starlette(
        routes=[
            *graphiql_routes(),
            Route("/auth", doors.auth, methods=["POST"]),
            Route("/auth", doors.renew, methods=["GET"]),
            Route("/auth", doors.leave, methods=["DELETE"]),
            Route("/anonauth", doors.anonauth, methods=["POST"]),
            Route("/query", doors.guarded(strawberry.Schema(Query, config=config)), methods=["POST"]),
            Route("/roles_pbac", doors.guarded(strawberry.Schema(ControlQuery, config=config)), methods=["POST"]),
        ]
    )


def token_of(request: Request) -> str:
    return request.headers.get("Authorization", "").removeprefix("Bearer ")


def refusal(status: int, sentence: str) -> JSONResponse:
    return JSONResponse({"error": sentence, "status": status}, status_code=status)


@contextmanager
def running(app: Starlette) -> Generator[str]:
    """The base URL of an application served in a thread until the end of the block."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning", ws="none", lifespan="off"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()
