"""How tables, columns and relations are called, seen as clients see it: in the login reply."""

import pytest

from tests.wire import Introspected, Wire

pytestmark = pytest.mark.server

ARGUMENTS = {"filter": "String", "ordering": "[String]", "limit": "Int", "offset": "Int"}


def list_arguments(table: str) -> dict[str, str]:
    """The four arguments of the wire, and behind them those that come on top."""
    return ARGUMENTS | {
        "where": f"{table}_where",
        "order_by": f"[{table}_order!]",
        "distinct_on": f"[{table}_column!]",
        "first": "Int",
        "after": "String",
        "last": "Int",
        "before": "String",
    }


TODO = ["devii_users", "item", "list", "status_value"]
WORLD = [
    "productlines", "products", "devii_users", "films", "cast_members", "species", "planet", "log_lines", "long_titles"
]  # fmt: skip


def test_every_table_and_view_is_one_field_under_its_own_name(
    todo_schema: Introspected, world_schema: Introspected
) -> None:
    assert set(todo_schema.fields("Query")) == {*TODO, "Aggregates"}
    assert set(world_schema.fields("Query")) == {*WORLD, "Aggregates"}


@pytest.mark.parametrize("table", WORLD)
def test_a_table_field_is_a_bare_list_of_the_type_of_its_name(world_schema: Introspected, table: str) -> None:
    field = next(each for each in world_schema.types["Query"]["fields"] if each["name"] == table)

    assert field["type"]["kind"] == "LIST"
    assert field["type"]["ofType"]["kind"] == "OBJECT"
    assert field["type"]["ofType"]["name"] == table


def test_tables_are_the_only_lists_of_query_and_aggregates_is_an_object(world_schema: Introspected) -> None:
    kinds = {each["name"]: each["type"]["kind"] for each in world_schema.types["Query"]["fields"]}

    assert {name for name, kind in kinds.items() if kind == "LIST"} == set(WORLD)
    assert kinds["Aggregates"] == "OBJECT"
    assert world_schema.fields("Query")["Aggregates"] == "Aggregates"


@pytest.mark.parametrize("table", WORLD)
def test_a_table_field_takes_the_four_arguments_first(world_schema: Introspected, table: str) -> None:
    assert list(world_schema.arguments("Query", table).items()) == list(list_arguments(table).items())


def test_aggregates_has_the_five_functions_and_their_arguments(todo_schema: Introspected) -> None:
    functions = dict.fromkeys(("avg", "count", "max", "min", "sum"), "GenericScalar")

    assert todo_schema.fields("Aggregates") == functions | {name: f"{name}_aggregates!" for name in TODO}
    for name in ("avg", "count", "max", "min", "sum"):
        assert todo_schema.arguments("Aggregates", name) == ARGUMENTS | {
            "subquery": "String",
            "having": "String",
            "distincton": "[String]",
        }


def test_columns_keep_their_names_and_become_the_scalars_of_the_wire(world_schema: Introspected) -> None:
    columns = world_schema.fields("products")
    del columns["productline"]

    assert columns == {
        "productCode": "ID!",
        "productLine": "String!",
        "price": "Float!",
        "stock": "BigInt!",
        "is_sold": "Boolean",
        "made": "DateTime",
        "made_on": "Date",
        "facts": "GenericScalar",
        "note": "String!",
    }


def test_every_column_of_a_primary_key_is_an_id(todo_schema: Introspected, world_schema: Introspected) -> None:
    assert todo_schema.fields("item")["itemid"] == "ID!"
    assert todo_schema.fields("item")["listid"] == "Int!"
    keys = world_schema.fields("cast_members")
    assert (keys["film_id"], keys["user_id"], keys["part"]) == ("ID!", "ID!", "String")


@pytest.mark.parametrize(
    ("table", "relation", "type_text"),
    [
        ("products", "productline", "productlines"),
        ("planet", "species", "species"),
        ("cast_members", "film", "films"),
        ("cast_members", "devii_user", "devii_users"),
    ],
)
def test_a_to_one_field_is_called_by_the_singular_and_may_be_null(
    world_schema: Introspected, table: str, relation: str, type_text: str
) -> None:
    assert world_schema.fields(table)[relation] == type_text
    assert world_schema.arguments(table, relation) == {}


def test_a_singular_name_stays_as_it_is(todo_schema: Introspected) -> None:
    assert todo_schema.fields("item")["status_value"] == "status_value"
    assert todo_schema.fields("item")["list"] == "list"


@pytest.mark.parametrize(
    ("table", "collection", "type_text"),
    [
        ("productlines", "products_collection", "[products]"),
        ("species", "planet_collection", "[planet]"),
        ("films", "cast_members_collection", "[cast_members]"),
    ],
)
def test_a_collection_is_a_bare_list_called_by_the_child_table_with_the_four_arguments(
    world_schema: Introspected, table: str, collection: str, type_text: str
) -> None:
    assert world_schema.fields(table)[collection] == type_text
    assert world_schema.arguments(table, collection) == list_arguments(type_text.strip("[]"))


def test_a_junction_gives_both_sides_a_collection_of_the_other(world_schema: Introspected) -> None:
    assert world_schema.fields("films")["devii_users_collection"] == "[devii_users]"
    names = world_schema.fields("devii_users")
    assert "[films]" in (names["films_collection"], names.get("films_cast_members_collection"))


def test_a_table_that_refers_to_itself_has_both_fields(world_schema: Introspected) -> None:
    fields = world_schema.fields("devii_users")

    assert fields["devii_user"] == "devii_users"
    assert fields["devii_users_collection"] == "[devii_users]"


def test_a_second_key_to_the_same_table_adds_its_column_to_the_names(world_schema: Introspected) -> None:
    assert world_schema.fields("films")["devii_user_producer"] == "devii_users"
    assert world_schema.fields("devii_users")["films_collection"] == "[films]"
    assert world_schema.fields("devii_users")["films_producer_collection"] == "[films]"


def test_a_relation_that_a_column_has_the_name_of_gets_a_suffix(world_schema: Introspected) -> None:
    assert world_schema.fields("films")["devii_user"] == "String"
    assert world_schema.fields("films")["devii_user_rel"] == "devii_users"


def test_a_table_without_a_primary_key_can_be_read_and_not_changed_by_key(world_schema: Introspected) -> None:
    mutations = world_schema.fields("Mutation")

    assert "log_lines" in world_schema.fields("Query")
    assert not {"update_log_lines", "delete_log_lines", "update_long_titles", "delete_long_titles"} & set(mutations)


# --- the same, with rows -----------------------------------------------------------------------------------------


def test_relations_nest_in_both_directions(world: Wire, world_root: str) -> None:
    data = world.ask(
        world_root,
        """{ productlines(filter: "productLine = 'Trains'") { productLine products_collection(ordering: "productCode") {
               productCode productline { textDescription products_collection(limit: 1, ordering: "productCode desc") {
                 productCode } } } } }""",
    )

    assert data["productlines"] == [
        {
            "productLine": "Trains",
            "products_collection": [
                {
                    "productCode": code,
                    "productline": {
                        "textDescription": "On rails",
                        "products_collection": [{"productCode": "S18_2"}],
                    },
                }
                for code in ("S18_1", "S18_2")
            ],
        }
    ]


def test_relations_to_itself_through_a_junction_and_by_a_second_key_lead_to_the_right_rows(
    world: Wire, world_root: str
) -> None:
    data = world.ask(
        world_root,
        """{ devii_users(ordering: "roleid") {
               name devii_user { name } devii_users_collection(ordering: "name") { name } }
             films(filter: "title = 'Dusk'") { devii_user devii_user_rel { name } devii_user_producer { name }
               devii_users_collection(ordering: "name") { name } } }""",
    )

    ada = {"name": "Ada"}
    assert data["devii_users"] == [
        {"name": "Ada", "devii_user": None, "devii_users_collection": [{"name": "Bo"}, {"name": "Cy"}]},
        {"name": "Bo", "devii_user": ada, "devii_users_collection": []},
        {"name": "Cy", "devii_user": ada, "devii_users_collection": []},
    ]
    assert data["films"] == [
        {
            "devii_user": "text",
            "devii_user_rel": ada,
            "devii_user_producer": {"name": "Bo"},
            "devii_users_collection": [{"name": "Bo"}, {"name": "Cy"}],
        }
    ]


def test_values_come_in_the_form_of_their_scalars(world: Wire, world_root: str) -> None:
    rows = world.ask(
        world_root,
        '{ products(filter: "productLine = \'Trains\'", ordering: "productCode") '
        "{ productCode price stock is_sold made made_on facts note } }",
    )["products"]

    assert rows[0] == {
        "productCode": "S18_1",
        "price": 10.5,
        "stock": 3,
        "is_sold": True,
        "made": "2024-08-01T12:00:00+00:00",
        "made_on": "2024-08-01",
        "facts": {"wheels": [4, 8]},
        "note": "none",
    }
    assert rows[1]["stock"] == "9007199254740993"
    assert rows[1]["made"] is None


# --- the four arguments ------------------------------------------------------------------------------------------


def test_a_query_gives_a_list_also_for_one_key_and_for_nothing(wire: Wire, root: str) -> None:
    assert wire.ask(root, '{ status_value(filter: "statusid = 1") { statusname } }') == {
        "status_value": [{"statusname": "To do"}]
    }
    assert wire.ask(root, '{ status_value(filter: "statusid = -1") { statusname } }') == {"status_value": []}


@pytest.mark.parametrize("empty", ['filter: ""', 'ordering: ""', "ordering: []", 'ordering: [""]', "filter: null"])
def test_an_empty_filter_or_ordering_means_none(wire: Wire, root: str, empty: str) -> None:
    assert len(wire.ask(root, f"{{ status_value({empty}) {{ statusid }} }}")["status_value"]) == 3


@pytest.mark.parametrize(
    ("ordering", "ids"),
    [
        ("statusid", "123"), ("statusid asc", "123"), ("statusid ASC", "123"), ("statusid desc", "321"),
        ("statusid Desc", "321"), ("  statusname   asc ", "321"),
    ],
)  # fmt: skip
def test_an_ordering_is_a_column_and_a_direction_in_any_case(wire: Wire, root: str, ordering: str, ids: str) -> None:
    rows = wire.ask(root, "query ($o: [String]) { status_value(ordering: $o) { statusid } }", {"o": ordering})

    assert "".join(row["statusid"] for row in rows["status_value"]) == ids


def test_rows_are_ordered_by_several_columns_and_by_the_column_of_a_relation(wire: Wire, flights_root: str) -> None:
    rows = wire.ask(
        flights_root,
        '{ flights(ordering: ["airline.name desc", "flightid"], limit: 2, filter: "dep_delay > 300")'
        " { flightid airline { name } } }",
    )["flights"]

    names = [row["airline"]["name"] for row in rows]
    assert names == sorted(names, reverse=True)
    assert int(rows[0]["flightid"]) < int(rows[1]["flightid"])


def test_limit_and_offset_come_last(wire: Wire, root: str) -> None:
    page = 'query ($l: Int, $o: Int) { status_value(ordering: "statusid desc", limit: $l, offset: $o) { statusid } }'

    def ids(limit: int | None, offset: int | None) -> list[str]:
        return [row["statusid"] for row in wire.ask(root, page, {"l": limit, "o": offset})["status_value"]]

    assert ids(2, 0) == ["3", "2"]
    assert ids(2, 2) == ["1"]
    assert ids(None, 1) == ["2", "1"]
    assert ids(1, None) == ["3"]
    assert ids(0, 0) == []
    assert ids(5, 5) == []


def test_a_filter_reaches_the_columns_of_related_tables(wire: Wire, root: str) -> None:
    document = 'query ($filter: String) { item(filter: $filter, ordering: ["itemid"]) { itemname } }'

    found = wire.ask(root, document, {"filter": "statusid != 3 AND list.listname ilike '%ostiary%' and devii_roleid=0"})

    assert [row["itemname"] for row in found["item"]] == ["Look around in GraphiQL", "Write a rule"]


def test_the_portals_variables_of_the_four_types_are_accepted(wire: Wire, root: str) -> None:
    document = """query ($filter: String, $ordering: [String], $limit: Int, $offset: Int) {
      item(filter: $filter, ordering: $ordering, limit: $limit, offset: $offset) {
        itemid itemname status_value { statusname } list { listname item_collection { itemid } } } }"""

    rows = wire.ask(
        root, document, {"filter": "devii_roleid = 0", "ordering": ["itemname asc"], "limit": 1, "offset": 1}
    )["item"]

    assert rows == [
        {
            "itemid": "1",
            "itemname": "Sign in",
            "status_value": {"statusname": "Done"},
            "list": {
                "listname": "Getting to know Ostiary",
                "item_collection": [{"itemid": "1"}, {"itemid": "2"}, {"itemid": "3"}],
            },
        }
    ]
