import pytest

from db.catalog import PgType
from db.errors import InvalidValue
from schema.errors import OperationError, UnknownColumn, UnsupportedExpression, WrongType
from schema.expression.check import check_expression
from schema.expression.coerce import Coercion, coercer
from schema.expression.parse import parse_expression
from schema.expression.predicate import (
    ALWAYS,
    NEVER,
    And,
    AnyOf,
    ColumnOf,
    Compare,
    Constant,
    Exists,
    IsNull,
    Lifted,
    Matches,
    Not,
    Or,
    Predicate,
    PrincipalValue,
    Value,
)
from schema.expression.types import BOOL, INT4, INT4_ARRAY, INT8, NUMERIC, TEXT, TEXT_ARRAY
from tests.builders import MOOD, a_model, a_type

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
        ("(id = 1) = true", UnsupportedExpression),
        ("list." * 17 + "id = 1", UnsupportedExpression),
        (" or ".join(["list.id = 1"] * 101), UnsupportedExpression),
    ],
)
def test_an_expression_is_refused(expression: str, error: type[OperationError]) -> None:
    with pytest.raises(error) as raised:
        check(expression)

    assert raised.value.message.endswith(".")


def test_a_pattern_that_ends_in_a_lone_backslash_is_refused() -> None:
    with pytest.raises(InvalidValue):
        check("title like 'x\\'")
    assert check(r"title like 'x\\'") == Matches(TITLE, text(r"x\\"), "like")
