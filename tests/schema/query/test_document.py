import contextlib
import sys
from collections.abc import Callable
from types import FrameType

import pytest
from graphql import GraphQLSchema, build_schema, get_introspection_query
from hypothesis import given
from hypothesis import strategies as some

from schema.query.document import Limits, choose_operation, read_document, validate_document
from schema.query.errors import (
    DocumentError,
    DocumentInvalid,
    DocumentSyntax,
    LimitExceeded,
    OperationNotChosen,
    TooMuchToValidate,
)

SDL = """
type Query { film(id: ID, filter: String, limit: Int, nested: [[[Int]]]): Film films: [Film] secret: String }
type Mutation { create_film(title: String): Film }
type Film { id: ID title: String sequel: Film actors: [Actor] }
type Actor { id: ID name: String films: [Film] }
"""


@pytest.fixture(scope="module")
def film_schema() -> GraphQLSchema:
    return build_schema(SDL)


def read(text: str, **changes: int) -> object:
    return read_document(text, Limits(**changes))


def refusal(text: str, schema: GraphQLSchema | None = None, **changes: int) -> DocumentError:
    """The refusal that a text meets on its way to being valid."""
    try:
        document = read_document(text, Limits(**changes))
        if schema is not None:
            validate_document(schema, document)
    except DocumentError as error:
        return error
    pytest.fail("the document was taken")


def calls_made(work: Callable[[], object]) -> int:
    """How many Python functions were called: work that can be counted, where time on a shared machine cannot."""
    count = 0

    def notice(_frame: FrameType, event: str, _argument: object) -> None:
        nonlocal count
        count += event == "call"

    before = sys.getprofile()
    sys.setprofile(notice)
    try:
        work()
    finally:
        sys.setprofile(before)
    return count


def chain_of_fragments(length: int, spreads: int = 2) -> str:
    """Fragments that each spread the next one several times: doubling at every step when walked naively."""
    links = [
        f"fragment F{index} on Film {{ id {f'...F{index + 1} ' * spreads}}}"
        if index + 1 < length
        else f"fragment F{index} on Film {{ id }}"
        for index in range(length)
    ]
    return "{ film { ...F0 } } " + " ".join(links)


def doubling_levels(length: int) -> str:
    links = [
        f"fragment F{index} on Film {{ a: sequel {{ ...F{index + 1} }} b: sequel {{ ...F{index + 1} }} }}"
        for index in range(length)
    ]
    return "{ film { ...F0 } } " + " ".join(links) + f" fragment F{length} on Film {{ id }}"


def test_graphiql_may_introspect(film_schema: GraphQLSchema) -> None:
    query = get_introspection_query(specified_by_url=True, schema_description=True, input_value_deprecation=True)

    document = read_document(query, Limits())
    validate_document(film_schema, document)

    assert choose_operation(document, "IntrospectionQuery").name is not None


def test_a_refusal_says_where(film_schema: GraphQLSchema) -> None:
    error = refusal("{\n  film { nothing }\n}", film_schema)

    assert isinstance(error, DocumentInvalid)
    assert error.code == "GRAPHQL_VALIDATION_FAILED"
    assert [fault.locations for fault in error.faults] == [((2, 10),)]


def test_every_fault_is_told_up_to_a_limit(film_schema: GraphQLSchema) -> None:
    assert len(refusal("{ one two three }", film_schema).faults) == 3
    assert len(refusal("{ " + " ".join(f"x{index}" for index in range(200)) + " }", film_schema).faults) == 21


@pytest.mark.parametrize("text", ["{ secre }", "{ film(idd: 1) { id } }", "{ ... on Flim { id } }"])
def test_no_name_is_suggested(film_schema: GraphQLSchema, text: str) -> None:
    for fault in refusal(text, film_schema).faults:
        assert "Did you mean" not in fault.message
        assert "secret" not in fault.message


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "{ film { id }",
        "{ }",
        "{ film { } }",
        "\x00",
        '{ film(id: "\n") { id } }',
        '{ film(id: "',
        '"""',
        "{ f\u00edlm }",
        '{ film(id: "\\uD800") { id } }',
        '{ film(id: "\\uDC00\\uD800") { id } }',
        '{ film(id: "\\u{110000}") { id } }',
        '{ film(id: "\ud800") { id } }',
        "# \udfff\n{ films { id } }",
        "{ film(limit: 01) { id } }",
    ],
)
def test_broken_text_is_a_syntax_error(text: str) -> None:
    assert isinstance(refusal(text), DocumentSyntax)


@pytest.mark.parametrize(
    "text",
    [
        "\ufeff{ films { id } }",
        "{ films\r\n{ id } }",
        "{,,films,{,id,},}",
        '{ film(filter: "\\u{1F600} 😀") { id } }',
        '{ film(filter: "\\uD83D\\uDE00") { id } }',
        "# a comment\n{ films { id } }",
    ],
)
def test_unusual_text_of_the_grammar_is_read(film_schema: GraphQLSchema, text: str) -> None:
    validate_document(film_schema, read_document(text, Limits()))


def test_tokens_are_limited_while_they_are_read() -> None:
    many = "{" + "a " * 100_000 + "}"

    assert isinstance(refusal(many), LimitExceeded)
    assert calls_made(lambda: refusal(many)) < 2 * calls_made(lambda: refusal(many[:50_000] + "}"))


def test_comments_are_limited_as_tokens_are() -> None:
    assert isinstance(refusal("#\n" * 100_000 + "{ films { id } }"), LimitExceeded)


@pytest.mark.parametrize("depth", [61, 1_000, 100_000])
def test_nesting_of_any_kind_is_refused_and_never_overflows(depth: int) -> None:
    fields = "{" + "a{" * depth + "b" + "}" * depth + "}"
    inline = "{" + "...{" * depth + "b" + "}" * depth + "}"
    lists = "{ film(nested: " + "[" * depth + "]" * depth + ") { id } }"
    objects = "{ film(filter: " + "{a:" * depth + "1" + "}" * depth + ") { id } }"
    types = "query ($a: " + "[" * depth + "Int" + "]" * depth + ") { films { id } }"

    for text in (fields, inline, lists, objects, types):
        assert isinstance(refusal(text), LimitExceeded | DocumentSyntax)


def test_depth_counts_fields_also_those_inside_fragments() -> None:
    assert isinstance(refusal("{ a { b { c } } }", max_depth=2), LimitExceeded)
    assert isinstance(refusal("{ a { ...F } } fragment F on A { b { c } }", max_depth=2), LimitExceeded)
    read("{ a { ...F ... { b } } } fragment F on A { b }", max_depth=2)


def test_aliases_root_fields_and_fields_are_limited() -> None:
    assert "aliases" in refusal("{ a: x b: x }", max_aliases=1).message
    assert "root fields" in refusal("{ a b ...F } fragment F on Query { c }", max_root_fields=2).message
    assert "fields" in refusal("{ a { ...F } b { ...F } } fragment F on A { c d }", max_complexity=5).message
    read("{ a { ...F } b { ...F } } fragment F on A { c d }", max_complexity=6)


def test_limits_count_all_operations_together() -> None:
    assert isinstance(refusal("query A { a b } query B { a b }", max_complexity=3), LimitExceeded)


def test_a_doubling_chain_of_fragments_is_measured_once_per_fragment() -> None:
    limits = {"max_definitions": 10_000, "max_tokens": 1_000_000}
    for bomb in (chain_of_fragments, doubling_levels):
        short = calls_made(lambda bomb=bomb: refusal(bomb(200), **limits))
        long = calls_made(lambda bomb=bomb: refusal(bomb(400), **limits))

        assert long < 2.2 * short


def test_a_small_bomb_is_refused_by_default() -> None:
    assert isinstance(refusal(chain_of_fragments(25)), LimitExceeded)
    assert isinstance(refusal(doubling_levels(15)), LimitExceeded)


def test_a_long_chain_of_fragments_never_overflows() -> None:
    text = chain_of_fragments(5_000, spreads=1)

    assert isinstance(refusal(text, max_tokens=10**6, max_definitions=10**6, max_complexity=10**6), LimitExceeded)


@pytest.mark.parametrize("length", [1, 2, 500])
def test_a_ring_of_fragments_is_refused(length: int) -> None:
    ring = " ".join(f"fragment F{i} on Film {{ ...F{(i + 1) % length} }}" for i in range(length))
    error = refusal("{ film { ...F0 } } " + ring, max_definitions=1_000)

    assert isinstance(error, DocumentInvalid)
    assert "within itself" in error.message
    assert error.faults[0].locations


def test_two_fragments_of_one_name_are_refused_before_they_can_hide_each_other() -> None:
    text = "{ film { ...F } } fragment F on Film { ...F } fragment F on Film { id }"

    assert isinstance(refusal(text), DocumentInvalid)


def test_comparing_equal_fields_has_a_budget(film_schema: GraphQLSchema) -> None:
    def same_fields(number: int) -> str:
        return "{ film { " + "id " * number + "} }"

    validate_document(film_schema, read_document(same_fields(100), Limits()))
    assert isinstance(refusal(same_fields(1_900), film_schema), TooMuchToValidate)


@pytest.mark.parametrize("number", ["9" * 1_001, "-" + "9" * 100_000, "1." + "0" * 5_000, "1e" + "9" * 5_000])
def test_a_number_of_absurd_length_is_refused(number: str) -> None:
    assert isinstance(refusal(f"{{ film(limit: {number}) {{ id }} }}"), LimitExceeded)


def test_an_integer_out_of_range_is_invalid(film_schema: GraphQLSchema) -> None:
    assert isinstance(refusal("{ film(limit: 2147483648) { id } }", film_schema), DocumentInvalid)


def test_no_message_repeats_more_than_a_little_of_the_document(film_schema: GraphQLSchema) -> None:
    long = "x" * 100_000

    assert len(refusal(f"{{ {long} }}", film_schema).message) <= 500
    assert len(refusal(f'{{ films "{long}" }}').message) <= 500


def test_several_operations_need_a_name() -> None:
    document = read_document("mutation B { create_film { id } } query A { films { id } }", Limits())

    for absent in (None, ""):
        with pytest.raises(OperationNotChosen):
            choose_operation(document, absent)
    with pytest.raises(OperationNotChosen):
        choose_operation(document, "C")
    assert choose_operation(document, "A").operation.value == "query"


def test_several_unnamed_operations_are_never_run(film_schema: GraphQLSchema) -> None:
    document = read_document("mutation { create_film { id } } { films { id } }", Limits())

    with pytest.raises(OperationNotChosen):
        choose_operation(document, None)
    with pytest.raises(DocumentInvalid):
        validate_document(film_schema, document)


def test_a_document_of_fragments_alone_has_no_operation() -> None:
    with pytest.raises(OperationNotChosen):
        choose_operation(read_document("fragment F on Film { id }", Limits()), None)


def test_a_schema_in_place_of_an_operation_is_invalid(film_schema: GraphQLSchema) -> None:
    assert isinstance(refusal("{ films { id } } type Query { a: Int }", film_schema), DocumentInvalid)


TOKENS = [
    *"{}()[]:=!$@&|",
    "...", "query", "mutation", "fragment", "on", "film", "films", "F", "$v", "id", "1", "1.5", '"text"', '"""block"""',
    "true", "null", "@skip(if: true)", "ID", "Film", "#\n", "-", '"', "\ufeff", "\x00", "é",
]  # fmt: skip


@given(some.lists(some.sampled_from(TOKENS), max_size=40).map(" ".join) | some.text(max_size=80))
def test_no_text_does_more_than_be_refused(film_schema: GraphQLSchema, text: str) -> None:
    with contextlib.suppress(DocumentError):
        document = read_document(text, Limits())
        validate_document(film_schema, document)
        choose_operation(document, None)
