"""`Aggregates` with its query in text: a test for each thing that clients of the contract rely on."""

import pytest

from tests.wire import Json, Wire

pytestmark = pytest.mark.server

AT_JFK = """{ flights(filter: "origin = 'JFK'") { carrier } }"""
EACH = ("avg", "count", "max", "min", "sum")


def aggregated(wire: Wire, token: str, fields: str, variables: Json | None = None, heading: str = "") -> Json:
    return dict(wire.ask(token, f"{heading}{{ Aggregates {{ {fields} }} }}", variables)["Aggregates"])


@pytest.fixture(scope="module")
def planes(wire: Wire, flights_root: str) -> list[Json]:
    """All planes, to reckon with by hand."""
    return list(wire.ask(flights_root, "{ planes { tailnum type engines seats } }")["planes"])


@pytest.mark.parametrize(
    "subquery",
    [
        "query{planes{seats}}",
        "{planes{seats}}",
        "query planes{planes{seats}}",
        "query   p  {  planes  {  n : seats  }  }",
        "query { rows: planes { seats } }",
        "query { planes { ...of } } fragment of on planes { seats }",
    ],
)
def test_the_subquery_is_a_query_in_text_named_or_not_with_aliases_and_spaces(
    wire: Wire, flights_root: str, planes: list[Json], subquery: str
) -> None:
    rows = aggregated(wire, flights_root, f'max(subquery: "{subquery}")')["max"]

    assert rows == [{"max": max(plane["seats"] or 0 for plane in planes)}]


@pytest.mark.parametrize("function", EACH)
@pytest.mark.parametrize("arguments", ["", '(subquery: "")', "(subquery: null)"])
def test_there_is_no_aggregate_without_a_subquery(wire: Wire, flights_root: str, function: str, arguments: str) -> None:
    error = wire.refused(flights_root, f"{{ Aggregates {{ {function}{arguments} }} }}")

    assert error["extensions"]["code"] == "SUBQUERY_INVALID"


def test_the_first_selected_field_is_aggregated(wire: Wire, flights_root: str, planes: list[Json]) -> None:
    seats = [plane["seats"] for plane in planes if plane["seats"] is not None]
    fields = " ".join(f'{each}(subquery: "{{planes{{seats}}}}")' for each in EACH)

    rows = aggregated(wire, flights_root, fields)

    assert {name: rows[name] for name in ("count", "max", "min", "sum")} == {
        "count": [{"count": len(seats)}],
        "max": [{"max": max(seats)}],
        "min": [{"min": min(seats)}],
        "sum": [{"sum": sum(seats)}],
    }
    assert rows["avg"][0]["avg"] == pytest.approx(sum(seats) / len(seats))


def test_every_further_field_groups(wire: Wire, flights_root: str, planes: list[Json]) -> None:
    rows = aggregated(wire, flights_root, 'count(subquery: "{planes{tailnum type engines}}")')["count"]

    assert sum(row["count"] for row in rows) == len(planes)
    assert {(row["type"], row["engines"]) for row in rows} == {(each["type"], each["engines"]) for each in planes}
    assert len(rows) == len({(each["type"], each["engines"]) for each in planes})


def test_a_sub_selection_groups_by_columns_named_after_relation_and_column(wire: Wire, flights_root: str) -> None:
    subquery = "{flights{dep_delay airline{name} plane{model engines} p:plane{n:seats}}}"

    rows = aggregated(wire, flights_root, f'max(subquery: "{subquery}", limit: 5, ordering: ["max"])')["max"]

    assert len(rows) == 5
    for row in rows:
        assert set(row) == {"max", "airline_name", "plane_model", "plane_engines", "p_n"}


def test_the_filter_comes_before_the_function_and_having_ordering_and_page_after_it(
    wire: Wire, flights_root: str
) -> None:
    by_carrier = "{flights{flightid carrier}}"
    everything = aggregated(wire, flights_root, f"""count(subquery: "{by_carrier}", filter: "origin = 'JFK'")""")
    expected = sorted(everything["count"], key=lambda row: (-row["count"], row["carrier"]))

    rows = aggregated(
        wire,
        flights_root,
        f"""count(subquery: "{by_carrier}", filter: "origin = 'JFK'", having: "count > 100",
            ordering: ["count desc", "carrier"], limit: 2, offset: 1)""",
    )["count"]

    assert rows == [row for row in expected if row["count"] > 100][1:3]


def test_distincton_drops_rows_with_the_same_columns_before_the_function(wire: Wire, flights_root: str) -> None:
    carriers = wire.ask(flights_root, '{ airlines(filter: "flights_collection.flightid > 0") { carrier } }')["airlines"]

    rows = aggregated(
        wire,
        flights_root,
        """all: count(subquery: "{flights{carrier}}", distincton: ["carrier"])
           one: count(subquery: "{flights{carrier}}", distincton: "carrier")
           each: count(subquery: "{flights{carrier origin}}", distincton: ["carrier", "origin"],
                       filter: "origin = 'JFK'")""",
    )

    assert rows["all"] == rows["one"] == [{"count": len(carriers)}]
    at_jfk = {row["carrier"] for row in wire.ask(flights_root, AT_JFK)["flights"]}
    assert rows["each"] == [{"count": len(at_jfk), "origin": "JFK"}]


def test_arguments_of_the_subquery_itself_choose_its_rows(wire: Wire, flights_root: str, planes: list[Json]) -> None:
    seats = sorted((each["seats"] for each in planes if each["seats"] is not None), reverse=True)

    rows = aggregated(
        wire,
        flights_root,
        r"""sum(subquery: "{planes(filter: \"seats > 0\", ordering: [\"seats desc\"], limit: 3, offset: 1){seats}}")
            none: sum(subquery: "{planes(limit: 0){seats}}")""",
    )

    assert rows == {"sum": [{"sum": sum(seats[1:4])}], "none": [{"sum": None}]}


def test_the_result_is_always_a_list_of_row_objects(wire: Wire, flights_root: str) -> None:
    rows = aggregated(
        wire,
        flights_root,
        """one: count(subquery: "{airports{faa}}", filter: "faa = 'JFK'")
           none: count(subquery: "{airports{faa}}", filter: "faa = 'nowhere'")
           no_group: count(subquery: "{airports{faa name}}", filter: "faa = 'nowhere'")""",
    )

    assert rows == {"one": [{"count": 1}], "none": [{"count": 0}], "no_group": []}


def test_ordering_names_columns_of_the_result_in_any_case(wire: Wire, flights_root: str) -> None:
    subquery = "{flights{flightid airline{name}}}"

    rows = aggregated(wire, flights_root, f'count(subquery: "{subquery}", ordering: ["airline_name DESC"])')["count"]

    names = [row["airline_name"] for row in rows]
    assert len(names) > 5
    assert names == sorted(names, reverse=True)


def test_the_filter_may_follow_relations_and_collections_of_the_table(wire: Wire, flights_root: str) -> None:
    late = wire.ask(flights_root, '{ planes(filter: "flights_collection.dep_delay > 400") { tailnum } }')["planes"]

    rows = aggregated(
        wire,
        flights_root,
        """count(subquery: "{planes{tailnum}}", filter: "flights_collection.dep_delay > 400")
           to_one: count(subquery: "{flights{flightid}}", filter: "airline.name = 'nobody'")""",
    )

    assert rows == {"count": [{"count": len(late)}], "to_one": [{"count": 0}]}
    assert late


def test_an_alias_names_the_field_and_the_rows_keep_the_name_of_the_function(wire: Wire, flights_root: str) -> None:
    rows = aggregated(wire, flights_root, 'total: count(subquery: "{airlines{id:carrier n:name}}", limit: 1)')

    assert set(rows) == {"total"}
    assert set(rows["total"][0]) == {"count", "n"}


@pytest.mark.parametrize("declared", ["$q: String", "$q: String!", '$q: String = "{airlines{name}}"'])
def test_a_variable_may_hold_the_subquery(wire: Wire, flights_root: str, declared: str) -> None:
    fields = "count(subquery: $q)"

    first = aggregated(wire, flights_root, fields, {"q": "{airports{faa}}"}, f"query ({declared})")
    second = aggregated(wire, flights_root, fields, {"q": "{airports{faa tzone}}"}, f"query ({declared})")

    assert set(first["count"][0]) == {"count"}
    assert set(second["count"][0]) == {"count", "tzone"}


@pytest.mark.parametrize(
    ("subquery", "code"),
    [
        ("{nowhere{id}}", "GRAPHQL_VALIDATION_FAILED"),
        ("{airlines{", "GRAPHQL_PARSE_FAILED"),
        ("{airlines{name} airports{name}}", "SUBQUERY_INVALID"),
        ("{airlines{__typename}}", "SUBQUERY_INVALID"),
        ("mutation{delete_airlines(carrier: 1){name}}", "SUBQUERY_INVALID"),
        ("{airlines{name name2:name n:name name2_:name} }", None),
        ("{airlines{n:name n2:carrier}}", None),
    ],
)
def test_what_is_no_query_of_one_table_is_refused(
    wire: Wire, flights_root: str, subquery: str, code: str | None
) -> None:
    document = "query ($q: String) { Aggregates { count(subquery: $q) } }"

    reply = wire.post("/query", {"query": document, "variables": {"q": subquery}}, flights_root).json()

    assert reply.get("errors", [{"extensions": {"code": None}}])[0]["extensions"]["code"] == code


def test_one_document_takes_conditions_on_groups_of_different_structure(wire: Wire, flights_root: str) -> None:
    document = """query ($h: flights_having, $t: String) { Aggregates { flights {
      groups(by: {carrier: value}, having: $h) { key { carrier } count }
      named: groups(by: {carrier: value}, having: {carrier: {min: {_eq: $t}}}) { count }
    } } }"""

    def groups(having: Json | None, text: str) -> Json:
        return dict(wire.ask(flights_root, document, {"h": having, "t": text})["Aggregates"]["flights"])

    everything = groups(None, "it's (no] carrier")
    many = groups({"_count": {"_gte": 1000}}, "UA")
    few = groups({"_count": {"_lt": 1000}}, "UA")
    none = groups({"carrier": {"max": {"_lt": "0"}}}, "B6")

    assert many["groups"]
    assert few["groups"]
    assert not none["groups"]
    assert all(group["count"] >= 1000 for group in many["groups"])
    assert all(group["count"] < 1000 for group in few["groups"])
    assert len(many["groups"]) + len(few["groups"]) == len(everything["groups"])
    assert everything["named"] == []
    assert many["named"] == [{"count": group["count"]} for group in many["groups"] if group["key"]["carrier"] == "UA"]


def test_the_pages_of_nodes_together_are_all_rows(wire: Wire, flights_root: str) -> None:
    document = """query ($a: String) { Aggregates { airlines(order_by: {name: desc}, first: 5, after: $a) {
      nodes { name } page_info { end_cursor has_next_page has_previous_page total } } } }"""
    names: list[str] = []
    cursor: str | None = None
    while True:
        page = wire.ask(flights_root, document, {"a": cursor})["Aggregates"]["airlines"]
        assert page["page_info"]["has_previous_page"] is (cursor is not None)
        names += [row["name"] for row in page["nodes"]]
        cursor = page["page_info"]["end_cursor"]
        if not page["page_info"]["has_next_page"]:
            break

    listed = wire.ask(flights_root, '{ airlines(ordering: ["name desc"]) { name } }')["airlines"]
    assert names == [row["name"] for row in listed]
    assert page["page_info"]["total"] == len(names)
