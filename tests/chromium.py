"""Headless Chromium, driven over the WebDriver protocol (W3C) by Debian's chromedriver.

It resolves no host name, so a page that needs any host but 127.0.0.1 fails here as it would without a network.
"""

import base64
import contextlib
import os
import re
import shutil
import subprocess
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any, cast

import httpx2

_ELEMENT = "element-6066-11e4-a52e-4f735466cecf"

ENTER = "\ue007"
TAB = "\ue004"
DELETE = "\ue017"
CONTROL = "\ue009"
RELEASE = "\ue000"


def missing_package() -> str | None:
    """The sentence that names what is not installed, or None."""
    for program, package in (("chromium", "chromium"), ("chromedriver", "chromium-driver")):
        if shutil.which(program) is None:
            return f"{program} is not installed: on Debian, apt-get install {package}"
    return None


class Chromium:
    """One browser window. Each method waits for what it names, or raises AssertionError when that does not come."""

    def __init__(self, client: httpx2.Client, session: str) -> None:
        self._client = client
        self._session = session

    def open(self, address: str) -> None:
        self._ask("POST", "url", {"url": address})

    def location(self) -> str:
        return cast("str", self._ask("GET", "url"))

    def reload(self) -> None:
        self._ask("POST", "refresh", {})

    def script(self, body: str, *arguments: object) -> Any:
        """What the function of this body returns; a promise is waited for."""
        return self._ask("POST", "execute/sync", {"script": body, "args": list(arguments)})

    def until(self, expression: str, *arguments: object, timeout_seconds: float = 20) -> Any:
        """The first truthy value of an expression."""
        deadline = time.monotonic() + timeout_seconds
        while not (value := self.script(f"return {expression}", *arguments)):
            if time.monotonic() > deadline:
                page = self.script("return document.body.innerText")
                raise AssertionError(f"{expression} did not become true. Console: {self.console()}. Page:\n{page}")
            time.sleep(0.05)
        return value

    def find(self, selector: str) -> str:
        """The reference of an element that is there and shown."""
        shown = "[...document.querySelectorAll(arguments[0])].find((found) => found.checkVisibility())"
        return cast("str", self.until(shown, selector)[_ELEMENT])

    def click(self, selector: str) -> None:
        self._ask("POST", f"element/{self.find(selector)}/click", {})

    def type(self, selector: str, text: str) -> None:
        self._ask("POST", f"element/{self.find(selector)}/value", {"text": text})

    def press(self, keys: str) -> None:
        """Sends keys to whatever has the focus."""
        self._ask("POST", f"element/{self._ask('GET', 'element/active')[_ELEMENT]}/value", {"text": keys})

    def text(self, selector: str) -> str:
        text = cast("str", self._ask("GET", f"element/{self.find(selector)}/text"))
        return text.replace("\N{NO-BREAK SPACE}", " ")

    def accessible_name(self, selector: str) -> str:
        return cast("str", self._ask("GET", f"element/{self.find(selector)}/computedlabel"))

    def console(self) -> list[str]:
        """The warnings and errors logged since last asked, breaches of the Content-Security-Policy among them."""
        entries = self._ask("POST", "se/log", {"type": "browser"})
        return [entry["message"] for entry in entries if entry["level"] in {"WARNING", "SEVERE"}]

    def emulate(self, *, theme: str = "light", width: int = 1280, height: int = 800) -> None:
        self._devtools("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": theme}])
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self._devtools("Emulation.setDeviceMetricsOverride", **metrics)

    def screenshot(self, path: Path) -> None:
        path.write_bytes(base64.b64decode(self._ask("GET", "screenshot")))

    def _devtools(self, command: str, **parameters: object) -> None:
        self._ask("POST", "goog/cdp/execute", {"cmd": command, "params": parameters})

    def _ask(self, method: str, path: str, body: dict[str, object] | None = None) -> Any:
        response = self._client.request(method, f"/session/{self._session}/{path}", json=body)
        value = response.json()["value"]
        if response.status_code != 200:
            raise AssertionError(f"{path}: {value['error']}: {value['message']}")
        return value


@contextlib.contextmanager
def chromedriver() -> Generator[httpx2.Client]:
    """A client of a chromedriver process, which ends, with its browsers, at the end of the block."""
    command = ["chromedriver", "--port=0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        try:
            port = next(
                found[1] for line in process.stdout if (found := re.search(r"successfully on port (\d+)", line))
            )
            with httpx2.Client(base_url=f"http://127.0.0.1:{port}", timeout=60, trust_env=False) as client:
                yield client
        finally:
            process.terminate()


@contextlib.contextmanager
def chromium(client: httpx2.Client, profile: Path) -> Generator[Chromium]:
    """A new browser with an empty profile."""
    arguments = [
        "--headless",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
        "--window-size=1280,800",
        f"--user-data-dir={profile}",
    ]
    if os.geteuid() == 0:
        arguments.append("--no-sandbox")
    wanted = {
        "browserName": "chrome",
        "goog:chromeOptions": {"binary": shutil.which("chromium"), "args": arguments},
        "goog:loggingPrefs": {"browser": "ALL"},
    }
    response = client.post("/session", json={"capabilities": {"alwaysMatch": wanted}})
    value = response.json()["value"]
    assert response.status_code == 200, value
    try:
        yield Chromium(client, value["sessionId"])
    finally:
        client.delete(f"/session/{value['sessionId']}")
