"""every_type: what types lead to. graphql-core would follow them by recursion, which a chain of some hundred tables
takes beyond what Python allows."""

from collections.abc import Iterable, Iterator, Sequence

from graphql import (
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLUnionType,
    get_named_type,
)


def every_type(types: Sequence[GraphQLNamedType]) -> list[GraphQLNamedType]:
    """The types in their order, each followed by those that it leads to and that have not been there before."""
    found = dict.fromkeys(types)
    ordered: list[GraphQLNamedType] = []
    for type_ in types:
        waiting = [type_]
        while waiting:
            current = waiting.pop()
            ordered.append(current)
            news = dict.fromkeys(each for each in _led_to(current) if each not in found)
            found |= news
            waiting.extend(reversed(news))
    return ordered


def _led_to(type_: GraphQLNamedType) -> Iterator[GraphQLNamedType]:
    match type_:
        case GraphQLUnionType():
            yield from type_.types
        case GraphQLObjectType() | GraphQLInterfaceType():
            yield from type_.interfaces
            for field in type_.fields.values():
                yield get_named_type(field.type)
                yield from _named(argument.type for argument in field.args.values())
        case GraphQLInputObjectType():
            yield from _named(field.type for field in type_.fields.values())
        case _:
            pass


def _named(types: Iterable[object]) -> Iterator[GraphQLNamedType]:
    for type_ in types:
        yield get_named_type(type_)  # pyright: ignore[reportArgumentType, reportCallIssue]
