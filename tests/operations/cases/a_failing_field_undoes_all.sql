with w as (insert into "public"."people" as "people_1" ("id", "name") values ($1::int4, $2::text) returning *) select '{"id":' || ('"' || "people_3"."id" || '"') || '}' from w as "people_3"
with w as (update "public"."people" as "people_1" set "name" = $1::text where "people_1"."id" = $2::int4 and true returning *) select '{"id":' || ('"' || "people_3"."id" || '"') || '}' from w as "people_3"
