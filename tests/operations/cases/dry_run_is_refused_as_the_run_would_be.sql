with w as (insert into "public"."people" as "people_1" ("id", "name") values ($1::int4, $2::text) returning *) select '{"affected_rows":' || count(*)::text || '}' from w as "people_2"
