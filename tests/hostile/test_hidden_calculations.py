"""What could fail on a row that policy hides fails on none: a hidden row gives the answer of one that is nowhere.

Each filter does fail on the hidden row: whoever may see it is told of an error.
"""

import json
from collections.abc import Iterator

import pytest

from db.errors import InvalidValue
from tests.databases import Databases
from tests.vaults import OWNER, ROOT, Vaults, open_vaults

pytestmark = pytest.mark.postgres

VAULTS = [
    "2 ^ big > 1",
    "zero ^ -1 > 1",
    "(zero - 1) ^ 0.5 = 1 or true = false",
    "exact ^ 2.0 > 1",
    "exact + exact > 1",
    "exact - -exact > 1",
    "exact * 10.0 > 1",
    "exact / 0.001 > 1",
    "abs(exact) * 10 > 1",
    "round(exact * 10, 1) > 1",
    "coalesce(exact, 0) + exact > 1",
    "real + real > 1",
    "real - -real > 1",
    "real * 10 > 1",
    "real / 0.001 > 1",
    "real * exact > 1",
    "exact = real",
    "real < exact",
    "exact in [real, 5]",
    "coalesce(exact, real) > 1",
    "(big + big) & 1 = 1",
    "big * 2 << 1 = 1",
    "day + 1 > '2024-01-01'",
    "day + big > '2024-01-01'",
    "day - -1 > '2024-01-01'",
    "endless - day > 1",
    "day + '1 day' > '2024-01-01'",
    "local + '1 day' > '2024-01-01'",
    "moment - '-1 day' > '2024-01-01'",
    "moment + span > '2024-01-01'",
    "span + span > '1 day'",
    "span * 2 > '1 day'",
    "2 * span > '1 day'",
    "span / 0.5 > '1 day'",
    "name like pattern",
    "name not like pattern",
    "'abc' ilike pattern",
    "name like concat(pattern, '')",
    "name like lower(pattern)",
    "not (real * 10 > 1)",
    "id = 1 or real * 10 > 1",
    "name != 'x' and real * 10 > 1",
    "real * 10 = null",
    "real * 10 in [10, 20]",
    "count(coin_collection.id) * real * 10 > 1",
    "sum(coin_collection.exact) > 1 and max(coin_collection.exact) * 10 > 1",
    "sum(coin_collection.real * 10) > 1",
    "avg(coin_collection.real * 10) > 1",
    "sum(real * 10) > 1",
    "max(exact) * 10 > 1",
    "coin_collection.real * 10 > 1",
    "coin_collection.real * 10 > 1 or name = 'mine'",
    "not coin_collection.exact * 10 > 1",
    "coin_collection.exact * 10 > real",
    "coin_collection.exact + exact = -5",
    "tag_collection.real * 10 > 1",
    "tag_collection.real * 10 > real",
    "owner.id + real * 10 > 1",
    "concat(owner.id, real * 10) = 'x'",
]
COINS = [
    "vault.exact * 10 > 1",
    "vault.real * real > 1",
    "max(vault.exact) * 10 > 1",
    "coalesce(vault.exact, 0) * 10 > 1",
]
DOCUMENTS = [
    '{ owner { id vault_collection(filter: "real * 10 > 1", ordering: "id") { id } } }',
    '{ owner { vault_collection(filter: "name like pattern", limit: 2, ordering: "id") { id } } }',
    '{ vault(ordering: "id") { id tag_collection(filter: "real * 10 > 1") { id } } }',
    '{ Aggregates { count(subquery: "{ vault { id } }", filter: "real * 10 > 1") } }',
    '{ Aggregates { count(subquery: "{ vault(filter: \\"real * 10 > 1\\") { id } }") } }',
    '{ Aggregates { count(subquery: "{ vault { id real } }", having: "real * 10 > 1") } }',
    '{ Aggregates { sum(subquery: "{ vault { id pattern name } }", having: "name like pattern") } }',
]


@pytest.fixture(scope="module")
def hidden(databases: Databases) -> Iterator[Vaults]:
    with open_vaults(databases, with_hidden=True) as opened:
        yield opened


@pytest.fixture(scope="module")
def absent(databases: Databases) -> Iterator[Vaults]:
    with open_vaults(databases, with_hidden=False) as opened:
        yield opened


def read(table: str, text: str) -> str:
    return f'{{ {table}(filter: {json.dumps(text)}, ordering: "id") {{ id }} }}'


@pytest.mark.parametrize(
    "document",
    [*(read("vault", text) for text in VAULTS), *(read("coin", text) for text in COINS), *DOCUMENTS],
    ids=[*VAULTS, *COINS, *DOCUMENTS],
)
def test_what_fails_on_a_hidden_row_tells_nothing_of_it(hidden: Vaults, absent: Vaults, document: str) -> None:
    with pytest.raises(InvalidValue):
        hidden.answer(ROOT, document)

    assert hidden.answer(OWNER, document) == absent.answer(OWNER, document)


TOTAL = [
    "10 / zero = 1",
    "10 % zero = null",
    "10.5 % zero = null",
    "exact % 0 = null",
    "real / 0 = null",
    "span / 0 = null",
    "big * big * big * big > 1",
    "-big - big < 1",
    "-exact < 1",
    "big / -1 < 0",
    "real % 7 = 1",
    "abs(-big) > 0",
    "round(real) > 1",
    "big << 70 = 1",
    "big >> big = 1",
    "sum(big) > 1",
    "length(lower(concat(name, exact, moment, span))) > 1",
    "coalesce(moment, local) > current_date",
    "big = exact",
    "big + 1 > real",
]


@pytest.mark.parametrize("text", TOTAL)
def test_what_is_total_fails_on_no_row(hidden: Vaults, text: str) -> None:
    assert hidden.answer(ROOT, read("vault", text))["data"]
