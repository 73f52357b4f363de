from dataclasses import replace

import pytest

from db.catalog import PgType
from db.errors import InvalidValue
from schema.errors import (
    ExpressionSyntaxError,
    OperationError,
    UnknownColumn,
    UnknownFunction,
    UnsupportedExpression,
    WrongType,
)
from schema.expression.check import check_expression
from schema.expression.coerce import Coercion, coercer
from schema.expression.parse import parse_expression
from schema.expression.predicate import (
    ALWAYS,
    NEVER,
    Aggregated,
    And,
    AnyOf,
    Calculated,
    Cast,
    ColumnOf,
    Compare,
    Constant,
    Exists,
    IsNull,
    Lifted,
    Matches,
    Not,
    Operand,
    Or,
    Outer,
    Predicate,
    PrincipalValue,
    Related,
    Value,
    Way,
)
from schema.expression.types import (
    BOOL,
    DATE,
    FLOAT8,
    INT4,
    INT4_ARRAY,
    INT8,
    INTERVAL,
    NUMERIC,
    TEXT,
    TEXT_ARRAY,
    TIMESTAMPTZ,
)
from tests.builders import MOOD, a_column, a_model, a_table, a_type

MODEL = a_model()


def constant(_: int, value: object, pg_type: PgType, coerce: Coercion) -> Value:
    return Constant(coerce(value), pg_type)


def lifted(index: int, _: object, pg_type: PgType, coerce: Coercion) -> Value:
    return Lifted(index, pg_type, coerce)


def check(text: str, table: str = "item", *, under_grant: bool = True) -> Predicate:
    expression = parse_expression(text)
    return check_expression(expression, MODEL.entities[table], MODEL, constant, under_grant=under_grant)


def column(name: str, pg_type: str | PgType = "text") -> ColumnOf:
    return ColumnOf(name, a_type(pg_type) if isinstance(pg_type, str) else pg_type)


def text(value: str) -> Constant:
    return Constant(value, TEXT)


ID, TITLE, DONE, NAME = column("id", "int4"), column("title"), column("done", "bool"), column("name")
SEVEN = Constant(7, INT8)
TRUE, FALSE = Constant(True, BOOL), Constant(False, BOOL)
NAMED_X = Compare(NAME, "=", text("x"))


@pytest.mark.parametrize(
    ("expression", "predicate"),
    [
        ("", ALWAYS),
        (" \n", ALWAYS),
        ("id = 7", Compare(ID, "=", SEVEN)),
        ("id =7", Compare(ID, "=", SEVEN)),
        ('id = "7"', Compare(ID, "=", SEVEN)),
        ("7 < id", Compare(SEVEN, "<", ID)),
        ("id >= -7", Compare(ID, ">=", Constant(-7, INT8))),
        ("id != +7", Compare(ID, "!=", SEVEN)),
        ("id = 3000000000", Compare(ID, "=", Constant(3000000000, INT8))),
        ("id < 2.50", Compare(ID, "<", Constant("2.50", NUMERIC))),
        ("title = 'it''s'", Compare(TITLE, "=", text("it's"))),
        ('title = "say ""hi"""', Compare(TITLE, "=", text('say "hi"'))),
        ("title = 007", Compare(TITLE, "=", text("007"))),
        ("subtitle = 'x'", Compare(column("subtitle", "varchar"), "=", text("x"))),
        ("code = 'x'", Compare(column("code", "bpchar"), "=", Constant("x", a_type("bpchar")))),
        ("price = 0.10", Compare(column("price", "numeric"), "=", Constant("0.10", NUMERIC))),
        ("weight < -1.5e3", Compare(column("weight", "float8"), "<", Constant(-1500.0, a_type("float8")))),
        ("mood = 'calm'", Compare(column("mood", MOOD), "=", Constant("calm", MOOD))),
        (
            "made > '2024-08-01T12:00:00+00:00'",
            Compare(
                column("made", "timestamptz"), ">", Constant("2024-08-01T12:00:00+00:00", a_type("timestamptz"))
            ),
        ),
        ("title = subtitle", Compare(TITLE, "=", column("subtitle", "varchar"))),
        ("due <= made", Compare(column("due", "date"), "<=", column("made", "timestamptz"))),
        ("TITLE = 'x'", Compare(TITLE, "=", text("x"))),
        ("roleid = 7", Compare(column("roleId", "int8"), "=", SEVEN)),
        ("twin = 'x'", Compare(column("twin"), "=", text("x"))),
        ("done", Compare(DONE, "=", TRUE)),
        ("not done", Not(Compare(DONE, "=", TRUE))),
        ("done=false", Compare(DONE, "=", FALSE)),
        ("'false' != done", Compare(FALSE, "!=", DONE)),
        ("title = null", IsNull(TITLE)),
        ("null != title", IsNull(TITLE, negated=True)),
        ("not title = null", IsNull(TITLE, negated=True)),
        ("data = null", IsNull(column("data", "json"))),
        ("null = null", ALWAYS),
        ("7 = null", NEVER),
        ("true", ALWAYS),
        ("NOT TRUE", NEVER),
        ("1 = 1.0", Compare(Constant("1", NUMERIC), "=", Constant("1.0", NUMERIC))),
        ("1 = '1'", Compare(Constant("1", NUMERIC), "=", Constant("1", NUMERIC))),
        ("'a' < 'b'", Compare(text("a"), "<", text("b"))),
        ("true = false", Compare(TRUE, "=", FALSE)),
        ("id in [7, '8']", AnyOf(ID, (SEVEN, Constant(8, INT8)))),
        ("id IN [7, 8.5]", AnyOf(ID, (Constant("7", NUMERIC), Constant("8.5", NUMERIC)))),
        ("id NOT IN [7]", AnyOf(ID, (SEVEN,), negated=True)),
        ("not id not in [7]", AnyOf(ID, (SEVEN,))),
        ("id in []", NEVER),
        ("id not in []", ALWAYS),
        ("7 in [7]", AnyOf(Constant("7", NUMERIC), (Constant("7", NUMERIC),))),
        ("done in [true, false]", AnyOf(DONE, (TRUE, FALSE))),
        (
            "title in ['x', subtitle]",
            Or((AnyOf(TITLE, (text("x"),)), Compare(TITLE, "=", column("subtitle", "varchar")))),
        ),
        (
            "title not in ['x', subtitle]",
            And((AnyOf(TITLE, (text("x"),), negated=True), Compare(TITLE, "!=", column("subtitle", "varchar")))),
        ),
        ("title like 'a%'", Matches(TITLE, text("a%"), "like")),
        ('title ILIKE "%x%"', Matches(TITLE, text("%x%"), "ilike")),
        ("title NOT LIKE 'a%'", Matches(TITLE, text("a%"), "like", negated=True)),
        ("not title not like 'a%'", Matches(TITLE, text("a%"), "like")),
        ("id = $_PRINCIPAL.roleid", Compare(ID, "=", PrincipalValue("roleid", INT4))),
        ("$_PRINCIPAL.tenantid = title", Compare(PrincipalValue("tenantid", TEXT), "=", TITLE)),
        ("id in $_PRINCIPAL.classes", AnyOf(ID, PrincipalValue("classes", INT4_ARRAY))),
        ("id = $_PRINCIPAL.children", AnyOf(ID, PrincipalValue("children", INT4_ARRAY))),
        ("$_PRINCIPAL.classes != id", AnyOf(ID, PrincipalValue("classes", INT4_ARRAY), negated=True)),
        ("title = $_PRINCIPAL.classes", AnyOf(TITLE, PrincipalValue("classes", TEXT_ARRAY))),
        ("title in $_PRINCIPAL.capabilities", AnyOf(TITLE, PrincipalValue("capabilities", TEXT_ARRAY))),
        ("7 in $_PRINCIPAL.classes", AnyOf(SEVEN, PrincipalValue("classes", INT4_ARRAY))),
        ("'admin' = $_PRINCIPAL.capabilities", AnyOf(text("admin"), PrincipalValue("capabilities", TEXT_ARRAY))),
        ("$_PRINCIPAL.parentid = null", IsNull(PrincipalValue("parentid", INT4))),
        ("$_PRINCIPAL.is_guest", Compare(PrincipalValue("is_guest", BOOL), "=", TRUE)),
        ("not $_PRINCIPAL.IS_GUEST", Not(Compare(PrincipalValue("is_guest", BOOL), "=", TRUE))),
        ("$_PRINCIPAL.is_guest = false", Compare(PrincipalValue("is_guest", BOOL), "=", FALSE)),
        ("done = $_PRINCIPAL.is_guest", Compare(DONE, "=", PrincipalValue("is_guest", BOOL))),
        (
            "$_PRINCIPAL.roleid = 7",
            Compare(PrincipalValue("roleid", INT4), "=", Constant("7", NUMERIC)),
        ),
        (
            "id = 7 or done and title = null",
            Or((Compare(ID, "=", SEVEN), And((Compare(DONE, "=", TRUE), IsNull(TITLE))))),
        ),
        (
            "(id = 7 OR done) AND title = null",
            And((Or((Compare(ID, "=", SEVEN), Compare(DONE, "=", TRUE))), IsNull(TITLE))),
        ),
        (
            "not (id = 7 or title = null)",
            And((Not(Compare(ID, "=", SEVEN)), IsNull(TITLE, negated=True))),
        ),
        ("list.name = 'x'", Exists("list", NAMED_X, under_grant=True)),
        (
            "list.order > list.owner_id",
            Exists("list", Compare(column("order", "int4"), ">", column("owner_id", "int4")), under_grant=True),
        ),
        ("List.Person.name = 'x'", Exists("list", Exists("person", NAMED_X, under_grant=True), under_grant=True)),
        ("list.person.role_id in $_PRINCIPAL.classes",
            Exists("list", Exists("person", AnyOf(column("role_id", "int4"), PrincipalValue("classes", INT4_ARRAY)),
                under_grant=True), under_grant=True)),
    ],
)  # fmt: skip
def test_an_expression_means(expression: str, predicate: Predicate) -> None:
    assert check(expression) == predicate


def test_a_collection_is_asked_for_some_related_row() -> None:
    some = Exists("item_collection", Compare(DONE, "=", TRUE), under_grant=True)

    assert check("item_collection.done", "list") == some
    assert check("NOT item_collection.done", "list") == Not(some)
    assert check("list_collection.item_collection.done", "person") == Exists("list_collection", some, under_grant=True)


def test_not_leaves_a_to_one_that_leads_nowhere_unknown() -> None:
    assert check("not list.name = 'x'") == Exists("list", Not(NAMED_X), under_grant=True)


def test_a_to_one_that_leads_nowhere_is_null() -> None:
    has_name = Exists("list", Exists("person", IsNull(NAME, negated=True), under_grant=True), under_grant=True)

    assert check("list.person.name != null") == has_name
    assert check("not list.person.name = null") == has_name
    is_absent = check("list.person.name = null")
    assert is_absent == Not(Exists("list", Exists("person", IsNull(NAME, negated=True), True), True))


def test_nothing_related_through_a_missing_to_one_satisfies_nothing() -> None:
    some = Exists("list", Exists("item_collection", Compare(DONE, "=", TRUE), True), True)

    assert check("list.item_collection.done") == some
    assert check("not list.item_collection.done") == Not(some)


def test_rules_see_related_rows_whole() -> None:
    assert check("list.name = 'x'", under_grant=False) == Exists("list", NAMED_X, under_grant=False)


def test_texts_of_one_shape_give_equal_predicates_when_literals_are_lifted() -> None:
    first, second = (
        check_expression(parse_expression(text), MODEL.entities["item"], MODEL, lifted, under_grant=True)
        for text in ("id = -7 and title like 'a%' or 1 in [2]", "id = -8 and title like 'b%' or 3 in [4]")
    )

    assert first == second
    assert hash(first) == hash(second)


def test_a_lifted_literal_knows_its_place_and_its_sign() -> None:
    predicate = check_expression(
        parse_expression("title = 'a' and id = -7"), MODEL.entities["item"], MODEL, lifted, under_grant=True
    )

    assert isinstance(predicate, And)
    title, number = predicate.operands
    assert title == Compare(TITLE, "=", Lifted(0, TEXT, coercer(TEXT)))
    assert isinstance(number, Compare)
    assert isinstance(number.right, Lifted)
    assert (number.right.index, number.right.type, number.right.coerce(7)) == (1, INT8, -7)


@pytest.mark.parametrize(
    ("expression", "error"),
    [
        ("nothing = 1", UnknownColumn),
        ("list.nothing = 1", UnknownColumn),
        ("nothing.id = 1", UnknownColumn),
        ("list = 1", UnknownColumn),
        ("id.x = 1", UnknownColumn),
        ("TWIN = 'x'", UnknownColumn),
        ("id = title", WrongType),
        ("id = true", WrongType),
        ("made = 5", WrongType),
        ("key = 5", WrongType),
        ("mood = 5", WrongType),
        ("mood = title", WrongType),
        ("id", WrongType),
        ("'x'", WrongType),
        ("null", WrongType),
        ("$_PRINCIPAL.roleid", WrongType),
        ("$_PRINCIPAL.is_guest + 1 = 2", WrongType),
        ("id = $_PRINCIPAL.is_guest", WrongType),
        ("id in $_PRINCIPAL.is_guest", WrongType),
        ("$_PRINCIPAL.is_guest = $_PRINCIPAL.roleid", WrongType),
        ("id < null", WrongType),
        ("id in [null]", WrongType),
        ("null in [1]", WrongType),
        ("id in $_PRINCIPAL.roleid", WrongType),
        ("id < $_PRINCIPAL.classes", WrongType),
        ("id in $_PRINCIPAL.capabilities", WrongType),
        ("key = $_PRINCIPAL.roleid", WrongType),
        ("done in $_PRINCIPAL.classes", WrongType),
        ("true in $_PRINCIPAL.classes", WrongType),
        ("5 in $_PRINCIPAL.capabilities", WrongType),
        ("$_PRINCIPAL.classes in [1]", WrongType),
        ("$_PRINCIPAL.classes = $_PRINCIPAL.children", WrongType),
        ("$_PRINCIPAL.classes = null", WrongType),
        ("id in [$_PRINCIPAL.classes]", WrongType),
        ("true = 1", WrongType),
        ("data = 'x'", WrongType),
        ("data in []", WrongType),
        ("place = '(1,2)'", WrongType),
        ("place = place", WrongType),
        ("tags = 'x'", WrongType),
        ("id like 'x'", WrongType),
        ("mood like 'x'", WrongType),
        ("title like 5", WrongType),
        ("title like null", WrongType),
        ("title like $_PRINCIPAL.roleid", WrongType),
        ("title + 1 = 2", WrongType),
        ("id + done = 2", WrongType),
        ("id + null = 2", WrongType),
        ("id + true = 2", WrongType),
        ("id + $_PRINCIPAL.classes = 2", WrongType),
        ("made + 5 = made", WrongType),
        ("made + made = made", WrongType),
        ("made % '1 day' = made", WrongType),
        ("key - key = 1", WrongType),
        ("price & 1 = 1", WrongType),
        ("1.5 << id = 1", WrongType),
        ("id + 1", WrongType),
        ("id + 1 = 'x' like 'y'", ExpressionSyntaxError),
        ("-title = 'x'", WrongType),
        ("+title = 'x'", WrongType),
        ("-done", WrongType),
        ("lower(id) = 'x'", WrongType),
        ("lower(5) = 'x'", WrongType),
        ("lower() = 'x'", WrongType),
        ("lower(title, title) = 'x'", WrongType),
        ("lower(*) = 'x'", WrongType),
        ("length(title)", WrongType),
        ("abs(title) = 'x'", WrongType),
        ("round(price, id) = 1", WrongType),
        ("coalesce(id, title) = 1", WrongType),
        ("coalesce(id, true) = 1", WrongType),
        ("coalesce(id, null) = 1", WrongType),
        ("concat(tags) = 'x'", WrongType),
        ("concat(null) = 'x'", WrongType),
        ("now(1) > made", WrongType),
        ("pg_sleep(10) = 1", UnknownFunction),
        ("version() = 'x'", UnknownFunction),
        ("max(lower(max(title))) = 'x'", UnsupportedExpression),
        ("max(1) = 1", WrongType),
        ("max(*) = 1", WrongType),
        ("count() = 1", WrongType),
        ("max(id, id) = 1", WrongType),
        ("sum(title) = 1", WrongType),
        ("avg(made) = made", WrongType),
        ("max(done) = true", WrongType),
        ("max(data) = 'x'", WrongType),
        ("id = " + "+".join(["1"] * 102), UnsupportedExpression),
        ("id = " + "abs(" * 45 + "1" + ")" * 45 + "+1" * 60, UnsupportedExpression),
        ("(id = 1) = true", UnsupportedExpression),
        ("list." * 17 + "id = 1", UnsupportedExpression),
        (" or ".join(["list.id = 1"] * 101), UnsupportedExpression),
    ],
)
def test_an_expression_is_refused(expression: str, error: type[OperationError]) -> None:
    with pytest.raises(error) as raised:
        check(expression)

    assert raised.value.message.endswith((".", ")"))


def test_a_pattern_that_ends_in_a_lone_backslash_is_refused() -> None:
    with pytest.raises(InvalidValue):
        check("title like 'x\\'")
    assert check(r"title like 'x\\'") == Matches(TITLE, text(r"x\\"), "like")


LIST_ID, ORDER = column("list_id", "int4"), column("order", "int4")
PRICE, WEIGHT, DUE, MADE = (
    column("price", "numeric"),
    column("weight", "float8"),
    column("due", "date"),
    column("made", "timestamptz"),
)


def number(value: str) -> Constant:
    return Constant(value, NUMERIC)


def numeric(operand: Operand) -> Cast:
    return Cast(operand, NUMERIC)


def some(relation: str, where: Predicate, outer: int = 0) -> Exists:
    return Exists(relation, where, under_grant=True, outer=outer)


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("id + 1", Calculated("+", (numeric(ID), number("1")), NUMERIC)),
        ("id * '2'", Calculated("*", (numeric(ID), numeric(Constant(2, INT8))), NUMERIC)),
        ("7 / id", Calculated("div", (number("7"), numeric(ID)), NUMERIC)),
        ("7.0 / id", Calculated("/", (number("7.0"), numeric(ID)), NUMERIC)),
        ("price - 1", Calculated("-", (PRICE, number("1")), NUMERIC, total=False)),
        ("price % 2", Calculated("%", (PRICE, number("2")), NUMERIC)),
        ("weight / 2", Calculated("/", (WEIGHT, Constant(2.0, FLOAT8)), FLOAT8, total=False)),
        ("weight % id", Calculated("%", (numeric(WEIGHT), numeric(ID)), NUMERIC)),
        ("id ^ 2", Calculated("^", (Cast(ID, FLOAT8), Cast(number("2"), FLOAT8)), FLOAT8, total=False)),
        ("price ^ 2", Calculated("^", (PRICE, number("2")), NUMERIC, total=False)),
        ("id & 3", Calculated("&", (Cast(ID, INT8), Constant(3, INT8)), INT8)),
        ("-id", Calculated("negative", (numeric(ID),), NUMERIC)),
        ("+id", ID),
        ("due + 1", Calculated("+", (DUE, Constant(1, INT4)), DATE, total=False)),
        ("made - '1 day'", Calculated("-", (MADE, Constant("1 day", INTERVAL)), TIMESTAMPTZ, total=False)),
        ("'2024-01-01' - due", Calculated("-", (Constant("2024-01-01", DATE), DUE), INT4, total=False)),
        ("made - due", Calculated("-", (MADE, Cast(DUE, TIMESTAMPTZ)), INTERVAL, total=False)),
        ("lower(code)", Calculated("lower", (Cast(column("code", "bpchar"), TEXT),), TEXT)),
        ("LENGTH('x')", Calculated("length", (text("x"),), INT4)),
        ("trim(title, 'x')", Calculated("trim_of", (TITLE, text("x")), TEXT)),
        ("abs(weight)", Calculated("abs", (WEIGHT,), FLOAT8)),
        ("round(price)", Calculated("round", (PRICE,), NUMERIC, total=False)),
        ("round(weight, 2)", Calculated("round_to", (numeric(WEIGHT), Constant(2, INT4)), NUMERIC)),
        ("coalesce(id, 0)", Calculated("coalesce", (Cast(ID, INT8), Constant(0, INT8)), INT8)),
        ("coalesce(id, 0.5)", Calculated("coalesce", (numeric(ID), number("0.5")), NUMERIC)),
        ("coalesce(due, made)", Calculated("coalesce", (Cast(DUE, TIMESTAMPTZ), MADE), TIMESTAMPTZ)),
        ("concat(title, 7, id)", Calculated("concat", (TITLE, text("7"), ID), TEXT)),
        ("now()", Calculated("now", (), TIMESTAMPTZ)),
        ("Current_Date", Calculated("current_date", (), DATE)),
        ("count(*)", Aggregated("count", None, INT8, under_grant=True)),
        ("max(made)", Aggregated("max", MADE, TIMESTAMPTZ, under_grant=True)),
        ("sum(id)", Aggregated("sum", numeric(ID), NUMERIC, under_grant=True)),
        ("avg(price)", Aggregated("avg", PRICE, NUMERIC, under_grant=True, total=False)),
        ("min(list.name)", Aggregated("min", Related("list", NAME, under_grant=True), TEXT, under_grant=True)),
        (
            "count(list.item_collection.id)",
            Aggregated("count", ID, INT8, under_grant=True, ways=(Way("list"), Way("item_collection"))),
        ),
        (
            "max(list.item_collection.list.order)",
            Aggregated(
                "max",
                Related("list", ORDER, under_grant=True),
                ORDER.type,
                under_grant=True,
                ways=(Way("list"), Way("item_collection")),
            ),
        ),
    ],
)
def test_a_value_is_calculated_by(expression: str, value: Operand) -> None:
    assert check(f"{expression} != null") == IsNull(value, negated=True)


def test_a_power_is_taken_from_the_right_and_all_else_from_the_left() -> None:
    def power(left: Operand, right: Operand) -> Calculated:
        return Calculated("^", (left, right), FLOAT8, total=False)

    one, two, three = (Cast(column(name, "int4"), FLOAT8) for name in ("id", "list_id", "id"))
    assert check("id ^ list_id ^ id = null") == IsNull(power(one, power(two, three)))
    inner = Calculated("-", (numeric(ID), number("1")), NUMERIC)
    assert check("id - 1 - 2 = null") == IsNull(Calculated("-", (inner, number("2")), NUMERIC))


@pytest.mark.parametrize(
    ("expression", "predicate"),
    [
        ("list.id = list_id", Compare(Related("list", ID, under_grant=True), "=", LIST_ID)),
        (
            "list.name = list.person.name",
            some("list", Compare(NAME, "=", Related("person", NAME, under_grant=True))),
        ),
        (
            "list.item_collection.id > id",
            some("list", some("item_collection", Compare(ID, ">", Outer(2, ID)))),
        ),
        (
            "list.item_collection.id > list.item_collection.list_id",
            some("list", some("item_collection", Compare(ID, ">", LIST_ID))),
        ),
        (
            "list.item_collection.id > list.order",
            some("list", some("item_collection", Compare(ID, ">", Outer(1, ORDER)))),
        ),
        ("coalesce(list.name, 'x') = 'x'", Compare(
            Calculated("coalesce", (Related("list", NAME, under_grant=True), text("x")), TEXT), "=", text("x")
        )),
        ("not list.id = list_id", Not(Compare(Related("list", ID, under_grant=True), "=", LIST_ID))),
        ("not list.item_collection.id > id",
            Not(some("list", some("item_collection", Compare(ID, ">", Outer(2, ID)))))),
        ("id in [7, list.id]",
            Or((AnyOf(ID, (SEVEN,)), Compare(ID, "=", Related("list", ID, under_grant=True)))) ),
        ("id in [7, list.item_collection.id]",
            Or((AnyOf(ID, (SEVEN,)), some("list", some("item_collection", Compare(Outer(2, ID), "=", ID)))))),
        ("title like lower(subtitle)",
            Matches(TITLE, Calculated("lower", (Cast(column("subtitle", "varchar"), TEXT),), TEXT), "like")),
        ("'x' like 'x'", Matches(text("x"), text("x"), "like")),
        ("coalesce(done, false)",
            Compare(Calculated("coalesce", (DONE, FALSE), BOOL), "=", TRUE)),
        ("list.order > max(id)",
            Compare(Related("list", ORDER, under_grant=True), ">", Aggregated("max", ID, ID.type, under_grant=True))),
        ("price = weight", Compare(PRICE, "=", WEIGHT)),
    ],
)  # fmt: skip
def test_values_of_several_rows_meet(expression: str, predicate: Predicate) -> None:
    assert check(expression) == predicate


def test_two_collections_are_asked_for_a_row_of_each() -> None:
    both = some("item_collection", some("person", some("list_collection", Compare(Outer(2, ID), "=", ID)), outer=1))

    assert check("item_collection.id = person.list_collection.id", "list") == both
    assert check("not item_collection.id = person.list_collection.id", "list") == Not(both)


def test_an_aggregate_may_speak_of_its_own_row() -> None:
    value = Calculated("*", (numeric(ID), numeric(Outer(1, ORDER))), NUMERIC)
    expected = Aggregated("sum", value, NUMERIC, under_grant=True, ways=(Way("item_collection"),))

    assert check("sum(item_collection.id * order) = null", "list") == IsNull(expected)


def test_an_aggregate_goes_through_one_collection() -> None:
    with pytest.raises(UnsupportedExpression):
        check("sum(item_collection.id * person.list_collection.id) = 1", "list")


def test_an_error_says_where() -> None:
    with pytest.raises(WrongType) as raised:
        check("done and title * 2 = 4")

    assert raised.value.message == "title is of type text and cannot be calculated with (at character 16)."


GERMAN = replace(a_column("german"), collation='"de-x-icu"')
FRENCH = replace(a_column("french"), collation='"fr-x-icu"')
FOLDING = replace(a_column("folding"), collation="folding", is_deterministic=False)
TEXTS = a_model(a_table("words", a_column("id", "int4"), a_column("plain"), GERMAN, FRENCH, FOLDING))


@pytest.mark.parametrize(
    "expression",
    [
        "german = french",
        "concat(german, french) = 'x'",
        "coalesce(german, french) = 'x'",
        "german in ['x', french]",
        "lower(german) < upper(french)",
        "max(german) = french",
        "german like french",
        "folding like 'x%'",
        "folding ilike 'x%'",
        "lower(folding) like 'x%'",
    ],
)
def test_texts_of_different_collations_do_not_meet(expression: str) -> None:
    with pytest.raises(WrongType):
        check_expression(parse_expression(expression), TEXTS.entities["words"], TEXTS, constant, under_grant=True)


@pytest.mark.parametrize(
    "expression",
    ["german = plain", "german = 'x'", "concat(german, plain) = german", "folding = 'x'", "plain like 'x'"],
)
def test_the_collation_of_the_database_meets_any(expression: str) -> None:
    check_expression(parse_expression(expression), TEXTS.entities["words"], TEXTS, constant, under_grant=True)
