from db.catalog import Catalog, TableName
from schema.names import build_model
from schema.spelling import legal_name, singular
from tests.builders import a_column, a_foreign_key, a_table


def relations(catalog: Catalog, table: str) -> list[str]:
    return list(build_model(catalog).by_table[TableName("public", table)].relations)


def test_a_name_is_kept_whatever_its_case() -> None:
    assert legal_name("productCode") == "productCode"
    assert legal_name("weather_data") == "weather_data"


def test_a_name_that_graphql_does_not_allow_is_made_legal() -> None:
    hostile = {"2nd": "_2nd", "a b": "a_b", "__x": "_x", "ü": "_", "": "_", "____": "_", "a-b.c": "a_b_c"}

    assert {text: legal_name(text) for text in hostile} == hostile


def test_singulars_are_those_of_the_contract() -> None:
    known = {
        "productlines": "productline",
        "devii_users": "devii_user",
        "users": "user",
        "status_value": "status_value",
        "organization": "organization",
        "planet": "planet",
        "species": "species",
        "people": "person",
        "categories": "category",
        "address": "address",
    }
    assert {word: singular(word) for word in known} == known


def test_a_second_key_to_the_same_table_adds_its_column() -> None:
    airports = a_table("airports", a_column("faa"), primary_key=("faa",))
    flights = a_table(
        "flights",
        a_column("id"),
        a_column("origin"),
        a_column("dest"),
        primary_key=("id",),
        foreign_keys=(a_foreign_key("origin", "airports", "faa"), a_foreign_key("dest", "airports", "faa")),
    )
    catalog = Catalog((airports, flights))

    assert relations(catalog, "flights") == ["airport", "airport_dest"]
    assert relations(catalog, "airports") == ["flights_collection", "flights_dest_collection"]


def test_a_relation_named_like_a_column_gets_rel() -> None:
    users = a_table("users", a_column("id"), a_column("name"), primary_key=("id",))
    posts = a_table(
        "posts",
        a_column("id"),
        a_column("user"),
        a_column("user_id"),
        primary_key=("id",),
        foreign_keys=(a_foreign_key("user_id", "users", "id"),),
    )

    assert relations(Catalog((posts, users)), "posts") == ["user_rel"]
