"""WebSockets are not served: no path takes one, with a token or without."""

import json

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from tests.siege import check_serving, exchange, leaks, statuses
from tests.wire import Wire, bearer

pytestmark = pytest.mark.server

PATHS = ["/query", "/roles_pbac", "/auth", "/anonauth", "/graphiql", "/", "/healthz", "/nowhere", "/query/ws"]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("protocol", ["graphql-ws", "graphql-transport-ws", None])
@pytest.mark.parametrize("with_token", [True, False])
def test_a_websocket_is_refused_before_anything_is_said(
    wire: Wire, root: str, path: str, protocol: str | None, with_token: bool
) -> None:
    address = wire.gateway.address.replace("http://", "ws://") + path
    with pytest.raises(InvalidStatus) as refusal:
        connect(
            address,
            subprotocols=[Subprotocol(protocol)] if protocol else None,
            additional_headers=bearer(root) if with_token else None,
            open_timeout=10,
        )

    # The wish to change protocols may be passed over (RFC 9110, 7.8); then it is a GET like any other.
    reply = refusal.value.response
    plain = wire.client.get(path, headers=bearer(root) if with_token else None)
    assert (reply.status_code, reply.body) == (plain.status_code, plain.content) or 400 <= reply.status_code < 500
    assert "sec-websocket-accept" not in reply.headers
    assert not leaks(reply.body.decode("latin-1"))
    check_serving(wire, root)


@pytest.mark.parametrize("path", PATHS)
def test_messages_sent_before_the_answer_are_not_looked_at(wire: Wire, root: str, path: str) -> None:
    handshake = (
        f"GET {path} HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
        f"Authorization: Bearer {root}\r\nSec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n"
    )
    message = json.dumps({"type": "subscribe", "id": "1", "payload": {"query": "{ list { listid } }"}}).encode()
    frame = bytes([0x81, 0x80 | len(message)]) + b"\0\0\0\0" + message

    received = exchange(wire, handshake.encode() + frame, seconds=1.0)

    plain = wire.client.get(path, headers=bearer(root)).status_code
    # The frame after it is no request, and gets no answer or a refusal.
    assert statuses(received) in ([plain], [plain, 400], [400], [403])
    assert b"listid" not in received
    check_serving(wire, root)
