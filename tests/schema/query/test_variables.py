import pytest
from graphql import GraphQLError, GraphQLScalarType, GraphQLSchema, OperationDefinitionNode, build_schema
from graphql.execution import execute_sync

from schema.query.document import Limits, choose_operation, read_document, validate_document
from schema.query.errors import VariablesInvalid
from schema.query.variables import coerce_variables, variable_reader

SDL = """
type Query {
  f(int: Int, float: Float, text: String, id: ID, flag: Boolean, ints: [Int], grid: [[Int!]!], colour: Colour,
    need: Int!, tree: Tree, even: Even, one: One, ids: [ID!]): String
}
enum Colour { RED GREEN }
input Tree { name: String!, size: Int = 3, children: [Tree!] }
input One @oneOf { a: Int, b: Int }
scalar Even
"""


def even(value: object) -> int:
    if value == "crash":
        raise ValueError("internal text")
    if not isinstance(value, int) or value % 2:
        raise GraphQLError("Only even numbers.")
    return value // 2


@pytest.fixture(scope="module")
def schema() -> GraphQLSchema:
    built = build_schema(SDL)
    scalar = built.type_map["Even"]
    assert isinstance(scalar, GraphQLScalarType)
    scalar.coerce_input_value = even
    colours = built.type_map["Colour"]
    colours.values["RED"].value = 1
    return built


def operation_with(schema: GraphQLSchema, declaration: str) -> OperationDefinitionNode:
    document = read_document(f"query ({declaration}) {{ __typename }}", Limits())
    return choose_operation(document, None)


def coerced(schema: GraphQLSchema, type_: str, value: object) -> object:
    return coerce_variables(schema, operation_with(schema, f"$v: {type_}"), {"v": value})["v"]


def refusal(schema: GraphQLSchema, type_: str, value: object) -> VariablesInvalid:
    with pytest.raises(VariablesInvalid) as caught:
        coerced(schema, type_, value)
    return caught.value


@pytest.mark.parametrize(
    ("type_", "value", "expected"),
    [
        ("Int", 7, 7), ("Int", "7", 7), ("Int", " -7 ", -7), ("Int", 7.0, 7), ("Int", "7.0", 7), ("Int", None, None),
        ("Int", "2147483647", 2147483647), ("Int!", "10250", 10250),
        ("Float", 1, 1.0), ("Float", "1.5e3", 1500.0), ("Float", ".5", 0.5), ("Float", "-1", -1.0),
        ("String", "a", "a"), ("String", 7, "7"), ("String", 1.5, "1.5"), ("String", "", ""), ("String", "\0", "\0"),
        ("ID", 7, "7"), ("ID", "7", "7"), ("ID", 7.0, "7"), ("ID", 12345678901234567890123, "12345678901234567890123"),
        ("Boolean", False, False),
        ("[Int]", 7, [7]), ("[Int]", "7", [7]), ("[Int]", ["10179", 2], [10179, 2]), ("[Int]", None, None),
        ("[Int]", [None], [None]), ("[[Int!]!]", 1, [[1]]), ("[[Int!]!]", [[1], 2], [[1], [2]]), ("[ID!]", 7, ["7"]),
        ("Colour", "RED", 1), ("[Colour]", "GREEN", ["GREEN"]), ("Even", 8, 4),
        ("Tree", {"name": 1}, {"name": "1", "size": 3}),
        ("Tree", {"name": "a", "size": None}, {"name": "a", "size": None}),
        ("Tree", {"name": "a", "children": {"name": "b", "size": "4"}},
         {"name": "a", "size": 3, "children": [{"name": "b", "size": 4}]}),
        ("One", {"a": "1"}, {"a": 1}),
    ],
)  # fmt: skip
def test_a_value_becomes_what_its_type_asks(schema: GraphQLSchema, type_: str, value: object, expected: object) -> None:
    result = coerced(schema, type_, value)

    assert result == expected
    assert isinstance(result, type(expected))
    assert isinstance(result, bool) is isinstance(expected, bool)


@pytest.mark.parametrize(
    ("type_", "value"),
    [
        ("Int", True), ("Int", "true"), ("Int", "seven"), ("Int", ""), ("Int", 1.5), ("Int", "1.5"), ("Int", 2**31),
        ("Int", -(2**31) - 1), ("Int", "2147483648"), ("Int", 10**400), ("Int", "9" * 100_000),
        ("Int", "\u0667"), ("Int", "1_0"),
        ("Int", float("inf")), ("Int", float("nan")), ("Int", {}), ("Int", [7]), ("Int!", None),
        ("Float", True), ("Float", "nan"), ("Float", "inf"), ("Float", "1e999"), ("Float", 10**400),
        ("Float", "1" * 5_000),
        ("Float", "."), ("String", True), ("String", {}), ("String", []),
        ("ID", 1.5), ("ID", True), ("ID", {}), ("Boolean", 1), ("Boolean", "true"),
        ("[Int!]", [None]), ("[[Int!]!]", [None]), ("Colour", "BLUE"), ("Colour", 1), ("Colour", ["RED"]), ("Even", 7),
        ("Tree", "a"), ("Tree", {}), ("Tree", {"name": None}), ("Tree", {"name": "a", "other": 1}),
        ("One", {}), ("One", {"a": 1, "b": 2}), ("One", {"a": None}),
    ],
)  # fmt: skip
def test_a_value_that_does_not_fit_is_refused(schema: GraphQLSchema, type_: str, value: object) -> None:
    error = refusal(schema, type_, value)

    assert error.code == "BAD_USER_INPUT"
    assert error.message.startswith("Variable $v")
    assert error.faults[0].locations == ((1, 8),)


def test_a_number_too_long_to_be_written_out_is_refused(schema: GraphQLSchema) -> None:
    refusal(schema, "String", 10**5_000)
    refusal(schema, "ID", 10**5_000)


def test_the_refusal_leads_to_the_value(schema: GraphQLSchema) -> None:
    error = refusal(schema, "[Tree]", [{"name": "a"}, {"name": "b", "children": [{"name": "c", "size": "x"}]}])

    assert error.message == "Variable $v[1].children[0].size must be a whole number of 32 bits, but is another text."


def test_the_refusal_repeats_no_value_and_no_internal_text(schema: GraphQLSchema) -> None:
    assert "hunter2" not in refusal(schema, "Int", "hunter2").message
    assert "internal" not in refusal(schema, "Even", "crash").message
    assert refusal(schema, "Even", 7).message == "Variable $v is not a valid Even: Only even numbers."


def test_no_enum_value_is_suggested(schema: GraphQLSchema) -> None:
    assert "RED" not in refusal(schema, "Colour", "REDD").message


def test_absent_null_and_default_are_three_things(schema: GraphQLSchema) -> None:
    operation = operation_with(schema, "$a: Int, $b: Int = 5, $c: Int = 5, $d: Int = 5")

    assert coerce_variables(schema, operation, {"c": None, "d": "6"}) == {"b": 5, "c": None, "d": 6}


def test_a_required_variable_must_be_given(schema: GraphQLSchema) -> None:
    operation = operation_with(schema, "$a: Int!, $b: Int! = 5")

    with pytest.raises(VariablesInvalid) as caught:
        coerce_variables(schema, operation, None)
    assert [fault.message for fault in caught.value.faults] == ["Variable $a of required type Int! was not given."]
    with pytest.raises(VariablesInvalid):
        coerce_variables(schema, operation, {"a": 1, "b": None})


def test_entries_that_are_not_declared_are_ignored(schema: GraphQLSchema) -> None:
    assert coerce_variables(schema, operation_with(schema, "$a: Int"), {"a": 1, "onconflict": "x"}) == {"a": 1}


def test_every_faulty_variable_is_told(schema: GraphQLSchema) -> None:
    operation = operation_with(schema, "$a: Int, $b: Int")

    with pytest.raises(VariablesInvalid) as caught:
        coerce_variables(schema, operation, {"a": "x", "b": "y"})
    assert len(caught.value.faults) == 2


def test_a_value_nested_deeper_than_any_client_needs_is_refused(schema: GraphQLSchema) -> None:
    value: dict[str, object] = {"name": "leaf"}
    for _ in range(5_000):
        value = {"name": "a", "children": [value]}

    assert "nested" in refusal(schema, "Tree", value).message


def test_a_conforming_value_is_taken_by_a_strict_executor(schema: GraphQLSchema) -> None:
    document = read_document(
        "query ($a: Int!, $b: [Int], $c: Colour, $d: Tree, $e: Even, $g: Int! = 3, $h: String)"
        "{ f(need: $a, ints: $b, colour: $c, tree: $d, even: $e, int: $g, text: $h) }",
        Limits(),
    )
    validate_document(schema, document)
    raw = {"a": "10250", "b": "10179", "c": "RED", "d": {"name": 5}, "e": 8, "h": 1, "more": 1}

    values = variable_reader(schema, choose_operation(document, None)).conform(raw)
    result = execute_sync(schema, document, {"f": lambda _info, **arguments: repr(arguments)}, variable_values=values)

    assert values == {"a": 10250, "b": [10179], "c": "RED", "d": {"name": "5"}, "e": 8, "h": "1"}
    assert result.errors is None
    assert result.data is not None
    assert "'need': 10250" in result.data["f"]
    assert "'colour': 1" in result.data["f"]
    assert "'even': 4" in result.data["f"]
