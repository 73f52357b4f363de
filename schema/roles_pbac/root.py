"""control_schema: the schema of `/roles_pbac`, put together."""

from collections.abc import AsyncIterator
from functools import cache

import strawberry
from graphql import DocumentNode, GraphQLError, GraphQLSchema
from strawberry.extensions import SchemaExtension
from strawberry.schema.config import StrawberryConfig
from strawberry.types import ExecutionContext, ExecutionResult

from schema.query.building.schema_text import SchemaText, schema_text
from schema.query.tenant_schema import sparing_introspection
from schema.roles_pbac.context import ControlContext, OneTransaction
from schema.roles_pbac.fields import ControlInfo, DateTime, GenericScalar
from schema.roles_pbac.mutations import Mutation
from schema.roles_pbac.queries import Query


class Prepared(SchemaExtension):
    """Takes the document that was read, measured and validated before, in place of doing it again."""

    async def on_parse(self) -> AsyncIterator[None]:  # pyright: ignore[reportIncompatibleMethodOverride]
        self.execution_context.graphql_document = self.execution_context.context.document
        yield

    async def on_validate(self) -> AsyncIterator[None]:  # pyright: ignore[reportIncompatibleMethodOverride]
        self.execution_context.pre_execution_errors = []
        yield


class ControlSchema(strawberry.Schema):
    """Strawberry's schema, executing documents that are already known to be good."""

    @property
    def core(self) -> GraphQLSchema:
        """The schema as graphql-core has it."""
        return self._schema

    async def answer(
        self, document: DocumentNode, variables: dict[str, object], operation_name: str | None, context: ControlContext
    ) -> ExecutionResult:
        """The result of an operation of a valid document, with variables that conform to it."""
        text = document.loc.source.body if document.loc is not None else ""
        return await self.execute(
            text, variable_values=variables, context_value=context, operation_name=operation_name or None
        )

    def process_errors(self, errors: list[GraphQLError], execution_context: ExecutionContext | None = None) -> None:
        """Nothing: what is worth logging is for the gateway to say, and a caller's mistake is not."""


@cache
def control_schema() -> ControlSchema:
    """The one control schema of this process."""
    with sparing_introspection():
        return ControlSchema(
            query=Query,
            mutation=Mutation,
            extensions=[Prepared, OneTransaction],
            config=StrawberryConfig(
                auto_camel_case=False,
                info_class=ControlInfo,
                disable_field_suggestions=True,
                scalar_map={
                    DateTime: strawberry.scalar(
                        name="DateTime",
                        description="A moment or local date and time, as ISO 8601 text.",
                        serialize=_unchanged,
                        parse_value=_unchanged,
                    ),
                    GenericScalar: strawberry.scalar(
                        name="GenericScalar",
                        description="Any JSON value.",
                        serialize=_unchanged,
                        parse_value=_unchanged,
                    ),
                },
            ),
        )


@cache
def control_schema_text() -> SchemaText:
    """The control schema as login replies carry it. It is the same for every role: rows are what differs."""
    return schema_text(control_schema().core)


def _unchanged(value: object) -> object:
    return value
