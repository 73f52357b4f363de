"""The audits of GraphQL over HTTP by its working group (npm graphql-http), against a real server of our HTTP layer."""

import json
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn

from gateway.graphql_http import HttpLimits
from tests.graphql_app import GraphQLApp

AUDITS = Path(__file__).parents[1] / "graphql_http_audits"

# They ask for 200 when a client that accepts application/json sends a document that cannot be parsed, is not valid, or
# has bad variables. The gateway answers 400 in both media types: clients must be able to tell by the status.
DECIDED_OTHERWISE = {"572B", "FDE2", "7B9B"}


@pytest.fixture
def address() -> Iterator[str]:
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(
        uvicorn.Config(GraphQLApp(HttpLimits()), lifespan="off", log_config=None, http="httptools", ws="none")
    )
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
    server.should_exit = True
    thread.join()
    listener.close()


@pytest.fixture(scope="session")
def node() -> str:
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        pytest.skip("The GraphQL-over-HTTP audits need Node.js: install nodejs and npm to run them.")
    if not (AUDITS / "node_modules" / "graphql-http").exists():
        installed = subprocess.run(
            [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=AUDITS, capture_output=True, check=False
        )
        if installed.returncode != 0:
            pytest.skip("The GraphQL-over-HTTP audits could not be installed: npm reached no registry.")
    return node


@pytest.mark.server
def test_all_audits_pass_but_those_decided_otherwise(node: str, address: str) -> None:
    run = subprocess.run(
        [node, "audit.mjs", address], cwd=AUDITS, capture_output=True, text=True, check=False, timeout=60
    )
    assert run.returncode == 0, run.stderr
    results = json.loads(run.stdout)

    assert len(results) == 61
    assert {result["id"]: result["reason"] for result in results if result["status"] != "ok"} == dict.fromkeys(
        DECIDED_OTHERWISE, "Response status code is not 200"
    )
