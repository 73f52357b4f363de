import asyncpg
import pytest

from db.sql import concatenate, join, json_text, name, slot, sql, to_statement


def test_slots_of_one_source_and_type_share_a_number() -> None:
    statement = to_statement(
        sql("{a} {b} {c} {d}", a=slot("x", "int4"), b=slot("y", "int4"), c=slot("x", "int4"), d=slot("x", "text"))
    )

    assert statement.text == "$1::int4 $2::int4 $1::int4 $3::text"
    assert statement.sources == ("x", "y", "x")


@pytest.mark.postgres
async def test_whatever_a_name_holds_it_stays_one_name(database: str) -> None:
    hostile = ['a"b', "a'b", "a;drop table x", "$1", "a--b", "ü☃", "{column}", "a\\b", "%s", ":x"]
    connection = await asyncpg.connect(database)
    for text in hostile:
        statement = to_statement(sql("select 1 as {column}", column=name(text)))
        [row] = await connection.fetch(statement.text)
        assert list(row.keys()) == [text]
    await connection.close()


def test_constants_side_by_side_become_one() -> None:
    parts = [json_text('{"', ("a",), '":'), json_text('"', ("film",), '"'), name("x"), json_text("}")]

    assert to_statement(concatenate(parts)).text == """'{"a":"film"' || "x" || '}'"""


def test_only_graphql_names_enter_a_json_text() -> None:
    with pytest.raises(ValueError, match="a'b"):
        json_text('"', ("a'b",), '"')


def test_join_keeps_the_order_of_its_parts() -> None:
    assert to_statement(join(", ", [name("a"), name("b")])).text == '"a", "b"'
