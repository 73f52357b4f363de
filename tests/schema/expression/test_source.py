"""The text of a part of an expression, which is again an expression, and the same one."""

from dataclasses import fields, is_dataclass
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schema.expression.parse import parse_expression
from schema.expression.source import children_of, source_of
from schema.expression.syntax import Conjunction, Disjunction, Expression, Negation

OPERANDS = st.sampled_from(
    ["a", "a.b.c", "a.in", "x.order.not", "7", "-7", "+ 1.5", "'it''s ]'", '"("', "null", "true", "now()", "count(*)"]
) | st.sampled_from(
    ["$_PRINCIPAL.roleid", "$_principal . parentid", "lower( a.b )", "coalesce(a,(b), -1)", "-a", "- (a)"]
)
CALCULATED = st.recursive(
    OPERANDS,
    lambda inner: st.builds(
        lambda left, operator, right: f"({left}) {operator} ({right})",
        inner,
        st.sampled_from(["+", "-", "*", "/", "^", "<<", "|"]),
        inner,
    ),
    max_leaves=3,
)
TESTS = st.one_of(
    st.builds("{} {} {}".format, CALCULATED, st.sampled_from(["=", "!=", ">=", "like", "NOT ilike"]), CALCULATED),
    st.builds(
        lambda operand, word, items: f"{operand} {word} [{' , '.join(items)}]",
        CALCULATED,
        st.sampled_from(["in", "not in"]),
        st.lists(OPERANDS, max_size=3),
    ),
    st.builds("{} in $_PRINCIPAL.classes".format, CALCULATED),
    st.just("a.done"),
    st.just("true"),
)
EXPRESSIONS = st.recursive(
    TESTS,
    lambda inner: st.one_of(
        st.builds("({} and {})".format, inner, inner),
        st.builds("{}  OR ({})".format, inner, inner),
        st.builds("not ({})".format, inner),
        st.builds("(({}))".format, inner),
    ),
    max_leaves=6,
)


@settings(max_examples=300, deadline=None)
@given(EXPRESSIONS)
def test_the_text_of_each_part_is_that_part_again(text: str) -> None:
    for part in conditions_of(parse_expression(text)):
        again = source_of(text, part)

        assert again in text
        assert bare(parse_expression(again)) == bare(part)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        (" (a = 1) or ( b in [] )", ["a = 1", "b in []"]),
        ("(a = 1 or b = 2) and not (c = - 3)", ["a = 1 or b = 2", "not (c = - 3)"]),
        (
            "owner = $_PRINCIPAL.roleid and $_PRINCIPAL.roleid in $_PRINCIPAL.children",
            ["owner = $_PRINCIPAL.roleid", "$_PRINCIPAL.roleid in $_PRINCIPAL.children"],
        ),
    ],
)
def test_the_text_is_as_it_was_written(text: str, parts: list[str]) -> None:
    assert [source_of(text, part) for part in children_of(parse_expression(text))] == parts


def conditions_of(part: Expression) -> list[Expression]:
    """The part, and all conditions within it."""
    inner = children_of(part) if isinstance(part, Conjunction | Disjunction | Negation) else ()
    return [part, *(each for child in inner for each in conditions_of(child))]


def bare(node: object) -> Any:
    """A node without where it stood: positions, and which literal of the text it is."""
    if isinstance(node, tuple):
        return tuple(bare(each) for each in node)
    if is_dataclass(node):
        told = {field.name: getattr(node, field.name) for field in fields(node)}
        return type(node).__name__, {
            name: bare(value) for name, value in told.items() if name not in {"position", "index"}
        }
    return node
