"""Many logins at once, beside somebody who queries."""

import asyncio

import pytest

from tests.benchmarks.logins import LOGINS, query_beside_logins
from tests.gateways import Gateway

pytestmark = [pytest.mark.server, pytest.mark.postgres]


def test_fifty_simultaneous_logins_leave_the_doors_open_for_queries(gateway: Gateway) -> None:
    answers = asyncio.run(query_beside_logins(gateway, LOGINS))

    assert answers.statuses == {200}
    assert answers.order.count("login") == LOGINS
    # Hashed on the event loop, all fifty would be answered in few lumps with hardly a query between them.
    assert answers.order.count("query") > LOGINS
    assert answers.logins_between_queries <= LOGINS // 5
