"""What the gateway counts, for Prometheus: requests by endpoint and outcome, and how long they took.

Labels come from two closed lists, so that no request can make a new time series. A series is looked up once, at the
start: counting a request costs two additions.
"""

from typing import Literal, cast, get_args

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.gc_collector import GCCollector
from prometheus_client.process_collector import ProcessCollector
from starlette.requests import Request
from starlette.responses import Response

from db.errors import PublicError
from gateway.auth.refusals import AuthError
from gateway.errors import InternalError, RequestError
from schema.errors import AccessDenied, OperationError, PolicyViolated

Endpoint = Literal["query", "roles_pbac", "auth", "anonauth", "other"]
_ENDPOINTS = frozenset(get_args(Endpoint))
Outcome = Literal[
    "ok", "request_refused", "unauthorized", "operation_refused", "access_denied", "store_error", "internal"
]

#: Where an endpoint leaves in the ASGI scope how its request is to be counted, when the status does not tell.
OUTCOME = "ostiary.outcome"

# A cached operation takes about a millisecond, a login some 50 by design, and nothing should take more than the
# statement timeout.
BUCKETS_SECONDS = (0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Metrics:
    """The counters of one process, in a registry of their own: two gateways in one test do not share them."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        GCCollector(registry=self.registry)
        requests = Counter("ostiary_requests", "Requests answered.", ["endpoint", "outcome"], registry=self.registry)
        seconds = Histogram(
            "ostiary_request_seconds",
            "Time from the first byte of a request to its answer.",
            ["endpoint"],
            buckets=BUCKETS_SECONDS,
            registry=self.registry,
        )
        self.active = Gauge("ostiary_requests_active", "Requests being answered now.", registry=self.registry)
        self._requests = {
            (endpoint, outcome): requests.labels(endpoint, outcome)
            for endpoint in get_args(Endpoint)
            for outcome in get_args(Outcome)
        }
        self._seconds = {endpoint: seconds.labels(endpoint) for endpoint in get_args(Endpoint)}

    def count(self, endpoint: Endpoint, outcome: Outcome, seconds: float) -> None:
        """Counts a request that has been answered."""
        self._requests[endpoint, outcome].inc()
        self._seconds[endpoint].observe(seconds)

    def page(self) -> bytes:
        """All counters in Prometheus' text format."""
        return generate_latest(self.registry)

    async def endpoint(self, _request: Request) -> Response:
        """The page as a response; the route to it exists only where a setting asks for it."""
        return Response(self.page(), headers={"content-type": CONTENT_TYPE_LATEST, "cache-control": "no-store"})


def endpoint_of(path: str) -> Endpoint:
    """The label for a path."""
    name = path.removeprefix("/")
    return cast("Endpoint", name) if name in _ENDPOINTS else "other"


def outcome_of_status(status: int) -> Outcome:
    """How a request is counted of which only the status of the answer is known."""
    if status < 400:
        return "ok"
    if status in {401, 403, 422}:
        return "unauthorized"
    return "request_refused" if status < 500 else "internal"


def outcome_of(error: PublicError | None) -> Outcome:
    """How a request that ended with this error, or with none, is counted."""
    match error:
        case None:
            return "ok"
        case AuthError():
            return "unauthorized"
        case RequestError():
            return "request_refused"
        case AccessDenied() | PolicyViolated():
            return "access_denied"
        case OperationError():
            return "operation_refused"
        case InternalError():
            return "internal"
        case _:
            return "store_error"
