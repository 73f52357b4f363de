with recursive
relation as (
    select c.oid, n.nspname, c.relname, c.relkind, pg_relation_is_updatable(c.oid, true) as updatable,
           obj_description(c.oid, 'pg_class') as comment
    from pg_class c
    join pg_namespace n on n.oid = c.relnamespace
    where n.nspname = any ($1::text[])
      and c.relkind in ('r', 'v', 'm', 'f', 'p')
      and not c.relispartition
      and has_table_privilege(c.oid, 'select')
      and not exists (
          select from pg_depend d where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e')
),
underlying (oid, base) as (
    select t.oid, t.oid from pg_type t where t.typtype <> 'd'
    union all
    select t.oid, u.base from pg_type t join underlying u on t.typbasetype = u.oid where t.typtype = 'd'
),
type_row as (
    select u.oid as declared, t.oid, t.typname, t.typtype, t.typelem, t.typcategory,
           case when tn.nspname = 'pg_catalog' then quote_ident(t.typname)
                else quote_ident(tn.nspname) || '.' || quote_ident(t.typname) end as written,
           (select json_agg(e.enumlabel order by e.enumsortorder) from pg_enum e where e.enumtypid = t.oid) as labels
    from underlying u
    join pg_type t on t.oid = u.base
    join pg_namespace tn on tn.oid = t.typnamespace
),
type_json as (
    select r.declared, json_build_object(
        'name', r.written, 'base', r.typname, 'labels', r.labels,
        'kind', case when r.typcategory = 'A' then 'array' when r.typtype = 'e' then 'enum'
                     when r.typtype = 'c' then 'composite' when r.typtype in ('r', 'm') then 'range' else 'base' end,
        'element', case when r.typcategory = 'A' then (
            select json_build_object('name', e.written, 'base', e.typname, 'labels', e.labels, 'element', null,
                'kind', case when e.typtype = 'e' then 'enum' when e.typtype = 'c' then 'composite'
                             when e.typtype in ('r', 'm') then 'range' else 'base' end)
            from type_row e where e.declared = r.typelem) end) as json
    from type_row r
)
select coalesce(json_agg(json_build_object(
    'schema', r.nspname, 'name', r.relname, 'kind', r.relkind, 'comment', r.comment,
    'insertable', r.updatable & 8 <> 0, 'updatable', r.updatable & 20 = 20,
    'columns', (
        select coalesce(json_agg(json_build_object(
            'name', a.attname, 'type', t.json, 'not_null', a.attnotnull, 'has_default', a.atthasdef,
            'generated', a.attgenerated <> '', 'identity', a.attidentity, 'comment', col_description(r.oid, a.attnum),
            'collation', l.oid::regcollation::text, 'deterministic', l.collisdeterministic
        ) order by a.attnum), '[]')
        from pg_attribute a join type_json t on t.declared = a.atttypid
        left join pg_collation l on l.oid = a.attcollation and l.collname <> 'default'
        where a.attrelid = r.oid and a.attnum > 0 and not a.attisdropped),
    'keys', (
        select coalesce(json_agg(json_build_object('primary', k.contype = 'p', 'columns', (
            select json_agg(a.attname order by p.place)
            from unnest(k.conkey) with ordinality p (number, place)
            join pg_attribute a on a.attrelid = k.conrelid and a.attnum = p.number)) order by k.contype, k.conname), '[]')
        from pg_constraint k where k.conrelid = r.oid and k.contype in ('p', 'u')),
    'foreign_keys', (
        select coalesce(json_agg(json_build_object('name', k.conname, 'schema', tn.nspname, 'table', tc.relname,
            'columns', (
                select json_agg(a.attname order by p.place) from unnest(k.conkey) with ordinality p (number, place)
                join pg_attribute a on a.attrelid = k.conrelid and a.attnum = p.number),
            'target_columns', (
                select json_agg(a.attname order by p.place) from unnest(k.confkey) with ordinality p (number, place)
                join pg_attribute a on a.attrelid = k.confrelid and a.attnum = p.number)
        ) order by k.conkey, k.conname), '[]')
        from pg_constraint k
        join pg_class tc on tc.oid = k.confrelid
        join pg_namespace tn on tn.oid = tc.relnamespace
        where k.conrelid = r.oid and k.contype = 'f' and k.conparentid = 0)
) order by r.nspname, r.relname), '[]')::text
from relation r
