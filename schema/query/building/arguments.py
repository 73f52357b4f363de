"""The arguments that fields of the generated schema take."""

from typing import Final

from graphql import (
    GraphQLArgument,
    GraphQLField,
    GraphQLID,
    GraphQLInt,
    GraphQLList,
    GraphQLNonNull,
    GraphQLString,
)

from schema.model import Entity
from schema.query.building.scalars import GenericScalar

#: The fields of `Aggregates` that take a subquery.
FUNCTIONS: Final = ("avg", "count", "max", "min", "sum")


def list_arguments() -> dict[str, GraphQLArgument]:
    """The four arguments of everything that is a list of rows."""
    return {
        "filter": GraphQLArgument(GraphQLString, description="An expression that the rows satisfy."),
        "ordering": GraphQLArgument(GraphQLList(GraphQLString), description="Columns, each with `asc` or `desc`."),
        "limit": GraphQLArgument(GraphQLInt, description="How many rows at most."),
        "offset": GraphQLArgument(GraphQLInt, description="How many rows to pass over first."),
    }


def function_fields() -> dict[str, GraphQLField]:
    """The functions over a set of rows, which a GraphQL query in `subquery` picks."""
    arguments = {
        "subquery": GraphQLArgument(
            GraphQLString, description="A query of one table: its first field is aggregated, the others group."
        ),
        **list_arguments(),
        "having": GraphQLArgument(GraphQLString, description="An expression that the result rows satisfy."),
        "distincton": GraphQLArgument(GraphQLList(GraphQLString), description="Columns whose repetitions are dropped."),
    }
    return {name: GraphQLField(GenericScalar, args=arguments) for name in FUNCTIONS}


def key_arguments(entity: Entity) -> dict[str, GraphQLArgument]:
    """An `ID!` for each column of the primary key, under the column's name. None where a part of it is hidden: what
    is left would name other rows as well."""
    if not entity.has_key:
        return {}
    return {
        name: GraphQLArgument(GraphQLNonNull(GraphQLID))
        for name, column in entity.columns.items()
        if column.name in entity.table.primary_key
    }
