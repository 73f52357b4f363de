"""The size of a document, measured before anything is validated: each fragment once, however often it is spread.

Strawberry's limiters walk a fragment again at every spread, so that 25 fragments of under 1 KB keep a process busy for
minutes (the same fault as GHSA-mfj6-6p54-m98c). Here the sizes of fragments are remembered and added up.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    OperationDefinitionNode,
    SelectionNode,
    SelectionSetNode,
)

from schema.query.errors import DocumentInvalid, Fault

# A chain of fragments that each spread the next one twice doubles at every step; beyond this the exact number
# tells nothing, and would only make the additions slower.
COUNTLESS = 10**9


@dataclass(frozen=True, slots=True)
class Size:
    """How large a selection set is with its fragments spread out.

    `depth` counts levels of fields, `nesting` levels of anything in braces, `width` the fields of the top level,
    `fields` the fields of all levels, `aliases` those among them that have an alias.
    """

    depth: int = 0
    nesting: int = 0
    width: int = 0
    fields: int = 0
    aliases: int = 0


NOTHING = Size()


def measure_operations(document: DocumentNode) -> list[tuple[OperationDefinitionNode, Size]]:
    """Each operation with its size. Raises DocumentInvalid for a ring of fragments, or for two of one name."""
    sizes = measure_fragments(fragments_by_name(document))
    return [
        (definition, measure_selections(definition.selection_set, sizes))
        for definition in document.definitions
        if isinstance(definition, OperationDefinitionNode)
    ]


def fragments_by_name(document: DocumentNode) -> dict[str, FragmentDefinitionNode]:
    """The fragments of the document. Raises DocumentInvalid when two have one name."""
    fragments: dict[str, FragmentDefinitionNode] = {}
    for definition in document.definitions:
        if isinstance(definition, FragmentDefinitionNode):
            name = definition.name.value
            if name in fragments:
                raise DocumentInvalid([Fault(f"There can be only one fragment named '{name}'.", _locate(definition))])
            fragments[name] = definition
    return fragments


def measure_fragments(fragments: Mapping[str, FragmentDefinitionNode]) -> dict[str, Size]:
    """The size of each fragment. Walks from spread to spread with a stack of its own: a chain may be of any length."""
    sizes: dict[str, Size] = {}
    for root in fragments:
        if root in sizes:
            continue
        path: list[tuple[str, Iterator[FragmentSpreadNode]]] = [(root, spreads_in(fragments[root].selection_set))]
        on_path = {root}
        while path:
            name, spreads = path[-1]
            spread = next(spreads, None)
            if spread is None:
                path.pop()
                on_path.remove(name)
                sizes[name] = measure_selections(fragments[name].selection_set, sizes)
                continue
            target = spread.name.value
            if target in on_path:
                raise DocumentInvalid([Fault(f"Cannot spread fragment '{target}' within itself.", _locate(spread))])
            if target in fragments and target not in sizes:
                path.append((target, spreads_in(fragments[target].selection_set)))
                on_path.add(target)
    return sizes


def measure_selections(selection_set: SelectionSetNode | None, sizes: Mapping[str, Size]) -> Size:
    """The size of one selection set, from the sizes of the fragments it spreads."""
    if selection_set is None:
        return NOTHING
    parts = [_measure_selection(selection, sizes) for selection in selection_set.selections]
    return Size(
        depth=max((part.depth for part in parts), default=0),
        nesting=1 + max((part.nesting for part in parts), default=0),
        width=_sum(part.width for part in parts),
        fields=_sum(part.fields for part in parts),
        aliases=_sum(part.aliases for part in parts),
    )


def spreads_in(selection_set: SelectionSetNode) -> Iterator[FragmentSpreadNode]:
    """Every spread that is written in this selection set, at whatever level."""
    waiting: list[SelectionNode] = list(selection_set.selections)
    while waiting:
        selection = waiting.pop()
        if isinstance(selection, FragmentSpreadNode):
            yield selection
        else:
            nested: SelectionSetNode | None = getattr(selection, "selection_set", None)
            if nested is not None:
                waiting.extend(nested.selections)


def _measure_selection(selection: SelectionNode, sizes: Mapping[str, Size]) -> Size:
    if isinstance(selection, FragmentSpreadNode):
        return sizes.get(selection.name.value, NOTHING)
    inner = measure_selections(getattr(selection, "selection_set", None), sizes)
    if not isinstance(selection, FieldNode):
        return inner
    return Size(
        depth=inner.depth + 1,
        nesting=inner.nesting,
        width=1,
        fields=inner.fields + 1,
        aliases=inner.aliases + (selection.alias is not None),
    )


def _sum(numbers: Iterable[int]) -> int:
    return min(sum(numbers), COUNTLESS)


def _locate(node: FragmentDefinitionNode | FragmentSpreadNode) -> tuple[tuple[int, int], ...]:
    if node.loc is None:
        return ()
    token = node.loc.start_token
    return ((token.line, token.column),)
