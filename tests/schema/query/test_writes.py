"""The mutations beside those of the contract: their names, and which requests share a plan."""

from collections.abc import Mapping

from graphql import GraphQLObjectType

from schema.model import Model
from schema.query.building.schema import QuerySchema, build_query_schema
from schema.query.document import Limits, choose_operation, read_document
from schema.query.shape import shape_of, variable_shapers
from schema.query.variables import variable_reader
from tests.builders import a_column, a_foreign_key, a_model, a_table

DOCUMENT = "mutation ($o: [item_insert!]!) { insert_item(objects: $o) { affected_rows } }"


def everything(model: Model) -> QuerySchema:
    return build_query_schema(model, lambda _entity, _operation: True)


def mutations(schema: QuerySchema) -> GraphQLObjectType:
    assert schema.graphql.mutation_type is not None
    return schema.graphql.mutation_type


def shape(variables: Mapping[str, object], document: str = DOCUMENT) -> object:
    graphql = everything(a_model()).graphql
    parsed = read_document(document, Limits())
    reader = variable_reader(graphql, choose_operation(parsed, None))
    return shape_of(variable_shapers(parsed, reader.variables), reader.coerce(variables))


def test_a_table_keeps_the_mutations_that_its_own_name_gives_it() -> None:
    model = a_model(a_table("item"), a_table("item_where"), a_table("item_many"), a_table("item_mutation"))

    schema = everything(model)

    assert schema.fields["update_item_where"].entity.name == "item_where"
    assert schema.fields["update_item_where"].operation == "update"
    assert schema.fields["update_item_where_2"].operation == "update_where"
    assert schema.fields["update_item_where_2"].entity.name == "item"
    assert schema.fields["update_item_many"].operation == "update"
    assert schema.graphql.type_map["item_mutation"] is not schema.graphql.type_map["item_mutation_"]


def test_the_mutations_of_the_contract_take_what_they_always_took() -> None:
    fields = mutations(everything(a_model())).fields

    assert set(fields["create_item"].args) == {"input", "onconflict"}
    assert set(fields["update_item"].args) == {"input", "id"}
    assert set(fields["delete_item"].args) == {"id"}


def test_lists_of_like_rows_share_a_plan_however_long_they_are() -> None:
    one = {"o": [{"title": "a", "id": 1}]}
    many = {"o": [{"id": number, "title": None} for number in range(50)]}

    assert shape(one) == shape(many)


def test_rows_with_other_columns_or_with_relations_have_plans_of_their_own() -> None:
    shapes = [
        shape({"o": given})
        for given in (
            [{"id": 1}],
            [{"id": 1}, {"id": 2, "title": "b"}],
            [{"id": 1, "list": {"connect": {"id": 1}}}],
            [{"id": 1, "list": {"connect": None}}],
            [{"id": 1, "tags": ["a"]}],
            [{"id": 1, "tags": ["a"]}, {"id": 2, "tags": ["b"]}],
            [],
        )
    ]

    assert len(set(shapes)) == len(shapes)


def test_a_role_that_may_not_look_has_no_conditions_and_no_versions() -> None:
    schema = build_query_schema(a_model(), lambda _entity, operation: operation == "update")

    assert set(mutations(schema).fields["update_item_where"].args).isdisjoint({"filter", "where"})
    kind = schema.graphql.type_map["item_mutation"]
    assert isinstance(kind, GraphQLObjectType)
    assert set(kind.fields) == {"affected_rows", "returning"}


def test_along_relations_is_offered_what_the_role_may_do_there() -> None:
    model = a_model(
        a_table("list"),
        a_table(
            "item",
            a_column("id", "int4", not_null=True),
            a_column("list_id", "int4"),
            foreign_keys=[a_foreign_key("list_id", "list")],
        ),
    )

    schema = build_query_schema(
        model, lambda entity, operation: entity.name == "list" or operation in {"select", "insert"}
    )

    links = schema.graphql.type_map["item_links"]
    assert set(getattr(links, "fields", {})) == {"connect", "disconnect", "set", "create"}
