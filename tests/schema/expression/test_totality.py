"""Which filters can fail on a row, and so need a fence before what policy hides."""

import pytest

from schema.expression.check import check_expression
from schema.expression.parse import parse_expression
from schema.expression.predicate import (
    ALWAYS,
    Aggregated,
    Calculated,
    ColumnOf,
    Compare,
    Exists,
    IsNull,
    Lifted,
    Matches,
    Related,
    Way,
)
from schema.expression.totality import can_raise
from schema.expression.types import INT4, NUMERIC, TEXT
from tests.builders import a_model

MODEL = a_model()
FAILS = IsNull(Calculated("^", (ColumnOf("id", INT4), ColumnOf("id", INT4)), NUMERIC, total=False))


def is_risky(text: str) -> bool:
    return can_raise(
        check_expression(
            parse_expression(text), MODEL.entities["item"], MODEL, lambda i, _, t, c: Lifted(i, t, c), under_grant=True
        )
    )


@pytest.mark.parametrize(
    "text",
    [
        "id = 7 and title like 'x%' or not done",
        "id + 1 = 2",
        "id / 0 = 1",
        "id % list_id = 1",
        "roleId >> 2 & 1 = 1",
        "price % 7 = 1",
        "-price = 1",
        "abs(price) = 1",
        "round(weight) = 1",
        "round(id + 0.5) = 1",
        "lower(title) = 'x'",
        "made > now()",
        "list.name = title",
        "list.item_collection.done",
        "count(list.item_collection.id) > 3",
        "id = max(id)",
        "sum(id) > avg(id)",
    ],
)
def test_what_is_total_needs_no_fence(text: str) -> None:
    assert not is_risky(text)


@pytest.mark.parametrize(
    "text",
    [
        "id ^ 2 = 4",
        "price + 1 = 2",
        "price * price = 1",
        "price / 3 = 1",
        "weight + 1 = 2",
        "price = weight",
        "(id + 1) & 1 = 1",
        "due + 1 = due",
        "made - '1 day' > now()",
        "title like subtitle",
        "round(price) = 1",
        "sum(price) > 1",
        "not price + 1 = 2",
        "id = 1 or price + 1 = 2",
        "lower(concat(price + 1)) = 'x'",
        "list.item_collection.price * 2 = 1",
        "max(price * 2) = 1",
        "id in [price * 2]",
        "price * 2 in [1]",
        "price * 2 = null",
        "concat(price * 2) like 'x'",
    ],
)
def test_what_can_fail_is_known_wherever_it_stands(text: str) -> None:
    assert is_risky(text)


@pytest.mark.parametrize(
    "predicate",
    [
        Exists("list", ALWAYS, under_grant=False, grant=FAILS),
        Exists("list", ALWAYS, under_grant=False, via=FAILS),
        IsNull(Related("list", ColumnOf("id", INT4), under_grant=False, grant=FAILS)),
        IsNull(Related("list", ColumnOf("id", INT4), under_grant=False, via=FAILS)),
        IsNull(Aggregated("count", None, INT4, under_grant=False, grant=FAILS)),
        IsNull(Aggregated("count", None, INT4, under_grant=False, ways=(Way("list", grant=FAILS),))),
        Compare(ColumnOf("id", INT4), "=", Aggregated("count", None, INT4, under_grant=False, ways=(Way("x", FAILS),))),
        Matches(ColumnOf("title", TEXT), ColumnOf("title", TEXT), "like"),
    ],
)
def test_a_grant_that_can_fail_within_a_filter_counts(predicate: Exists | IsNull | Compare | Matches) -> None:
    assert can_raise(predicate)
