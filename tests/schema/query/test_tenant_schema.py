"""Strawberry's door to schemas that are built from a catalog."""

import strawberry
from graphql import GraphQLSchema, execute_sync, get_introspection_query, introspection_types, parse, print_schema

from schema.query.building.schema import build_query_schema
from schema.query.tenant_schema import tenant_schema
from schema.roles_pbac.root import control_schema
from tests.builders import a_column, a_model, a_table

ASKED = parse(get_introspection_query(one_of=True))


def a_schema(*names: str) -> GraphQLSchema:
    tables = [a_table(name, a_column("id", "int4", not_null=True)) for name in names]
    return build_query_schema(a_model(*tables), lambda entity, operation: True).graphql


def test_it_is_a_schema_of_strawberry_that_answers_with_the_types_that_were_built() -> None:
    built = a_schema("film", "person")
    schema = tenant_schema(built)

    assert isinstance(schema, strawberry.Schema)
    assert schema.answer(ASKED, {}) == execute_sync(built, ASKED).data
    assert "type film" in print_schema(built)


def test_schemas_of_two_tenants_know_nothing_of_each_other() -> None:
    films, songs = tenant_schema(a_schema("film")), tenant_schema(a_schema("song"))
    asked = parse("query ($n: String!) { __type(name: $n) { name } }")

    assert films.answer(asked, {"n": "film"}) == songs.answer(asked, {"n": "song"}) | {"__type": {"name": "film"}}
    assert films.answer(asked, {"n": "song"}) == songs.answer(asked, {"n": "film"}) == {"__type": None}
    assert films.answer(asked, {"n": "Nothing"}) == {"__type": None}


def test_making_one_leaves_the_introspection_of_the_process_as_it_is() -> None:
    before = dict(introspection_types["__Type"].fields)  # pyright: ignore[reportAttributeAccessIssue]

    control_schema.__wrapped__()
    tenant_schema(a_schema("film"))

    assert dict(introspection_types["__Type"].fields) == before  # pyright: ignore[reportAttributeAccessIssue]
