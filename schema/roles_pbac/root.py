"""control_schema: the schema of `/roles_pbac`, put together."""

from collections.abc import Mapping
from functools import cache
from typing import cast

import strawberry
from graphql import DocumentNode, GraphQLError, GraphQLObjectType, GraphQLSchema
from graphql.type import introspection_types
from strawberry.extensions import SchemaExtension
from strawberry.schema.config import StrawberryConfig
from strawberry.types import ExecutionContext, ExecutionResult

from schema.roles_pbac.context import ControlContext, OneTransaction
from schema.roles_pbac.fields import ControlInfo, DateTime, GenericScalar
from schema.roles_pbac.mutations import Mutation
from schema.roles_pbac.queries import Query
