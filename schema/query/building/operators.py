"""The input types that all tables share: by which operators a column of some type can be tested, and orders."""

from collections.abc import Mapping
from typing import Final

from graphql import (
    GraphQLBoolean,
    GraphQLEnumType,
    GraphQLFloat,
    GraphQLID,
    GraphQLInputField,
    GraphQLInputObjectType,
    GraphQLInt,
    GraphQLList,
    GraphQLNonNull,
    GraphQLScalarType,
    GraphQLString,
)

from db.catalog import Column, PgType, Table
from schema.expression.types import is_ordered, is_text
from schema.query.building.scalars import (
    UUID,
    BigInt,
    Date,
    DateTime,
    GenericScalar,
    Time,
    is_key,
    scalar_for,
)
from schema.query.variables import InputType

COMPARISONS: Final = ("_eq", "_neq", "_gt", "_gte", "_lt", "_lte")
_TEXT_TESTS: Final = {
    "_like": "Matches a pattern: % stands for any text, _ for any character.",
    "_nlike": "Does not match the pattern.",
    "_ilike": "Matches a pattern, whatever the case.",
    "_nilike": "Does not match the pattern, whatever the case.",
    "_regex": "Matches a regular expression of PostgreSQL's.",
    "_nregex": "Does not match the regular expression.",
    "_iregex": "Matches a regular expression, whatever the case.",
    "_niregex": "Does not match the regular expression, whatever the case.",
    "_starts_with": "Begins with this text.",
}
_CONFIGS: Final = (
    *("simple", "arabic", "armenian", "basque", "catalan", "danish", "dutch", "english", "finnish", "french", "german"),
    *("greek", "hindi", "hungarian", "indonesian", "irish", "italian", "lithuanian", "nepali", "norwegian"),
    *("portuguese", "romanian", "russian", "serbian", "spanish", "swedish", "tamil", "turkish", "yiddish"),
)

ORDER_DIRECTION: Final = GraphQLEnumType(
    "OrderDirection",
    {
        name: name
        for name in ("asc", "asc_nulls_first", "asc_nulls_last", "desc", "desc_nulls_first", "desc_nulls_last")
    },
    description="Nulls count as the greatest of all values, unless it is said where they stand.",
)
ORDER_FUNCTION: Final = GraphQLEnumType("OrderFunction", {name: name for name in ("count", "min", "max", "avg", "sum")})
SEARCH_MODE: Final = GraphQLEnumType(
    "Search_mode",
    {name: name for name in ("web", "plain", "phrase", "raw")},
    description='web, if nothing is said: words, "phrases", or, -without. raw is PostgreSQL\'s tsquery.',
)
SEARCH_CONFIG: Final = GraphQLEnumType(
    "Search_config", {name: name for name in _CONFIGS}, description="The language; else the database's own."
)
SEARCH_QUERY: Final = GraphQLInputObjectType(
    "Search_query",
    {
        "query": GraphQLInputField(GraphQLNonNull(GraphQLString)),
        "config": GraphQLInputField(SEARCH_CONFIG),
        "mode": GraphQLInputField(SEARCH_MODE),
    },
)


def column_test(table: Table, column: Column) -> GraphQLInputObjectType:
    """The type of the tests that a column of a table can be put to."""
    kind = column.type
    if kind.kind == "array" and kind.element is not None:
        # An argument of type bit[] would be cut to single bits.
        testable = is_ordered(kind.element) and kind.element.base != "bit"
        return LISTS.get(scalar_name(kind.element), PRESENCE) if testable else PRESENCE
    if kind.kind == "range":
        return RANGE
    if kind.base == "tsvector":
        return SEARCH
    if kind.base == "jsonb":
        return JSON
    if not is_ordered(kind):
        return PRESENCE
    if is_key(table, column):
        return ID_TEXT if is_text(kind) else SCALARS["ID"]
    if is_text(kind):
        return TEXT
    return SCALARS.get(scalar_name(kind), TEXT_FORM)


def scalar_name(kind: PgType) -> str:
    scalar = scalar_for(kind)
    assert isinstance(scalar, GraphQLScalarType)
    return scalar.name


def comparisons_of(value: GraphQLScalarType | GraphQLEnumType) -> dict[str, GraphQLInputField]:
    """The tests of a value that has an order and nothing besides."""
    return _fields(_comparisons(value))


def _fields(types: Mapping[str, InputType]) -> dict[str, GraphQLInputField]:
    return {name: GraphQLInputField(type_, description=_TEXT_TESTS.get(name)) for name, type_ in types.items()}


def _list_of(type_: GraphQLScalarType | GraphQLEnumType) -> InputType:
    return GraphQLList(GraphQLNonNull(type_))


def _comparisons(value: GraphQLScalarType | GraphQLEnumType) -> dict[str, InputType]:
    return {
        **dict.fromkeys(COMPARISONS, value),
        "_in": _list_of(value),
        "_nin": _list_of(value),
        "_is_null": GraphQLBoolean,
    }


def _comparable(value: GraphQLScalarType) -> GraphQLInputObjectType:
    return GraphQLInputObjectType(f"{value.name}_where", lambda: comparisons_of(value))


def _text(name: str, value: GraphQLScalarType) -> GraphQLInputObjectType:
    def fields() -> dict[str, GraphQLInputField]:
        tests = dict.fromkeys(_TEXT_TESTS, GraphQLString)
        return _fields({**_comparisons(value), **tests, "_search": SEARCH_QUERY})

    return GraphQLInputObjectType(name, fields)


def _of_list(value: GraphQLScalarType) -> GraphQLInputObjectType:
    def fields() -> dict[str, GraphQLInputField]:
        tests = dict.fromkeys(("_eq", "_neq", "_contains", "_contained_in", "_overlaps"), _list_of(value))
        return _fields({**tests, "_has": value, "_is_null": GraphQLBoolean})

    return GraphQLInputObjectType(f"{value.name}_list_where", fields)


def _json_tests() -> dict[str, InputType]:
    return {
        "_eq": GenericScalar,
        "_neq": GenericScalar,
        "_contains": GenericScalar,
        "_contained_in": GenericScalar,
        "_has_key": GraphQLString,
        "_has_keys_any": _list_of(GraphQLString),
        "_has_keys_all": _list_of(GraphQLString),
        "_is_null": GraphQLBoolean,
    }


PRESENCE: Final = GraphQLInputObjectType("Presence_where", _fields({"_is_null": GraphQLBoolean}))
_VALUES: Final = (GraphQLBoolean, GraphQLInt, BigInt, GraphQLFloat, DateTime, Date, Time, UUID)
SCALARS: Final = {value.name: _comparable(value) for value in (*_VALUES, GraphQLID)}
LISTS: Final = {value.name: _of_list(value) for value in (*_VALUES, GraphQLString)}
TEXT: Final = _text("String_where", GraphQLString)
ID_TEXT: Final = _text("ID_text_where", GraphQLID)
TEXT_FORM: Final = GraphQLInputObjectType(
    "Text_form_where",
    lambda: _fields(_comparisons(GraphQLString)),
    description="Tests of a column whose values are written in PostgreSQL's text form.",
)
RANGE: Final = GraphQLInputObjectType(
    "Range_where",
    lambda: _fields(
        {
            **dict.fromkeys(("_eq", "_neq", "_contains", "_contained_in", "_overlaps", "_adjacent"), GraphQLString),
            **dict.fromkeys(("_left_of", "_right_of"), GraphQLString),
            "_has": GraphQLString,
            "_is_null": GraphQLBoolean,
        }
    ),
    description="Tests of a range; values are written as in `[1,5)`, and that of `_has` as a single element.",
)
SEARCH: Final = GraphQLInputObjectType("Search_where", _fields({"_search": SEARCH_QUERY, "_is_null": GraphQLBoolean}))
_PATH: Final[InputType] = GraphQLNonNull(GraphQLList(GraphQLNonNull(GraphQLString)))
JSON_PATH: Final = GraphQLInputObjectType(
    "Json_path_where",
    lambda: _fields(
        {
            "path": _PATH,
            **_json_tests(),
            **dict.fromkeys(("_gt", "_gte", "_lt", "_lte"), GenericScalar),
            **dict.fromkeys(("_like", "_nlike", "_ilike", "_nilike", "_starts_with"), GraphQLString),
        }
    ),
    description="Tests of what stands at a path of keys and indexes; the text tests see a JSON string without quotes.",
)
JSON: Final = GraphQLInputObjectType(
    "Json_where", lambda: _fields({**_json_tests(), "_path": GraphQLList(GraphQLNonNull(JSON_PATH))})
)
