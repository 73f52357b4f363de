"""The audits of GraphQL over HTTP by its working group (npm graphql-http), against a real server of our HTTP layer."""

import socket
import threading
from collections.abc import Iterator

import pytest
import uvicorn

from gateway.graphql_http import HttpLimits
from tests.graphql_app import GraphQLApp
from tests.javascript import run_script

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


@pytest.mark.server
def test_all_audits_pass_but_those_decided_otherwise(address: str) -> None:
    results = run_script("audit.mjs", address)

    assert len(results) == 61
    assert {result["id"]: result["reason"] for result in results if result["status"] != "ok"} == dict.fromkeys(
        DECIDED_OTHERWISE, "Response status code is not 200"
    )
