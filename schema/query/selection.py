"""What a selection set asks for: fields under their response keys, fragments spread, `@include` and `@skip` applied."""

from collections.abc import Mapping, Sequence

from graphql import (
    BooleanValueNode,
    DirectiveNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    SelectionSetNode,
    ValueNode,
    VariableNode,
)

Fragments = Mapping[str, FragmentDefinitionNode]
Variables = Mapping[str, object]


def collect_fields(
    selections: Sequence[SelectionSetNode], fragments: Fragments, variables: Variables
) -> dict[str, list[FieldNode]]:
    """Field nodes by response key, in the order of first appearance (GraphQL September 2025, 6.3.2 CollectFields).

    Every type of the generated schema is an object type, so a type condition that passed validation always holds.
    """
    fields: dict[str, list[FieldNode]] = {}
    visited: set[str] = set()

    def collect(selection_set: SelectionSetNode) -> None:
        for node in selection_set.selections:
            if not _is_included(node.directives, variables):
                continue
            match node:
                case FieldNode():
                    fields.setdefault(response_key(node), []).append(node)
                case InlineFragmentNode():
                    collect(node.selection_set)
                case FragmentSpreadNode() if node.name.value not in visited:
                    visited.add(node.name.value)
                    collect(fragments[node.name.value].selection_set)
                case _:
                    pass

    for selection_set in selections:
        collect(selection_set)
    return fields


def response_key(node: FieldNode) -> str:
    return node.alias.value if node.alias else node.name.value


def argument(node: FieldNode, name: str) -> ValueNode | None:
    """The value that is written for an argument, if any."""
    return next((given.value for given in node.arguments or () if given.name.value == name), None)


def _is_included(directives: Sequence[DirectiveNode] | None, variables: Variables) -> bool:
    for directive in directives or ():
        if directive.name.value in {"include", "skip"}:
            condition = next(given.value for given in directive.arguments or () if given.name.value == "if")
            holds = _truth(condition, variables)
            if holds == (directive.name.value == "skip"):
                return False
    return True


def _truth(node: ValueNode, variables: Variables) -> bool:
    match node:
        case BooleanValueNode():
            return node.value
        case VariableNode():
            return bool(variables.get(node.name.value))
        case _:
            return False
