"""A filter part by part, and the fewest of its tests that would have to come out differently."""

from itertools import combinations, product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schema.expression.parse import parse_expression
from schema.expression.predicate import ALWAYS
from schema.roles_pbac.explained.filters import MAX_PARTS, FilterPart, JudgedPart, Truth, fewest_tests, read_filter
from tests.builders import a_model

ITEM = a_model().entities["item"]
TRUTHS: tuple[Truth, ...] = (True, False, None)
NODE = parse_expression("true")


def leaf(name: str) -> FilterPart:
    return FilterPart("test", name, ALWAYS, NODE)


def build(shape: object, names: "list[str]") -> FilterPart:
    """A tree of this shape, whose tests are all different."""
    match shape:
        case (kind, *inner):
            return FilterPart(kind, "", ALWAYS, NODE, tuple(build(each, names) for each in inner))
        case _:
            names.append(f"t{len(names)}")
            return leaf(names[-1])


SHAPES = st.recursive(
    st.just("test"),
    lambda inner: st.one_of(
        st.tuples(st.sampled_from(["and", "or"]), inner, inner),
        st.tuples(st.just("not"), inner),
        st.tuples(st.just("or"), inner, inner, inner),
    ),
    max_leaves=5,
)


def truth_of(part: FilterPart, truths: dict[str, Truth]) -> Truth:
    """As SQL has it."""
    inner = [truth_of(each, truths) for each in part.parts]
    match part.kind:
        case "test":
            return truths[part.text]
        case "not":
            return None if inner[0] is None else not inner[0]
        case "and":
            return False if False in inner else None if None in inner else True
        case "or":
            return True if True in inner else None if None in inner else False


def judged(part: FilterPart, truths: dict[str, Truth]) -> tuple[JudgedPart, ...]:
    return tuple(JudgedPart(each, depth, truth_of(each, truths)) for depth, each in part.in_order())


def fewest(part: FilterPart, truths: dict[str, Truth], *, is_true: bool) -> int:
    """How many tests have to come out differently, found by trying all ways."""
    for count in range(len(truths) + 1):
        for chosen in combinations(truths, count):
            for otherwise in product(TRUTHS, repeat=count):
                changed = truths | dict(zip(chosen, otherwise, strict=True))
                if (truth_of(part, changed) is True) is is_true:
                    return count
    raise AssertionError(part)


@settings(max_examples=200, deadline=None)
@given(SHAPES, st.data())
def test_the_fewest_tests_are_the_fewest(shape: object, data: st.DataObject) -> None:
    names: list[str] = []
    part = build(shape, names)
    truths = {name: data.draw(st.sampled_from(TRUTHS)) for name in names}

    for_true = fewest_tests(judged(part, truths), "true")
    for_not_true = fewest_tests(judged(part, truths), "not true")

    assert len(for_true) == fewest(part, truths, is_true=True)
    assert len(for_not_true) == fewest(part, truths, is_true=False)


@pytest.mark.parametrize("text", ["", "  ", "\n"])
def test_a_blank_filter_has_no_parts(text: str) -> None:
    assert read_filter(text, ITEM, a_model()) is None


def test_a_filter_is_read_part_by_part_in_its_order() -> None:
    part = read_filter("id = 1 AND (done or not title like 'x%')", ITEM, a_model())

    assert part is not None
    assert [(depth, each.kind, each.text) for depth, each in part.in_order()] == [
        (0, "and", "id = 1 AND (done or not title like 'x%')"),
        (1, "test", "id = 1"),
        (1, "or", "done or not title like 'x%'"),
        (2, "test", "done"),
        (2, "not", "not title like 'x%'"),
        (3, "test", "title like 'x%'"),
    ]


def test_a_filter_of_very_many_parts_is_told_as_a_whole() -> None:
    text = " or ".join(f"id = {number}" for number in range(MAX_PARTS))

    part = read_filter(text, ITEM, a_model())

    assert part is not None
    assert list(part.in_order()) == [(0, part)]
    assert part.text == text
