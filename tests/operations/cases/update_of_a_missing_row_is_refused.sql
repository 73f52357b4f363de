update "public"."films" as "films_1" set "title" = $1::text where "films_1"."id" = $2::int4 and true returning "films_1"."id"
select true, coalesce((select '{"id":' || ('"' || "films_3"."id" || '"') || '}' from "public"."films" as "films_3" where "films_3"."id" = $1::int4), 'null') from "public"."films" as "films_2" where "films_2"."id" = $1::int4
