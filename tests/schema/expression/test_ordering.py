import pytest

from schema.errors import ExpressionSyntaxError
from schema.expression.ordering import OrderTerm, parse_ordering


@pytest.mark.parametrize(
    ("entries", "terms"),
    [
        (None, ()),
        ([], ()),
        ("", ()),
        (["", " ", None], ()),
        (["year"], (OrderTerm(("year",)),)),
        ("ts desc", (OrderTerm(("ts",), descending=True),)),
        (["Year ASC", "title Desc"], (OrderTerm(("Year",)), OrderTerm(("title",), descending=True))),
        ("a, b desc", (OrderTerm(("a",)), OrderTerm(("b",), descending=True))),
        (
            ["group_collection.organization_id desc"],
            (OrderTerm(("group_collection", "organization_id"), descending=True),),
        ),
        ("desc", (OrderTerm(("desc",)),)),
        ("desc desc", (OrderTerm(("desc",), descending=True),)),
        ("list.desc", (OrderTerm(("list", "desc")),)),
        ("list.order", (OrderTerm(("list", "order")),)),
    ],
)
def test_an_ordering_means(entries: str | list[str | None] | None, terms: tuple[OrderTerm, ...]) -> None:
    assert parse_ordering(entries) == terms


@pytest.mark.parametrize(
    ("entries", "position"),
    [
        ("a b", 3),
        ("a descending", 3),
        ("a desc nulls last", 3),
        ("a = 1", 3),
        ("a.", 3),
        ("a,", 3),
        (".a", 1),
        ("'a'", 1),
        ("a; drop table b", 2),
        ("count(a)", 6),
        (["a"] * 33, 1),
    ],
)
def test_an_ordering_is_refused(entries: str | list[str], position: int) -> None:
    with pytest.raises(ExpressionSyntaxError) as raised:
        parse_ordering(entries)

    assert raised.value.position == position
