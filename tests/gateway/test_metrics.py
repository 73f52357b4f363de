from typing import get_args

import pytest
from starlette.applications import Starlette
from starlette.routing import Route

from db.errors import DatabaseUnavailable, PublicError
from gateway.auth.refusals import TokenMissing
from gateway.errors import InternalError, RequestError
from gateway.metrics import Endpoint, Metrics, Outcome, outcome_of
from schema.errors import AccessDenied, UnknownColumn
from schema.query.errors import DocumentInvalid, Fault


def test_requests_are_counted_by_endpoint_and_outcome() -> None:
    metrics = Metrics()

    metrics.count("query", "ok", 0.003)
    metrics.count("query", "ok", 0.3)
    metrics.count("auth", "unauthorized", 0.05)

    page = metrics.page().decode()
    assert 'ostiary_requests_total{endpoint="query",outcome="ok"} 2.0' in page
    assert 'ostiary_requests_total{endpoint="auth",outcome="unauthorized"} 1.0' in page
    assert 'ostiary_request_seconds_bucket{endpoint="query",le="0.005"} 1.0' in page
    assert 'ostiary_request_seconds_count{endpoint="query"} 2.0' in page


def test_labels_are_a_closed_list() -> None:
    metrics = Metrics()
    series = len(metrics.page().splitlines())

    for endpoint in get_args(Endpoint):
        for outcome in get_args(Outcome):
            metrics.count(endpoint, outcome, 0.01)

    assert len(metrics.page().splitlines()) == series


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (None, "ok"),
        (TokenMissing(), "unauthorized"),
        (RequestError("x"), "request_refused"),
        (DocumentInvalid([Fault("x")]), "operation_refused"),
        (UnknownColumn("a", "b"), "operation_refused"),
        (AccessDenied("select", "a"), "access_denied"),
        (DatabaseUnavailable(), "store_error"),
        (InternalError("1a"), "internal"),
    ],
)
def test_an_error_decides_the_outcome(error: PublicError | None, outcome: Outcome) -> None:
    assert outcome_of(error) == outcome


async def test_the_page_is_served_in_the_format_of_prometheus() -> None:
    import httpx2

    app = Starlette(routes=[Route("/metrics", Metrics().endpoint)])
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://test") as client:
        answer = await client.get("/metrics")

    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=")
    assert b"ostiary_requests_total" in answer.content
