import asyncio
import json
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from urllib.parse import urlencode

import pytest
from starlette.types import Message

from gateway.graphql_http import HttpLimits, MediaType, NotAcceptable, is_probe, negotiate, read_lines, spread_data
from tests.graphql_app import GraphQLApp

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
RESPONSE = "application/graphql-response+json"
MULTIPART = "multipart/form-data; boundary=xyz"


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> dict[str, object]:
        return json.loads(self.body)

    @property
    def code(self) -> str:
        return self.errors[0]["extensions"]["code"]

    @property
    def errors(self) -> list[dict[str, dict[str, str]]]:
        return json.loads(self.body)["errors"]


async def ask(
    body: bytes | Iterable[bytes] = b"",
    content_type: str | None = JSON,
    *,
    method: str = "POST",
    query_string: str = "",
    headers: Iterable[tuple[str, str]] = (),
    app: GraphQLApp | None = None,
) -> Answer:
    """The answer of a gateway to one request, given to it as an ASGI server does."""
    lines = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers]
    if content_type is not None:
        lines.append((b"content-type", content_type.encode("latin-1")))
    chunks = [body] if isinstance(body, bytes) else list(body)
    messages: list[Message] = [
        {"type": "http.request", "body": chunk, "more_body": index + 1 < len(chunks)}
        for index, chunk in enumerate(chunks)
    ]
    sent: list[Message] = []

    async def receive() -> Message:
        return messages.pop(0) if messages else {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {"type": "http", "method": method, "headers": lines, "query_string": query_string.encode(), "path": "/"}
    await (app or GraphQLApp(HttpLimits()))(scope, receive, send)
    given = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return Answer(sent[0]["status"], given, b"".join(message["body"] for message in sent[1:]))


def envelope(query: str, **members: object) -> bytes:
    return json.dumps({"query": query, **members}).encode()


def multipart(fields: dict[str, str], end: str = "--xyz--\r\n") -> bytes:
    parts = [
        f'--xyz\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n' for name, value in fields.items()
    ]
    return ("".join(parts) + end).encode()


HELLO = envelope("{ hello }")
HELLO_DATA = {"data": {"hello": "Hello world"}}


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json", "Application/JSON", "application/json; charset=utf-8", "application/json;charset=UTF-8",
        'application/json ; charset="utf-8"', "application/json;", "application/json; charset=utf8; other=1",
    ],
)  # fmt: skip
async def test_json_is_read_however_its_type_is_written(content_type: str) -> None:
    answer = await ask(HELLO, content_type)

    assert (answer.status, answer.json) == (200, HELLO_DATA)
    assert answer.headers["content-type"] == "application/json; charset=utf-8"
    assert answer.headers["content-length"] == str(len(answer.body))


@pytest.mark.parametrize(
    "content_type",
    [
        None, "", "text/plain", "application/graphql", "application/jsonx", "application",
        "application/json; charset=latin1",
        "application/json; charset=utf-16", "application/json; =", 'application/json; a="b', "multipart/form-data",
        "application/json, text/plain", "multipart/form-data; boundary=" + "x" * 71, "application/json\x00",
    ],
)  # fmt: skip
async def test_another_content_type_is_refused(content_type: str | None) -> None:
    assert (await ask(HELLO, content_type)).status == 415


async def test_two_content_types_or_an_encoded_body_are_refused() -> None:
    assert (await ask(HELLO, headers=[("content-type", "text/plain")])).status == 415
    assert (await ask(HELLO, headers=[("content-encoding", "gzip")])).status == 415


async def test_forms_give_the_data_also_at_the_top() -> None:
    fields = {"query": "query ($n: String) {\r\n hello(name: $n) data }", "variables": '{"n": "é"}'}
    expected = {"hello": "Hello é", "data": {"hello": "Hello é", "data": 5}}

    for body, content_type in ((urlencode(fields).encode(), FORM), (multipart(fields), MULTIPART)):
        answer = await ask(body, content_type)
        assert (answer.status, answer.json) == (200, expected)


async def test_the_copy_at_the_top_can_be_switched_off() -> None:
    app = GraphQLApp(HttpLimits(), copy_form_data=False)

    assert (await ask(urlencode({"query": "{ hello }"}).encode(), FORM, app=app)).json == HELLO_DATA


@pytest.mark.parametrize("variables", ["", "{}", "null", "  "])
async def test_a_form_may_leave_its_variables_empty(variables: str) -> None:
    answer = await ask(multipart({"query": "{ hello }", "variables": variables, "operationName": ""}), MULTIPART)

    assert answer.json["data"] == {"hello": "Hello world"}


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"", FORM), (b"variables={}", FORM), (b"query=%ff", FORM), (b"query=\xff", FORM), (b"query=a&query=b", FORM),
        (b"&".join(b"a%d=1" % index for index in range(200)), FORM), (b"query={hello}&variables=[1]", FORM),
        (b"query={hello}&variables={", FORM), (b"query={hello}&variables={\"a\":\"\\ud800\"}", FORM),
        (b"query=%ed%a0%80", FORM), (b"", MULTIPART), (b"--xyz", MULTIPART), (b"--abc\r\n\r\n", MULTIPART),
        (multipart({"query": "{ hello }"}, end=""), MULTIPART), (multipart({"other": "{ hello }"}), MULTIPART),
        (multipart({f"a{index}": "" for index in range(200)}), MULTIPART),
        (multipart({"query": "{ hello }"}).replace(b'; name="query"', b""), MULTIPART),
        (multipart({"query": "{ hello }"}).replace(b"hello", b"\xff"), MULTIPART),
        (multipart({"query": "{ hello }"}).replace(b'name="query"', b'name="query"; filename="a"'), MULTIPART),
        (b"--xyz\r\n" + b"X: y\r\n" * 10_000, MULTIPART), (b"\x00" * 1000, MULTIPART),
    ],
)  # fmt: skip
async def test_a_broken_form_is_a_bad_request(body: bytes, content_type: str) -> None:
    answer = await ask(body, content_type)

    assert answer.status == 400
    assert "data" not in answer.json


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"null", b"7", b'"text"', b"\xef\xbb\xbf" + HELLO, HELLO.decode().encode("utf-16"),
        b'{"query": NaN}',
        b'{"query": "\\ud800"}', b'{"query": "\xed\xa0\x80"}', b'{"query": "\xff"}', b"[" * 100_000, b'{"a":' * 100_000,
        b'{"query": null}', b'{"query": 7}', b'{"query": ["{ hello }"]}', b"{}", b'{"qeury": "{ hello }"}',
        b'{"query": "{ hello }", "variables": 0}', b'{"query": "{ hello }", "variables": false}',
        b'{"query": "{ hello }", "variables": []}', b'{"query": "{ hello }", "variables": [1]}',
        b'{"query": "{ hello }", "variables": "text"}', b'{"query": "{ hello }", "variables": "[]"}',
        b'{"query": "{ hello }", "operationName": 7}', b'{"query": "{ hello }", "extensions": []}',
        b'{"query": "{ hello }", "variables": {"a": 1e400}}',
        b'{"query": "{ hello }", "variables": {"a": ' + b"9" * 5_000 + b"}}",
        b'{"query": "{ hello }", "variables": {"a": ' + b"[" * 500 + b"]" * 500 + b"}}", HELLO + b"\x00", HELLO + HELLO,
    ],
)  # fmt: skip
async def test_a_broken_envelope_is_a_bad_request(body: bytes) -> None:
    answer = await ask(body)

    assert answer.status == 400
    assert "data" not in answer.json
    assert answer.code in {"BODY_UNREADABLE", "ENVELOPE_INVALID", "BATCH_REFUSED"}


@pytest.mark.parametrize(
    "members",
    [
        {"variables": None, "operationName": None, "extensions": None}, {"variables": {}, "operationName": ""},
        {"variables": ""}, {"variables": "{}"}, {"variables": '{"name": 1}'}, {"variable": {"a": 1}, "onconflict": 7},
        {"extensions": {"persistedQuery": 1}}, {"variables": {"undeclared": [1, {"a": None}]}},
    ],
)  # fmt: skip
async def test_null_and_unknown_members_count_as_absent(members: dict[str, object]) -> None:
    assert (await ask(envelope("{ hello }", **members))).json == HELLO_DATA


async def test_variables_may_come_as_json_text() -> None:
    body = envelope("query ($n: String) { hello(name: $n) }", variables='{"n": "text"}')

    assert (await ask(body)).json == {"data": {"hello": "Hello text"}}


async def test_long_integers_stay_exact() -> None:
    body = b'{"query": "query ($n: String) { hello(name: $n) }", "variables": {"n": 123456789012345678901234567890}}'

    assert (await ask(body)).json == {"data": {"hello": "Hello 123456789012345678901234567890"}}


@pytest.mark.parametrize("accept", [JSON, RESPONSE])
@pytest.mark.parametrize(
    ("query", "variables", "code"),
    [
        ("{", {}, "GRAPHQL_PARSE_FAILED"),
        ("{ nothing }", {}, "GRAPHQL_VALIDATION_FAILED"),
        ("query ($n: Int!) { double(number: $n) }", {"n": "x"}, "BAD_USER_INPUT"),
        ("query ($n: Int!) { double(number: $n) }", {}, "BAD_USER_INPUT"),
        ("query A { hello } query B { hello }", {}, "OPERATION_RESOLUTION_FAILURE"),
        ("{ " + "hello " * 3_000 + "}", {}, "LIMIT_EXCEEDED"),
    ],
)  # fmt: skip
async def test_what_is_refused_before_it_runs_is_400_without_data(
    accept: str, query: str, variables: dict[str, object], code: str
) -> None:
    answer = await ask(envelope(query, variables=variables), headers=[("accept", accept)])

    assert (answer.status, answer.code) == (400, code)
    assert "data" not in answer.json
    assert answer.headers["content-type"] == f"{accept}; charset=utf-8"


async def test_what_fails_while_it_runs_is_200_with_errors_and_data() -> None:
    answer = await ask(envelope("{ unavailable }"))

    assert answer.status == 200
    assert answer.json["data"] == {"unavailable": None}
    assert answer.json["errors"] == [
        {
            "message": "The database cannot be reached at the moment.",
            "locations": [{"line": 1, "column": 3}],
            "path": ["unavailable"],
            "extensions": {"code": "DATABASE_UNAVAILABLE"},
        }
    ]


async def test_a_fault_of_ours_shows_an_id_and_nothing_else() -> None:
    answer = await ask(envelope("{ broken }"))

    assert (answer.status, answer.code) == (200, "INTERNAL")
    assert answer.json["data"] is None
    assert b"secret" not in answer.body
    assert b"ZeroDivision" not in answer.body


async def test_token_trouble_has_the_fields_of_the_doors_and_of_graphql() -> None:
    answer = await ask(HELLO, headers=[("authorization", "Bearer expired")])

    assert answer.status == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.json["error"] == "Unauthorized access: Token has expired"
    assert answer.json["status"] == 401
    assert answer.code == "TOKEN_EXPIRED"
    assert "data" not in answer.json


async def test_get_answers_queries() -> None:
    fields = {"query": "query ($n: String) { hello(name: $n) }", "variables": '{"n": "é&+"}'}
    answer = await ask(content_type=None, method="GET", query_string=urlencode(fields))

    assert (answer.status, answer.json) == (200, {"data": {"hello": "Hello é&+"}})


@pytest.mark.parametrize(
    "fields",
    [
        {"query": "mutation { change }"},
        {"query": "mutation M { change } query Q { hello }", "operationName": "M"},
        {"query": "query Q { hello } mutation M { change }", "operationName": "M", "variables": "{}"},
        {"query": "subscription { nothing }"},
    ],
)
async def test_get_changes_nothing(fields: dict[str, str]) -> None:
    answer = await ask(content_type=None, method="GET", query_string=urlencode(fields))

    assert (answer.status, answer.code) == (405, "METHOD_NOT_ALLOWED")
    assert answer.headers["allow"] == "POST"


async def test_the_body_of_a_get_is_not_looked_at() -> None:
    assert (await ask(envelope("mutation { change }"), method="GET", query_string="query={hello}")).json == HELLO_DATA


async def test_a_post_is_not_read_from_its_address() -> None:
    assert (await ask(b"{}", query_string="query={hello}")).status == 400


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "HEAD", "TRACE", "post", "GRAPHQL"])
async def test_other_methods_are_refused_with_what_is_allowed(method: str) -> None:
    answer = await ask(HELLO, method=method)

    assert answer.status == 405
    assert answer.headers["allow"] == "GET, POST"


def test_a_get_without_a_question_is_a_probe() -> None:
    def probes(method: str, query_string: bytes) -> bool:
        return is_probe(read_lines({"method": method, "query_string": query_string, "headers": []}))

    assert probes("GET", b"")
    assert not probes("GET", b"query={a}")
    assert not probes("POST", b"")


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (None, MediaType.JSON), ("", MediaType.JSON), ("*/*", MediaType.JSON), ("application/*", MediaType.JSON),
        ("application/json", MediaType.JSON), ("Application/Json; charset=utf-8", MediaType.JSON),
        (RESPONSE, MediaType.GRAPHQL_RESPONSE), (f"{RESPONSE}, application/json", MediaType.GRAPHQL_RESPONSE),
        (f"application/json, {RESPONSE}", MediaType.GRAPHQL_RESPONSE), (f"{RESPONSE};q=0.5, {JSON}", MediaType.JSON),
        (f"{JSON};q=0.5, {RESPONSE};q=0.6", MediaType.GRAPHQL_RESPONSE),
        (f"{RESPONSE}, */*", MediaType.GRAPHQL_RESPONSE),
        (f"{JSON}, */*", MediaType.JSON), ("text/html, application/xml;q=0.9, */*;q=0.8", MediaType.JSON),
        (f"{JSON};q=0, */*", MediaType.GRAPHQL_RESPONSE), ("application/json, multipart/mixed", MediaType.JSON),
    ],
)  # fmt: skip
def test_the_media_type_follows_what_the_client_accepts(accept: str | None, expected: MediaType) -> None:
    assert negotiate(None if accept is None else accept.encode()) is expected


@pytest.mark.parametrize(
    "accept",
    [
        "text/html",
        "image/*",
        f"{JSON};q=0",
        "*/*;q=0",
        f"{JSON};q=2",
        f"{JSON};q=nan",
        f"{JSON};q=x",
        "json",
        "\x00",
        ";",
    ],
)
async def test_a_client_that_accepts_neither_is_told_so(accept: str) -> None:
    with pytest.raises(NotAcceptable):
        negotiate(accept.encode())
    answer = await ask(HELLO, headers=[("accept", accept)])

    assert answer.status == 406
    assert answer.headers["content-type"] == "application/json; charset=utf-8"


async def test_batches_are_taken_only_where_they_are_allowed() -> None:
    batch = b"[" + HELLO + b"," + envelope("{") + b"]"
    app = GraphQLApp(HttpLimits(max_batch=2))

    assert (await ask(batch)).code == "BATCH_REFUSED"
    answer = await ask(batch, app=app)
    assert answer.status == 200
    assert json.loads(answer.body)[0] == HELLO_DATA
    assert "errors" in json.loads(answer.body)[1]
    for wrong in (b"[]", b"[" + b",".join([HELLO] * 3) + b"]", b"[1]", b"[[" + HELLO + b"]]"):
        assert (await ask(wrong, app=app)).status == 400


async def test_sizes_are_limited() -> None:
    app = GraphQLApp(HttpLimits(max_body_bytes=1_000, max_header_bytes=1_000, max_address_bytes=1_000))
    large = envelope("{ hello } #" + "x" * 1_000)

    assert (await ask(large, app=app)).status == 413
    assert (await ask([large[:500], large[500:]], app=app)).status == 413
    assert (await ask(HELLO, headers=[("content-length", "1001")], app=app)).status == 413
    assert (await ask(HELLO, headers=[("content-length", "9" * 500)], app=app)).status == 413
    assert (await ask(HELLO, headers=[("x", "y" * 1_000)], app=app)).status == 431
    assert (await ask(method="GET", query_string="query=" + "x" * 1_000, app=app)).status == 414


async def test_a_body_in_pieces_is_put_together() -> None:
    assert (await ask([HELLO[:3], b"", HELLO[3:]])).json == HELLO_DATA


async def test_a_client_that_leaves_or_stalls_does_not_hold_the_gateway() -> None:
    async def leave() -> Message:
        return {"type": "http.disconnect"}

    async def stall() -> Message:
        await asyncio.Event().wait()
        raise AssertionError

    async def trickle() -> Message:
        await asyncio.sleep(0.001)
        return {"type": "http.request", "body": b" ", "more_body": True}

    assert await status_for(leave) == 400
    assert await status_for(stall) == 408
    assert await status_for(trickle) == 408


async def status_for(receive: Callable[[], Awaitable[Message]]) -> int:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "headers": [(b"content-type", b"application/json")], "query_string": b""}
    await GraphQLApp(HttpLimits(body_timeout_seconds=0.05))(scope, receive, send)
    return sent[0]["status"]


@pytest.mark.parametrize(
    "body", [b'{"data":{}}', b'{"data":null}', b'{"errors":[],"data":null}', b'{"data":{"a":1},"errors":[{}]}', b"[]"]
)
def test_only_whole_data_is_copied_to_the_top(body: bytes) -> None:
    assert spread_data(body) == body
