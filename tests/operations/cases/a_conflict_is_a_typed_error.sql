insert into "public"."people" as "people_1" ("id", "name") values ($1::int4, $2::text) returning "people_1"."id"
select true, coalesce((select '{"id":' || ('"' || "people_3"."id" || '"') || '}' from "public"."people" as "people_3" where "people_3"."id" = $1::int4), 'null') from "public"."people" as "people_2" where "people_2"."id" = $1::int4
