import pytest
from hypothesis import given
from hypothesis import strategies as st

from schema.errors import ExpressionSyntaxError
from schema.expression.lift import Number, lift


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("id = 7", "id=8"),
        ("name = 'a'", 'NAME = ""'.replace("NAME", "name")),
        ("a in [1, 2] and b like 'x%'", "a IN [3,4]\nAND b LIKE 'y'"),
        ("price < 1.5", "price < 2e10"),
        ("a = $_PRINCIPAL.roleid", "a = $_principal.roleid"),
    ],
)
def test_texts_that_differ_in_literals_spaces_and_case_of_keywords_have_one_shape(one: str, other: str) -> None:
    assert lift(one).shape == lift(other).shape


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("id = 7", "id = 'x'"),
        ("id = 7", "id = 7.0"),
        ("id = 7", "id = -7"),
        ("id = 7", "ID = 7"),
        ("id = 7", "id != 7"),
        ("id = null", "id = 0"),
        ("a = true", "a = false"),
        ("a in [1]", "a in [1, 2]"),
        ("ab = 1", "a . b = 1"),
        ("a.in = 1", "a in [1]"),
    ],
)
def test_texts_that_mean_different_plans_have_different_shapes(one: str, other: str) -> None:
    assert lift(one).shape != lift(other).shape


@pytest.mark.parametrize(
    ("text", "literals"),
    [
        ("", ()),
        ("id = 7 and x1 = y2", (7,)),
        ("a = 'it''s' or b = \"7\"", ("it's", "7")),
        ('a = \'\' or a = """"', ("", '"')),
        ("a = 1.50 or a = 1e5 or a = 007", (Number("1.50"), Number("1e5"), Number("007"))),
        (f"a = {'9' * 50}", (Number("9" * 50),)),
        ("a in [1, 'b', true, null]", (1, "b")),
    ],
)
def test_literals_are_lifted_in_the_order_of_the_text(text: str, literals: tuple[object, ...]) -> None:
    lifted = lift(text).literals

    assert lifted == literals
    assert [type(literal) for literal in lifted] == [type(literal) for literal in literals]


@pytest.mark.parametrize("text", ["a = 'x", 'a = "x', "a = 'x''", "a ; b", "a = 1x", "$x = 1", "a <> 1", "a = \0"])
def test_what_is_no_token_is_refused(text: str) -> None:
    with pytest.raises(ExpressionSyntaxError):
        lift(text)


@given(st.text(), st.text())
def test_any_string_stands_between_doubled_quotes(first: str, second: str) -> None:
    single = "'" + first.replace("'", "''") + "'"
    double = '"' + second.replace('"', '""') + '"'

    assert lift(f"a = {single} or a = {double}").literals == (first, second)
