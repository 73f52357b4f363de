with w as (insert into "public"."notes" as "notes_1" ("body") values ($1::text) returning *) select '{"__typename":"notes"}' from w as "notes_3"
