"""`Aggregates` over roles, classes and rules."""

import pytest

from tests.control import Control

pytestmark = pytest.mark.postgres

COUNT = """query ($q: String, $f: String) {
    Aggregates { total: count(subquery: $q, filter: $f) } }"""


async def test_rows_are_counted_and_grouped(control: Control) -> None:
    ann = await control.add_role("ann", "login")
    await control.add_role("bob", parent_id=ann)
    await control.add_role("cid", parent_id=ann)

    data = await control.good(
        control.root_id,
        """{ Aggregates {
          __typename
          total: count(subquery: "{ role { roleid } }")
          count(subquery: "query r { role { id: roleid parentid } }", having: "count > 1", ordering: ["parentid desc"])
          max(subquery: "{ role { login } }", filter: "login != 'root'")
        } }""",
    )

    assert data == {
        "Aggregates": {
            "__typename": "Aggregates",
            "total": [{"count": 4}],
            "count": [{"count": 2, "parentid": None}, {"count": 2, "parentid": ann}],
            "max": [{"max": "cid"}],
        }
    }


async def test_they_count_what_the_caller_may_see(control: Control) -> None:
    ann = await control.add_role("ann", "login", parent_id=control.root_id)

    assert await control.good(ann, COUNT, q="{ role { roleid } }") == {"Aggregates": {"total": [{"count": 1}]}}
    by_parent = await control.good(ann, COUNT, q="{ role { roleid parent { login } } }")
    assert by_parent == {"Aggregates": {"total": [{"count": 1, "parent_login": None}]}}
    for kind in ("policy_rule { ruleid }", "tenant { tenantid }"):
        assert await control.refused(ann, COUNT, q=f"{{ {kind} }}") == "ACCESS_DENIED"


@pytest.mark.parametrize(
    ("subquery", "code"),
    [
        ("", "SUBQUERY_INVALID"),
        ("{ Utility { introspect } }", "SUBQUERY_INVALID"),
        ("mutation { delete_role(roleid: 1) { login } }", "SUBQUERY_INVALID"),
        ("{ role { password_hash } }", "GRAPHQL_VALIDATION_FAILED"),
        ("{ role {", "GRAPHQL_PARSE_FAILED"),
    ],
)
async def test_only_rows_can_be_aggregated(control: Control, subquery: str, code: str) -> None:
    assert await control.refused(control.root_id, COUNT, q=subquery) == code
