"""What clients of Realm wrap, since JSON has no types for it."""

import pytest

from gateway.body import BodyUnreadable
from gateway.facades.extended_json import plain_json


@pytest.mark.parametrize(
    ("sent", "plain"),
    [
        ({"$numberInt": "-7"}, -7),
        ({"$numberLong": "9223372036854775807"}, 2**63 - 1),
        ({"$numberDouble": "1.5"}, 1.5),
        ({"$numberDouble": "NaN"}, "NaN"),
        ({"$numberDouble": "-Infinity"}, "-Infinity"),
        ({"$numberDecimal": "0.10"}, "0.10"),
        ({"$oid": "0123456789abcdef01234567"}, "0123456789abcdef01234567"),
        ({"$date": {"$numberLong": "1709164800123"}}, "2024-02-29T00:00:00.123000+00:00"),
        ({"$date": "2024-02-29T00:00:00Z"}, "2024-02-29T00:00:00Z"),
        ({"$date": {"$numberLong": "-1000"}}, "1969-12-31T23:59:59+00:00"),
        ({"$binary": {"base64": "AAECAw==", "subType": "00"}}, "AAECAw=="),
        (
            {"$binary": {"base64": "PyUE4E+JQdOaDAMF6CwzAQ==", "subType": "04"}},
            "3f2504e0-4f89-41d3-9a0c-0305e82c3301",
        ),
        ({"$undefined": True}, None),
        ({"a": [{"$numberInt": "1"}, {"b": {"$numberInt": "2"}}]}, {"a": [1, {"b": 2}]}),
        ({"$unknown": "1"}, {"$unknown": "1"}),
        ({"$oid": "x", "and": 1}, {"$oid": "x", "and": 1}),
        ([None, True, "text", 1.5], [None, True, "text", 1.5]),
    ],
)
def test_a_value_is_read_as_plain_json(sent: object, plain: object) -> None:
    assert plain_json(sent) == plain


@pytest.mark.parametrize(
    "sent",
    [
        {"$numberInt": 7},
        {"$numberInt": "seven"},
        {"$numberInt": "9" * 5000},
        {"$numberDouble": "one"},
        {"$oid": {"$oid": "x"}},
        {"$date": {"$numberLong": "9" * 18}},
        {"$date": {"$numberLong": 1}},
        {"$date": {"$oid": "x"}},
        {"$binary": "x"},
        {"$binary": {"subType": "04"}},
        {"$binary": {"base64": "!!", "subType": "00"}},
        {"$binary": {"base64": "AAECAw==", "subType": "04"}},
    ],
)
def test_a_wrapper_whose_content_does_not_fit_is_refused(sent: object) -> None:
    with pytest.raises(BodyUnreadable):
        plain_json(sent)
