"""TenantSchema: the types built from a catalog behind Strawberry's own door. Its one private name is used here."""

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from copy import copy
from functools import cache
from typing import Self

import strawberry
from graphql import DocumentNode, GraphQLObjectType, GraphQLSchema, introspection_types
from strawberry.extensions import SchemaExtension
from strawberry.schema.config import StrawberryConfig


@strawberry.type
class Nothing:
    """What a schema of Strawberry is declared with, until the types of a tenant take its place."""

    nothing: bool


class _Prepared(SchemaExtension):
    """Takes the document that was read, measured and validated before, in place of doing it again."""

    def on_parse(self) -> Generator[None]:  # pyright: ignore[reportIncompatibleMethodOverride]
        self.execution_context.graphql_document = self.execution_context.context
        yield

    def on_validate(self) -> Generator[None]:  # pyright: ignore[reportIncompatibleMethodOverride]
        self.execution_context.pre_execution_errors = []
        yield


class TenantSchema(strawberry.Schema):
    """A schema of Strawberry that is built and not declared. What touches no row it executes as any other; the rest is
    the compiler's."""

    def around(self, built: GraphQLSchema) -> Self:
        """The same schema with these types in the place of its own. A copy takes microseconds, where declaring a
        thousand types, and having Strawberry convert them, would take seconds."""
        made = copy(self)
        made._schema = built  # noqa: SLF001 - Strawberry takes no schema that is built already
        return made

    def answer(self, document: DocumentNode, variables: Mapping[str, object]) -> Mapping[str, object]:
        """The data of a valid document that asks for nothing but introspection."""
        result = self.execute_sync("introspection", variable_values=dict(variables), context_value=document)
        return result.data or {}


def tenant_schema(built: GraphQLSchema) -> TenantSchema:
    """Strawberry's schema of types that were built from a catalog."""
    return _declared().around(built)


@cache
def _declared() -> TenantSchema:
    with sparing_introspection():
        return TenantSchema(query=Nothing, extensions=[_Prepared], config=StrawberryConfig(auto_camel_case=False))


@contextmanager
def sparing_introspection() -> Generator[None]:
    """Nothing. Building any schema of Strawberry replaces `__Type.isOneOf` for the whole process by one that knows
    Strawberry's own inputs alone; behind this it is what it was."""
    introspected = introspection_types["__Type"]
    assert isinstance(introspected, GraphQLObjectType)
    is_one_of = introspected.fields["isOneOf"]
    try:
        yield
    finally:
        introspected.fields["isOneOf"] = is_one_of
