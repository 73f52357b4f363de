"""read_catalog_mark: a cheap text that changes with every change of what read_catalog reads."""

from collections.abc import Sequence
from typing import Final

from db.read_catalog import Reader

# Rows of the system catalogs are never changed in place by DDL: each change gives a row of a new, higher xmin. So among
# as many rows, the sum of them is higher after any change. Much cheaper than reading what they say.
_QUERY: Final = """
with namespace as (select oid, xmin from pg_namespace where nspname = any ($1::text[])),
relation as (
    select oid, xmin from pg_class
    where relkind in ('r', 'v', 'm', 'f', 'p') and relnamespace in (select oid from namespace)
       or relkind = 'c' and oid >= 16384
),
changed (kind, xmin) as (
    select 1, xmin from relation
    union all
    select 2, a.xmin from relation r join pg_attribute a on a.attrelid = r.oid where a.attnum > 0
    union all
    select 3, k.xmin from pg_constraint k where k.connamespace in (select oid from namespace)
    union all
    select 4, p.xmin from pg_proc p where p.pronamespace in (select oid from namespace)
    union all
    select 5, t.xmin from pg_type t where t.typtype in ('e', 'c', 'd') and t.oid >= 16384
    union all
    select 6, xmin from pg_enum
    union all
    select 7, xmin from pg_description where objoid >= 16384
    union all
    select 8, w.xmin from relation r join pg_rewrite w on w.ev_class = r.oid
    union all
    select 9, xmin from namespace
    union all
    select 10, xmin from pg_auth_members
)
select coalesce(string_agg(kind || ':' || count || ':' || sum, ' ' order by kind), '')
from (select kind, count(*), sum(xmin::text::bigint) from changed group by kind) as counted
"""


async def read_catalog_mark(database: Reader, schemas: Sequence[str]) -> str:
    """The mark. It may change where nothing did that matters, as when a table is rewritten, but never stay."""
    return (await database.fetch_text(_QUERY, [list(schemas)])).decode()
