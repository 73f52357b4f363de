"""What every hostile request must leave behind: a refusal that shows nothing inside, and a gateway that serves."""

import re
import socket
from urllib.parse import urlsplit

import httpx2

from tests.wire import Wire, bearer

INTERNALS = (
    "traceback", 'file "', "site-packages", "asyncpg", "sqlalchemy", "psycopg", "starlette", "uvicorn", "httptools",
    "strawberry", "graphql-core", "orjson", "pydantic", "jose", "cryptography", "sqlstate", "select ", "insert into",
    "json_agg", "information_schema", "pg_", "$1", "recursion", "nonetype", " object at 0x", "keyerror", "valueerror",
    "typeerror", "unicodeencodeerror", "unicodedecodeerror", "codec", "/home/", "/usr/", "/tmp/", "/var/", ".py",
)  # fmt: skip
PLAIN_WORDS = re.compile(r"something went wrong inside")


def leaks(told: str, sent: str = "") -> list[str]:
    """The words of the inside in a refusal that the request did not bring along."""
    told, sent = told.lower(), sent.lower()
    return [word for word in INTERNALS if word in told and word not in sent]


def check_refusal(reply: httpx2.Response, sent: str = "") -> None:
    """A refusal of the caller, and not a fault of ours."""
    assert 400 <= reply.status_code < 500 or "errors" in reply.json(), (reply.status_code, reply.text[:500])
    check_answer(reply, sent)


def check_answer(reply: httpx2.Response, sent: str = "") -> None:
    """Any answer but a fault of ours."""
    assert reply.status_code < 500, (reply.status_code, reply.text[:500])
    body = reply.json()
    told = str(body.get("errors", "")) + str(body.get("error", ""))
    assert not PLAIN_WORDS.search(told.lower()), (sent[:300], told)
    assert not leaks(told, sent), (leaks(told, sent), told[:500])


def check_serving(wire: Wire, token: str) -> None:
    """A good request is answered."""
    reply = wire.post("/query", {"query": "{ __typename }"}, token)
    assert (reply.status_code, reply.json()) == (200, {"data": {"__typename": "Query"}})


def exchange(wire: Wire, request: bytes, *, seconds: float = 10.0, source: str = "127.0.0.1") -> bytes:
    """What comes back for these bytes on a connection of their own, until the server ends it or is silent."""
    place = urlsplit(wire.gateway.address)
    assert place.port is not None
    received = b""
    with socket.create_connection(("127.0.0.1", place.port), seconds, (source, 0)) as connection:
        try:
            connection.sendall(request)
            while piece := connection.recv(65_536):
                received += piece
        except (TimeoutError, ConnectionError):
            return received
    return received


def statuses(received: bytes) -> list[int]:
    """The status of each response in what came back."""
    return [int(status) for status in re.findall(rb"HTTP/1\.[01] (\d{3})", received)]


def raw_query(token: str, *lines: str, body: bytes = b'{"query":"{ __typename }"}', length: bool = True) -> bytes:
    """A good request for /query by hand, with further header lines."""
    head = ["POST /query HTTP/1.1", "Host: gateway.test", "Content-Type: application/json"]
    head += [f"{name}: {value}" for name, value in bearer(token).items()]
    head += [f"Content-Length: {len(body)}"] * length
    return "\r\n".join([*head, *lines, "", ""]).encode("latin-1") + body
