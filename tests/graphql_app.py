"""A GraphQL server of a few fields, made of the gateway's HTTP layer and graphql-core: for tests of that layer."""

from collections.abc import Mapping

import orjson
from graphql import GraphQLSchema, OperationDefinitionNode, build_schema
from graphql.execution import execute_sync
from starlette.types import Receive, Scope, Send

from db.errors import DatabaseUnavailable
from gateway.auth.refusals import TokenExpired
from gateway.errors import graphql_errors
from gateway.graphql_http import (
    GraphQLRequest,
    HttpLimits,
    MediaType,
    Reply,
    batch_reply,
    check_method,
    data_reply,
    error_reply,
    errors_reply,
    media_type_of,
    read_lines,
    read_request,
    send_reply,
)
from gateway.log import publish
from schema.query.document import Limits, choose_operation, read_document, validate_document
from schema.query.variables import coerce_variables

SCHEMA = build_schema("""
type Query { hello(name: String = "world"): String! double(number: Int!): Int broken: Int unavailable: Int data: Int }
type Mutation { change: Int }
""")


class GraphQLApp:
    def __init__(self, limits: HttpLimits, *, copy_form_data: bool = True) -> None:
        self.limits = limits
        self.copy_form_data = copy_form_data

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            reply = await self.reply(scope, receive)
        except Exception as error:  # noqa: BLE001 - the edge, where every error becomes a response
            reply = error_reply(publish(error), media_type_of(read_lines(scope)))
        await send_reply(send, reply)

    async def reply(self, scope: Scope, receive: Receive) -> Reply:
        if (b"authorization", b"Bearer expired") in scope["headers"]:
            raise TokenExpired
        head, request = await read_request(read_lines(scope), receive, self.limits)
        if isinstance(request, list):
            return batch_reply([self.answer(one, head.media_type) for one in request], head.media_type)
        return self.answer(request, head.media_type)

    def answer(self, request: GraphQLRequest, media_type: MediaType) -> Reply:
        try:
            document = read_document(request.query, Limits())
            operation = choose_operation(document, request.operation_name)
            check_method(request, operation.operation.value)
            validate_document(SCHEMA, document)
            values = coerce_variables(SCHEMA, operation, request.variables)
            return self.execute(SCHEMA, operation, values, request, media_type)
        except Exception as error:  # noqa: BLE001 - the edge of one request of a batch
            return error_reply(publish(error), media_type)

    def execute(
        self,
        schema: GraphQLSchema,
        operation: OperationDefinitionNode,
        values: Mapping[str, object],
        request: GraphQLRequest,
        media_type: MediaType,
    ) -> Reply:
        root = {
            "hello": lambda _info, name: f"Hello {name}",
            "double": lambda _info, number: number * 2,
            "change": 1,
            "data": 5,
        }
        text = request.query
        if "broken" in text:
            raise ZeroDivisionError("secret internals")
        if "unavailable" in text:
            errors = graphql_errors(DatabaseUnavailable(), path=["unavailable"], locations=[(1, 3)])
            return errors_reply(errors, media_type, data=b'{"unavailable":null}')
        document = read_document(text, Limits())
        result = execute_sync(
            schema, document, root, variable_values=dict(values), operation_name=operation.name and operation.name.value
        )
        assert result.errors is None, result.errors
        body = orjson.dumps({"data": result.data})
        return data_reply(body, media_type, copy_to_top=request.from_form and self.copy_form_data)
