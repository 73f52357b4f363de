"""POST /auth: the forms of a login, its reply, its refusals, and acting for another role."""

import base64
import gzip
import json
from typing import Any

import httpx2
import pytest
from jose import jwt

from db.tenants import set_conceal_logins, set_suspended
from tests.databases import Databases
from tests.doors import PASSWORD, Doors, World, bearer, open_doors

pytestmark = pytest.mark.postgres


def ann(doors: Doors, **changes: object) -> dict[str, Any]:
    return {"login": "ann@example.org", "password": PASSWORD, "tenantid": doors.world.todo} | changes


async def post(doors: Doors, **fields: object) -> httpx2.Response:
    return await doors.client.post("/auth", json=fields)


def refused(reply: httpx2.Response, status: int, text: str) -> None:
    assert (reply.status_code, reply.json()) == (status, {"error": text, "status": status})
    assert reply.headers["cache-control"] == "no-store"


async def test_login_reply_has_every_field_of_the_wire(doors: Doors) -> None:
    reply = await doors.client.post("/auth", json=ann(doors))

    body = reply.json()
    assert reply.status_code == 200
    assert list(body) == ["access_token", "message", "refresh_token", "roleid", "routes", "schema", "rpb_schema"]
    assert body["message"] == "Logged in as ann@example.org."
    assert body["roleid"] == doors.world.ann
    assert body["routes"] == {
        "base": "http://gateway.test/",
        "query": "http://gateway.test/query",
        "roles_pbac": "http://gateway.test/roles_pbac",
    }
    assert body["schema"]["json"]["__schema"] == {"of": f"query of role {doors.world.ann}"}
    assert body["rpb_schema"]["json"]["__schema"] == {"of": f"control of role {doors.world.ann}"}
    assert body["schema"]["gql"].startswith("# query of role")
    assert reply.headers["content-type"] == "application/json"
    assert reply.headers["cache-control"] == "no-store"


async def test_tokens_carry_the_claims_that_clients_decode(doors: Doors) -> None:
    body = await doors.log_in()

    claims = jwt.get_unverified_claims(body["access_token"])
    assert claims["sub"] == {"roleid": doors.world.ann, "tenantid": doors.world.todo}
    assert (claims["type"], claims["fresh"]) == ("access", False)
    assert claims["exp"] - claims["iat"] == 86_400
    refresh = jwt.get_unverified_claims(body["refresh_token"])
    assert (refresh["type"], refresh["exp"] - refresh["iat"]) == ("refresh", 604_800)
    assert refresh["sid"] == claims["sid"]
    assert refresh["jti"] != claims["jti"]
    assert body["access_token"].startswith(base64.urlsafe_b64encode(b'{"alg":"ES512"').decode()[:18])


@pytest.mark.parametrize("tenant_as", [int, str, lambda number: f" {number} "])
@pytest.mark.parametrize("encoding", ["json", "urlencoded", "multipart"])
async def test_every_encoding_and_form_of_tenantid_logs_in(doors: Doors, encoding: str, tenant_as: Any) -> None:
    fields = ann(doors, tenantid=tenant_as(doors.world.todo))
    texts = {name: str(value) for name, value in fields.items()}
    match encoding:
        case "json":
            reply = await doors.client.post("/auth", json=fields)
        case "urlencoded":
            reply = await doors.client.post("/auth", data=texts)
        case _:
            reply = await doors.client.post("/auth", files={name: (None, value) for name, value in texts.items()})

    assert reply.status_code == 200
    assert reply.json()["roleid"] == doors.world.ann


@pytest.mark.parametrize("kind", ["Application/JSON", "application/json; charset=utf-8", "application/problem+json"])
async def test_content_types_are_compared_as_http_compares_them(doors: Doors, kind: str) -> None:
    reply = await doors.client.post("/auth", content=json.dumps(ann(doors)), headers={"Content-Type": kind})

    assert reply.status_code == 200


@pytest.mark.parametrize(
    "junk", ["Bearer undefined", "Bearer [object Object]", "Bearer ", "Basic x", "Bearer a.b.c", ""]
)
async def test_junk_in_the_authorization_header_does_not_disturb_a_login(doors: Doors, junk: str) -> None:
    reply = await doors.client.post("/auth", json=ann(doors), headers={"Authorization": junk})

    assert reply.status_code == 200


async def test_junk_in_the_authorization_header_is_no_reason_of_a_missing_password(doors: Doors) -> None:
    reply = await doors.client.post(
        "/auth", json={"login": "ann@example.org", "tenantid": doors.world.todo}, headers=bearer("undefined")
    )

    refused(reply, 400, "Missing required field: password.")


async def test_refusals_have_the_texts_of_the_wire(doors: Doors) -> None:
    todo = doors.world.todo

    refused(await post(doors, **ann(doors, password="wrong")), 403, "Invalid credentials.")
    refused(await post(doors, **ann(doors, login="carl")), 404, f"No such role carl for tenant {todo}.")
    refused(await post(doors, **ann(doors, tenantid=999_999)), 404, "No such tenant 999999.")
    refused(await post(doors, **ann(doors, login="stranger")), 404, f"No such role stranger for tenant {todo}.")
    refused(await post(doors, **ann(doors, tenantid=None)), 400, "Missing required field: tenantid.")
    refused(await post(doors, login="a", password="b", tenantId=todo), 400, "Missing required field: tenantid.")
    refused(await post(doors, **ann(doors, login="")), 400, "Missing required field: login.")
    refused(await post(doors, **ann(doors, password=None)), 400, "Missing required field: password.")
    refused(await doors.client.post("/auth"), 400, "Missing required field: tenantid.")


@pytest.mark.parametrize(
    "tenant_id",
    [True, False, 0, -1, 1.0, 1.5, "x", "1x", "-1", "1e3", "0x1", "\u0661", 2**31, 2**63, 10**30, "9" * 5000, [1], {}],
)
async def test_a_tenantid_that_is_no_whole_number_is_refused(doors: Doors, tenant_id: object) -> None:
    refused(await post(doors, **ann(doors, tenantid=tenant_id)), 400, "tenantid must be a whole number.")


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'"x"', b"\xff", b'{"login":"\\ud800"}', b"[" * 5000])
async def test_a_body_that_is_no_json_object_is_refused(doors: Doors, body: bytes) -> None:
    reply = await doors.client.post("/auth", content=body, headers={"Content-Type": "application/json"})

    assert reply.status_code == 400
    assert reply.json()["error"].endswith(("valid JSON.", "JSON object."))


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"--x\r\nbroken", "multipart/form-data; boundary=x"),
        (b"--x--", "multipart/form-data"),
        (b'--x\r\nContent-Disposition: form-data; name="login"; filename="f"\r\n\r\nann\r\n--x--\r\n',
         "multipart/form-data; boundary=x"),
        (b'--x\r\nContent-Disposition: form-data; name="login"\r\n\r\n\xff\xfe\r\n--x--\r\n',
         "multipart/form-data; boundary=x; charset=nonsense"),
        (b"&".join(b"a%d=1" % number for number in range(100)), "application/x-www-form-urlencoded"),
        (b"login=a&login=b&password=c&tenantid=1", "application/x-www-form-urlencoded"),
        (b"password=" + b"x" * 60_000, "application/x-www-form-urlencoded"),
    ],
)  # fmt: skip
async def test_a_malformed_form_is_refused(doors: Doors, content: bytes, kind: str) -> None:
    reply = await doors.client.post("/auth", content=content, headers={"Content-Type": kind})

    assert reply.status_code == 400
    assert set(reply.json()) == {"error", "status"}


async def test_a_body_of_another_type_is_refused(doors: Doors) -> None:
    reply = await doors.client.post("/auth", content=b"<login/>", headers={"Content-Type": "text/xml"})

    refused(reply, 415, "Send JSON or a form.")


async def test_lengths_of_fields_and_of_the_body_are_bounded(doors: Doors) -> None:
    refused(await post(doors, **ann(doors, login="x" * 321)), 400, "login is too long.")
    refused(await post(doors, **ann(doors, password="x" * 4097)), 400, "password is too long.")
    refused(await post(doors, **ann(doors, password="x" * 70_000)), 413, "The body is larger than 65536 bytes.")

    async def stream() -> Any:
        for _ in range(100):
            yield b"x" * 1000

    reply = await doors.client.post("/auth", content=stream(), headers={"Content-Type": "application/json"})
    refused(reply, 413, "The body is larger than 65536 bytes.")


@pytest.mark.parametrize(
    "change",
    [str.upper, str.title, lambda text: text + " ", lambda text: " " + text, lambda text: text[:-1],
     lambda text: text + "\0", lambda text: text + "x" * 1000, lambda text: text.replace(" ", "\u00a0")],
)  # fmt: skip
async def test_a_password_counts_exactly(doors: Doors, change: Any) -> None:
    refused(await post(doors, **ann(doors, password=change(PASSWORD))), 403, "Invalid credentials.")


@pytest.mark.parametrize(
    "login", ["ANN@example.org", " ann@example.org", "ann@example.org\0", "nul\0", "a\r\nb", "' or 1=1"]
)
async def test_a_login_counts_exactly_and_a_strange_one_is_only_unknown(doors: Doors, login: str) -> None:
    refused(await post(doors, **ann(doors, login=login)), 404, f"No such role {login} for tenant {doors.world.todo}.")


async def test_roles_that_may_not_log_in_are_refused(doors: Doors) -> None:
    refused(await post(doors, **ann(doors, login="machine")), 403, "Invalid credentials.")
    refused(await post(doors, **ann(doors, login=f"nobody{doors.world.todo}")), 403, "Invalid credentials.")


async def test_a_deleted_role_is_unknown_and_a_suspended_tenant_says_so(doors: Doors) -> None:
    todo = doors.world.todo
    await doors.execute("update ostiary.role set deleted = true where role_id = :id", id=doors.world.ann)
    refused(await post(doors, **ann(doors)), 404, f"No such role ann@example.org for tenant {todo}.")

    await doors.execute("update ostiary.tenant set suspended = true where tenant_id = :id", id=todo)
    refused(await post(doors, **ann(doors)), 403, f"Tenant {todo} is suspended.")


async def test_concealed_logins_answer_everything_alike(control_dsn: str, filled: tuple[str, World]) -> None:
    async with open_doors(control_dsn, filled[1], conceal_logins=True) as doors:
        attempts = [
            ann(doors, password="wrong"), ann(doors, login="carl"), ann(doors, tenantid=999_999),
            ann(doors, login="machine"), ann(doors, login=f"nobody{doors.world.todo}"),
        ]  # fmt: skip
        replies = [await post(doors, **attempt) for attempt in attempts]

        assert {(reply.status_code, reply.content) for reply in replies} == {
            (403, b'{"error":"Invalid credentials.","status":403}')
        }
        assert len({tuple(sorted(reply.headers)) for reply in replies}) == 1


@pytest.mark.parametrize("setting", [False, True])
async def test_a_tenant_conceals_its_logins_whatever_the_gateway_does_and_the_other_way_round(
    control_dsn: str, filled: tuple[str, World], setting: bool
) -> None:
    async with open_doors(control_dsn, filled[1], conceal_logins=setting) as doors:
        todo = doors.world.todo
        async with doors.change() as connection:
            await set_conceal_logins(connection, todo, not setting)

        replies = [await post(doors, **ann(doors, login="carl")), await post(doors, **ann(doors, password="wrong"))]
        elsewhere = await post(doors, **ann(doors, login="carl", tenantid=doors.world.flights))

        concealed = "Invalid credentials."
        assert [reply.json()["error"] for reply in replies] == (
            [f"No such role carl for tenant {todo}.", concealed] if setting else [concealed, concealed]
        )
        assert (elsewhere.json()["error"] == concealed) is setting


async def test_a_concealed_tenant_that_is_suspended_says_no_more_than_that_nobody_enters(doors: Doors) -> None:
    todo = doors.world.todo
    async with doors.change() as connection:
        await set_conceal_logins(connection, todo, True)
        await set_suspended(connection, todo, True)

    refused(await post(doors, **ann(doors)), 403, "Invalid credentials.")
    refused(
        await doors.client.post("/anonauth", json={"tenantid": todo}),
        403,
        f"Tenant {todo} does not allow anonymous access.",
    )


async def test_other_methods_are_refused_with_allow(doors: Doors) -> None:
    for method in ("PUT", "PATCH", "HEAD"):
        reply = await doors.client.request(method, "/auth")
        assert (reply.status_code, reply.headers["allow"]) == (405, "GET, POST, DELETE")
    assert (await doors.client.request("TRACE", "/auth")).status_code == 405


# --- schemas -----------------------------------------------------------------------------------------------------


async def test_schema_none_leaves_both_schemas_out(doors: Doors) -> None:
    reply = await doors.client.post("/auth?schema=none", json=ann(doors))

    assert list(reply.json()) == ["access_token", "message", "refresh_token", "roleid", "routes"]
    assert "etag" not in reply.headers


async def test_a_client_that_has_the_schemas_gets_new_tokens_without_them(doors: Doors) -> None:
    first = await doors.client.post("/auth", json=ann(doors))
    tag = first.headers["etag"]

    for condition in (tag, f"W/{tag}", f'"other", {tag}'):
        again = await doors.client.post("/auth", json=ann(doors), headers={"If-None-Match": condition})
        assert again.status_code == 200
        assert again.headers["etag"] == tag
        assert "schema" not in again.json()
        assert again.json()["access_token"] != first.json()["access_token"]
    for condition in ('"other"', "*", tag.strip('"')):
        other = await doors.client.post("/auth", json=ann(doors), headers={"If-None-Match": condition})
        assert "schema" in other.json()


async def test_another_role_has_another_etag(doors: Doors) -> None:
    replies = [await doors.client.post("/auth", json=ann(doors, login=login)) for login in ("ann@example.org", "root")]

    assert len({reply.headers["etag"] for reply in replies}) == 2


async def test_the_reply_is_compressed_only_for_clients_that_accept_it(doors: Doors) -> None:
    async with doors.client.stream("POST", "/auth", json=ann(doors), headers={"Accept-Encoding": "br, gzip"}) as reply:
        raw = b"".join([chunk async for chunk in reply.aiter_raw()])
    assert reply.headers["content-encoding"] == "gzip"
    assert "Accept-Encoding" in reply.headers["vary"]
    body = json.loads(gzip.decompress(raw))
    assert body["rpb_schema"]["json"]["__schema"] == {"of": f"control of role {doors.world.ann}"}
    assert len(raw) < len(gzip.decompress(raw)) / 4

    for accepted in ("identity", "gzip;q=0", "br", "gzip;q=0, *"):
        plain = await doors.client.post("/auth", json=ann(doors), headers={"Accept-Encoding": accepted})
        assert "content-encoding" not in plain.headers
        assert plain.json()["schema"] == body["schema"]


# --- routes ------------------------------------------------------------------------------------------------------


async def test_routes_follow_the_host_of_the_request(doors: Doors) -> None:
    for host in ("localhost:8000", "api.example.org", "[::1]:8000", "10.0.0.1"):
        reply = await doors.client.post("/auth?schema=none", json=ann(doors), headers={"Host": host})
        assert reply.json()["routes"]["query"] == f"http://{host}/query"


@pytest.mark.parametrize(
    "host", ["", "a b", "evil.org/path", "evil.org@x", "a:b", "x:123456", "<b>", 'a"b', "a\\b", "?"]
)
async def test_a_host_header_that_names_no_host_is_refused_and_opens_no_session(doors: Doors, host: str) -> None:
    refused(
        await doors.client.post("/auth", json=ann(doors), headers={"Host": host}),
        400,
        "The Host header does not name this gateway.",
    )


async def test_configured_addresses_win_over_headers(control_dsn: str, filled: tuple[str, World]) -> None:
    async with open_doors(control_dsn, filled[1], base_url="https://api.example.org/v1") as doors:
        body = await doors.log_in()
        assert body["routes"]["base"] == "https://api.example.org/v1/"
        assert body["routes"]["roles_pbac"] == "https://api.example.org/v1/roles_pbac"
    async with open_doors(control_dsn, filled[1], allowed_hosts=("gateway.test",)) as doors:
        await doors.log_in()
        reply = await doors.client.post("/auth", json=ann(doors), headers={"Host": "evil.org"})
        assert reply.status_code == 400


async def test_x_forwarded_proto_counts_only_from_a_trusted_proxy(control_dsn: str, filled: tuple[str, World]) -> None:
    for trusted, scheme in (((), "http"), (("203.0.113.0/24",), "https")):
        async with open_doors(control_dsn, filled[1], trusted_proxies=trusted) as doors:
            reply = await doors.client.post(
                "/auth?schema=none", json=ann(doors), headers={"X-Forwarded-Proto": "https", "Host": "a.test"}
            )
            assert reply.json()["routes"]["base"] == f"{scheme}://a.test/"


# --- acting for another role -------------------------------------------------------------------------------------


async def act(doors: Doors, token: str, **fields: object) -> httpx2.Response:
    return await doors.client.post("/auth?schema=none", json=fields, headers=bearer(token))


async def test_an_administrator_acts_for_another_role_by_login_or_id(doors: Doors) -> None:
    token = (await doors.log_in("admin"))["access_token"]

    for fields in (
        {"login": "ann@example.org"},
        {"roleid": doors.world.ann, "tenantid": doors.world.todo},
        {"roleid": str(doors.world.ann), "password": ""},
    ):
        reply = await act(doors, token, **fields)
        assert reply.json()["message"] == "Logged in as ann@example.org."
        assert (await doors.whoami(reply.json()["access_token"])).json()["roleid"] == doors.world.ann


async def test_acting_has_the_refusals_of_the_wire(doors: Doors) -> None:
    todo = doors.world.todo
    root = (await doors.log_in("root"))["access_token"]
    ann_token = (await doors.log_in())["access_token"]

    denied = await act(doors, ann_token, login="root")
    refused(denied, 400, "Non-administrators may not access other roles.")
    refused(await act(doors, ann_token, roleid=doors.world.stranger), 400, denied.json()["error"])
    refused(await act(doors, root, roleid=doors.world.stranger), 400, "Role is not in this tenant.")
    refused(await act(doors, root, login="root", tenantid=doors.world.flights), 400, "Role is not in this tenant.")
    refused(await act(doors, root, login="carl"), 404, f"No such role carl for tenant {todo}.")
    refused(await act(doors, root, roleid=987_654), 404, f"No such role 987654 for tenant {todo}.")
    refused(await act(doors, root), 400, "Missing required field: password.")


async def test_an_administrator_does_not_become_root_by_asking(doors: Doors) -> None:
    admin = (await doors.log_in("admin"))["access_token"]

    refused(await act(doors, admin, login="root"), 403, "Only the tenant's root role may act as the root role.")


async def test_a_password_always_means_an_ordinary_login(doors: Doors) -> None:
    root = (await doors.log_in("root"))["access_token"]

    refused(await act(doors, root, **ann(doors, password="wrong")), 403, "Invalid credentials.")


async def test_acting_needs_an_access_token_that_counts(doors: Doors) -> None:
    root = await doors.log_in("root")

    refused(
        await act(doors, root["refresh_token"], login="ann@example.org"),
        422,
        "Unauthorized access: Only access tokens are allowed",
    )
    doors.clock.now += 86_400 + 60
    expired = await act(doors, root["access_token"], login="ann@example.org")
    refused(expired, 401, "Unauthorized access: Token has expired")
    assert expired.headers["www-authenticate"] == "Bearer"


async def test_a_lost_control_database_is_a_503_without_internals(doors: Doors, databases: Databases) -> None:
    refresh = (await doors.log_in())["refresh_token"]
    databases.drop(doors.state.settings.database_url.get_secret_value())

    text = "The database cannot be reached at the moment."
    refused(await doors.client.post("/auth", json=ann(doors)), 503, text)
    refused(await doors.client.post("/anonauth", json={"tenantid": doors.world.todo}), 503, text)
    refused(await doors.refresh(refresh), 503, text)
    assert (await doors.client.get("/readyz")).status_code == 503
    assert (await doors.client.get("/healthz")).status_code == 200
