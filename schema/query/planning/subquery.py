"""What `Aggregates` asks for: a subquery in text, and the result rows that come of it."""

from collections.abc import Iterable
from dataclasses import replace
from types import MappingProxyType
from typing import Final

from graphql import FieldNode, FragmentDefinitionNode, OperationType

from db.catalog import Column, PgType, Table, TableName
from schema.errors import OperationError, UnknownColumn, WrongType
from schema.model import Entity
from schema.query.building.schema import QuerySchema
from schema.query.document import Limits, choose_operation, read_document, validate_document
from schema.query.plan import AggregateFunction, FlatColumn
from schema.query.selection import Fragments

FUNCTIONS: Final = ("avg", "count", "max", "min", "sum")
_INTEGERS: Final = frozenset({"int2", "int4", "int8"})
_FLOATS: Final = frozenset({"float4", "float8"})
_ORDERED: Final = frozenset(
    {"text", "varchar", "bpchar", "date", "time", "timestamp", "timestamptz", "interval", "oid"}
)
_SUBQUERY_LIMITS: Final = Limits()


class SubqueryInvalid(OperationError):
    """The subquery of an aggregate is not a query of one table with at least one column."""

    code = "SUBQUERY_INVALID"


def as_function(name: str) -> AggregateFunction:
    if name not in FUNCTIONS:
        raise SubqueryInvalid(f"There is no aggregate {name}.")
    return name


def read_subquery(text: str, schema: QuerySchema) -> tuple[FieldNode, Fragments]:
    """The one root field of the subquery, and its fragments. Raises DocumentError, SubqueryInvalid."""
    if not text.strip():
        raise SubqueryInvalid("An aggregate needs a subquery.")
    document = read_document(text, _SUBQUERY_LIMITS)
    validate_document(schema.graphql, document)
    operation = choose_operation(document, None)
    fields = operation.selection_set.selections
    if operation.operation is not OperationType.QUERY or len(fields) != 1 or not isinstance(fields[0], FieldNode):
        raise SubqueryInvalid("The subquery of an aggregate must be a query of one table.")
    if fields[0].name.value not in schema.fields or operation.variable_definitions:
        raise SubqueryInvalid("The subquery of an aggregate must be a query of one table, without variables.")
    fragments = {node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)}
    return fields[0], fragments


def result_entity(function: AggregateFunction, columns: tuple[FlatColumn, ...]) -> Entity:
    """The result rows as a table: the function's value under its name, and the columns that group."""
    if not columns:
        raise SubqueryInvalid("The subquery of an aggregate must select a column.")
    value = Column(function, value_type(function, columns[0].column))
    groups = [replace(column.column, name=column.name, not_null=False) for column in columns[1:]]
    named = {column.name: column for column in (value, *groups)}
    if len(named) != len(columns):
        raise SubqueryInvalid("Two columns of the result have the same name.")
    table = Table(TableName("", function), tuple(named.values()))
    return Entity("the result", table, MappingProxyType(named), MappingProxyType({}))


def value_type(function: AggregateFunction, column: Column) -> PgType:
    """The type that the function gives for a column (PostgreSQL: Aggregate Functions). Raises WrongType."""
    base = column.type.base
    if function == "count":
        return PgType("int8", "int8")
    if function in {"min", "max"} and (base in _INTEGERS | _FLOATS | _ORDERED or base == "numeric"):
        return column.type
    if base in _INTEGERS:
        return PgType("int8", "int8") if function == "sum" and base != "int8" else PgType("numeric", "numeric")
    if base in _FLOATS:
        return PgType(base, base) if function == "sum" else PgType("float8", "float8")
    if base in {"numeric", "interval"} and function in {"sum", "avg"}:
        return column.type
    raise WrongType(f"{function} cannot be taken of {column.name}.")


def distinct_names(names: Iterable[str], columns: tuple[FlatColumn, ...]) -> tuple[str, ...]:
    """The names, each of which must be one of the flattened row's. Raises UnknownColumn."""
    known = {column.name for column in columns}
    wanted = tuple(name for name in names if name.strip())
    for name in wanted:
        if name not in known:
            raise UnknownColumn("the subquery", name)
    return wanted
