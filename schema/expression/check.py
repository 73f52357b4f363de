"""The tree of `syntax`, against a table → the tree of `predicate`; or a refusal in one sentence."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, assert_never

from db.catalog import PgType
from schema.errors import UnsupportedExpression, WrongType
from schema.expression import syntax
from schema.expression.aggregate import AGGREGATE_FUNCTIONS, aggregate, to_last_collection
from schema.expression.calculate import LiteralToValue, calculate, negative, positive
from schema.expression.coerce import coercer, like_pattern, negated
from schema.expression.functions import call
from schema.expression.names import find_by_name, get_column, get_relation
from schema.expression.predicate import (
    ALWAYS,
    NEVER,
    AnyOf,
    Compare,
    Comparison,
    Constant,
    Exists,
    IsNull,
    Matches,
    Not,
    Operand,
    Predicate,
    PrincipalValue,
    Value,
    all_of,
    any_of,
)
from schema.expression.terms import (
    FLAGS,
    HERE,
    LISTS,
    Bound,
    Relations,
    Term,
    Untyped,
    at,
    column_term,
    described,
    flag_term,
    shared_collation,
    value_term,
)
from schema.expression.types import (
    BOOL,
    INT4,
    INT4_ARRAY,
    INT8,
    NUMERIC,
    TEXT,
    TEXT_ARRAY,
    is_assignable,
    is_comparable,
    is_comparable_as_floats,
    is_ordered,
    is_text,
    literal_type,
    takes_literal,
)
from schema.model import Entity, Model, Relation

_MAX_RELATIONS: Final = 16
_MAX_PATHS: Final = 100
# Each is a few nested calls for whoever walks the tree, and Python allows 1,000.
_MAX_OPERATIONS: Final = 100

_Operand = Term | Untyped
_ValueNode = syntax.Literal | syntax.Boolean | syntax.PrincipalAttribute
_Test = Callable[[Bound], Predicate]
"""Makes the test that is about terms, for where it stands."""


def check_expression(
    expression: syntax.Expression,
    entity: Entity,
    model: Model,
    literal: LiteralToValue,
    *,
    under_grant: bool,
) -> Predicate:
    """The predicate that `expression` is about rows of `entity`.

    `under_grant` says whether other rows count only as far as the caller may see them. Raises UnknownColumn,
    UnknownFunction, WrongType, UnsupportedExpression.
    """
    return _Checker(entity, model, literal, under_grant).condition(expression, wanted=True)


def check_value(
    expression: syntax.Expression, entity: Entity, model: Model, literal: LiteralToValue, pg_type: PgType
) -> Operand:
    """The value that a rule's `expression` gives for a row of `entity`, where one of the type is looked for; see
    `is_assignable`. Raises as `check_expression` does."""
    checker = _Checker(entity, model, literal, under_grant=False)
    found = checker.operand(expression)
    wrong = WrongType(f"{described(found)}, and a value of type {pg_type.name} is looked for.")
    match found:
        case Term():
            if any(relation.many for path in found.paths for relation in path):
                raise UnsupportedExpression("A collection gives no single value.")
            operand = found.place(HERE)
        case syntax.Literal():
            if not takes_literal(pg_type, found.kind):
                raise wrong
            return checker.value(found, pg_type)
        case syntax.Boolean():
            operand = Constant(found.value, BOOL)
        case _:
            raise wrong
    if not is_assignable(operand.type, pg_type):
        raise wrong
    return operand


@dataclass(slots=True)
class _Checker:
    """Walks one expression. `wanted` says whether a row is looked for where the condition is true or where it is false:
    NOT is carried down to the comparisons, because through a relation that leads nowhere both are unknown."""

    entity: Entity
    model: Model
    literal: LiteralToValue
    under_grant: bool
    paths: int = 0
    operations: int = 0
    within_aggregate: bool = False

    def condition(self, node: syntax.Expression, *, wanted: bool) -> Predicate:
        match node:
            case syntax.Disjunction() | syntax.Conjunction():
                parts = [self.condition(operand, wanted=wanted) for operand in node.operands]
                return any_of(*parts) if isinstance(node, syntax.Disjunction) is wanted else all_of(*parts)
            case syntax.Negation():
                return self.condition(node.operand, wanted=not wanted)
            case syntax.Comparison():
                return self.comparison(self.operand(node.left), node.operator, self.operand(node.right), wanted=wanted)
            case syntax.Membership():
                return self.membership(node, wanted=wanted)
            case syntax.Match():
                return self.match(node, wanted=wanted)
            case syntax.Boolean():
                return ALWAYS if node.value is wanted else NEVER
            case _:
                operand = self.operand(node)
                if isinstance(operand, Term) and (isinstance(node, syntax.Path) or operand.type.base == "bool"):
                    return self.comparison(
                        operand, "=", syntax.Boolean(value=True, position=operand.position), wanted=wanted
                    )
                raise WrongType(f"Not a condition by itself: {described(operand)}.")

    def operand(self, node: syntax.Expression) -> _Operand:
        match node:
            case syntax.Path():
                return self.path(node)
            case syntax.PrincipalAttribute() if node.name in FLAGS:
                return flag_term(node)
            case syntax.Literal() | syntax.Boolean() | syntax.Null() | syntax.PrincipalAttribute():
                return node
            case syntax.Call():
                return self.call(node)
            case syntax.Calculation():
                return self.calculation(node)
            case syntax.Signed():
                self.count_operation(node.position)
                sign = negative if node.sign == "-" else positive
                return sign(self.operand(node.operand), node.position, self.literal)
            case _:
                raise UnsupportedExpression("A condition in parentheses cannot be compared with something.")

    def path(self, path: syntax.Path) -> Term:
        *through, last = path.names
        if not through and last.lower() == "current_date" and find_by_name(self.entity.columns, last) is None:
            return call(syntax.Call(last, (), path.position), [], self.literal)
        if len(through) > _MAX_RELATIONS:
            raise UnsupportedExpression(f"A path leads through at most {_MAX_RELATIONS} relations.")
        self.paths += bool(through)
        if self.paths > _MAX_PATHS:
            raise UnsupportedExpression(f"An expression has at most {_MAX_PATHS} paths through relations.")
        entity, relations = self.entity, list[Relation]()
        for name in through:
            relation, entity = get_relation(entity, name, self.model)
            relations.append(relation)
        column = get_column(entity, last)
        return column_term(tuple(relations), column, str(path), path.position, under_grant=self.under_grant)

    def call(self, node: syntax.Call) -> Term:
        self.count_operation(node.position)
        if node.name.lower() not in AGGREGATE_FUNCTIONS:
            return call(node, [self.operand(argument) for argument in node.arguments], self.literal)
        if self.within_aggregate:
            raise UnsupportedExpression(f"An aggregate cannot be taken of another{at(node.position)}")
        self.paths += 1
        self.within_aggregate = True
        term = aggregate(node, [self.operand(argument) for argument in node.arguments], under_grant=self.under_grant)
        self.within_aggregate = False
        return term

    def calculation(self, node: syntax.Calculation) -> Term:
        operands = [self.operand(operand) for operand in node.operands]
        pairs = list(zip(node.operators, operands[1:], strict=True))
        found = operands[0]
        if node.operators[0] == "^":
            pairs = list(zip(node.operators[::-1], operands[-2::-1], strict=True))
            found = operands[-1]
        for operator, operand in pairs:
            self.count_operation(node.position)
            left, right = (operand, found) if operator == "^" else (found, operand)
            found = calculate(left, operator, right, node.position, self.literal)
        assert isinstance(found, Term)
        return found

    def count_operation(self, position: int) -> None:
        self.operations += 1
        if self.operations > _MAX_OPERATIONS:
            raise UnsupportedExpression(f"An expression calculates at most {_MAX_OPERATIONS} values{at(position)}")

    def comparison(self, left: _Operand, operator: Comparison, right: _Operand, *, wanted: bool) -> Predicate:
        if isinstance(left, syntax.Null):
            return self.null_test(right, operator, wanted=wanted)
        if isinstance(right, syntax.Null):
            return self.null_test(left, operator, wanted=wanted)
        for one, other in ((left, right), (right, left)):
            if isinstance(other, syntax.PrincipalAttribute) and other.name in LISTS:
                if operator not in {"=", "!="}:
                    raise WrongType(f"{other} is a list: use IN, = or !=.")
                return self.membership_in_list(one, other, is_in=operator == "=", wanted=wanted)
        if not isinstance(left, Term) and not isinstance(right, Term):
            pg_type = _common_type((left, right))
            return _flipped(Compare(self.value(left, pg_type), operator, self.value(right, pg_type)), wanted=wanted)
        one = left if isinstance(left, Term) else self.beside(right, left)
        other = right if isinstance(right, Term) else self.beside(left, right)
        _require_comparable(one, other)

        def test(bound: Bound) -> Predicate:
            return Compare(one.place(bound), operator, other.place(bound))

        return self.test((one, other), test, wanted=wanted)

    def null_test(self, operand: _Operand, operator: Comparison, *, wanted: bool) -> Predicate:
        if operator not in {"=", "!="}:
            raise WrongType(f"null can be compared with = and != only, not with {operator}.")
        is_null = operator == "="
        match operand:
            case Term():

                def test(bound: Bound) -> Predicate:
                    return IsNull(operand.place(bound), negated=not is_null)

                return self.test((operand,), test, wanted=wanted, where_absent=is_null)
            case syntax.PrincipalAttribute():
                if operand.claim:
                    raise WrongType(f"{operand} is a claim: without it nothing holds, so it is not looked for.")
                if operand.name in LISTS:
                    raise WrongType(f"{operand} is a list and never null.")
                return IsNull(PrincipalValue(operand.name, INT4), negated=is_null is not wanted)
            case syntax.Null():
                return ALWAYS if is_null is wanted else NEVER
            case syntax.Literal() | syntax.Boolean():
                return NEVER if is_null is wanted else ALWAYS
            case _:
                assert_never(operand)

    def membership(self, node: syntax.Membership, *, wanted: bool) -> Predicate:
        operand = self.operand(node.operand)
        if isinstance(operand, syntax.Null):
            raise WrongType("null cannot be looked for in a list; use = null.")
        if isinstance(node.items, syntax.PrincipalAttribute):
            if node.items.claim:
                return self.membership_in_claim(operand, node.items, is_in=not node.negated, wanted=wanted)
            if node.items.name not in LISTS:
                raise WrongType(f"{node.items} is not a list; use =.")
            return self.membership_in_list(operand, node.items, is_in=not node.negated, wanted=wanted)
        if isinstance(operand, syntax.PrincipalAttribute) and operand.name in LISTS:
            raise WrongType(f"{operand} is a list and cannot be an item of one.")
        items = [self.operand(item) for item in node.items]
        values, terms = _values_of(items), [item for item in items if isinstance(item, Term)]
        if isinstance(operand, Term):
            return self.membership_in_items(operand, values, terms, is_in=not node.negated, wanted=wanted)
        if not terms:
            return self.membership_of_value(operand, values, is_in=not node.negated, wanted=wanted)
        # 7 IN [1, y] is 7 IN [1] OR 7 = y, and its opposite is 7 NOT IN [1] AND 7 != y.
        parts: list[Predicate] = []
        if values:
            parts.append(self.membership_of_value(operand, values, is_in=not node.negated, wanted=wanted))
        operator: Comparison = "!=" if node.negated else "="
        parts += [self.comparison(operand, operator, term, wanted=wanted) for term in terms]
        return all_of(*parts) if node.negated is wanted else any_of(*parts)

    def membership_in_items(
        self, operand: Term, values: list[_ValueNode], terms: list[Term], *, is_in: bool, wanted: bool
    ) -> Predicate:
        _require_ordered(operand)
        pg_type = literal_type(operand.type, with_decimals=_has_decimals(values))
        items = tuple(self.value_beside(operand, value, pg_type) for value in values)
        for term in terms:
            _require_comparable(operand, term)
        operator: Comparison = "=" if is_in else "!="
        # A collection without rows must not hide the items beside it.
        apart = [term for term in terms if not _ways(term) <= _ways(operand)]
        if not is_in and _ways(operand):
            apart = []
        near = [term for term in terms if term not in apart]

        def test(bound: Bound) -> Predicate:
            here = operand.place(bound)
            parts: list[Predicate] = [AnyOf(here, items, negated=not is_in)] if items else []
            parts += [Compare(here, operator, term.place(bound)) for term in near]
            return any_of(*parts) if is_in else all_of(*parts)

        parts = [self.test((operand, *near), test, wanted=wanted)] if items or near or not apart else []
        parts += [self.comparison(operand, operator, term, wanted=wanted) for term in apart]
        return any_of(*parts) if is_in is wanted else all_of(*parts)

    def membership_of_value(
        self, operand: _ValueNode, items: list[_ValueNode], *, is_in: bool, wanted: bool
    ) -> Predicate:
        if not items:
            return NEVER if is_in is wanted else ALWAYS
        pg_type = _common_type((operand, *items))
        value = self.value(operand, pg_type)
        return AnyOf(value, tuple(self.value(item, pg_type) for item in items), negated=is_in is not wanted)

    def membership_in_claim(
        self, operand: _Operand, claim: syntax.PrincipalAttribute, *, is_in: bool, wanted: bool
    ) -> Predicate:
        """Whether it is in the list that the claim is, each item of which is read as what is looked for."""
        if isinstance(operand, Term):
            _require_ordered(operand)
            items = PrincipalValue("claims", _array_of(literal_type(operand.type, with_decimals=False)), claim.claim)

            def test(bound: Bound) -> Predicate:
                return AnyOf(operand.place(bound), items, negated=not is_in)

            return self.test((operand,), test, wanted=wanted)
        if not isinstance(operand, syntax.Literal | syntax.Boolean):
            raise WrongType(f"{described(operand)} cannot be looked for in {claim}.")
        pg_type = _common_type((operand,))
        items = PrincipalValue("claims", _array_of(pg_type), claim.claim)
        return AnyOf(self.value(operand, pg_type), items, negated=is_in is not wanted)

    def membership_in_list(
        self, operand: _Operand, items: syntax.PrincipalAttribute, *, is_in: bool, wanted: bool
    ) -> Predicate:
        of_texts = items.name == "capabilities"
        if isinstance(operand, Term):
            array = _list_type(operand.type, of_texts=of_texts)
            if array is None:
                raise WrongType(f"{described(operand)} and cannot be looked for in {items}.")

            def test(bound: Bound) -> Predicate:
                return AnyOf(operand.place(bound), PrincipalValue(items.name, array), negated=not is_in)

            return self.test((operand,), test, wanted=wanted)
        wrong = isinstance(operand, syntax.Null | syntax.Boolean) or (
            isinstance(operand, syntax.PrincipalAttribute) and (of_texts or operand.name in LISTS)
        )
        if wrong or isinstance(operand, syntax.Null):
            raise WrongType(f"{described(operand)} cannot be looked for in {items}.")
        if isinstance(operand, syntax.Literal) and of_texts and operand.kind != "string":
            raise WrongType("A number cannot be looked for in $_PRINCIPAL.capabilities.")
        value = self.value(operand, TEXT if of_texts else INT8)
        array = TEXT_ARRAY if of_texts else INT4_ARRAY
        return AnyOf(value, PrincipalValue(items.name, array), negated=is_in is not wanted)

    def match(self, node: syntax.Match, *, wanted: bool) -> Predicate:
        word = node.operator.upper()
        text = self.text(self.operand(node.operand), word)
        pattern = self.pattern(self.operand(node.pattern), word)
        _, is_deterministic = shared_collation((text, pattern))
        if not is_deterministic:
            raise WrongType(f"{text.written} has a collation by which {word} cannot compare{at(node.position)}")

        def test(bound: Bound) -> Predicate:
            return Matches(text.place(bound), pattern.place(bound), node.operator, node.negated)

        return self.test((text, pattern), test, wanted=wanted)

    def text(self, operand: _Operand, word: str) -> Term:
        if isinstance(operand, syntax.Literal) and operand.kind == "string":
            return value_term(self.value(operand, TEXT), described(operand), operand.position)
        if not isinstance(operand, Term) or not is_text(operand.type):
            raise WrongType(f"{described(operand)}, and {word} needs text.")
        return operand

    def pattern(self, operand: _Operand, word: str) -> Term:
        if isinstance(operand, syntax.Literal) and operand.kind == "string":
            value = self.literal(operand.index, operand.value, TEXT, like_pattern)
            return value_term(value, described(operand), operand.position)
        if not isinstance(operand, Term):
            raise WrongType(f"The pattern of {word} must be text, such as a string in quotes.")
        return self.text(operand, word)

    def beside(self, term: _Operand, node: _Operand) -> Term:
        """A literal or an attribute of the principal as what it is compared with a term needs it."""
        assert isinstance(term, Term)
        assert not isinstance(node, Term)
        return value_term(self.value_beside(term, node), described(node), node.position)

    def value_beside(self, term: Term, node: _Operand, pg_type: PgType | None = None) -> Value:
        _require_ordered(term)
        assert not isinstance(node, Term | syntax.Null)
        wrong = WrongType(f"{described(term)} and cannot be compared with {described(node)}.")
        match node:
            case syntax.Boolean():
                if term.type.base != "bool":
                    raise wrong
                return Constant(node.value, BOOL)
            case syntax.Literal():
                if not takes_literal(term.type, node.kind):
                    raise wrong
                wanted_type = pg_type or literal_type(term.type, with_decimals=_has_decimals([node]))
                return self.value(node, wanted_type)
            case syntax.PrincipalAttribute() if node.claim:
                return self.value(node, pg_type or literal_type(term.type, with_decimals=False))
            case syntax.PrincipalAttribute():
                array = _list_type(term.type, of_texts=False)
                if array is None or array.element is None:
                    raise wrong
                return PrincipalValue(node.name, array.element)

    def value(self, node: _Operand, pg_type: PgType) -> Value:
        assert not isinstance(node, Term | syntax.Null)
        match node:
            case syntax.Boolean():
                return Constant(node.value, BOOL)
            case syntax.Literal():
                coerce = negated(coercer(pg_type)) if node.negative else coercer(pg_type)
                return self.literal(node.index, node.value, pg_type, coerce)
            case syntax.PrincipalAttribute():
                return PrincipalValue(node.name, pg_type if node.claim else INT4, node.claim)

    def test(self, terms: Sequence[Term], test: _Test, *, wanted: bool, where_absent: bool | None = None) -> Predicate:
        """The test of the terms, made where their rows are at hand.

        The way that all of them have in common is gone by Exists, as far as nothing but null would be found where it
        leads nowhere; from there on a to-one gives a value, and each further collection some row.
        """
        paths = frozenset[Relations]().union(*(term.paths for term in terms))
        common = _common_way(paths)
        if not all(term.strict for term in terms):
            common = to_last_collection(common)
        further = sorted(
            {way for way in map(to_last_collection, paths) if len(way) > len(common)},
            key=lambda way: (len(way), [relation.name for relation in way]),
        )

        def made(bound: Bound, is_wanted: bool) -> Predicate:  # noqa: FBT001 - as `wanted` elsewhere
            if not further:
                return _flipped(test(bound), wanted=is_wanted)
            some = self.some(bound, further, test)
            return some if is_wanted else Not(some)

        return self.reach(HERE, common, made, wanted=wanted, where_absent=False if further else where_absent)

    def reach(
        self,
        bound: Bound,
        rest: Relations,
        test: "Callable[[Bound, bool], Predicate]",
        *,
        wanted: bool,
        where_absent: bool | None,
    ) -> Predicate:
        """`test` made at the end of the way. Through a collection it holds if it does for some related row; through
        a to-one that leads nowhere it is `where_absent`, or unknown."""
        if not rest:
            return test(bound, wanted)
        relation, rest = rest[0], rest[1:]
        inner = (*bound, (*bound[-1], relation))
        if relation.many:
            some = self.exists(relation, self.reach(inner, rest, test, wanted=True, where_absent=where_absent))
            return some if wanted else Not(some)
        # Where nothing is related, no related row of a collection further on satisfies anything.
        absent = False if any(further.many for further in rest) else where_absent
        if absent is wanted:
            found = self.reach(inner, rest, test, wanted=not wanted, where_absent=where_absent)
            return Not(self.exists(relation, found))
        return self.exists(relation, self.reach(inner, rest, test, wanted=wanted, where_absent=where_absent))

    def some(self, bound: Bound, ways: Sequence[Relations], test: _Test) -> Predicate:
        """Whether there are rows, one at the end of each way, that satisfy the test together."""
        if not ways:
            return test(bound)
        way, *rest = ways
        index = max(
            (index for index, prefix in enumerate(bound) if way[: len(prefix)] == prefix),
            key=lambda index: len(bound[index]),
        )
        return self.along(bound, bound[index], way, len(bound) - 1 - index, lambda inner: self.some(inner, rest, test))

    def along(self, bound: Bound, come: Relations, way: Relations, outer: int, test: _Test) -> Predicate:
        if come == way:
            return test(bound)
        relation = way[len(come)]
        gone = (*come, relation)
        return self.exists(relation, self.along((*bound, gone), gone, way, 0, test), outer)

    def exists(self, relation: Relation, where: Predicate, outer: int = 0) -> Predicate:
        return Exists(relation.name, where, self.under_grant, outer=outer)


def _ways(term: Term) -> set[Relations]:
    """The collections that the term goes through."""
    return {way for way in map(to_last_collection, term.paths) if way}


def _common_way(paths: Iterable[Relations]) -> Relations:
    """What the paths have in common at their beginnings."""
    first, *others = list(paths) or [()]
    length = 0
    while length < len(first) and all(path[: length + 1] == first[: length + 1] for path in others):
        length += 1
    return first[:length]


def _require_comparable(left: Term, right: Term) -> None:
    if not (is_comparable(left.type, right.type) or is_comparable_as_floats(left.type, right.type)):
        if not left.paths:
            left, right = right, left
        raise WrongType(f"{described(left)} and {described(right)}: these cannot be compared.")
    shared_collation((left, right))


def _require_ordered(term: Term) -> None:
    if not is_ordered(term.type):
        raise WrongType(f"{described(term)} and can only be compared with null.")


def _flipped(test: Predicate, *, wanted: bool) -> Predicate:
    """The predicate that is true where `test` is what is wanted. Where it is unknown, both are."""
    if wanted:
        return test
    match test:
        case IsNull():
            return IsNull(test.operand, not test.negated)
        case Matches():
            return Matches(test.operand, test.pattern, test.operator, not test.negated)
        case AnyOf():
            return AnyOf(test.operand, test.items, not test.negated)
        case _:
            return NEVER if test == ALWAYS else ALWAYS if test == NEVER else Not(test)


def _values_of(items: list[_Operand]) -> list[_ValueNode]:
    for item in items:
        if isinstance(item, syntax.Null):
            raise WrongType("null cannot be an item of a list; use = null beside it.")
        if isinstance(item, syntax.PrincipalAttribute) and item.name in LISTS:
            raise WrongType(f"{item} is a list and cannot be an item of one.")
    return [item for item in items if not isinstance(item, Term | syntax.Null)]


def _has_decimals(nodes: list[_ValueNode] | list[syntax.Literal]) -> bool:
    return any(isinstance(node, syntax.Literal) and node.kind == "decimal" for node in nodes)


def _common_type(nodes: tuple[_Operand, ...]) -> PgType:
    """The type in which values meet that no column stands beside: numbers as numeric, strings as text. A claim is read
    as what it stands beside."""
    typed = tuple(node for node in nodes if not (isinstance(node, syntax.PrincipalAttribute) and node.claim))
    if not typed:
        return TEXT
    nodes = typed
    booleans = [isinstance(node, syntax.Boolean) for node in nodes]
    if any(booleans):
        if not all(booleans):
            raise WrongType("true and false can only be compared with a boolean.")
        return BOOL
    literals = [node for node in nodes if isinstance(node, syntax.Literal)]
    all_strings = len(literals) == len(nodes) and all(node.kind == "string" for node in literals)
    return TEXT if all_strings else NUMERIC


def _array_of(element: PgType) -> PgType:
    return PgType(f"{element.name}[]", f"_{element.base}", "array", element)


def _list_type(pg_type: PgType, *, of_texts: bool) -> PgType | None:
    """As what list ids or texts of the principal can stand beside a column of the type, if they can."""
    if is_text(pg_type):
        return TEXT_ARRAY
    is_number = pg_type.kind != "enum" and pg_type.base in {"int2", "int4", "int8", "numeric", "float4", "float8"}
    return INT4_ARRAY if is_number and not of_texts else None
