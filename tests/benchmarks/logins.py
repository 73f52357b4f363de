"""How much 50 simultaneous logins delay the queries of somebody else: `python -m tests.benchmarks.logins`.

Prints the times of queries one after the other, first alone and then beside the logins, from one run of one gateway.
"""

import asyncio
import time
from dataclasses import dataclass, field
from statistics import quantiles

import httpx2

from tests.folders import cluster_folder
from tests.gateways import Gateway

LOGINS = 50
QUERIES_ALONE = 200
QUERY = '{ airlines(ordering: ["carrier"], limit: 5) { name } }'
NO_LIMIT = "100000/minute"


@dataclass
class Answers:
    """What was answered, in its order: "login" or "query"; and how long each query took."""

    order: list[str] = field(default_factory=list[str])
    query_seconds: list[float] = field(default_factory=list[float])
    statuses: set[int] = field(default_factory=set[int])

    @property
    def logins_between_queries(self) -> int:
        """The most logins that were answered with no query answered between them."""
        return max(len(run) for run in "".join(kind[0] for kind in self.order).split("q"))


async def query_beside_logins(gateway: Gateway, logins: int) -> Answers:
    """Queries one after the other, as long as so many logins that began together are not all answered."""
    token = await asyncio.to_thread(gateway.access, "flights")
    body = gateway.logins["flights", "root"].body()
    answers = Answers()

    async def log_in(client: httpx2.AsyncClient) -> None:
        reply = await client.post("/auth?schema=none", json=body)
        answers.statuses.add(reply.status_code)
        answers.order.append("login")

    limits = httpx2.Limits(max_connections=logins + 1)
    async with httpx2.AsyncClient(base_url=gateway.address, timeout=60.0, limits=limits) as client:
        await query_once(client, token, Answers())
        storm = asyncio.gather(*[log_in(client) for _ in range(logins)])
        while not storm.done():
            await query_once(client, token, answers)
        await storm
    return answers


async def query_alone(gateway: Gateway, times: int) -> Answers:
    token = await asyncio.to_thread(gateway.access, "flights")
    answers = Answers()
    async with httpx2.AsyncClient(base_url=gateway.address, timeout=60.0) as client:
        await query_once(client, token, Answers())
        for _ in range(times):
            await query_once(client, token, answers)
    return answers


async def query_once(client: httpx2.AsyncClient, token: str, answers: Answers) -> None:
    began = time.perf_counter()
    reply = await client.post("/query", json={"query": QUERY}, headers={"Authorization": f"Bearer {token}"})
    answers.query_seconds.append(time.perf_counter() - began)
    answers.statuses.add(reply.status_code)
    answers.order.append("query")


def describe(seconds: list[float]) -> str:
    twentieths = quantiles(seconds, n=20)
    median, most, longest = (each * 1000 for each in (twentieths[9], twentieths[18], max(seconds)))
    return f"median {median:6.1f} ms   95% {most:6.1f} ms   max {longest:6.1f} ms"


def main() -> None:
    limits = {f"login_limit_{each}": NO_LIMIT for each in ("address", "login", "everywhere", "tenant")}
    with cluster_folder() as folder, Gateway.start(folder / "data", **limits) as gateway:
        alone = asyncio.run(query_alone(gateway, QUERIES_ALONE))
        beside = asyncio.run(query_beside_logins(gateway, LOGINS))
    print(f"{len(alone.query_seconds):4} queries alone             {describe(alone.query_seconds)}")  # noqa: T201
    print(f"{len(beside.query_seconds):4} queries beside {LOGINS} logins  {describe(beside.query_seconds)}")  # noqa: T201
    delay = quantiles(beside.query_seconds, n=20)[18] - quantiles(alone.query_seconds, n=20)[9]
    print(f"A query is delayed by {delay * 1000:.1f} ms (95% beside logins, less the median alone).")  # noqa: T201


if __name__ == "__main__":
    main()
