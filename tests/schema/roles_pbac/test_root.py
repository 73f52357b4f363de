"""The control schema as a whole."""

import strawberry
from graphql import GraphQLInputObjectType, GraphQLSchema, build_schema, graphql_sync

from schema.roles_pbac.root import control_schema, control_schema_text


def test_the_schema_has_the_types_of_the_wire() -> None:
    types = control_schema().core.type_map

    assert str(types["role"].fields["roleid"].type) == "ID!"
    assert str(types["role"].fields["classes"].type) == "[role_class]"
    assert str(types["role"].fields["password_createtime"].type) == "DateTime!"
    assert str(types["policy_rule"].fields["roles"].type) == "[Int]"
    assert str(types["Query"].fields["role"].type) == "[role]"
    assert str(types["Mutation"].fields["update_role"].args["input"].type) == "roleInput"
    assert str(types["Mutation"].fields["update_role"].args["roleid"].type) == "ID!"
    assert str(types["Utility"].fields["role_token"].args["roleid"].type) == "Int!"
    assert isinstance(types["roleInput"], GraphQLInputObjectType)


def test_building_it_leaves_introspection_of_other_schemas_as_it_was() -> None:
    other: GraphQLSchema = build_schema("input one @oneOf { a: Int b: Int } type Query { f(x: one): Int }")
    control_schema.cache_clear()
    control_schema()

    result = graphql_sync(other, '{ __type(name: "one") { isOneOf } }')

    assert result.data == {"__type": {"isOneOf": True}}


def test_login_replies_carry_both_forms() -> None:
    body = control_schema_text().body

    assert body.startswith(b'{"gql":"')
    assert b'"json":{"__schema":{' in body


def test_no_field_of_any_type_holds_a_hash() -> None:
    names = {name for kind in control_schema().core.type_map.values() for name in getattr(kind, "fields", {})}

    assert not {name for name in names if "hash" in name or "dsn" in name}
    assert issubclass(type(control_schema()), strawberry.Schema)
