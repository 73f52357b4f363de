select coalesce((select '{"id":' || ('"' || "films_2"."id" || '"') || ',"title":' || to_json("films_2"."title"::text)::text || '}' from "public"."films" as "films_2" where "films_2"."id" = $1::int4 and ("films_2"."owner" = $2::int4)), 'null')
delete from "public"."films" as "films_1" where "films_1"."id" = $1::int4 and ("films_1"."owner" = $2::int4) returning 1
