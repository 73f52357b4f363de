"""The recipes of docs/policy.md, each on a tenant of its own: its tables, its rules, and what it says comes of them."""

import json
import re
from collections.abc import Iterator
from itertools import groupby

import pytest

from schema.principal import NORMAL_CAPABILITIES
from tests.databases import Databases
from tests.documents import blocks_of, read_document
from tests.houses import House, Member
from tests.worlds import World

pytestmark = pytest.mark.server

SAYS = re.compile(r"root says of (\w+): (.*)")
TOLD = re.compile(r"(\w+) is told (\d+): (.*)")
LINE = re.compile(r"(\w+) (sees|can|cannot)(?: (\w+))?(?: where ([^:]+))?(?: at (\S+))?:(.*)")
SECTIONS = {
    heading: {block.language: block.text for block in blocks}
    for heading, blocks in groupby(blocks_of(read_document("docs/policy.md")), key=lambda block: block.heading)
}
RECIPES = {heading: blocks for heading, blocks in SECTIONS.items() if "sql" in blocks}


@pytest.fixture
def bare(world: World, databases: Databases) -> Iterator[tuple[House, str]]:
    """A tenant of which the database is still empty, and the DSN of that."""
    dsn = databases.create()
    yield House.open(world, dsn), dsn
    databases.drop(dsn)


def test_there_is_a_recipe_for_each_common_wish() -> None:
    assert list(RECIPES) == [
        "Own rows",
        "Teams",
        "Public read, with a column for those who are concerned",
        "Sign-up",
        "Soft delete",
        "Hierarchy",
        "Statistics without rows",
        "Regions that a role is for",
        "A role that makes rules",
    ]
    assert all(recipe.keys() == {"sql", "json", "text"} for recipe in RECIPES.values())


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_gives_what_it_says(bare: tuple[House, str], databases: Databases, name: str) -> None:
    house, dsn = bare
    recipe = RECIPES[name]
    normal = sorted(NORMAL_CAPABILITIES)
    chief = house.member(*normal, "create_rule")
    people = {
        "ann": house.member(*normal, parent=chief),
        "bob": house.member(*normal),
        "chief": chief,
        "visitor": house.enable_anonymous(),
    }
    users = house.role_class(people["ann"], people["bob"])
    rename = "mutation ($i: role_classInput, $id: ID!) { update_role_class(classid: $id, input: $i) { name } }"
    named = {"tenantid": house.tenant_id, "name": "users", "inherit": "none"}
    house.control(house.root, rename, {"id": users, "i": named})
    ids = {login: member.role_id for login, member in people.items()} | {"tenant": house.tenant_id, "users": users}

    def filled(text: str) -> str:
        return re.sub(r":(ann|bob|tenant|users)\b", lambda found: str(ids[found[1]]), text)

    databases.execute_in(dsn, filled(recipe["sql"]))
    for rule in json.loads(recipe["json"]):
        known = {"capabilities", "targets", "filter", "roles", "classes"}
        house.rule(
            rule["capabilities"],
            rule["targets"],
            rule.get("filter", ""),
            to=[people[login] for login in rule.get("roles", [])],
            classes=[users] if rule.get("classes") else [],
            **{key: value for key, value in rule.items() if key not in known},
        )
    for line in recipe["text"].splitlines():
        check(house, people, filled(line))


def claim(house: House, who: Member, claims: object) -> None:
    given = {"tenantid": house.tenant_id, "login": who.login, "name": "A role", "claims": claims}
    update = "mutation ($i: roleInput!, $id: ID!) { update_role(roleid: $id, input: $i) { roleid } }"
    house.control(house.root, update, {"id": who.role_id, "i": given})


def check(house: House, people: dict[str, Member], line: str) -> None:
    """Nothing, where the line is true."""
    if said := SAYS.fullmatch(line):
        claim(house, people[said[1]], json.loads(said[2]))
        return
    if told := TOLD.fullmatch(line):
        [[[number]]] = [
            [list(each.values()) for each in top.values()] for top in house.ask(people[told[1]], told[3]).values()
        ]
        assert number == int(told[2]), line
        return
    found = LINE.fullmatch(line)
    assert found is not None, line
    login, verb, table, where, path, rest = found.groups()
    who = people[login]
    if verb == "sees":
        rows = house.ask(who, f"query ($f: String) {{ {table}(filter: $f) {{ id }} }}", {"f": where})[table]
        assert sorted(int(row["id"]) for row in rows) == [int(number) for number in rest.split()], line
        return
    answer = house.wire.post(path or "/query", {"query": rest}, who.token).json()
    assert ("errors" in answer) is (verb == "cannot"), (line, answer)
