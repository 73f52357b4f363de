"""introspection_of: the introspection of a whole schema as JSON, as graphql-core's own query for it would be answered.

That query is executed field by field, by which a thousand tables take a quarter of a minute. Here each type is written
once, and an argument that many fields share is written once as well.
"""

from collections.abc import Iterable, Mapping
from typing import Final, cast

import orjson
from graphql import (
    GraphQLArgument,
    GraphQLDirective,
    GraphQLEnumType,
    GraphQLEnumValue,
    GraphQLField,
    GraphQLInputField,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNamedType,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLScalarType,
    GraphQLSchema,
    GraphQLUnionType,
    is_abstract_type,
    print_ast,
)
from graphql.utilities import get_default_value_ast

InputValue = GraphQLArgument | GraphQLInputField
_KINDS: Final[tuple[tuple[type[GraphQLNamedType], str], ...]] = (
    (GraphQLScalarType, "SCALAR"),
    (GraphQLObjectType, "OBJECT"),
    (GraphQLInterfaceType, "INTERFACE"),
    (GraphQLUnionType, "UNION"),
    (GraphQLEnumType, "ENUM"),
    (GraphQLInputObjectType, "INPUT_OBJECT"),
)


def introspection_of(schema: GraphQLSchema) -> bytes:
    """`{"__schema":{…}}`, with everything that graphql-core's query asks for unless it is told otherwise."""
    return _Writer(schema).write().encode()


class _Writer:
    def __init__(self, schema: GraphQLSchema) -> None:
        self._schema = schema
        #: Of the arguments and input fields by their identity, which lasts as long as the schema does.
        self._values: dict[int, str] = {}

    def write(self) -> str:
        schema = self._schema
        roots = ((name, getattr(schema, f"{name}_type")) for name in ("query", "mutation", "subscription"))
        members = [f'"{name}Type":{self._root(root)}' for name, root in roots]
        types = ",".join(map(self._type, schema.type_map.values()))
        directives = ",".join(map(self._directive, schema.directives))
        head = f'"description":{_text(schema.description)},{",".join(members)}'
        return f'{{"__schema":{{{head},"types":[{types}],"directives":[{directives}]}}}}'

    def _root(self, type_: GraphQLObjectType | None) -> str:
        return "null" if type_ is None else f'{{"name":{_text(type_.name)},"kind":"OBJECT"}}'

    def _type(self, type_: GraphQLNamedType) -> str:
        kind = _kind_of(type_)
        url = type_.specified_by_url if isinstance(type_, GraphQLScalarType) else None
        one_of = _boolean(type_.is_one_of) if isinstance(type_, GraphQLInputObjectType) else "null"
        fields = inputs = interfaces = values = possible = "null"
        match type_:
            case GraphQLObjectType() | GraphQLInterfaceType():
                fields = _list(self._field(name, each) for name, each in type_.fields.items())
                interfaces = _list(map(self._reference, type_.interfaces))
            case GraphQLEnumType():
                values = _list(self._enum_value(name, each) for name, each in type_.values.items())
            case GraphQLInputObjectType():
                inputs = self._input_values(type_.fields)
            case _:
                pass
        if is_abstract_type(type_):
            possible = _list(map(self._reference, self._schema.get_possible_types(type_)))
        return (
            f'{{"kind":"{kind}","name":{_text(type_.name)},"description":{_text(type_.description)},'
            f'"specifiedByURL":{_text(url)},"isOneOf":{one_of},"fields":{fields},"inputFields":{inputs},'
            f'"interfaces":{interfaces},"enumValues":{values},"possibleTypes":{possible}}}'
        )

    def _field(self, name: str, field: GraphQLField) -> str:
        return (
            f'{{"name":"{name}","description":{_text(field.description)},"args":{self._input_values(field.args)},'
            f'"type":{self._reference(_type_of(field))},{_deprecation(field.deprecation_reason)}}}'
        )

    def _input_values(self, values: Mapping[str, InputValue]) -> str:
        return _list(self._input_value(name, value) for name, value in values.items())

    def _input_value(self, name: str, value: InputValue) -> str:
        known = self._values.get(id(value))
        # One object may stand under several names.
        if known is None or not known.startswith(f'{{"name":"{name}",'):
            default = get_default_value_ast(value)
            known = self._values[id(value)] = (
                f'{{"name":"{name}","description":{_text(value.description)},"type":{self._reference(_type_of(value))},'
                f'"defaultValue":{_text(print_ast(default) if default else None)},'
                f"{_deprecation(value.deprecation_reason)}}}"
            )
        return known

    def _enum_value(self, name: str, value: GraphQLEnumValue) -> str:
        description, deprecation = _text(value.description), _deprecation(value.deprecation_reason)
        return f'{{"name":"{name}","description":{description},{deprecation}}}'

    def _directive(self, directive: GraphQLDirective) -> str:
        locations = _list(f'"{location.name}"' for location in directive.locations)
        return (
            f'{{"name":"{directive.name}","description":{_text(directive.description)},'
            f'"isRepeatable":{_boolean(directive.is_repeatable)},{_deprecation(directive.deprecation_reason)},'
            f'"locations":{locations},"args":{self._input_values(directive.args)}}}'
        )

    def _reference(self, type_: object) -> str:
        kind, name, inner = self._parts(type_)
        return f'{{"kind":"{kind}","name":{name},"ofType":{inner}}}'

    def _wrapped(self, type_: object) -> str:
        # The query asks for these two in the opposite order there.
        kind, name, inner = self._parts(type_)
        return f'{{"name":{name},"kind":"{kind}","ofType":{inner}}}'

    def _parts(self, type_: object) -> tuple[str, str, str]:
        if isinstance(type_, GraphQLNonNull | GraphQLList):
            kind = "NON_NULL" if isinstance(type_, GraphQLNonNull) else "LIST"
            return kind, "null", self._wrapped(cast("GraphQLList[GraphQLNamedType]", type_).of_type)
        named = cast("GraphQLNamedType", type_)
        return _kind_of(named), f'"{named.name}"', "null"


def _type_of(member: GraphQLField | InputValue) -> object:
    return cast("object", member.type)  # pyright: ignore[reportUnknownMemberType]


def _kind_of(type_: GraphQLNamedType) -> str:
    return next(kind for each, kind in _KINDS if isinstance(type_, each))


def _text(text: str | None) -> str:
    return "null" if text is None else orjson.dumps(text).decode()


def _boolean(value: object) -> str:
    return "true" if value else "false"


def _list(items: Iterable[str]) -> str:
    return f"[{','.join(items)}]"


def _deprecation(reason: str | None) -> str:
    return f'"isDeprecated":{_boolean(reason is not None)},"deprecationReason":{_text(reason)}'
