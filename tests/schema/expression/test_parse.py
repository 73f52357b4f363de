import pytest

from schema.errors import ExpressionSyntaxError
from schema.expression.parse import parse_expression
from schema.expression.syntax import (
    Boolean,
    Calculation,
    Call,
    Comparison,
    Conjunction,
    Disjunction,
    Literal,
    Match,
    Membership,
    Negation,
    Path,
    PrincipalAttribute,
    Signed,
)


def test_a_blank_text_is_true() -> None:
    assert parse_expression(" \t\n") == Boolean(value=True, position=1)


def test_nodes_know_where_they_stand_in_the_text() -> None:
    assert parse_expression("  list.name = -7") == Comparison(
        Path(("list", "name"), 3), "=", Literal(0, 7, "integer", 15, negative=True), 13
    )


def test_and_binds_tighter_than_or_and_not_tighter_than_both() -> None:
    assert parse_expression("a or not b and c") == Disjunction(
        (Path(("a",), 1), Conjunction((Negation(Path(("b",), 10), 6), Path(("c",), 16))))
    )


def test_a_chain_is_one_flat_node() -> None:
    tree = parse_expression(" or ".join(["a"] * 2000))

    assert isinstance(tree, Disjunction)
    assert len(tree.operands) == 2000


def test_keywords_may_be_names_behind_a_dot() -> None:
    assert parse_expression("a.in.or") == Path(("a", "in", "or"), 1)


def test_the_whole_language_is_parsed() -> None:
    text = (
        "lower(a.b) LIKE concat('x', \"y\") AND NOT count(*) - -a * 2 ^ 3 >= now() OR (a|1#2&3<<4) % 5 not in [+1, b]"
    )

    tree = parse_expression(text)

    assert isinstance(tree, Disjunction)
    both, membership = tree.operands
    assert isinstance(both, Conjunction)
    match, negation = both.operands
    assert isinstance(match, Match)
    assert isinstance(match.operand, Call)
    assert match.operand.arguments == (Path(("a", "b"), 7),)
    assert isinstance(negation, Negation)
    assert isinstance(negation.operand, Comparison)
    difference = negation.operand.left
    assert isinstance(difference, Calculation)
    assert difference.operators == ("-",)
    count, product = difference.operands
    assert isinstance(count, Call)
    assert count.star
    assert isinstance(product, Calculation)
    assert isinstance(product.operands[0], Signed)
    assert isinstance(product.operands[1], Calculation)
    assert isinstance(membership, Membership)
    assert membership.negated
    assert isinstance(membership.operand, Calculation)
    assert membership.operand.operators == ("%",)
    bits = membership.operand.operands[0]
    assert isinstance(bits, Calculation)
    assert bits.operators == ("|",)


def test_a_list_of_the_principal_stands_behind_in() -> None:
    assert parse_expression("a NOT IN $_Principal.Classes") == Membership(
        Path(("a",), 1), PrincipalAttribute("classes", 22), 3, negated=True
    )


@pytest.mark.parametrize(
    ("text", "position", "message"),
    [
        ("id =", 5, "The expression ends too early"),
        ("id = 'abc", 6, "A string is not closed"),
        ("id = \"abc'", 6, "A string is not closed"),
        ("group_id = 4, desc", 13, "',' is not expected here"),
        ("id = 4 5", 8, "A literal is not expected here"),
        ("id is null", 4, "'is' is not expected here. Use = null or != null"),
        ("id <> 4", 4, "Unequal is written !="),
        ("id == 4", 5, "'=' is not expected here. Equality is written with one ="),
        ("id between 1 and 2", 4, "'between' is not expected here. Use >= and <="),
        ("id = 4abc", 6, "A number runs into a word"),
        ("id = 4; drop table x", 7, "The character ';' has no meaning here"),
        ("id = $USER.id", 6, "Only $_PRINCIPAL may begin with a dollar sign"),
        ("id = $_PRINCIPAL", 17, "The expression ends too early"),
        ("id = $_PRINCIPAL.login", 18, "$_PRINCIPAL has only roleid"),
        ("(id = 4", 8, "The expression ends too early"),
        ("id = 4)", 7, "')' is not expected here"),
        ("id in (1, 2)", 7, "'(' is not expected here"),
        ("not not id", 5, "'NOT' is not expected here"),
        ("a < b < c", 7, "'<' is not expected here"),
        ("and", 1, "'AND' is not expected here"),
        ("ä = 1 §", 7, "The character '§' has no meaning here"),
        ("(" * 51 + "a" + ")" * 51, 51, "Parentheses nest at most 50 deep"),
        ("a" * 10_001, 10_001, "An expression has at most 10000 characters"),
    ],
)
def test_a_syntax_error_says_where_and_what(text: str, position: int, message: str) -> None:
    with pytest.raises(ExpressionSyntaxError) as raised:
        parse_expression(text)

    assert raised.value.position == position
    assert raised.value.message.startswith(message)
    assert raised.value.extensions() == {"code": "EXPRESSION_SYNTAX", "position": position}


def test_a_long_word_is_not_repeated_in_full() -> None:
    with pytest.raises(ExpressionSyntaxError) as raised:
        parse_expression("a " + "b" * 5000)

    assert len(raised.value.message) < 120
