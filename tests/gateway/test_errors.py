from collections.abc import Iterator

import pytest

import db.errors
import gateway.auth.refusals
import gateway.body
import gateway.graphql_http
import schema.errors
import schema.query.errors
from db.errors import DatabaseUnavailable, InvalidValue, PublicError, StatementTimedOut, UniqueViolated
from gateway.auth.refusals import AuthError, InvalidCredentials, TokenForged, TokenMissing, TooManyAttempts
from gateway.errors import (
    InternalError,
    RequestError,
    auth_body,
    auth_status,
    error_headers,
    graphql_body,
    graphql_errors,
    graphql_status,
    is_request_error,
)
from gateway.graphql_http import MethodNotAllowed
from schema.errors import AccessDenied, ExpressionSyntaxError
from schema.query.errors import DocumentInvalid, Fault, VariablesInvalid


def family(root: type[PublicError]) -> Iterator[type[PublicError]]:
    yield root
    for child in root.__subclasses__():
        yield from family(child)


@pytest.mark.parametrize(
    ("error", "auth", "graphql"),
    [
        (InvalidCredentials(), 403, 403),
        (TokenMissing(), 401, 401),
        (TokenForged("x"), 422, 422),
        (TooManyAttempts(7), 429, 429),
        (MethodNotAllowed("x", "POST"), 405, 405),
        (DocumentInvalid([Fault("x")]), 400, 400),
        (VariablesInvalid([Fault("x")]), 400, 400),
        (AccessDenied("select", "film"), 400, 200),
        (InvalidValue("x"), 400, 200),
        (DatabaseUnavailable(), 503, 200),
        (StatementTimedOut(), 503, 200),
        (InternalError("1a"), 500, 200),
    ],
)
def test_each_error_has_its_status_on_each_wire(error: PublicError, auth: int, graphql: int) -> None:
    assert auth_status(error) == auth
    assert graphql_status(error) == graphql
    assert auth_body(error) == {"error": error.message, "status": auth}
    assert is_request_error(error) == ("data" not in graphql_body(error))


def test_every_class_of_a_family_has_a_code_of_its_own() -> None:
    modules = (db.errors, schema.errors, schema.query.errors, gateway.body, gateway.graphql_http, gateway.auth.refusals)
    classes = {kind for kind in family(PublicError) if kind.__module__ in {module.__name__ for module in modules}}
    codes = [kind.code for kind in classes]

    assert len(classes) > 30
    assert sorted(codes) == sorted(set(codes))
    assert all(code.replace("_", "").isupper() for code in codes)


def test_every_fault_of_a_document_is_a_member_with_its_place() -> None:
    error = DocumentInvalid([Fault("one", ((1, 2),)), Fault("two", ((3, 4), (5, 6)))])

    assert graphql_errors(error) == [
        {"message": "one", "locations": [{"line": 1, "column": 2}], "extensions": {"code": error.code}},
        {
            "message": "two",
            "locations": [{"line": 3, "column": 4}, {"line": 5, "column": 6}],
            "extensions": {"code": error.code},
        },
    ]


def test_an_error_of_execution_says_where_in_the_response_it_is() -> None:
    assert graphql_body(AccessDenied("select", "film")) == {
        "errors": [
            {
                "message": "No policy rule allows select on film.",
                "extensions": {"code": "ACCESS_DENIED"},
            }
        ],
        "data": None,
    }
    assert graphql_errors(UniqueViolated("x"), path=["a", 0], locations=[(1, 2)])[0]["path"] == ["a", 0]


def test_what_a_class_adds_stands_under_extensions() -> None:
    assert graphql_errors(ExpressionSyntaxError("x", 7))[0]["extensions"] == {
        "code": "EXPRESSION_SYNTAX",
        "position": 7,
    }
    assert graphql_errors(InternalError("1a"))[0]["extensions"] == {"code": "INTERNAL", "id": "1a"}


def test_token_trouble_speaks_both_ways() -> None:
    assert graphql_body(TokenMissing()) == {
        "error": "Unauthorized access: Missing Authorization Header",
        "status": 401,
        "errors": [
            {
                "message": "Unauthorized access: Missing Authorization Header",
                "extensions": {"code": "TOKEN_MISSING"},
            }
        ],
    }


def test_headers_come_from_the_refusal() -> None:
    assert error_headers(TooManyAttempts(7)) == {"Retry-After": "7"}
    assert error_headers(MethodNotAllowed("x", "POST")) == {"Allow": "POST"}
    assert error_headers(DatabaseUnavailable()) == {}
    assert issubclass(AuthError, PublicError)
    assert issubclass(RequestError, PublicError)
