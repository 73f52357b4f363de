"""What the oracle has found, shrunk, and kept."""

import pytest

from db.records import ColumnMask, Rule, RuleOptions
from schema.principal import Principal
from tests.asking import open_asker
from tests.databases import Databases

pytestmark = pytest.mark.postgres

TABLES = """
create table area (id int primary key, owner int, secret text);
create table box (id int primary key, owner int, area_id int references area);
create table link (area_id int references area, box_id int references box, primary key (area_id, box_id));
insert into area values (1, 7, 'one');
insert into box values (1, 7, 1), (2, 7, null);
"""
MEMBER = Principal(1, 7, "member", capabilities=frozenset({"select", "insert", "update", "delete"}))


def a_rule(capabilities: str, target: str, filter_text: str = "", number: int = 1, **options: object) -> Rule:
    return Rule(
        number,
        1,
        "rule",
        frozenset(capabilities.split()),
        frozenset({target}),
        filter_text,
        options=RuleOptions(**options),  # type: ignore[arg-type]
    )


@pytest.mark.parametrize(
    "test",
    [
        "{}.nosuch = 1",
        "{}.secret > 5",
        "{}.secret = 'x' and false",
        "count({}.nosuch) > 1",
        "{}.secret in [] and false",
    ],
)
@pytest.mark.parametrize("hidden", ["area", "link_collection", "area_link_collection"])
async def test_a_filter_tells_nothing_of_tables_that_are_hidden(database: str, test: str, hidden: str) -> None:
    """A relation to what nobody lets the caller read was looked up before it was refused, and what was wrong behind it
    was told; and where the condition came to nothing it was not refused at all."""
    async with open_asker(database, TABLES, [a_rule("select", "box")]) as asker:
        document = "query ($f: String) { box(filter: $f) { id } }"
        told = await asker.refused(document, {"f": test.format(hidden)}, MEMBER)
        of_nothing = await asker.refused(document, {"f": test.format("nosuch")}, MEMBER)

    assert told["message"].replace(hidden, "nosuch") == of_nothing["message"]
    assert told["extensions"] == of_nothing["extensions"]


async def test_a_role_that_may_delete_where_columns_are_masked_is_served(database: str) -> None:
    """The input of `if_match` had no field, and so the whole schema was invalid."""
    rule = a_rule("select delete", "area", masks=(ColumnMask("secret", "null"),))
    async with open_asker(database, TABLES, [rule]) as asker:
        assert await asker.ask("{ area { id secret } }", who=MEMBER) == {"area": [{"id": "1", "secret": None}]}
        assert "input areaInput {\n  id: ID\n  owner: Int\n}" in asker.sdl(MEMBER)


@pytest.mark.parametrize("capabilities", ["insert", "select update", "select insert update delete"])
async def test_a_rule_that_lets_no_column_be_written_leaves_the_schema_valid(database: str, capabilities: str) -> None:
    rules = [a_rule(capabilities, "area", write_columns=frozenset()), a_rule("select", "box", number=2)]
    async with open_asker(database, TABLES, rules) as asker:
        assert await asker.ask("{ box { id } }", who=MEMBER) == {"box": [{"id": "1"}, {"id": "2"}]}
        assert "create_area" not in asker.sdl(MEMBER)


@pytest.mark.parametrize("capabilities", ["select insert update delete", "select delete", "insert update", "insert"])
async def test_a_column_that_no_rule_lists_is_nowhere_in_the_schema(databases: Databases, capabilities: str) -> None:
    """It was in the enum of what an upsert can update; and that there is one was told by `if_version` and `versions`,
    which were missing where it was, and by the input of `if_match`."""
    told: list[str] = []
    for more in ("", ", hidden text"):
        dsn = databases.create()
        named = frozenset({"id", "name"})
        rule = a_rule(capabilities, "thing", read_columns=named, write_columns=named)
        async with open_asker(dsn, f"create table thing (id int primary key, name text{more})", [rule]) as asker:
            told.append(asker.sdl(MEMBER))
        databases.drop(dsn)

    assert told[0] == told[1]
    assert "hidden" not in told[1]
