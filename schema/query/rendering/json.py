"""The JSON of a value, as SQL text."""

from db.catalog import Column, PgType
from db.sql import Sql, sql

_NUMBERS = frozenset({"int2", "int4", "oid", "bool"})
_PLAIN = frozenset({"uuid", "date"})
_JSON = frozenset({"json", "jsonb"})
_SELF_QUOTING = frozenset({"float4", "float8", "numeric", "timestamp", "timestamptz"})
# Not within a template, where braces have a meaning.
_SIXTEEN_OR_MORE = Sql(("{16,}",))


def render_column(value: Sql, column: Column, *, as_id: bool) -> Sql:
    """The JSON of a column's value, as text that is never null."""
    text = _json_value(value, column.type, as_id=as_id)
    return text if column.not_null else sql("coalesce({text}, 'null')", text=text)


def _json_value(value: Sql, kind: PgType, *, as_id: bool) -> Sql:
    if kind.kind == "array":
        json = sql("to_json({value})::text", value=value)
        if kind.element is None or kind.element.base != "int8":
            return json
        # Among so many digits may be a number beyond 2^53; those of 16 below it become text with it.
        return sql("""regexp_replace({json}, '(-?[0-9]{many})', '"\\1"', 'g')""", json=json, many=_SIXTEEN_OR_MORE)
    if kind.base in _PLAIN or (as_id and kind.base in {"int2", "int4", "int8"}):
        return sql("""('"' || {value} || '"')""", value=value)
    if as_id:
        return sql("to_json({value}::text)::text", value=value)
    if kind.base in _NUMBERS or kind.base in _JSON:
        return sql("{value}::text", value=value)
    if kind.base == "int8":
        return sql(
            """(case when {value} between -9007199254740991 and 9007199254740991 then {value}::text"""
            """ else '"' || {value} || '"' end)""",
            value=value,
        )
    if kind.base in _SELF_QUOTING:
        return sql("to_json({value})::text", value=value)
    return sql("to_json({value}::text)::text", value=value)
