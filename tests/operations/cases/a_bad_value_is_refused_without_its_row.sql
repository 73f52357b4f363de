insert into "public"."films" as "films_1" ("id", "title", "director_id", "released") values ($1::int4, $2::text, $3::int4, $4::timestamptz) returning "films_1"."id"
select true, coalesce((select '{"id":' || ('"' || "films_3"."id" || '"') || '}' from "public"."films" as "films_3" where "films_3"."id" = $1::int4), 'null') from "public"."films" as "films_2" where "films_2"."id" = $1::int4
