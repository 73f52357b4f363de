"""TEXT_TYPES: what travels between the gateway and PostgreSQL in text form."""

from typing import Final

#: Types whose arguments travel in PostgreSQL's own text form: PostgreSQL checks them when they are bound, before it
#: looks at any row, and nothing is lost on the way.
TEXT_TYPES: Final = (
    *("numeric", "money", "date", "time", "timetz", "timestamp", "timestamptz", "interval", "uuid", "oid"),
    *("json", "jsonb", "jsonpath", "xml", "bytea", "bit", "varbit", "tsvector", "tsquery", "pg_lsn"),
    *("inet", "cidr", "macaddr", "macaddr8", "point", "line", "lseg", "box", "path", "polygon", "circle"),
)
