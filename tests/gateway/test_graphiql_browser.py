"""The GraphiQL page in a real browser that can reach nothing but the gateway."""

import asyncio
import json
import secrets
import socket
import threading
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import asyncpg
import pytest
import uvicorn
from pydantic import SecretStr
from starlette.applications import Starlette

from gateway.app import create_app
from gateway.provision import create_tenant
from gateway.serve import open_control, tenants_opener
from gateway.settings import Settings
from tests.chromium import CONTROL, DELETE, ENTER, RELEASE, TAB, Chromium, chromedriver, chromium, missing_package
from tests.databases import Databases
from tests.gateways import Gateway, Login

pytestmark = [pytest.mark.browser, pytest.mark.server, pytest.mark.timeout(120)]

if (_missing := missing_package()) is not None:
    pytest.skip(_missing, allow_module_level=True)

ANSWER = '"name": "Hawaiian Airlines Inc."'
DOCUMENT = '{ flights(filter: "dep_delay > 1300") { flight airline { name } } }'


@pytest.fixture
def root(gateway: Gateway) -> Login:
    return gateway.logins["flights", "root"]


@pytest.fixture(scope="module")
def window(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    with chromedriver() as client, chromium(client, tmp_path_factory.mktemp("profile")) as opened:
        yield opened


@pytest.fixture
def browser(window: Chromium, gateway: Gateway) -> Iterator[Chromium]:
    """A browser that remembers nothing of the tests before, save the files it may keep for ever."""
    yield window
    # Left first: GraphiQL stores what was typed a moment after.
    window.open(f"{gateway.address}/healthz")
    window.script("sessionStorage.clear(); localStorage.clear()")
    window.console()


@dataclass
class AdvancingClock:
    """The time of day, so many seconds ahead."""

    ahead_seconds: float = 0

    def __call__(self) -> float:
        return time.time() + self.ahead_seconds


@dataclass(frozen=True)
class AgeingGateway:
    """A gateway for which time can pass at once. Its clients know it by a name that leads nowhere."""

    address: str
    root: Login
    clock: AdvancingClock = field(default_factory=AdvancingClock)


@pytest.fixture
def ageing(databases: Databases) -> Iterator[AgeingGateway]:
    control, data = databases.create(), databases.create()
    settings = Settings(
        database_url=SecretStr(control),
        master_key=SecretStr(secrets.token_hex(32)),
        base_url="https://gateway.example/",
        _env_file=None,  # pyright: ignore[reportCallIssue]
    )
    root = asyncio.run(make_library(settings, data))
    clock = AdvancingClock()
    with running(create_app(settings, open_tenants=tenants_opener(lambda dsn: dsn), clock=clock)) as address:
        yield AgeingGateway(address, root, clock)
    databases.drop(control)
    databases.drop(data)


async def make_library(settings: Settings, dsn: str) -> Login:
    """The root of a new tenant with one table of books."""
    connection = await asyncpg.connect(dsn)
    await connection.execute(
        "create table books (id int primary key, title text); insert into books values (1, 'Dubliners')"
    )
    await connection.close()
    async with open_control(settings) as control, control.engine.begin() as transaction:
        _, _, made = await create_tenant(transaction, name="library", dsn=dsn, master_key=control.master_key)
    return Login(made.tenant_id, made.login, made.password)


@contextmanager
def running(app: Starlette) -> Generator[str]:
    """The address of an application that is served in a thread until the end of the block."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, ws="none", lifespan="on"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


EDITOR = ".graphiql-query-editor .monaco-editor"
RESULT = ".result-window .view-lines"
DAY_SECONDS = 86_400


def sign_in(browser: Chromium, address: str, login: Login) -> None:
    browser.open(f"{address}/graphiql?tenant={login.tenant_id}")
    browser.type("#login", login.login)
    browser.type("#password", login.password + ENTER)


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


def test_newcomer_signs_in_and_asks_without_any_other_host(browser: Chromium, gateway: Gateway, root: Login) -> None:
    sign_in(browser, gateway.address, root)

    wait_for_text(browser, ".ostiary-who", root.login)
    # The first query is made from the schema: it cannot be there before introspection has answered.
    wait_for_text(browser, EDITOR, "airlines(limit: 10) {")
    run(browser, DOCUMENT)
    wait_for_text(browser, RESULT, ANSWER)

    assert browser.console() == []
    origins = "[...new Set(performance.getEntriesByType('resource').map((entry) => new URL(entry.name).origin))]"
    assert browser.script(f"return {origins}") == [gateway.address]


def test_language_worker_marks_faults_in_a_document(browser: Chromium, gateway: Gateway, root: Login) -> None:
    sign_in(browser, gateway.address, root)
    wait_for_text(browser, EDITOR, "airlines(")
    browser.click(f"{EDITOR} .view-lines")

    browser.press(f"{CONTROL}a{RELEASE}{DELETE}")
    browser.press("{ no_such_table { id } }")

    browser.find(f"{EDITOR} .squiggly-error")
    assert browser.console() == []


def test_prettify_lays_a_document_out(browser: Chromium, gateway: Gateway, root: Login) -> None:
    sign_in(browser, gateway.address, root)
    wait_for_text(browser, EDITOR, "airlines(")
    browser.click(f"{EDITOR} .view-lines")
    browser.press(f"{CONTROL}a{RELEASE}{DELETE}")
    browser.press("query   Q   {   airlines   {   name   }   }")

    browser.click("button[aria-label^='Prettify']")

    wait_for_text(browser, EDITOR, "query Q {")
    assert browser.console() == []


def test_endpoint_switch_leads_to_the_control_schema_and_back(browser: Chromium, gateway: Gateway, root: Login) -> None:
    sign_in(browser, gateway.address, root)
    wait_for_text(browser, EDITOR, "airlines(")

    browser.click("input[value=roles_pbac]")
    wait_for_text(browser, EDITOR, "role(")
    browser.click(".graphiql-execute-button")
    wait_for_text(browser, RESULT, '"login": "root"')
    browser.click("input[value=query]")
    wait_for_text(browser, EDITOR, "airlines(")
    run(browser, DOCUMENT)
    wait_for_text(browser, RESULT, ANSWER)

    assert browser.console() == []


def test_tokens_are_in_the_tab_alone(browser: Chromium, gateway: Gateway, root: Login) -> None:
    sign_in(browser, gateway.address, root)
    wait_for_text(browser, EDITOR, "airlines(")
    run(browser, DOCUMENT)
    wait_for_text(browser, RESULT, ANSWER)

    tokens = [stored_session(browser)["accessToken"], stored_session(browser)["refreshToken"]]
    elsewhere = browser.script(
        "return [location.href, JSON.stringify(history.state), JSON.stringify(localStorage), document.cookie,"
        " ...performance.getEntries().map((entry) => entry.name)].join(' ')"
    )

    assert browser.location() == f"{gateway.address}/graphiql?tenant={root.tenant_id}"
    assert all(tokens)
    assert not [token for token in tokens if token in elsewhere]
    assert root.password not in elsewhere


def test_reload_keeps_the_session_and_what_was_typed(browser: Chromium, gateway: Gateway, root: Login) -> None:
    sign_in(browser, gateway.address, root)
    wait_for_text(browser, EDITOR, "airlines(")
    run(browser, DOCUMENT)
    wait_for_text(browser, RESULT, ANSWER)
    typed = (
        "Object.entries(localStorage).some(([key, text]) => key.endsWith(':tabState') && text.includes(arguments[0]))"
    )
    browser.until(typed, json.dumps(DOCUMENT)[1:-1])

    browser.reload()

    wait_for_text(browser, EDITOR, DOCUMENT)
    assert root.login in browser.text(".ostiary-who")


def test_wrong_password_shows_the_sentence_of_the_gateway(browser: Chromium, gateway: Gateway, root: Login) -> None:
    browser.open(f"{gateway.address}/graphiql?tenant={root.tenant_id}")
    browser.type("#login", root.login)
    browser.type("#password", "not it" + ENTER)

    assert browser.text("[role=alert]") == "Invalid credentials."
    assert browser.script("return sessionStorage.length") == 0


def test_nothing_is_sent_before_the_form_is_filled(browser: Chromium, gateway: Gateway, root: Login) -> None:
    browser.open(f"{gateway.address}/graphiql")

    browser.click(".ostiary-secondary")

    assert browser.text("[role=alert]") == "Enter the tenant id."
    assert browser.script("return document.activeElement.id") == "tenant"
    calls = "performance.getEntriesByType('resource').filter((entry) => entry.name.includes('auth')).length"
    assert browser.script(f"return {calls}") == 0


def test_anonymous_button_enters_as_nobody(browser: Chromium, gateway: Gateway, root: Login) -> None:
    browser.open(f"{gateway.address}/graphiql")
    browser.type("#tenant", str(root.tenant_id))
    browser.click(".ostiary-secondary")

    wait_for_text(browser, ".ostiary-who", f"nobody{root.tenant_id}")


def test_keyboard_alone_leads_in_past_fields_with_names(browser: Chromium, gateway: Gateway, root: Login) -> None:
    browser.open(f"{gateway.address}/graphiql")
    browser.find("#tenant")
    names = {selector: browser.accessible_name(selector) for selector in ("#tenant", "#login", "#password")}

    browser.press(f"{root.tenant_id}{TAB}")
    browser.press(root.login + TAB)
    browser.press(root.password + TAB)
    browser.press(ENTER)
    wait_for_text(browser, ".ostiary-who", root.login)

    assert names == {"#tenant": "Tenant id", "#login": "Login", "#password": "Password"}
    assert browser.accessible_name("input[value=roles_pbac]") == "roles_pbac"


def test_log_out_ends_the_session_here_and_at_the_gateway(browser: Chromium, gateway: Gateway, root: Login) -> None:
    sign_in(browser, gateway.address, root)
    wait_for_text(browser, ".ostiary-who", root.login)
    token = stored_session(browser)["accessToken"]

    browser.click(".ostiary-quiet")
    browser.find("#password")

    browser.until(
        "performance.getEntriesByType('resource').filter((entry) => entry.name.endsWith('/auth')"
        " && entry.responseEnd > 0).length"
    )
    with gateway.client() as client:
        answer = client.post("/query", json={"query": DOCUMENT}, headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 401
    assert browser.script("return sessionStorage.length") == 0


def test_expired_token_is_renewed_without_a_word(browser: Chromium, ageing: AgeingGateway) -> None:
    sign_in(browser, ageing.address, ageing.root)
    wait_for_text(browser, EDITOR, "books(")
    first = stored_session(browser)
    ageing.clock.ahead_seconds += 2 * DAY_SECONDS

    browser.click(".graphiql-execute-button")
    wait_for_text(browser, RESULT, "Dubliners")

    second = stored_session(browser)
    assert second["accessToken"] != first["accessToken"]
    assert second["refreshToken"] != first["refreshToken"]


def test_session_too_old_to_be_renewed_leads_back_to_the_way_in(browser: Chromium, ageing: AgeingGateway) -> None:
    sign_in(browser, ageing.address, ageing.root)
    wait_for_text(browser, EDITOR, "books(")
    ageing.clock.ahead_seconds += 8 * DAY_SECONDS

    browser.click(".graphiql-execute-button")

    assert browser.text(".ostiary-notice") == "Unauthorized access: Token has expired"
    browser.find("#password")
    assert browser.script("return sessionStorage.length") == 0


def test_session_ended_elsewhere_leads_back_to_the_way_in(browser: Chromium, gateway: Gateway, root: Login) -> None:
    sign_in(browser, gateway.address, root)
    wait_for_text(browser, EDITOR, "airlines(")
    with gateway.client() as client:
        client.delete("/auth", headers={"Authorization": f"Bearer {stored_session(browser)['accessToken']}"})

    browser.click(".graphiql-execute-button")

    assert "Unauthorized access" in browser.text(".ostiary-notice")
    assert browser.script("return sessionStorage.length") == 0


def test_browser_holds_the_page_to_its_policy(browser: Chromium, gateway: Gateway, root: Login) -> None:
    """Were this to pass unseen, the empty consoles above would prove nothing."""
    browser.open(f"{gateway.address}/graphiql")
    browser.find("#tenant")
    browser.script(
        "const inline = document.createElement('script'); inline.textContent = 'window.ran = true';"
        "document.head.append(inline); return fetch('http://127.0.0.1:9/').catch(() => 0)"
    )

    assert browser.script("return window.ran === true") is False
    breaches = [line for line in browser.console() if "Content Security Policy" in line]
    assert len([line for line in breaches if "script-src" in line]) == 1
    assert len([line for line in breaches if "connect-src" in line]) >= 1
