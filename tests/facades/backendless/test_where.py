"""Where clauses of Backendless become expressions of ours."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.facades.backendless_where import Names, to_filter, to_ordering
from gateway.facades.tables import TableView, find_table
from schema.errors import ExpressionSyntaxError
from schema.expression.parse import parse_expression
from schema.expression.predicate import ALWAYS, Predicate
from schema.expression.tokens import MAX_LENGTH
from schema.names import build_model
from schema.query.building.schema import build_query_schema
from schema.query.compiler import RoleView
from schema.query.document import Limits
from schema.query.tenant_schema import tenant_schema
from tests.builders import a_catalog, a_column, a_foreign_key, a_table

ME = Names("owner", "abc", 7)


class Everything:
    def grant(self, _table: object, _capability: str, /) -> Predicate:
        return ALWAYS


@pytest.fixture(scope="module")
def notes() -> TableView:
    """Notes of an owner, each in a folder, with moments of several types."""
    folder = a_table("folder", a_column("code"), a_column("name"), primary_key=("code",))
    note = a_table(
        "note",
        *(a_column("id", "int4"), a_column("owner", "int4"), a_column("body"), a_column("folder_code")),
        *(a_column("made", "timestamptz"), a_column("seen", "timestamp"), a_column("due", "date")),
        foreign_keys=[a_foreign_key("folder_code", "folder", "code")],
    )
    built = build_query_schema(build_model(a_catalog(folder, note)), lambda *_: True)
    view = RoleView(built, Everything(), Limits(), tenant_schema(built.graphql).answer)
    table = find_table(view, "Note")
    assert table is not None
    return table


@pytest.mark.parametrize(
    ("clause", "meant"),
    [
        ("", ""),
        ("body = 'it''s' AND id>=3", "body = 'it''s' and id >= 3"),
        ("body <> 'x'", "body != 'x'"),
        ("body is null or body IS NOT NULL", "body = null or body != null"),
        ("objectId in ('1','2') and (id in (3))", "id in [ '1' , '2' ] and ( id in [ 3 ] )"),
        ("objectId not in ('1')", "id not in [ '1' ]"),
        ("`body` like 'a%'", "body like 'a%'"),
        ("folder.objectId = 'home'", "folder.code = 'home'"),
        ("lower(body) = 'x'", "lower ( body ) = 'x'"),
        ("ownerId = 'abc' and body = 'abc'", "owner = 7 and body = 'abc'"),
        ("ownerId in ('abc', 'someone else')", "owner in [ 7 , -1 ]"),
        ("made > 1800000000000", "made > '2027-01-15T08:00:00+00:00'"),
        ("seen <= 1800000000500", "seen <= '2027-01-15T08:00:00.500000'"),
        ("due = 1800000000000 and id = 5", "due = '2027-01-15' and id = 5"),
        ("made after '2027-01-15' and made at or before '2027-01-16'", "made > '2027-01-15' and made <= '2027-01-16'"),
        ("made before 1800000000000", "made < '2027-01-15T08:00:00+00:00'"),
    ],
)
def test_a_clause_means_the_same(notes: TableView, clause: str, meant: str) -> None:
    assert to_filter(clause, notes, ME) == meant
    parse_expression(meant)


def test_without_a_column_of_owners_ownerid_is_a_name_like_any_other(notes: TableView) -> None:
    assert to_filter("ownerId = 'abc'", notes, Names(None, "abc", 7)) == "ownerId = 'abc'"


@pytest.mark.parametrize("clause", ["id = $_PRINCIPAL.roleid", "id = 1; drop table note", "body = 'open", "x" * 20_000])
def test_what_has_no_meaning_is_refused(notes: TableView, clause: str) -> None:
    with pytest.raises(ExpressionSyntaxError):
        to_filter(clause, notes, ME)


@pytest.mark.parametrize("clause", ["(" * MAX_LENGTH, ")" * MAX_LENGTH, "is not " * 1400, "in (" * 2500])
def test_what_is_bent_is_left_for_the_parser_to_refuse(notes: TableView, clause: str) -> None:
    with pytest.raises(ExpressionSyntaxError):
        parse_expression(to_filter(clause, notes, ME))


@given(text=st.text("()[]'`.,=<> andorisnulltbefore012objectIdownerId", max_size=60))
def test_whatever_is_written_is_rewritten_or_refused(notes: TableView, text: str) -> None:
    try:
        rewritten = to_filter(text, notes, ME)
    except ExpressionSyntaxError:
        return
    # A rewritten clause is no longer than a few characters for each of its own.
    assert len(rewritten) <= 40 * (len(text) + 1)


def test_an_order_names_columns_of_ours(notes: TableView) -> None:
    assert to_ordering("objectId desc, body,created asc", notes, ME) == ("id desc", "body", "id asc")
    assert to_ordering("", notes, ME) == ()


def test_a_table_is_found_in_another_case_where_only_one_is_meant(notes: TableView) -> None:
    assert notes.name == "note"
    assert find_table(notes.view, "NOTE") is not None
    assert find_table(notes.view, "notes") is None
    assert find_table(notes.view, "Query") is None
    assert find_table(notes.view, "note_where") is None
