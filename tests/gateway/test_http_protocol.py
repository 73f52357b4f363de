"""The short way of /query through the server, byte by byte: in one piece or in many, it is answered alike."""

import json
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.gateways import Gateway

pytestmark = pytest.mark.server

AIRLINES = '{ airlines(ordering: "carrier", limit: 1) { carrier } }'
DATA = b'{"data":{"airlines":[{"carrier":"9E"}]}}'
LENGTH = re.compile(rb"content-length: (\d+)\r\n", re.IGNORECASE)


class Connection:
    """One connection, on which bytes are sent and whole responses read."""

    def __init__(self, client: socket.socket) -> None:
        self.client = client
        self._rest = b""

    def send(self, *pieces: bytes) -> None:
        """Each piece as a packet of its own."""
        for piece in pieces:
            self.client.sendall(piece)

    def read(self) -> tuple[bytes, bytes]:
        """The head and the body of the next response."""
        while b"\r\n\r\n" not in self._rest:
            self._receive()
        head, _, rest = self._rest.partition(b"\r\n\r\n")
        found = LENGTH.search(head + b"\r\n")
        assert found is not None, head
        length = int(found[1])
        self._rest = rest
        while len(self._rest) < length:
            self._receive()
        body, self._rest = self._rest[:length], self._rest[length:]
        return head, body

    def is_closed(self) -> bool:
        """Whether the server has closed it, once it has nothing more to say."""
        return self._rest == b"" and self.client.recv(65_536) == b""

    def _receive(self) -> None:
        received = self.client.recv(65_536)
        if not received:
            raise ConnectionError
        self._rest += received


@contextmanager
def connected(gateway: Gateway) -> Iterator[Connection]:
    host, _, port = gateway.address.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=20) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield Connection(client)


@pytest.fixture(scope="module")
def token(gateway: Gateway) -> str:
    return gateway.access("flights")


def request(token: str, *lines: str, document: str = AIRLINES, version: str = "1.1", path: str = "/query") -> bytes:
    body = json.dumps({"query": document}).encode()
    head = [
        f"POST {path} HTTP/{version}",
        "Host: gateway.test",
        f"Authorization: Bearer {token}",
        "Content-Type: application/json",
        *lines,
        f"Content-Length: {len(body)}",
    ]
    return "\r\n".join([*head, "", ""]).encode() + body


def headers_of(head: bytes) -> dict[str, str]:
    lines = head.decode().split("\r\n")[1:]
    return {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}


def test_a_request_is_answered_alike_in_one_piece_and_in_many(gateway: Gateway, token: str) -> None:
    whole = request(token)
    middle = whole.index(b"\r\n\r\n") + 4
    with connected(gateway) as connection:
        heads: list[bytes] = []
        for pieces in (
            [whole],
            [whole[:middle], whole[middle:]],
            [whole[:20], whole[20:middle], whole[middle : middle + 5], whole[middle + 5 :]],
            [whole[index : index + 1] for index in range(len(whole))],
        ):
            connection.send(*pieces)
            head, body = connection.read()
            assert body == DATA
            heads.append(head)

    first, *others = [headers_of(head) for head in heads]
    varying = ("x-request-id", "date")
    for other in others:
        assert {k: v for k, v in other.items() if k not in varying} == {
            k: v for k, v in first.items() if k not in varying
        }
    assert len({headers["x-request-id"] for headers in (first, *others)}) == len(heads)


def test_the_short_way_gives_the_headers_that_every_reply_has(gateway: Gateway, token: str) -> None:
    with connected(gateway) as connection:
        connection.send(request(token, "X-Request-ID: mine-1"))
        short = headers_of(connection.read()[0])
        # With an origin it goes the usual way.
        connection.send(request(token, "X-Request-ID: mine-1", "Origin: null"))
        usual = headers_of(connection.read()[0])

    assert short["x-request-id"] == "mine-1"
    assert {k: v for k, v in usual.items() if k in short and k not in ("date", "vary")} == {
        k: v for k, v in short.items() if k not in ("date", "vary")
    }


def test_requests_sent_before_the_answer_are_answered_in_their_order(gateway: Gateway, token: str) -> None:
    documents = [f"{{ a{number}: airlines(limit: 0) {{ carrier }} }}" for number in range(5)]
    with connected(gateway) as connection:
        connection.send(b"".join(request(token, document=document) for document in documents))
        bodies = [connection.read()[1] for _ in documents]

    assert bodies == [b'{"data":{"a%d":[]}}' % number for number in range(5)]


def test_short_and_usual_requests_take_turns_on_one_connection(gateway: Gateway, token: str) -> None:
    health = b"GET /healthz HTTP/1.1\r\nHost: gateway.test\r\n\r\n"
    with connected(gateway) as connection:
        connection.send(request(token) + health + request(token))
        bodies = [connection.read()[1] for _ in range(3)]
        connection.send(request(token, "Expect: 100-continue"))
        continued = connection.client.recv(25)
        last = connection.read()[1]

    assert bodies == [DATA, b'{"status":"ok"}', DATA]
    assert continued == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert last == DATA


def test_a_connection_is_closed_where_the_client_wants_that(gateway: Gateway, token: str) -> None:
    for given in (request(token, "Connection: close"), request(token, version="1.0")):
        with connected(gateway) as connection:
            connection.send(given)
            head, body = connection.read()
            assert body == DATA
            assert b"connection: close" in head.lower()
            assert connection.is_closed()


def test_a_body_in_chunks_is_read(gateway: Gateway, token: str) -> None:
    body = json.dumps({"query": AIRLINES}).encode()
    head, _, _ = request(token).partition(b"\r\nContent-Length")
    chunks = b"".join(b"%x\r\n%b\r\n" % (1, body[index : index + 1]) for index in range(len(body))) + b"0\r\n\r\n"
    with connected(gateway) as connection:
        connection.send(head + b"\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks)
        assert connection.read()[1] == DATA


def test_refusals_are_those_of_the_usual_way(gateway: Gateway, token: str) -> None:
    for pieces, status in (
        ([request("no.such.token")], 422),
        ([request(token, document="{ nothing }")], 400),
        ([request(token, "Content-Type: text/plain")], 415),
        ([request(token, "X-Long: " + "x" * 40_000)], 431),
        ([request(token).replace(b"Content-Length: ", b"Content-Length: 99999")], 413),
    ):
        with connected(gateway) as connection:
            connection.send(*pieces)
            head, body = connection.read()
            assert head.startswith(b"HTTP/1.1 %d " % status), head
            assert json.loads(body)["errors"]


def test_who_goes_away_before_the_answer_harms_nobody(gateway: Gateway, token: str) -> None:
    for cut in (40, len(request(token)) - 3, len(request(token))):
        for _ in range(20):
            with connected(gateway) as connection:
                connection.send(request(token)[:cut])
    with connected(gateway) as connection:
        connection.send(request(token))
        assert connection.read()[1] == DATA


def test_what_is_no_http_is_refused_and_closed(gateway: Gateway, token: str) -> None:
    whole = request(token)
    with connected(gateway) as connection:
        connection.send(whole[: whole.index(b"\r\n\r\n")] + b"\r\nBroken header\x00line\r\n\r\n")
        assert connection.client.recv(65_536).startswith(b"HTTP/1.1 400 ")
        assert connection.client.recv(65_536) == b""


def test_an_answer_larger_than_the_socket_takes_at_once_arrives_whole(gateway: Gateway, token: str) -> None:
    document = '{ flights(ordering: "flightid") { flightid carrier flight tailnum origin dest time_hour } }'
    with connected(gateway) as connection:
        connection.send(request(token, document=document))
        body = connection.read()[1]

    assert len(json.loads(body)["data"]["flights"]) == 12_208
