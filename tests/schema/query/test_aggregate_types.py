"""The types under `Aggregates`: what is there, and under which names."""

from graphql import GraphQLObjectType

from schema.query.building.schema import QuerySchema, build_query_schema
from tests.builders import a_column, a_model, a_table


def built(*tables: str) -> QuerySchema:
    columns = (a_column("id", "int4", not_null=True), a_column("done", "bool"), a_column("took", "interval"))
    model = a_model(*(a_table(name, *columns) for name in tables))
    return build_query_schema(model, lambda entity, operation: True)


def fields(schema: QuerySchema, name: str) -> dict[str, str]:
    found = schema.graphql.type_map[name]
    assert isinstance(found, GraphQLObjectType)
    return {key: str(each.type) for key, each in found.fields.items()}


def test_a_table_called_like_a_function_has_another_field_and_the_function_stays() -> None:
    schema = built("sum", "max", "max_rows")

    assert fields(schema, "Aggregates") == dict.fromkeys(("avg", "count", "max", "min", "sum"), "GenericScalar") | {
        "sum_rows": "sum_aggregates!",
        "max_rows_2": "max_aggregates!",
        "max_rows": "max_rows_aggregates!",
    }
    assert {name: view.whole.name for name, view in schema.aggregates.items()} == {
        "sum_rows": "sum",
        "max_rows_2": "max",
        "max_rows": "max_rows",
    }


def test_a_table_keeps_its_name_before_a_type_made_for_another() -> None:
    schema = built("task", "task_group", "PageInfo")

    assert "key" not in fields(schema, "task_group")
    assert "key" in fields(schema, "task_group_")
    assert "has_next_page" in fields(schema, "PageInfo_2")


def test_a_function_has_a_field_for_each_column_that_it_can_be_taken_of() -> None:
    schema = built("task")

    assert fields(schema, "task_sum") == {"id": "BigInt", "took": "String"}
    assert fields(schema, "task_avg") == {"id": "Float", "took": "String"}
    assert fields(schema, "task_spread") == {"id": "Float"}
    assert fields(schema, "task_extremes") == {"id": "Int", "took": "String"}
    assert fields(schema, "task_truth") == {"done": "Boolean"}
