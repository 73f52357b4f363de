"""told: what a caller learns of the constraint that a change breaks."""

from db.catalog import TableName
from db.errors import ConstraintViolated
from schema.query.building.schema import QuerySchema


def told(error: ConstraintViolated, schema: QuerySchema) -> ConstraintViolated:
    """The error under the names that the caller knows; without any where the constraint is one of a table that the
    caller's schema does not have, or of columns that it hides, since constraints are often named after their columns.

    A trigger or a foreign key may well lead to a table that policy hides. That some row stands in the way cannot be
    kept from whoever was stopped by it; which, and where, can.
    """
    entity = schema.model.by_table.get(TableName(error.schema or "public", error.table or ""))
    if entity is None or entity.name not in schema.graphql.type_map:
        return type(error)()
    constrained = error.columns or entity.table.constraints.get(error.constraint or "", ())
    known = {**entity.writable, **entity.columns}
    columns = tuple(name for name, column in known.items() if column.name in constrained)
    # Of a constraint on expressions nobody knows which columns it is about.
    if entity.hidden_columns and len(columns) != len(constrained or "?"):
        return type(error)()
    return type(error)(table=entity.name, constraint=error.constraint, columns=columns)
