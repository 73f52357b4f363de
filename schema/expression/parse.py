"""Text → the tree of `syntax`. The grammar is the whole language; what of it is in force, `check` says."""

from collections.abc import Callable, Iterable, Iterator
from typing import Final, cast, get_args

import lark
from lark.exceptions import UnexpectedToken
from lark.lexer import Lexer

from schema.errors import ExpressionSyntaxError
from schema.expression.lift import literal_value
from schema.expression.predicate import Comparison, Matching
from schema.expression.syntax import (
    Boolean,
    Calculation,
    Call,
    Conjunction,
    Disjunction,
    Expression,
    Literal,
    Match,
    Membership,
    Negation,
    Null,
    Path,
    PrincipalAttribute,
    Signed,
)
from schema.expression.syntax import Comparison as ComparisonNode
from schema.expression.tokens import Token, read_tokens
from schema.principal import Attribute

# Chains (`a OR b OR c`, `a + b - c`) become one flat node: only parentheses nest, and their depth is bounded.
_GRAMMAR: Final = r"""
?start: disjunction
?disjunction: conjunction (_OR conjunction)*
?conjunction: negation (_AND negation)*
?negation: predicate | NOT predicate -> negated
?predicate: bit_or
    | bit_or COMPARISON bit_or -> comparison
    | bit_or IN in_right -> membership
    | bit_or NOT IN in_right -> not_membership
    | bit_or MATCHING bit_or -> match
    | bit_or NOT MATCHING bit_or -> not_match
?in_right: items | principal
items: _LEFT_BRACKET (bit_or (_COMMA bit_or)*)? _RIGHT_BRACKET
?bit_or: bit_xor (BAR bit_xor)*
?bit_xor: bit_and (HASH bit_and)*
?bit_and: shift (AMPERSAND shift)*
?shift: sum (SHIFT sum)*
?sum: product ((PLUS | MINUS) product)*
?product: power ((STAR | SLASH | PERCENT) power)*
?power: unary (CARET unary)*
?unary: primary | (MINUS | PLUS) primary -> signed
?primary: LITERAL -> literal
    | TRUE -> true
    | FALSE -> false
    | NULL -> null
    | WORD (_DOT WORD)* -> path
    | WORD _LEFT STAR _RIGHT -> call_with_star
    | WORD _LEFT (bit_or (_COMMA bit_or)*)? _RIGHT -> call
    | _LEFT disjunction _RIGHT
    | principal
principal: _PRINCIPAL _DOT WORD (_DOT WORD)?

%declare _OR _AND NOT COMPARISON IN MATCHING LITERAL TRUE FALSE NULL WORD _PRINCIPAL
%declare _LEFT _RIGHT _LEFT_BRACKET _RIGHT_BRACKET _COMMA _DOT
%declare BAR HASH AMPERSAND SHIFT PLUS MINUS STAR SLASH PERCENT CARET
"""
_TERMINALS: Final = {
    **dict.fromkeys(("=", "!=", "<", ">", "<=", ">="), "COMPARISON"),
    **dict.fromkeys(("LIKE", "ILIKE"), "MATCHING"),
    **dict.fromkeys(("<<", ">>"), "SHIFT"),
    "|": "BAR",
    "#": "HASH",
    "&": "AMPERSAND",
    "^": "CARET",
    "+": "PLUS",
    "-": "MINUS",
    "*": "STAR",
    "/": "SLASH",
    "%": "PERCENT",
    "(": "_LEFT",
    ")": "_RIGHT",
    "[": "_LEFT_BRACKET",
    "]": "_RIGHT_BRACKET",
    ",": "_COMMA",
    ".": "_DOT",
    "OR": "_OR",
    "AND": "_AND",
    "NOT": "NOT",
    "IN": "IN",
    "TRUE": "TRUE",
    "FALSE": "FALSE",
    "NULL": "NULL",
}
_HINTS: Final = {
    "is": "Use = null or != null",
    "between": "Use >= and <=",
    "exists": "Use a dotted path through the relation",
    "=": "Equality is written with one =",
}


def parse_expression(text: str) -> Expression:
    """The tree of `text`; a blank text is `true`. Raises ExpressionSyntaxError with the position of what is wrong."""
    if not text.strip():
        return Boolean(value=True, position=1)
    tokens = tuple(read_tokens(text))
    try:
        return _parse(tokens)
    except UnexpectedToken as error:
        raise _syntax_error(error, text) from error


def _syntax_error(error: UnexpectedToken, text: str) -> ExpressionSyntaxError:
    found = cast("lark.Token", error.token)
    if found.type == "$END":
        return ExpressionSyntaxError("The expression ends too early", len(text) + 1)
    value = cast("object", found.value)
    if isinstance(value, Literal):
        return ExpressionSyntaxError("A literal is not expected here", value.position)
    token = cast("Token", value)
    hint = _HINTS.get(token.text.lower())
    message = f"{token.shown} is not expected here" + (f". {hint}" if hint else "")
    return ExpressionSyntaxError(message, token.position)


class _Tokens(Lexer):
    """Hands lark the tokens that `read_tokens` has found, each as the value of one of lark's own."""

    def __init__(self, lexer_conf: object) -> None:
        del lexer_conf

    def lex(self, lexer_state: object, parser_state: object = None) -> Iterator[lark.Token]:
        del parser_state
        literals = 0
        for token in cast("Iterable[Token]", lexer_state):
            match token.kind:
                case "string" | "integer" | "decimal":
                    value = Literal(literals, literal_value(token), token.kind, token.position)
                    literals += 1
                    yield lark.Token("LITERAL", value)
                case "word":
                    yield lark.Token("WORD", token)
                case "principal":
                    yield lark.Token("_PRINCIPAL", token)
                case "keyword" | "symbol":
                    yield lark.Token(_TERMINALS[token.text], token)


class _Builder(lark.Transformer[lark.Token, Expression]):
    """Makes a node as soon as the parser has seen the whole of it, so that nothing recurses over the tree."""

    def disjunction(self, children: list[Expression]) -> Expression:
        return Disjunction(tuple(children))

    def conjunction(self, children: list[Expression]) -> Expression:
        return Conjunction(tuple(children))

    def negated(self, children: tuple[lark.Token, Expression]) -> Expression:
        word, operand = children
        return Negation(operand, _token(word).position)

    def comparison(self, children: tuple[Expression, lark.Token, Expression]) -> Expression:
        left, operator, right = children
        token = _token(operator)
        return ComparisonNode(left, cast("Comparison", token.text), right, token.position)

    def items(self, children: list[Expression]) -> tuple[Expression, ...]:
        return tuple(children)

    def membership(
        self, children: tuple[Expression, lark.Token, tuple[Expression, ...] | PrincipalAttribute]
    ) -> Expression:
        operand, word, items = children
        return Membership(operand, items, _token(word).position)

    def not_membership(
        self, children: tuple[Expression, lark.Token, lark.Token, tuple[Expression, ...] | PrincipalAttribute]
    ) -> Expression:
        operand, word, _, items = children
        return Membership(operand, items, _token(word).position, negated=True)

    def match(self, children: tuple[Expression, lark.Token, Expression]) -> Expression:
        operand, word, pattern = children
        token = _token(word)
        return Match(operand, cast("Matching", token.text.lower()), pattern, token.position)

    def not_match(self, children: tuple[Expression, lark.Token, lark.Token, Expression]) -> Expression:
        operand, word, operator, pattern = children
        matching = cast("Matching", _token(operator).text.lower())
        return Match(operand, matching, pattern, _token(word).position, negated=True)

    def signed(self, children: tuple[lark.Token, Expression]) -> Expression:
        sign, operand = children
        token = _token(sign)
        if isinstance(operand, Literal) and operand.kind != "string":
            negative = token.text == "-"
            return Literal(operand.index, operand.value, operand.kind, token.position, negative)
        return Signed("-" if token.text == "-" else "+", operand, token.position)

    def literal(self, children: tuple[lark.Token]) -> Expression:
        return cast("Literal", children[0].value)

    def true(self, children: tuple[lark.Token]) -> Expression:
        return Boolean(value=True, position=_token(children[0]).position)

    def false(self, children: tuple[lark.Token]) -> Expression:
        return Boolean(value=False, position=_token(children[0]).position)

    def null(self, children: tuple[lark.Token]) -> Expression:
        return Null(_token(children[0]).position)

    def path(self, children: list[lark.Token]) -> Expression:
        return Path(tuple(_token(child).text for child in children), _token(children[0]).position)

    def principal(self, children: list[lark.Token]) -> Expression:
        word, *further = [_token(child) for child in children]
        known: tuple[Attribute, ...] = get_args(Attribute)
        name = word.text.lower()
        if name == "claims":
            if not further:
                raise ExpressionSyntaxError("$_PRINCIPAL.claims needs the name of a claim", word.position)
            return PrincipalAttribute("claims", word.position, further[0].text)
        if further:
            raise ExpressionSyntaxError(f"$_PRINCIPAL.{name} has no parts", further[0].position)
        if name not in known:
            raise ExpressionSyntaxError(f"$_PRINCIPAL has only {', '.join(known)}, claims", word.position)
        return PrincipalAttribute(name, word.position)

    def call(self, children: tuple[lark.Token, *tuple[Expression, ...]]) -> Expression:
        word, *arguments = children
        token = _token(word)
        return Call(token.text, tuple(arguments), token.position)

    def call_with_star(self, children: tuple[lark.Token, lark.Token]) -> Expression:
        token = _token(children[0])
        return Call(token.text, (), token.position, star=True)

    def _chain(self, children: list[Expression | lark.Token]) -> Expression:
        operands = cast("list[Expression]", children[0::2])
        operators = [_token(cast("lark.Token", child)) for child in children[1::2]]
        return Calculation(tuple(operands), tuple(token.text for token in operators), operators[0].position)

    bit_or = bit_xor = bit_and = shift = sum = product = power = _chain


def _token(leaf: lark.Token) -> Token:
    return cast("Token", leaf.value)


_PARSER: Final = lark.Lark(_GRAMMAR, parser="lalr", lexer=_Tokens, transformer=_Builder(), start="start")
# Lark takes any object where a lexer of one's own reads it, which its annotations do not say.
_parse: Final = cast("Callable[[object], Expression]", _PARSER.parse)
