"""What the gateway counts, for Prometheus: requests by endpoint and outcome, and how long they took.

Labels come from two closed lists, so that no request can make a new time series.
"""

from bisect import bisect_left
from collections.abc import Iterable
from itertools import accumulate
from typing import Literal, cast, get_args

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.gc_collector import GCCollector
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector
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


class Tally(Collector):
    """Counts that cost an addition each, and take Prometheus' shape only when somebody asks."""

    def __init__(self) -> None:
        self.requests = {(endpoint, outcome): 0 for endpoint in get_args(Endpoint) for outcome in get_args(Outcome)}
        self.buckets = {endpoint: [0] * (len(BUCKETS_SECONDS) + 1) for endpoint in get_args(Endpoint)}
        self.seconds = dict.fromkeys(get_args(Endpoint), 0.0)
        self.active = 0

    def collect(self) -> Iterable[Metric]:
        requests = CounterMetricFamily("ostiary_requests", "Requests answered.", labels=["endpoint", "outcome"])
        for labels, number in self.requests.items():
            requests.add_metric(labels, number)
        seconds = HistogramMetricFamily(
            "ostiary_request_seconds", "Time from the first byte of a request to its answer.", labels=["endpoint"]
        )
        bounds = [*map(str, BUCKETS_SECONDS), "+Inf"]
        for endpoint, numbers in self.buckets.items():
            rising = list(zip(bounds, accumulate(numbers), strict=True))
            seconds.add_metric([endpoint], rising, self.seconds[endpoint])
        return [
            requests,
            seconds,
            GaugeMetricFamily("ostiary_requests_active", "Requests being answered now.", self.active),
        ]


class Metrics:
    """The counters of one process, in a registry of their own: two gateways in one test do not share them."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        GCCollector(registry=self.registry)
        self._tally = Tally()
        self.registry.register(self._tally)

    def begin(self) -> None:
        """Counts a request as being answered."""
        self._tally.active += 1

    def count(self, endpoint: Endpoint, outcome: Outcome, seconds: float) -> None:
        """Counts a request that has been answered."""
        tally = self._tally
        tally.active -= 1
        tally.requests[endpoint, outcome] += 1
        tally.buckets[endpoint][bisect_left(BUCKETS_SECONDS, seconds)] += 1
        tally.seconds[endpoint] += seconds

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
