"""FilterPart: a part of a rule's filter, with the text that it was written as and the predicate that it is."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

from schema.expression import syntax
from schema.expression.parse import parse_expression
from schema.expression.predicate import Predicate
from schema.expression.source import source_of
from schema.model import Entity, Model
from schema.rule_expressions import RuleExpressions

#: A filter of more parts is told as a whole.
MAX_PARTS: Final = 200

PartKind = Literal["and", "or", "not", "test"]
Fails = Literal["fails"]
Truth = bool | Fails | None
"""Of SQL: null is what is unknown; or that PostgreSQL refuses to say, as for a number that is too large."""
Wanted = Literal["true", "false", "not true", "not false"]


@dataclass(frozen=True, slots=True)
class FilterPart:
    """All of `parts` (`and`), any of them (`or`), the contrary of the only one (`not`), or a `test` that has none."""

    kind: PartKind
    text: str
    predicate: Predicate
    expression: syntax.Expression
    parts: "tuple[FilterPart, ...]" = ()

    def in_order(self, depth: int = 0) -> "Iterator[tuple[int, FilterPart]]":
        """The part and all within it, each with its depth, in the order in which they were written."""
        yield depth, self
        for part in self.parts:
            yield from part.in_order(depth + 1)


def read_filter(text: str, entity: Entity, model: Model) -> FilterPart | None:
    """The filter of a rule that fits the entity; None for a filter that is blank."""
    if not text.strip():
        return None
    tree = parse_expression(text)
    part = _read(text, tree, entity, model)
    return part if sum(1 for _ in part.in_order()) <= MAX_PARTS else _leaf(text, tree, entity, model)


def _read(text: str, node: syntax.Expression, entity: Entity, model: Model) -> FilterPart:
    kinds: dict[type[syntax.Expression], PartKind] = {
        syntax.Conjunction: "and",
        syntax.Disjunction: "or",
        syntax.Negation: "not",
    }
    kind = kinds.get(type(node), "test")
    leaf = _leaf(text, node, entity, model)
    match node:
        case syntax.Conjunction(operands) | syntax.Disjunction(operands):
            inner = operands
        case syntax.Negation(operand):
            inner = (operand,)
        case _:
            return leaf
    return FilterPart(kind, leaf.text, leaf.predicate, node, tuple(_read(text, each, entity, model) for each in inner))


def _leaf(text: str, node: syntax.Expression, entity: Entity, model: Model) -> FilterPart:
    return FilterPart("test", source_of(text, node), RuleExpressions(entity, model).checked(node), node)


@dataclass(frozen=True, slots=True)
class JudgedPart:
    """A part, and what it comes to on one row: `truth`, if it may be told at all."""

    part: FilterPart
    depth: int
    truth: Truth
    is_told: bool = True


def fewest_tests(judged: "tuple[JudgedPart, ...]", wanted: Wanted) -> tuple[str, ...]:
    """The smallest set of tests, by their texts, that would have to come out differently on the row for the whole to
    be what is wanted. `judged` are a part and all within it, in order."""
    part = judged[0].part
    if part.kind == "test":
        return () if _is(judged[0].truth, wanted) else (part.text,)
    opposite: dict[Wanted, Wanted] = {
        "true": "false",
        "false": "true",
        "not true": "not false",
        "not false": "not true",
    }
    inner = opposite[wanted] if part.kind == "not" else wanted
    found = [fewest_tests(child, inner) for child in _children(judged)]
    takes_all = (part.kind == "and") is (wanted in {"true", "not false"})
    if part.kind == "not" or not takes_all:
        return min(found, key=len)
    return tuple(dict.fromkeys(test for tests in found for test in tests))


def _children(judged: "tuple[JudgedPart, ...]") -> "Iterator[tuple[JudgedPart, ...]]":
    depth = judged[0].depth + 1
    starts = [place for place, each in enumerate(judged) if each.depth == depth and place]
    for start, end in zip(starts, [*starts[1:], len(judged)], strict=True):
        yield judged[start:end]


def _is(truth: Truth, wanted: Wanted) -> bool:
    match wanted:
        case "true":
            return truth is True
        case "false":
            return truth is False
        case "not true":
            return truth is not True
        case "not false":
            return truth is not False
