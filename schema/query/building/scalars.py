"""PostgreSQL type ↔ GraphQL scalar."""

from typing import Final

from graphql import (
    GraphQLBoolean,
    GraphQLFloat,
    GraphQLInt,
    GraphQLList,
    GraphQLScalarType,
    GraphQLString,
)

from db.catalog import Column, PgType, Table

DateTime: Final = GraphQLScalarType("DateTime", description="A moment or local date and time, as ISO 8601 text.")
Date: Final = GraphQLScalarType("Date", description="A day, as ISO 8601 text.")
Time: Final = GraphQLScalarType("Time", description="A time of day, as ISO 8601 text.")
UUID: Final = GraphQLScalarType("UUID", description="A UUID, as text.")
BigInt: Final = GraphQLScalarType(
    "BigInt", description="A 64-bit integer: a number up to 2^53, beyond that text, so that nothing is lost."
)
GenericScalar: Final = GraphQLScalarType("GenericScalar", description="Any JSON value.")

_BY_BASE: Final = {
    "int2": GraphQLInt,
    "int4": GraphQLInt,
    "int8": BigInt,
    "oid": BigInt,
    "float4": GraphQLFloat,
    "float8": GraphQLFloat,
    "numeric": GraphQLFloat,
    "bool": GraphQLBoolean,
    "timestamp": DateTime,
    "timestamptz": DateTime,
    "date": Date,
    "time": Time,
    "timetz": Time,
    "uuid": UUID,
    "json": GenericScalar,
    "jsonb": GenericScalar,
}


def scalar_for(kind: PgType) -> GraphQLScalarType | GraphQLList[GraphQLScalarType]:
    """The GraphQL type for values of a PostgreSQL type; what has none of its own is a String in PostgreSQL's text form.
    An array is a list of its element, whatever its dimensions are declared to be."""
    if kind.kind == "array" and kind.element is not None:
        return GraphQLList(_BY_BASE.get(kind.element.base, GraphQLString))
    return _BY_BASE.get(kind.base, GraphQLString)


def is_key(table: Table, column: Column) -> bool:
    """Whether the column is an `ID`: part of its table's primary key."""
    return column.name in table.primary_key


def column_scalar(table: Table, column: Column) -> GraphQLScalarType | GraphQLList[GraphQLScalarType]:
    """The type of a column without the types of the tenant's own: labels and composite values are then texts."""
    return GraphQLID if is_key(table, column) else scalar_for(column.type)
