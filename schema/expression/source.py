"""source_of: a part of an expression's tree → the text that it was written as."""

from collections.abc import Iterator, Sequence
from typing import assert_never

from schema.expression import syntax
from schema.expression.tokens import Token, read_tokens

_OPENING, _CLOSING = ("(", "["), (")", "]")


def source_of(text: str, part: syntax.Expression) -> str:
    """The text of `part`, a node of the tree that `text` was parsed to, without parentheses around the whole of it.

    >>> from schema.expression.parse import parse_expression
    >>> text = "NOT (a=1) and lower( b ) in ['x' , 'y']"
    >>> [source_of(text, part) for part in parse_expression(text).operands]
    ['NOT (a=1)', "lower( b ) in ['x' , 'y']"]
    """
    tokens = tuple(read_tokens(text))
    places = {token.position: place for place, token in enumerate(tokens)}
    held = sorted(places[position] for position in _positions(part))
    first, last = _whole(tokens, held[0], held[-1])
    return text[tokens[first].position - 1 : tokens[last].position - 1 + len(tokens[last].text)]


def _whole(tokens: Sequence[Token], first: int, last: int) -> tuple[int, int]:
    """The first and the last token of what the tree knows by the beginnings of its words alone."""
    if tokens[last].text in {"-", "+"}:
        # A number behind its sign has the position of that.
        last += 1
    while _is(tokens, last + 1, ".") and tokens[last].kind in {"word", "principal"}:
        last += 2
    if _is(tokens, first - 1, "."):
        # What is known of `$_PRINCIPAL.roleid` is where `roleid` stands.
        first -= 2
    if tokens[last].kind == "keyword" and tokens[last].text == "NOT":
        last += 1
    is_call = tokens[last].kind == "word" and _is(tokens, last + 1, "(")
    if is_call or (tokens[last].text == "IN" and _is(tokens, last + 1, "[")):
        last += 1
    unopened, unclosed = _unbalanced(tokens[first : last + 1])
    while unopened:
        first -= 1
        unopened += (tokens[first].text in _CLOSING) - (tokens[first].text in _OPENING)
    while unclosed:
        last += 1
        unclosed += (tokens[last].text in _OPENING) - (tokens[last].text in _CLOSING)
    return first, last


def _is(tokens: Sequence[Token], place: int, symbol: str) -> bool:
    return 0 <= place < len(tokens) and tokens[place].kind == "symbol" and tokens[place].text == symbol


def _unbalanced(tokens: Sequence[Token]) -> tuple[int, int]:
    """How many brackets are closed here that were opened before, and how many opened that are not closed."""
    unopened = depth = 0
    for token in tokens:
        if token.kind == "symbol":
            depth += (token.text in _OPENING) - (token.text in _CLOSING)
        if depth < 0:
            unopened, depth = unopened + 1, 0
    return unopened, depth


def _positions(part: syntax.Expression) -> Iterator[int]:
    if not isinstance(part, syntax.Conjunction | syntax.Disjunction):
        yield part.position
    for child in children_of(part):
        yield from _positions(child)


def children_of(part: syntax.Expression) -> tuple[syntax.Expression, ...]:
    """The parts of a part, in their order."""
    match part:
        case syntax.Literal() | syntax.Boolean() | syntax.Null() | syntax.Path() | syntax.PrincipalAttribute():
            return ()
        case syntax.Conjunction(operands) | syntax.Disjunction(operands) | syntax.Calculation(operands):
            return operands
        case syntax.Call():
            return part.arguments
        case syntax.Negation() | syntax.Signed():
            return (part.operand,)
        case syntax.Comparison(left, _, right):
            return (left, right)
        case syntax.Match(operand, _, pattern):
            return (operand, pattern)
        case syntax.Membership(operand, items):
            return (operand, *(items if isinstance(items, tuple) else (items,)))
        case _:
            assert_never(part)
