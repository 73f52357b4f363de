insert into "public"."people" as "people_1" ("id", "name") values ($1::int4, $2::text) returning "people_1"."id"
select true, coalesce((select '{"id":' || ('"' || "people_3"."id" || '"') || '}' from "public"."people" as "people_3" where "people_3"."id" = $1::int4), 'null') from "public"."people" as "people_2" where "people_2"."id" = $1::int4
update "public"."people" as "people_1" set "name" = $1::text where "people_1"."id" = $2::int4 and true returning "people_1"."id"
select true, coalesce((select '{"id":' || ('"' || "people_3"."id" || '"') || '}' from "public"."people" as "people_3" where "people_3"."id" = $1::int4), 'null') from "public"."people" as "people_2" where "people_2"."id" = $1::int4
