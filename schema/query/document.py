"""A document, from text to an operation that is known to be small enough and valid."""

from dataclasses import dataclass

from graphql import (
    DocumentNode,
    GraphQLError,
    GraphQLSchema,
    GraphQLSyntaxError,
    OperationDefinitionNode,
    TokenKind,
    ValidationContext,
    parse,
    specified_rules,
    validate,
)
from graphql.validation import OverlappingFieldsCanBeMergedRule

from schema.query.errors import (
    DocumentInvalid,
    DocumentSyntax,
    Fault,
    LimitExceeded,
    OperationNotChosen,
    TooMuchToValidate,
    clip,
)
from schema.query.measure import measure_operations

MAX_VALIDATION_ERRORS = 20

# What comparing fields of one response key may cost in one validation: graphql-core's own unit, a fifth of its default,
# because here the event loop waits. 2,000 fields that all have different keys cost nothing of it.
OVERLAP_BUDGET = 100_000

# Longer numbers fit no type that we know; Python refuses to read those of more than 4,300 digits.
MAX_NUMBER_LENGTH = 1_000

_OPENING = frozenset({TokenKind.BRACE_L, TokenKind.BRACKET_L, TokenKind.PAREN_L})
_CLOSING = frozenset({TokenKind.BRACE_R, TokenKind.BRACKET_R, TokenKind.PAREN_R})
_NUMBERS = frozenset({TokenKind.INT, TokenKind.FLOAT})


@dataclass(frozen=True, slots=True)
class Limits:
    """How large a document may be. Depth counts levels of fields, and GraphiQL's introspection query needs 15;
    nesting counts brackets of any kind; complexity counts fields with every fragment spread out."""

    max_tokens: int = 10_000
    max_nesting: int = 60
    max_depth: int = 20
    max_aliases: int = 500
    max_root_fields: int = 200
    max_complexity: int = 2_000
    max_definitions: int = 100


class _FrugalOverlap(OverlappingFieldsCanBeMergedRule):
    def __init__(self, context: ValidationContext) -> None:
        super().__init__(context)
        self.rule_context.remaining_complexity_budget = OVERLAP_BUDGET


_RULES = tuple(_FrugalOverlap if rule is OverlappingFieldsCanBeMergedRule else rule for rule in specified_rules)


def read_document(text: str, limits: Limits) -> DocumentNode:
    """The document that a text holds, no larger than the limits. Raises DocumentSyntax, DocumentInvalid, LimitExceeded.

    The number of tokens is limited while they are read, so that nothing later sees a document of any size.
    """
    if not _is_unicode(text):
        raise DocumentSyntax([Fault("The document holds a lone surrogate, which no Unicode text may.")])
    try:
        # One token more than allowed: if parsing ends there, the limit was the reason.
        document = parse(
            text,
            max_lexical_tokens=limits.max_tokens,
            max_comments=limits.max_tokens,
            allow_empty_selection_sets=False,
        )
    except GraphQLSyntaxError as error:
        raise _refuse_syntax(error, limits) from error
    except GraphQLError as error:
        raise DocumentSyntax([_fault(error)]) from error
    check_tokens(document, limits)
    check_size(document, limits)
    return document


def check_tokens(document: DocumentNode, limits: Limits) -> None:
    """Nothing, or LimitExceeded for brackets nested too deep or a number too long."""
    nesting = 0
    token = document.loc.start_token if document.loc is not None else None
    while token is not None:
        if token.kind in _OPENING:
            nesting += 1
            if nesting > limits.max_nesting:
                raise LimitExceeded("levels of brackets", limits.max_nesting)
        elif token.kind in _CLOSING:
            nesting -= 1
        elif token.kind in _NUMBERS and len(token.value or "") > MAX_NUMBER_LENGTH:
            raise LimitExceeded("digits in one number", MAX_NUMBER_LENGTH)
        token = token.next


def check_size(document: DocumentNode, limits: Limits) -> None:
    """Nothing, or LimitExceeded. Aliases and fields are those of all operations of the document together."""
    if len(document.definitions) > limits.max_definitions:
        raise LimitExceeded("operations and fragments", limits.max_definitions)
    sizes = [size for _, size in measure_operations(document)]
    found = (
        ("levels of fields", limits.max_depth, max((size.depth for size in sizes), default=0)),
        ("levels of selections", limits.max_nesting, max((size.nesting for size in sizes), default=0)),
        ("root fields", limits.max_root_fields, max((size.width for size in sizes), default=0)),
        ("aliases", limits.max_aliases, sum(size.aliases for size in sizes)),
        ("fields", limits.max_complexity, sum(size.fields for size in sizes)),
    )
    for what, limit, number in found:
        if number > limit:
            raise LimitExceeded(what, limit)


def validate_document(schema: GraphQLSchema, document: DocumentNode) -> None:
    """Nothing, or DocumentInvalid with every error found. No error suggests a name that the caller did not write.

    Raises TooMuchToValidate where the budget for comparing fields is spent.
    """
    errors = validate(
        schema,
        document,
        _RULES,
        max_errors=MAX_VALIDATION_ERRORS,
        hide_suggestions=True,
        allow_empty_selection_sets=False,
    )
    if any(error.message == "Validation aborted." for error in errors):
        raise TooMuchToValidate
    if errors:
        raise DocumentInvalid(_fault(error) for error in errors)


def choose_operation(document: DocumentNode, name: str | None) -> OperationDefinitionNode:
    """The operation of that name, or the only one. An empty name counts as none. Raises OperationNotChosen.

    Strawberry runs the first of several when none is named; the specification asks for a request error.
    """
    operations = [node for node in document.definitions if isinstance(node, OperationDefinitionNode)]
    if not operations:
        raise OperationNotChosen("The document holds no operation.")
    if not name:
        if len(operations) > 1:
            raise OperationNotChosen("The document holds several operations: say which one in operationName.")
        return operations[0]
    for operation in operations:
        if operation.name is not None and operation.name.value == name:
            return operation
    raise OperationNotChosen(clip(f"The document holds no operation named {name!r}."))


def _is_unicode(text: str) -> bool:
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _refuse_syntax(error: GraphQLSyntaxError, limits: Limits) -> DocumentSyntax | LimitExceeded:
    # The parser has no class of its own for its limits.
    if error.message.startswith("Syntax Error: Document contains more than"):
        return LimitExceeded("tokens" if "tokens" in error.message else "comments", limits.max_tokens)
    return DocumentSyntax([_fault(error)])


def _fault(error: GraphQLError) -> Fault:
    locations = tuple((place.line, place.column) for place in error.locations or ())
    return Fault(clip(error.message), locations)
