"""Filters of Mudbase become the value of `where:`."""

import pytest

from gateway.facades.mudbase_errors import Refusal
from gateway.facades.mudbase_filter import to_ordering, to_where
from gateway.facades.tables import TableView, find_table
from schema.expression.predicate import ALWAYS, Predicate
from schema.grants import UNBOUND, Grant
from schema.names import build_model
from schema.query.building.schema import build_query_schema
from schema.query.compiler import RoleView
from schema.query.document import Limits
from schema.query.tenant_schema import tenant_schema
from tests.builders import a_catalog, a_column, a_foreign_key, a_table


class Everything:
    def grant(self, _table: object, _capability: str, /) -> Predicate:
        return ALWAYS

    def get_grant(self, _table: object, _capability: str, /) -> Grant:
        return UNBOUND


@pytest.fixture(scope="module")
def notes() -> TableView:
    """Notes, each in a folder."""
    folder = a_table("folder", a_column("id", "int4"), a_column("name"))
    note = a_table(
        "note",
        *(a_column("id", "int4"), a_column("body"), a_column("size", "int4"), a_column("folder_id", "int4")),
        foreign_keys=[a_foreign_key("folder_id", "folder")],
    )
    built = build_query_schema(build_model(a_catalog(folder, note)), lambda *_: True)
    view = RoleView(built, Everything(), Limits(), tenant_schema(built.graphql).answer)
    table = find_table(view, "note")
    assert table is not None
    return table


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ({}, {}),
        ({"body": "x"}, {"body": {"_eq": "x"}}),
        ({"body": None}, {"body": {"_is_null": True}}),
        ({"_id": "5"}, {"id": {"_eq": "5"}}),
        ({"size": {"$gte": 1, "$lt": 9}}, {"size": {"_gte": 1, "_lt": 9}}),
        ({"size": {"$in": [1, 2]}, "body": "x"}, {"_and": [{"size": {"_in": [1, 2]}}, {"body": {"_eq": "x"}}]}),
        ({"body": {"$regex": "^a", "$options": "i"}}, {"body": {"_iregex": "^a"}}),
        ({"body": {"$exists": True}}, {"body": {"_is_null": False}}),
        ({"body": {"$ne": None}}, {"body": {"_is_null": False}}),
        (
            {"size": {"$gt": 1, "$not": {"$gt": 5}}},
            {"_and": [{"size": {"_gt": 1}}, {"_not": {"size": {"_gt": 5}}}]},
        ),
        ({"$or": [{"size": 1}, {"size": 2}]}, {"_or": [{"size": {"_eq": 1}}, {"size": {"_eq": 2}}]}),
        ({"$nor": [{"size": 1}]}, {"_not": {"_or": [{"size": {"_eq": 1}}]}}),
        ({"folder.name": "home"}, {"folder": {"name": {"_eq": "home"}}}),
        ({"folder.note_collection.size": 1}, {"folder": {"note_collection": {"_some": {"size": {"_eq": 1}}}}}),
    ],
)
def test_a_filter_means_the_same_and_the_schema_takes_it(
    notes: TableView, given: dict[str, object], meant: dict[str, object]
) -> None:
    assert to_where(given, notes) == meant
    prepared = notes.view.prepare("query ($where: note_where) { note(where: $where) { id } }", None)
    compiled = notes.view.compile(prepared, prepared.read_variables.coerce({"where": meant}))
    assert compiled.statement is not None


def deep(levels: int) -> object:
    return {"size": 1} if levels == 0 else {"$and": [deep(levels - 1)]}


@pytest.mark.parametrize(
    "given",
    [
        "size",
        [],
        {"colour": 1},
        {"folder": 1},
        {"size.more": 1},
        {"$where": "sleep(1)"},
        {"size": {"$mod": [1, 2]}},
        {"$or": {"size": 1}},
        {"$expr": {}},
        deep(30),
        {".".join(["folder", "note_collection"] * 30) + ".size": 1},
    ],
)
def test_what_has_no_counterpart_is_refused(notes: TableView, given: object) -> None:
    with pytest.raises(Refusal) as caught:
        to_where(given, notes)

    assert caught.value.code == "VALIDATION_ERROR"


def test_a_minus_turns_an_order_round(notes: TableView) -> None:
    assert to_ordering("-size, body _id", notes) == ("size desc", "body asc", "id asc")
    assert to_ordering("", notes) == ()
