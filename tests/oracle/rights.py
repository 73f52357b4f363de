"""What follows from rules by themselves, without a look at rows."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Literal

from tests.oracle.policy import Grants, MaskOf, Person
from tests.oracle.shape import Value
from tests.oracle.tree import Agg, All, Among, Col, Neg, Operand, Test, Truth, columns_of, parts_of
from tests.oracle.tree import Any as AnyTest

RuleChoice = Literal["add_up", "most_specific"]
UNBOUND = Grants(0, ("select", "insert", "update", "delete"), ())


def all_columns(test: Test) -> Iterator[Col]:
    """Every column that a test speaks of, also within aggregates."""
    yield from columns_of(test)
    for node in nodes_of(test):
        if isinstance(node, Agg) and node.of is not None:
            yield node.of


def nodes_of(node: Test | Operand) -> Iterator[Test | Operand]:
    """The test, and all that it is put together from."""
    yield node
    for part in parts_of(node):
        yield from nodes_of(part)


def most_specific(rules: Sequence[Grants], person: Person) -> list[Grants]:
    """Of the rules with the best rank one that has no filter, else all of them."""

    def rank(rule: Grants) -> tuple[int, bool]:
        scope = 0 if person.role in rule.roles else 1 if person.classes & set(rule.classes) else 2
        return scope, len(rule.targets) > 1

    best = min(map(rank, rules), default=None)
    candidates = [rule for rule in rules if rank(rule) == best]
    return [rule for rule in candidates if rule.filter is None and rule.is_plain][:1] or candidates


def reads(part: Grants, column: str) -> bool:
    """Whether the rule lets the column be read on its rows."""
    return part.read_columns is None or column in part.read_columns


def lists(part: Grants, column: str) -> bool:
    """Whether the rule lets the column be written on its rows."""
    return part.write_columns is None or column in part.write_columns


def mask_of(part: Grants, column: str) -> MaskOf | None:
    """What the rule shows of the column instead, if anything."""
    return next((mask for mask in part.masks if mask.column == column), None)


def is_plain(parts: Sequence[Grants], column: str) -> bool:
    """Whether the rules say by themselves, without a look at rows, that the column is as it is wherever it is seen."""
    plain: list[Test] = []
    for part in parts:
        mask = mask_of(part, column)
        if reads(part, column) and (mask is None or mask.unless is not None):
            plain.append(All((rows(part), *([] if mask is None or mask.unless is None else [mask.unless]))))
    shown = simplified(AnyTest(tuple(plain)))
    return shown in (Truth(True), simplified(AnyTest(tuple(map(rows, parts)))))


def rows(part: Grants) -> Test:
    """The rows that the rule is about."""
    return Truth(True) if part.filter is None else part.filter


def chooses_all(test: Test | None, *others: object) -> bool:
    """Whether conditions, of which others are a `where`, say nothing that anybody would have to look into a row for."""
    return (test is None or simplified(test) == Truth(True)) and all(other is None for other in others)


def simplified(test: Test) -> Test:
    """The test without parts that change nothing, where that can be seen without looking at a row."""
    match test:
        case Neg(part):
            inner = simplified(part)
            return Truth(not inner.value) if isinstance(inner, Truth) else Neg(inner)
        case All(parts) | AnyTest(parts):
            decides = isinstance(test, AnyTest)
            found = [part for part in dict.fromkeys(map(simplified, parts)) if part != Truth(not decides)]
            if Truth(decides) in found:
                return Truth(decides)
            if not found:
                return Truth(not decides)
            return found[0] if len(found) == 1 else replace(test, parts=tuple(found))
        case Among(Col(()), ()):
            return Truth(test.negated)
        case _:
            return test


def masked(mask: MaskOf, value: Value) -> Value:
    """How a mask shows a value."""
    if value is None:
        return None
    text = str(value)
    match mask.kind:
        case "hash":
            return hashlib.sha256(text.encode()).hexdigest()
        case "last_four":
            return "*" * len(text) if len(text) <= 4 else "*" * (len(text) - 4) + text[-4:]
        case _:
            return mask.text
