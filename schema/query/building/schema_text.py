"""SchemaText: a GraphQL schema as login replies carry it."""

import hashlib
from dataclasses import dataclass

import orjson
from graphql import GraphQLSchema, print_schema

from schema.query.building.introspection import introspection_of


@dataclass(frozen=True, slots=True)
class SchemaText:
    """`body` is the JSON `{"gql": SDL, "json": {"__schema": …}}`; equal tags stand for equal bodies."""

    body: bytes
    etag: str


def schema_text(schema: GraphQLSchema) -> SchemaText:
    """Both forms of a schema. The SDL names its root types, as the contract's clients read it."""
    body = orjson.dumps({"gql": print_schema(schema), "json": orjson.Fragment(introspection_of(schema))})
    return SchemaText(body, hashlib.sha256(body).hexdigest()[:32])
