"""The GraphiQL page and its files, as any HTTP client meets them."""

import gzip
import hashlib
import re
from pathlib import Path

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from gateway.graphiql import STATIC, graphiql_routes

ASSETS = STATIC / "assets"


@pytest.fixture
def client() -> TestClient:
    # Plain is asked for by default, so that a test which wants gzip has to say so.
    return TestClient(Starlette(routes=graphiql_routes()), headers={"Accept-Encoding": "identity"})


def raw_bytes(client: TestClient, address: str, accept_encoding: str) -> tuple[httpx2.Response, bytes]:
    """A response and its body as it travelled, before any content coding is undone."""
    with client.stream("GET", address, headers={"Accept-Encoding": accept_encoding}) as response:
        return response, b"".join(response.iter_raw())


def directives(response: httpx2.Response) -> dict[str, str]:
    policy = response.headers["Content-Security-Policy"]
    return {name: value for name, _, value in (part.strip().partition(" ") for part in policy.split(";"))}


def assets_named_by(page: str) -> list[str]:
    return re.findall(r'"(graphiql/assets/[^"]+)"', page)


def test_page_is_html_under_a_policy_that_allows_its_own_origin_alone(client: TestClient) -> None:
    response = client.get("/graphiql")

    assert response.status_code == 200
    assert response.headers["Content-Type"] == "text/html; charset=utf-8"
    assert directives(response) == {
        "default-src": "'none'",
        "script-src": "'self'",
        "connect-src": "'self'",
        "worker-src": "'self'",
        "font-src": "'self'",
        "style-src": "'self' 'unsafe-inline'",
        "img-src": "'self' data:",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Referrer-Policy"] == "no-referrer"
    assert response.headers["Cache-Control"] == "no-cache"


def test_page_holds_no_script_of_its_own_and_no_address_of_another_host(client: TestClient) -> None:
    page = client.get("/graphiql").text

    assert re.findall(r"<script[^>]*>(?!</script>)", page) == []
    assert re.findall(r"\son\w+=", page) == []
    assert "//" not in page.removeprefix("<!doctype html>")


def test_every_file_that_the_page_names_is_served(client: TestClient) -> None:
    named = assets_named_by(client.get("/graphiql").text)

    assert len(named) == 5
    assert {address: client.get(f"/{address}").status_code for address in named} == dict.fromkeys(named, 200)


def test_every_file_on_disk_is_served_with_the_type_of_its_content(client: TestClient) -> None:
    types = {
        ".css": "text/css; charset=utf-8",
        ".js": "text/javascript; charset=utf-8",
        ".svg": "image/svg+xml",
        ".ttf": "font/ttf",
        ".txt": "text/plain; charset=utf-8",
        ".woff2": "font/woff2",
    }
    files = [path for path in ASSETS.iterdir() if path.suffix != ".gz"]

    assert {path.suffix for path in files} == set(types)
    for path in files:
        response = client.get(f"/graphiql/assets/{path.name}")
        assert response.content == path.read_bytes()
        assert response.headers["Content-Type"] == types[path.suffix]
        assert response.headers["X-Content-Type-Options"] == "nosniff"


def test_a_file_whose_name_holds_a_hash_may_be_kept_for_ever_and_the_licences_may_not(client: TestClient) -> None:
    script = next(ASSETS.glob("page-*.js"))

    kept = client.get(f"/graphiql/assets/{script.name}")
    asked_again = client.get("/graphiql/assets/LICENSES.txt")

    assert kept.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert asked_again.headers["Cache-Control"] == "no-cache"


@pytest.mark.parametrize("accepted", ["gzip", "br, gzip;q=0.5", "*", "GZIP"])
def test_compressed_form_goes_to_a_client_that_takes_it(client: TestClient, accepted: str) -> None:
    script = next(ASSETS.glob("page-*.js"))

    response, body = raw_bytes(client, f"/graphiql/assets/{script.name}", accepted)

    assert response.headers["Content-Encoding"] == "gzip"
    assert response.headers["Content-Type"] == "text/javascript; charset=utf-8"
    assert response.headers["Vary"] == "Accept-Encoding"
    assert int(response.headers["Content-Length"]) == len(body) < script.stat().st_size
    assert gzip.decompress(body) == script.read_bytes()


@pytest.mark.parametrize("accepted", ["identity", "br", "gzip;q=0", "*, gzip;q=0", "gzip;q=nonsense"])
def test_plain_form_goes_to_a_client_that_does_not_take_gzip(client: TestClient, accepted: str) -> None:
    script = next(ASSETS.glob("page-*.js"))

    response, body = raw_bytes(client, f"/graphiql/assets/{script.name}", accepted)

    assert "Content-Encoding" not in response.headers
    assert response.headers["Vary"] == "Accept-Encoding"
    assert body == script.read_bytes()


def test_every_compressed_file_holds_what_the_plain_one_holds() -> None:
    compressed = list(STATIC.rglob("*.gz"))

    assert len(compressed) > 10
    for path in compressed:
        assert gzip.decompress(path.read_bytes()) == path.with_suffix("").read_bytes()


@pytest.mark.parametrize("address", ["/graphiql", "/graphiql/assets/LICENSES.txt"])
def test_a_client_that_holds_the_content_gets_304_and_no_body(client: TestClient, address: str) -> None:
    first = client.get(address)

    again = client.get(address, headers={"If-None-Match": f'"other", W/{first.headers["ETag"]}'})

    assert again.status_code == 304
    assert again.content == b""
    assert again.headers["ETag"] == first.headers["ETag"]
    assert again.headers["Cache-Control"] == first.headers["Cache-Control"]
    assert again.headers["Vary"] == "Accept-Encoding"


def test_a_client_that_holds_the_other_coding_gets_the_content(client: TestClient) -> None:
    plain = client.get("/graphiql")

    response = client.get("/graphiql", headers={"If-None-Match": plain.headers["ETag"], "Accept-Encoding": "gzip"})

    assert response.status_code == 200
    assert response.headers["ETag"] != plain.headers["ETag"]
    assert response.text == plain.text


@pytest.mark.parametrize("address", ["/graphiql", "/graphiql/assets/LICENSES.txt"])
def test_head_answers_with_the_headers_of_get_and_no_body(client: TestClient, address: str) -> None:
    got = client.get(address)

    head = client.head(address)

    assert head.status_code == 200
    assert head.content == b""
    assert dict(head.headers) == dict(got.headers)


@pytest.mark.parametrize(
    "name",
    [
        "../page.html",
        "..%2fpage.html",
        "..%5c..%5cgraphiql.py",
        "%2e%2e/%2e%2e/%2e%2e/graphiql.py",
        "%2fetc%2fpasswd",
        "....//page.html",
        "LICENSES.txt%00.js",
        "LICENSES.txt.gz",
        "LICENSES.txt/",
        "",
        ".",
        "%ff",
    ],
)
def test_what_is_not_a_file_of_the_page_is_not_found(client: TestClient, name: str) -> None:
    response = client.get(f"/graphiql/assets/{name}", follow_redirects=False)

    assert response.status_code in {307, 404}
    assert b"ostiary" not in response.content.lower()
    if response.status_code == 307:
        assert httpx2.URL(response.headers["Location"]).host == "testserver"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_page_is_only_read(client: TestClient, method: str) -> None:
    response = client.request(method, "/graphiql")

    assert response.status_code == 405


def test_licence_of_each_great_part_is_told() -> None:
    text = (ASSETS / "LICENSES.txt").read_text()

    for part in (
        "graphiql 5",
        "monaco-editor ",
        "react 19",
        "graphql 16",
        "@fontsource/fira-code ",
        "@fontsource/roboto ",
    ):
        assert f"\n{part}" in text


def test_built_files_are_those_of_the_sources_as_they_now_stand() -> None:
    sources = Path(__file__).parents[2] / "tools" / "graphiql"
    paths = [
        "build.mjs",
        "licences.mjs",
        "package-lock.json",
        *(f"src/{path.name}" for path in (sources / "src").iterdir()),
    ]
    digest = hashlib.sha256()
    for path in sorted(paths):
        digest.update(f"{path}\n".encode() + (sources / path).read_bytes())

    built_from = (STATIC / "sources.sha256").read_text().strip()

    assert built_from == digest.hexdigest(), "run make graphiql"
