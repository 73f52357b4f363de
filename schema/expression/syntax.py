"""The tree of an expression as it is written. Nothing in it has been looked up. Positions count characters from 1."""

from dataclasses import dataclass
from typing import Literal as OneOf

from schema.expression.lift import LiteralValue
from schema.expression.predicate import Comparison as ComparisonOperator
from schema.expression.predicate import Matching
from schema.principal import Named

LiteralKind = OneOf["string", "integer", "decimal"]


@dataclass(frozen=True, slots=True)
class Literal:
    """The literal number `index` of the text, as `lift` counts them; `negative` when a minus sign stands before it."""

    index: int
    value: LiteralValue
    kind: LiteralKind
    position: int
    negative: bool = False


@dataclass(frozen=True, slots=True)
class Boolean:
    value: bool
    position: int


@dataclass(frozen=True, slots=True)
class Null:
    position: int


@dataclass(frozen=True, slots=True)
class Path:
    """A column, after the relations that lead to its table."""

    names: tuple[str, ...]
    position: int

    def __str__(self) -> str:
        return ".".join(self.names)


@dataclass(frozen=True, slots=True)
class PrincipalAttribute:
    """`$_PRINCIPAL.name`, or with a claim `$_PRINCIPAL.claims.claim`."""

    name: Named
    position: int
    claim: str = ""

    def __str__(self) -> str:
        return f"$_PRINCIPAL.{self.name}.{self.claim}" if self.claim else f"$_PRINCIPAL.{self.name}"


@dataclass(frozen=True, slots=True)
class Call:
    """`name(arguments)`; `count(*)` has `star` and no arguments."""

    name: str
    arguments: tuple["Expression", ...]
    position: int
    star: bool = False


@dataclass(frozen=True, slots=True)
class Signed:
    """A sign before something that is not a number."""

    sign: OneOf["-", "+"]
    operand: "Expression"
    position: int


@dataclass(frozen=True, slots=True)
class Calculation:
    """Operands with the operators between them, all of one precedence: a - b + c. Those of `^` bind from the right."""

    operands: tuple["Expression", ...]
    operators: tuple[str, ...]
    position: int


@dataclass(frozen=True, slots=True)
class Comparison:
    left: "Expression"
    operator: ComparisonOperator
    right: "Expression"
    position: int


@dataclass(frozen=True, slots=True)
class Membership:
    """`operand IN [items]`, or `operand IN $_PRINCIPAL.<list>`."""

    operand: "Expression"
    items: "tuple[Expression, ...] | PrincipalAttribute"
    position: int
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Match:
    operand: "Expression"
    operator: Matching
    pattern: "Expression"
    position: int
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Negation:
    operand: "Expression"
    position: int


@dataclass(frozen=True, slots=True)
class Conjunction:
    operands: tuple["Expression", ...]


@dataclass(frozen=True, slots=True)
class Disjunction:
    operands: tuple["Expression", ...]


Expression = (
    Literal
    | Boolean
    | Null
    | Path
    | PrincipalAttribute
    | Call
    | Signed
    | Calculation
    | Comparison
    | Membership
    | Match
    | Negation
    | Conjunction
    | Disjunction
)
