"""SDKs of other systems, unmodified, in a process of their own: what a test gives them to do, and what came of it."""

import asyncio
import json
import shutil
import subprocess
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from starlette.applications import Starlette

FACADES = Path(__file__).parent / "facades"
ANSWER_SECONDS = 60.0


class SdkError(Exception):
    """What the SDK threw; `told` are its members."""

    def __init__(self, told: dict[str, Any]) -> None:
        super().__init__(str(told))
        self.told = told


class Sdk:
    """A running program that has the SDK at hand, and does what it is sent, a line of JSON each."""

    def __init__(self, process: Process) -> None:
        self._process = process

    async def run(self, code: str, **given: object) -> Any:
        """What the code returns; what is given are its names beside the SDK's. Raises SdkError."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"code": code, "given": given}).encode() + b"\n")
        await self._process.stdin.drain()
        line = await asyncio.wait_for(self._process.stdout.readline(), ANSWER_SECONDS)
        assert line, "the SDK's program has ended"
        answer = json.loads(line)
        if "error" in answer:
            raise SdkError(answer["error"])
        return answer["value"]

    async def refused(self, code: str, **given: object) -> dict[str, Any]:
        """What the SDK throws, when it must."""
        with pytest.raises(SdkError) as caught:
            await self.run(code, **given)
        return caught.value.told

    async def end(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        await self._process.wait()


@asynccontextmanager
async def launch(program: str, script: Path, *arguments: str) -> AsyncGenerator[Sdk]:
    """A program that runs the script until the block ends."""
    process = await asyncio.create_subprocess_exec(
        program, str(script), *arguments, cwd=script.parent, stdin=PIPE, stdout=PIPE, limit=2**22
    )
    sdk = Sdk(process)
    try:
        yield sdk
    finally:
        await sdk.end()


@asynccontextmanager
async def serve(app: Starlette) -> AsyncGenerator[str]:
    """The address under which an application, whose lifespan has begun, can be reached by other processes."""
    config = uvicorn.Config(app, host="127.0.0.1", port=0, lifespan="off", log_config=None, access_log=False)
    server, listening = uvicorn.Server(config), config.bind_socket()
    serving = asyncio.create_task(server.serve([listening]))
    try:
        while not server.started:
            await asyncio.sleep(0.005)
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        await serving


@cache
def node_with(name: str) -> str:
    """Node, once the packages of `tests/facades/<name>` are installed. Skips the test where there is no Node, or no
    package."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        pytest.skip(f"The SDK of {name} runs on Node.js: install nodejs and npm for these tests.")
    folder = FACADES / name
    if not (folder / "node_modules" / ".package-lock.json").exists():
        command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        installed = subprocess.run(command, cwd=folder, capture_output=True, check=False)
        if installed.returncode != 0:
            pytest.skip(f"The SDK of {name} could not be installed: npm reached no registry.")
    return node
