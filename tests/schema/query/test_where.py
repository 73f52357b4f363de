"""Conditions: what is refused, what shares a plan, and what stands behind the fence."""

from typing import Any

import pytest
from graphql import GraphQLInputObjectType

from db.catalog import Column, PgType
from db.errors import InvalidValue
from schema.errors import WrongType
from schema.expression.predicate import (
    ALWAYS,
    NEVER,
    And,
    Applied,
    ColumnOf,
    Compare,
    Constant,
    Exists,
    Fenced,
    Not,
    NotTrue,
    Predicate,
    RowCount,
    Search,
    all_of,
)
from schema.expression.totality import can_raise, fence
from schema.expression.types import INT4, TEXT
from schema.grants import UNBOUND, Grant
from schema.names import DERIVED, SHARED_TYPES, build_model, column_members, condition_members, derived_type_name
from schema.query.building.schema import build_query_schema
from schema.query.compiler import RoleView
from schema.query.document import Limits
from schema.query.planning.orders import InvalidOrder
from schema.query.planning.where import MAX_CONDITIONS, MAX_DEPTH, MAX_RELATIONS, InvalidCondition
from schema.query.tenant_schema import tenant_schema
from tests.builders import a_catalog, a_column, a_foreign_key, a_table

TITLE = ColumnOf("title", TEXT)
SAFE = Compare(ColumnOf("id", INT4), "=", Constant(1, INT4))
GRANT = Compare(ColumnOf("owner", INT4), "=", Constant(7, INT4))
REGEX = Applied(TITLE, "~", Constant("(", TEXT))


class Everything:
    def grant(self, table: object, capability: str, /) -> Predicate:
        return ALWAYS

    def get_grant(self, table: object, capability: str, /) -> Grant:
        return UNBOUND


def a_view(*tables: Any) -> RoleView:
    built = build_query_schema(build_model(a_catalog(*tables)), lambda *_: True)
    return RoleView(built, Everything(), Limits(), tenant_schema(built.graphql).answer)


def compile_text(view: RoleView, text: str, **variables: object) -> Any:
    prepared = view.prepare(text, None)
    return view.compile(prepared, prepared.read_variables.coerce(variables))


@pytest.mark.parametrize(
    ("predicate", "raises"),
    [
        (SAFE, False),
        (REGEX, True),
        (Not(REGEX), True),
        (NotTrue(REGEX), True),
        (all_of(SAFE, REGEX), True),
        (Exists("list", REGEX, under_grant=False), True),
        (Exists("list", fence(GRANT, REGEX), under_grant=False), True),
        (Exists("list", SAFE, under_grant=False), False),
        (Applied(RowCount("list", REGEX), "= any", Constant((1,), INT4)), True),
        (Applied(TITLE, "&&", Constant("[", PgType("int4range", "int4range", "range"))), True),
        (Search(TITLE, Constant("a", TEXT), "web"), True),
        (Search(ColumnOf("words", PgType("tsvector", "tsvector")), Constant("a", TEXT), "web"), False),
        (Search(ColumnOf("words", PgType("tsvector", "tsvector")), Constant("a", TEXT), "raw"), True),
    ],
)
def test_what_can_fail_on_a_row_is_known(predicate: Predicate, *, raises: bool) -> None:
    assert can_raise(predicate) is raises


def test_the_fence_holds_back_only_what_can_fail() -> None:
    assert fence(GRANT, all_of(SAFE, REGEX)) == And((all_of(GRANT, SAFE), Fenced(all_of(GRANT, SAFE), REGEX)))
    assert fence(GRANT, SAFE) == And((GRANT, SAFE))
    assert fence(ALWAYS, REGEX) == REGEX
    assert fence(NEVER, REGEX) == NEVER


def test_values_share_a_plan_and_structure_does_not() -> None:
    view = a_view()
    text = "query ($w: item_where, $o: [item_order!]) { item(where: $w, order_by: $o) { id } }"
    prepared = view.prepare(text, None)

    for number in range(5):
        view.compile(prepared, {"w": {"id": {"_eq": number}}, "o": [{"title": "asc"}]})
        view.compile(prepared, {"w": {"id": {"_in": [number]}}, "o": [{"title": "desc"}]})

    assert len(prepared.plans) == 2


@pytest.mark.parametrize(
    "where",
    [
        "{ title: null }",
        "{ _and: null }",
        "{ _or: null }",
        "{ _not: null }",
        "{ _compare: null }",
        "{ list: null }",
        "{ title: { _search: null } }",
    ],
)
def test_null_is_refused_in_place_of_a_condition(where: str) -> None:
    view = a_view()
    with pytest.raises(InvalidCondition):
        compile_text(view, f"{{ item(where: {where}) {{ id }} }}")


def test_a_condition_is_bounded() -> None:
    view = a_view()
    many = ", ".join(["{ id: { _eq: 1 } }"] * MAX_CONDITIONS)
    far = ", ".join(["{ list: {} }"] * (MAX_RELATIONS + 1))
    deep = "{ _not: " * MAX_DEPTH + "{}" + " }" * MAX_DEPTH
    for where in (f"{{ _or: [{many}] }}", f"{{ _or: [{far}] }}", deep):
        with pytest.raises(InvalidCondition):
            _compile_unlimited(view, where)


def _compile_unlimited(view: RoleView, where: str) -> None:
    limits = Limits(max_tokens=1_000_000)
    unlimited = RoleView(view.schema, Everything(), limits, tenant_schema(view.schema.graphql).answer)
    compile_text(unlimited, f"{{ item(where: {where}) {{ id }} }}")


def test_a_value_that_is_none_of_its_type_is_refused_before_the_database_sees_it() -> None:
    view = a_view()
    for where in ('{ made: { _eq: "x\\u0000" } }', '{ title: { _like: "a\\\\" } }', '{ mood: { _eq: "angry" } }'):
        with pytest.raises(InvalidValue):
            compile_text(view, f"{{ item(where: {where}) {{ id }} }}")


def test_columns_that_cannot_be_compared_are_refused() -> None:
    with pytest.raises(WrongType, match="cannot be compared"):
        compile_text(a_view(), "{ item(where: { _compare: { column: title, _eq: made } }) { id } }")


@pytest.mark.parametrize(
    "order",
    [
        "{ item_collection: { function: max } }",
        "{ item_collection: { function: sum, column: title } }",
        "{ item_collection: { function: max, column: done } }",
        "{ owner_id: asc, item_collection: { function: avg, column: made } }",
    ],
)
def test_an_order_by_what_there_is_not_is_refused(order: str) -> None:
    with pytest.raises((InvalidOrder, WrongType)):
        compile_text(a_view(), f"{{ list(order_by: {order}) {{ id }} }}")


def test_distinct_columns_must_be_comparable() -> None:
    with pytest.raises(WrongType):
        compile_text(a_view(), "{ item(distinct_on: place) { id } }")


def test_types_made_for_a_table_give_way_to_tables() -> None:
    model = build_model(a_catalog(a_table("a"), a_table("a_where"), a_table("a_where_"), a_table("Text_form")))

    assert {"a", "a_where", "a_where_", "Text_form"} == set(model.entities)
    assert derived_type_name(model, model.entities["a"], "_where") == "a_where__"
    assert derived_type_name(model, model.entities["Text_form"], "_where") == "Text_form_where_"
    build_query_schema(model, lambda *_: True)


def test_no_ending_of_a_derived_type_ends_another() -> None:
    assert not [(one, other) for one in DERIVED for other in DERIVED if one != other and one.endswith(other)]
    assert not any(ending.endswith("_") for ending in DERIVED)


def test_columns_called_like_words_of_a_condition_get_an_underscore() -> None:
    columns: tuple[Column, ...] = tuple(a_column(name) for name in ("id", "_and", "_and_", "null", "true"))
    model = build_model(a_catalog(a_table("t", *columns)))
    entity = model.entities["t"]

    assert list(condition_members(entity)) == ["id", "_and__", "_and_", "null", "true"]
    assert list(column_members(entity)) == ["id", "_and", "_and_", "null_", "true_"]
    view = a_view(a_table("t", *columns))
    text = '{ t(where: { _and__: { _eq: "x" } }, distinct_on: [null_]) { id } }'
    assert '"t_1"."_and" = ' in compile_text(view, text).statement.text


def test_every_shared_type_is_on_the_list_of_reserved_names() -> None:
    types = a_view().schema.graphql.type_map
    shared = {
        name
        for name, kind in types.items()
        if name.endswith("_where") and isinstance(kind, GraphQLInputObjectType) and "_and" not in kind.fields
    }

    assert shared
    assert shared <= SHARED_TYPES


def test_the_types_of_a_condition_refer_to_the_same_shared_ones() -> None:
    types = a_view(
        a_table("a", a_column("id", "int4"), a_column("n", "int4")),
        a_table("b", a_column("id", "int4"), a_column("a_id", "int4"), foreign_keys=[a_foreign_key("a_id", "a")]),
    ).schema.graphql.type_map
    a_where: Any = types["a_where"]
    b_where: Any = types["b_where"]

    assert a_where.fields["n"].type is b_where.fields["a_id"].type
    assert b_where.fields["a"].type is a_where
