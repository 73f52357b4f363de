"""shape_of: what of an operation's variables decides the plan. Requests of one shape share a plan; the rest are
arguments."""

from collections.abc import Hashable, Mapping
from typing import Literal, cast

from graphql import (
    DocumentNode,
    FieldNode,
    Node,
    ValueNode,
    VariableNode,
    Visitor,
    visit,
)

from schema.expression.lift import lift

#: How a variable is used: its text is parsed (filter), it is structure as it stands (verbatim: an ordering, a
#: condition, a list or object), or only whether it is there and null matters (value).
Use = Literal["filter", "verbatim", "value", "keys"]
_USES: dict[str, Use] = {
    "filter": "filter",
    "having": "filter",
    "ordering": "verbatim",
    "distincton": "verbatim",
    "subquery": "verbatim",
    "onconflict": "verbatim",
    "input": "keys",
}


def variable_uses(document: DocumentNode) -> Mapping[str, frozenset[Use]]:
    """How each variable of a document is used, over all its operations and fragments."""
    uses: dict[str, set[Use]] = {}

    class Walk(Visitor):
        def enter_field(self, node: FieldNode, *_: object) -> None:
            for given in node.arguments or ():
                for variable in _variables_in(given.value):
                    whole = isinstance(given.value, VariableNode)
                    use = _USES.get(given.name.value, "value")
                    uses.setdefault(variable, set()).add("value" if use == "keys" and not whole else use)

        def enter_directive(self, node: Node, *_: object) -> None:
            for variable in _variables_in(node):
                uses.setdefault(variable, set()).add("verbatim")

    visit(document, Walk())
    return {name: frozenset(kinds) for name, kinds in uses.items()}


def shape_of(uses: Mapping[str, frozenset[Use]], variables: Mapping[str, object]) -> Hashable:
    """Equal for variables that lead to the same plan."""
    return tuple(
        tuple(_shape(use, variables[name]) for use in kinds) if name in variables else None
        for name, kinds in uses.items()
    )


def _shape(use: Use, value: object) -> Hashable:
    match use:
        case "filter":
            return lift(value).shape if isinstance(value, str) else None
        case "verbatim":
            return repr(value)
        case "keys":
            return tuple(cast("dict[str, object]", value)) if isinstance(value, dict) else None
        case "value":
            return value is None


def _variables_in(node: ValueNode | Node) -> set[str]:
    found: set[str] = set()

    class Walk(Visitor):
        def enter_variable(self, variable: VariableNode, *_: object) -> None:
            found.add(variable.name.value)

    visit(node, Walk())
    return found
