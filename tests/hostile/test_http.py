"""HTTP that no well-behaved client sends."""

import socket
import time
from urllib.parse import urlsplit

import httpx2
import pytest

from tests.siege import check_refusal, check_serving, exchange, leaks, raw_query, statuses
from tests.wire import Wire, bearer

pytestmark = pytest.mark.server

GOOD = b'{"query":"{ __typename }"}'
PATHS = ["/auth", "/anonauth", "/query", "/roles_pbac"]


@pytest.mark.parametrize(
    "kind",
    [
        "text/plain",
        "text/xml",
        "application/xml",
        "application/graphql",
        "application/octet-stream",
        "text/json",
        "application/json; charset=utf-16",
        "application/json; charset=nonsense",
        "multipart/form-data",
        "multipart/form-data; boundary=",
        "multipart/mixed; boundary=x",
        "application/jsonx",
        "json",
        "/",
        "",
        ";",
        "application/json, text/plain",
        "application/x-www-form-urlencoded, application/json",
        "*/*",
    ],
)
@pytest.mark.parametrize("path", ["/query", "/roles_pbac"])
def test_a_body_of_another_type_is_refused(wire: Wire, root: str, path: str, kind: str) -> None:
    reply = wire.client.post(path, content=GOOD, headers=bearer(root) | {"Content-Type": kind})

    assert reply.status_code in {400, 415}
    check_refusal(reply, kind)
    check_serving(wire, root)


@pytest.mark.parametrize(
    "kind",
    [
        "application/json",
        "APPLICATION/JSON",
        "application/json;charset=UTF-8",
        'application/json; charset="utf-8"',
        "application/json ; foo=bar",
        " application/json",
    ],
)
def test_a_content_type_is_compared_as_http_compares_it(wire: Wire, root: str, kind: str) -> None:
    request = raw_query(root, "Connection: close").replace(b"application/json", kind.encode())

    assert statuses(exchange(wire, request)) == [200]


@pytest.mark.parametrize("encoding", ["gzip", "br", "deflate", "x", "identity, gzip"])
def test_a_compressed_body_is_refused(wire: Wire, root: str, encoding: str) -> None:
    headers = bearer(root) | {"Content-Encoding": encoding, "Content-Type": "application/json"}
    reply = wire.client.post("/query", content=GOOD, headers=headers)

    assert reply.status_code == 415
    check_refusal(reply, encoding)


@pytest.mark.parametrize(
    ("accept", "status"),
    [
        ("*/*", 200),
        ("application/*", 200),
        ("text/html, */*;q=0.1", 200),
        ("", 200),
        ("application/graphql-response+json", 200),
        ("APPLICATION/JSON", 200),
        ("application/json;q=0.0", 406),
        ("text/html", 406),
        ("image/png, text/*", 406),
        ("application/json;q=x", 406),
        ("x", 406),
        (";", 406),
        ("a/b," * 5_000, 406),
        ("*/*;q=0", 406),
    ],
    ids=lambda value: str(value)[:30],
)
def test_what_a_client_accepts_decides(wire: Wire, root: str, accept: str, status: int) -> None:
    reply = wire.client.post(
        "/query", content=GOOD, headers=bearer(root) | {"Content-Type": "application/json", "Accept": accept}
    )

    assert reply.status_code == status
    assert reply.headers["content-type"].split(";")[0] in {"application/json", "application/graphql-response+json"}
    check_serving(wire, root)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"\xef\xbb\xbf{}",
        b"[" * 100_000,
        b'{"query":',
        b"NaN",
        '{"query":"{ __typename }"}'.encode("utf-16"),
        b'{"query":"\\ud800"}',
        b"\0" * 1000,
        b'{"query":"{ __typename }"}{}',
        b'{"a":' * 50_000,
    ],
)
@pytest.mark.parametrize("path", PATHS)
def test_a_body_that_is_no_json_is_refused(wire: Wire, root: str, path: str, body: bytes) -> None:
    # Without a token at the doors: there it would be an administrator's.
    headers = {"Content-Type": "application/json"} | (bearer(root) if path in {"/query", "/roles_pbac"} else {})
    reply = wire.client.post(path, content=body, headers=headers)

    # At the doors less fits into a body.
    assert reply.status_code in ({400, 413} if len(body) > 65_536 else {400})
    check_refusal(reply)
    check_serving(wire, root)


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"--x\r\nbroken", "multipart/form-data; boundary=x"),
        (
            b'--x\r\nContent-Disposition: form-data; name="query"; filename="a.sh"\r\n\r\n{ __typename }\r\n--x--\r\n',
            "multipart/form-data; boundary=x",
        ),
        (b"--x\r\nContent-Disposition: form-data\r\n\r\n1\r\n--x--\r\n", "multipart/form-data; boundary=x"),
        (b"--x\r\n" + b"A: b\r\n" * 20_000, "multipart/form-data; boundary=x"),
        (
            b"".join(b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n' for _ in range(5_000))
            + b"--x--\r\n",
            "multipart/form-data; boundary=x",
        ),
        (b"&".join(b"a%d=1" % number for number in range(50_000)), "application/x-www-form-urlencoded"),
        (b"query=%ff%fe", "application/x-www-form-urlencoded"),
        (b"query=%zz", "application/x-www-form-urlencoded"),
        (b"query={__typename}&variables={", "application/x-www-form-urlencoded"),
        (b"query={__typename}&variables=[1]", "application/x-www-form-urlencoded"),
        (b"operations={}&map={}&0=a", "application/x-www-form-urlencoded"),
        (b"=&=&=", "application/x-www-form-urlencoded"),
    ],
    ids=lambda value: str(value)[:40],
)
@pytest.mark.parametrize("path", PATHS)
def test_a_broken_form_is_refused(wire: Wire, root: str, path: str, content: bytes, kind: str) -> None:
    headers = {"Content-Type": kind} | (bearer(root) if path in {"/query", "/roles_pbac"} else {})
    reply = wire.client.post(path, content=content, headers=headers)

    assert 400 <= reply.status_code < 500
    check_refusal(reply)
    check_serving(wire, root)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("declared", [True, False])
def test_a_body_too_large_is_a_413_whether_its_size_is_declared_or_not(
    wire: Wire, root: str, path: str, declared: bool
) -> None:
    size = 100_000 if path in {"/auth", "/anonauth"} else 3_000_000
    body = b'{"query":"' + b" " * size + b'"}'
    content = body if declared else iter([body[start : start + 60_000] for start in range(0, len(body), 60_000)])
    headers = bearer(root) | {"Content-Type": "application/json"}
    with httpx2.Client(base_url=wire.gateway.address) as client:
        try:
            reply = client.post(path, content=content, headers=headers)
        except (httpx2.WriteError, httpx2.ReadError):
            # The gateway may hang up on what it has refused, before all of it is sent.
            check_serving(wire, root)
            return

    assert reply.status_code == 413
    check_refusal(reply)
    check_serving(wire, root)


@pytest.mark.parametrize("path", [*PATHS, "/", "/healthz", "/graphiql", "/nowhere", "/.well-known/jwks.json"])
def test_a_flood_of_header_lines_is_refused_everywhere(wire: Wire, root: str, path: str) -> None:
    for lines in (
        ["X-Large: " + "x" * 200_000],
        [f"X-{n}: {n}" for n in range(10_000)],
        ["Cookie: " + "a=b;" * 50_000],
    ):
        request = "\r\n".join([f"GET {path} HTTP/1.1", "Host: a", "Connection: close", *lines, "", ""]).encode()
        received = exchange(wire, request)
        assert statuses(received) in ([431], [400], []), received[:200]
        assert not leaks(received.decode("latin-1"))
    check_serving(wire, root)


@pytest.mark.parametrize("length", [10_000, 100_000])
def test_an_address_too_long_is_refused(wire: Wire, root: str, length: int) -> None:
    request = f"GET /query?query={'a' * length} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
    request += f"Authorization: Bearer {root}\r\n\r\n"

    received = exchange(wire, request.encode())

    assert statuses(received) in ([400], [414], [431]), received[:200]
    check_serving(wire, root)


@pytest.mark.parametrize(
    "method", ["PUT", "PATCH", "DELETE", "HEAD", "TRACE", "CONNECT", "PROPFIND", "GET2", "get", "QUERY"]
)
@pytest.mark.parametrize("path", ["/query", "/roles_pbac", "/anonauth"])
def test_another_method_is_refused(wire: Wire, root: str, path: str, method: str) -> None:
    request = f"{method} {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nAuthorization: Bearer {root}\r\n\r\n"

    received = exchange(wire, request.encode())

    assert statuses(received) in ([405], [400]), received[:200]
    assert root.encode() not in received
    check_serving(wire, root)


def requests(token: str) -> dict[str, bytes]:
    good = raw_query(token)
    close = raw_query(token, "Connection: close")
    chunked = raw_query(token, "Transfer-Encoding: chunked", "Connection: close", length=False, body=b"")
    return {
        "two lengths that differ": raw_query(token, "Content-Length: 1", "Connection: close"),
        "a length that is no number": close.replace(b"Content-Length: 26", b"Content-Length: x"),
        "a negative length": close.replace(b"Content-Length: 26", b"Content-Length: -26"),
        "a length with a sign": close.replace(b"Content-Length: 26", b"Content-Length: +26"),
        "a length in hexadecimals": close.replace(b"Content-Length: 26", b"Content-Length: 0x1a"),
        "a length of 30 digits": close.replace(b"Content-Length: 26", b"Content-Length: " + b"9" * 30),
        "length and chunks": raw_query(token, "Transfer-Encoding: chunked", "Connection: close"),
        "chunks of no size": chunked + b"zz\r\n",
        "a chunk of a negative size": chunked + b"-1\r\n{}\r\n0\r\n\r\n",
        "a chunk of a huge size": chunked + b"FFFFFFFFFFFFFFFFFF\r\n{}\r\n",
        "an unknown transfer encoding": raw_query(token, "Transfer-Encoding: gzip", "Connection: close", length=False),
        "a transfer encoding in disguise": raw_query(token, "Transfer-Encoding: xchunked", "Connection: close"),
        "a space before the colon": close.replace(b"Content-Type:", b"Content-Type :"),
        "a folded line": close.replace(b"Host: gateway.test", b"Host: gateway.test\r\n folded"),
        "NUL in a line": close.replace(b"gateway.test", b"gate\0way"),
        "bare line ends": close.replace(b"\r\n", b"\n"),
        "bare carriage returns": close.replace(b"\r\n", b"\r"),
        "no HTTP": b"\x16\x03\x01\x02\x00\x01\x00" * 50,
        "HTTP/0.9": b"GET /query\r\n\r\n",
        "HTTP/2 at once": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "HTTP/3.7": close.replace(b"HTTP/1.1", b"HTTP/3.7"),
        "an upgrade to h2c": raw_query(
            token, "Connection: Upgrade, HTTP2-Settings, close", "Upgrade: h2c", "HTTP2-Settings: AA"
        ),
        "no path": b"GET HTTP/1.1\r\nHost: a\r\n\r\n",
        "a path that climbs": b"GET /../../etc/passwd HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        "a path that climbs in code": b"GET /graphiql/%2e%2e/app.py HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        "a path with NUL": b"GET /graphiql/%00 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        "an address of another host": b"GET http://evil.test/nowhere HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        "no host": close.replace(b"Host: gateway.test\r\n", b"").replace(b"POST /query", b"POST /auth"),
        "two hosts": raw_query(token, "Host: evil.test", "Connection: close").replace(b"POST /query", b"POST /auth"),
        "a host with a path": close.replace(b"gateway.test", b"gateway.test/evil").replace(
            b"POST /query", b"POST /auth"
        ),
        "a host with a line": close.replace(b"gateway.test", b"a\r\nX: y").replace(b"POST /query", b"POST /nowhere"),
        "expect what is not known": raw_query(token, "Expect: 200-maybe", "Connection: close").replace(
            b"/query", b"/nowhere"
        ),
        "a body that never comes": good.replace(b"Content-Length: 26", b"Content-Length: 1000")[:-1],
    }


@pytest.mark.parametrize("name", requests("x"))
def test_bent_http_breaks_nothing_and_shows_nothing(wire: Wire, root: str, name: str) -> None:
    received = exchange(wire, requests(root)[name], seconds=2.0)

    assert all(status < 500 for status in statuses(received)), received[:300]
    assert not leaks(received.decode("latin-1"))
    assert b"root:" not in received
    assert b"X: y" not in received
    check_serving(wire, root)


SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"


def test_no_second_request_is_smuggled_inside_a_body(wire: Wire, root: str) -> None:
    inner = raw_query(root, body=SMUGGLED, length=False)
    shapes = {
        "length and chunks": inner.replace(
            b"\r\n\r\n", b"\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\nConnection: close\r\n\r\n0\r\n\r\n", 1
        ),
        "two lengths": inner.replace(b"\r\n\r\n", b"\r\nContent-Length: 0\r\nContent-Length: 37\r\n\r\n", 1),
        "chunked in disguise": inner.replace(
            b"\r\n\r\n", b"\r\nTransfer-Encoding: chunked, identity\r\nContent-Length: 37\r\n\r\n", 1
        ),
    }
    for name, request in shapes.items():
        answers = statuses(exchange(wire, request, seconds=2.0))
        assert len(answers) <= 1, (name, answers)
        assert all(400 <= status < 500 for status in answers), (name, answers)
    check_serving(wire, root)


def test_requests_in_one_go_are_answered_in_order(wire: Wire, root: str, nobody: str) -> None:
    mine = raw_query(root, body=b'{"query":"{ list(limit: 1) { __typename } }"}')
    theirs = raw_query(nobody, body=b'{"query":"{ list(limit: 1) { __typename } }"}')
    last = raw_query("a.b.c", "Connection: close")

    received = exchange(wire, mine + theirs + mine + last)

    assert statuses(received) == [200, 400, 200, 422]


def test_http_1_0_is_answered_and_hung_up_on(wire: Wire, root: str) -> None:
    request = raw_query(root).replace(b"HTTP/1.1", b"HTTP/1.0")

    received = exchange(wire, request)

    assert statuses(received) == [200]
    assert received.endswith(b'{"data":{"__typename":"Query"}}')


def test_slow_requests_do_not_keep_others_waiting(wire: Wire, root: str) -> None:
    place = urlsplit(wire.gateway.address)
    request = raw_query(root)
    slow = [socket.create_connection(("127.0.0.1", place.port or 0), 5) for _ in range(100)]
    try:
        for number, connection in enumerate(slow):
            connection.sendall(request[: 10 + number])
        begin = time.monotonic()
        for _ in range(5):
            check_serving(wire, root)
        assert time.monotonic() - begin < 5
    finally:
        for connection in slow:
            connection.close()
    check_serving(wire, root)


def test_clients_that_hang_up_leave_nothing_behind(wire: Wire, root: str) -> None:
    place = urlsplit(wire.gateway.address)
    request = raw_query(root, body=b'{"query":"{ item { list { item_collection { itemid } } } }"}')
    for cut in (10, 200, len(request) - 1, len(request)):
        for _ in range(10):
            with socket.create_connection(("127.0.0.1", place.port or 0), 5) as connection:
                connection.sendall(request[:cut])
    check_serving(wire, root)


@pytest.mark.parametrize("path", [*PATHS, "/nowhere", "/", "/graphiql", "/healthz"])
def test_no_reply_names_the_server_or_lets_a_browser_guess(wire: Wire, path: str) -> None:
    reply = wire.client.get(path)

    assert reply.status_code < 500
    assert "server" not in reply.headers
    assert "x-powered-by" not in reply.headers
    assert reply.headers["x-content-type-options"] == "nosniff"
    assert "content-security-policy" in reply.headers


@pytest.mark.parametrize(
    "path",
    [
        "/docs",
        "/openapi.json",
        "/metrics",
        "/debug",
        "/admin",
        "/.env",
        "/.git/config",
        "/query/",
        "/auth/",
        "//auth",
        "/auth/..",
        "/AUTH",
        "/graphql",
        "/static/../app.py",
        "/graphiql/assets/../../app.py",
    ],
)
def test_what_is_not_there_is_not_there(wire: Wire, path: str) -> None:
    received = exchange(wire, f"GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode())

    assert statuses(received) in ([404], [400]), received[:300]
    assert b"import " not in received


def test_a_page_elsewhere_gets_no_cookies_and_no_leave_for_other_headers(wire: Wire) -> None:
    asked = {"Origin": "https://evil.test", "Access-Control-Request-Method": "POST"}
    allowed = wire.client.options("/query", headers=asked | {"Access-Control-Request-Headers": "authorization"})
    refused = wire.client.options("/query", headers=asked | {"Access-Control-Request-Headers": "x-evil"})
    method = wire.client.options("/query", headers=asked | {"Access-Control-Request-Method": "TRACE"})

    assert allowed.status_code == 200
    assert "access-control-allow-credentials" not in allowed.headers
    assert (refused.status_code, method.status_code) == (400, 400)
    assert "set-cookie" not in wire.client.get("/healthz").headers
