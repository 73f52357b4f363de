"""Many logins at once, beside somebody who queries."""

import asyncio

import pytest

from db.passwords import hash_password
from gateway.auth.passwords import PasswordChecker
from tests.benchmarks.logins import LOGINS, query_beside_logins
from tests.gateways import Gateway


async def test_the_event_loop_turns_while_passwords_are_verified() -> None:
    stored = hash_password("right")
    checker = PasswordChecker(threads=2, queue=10)
    turns = 0
    verified = asyncio.gather(*[checker.verify(stored, "right") for _ in range(4)])
    while not verified.done():
        await asyncio.sleep(0)
        turns += 1
    await checker.close()

    assert await verified == [True] * 4
    # On the loop itself it would be a handful; a verification takes as long as thousands of turns.
    assert turns > 100


@pytest.mark.server
@pytest.mark.postgres
def test_queries_are_answered_all_along_beside_fifty_simultaneous_logins(gateway: Gateway) -> None:
    answers = asyncio.run(query_beside_logins(gateway, LOGINS))

    assert answers.statuses == {200}
    assert answers.order.count("login") == LOGINS
    # These bounds are for queries that starve. How fast they are is for the benchmark to tell, and where passwords are
    # verified for the test above: the counts of a busy machine do not part one from the other.
    assert answers.order.count("query") >= LOGINS // 5
    assert answers.logins_between_queries <= LOGINS // 2
