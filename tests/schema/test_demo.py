"""The demo tenants as the schema sees them: the names of their relations, and rules that mean something."""

from collections.abc import Awaitable, Callable

import asyncpg
import pytest

from db.catalog import PgType, TableName
from db.demo import policy
from db.demo.load import load_flights, load_todo
from db.read_catalog import read_catalog
from db.tenant_database import TenantDatabase
from schema.expression.check import check_expression
from schema.expression.coerce import Coercion
from schema.expression.parse import parse_expression
from schema.expression.predicate import ColumnOf, Compare, Constant, PrincipalValue, Value
from schema.model import Model
from schema.names import build_model

pytestmark = pytest.mark.postgres


async def model_of(database: str, load: Callable[[asyncpg.Connection], Awaitable[None]]) -> Model:
    connection = await asyncpg.connect(database)
    await load(connection)
    await connection.close()
    async with TenantDatabase(database, max_connections=1) as tenant_database:
        return build_model(await read_catalog(tenant_database, ["public"]))


def relations(model: Model, entity: str) -> dict[str, str]:
    return {name: relation.target.name for name, relation in model.entities[entity].relations.items()}


def constant(_: int, value: object, pg_type: PgType, coerce: Coercion) -> Value:
    return Constant(coerce(value), pg_type)


async def test_relations_of_flights_have_the_names_a_reader_expects(database: str) -> None:
    model = await model_of(database, load_flights)

    assert relations(model, "flights") == {
        "airline": "airlines",
        "plane": "planes",
        "airport": "airports",
        "airport_dest": "airports",
        "weather": "weather",
    }
    flights = model.entities["flights"].relations
    assert flights["airport"].columns == ("origin",)
    assert flights["airport_dest"].columns == ("dest",)
    assert relations(model, "airports") == {
        "flights_collection": "flights",
        "flights_dest_collection": "flights",
        "weather_collection": "weather",
    }
    assert relations(model, "weather") == {"airport": "airports", "flights_collection": "flights"}
    assert model.notes == ()


async def test_relations_of_todo_have_the_names_of_the_contract(database: str) -> None:
    model = await model_of(database, load_todo)

    assert relations(model, "item") == {"list": "list", "status_value": "status_value"}
    assert relations(model, "list") == {"status_value": "status_value", "item_collection": "item"}
    assert relations(model, "status_value") == {"item_collection": "item", "list_collection": "list"}
    assert relations(model, "devii_users") == {}


async def test_filters_of_the_todo_rules_compare_the_owner_with_the_caller(database: str) -> None:
    model = await model_of(database, load_todo)
    filtered = [
        rule
        for rule in policy.TODO.rules
        if rule.filter and not any("roles_pbac." in target for target in rule.targets)
    ]

    for rule in filtered:
        for target in rule.targets:
            entity = model.by_table[TableName("public", target.removeprefix("public."))]
            found = check_expression(parse_expression(rule.filter), entity, model, constant, under_grant=False)
            assert isinstance(found, Compare)
            assert isinstance(found.left, ColumnOf)
            assert found.left.name == "devii_roleid"
            assert isinstance(found.right, PrincipalValue)
            assert found.right.attribute == "roleid"
    assert len(filtered) == 4
