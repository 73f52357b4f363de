"""The GraphiQL page: GET /graphiql, and the files it loads from /graphiql/assets/.

Everything is served from this package's `static/graphiql`, which `tools/graphiql/build` writes. The page speaks to no
other host; its Content-Security-Policy makes the browser hold it to that.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

STATIC = Path(__file__).parent / "static" / "graphiql"

_PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; connect-src 'self'; worker-src 'self'; font-src 'self'; "
    # Monaco places its lines and colours its tokens by style elements and attributes that it writes itself, and its
    # style sheet draws the marks under faults as data: images.
    "style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    # form-action: the login form is sent by script; sent by the browser, a password could end in an address.
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
# A worker is held to the policy of its own file, not to that of the page: the workers load nothing at all.
_ASSET_POLICY = "default-src 'none'; frame-ancestors 'none'"

_COMMON_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Vary": "Accept-Encoding",
}
_REVALIDATED = "no-cache"
_IMMUTABLE = "public, max-age=31536000, immutable"

_MEDIA_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".ttf": "font/ttf",
    ".txt": "text/plain; charset=utf-8",
    ".woff2": "font/woff2",
}
_HASHED_NAME = re.compile(r"-[0-9A-Z]{8}\.[a-z0-9]+$")


@dataclass(frozen=True, slots=True)
class Asset:
    """A file to serve: where it lies, and beside it, where that is smaller, the same content compressed by gzip."""

    path: Path
    compressed: Path | None
    media_type: str
    tag: str
    headers: Mapping[str, str]


def graphiql_routes() -> list[BaseRoute]:
    """The routes of the page and of its files, ready for the application's list of routes."""
    page = _asset(STATIC / "page.html", _PAGE_POLICY)
    # Files are found by name in this table, never by a path: no request can leave the folder.
    assets = {
        path.name: _asset(path, _ASSET_POLICY) for path in (STATIC / "assets").iterdir() if path.suffix in _MEDIA_TYPES
    }

    async def page_endpoint(request: Request) -> Response:
        return _serve(page, request)

    async def asset_endpoint(request: Request) -> Response:
        asset = assets.get(request.path_params["name"])
        if asset is None:
            return PlainTextResponse("Not Found", status_code=404, headers={"X-Content-Type-Options": "nosniff"})
        return _serve(asset, request)

    return [
        Route("/graphiql", page_endpoint, methods=["GET"], name="graphiql"),
        Route("/graphiql/assets/{name}", asset_endpoint, methods=["GET"], name="graphiql_asset"),
    ]


def may_send_gzip(accept_encoding: str) -> bool:
    """Whether a client that sends this Accept-Encoding takes gzip (RFC 9110, 12.5.3).

    >>> [may_send_gzip(value) for value in ("br, gzip", "gzip;q=0", "*;q=0.5", "*, gzip;q=0", "")]
    [True, False, True, False, False]
    """
    weights: dict[str, float] = {}
    for entry in accept_encoding.lower().split(","):
        coding, _, parameter = entry.partition(";")
        weights[coding.strip()] = _weight(parameter)
    return weights.get("gzip", weights.get("*", 0.0)) > 0


def is_known(tag: str, if_none_match: str) -> bool:
    """Whether the client holds the content of this entity tag, by the weak comparison of RFC 9110, 13.1.2.

    >>> [is_known('"a"', value) for value in ('"a"', 'W/"a"', '"b", "a"', "*", '"ab"', "")]
    [True, True, True, True, False, False]
    """
    known = [entry.strip().removeprefix("W/") for entry in if_none_match.split(",")]
    return "*" in known or tag in known


def _weight(parameter: str) -> float:
    name, _, value = parameter.strip().partition("=")
    if name.strip() != "q":
        return 1.0
    try:
        return float(value)
    except ValueError:
        return 0.0


def _asset(path: Path, policy: str) -> Asset:
    """The asset of a file. A name with a hash in it stands for one content for ever; another is asked about again."""
    compressed = path.with_name(f"{path.name}.gz")
    return Asset(
        path=path,
        compressed=compressed if compressed.is_file() else None,
        media_type=_MEDIA_TYPES[path.suffix],
        tag=hashlib.sha256(path.read_bytes()).hexdigest()[:16],
        headers={
            **_COMMON_HEADERS,
            "Content-Security-Policy": policy,
            "Cache-Control": _IMMUTABLE if _HASHED_NAME.search(path.name) else _REVALIDATED,
        },
    )


def _serve(asset: Asset, request: Request) -> Response:
    is_gzip = asset.compressed is not None and may_send_gzip(request.headers.get("Accept-Encoding", ""))
    # The two forms differ byte by byte, so each has its own strong tag (RFC 9110, 8.8.3.3).
    tag = f'"{asset.tag}-gzip"' if is_gzip else f'"{asset.tag}"'
    headers = {**asset.headers, "ETag": tag}
    if is_known(tag, request.headers.get("If-None-Match", "")):
        return Response(status_code=304, headers=headers)
    if asset.compressed is not None and is_gzip:
        headers["Content-Encoding"] = "gzip"
        return FileResponse(asset.compressed, headers=headers, media_type=asset.media_type)
    return FileResponse(asset.path, headers=headers, media_type=asset.media_type)
