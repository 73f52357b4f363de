"""Whatever is written in a filter gives a predicate or a refusal, never another error."""

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from db.catalog import PgType
from db.errors import PublicError
from schema.errors import OperationError
from schema.expression.check import check_expression
from schema.expression.coerce import Coercion
from schema.expression.lift import lift
from schema.expression.parse import parse_expression
from schema.expression.predicate import Lifted, Value
from tests.builders import a_model

MODEL = a_model()
PIECES = [
    *("id", "title", "done", "price", "made", "mood", "data", "list", "person", "name", "item_collection", "nothing"),
    *(".", "=", "!=", "<", ">=", "+", "-", "*", "/", "%", "^", "&", "|", "#", "<<", "(", ")", "[", "]", ","),
    *(" and ", " OR ", " not ", " in ", " like ", " ilike ", "true", "false", "null", "$_PRINCIPAL", "$_PRINCIPAL."),
    *("roleid", "classes", "capabilities", "7", "1.5", "1e999999", "9" * 60, "'x'", '"7"', "'calm'", "'\\'", "'", '"'),
    *("lower(", "count(", "max(", "coalesce(", "concat(", "now()", "current_date", "round("),
    *(" ", "\n", "lower", "count", "$", "\\", ";", "é", "\0", "\ud800"),
]
texts = st.one_of(
    st.text(max_size=60),
    st.lists(st.sampled_from(PIECES), max_size=25).map("".join),
    st.lists(st.sampled_from(PIECES), max_size=25).map(" ".join),
)
comparisons = st.tuples(
    st.sampled_from(["id", "title", "done", "list.name", "list.person.id", "data", "mood", "7", "'x'", "null", "true"]),
    st.sampled_from(["=", "!=", "<", " like ", " in ", " not in "]),
    st.sampled_from(
        ["id", "title", "7", "-1.5", "'x'", "null", "false", "[1, 2]", "[]", "['a', title]", "$_PRINCIPAL.classes"]
    ),
).map("".join)
conditions = st.recursive(
    comparisons,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from([" and ", " or "]), inner).map("".join),
        inner.map("not ({})".format),
    ),
    max_leaves=8,
)


def refusal(text: str) -> str | None:
    """The sentence by which a filter of items is refused, if it is."""
    entity = MODEL.entities["item"]

    def literal(index: int, value: object, pg_type: PgType, coerce: Coercion) -> Value:
        assert literals[index] == value
        with suppress(PublicError):
            coerce(value)
        return Lifted(index, pg_type, coerce)

    try:
        literals = lift(text).literals
        hash(check_expression(parse_expression(text), entity, MODEL, literal, under_grant=True))
    except OperationError as error:
        return error.message
    return None


@settings(max_examples=500, deadline=None)
@given(st.one_of(texts, conditions))
def test_any_text_gives_a_predicate_or_a_refusal(text: str) -> None:
    assert refusal(text) != ""


@pytest.mark.parametrize(
    "text",
    [
        "(" * 10_000,
        "(" * 4_999 + "1" + ")" * 4_999,
        "(" * 50 + "id=1" + ")" * 50,
        "not (" * 50 + "id=1" + ")" * 50,
        "id=1 or done and not (" * 50 + "id=1" + ")" * 50,
        "list.id=1 or done and not (" * 50 + "id=1" + ")" * 50,
        "not " * 2_499,
        "-" * 9_999,
        "id = " + "-" * 9_000 + "1",
        "1+" * 4_999 + "1",
        "1^" * 4_999 + "1",
        "f(" * 3_000,
        "f(" * 49 + "1" + ")" * 49 + " = 1",
        "abs(" * 49 + "id" + ")" * 49 + " = 1",
        "-(" * 49 + "id" + ")" * 49 + " = 1",
        "not (" * 49 + "id = " + "1^" * 99 + "1" + ")" * 49,
        "not (" * 49 + "id = " + "id+" * 99 + "list.id" + ")" * 49,
        " and ".join(["count(*) > 1"] * 120),
        "concat(" + "title," * 1_500 + "title) = 'x'",
        "id in [" + "1," * 4_900 + "1]",
        "id in [" * 1_000,
        "list." * 1_999 + "id",
        "id=1 or " * 1_200 + "id=1",
        "'" * 9_999,
        "'" * 10_000,
        "\"'" * 5_000,
        "1" * 10_000,
        "id = " + "1" * 9_000,
        "id = 1e" + "9" * 9_000,
        "title = '" + "\\" * 9_000 + "'",
        "a" * 10_000,
        "a" * 9_990 + "()",
        " " * 10_000,
        "$_PRINCIPAL" * 900,
    ],
)
def test_extreme_texts_give_a_predicate_or_a_refusal(text: str) -> None:
    assert len(refusal(text) or "") < 300
