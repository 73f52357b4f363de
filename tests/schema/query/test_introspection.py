"""The introspection that login replies carry: what graphql-core itself answers, byte for byte."""

import orjson
import pytest
from graphql import GraphQLSchema, build_schema, introspection_from_schema

from schema.query.building.introspection import introspection_of
from schema.query.building.schema import build_query_schema
from schema.roles_pbac.root import control_schema
from tests.builders import a_column, a_foreign_key, a_model, a_table

EVERYTHING = '''
"""All that a schema may have."""
schema { query: Root, mutation: Changes, subscription: News }
directive @marked(by: String = "é\\"" @deprecated(reason: "no"), n: Int) repeatable on FIELD | OBJECT
interface Named { name: String! }
interface Known implements Named { name: String! }
type Root implements Named & Known {
  """Its
  name."""
  name: String!
  lists(deep: [[Int!]!]! = [[1]], one: Choice = {text: "a"}, kind: Kind = B): [[[Root!]!]!]! @deprecated
  either: Either
  place: Url @deprecated(reason: "gone")
}
union Either = Root | Other
type Other { root: Root }
type Changes { change: Int }
type News { news: Int }
enum Kind { A B @deprecated(reason: "old") }
input Choice @oneOf { text: String, choices: [Choice!] }
scalar Url @specifiedBy(url: "https://url.spec.whatwg.org/")
'''


def of_tables(number: int) -> GraphQLSchema:
    """Tables that each refer to the one before."""
    tables = [
        a_table(
            f"t{index}",
            a_column("id", "int4", not_null=True),
            a_column("before_id", "int4"),
            a_column("note", "jsonb"),
            foreign_keys=[a_foreign_key("before_id", f"t{index - 1}")] if index else [],
        )
        for index in range(number)
    ]
    return build_query_schema(a_model(*tables), lambda entity, operation: True).graphql


@pytest.mark.parametrize(
    "schema", [build_schema(EVERYTHING), control_schema().core, of_tables(3)], ids=["everything", "control", "tables"]
)
def test_it_is_the_answer_of_graphql_core(schema: GraphQLSchema) -> None:
    assert introspection_of(schema) == orjson.dumps(dict(introspection_from_schema(schema)))


def test_a_chain_of_tables_may_be_longer_than_python_recurses() -> None:
    schema = of_tables(1_200)

    names = {each["name"] for each in orjson.loads(introspection_of(schema))["__schema"]["types"]}

    assert {f"t{index}" for index in range(1_200)} <= names
    assert {"t0_where", "t1199_where", "t600_aggregates"} <= names
