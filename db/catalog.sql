with recursive
relation as (
    select c.oid, n.nspname, c.relname, c.relkind, c.relhasrules, c.relhassubclass, pg_relation_is_updatable(c.oid, true) as updatable,
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
routine as (
    select p.oid, n.nspname, p.proname, p.prokind, p.provolatile, p.proisstrict, p.proretset, p.prorettype,
           p.pronargs, p.pronargdefaults, p.proargnames, p.proargmodes,
           coalesce(p.proallargtypes, p.proargtypes::oid[]) as types
    from pg_proc p
    join pg_namespace n on n.oid = p.pronamespace
    where n.nspname = any ($1::text[])
      and p.prokind in ('f', 'p')
      and p.prorettype <> all ('{trigger,event_trigger}'::regtype[])
      and has_function_privilege(p.oid, 'execute')
      and not exists (
          select from pg_depend d where d.classid = 'pg_proc'::regclass and d.objid = p.oid and d.deptype = 'e')
),
attribute as (
    select a.* from relation r join pg_attribute a on a.attrelid = r.oid where a.attnum > 0 and not a.attisdropped
),
-- Every type of a column or of a routine, and those that it is made of.
needed (oid) as (
    select oid from (
        select atttypid from attribute
        union select unnest(types) from routine
        union select prorettype from routine
    ) as used (oid)
    union
    select part.oid
    from needed
    join pg_type t on t.oid = needed.oid
    cross join lateral (
        select t.typbasetype where t.typtype = 'd'
        union all
        select e.oid from pg_type e where e.oid = t.typelem and e.typarray = t.oid
        union all
        select a.atttypid from pg_attribute a
        where t.typtype = 'c' and a.attrelid = t.typrelid and a.attnum > 0 and not a.attisdropped
    ) as part (oid)
),
type_json as (
    select json_build_object(
        'oid', t.oid, 'schema', tn.nspname, 'base', t.typname, 'domain_over', t.typbasetype,
        'name', case when tn.nspname = 'pg_catalog' then quote_ident(t.typname)
                     else quote_ident(tn.nspname) || '.' || quote_ident(t.typname) end,
        'kind', case when e.oid is not null then 'array' when t.typtype = 'e' then 'enum'
                     when t.typtype = 'c' then 'composite' when t.typtype in ('r', 'm') then 'range'
                     when t.typtype = 'd' then 'domain' when t.typtype = 'p' then 'pseudo' else 'base' end,
        'element', e.oid,
        'labels', (select json_agg(l.enumlabel order by l.enumsortorder) from pg_enum l where l.enumtypid = t.oid),
        'comment', case when t.typtype in ('e', 'c') then obj_description(t.oid, 'pg_type') end,
        'attributes', case when t.typtype = 'c' then (
            select json_agg(json_build_array(a.attname, a.atttypid) order by a.attnum)
            from pg_attribute a where a.attrelid = t.typrelid and a.attnum > 0 and not a.attisdropped) end,
        'row_of', (select json_build_array(n.nspname, c.relname)
                   from pg_class c join pg_namespace n on n.oid = c.relnamespace
                   where c.oid = t.typrelid and c.relkind <> 'c')
    ) as json, t.oid
    from needed
    join pg_type t on t.oid = needed.oid
    join pg_namespace tn on tn.oid = t.typnamespace
    left join pg_type e on e.oid = t.typelem and e.typarray = t.oid
),
column_json as (
    select a.attrelid, json_agg(json_build_object(
        'name', a.attname, 'type', a.atttypid, 'not_null', a.attnotnull, 'has_default', a.atthasdef,
        'generated', a.attgenerated <> '', 'identity', a.attidentity, 'comment', d.description,
        'collation', l.oid::regcollation::text, 'deterministic', l.collisdeterministic
    ) order by a.attnum) as json
    from attribute a
    left join pg_collation l on l.oid = a.attcollation and l.collname <> 'default'
    left join pg_description d
        on d.objoid = a.attrelid and d.classoid = 'pg_class'::regclass and d.objsubid = a.attnum
    group by a.attrelid
),
key_json as (
    select k.conrelid, json_agg(json_build_object('primary', k.contype = 'p', 'columns', (
        select json_agg(a.attname order by p.place) from unnest(k.conkey) with ordinality p (number, place)
        join pg_attribute a on a.attrelid = k.conrelid and a.attnum = p.number)) order by k.contype, k.conname) as json
    from relation r
    join pg_constraint k on k.conrelid = r.oid and k.contype in ('p', 'u')
    group by k.conrelid
),
foreign_key_json as (
    select k.conrelid, json_agg(json_build_object('name', k.conname, 'schema', tn.nspname, 'table', tc.relname,
        'columns', (
            select json_agg(a.attname order by p.place) from unnest(k.conkey) with ordinality p (number, place)
            join pg_attribute a on a.attrelid = k.conrelid and a.attnum = p.number),
        'target_columns', (
            select json_agg(a.attname order by p.place) from unnest(k.confkey) with ordinality p (number, place)
            join pg_attribute a on a.attrelid = k.confrelid and a.attnum = p.number)
    ) order by k.conkey, k.conname) as json
    from relation r
    join pg_constraint k on k.conrelid = r.oid and k.contype = 'f' and k.conparentid = 0
    join pg_class tc on tc.oid = k.confrelid
    join pg_namespace tn on tn.oid = tc.relnamespace
    group by k.conrelid
),
-- Triggers that run before a change of a row, and those after; a partition's are those of its table.
trigger_of as (
    select t.oid, bool_or(g.tgtype & 2 <> 0) as early, bool_or(g.tgtype & 2 = 0) as late
    from (
        select r.oid, r.oid as has from relation r
        union
        select r.oid, p.relid from relation r cross join lateral pg_partition_tree(r.oid) p where r.relkind = 'p'
    ) t
    join pg_trigger g on g.tgrelid = t.has and not g.tgisinternal
    group by t.oid
),
constraint_json as (
    select named.oid, json_object_agg(named.name, named.columns order by named.name) as json
    from (
        select k.conrelid as oid, k.conname as name, (
            select json_agg(a.attname order by p.place) from unnest(k.conkey) with ordinality p (number, place)
            join pg_attribute a on a.attrelid = k.conrelid and a.attnum = p.number) as columns
        from relation r
        join pg_constraint k on k.conrelid = r.oid and k.contype in ('p', 'u', 'f', 'c', 'x')
        union all
        select i.indrelid, ic.relname, (
            select json_agg(a.attname order by p.place)
            from unnest(i.indkey::int2[]) with ordinality p (number, place)
            join pg_attribute a on a.attrelid = i.indrelid and a.attnum = p.number and p.number > 0)
        from relation r
        join pg_index i on i.indrelid = r.oid and i.indisunique
        join pg_class ic on ic.oid = i.indexrelid
        where not exists (select from pg_constraint k where k.conindid = i.indexrelid)
    ) as named
    group by named.oid
)
select json_build_object(
    'tables', (
        select coalesce(json_agg(json_build_object(
            'schema', r.nspname, 'name', r.relname, 'kind', r.relkind, 'comment', r.comment,
            'insertable', r.updatable & 8 <> 0, 'updatable', r.updatable & 20 = 20,
            'columns', c.json, 'keys', k.json, 'foreign_keys', f.json, 'constraints', n.json,
            'early_triggers', coalesce(t.early, false),
            'late_triggers', coalesce(t.late, false) or r.relhasrules or (r.relkind = 'r' and r.relhassubclass)
        ) order by r.nspname, r.relname), '[]')
        from relation r
        left join column_json c on c.attrelid = r.oid
        left join key_json k on k.conrelid = r.oid
        left join foreign_key_json f on f.conrelid = r.oid
        left join constraint_json n on n.oid = r.oid
        left join trigger_of t on t.oid = r.oid),
    'types', (select coalesce(json_agg(json order by oid), '[]') from type_json),
    'functions', (
        select coalesce(json_agg(json_build_object(
            'schema', p.nspname, 'name', p.proname, 'procedure', p.prokind = 'p', 'volatility', p.provolatile,
            'strict', p.proisstrict, 'set', p.proretset, 'result', p.prorettype, 'types', p.types,
            'names', p.proargnames, 'modes', p.proargmodes, 'inputs', p.pronargs, 'defaults', p.pronargdefaults,
            'comment', obj_description(p.oid, 'pg_proc')
        ) order by p.nspname, p.proname, p.types), '[]')
        from routine p)
)::text
