with w as (insert into "public"."people" as "people_1" ("id", "name") values ($1::int4, $2::text) returning *) select '{"id":' || ('"' || "people_3"."id" || '"') || '}' from w as "people_3"
