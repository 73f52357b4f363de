"""Random GraphQL documents for a schema, with variables: written to be valid, or then broken in one of many ways."""

import random
import string
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLScalarType,
    GraphQLSchema,
    GraphQLUnionType,
    Lexer,
    Source,
    TokenKind,
    is_abstract_type,
    is_leaf_type,
    is_required_argument,
    is_required_input_field,
)
from graphql.error import GraphQLSyntaxError
from graphql.language.block_string import print_block_string

MAX_LEVELS = 3
TEXTS = [
    "",
    "JFK",
    "a 'quote'",
    "Ünïcödé 日本",
    "\U0001f600",
    'say "hi"',
    "back\\slash",
    "two\nlines",
    "\t",
    "null",
    "7",
]
NUMBERS = [0, -0, 1, -1, 7, 2**31 - 1, -(2**31)]
TOO_LARGE = [2**31, -(2**31) - 1, 2**53, 10**20]

Composite = GraphQLObjectType | GraphQLInterfaceType | GraphQLUnionType


@dataclass(frozen=True)
class Case:
    """A document and what is sent with it."""

    query: str
    operation_name: str | None
    variables: dict[str, Any]


@dataclass
class _Operation:
    variables: dict[str, Any] = field(default_factory=dict[str, Any])
    definitions: list[str] = field(default_factory=list[str])
    fragments: list[str] = field(default_factory=list[str])


class DocumentMaker:
    """Draws documents for one schema. The same random numbers give the same documents."""

    def __init__(self, schema: GraphQLSchema, numbers: random.Random) -> None:
        self._schema = schema
        self._numbers = numbers
        self._count = 0
        self._operation = _Operation()

    def valid(self) -> Case:
        """A document that is meant to be valid, and variables that fit it."""
        parts: list[str] = []
        names: list[str] = []
        chosen: list[dict[str, Any]] = []
        several = self._chance(0.15)
        for _ in range(2 if several else 1):
            self._operation = _Operation()
            names.append(self._name("Op"))
            parts.append(self._write_operation(names[-1], may_be_short=not several))
            parts += self._operation.fragments
            chosen.append(self._operation.variables)
        self._numbers.shuffle(parts)
        index = self._numbers.randrange(len(names))
        text = self._numbers.choice(["\n", "  ", "\n# a comment, { \n", "\r\n"]).join(parts)
        named = several or (names[0] in text and self._chance(0.4))
        return Case(text, names[index] if named else None, chosen[index])

    def broken(self) -> Case:
        """A valid case after one to three breaks; some survive them."""
        case = self.valid()
        for _ in range(self._numbers.choice([1, 1, 1, 2, 3])):
            case = self._numbers.choice(_BREAKS)(case, self._schema, self._numbers)
        return case

    def lenient(self) -> Case:
        """A valid case with a text for each number in its variables, and a number for each text that is one."""
        case = self.valid()
        return Case(case.query, case.operation_name, {name: _loosen(value) for name, value in case.variables.items()})

    def _write_operation(self, name: str, *, may_be_short: bool) -> str:
        kinds = [("query", self._schema.query_type), ("mutation", self._schema.mutation_type)]
        kind, root = self._numbers.choice([(kind, type_) for kind, type_ in kinds if type_ is not None])
        assert root is not None
        selection = self._write_selection(root, 0)
        definitions = self._operation.definitions
        if may_be_short and kind == "query" and not definitions and self._chance(0.3):
            return selection
        head = f"({', '.join(definitions)})" if definitions else ""
        return f"{kind} {name}{head} {selection}"

    def _write_selection(self, parent: Composite, level: int) -> str:
        written = [self._write_member(parent, level) for _ in range(self._numbers.randint(1, 3 if level < 1 else 2))]
        return "{ " + self._numbers.choice([" ", ", ", "\n"]).join(written) + " }"

    def _write_member(self, parent: Composite, level: int) -> str:
        if level < MAX_LEVELS and self._chance(0.12):
            return self._write_spread(parent, level)
        fields = {} if isinstance(parent, GraphQLUnionType) else dict(parent.fields)
        fields = {name: each for name, each in fields.items() if level < MAX_LEVELS or is_leaf_type(_core(each.type))}
        if not fields or self._chance(0.08):
            return f"{self._name('t')}: __typename" if self._chance(0.5) else "__typename"
        name = self._numbers.choice(sorted(fields))
        kind = _core(fields[name].type)
        arguments = [
            f"{key}: {self._write_value(argument.type, key)}"
            for key, argument in fields[name].args.items()
            if is_required_argument(argument) or self._chance(0.35)
        ]
        plain = not arguments and is_leaf_type(kind)
        alias = "" if plain and self._chance(0.5) else f"{self._name('f')}: "
        call = f"({', '.join(arguments)})" if arguments else ""
        selection = "" if is_leaf_type(kind) else " " + self._write_selection(kind, level + 1)
        return f"{alias}{name}{call}{self._write_directive()}{selection}"

    def _write_spread(self, parent: Composite, level: int) -> str:
        target: Any = parent
        if is_abstract_type(parent) and self._chance(0.7):
            target = self._numbers.choice(self._schema.get_possible_types(parent))
        selection = self._write_selection(target, level + 1)
        if self._chance(0.5):
            condition = f" on {target.name}" if target is not parent or self._chance(0.7) else ""
            return f"...{condition}{self._write_directive()} {selection}"
        name = self._name("F")
        self._operation.fragments.append(f"fragment {name} on {target.name} {selection}")
        return f"...{name}"

    def _write_directive(self) -> str:
        if not self._chance(0.06):
            return ""
        flag = GraphQLNonNull(self._schema.type_map["Boolean"])
        return f" @{self._numbers.choice(['skip', 'include'])}(if: {self._write_value(flag, 'if')})"

    def _write_value(self, type_: Any, hint: str) -> str:
        if self._chance(0.25):
            return self._write_variable(type_, hint)
        if not isinstance(type_, GraphQLNonNull) and self._chance(0.1):
            return "null"
        type_ = type_.of_type if isinstance(type_, GraphQLNonNull) else type_
        if isinstance(type_, GraphQLList):
            if self._chance(0.2):
                # A variable may not stand for a list of one, only a value may.
                return self._write_constant(type_.of_type, hint)
            return (
                "["
                + ", ".join(self._write_value(type_.of_type, hint) for _ in range(self._numbers.randint(0, 3)))
                + "]"
            )
        if isinstance(type_, GraphQLInputObjectType):
            return "{" + ", ".join(f"{k}: {self._write_value(t, k)}" for k, t in self._members(type_).items()) + "}"
        return self._write_leaf(type_)

    def _write_leaf(self, type_: Any) -> str:
        value = self._draw_leaf(type_)
        if isinstance(type_, GraphQLEnumType):
            return str(value)
        if isinstance(value, str):
            return self._write_text(value)
        if isinstance(value, bool):
            return str(value).lower()
        return repr(value)

    def _write_text(self, text: str) -> str:
        if "\\" not in text and self._chance(0.15):
            return print_block_string(text)
        escape = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t"}
        if self._chance(0.3):
            return '"' + "".join(escape.get(c) or (c if c.isascii() else f"\\u{{{ord(c):x}}}") for c in text) + '"'
        return '"' + "".join(escape.get(c, c) for c in text) + '"'

    def _write_variable(self, type_: Any, hint: str) -> str:
        name = self._name("v")
        default = ""
        if not isinstance(type_, GraphQLNonNull) and self._chance(0.25):
            default = f" = {self._write_constant(type_, hint)}"
        self._operation.definitions.append(f"${name}: {type_}{default}")
        required = isinstance(type_, GraphQLNonNull)
        if required or self._chance(0.75):
            self._operation.variables[name] = self._draw(type_)
        return f"${name}"

    def _write_constant(self, type_: Any, hint: str) -> str:
        """A value without variables."""
        kept, kept_variables = list(self._operation.definitions), dict(self._operation.variables)
        while "$" in (text := self._write_value(type_, hint)):
            self._operation.definitions[:] = kept
            self._operation.variables = dict(kept_variables)
        return text

    def _draw(self, type_: Any) -> Any:
        if isinstance(type_, GraphQLNonNull):
            return self._draw_present(type_.of_type)
        return None if self._chance(0.1) else self._draw_present(type_)

    def _draw_present(self, type_: Any) -> Any:
        if isinstance(type_, GraphQLList):
            if self._chance(0.2):
                return self._draw(type_.of_type)
            return [self._draw(type_.of_type) for _ in range(self._numbers.randint(0, 3))]
        if isinstance(type_, GraphQLInputObjectType):
            return {key: self._draw(each) for key, each in self._members(type_).items()}
        return self._draw_leaf(type_)

    def _members(self, type_: GraphQLInputObjectType) -> dict[str, Any]:
        """The fields to give, with their types. Optional objects are left out, so that nothing nests without end."""
        if type_.is_one_of:
            name = self._numbers.choice(sorted(type_.fields))
            return {name: GraphQLNonNull(type_.fields[name].type)}
        return {
            name: each.type
            for name, each in type_.fields.items()
            if is_required_input_field(each)
            or (self._chance(0.4) and not isinstance(_core(each.type), GraphQLInputObjectType))
        }

    def _draw_leaf(self, type_: Any) -> Any:
        if isinstance(type_, GraphQLEnumType):
            return self._numbers.choice(sorted(type_.values))
        assert isinstance(type_, GraphQLScalarType)
        match type_.name:
            case "Int":
                return self._numbers.choice(NUMBERS)
            case "Float":
                return self._numbers.choice([0.5, -1e10, 3.25e-5, 1e300, *NUMBERS])
            case "Boolean":
                return self._chance(0.5)
            case "ID":
                return self._numbers.choice(["1", "x", *NUMBERS])
            case _:
                return self._numbers.choice(TEXTS)

    def _name(self, prefix: str) -> str:
        self._count += 1
        return f"{prefix}{self._count}"

    def _chance(self, probability: float) -> bool:
        return self._numbers.random() < probability


def _core(type_: Any) -> Any:
    while isinstance(type_, GraphQLList | GraphQLNonNull):
        type_ = type_.of_type
    return type_


def _loosen(value: Any) -> Any:
    """The value with a text for each number and a number for the text 7."""
    match value:
        case bool() | None:
            return value
        case int() | float():
            return str(value)
        case "7":
            return 7
        case list():
            return [_loosen(each) for each in value]
        case dict():
            return {key: _loosen(each) for key, each in value.items()}
        case _:
            return value


# --- breaks ------------------------------------------------------------------------------------------------------

Break = Callable[[Case, GraphQLSchema, random.Random], Case]


def _tokens(text: str) -> list[tuple[int, int, TokenKind]]:
    """Start, end and kind of each token, up to where the text cannot be read any further."""
    lexer, found = Lexer(Source(text)), list[tuple[int, int, TokenKind]]()
    try:
        while (token := lexer.advance()).kind is not TokenKind.EOF:
            found.append((token.start, token.end, token.kind))
    except GraphQLSyntaxError:
        pass
    return found


def _edit(case: Case, text: str) -> Case:
    return Case(text, case.operation_name, case.variables)


def _drop_token(case: Case, _: GraphQLSchema, numbers: random.Random) -> Case:
    tokens = _tokens(case.query)
    if not tokens:
        return case
    start, end, _ = numbers.choice(tokens)
    return _edit(case, case.query[:start] + case.query[end:])


def _double_token(case: Case, _: GraphQLSchema, numbers: random.Random) -> Case:
    tokens = _tokens(case.query)
    if not tokens:
        return case
    start, end, _ = numbers.choice(tokens)
    return _edit(case, f"{case.query[:end]} {case.query[start:end]} {case.query[end:]}")


def _insert_token(case: Case, _: GraphQLSchema, numbers: random.Random) -> Case:
    pieces = ["{", "}", "(", ")", "[", "]", "!", "$", "@", ":", "=", "|", "&", "...", "on", "true", "null", "7", "007",
              "1.", ".5", "1e", '"', '"""', "'", "query", "fragment", "type", "\\", "%", "\u00e9", "\ufeff", "?", "-",
              '"\\ud800"', '"\\udc00\\ud800"', '"\\u{110000}"', '"\\x"', "0x1F", "--1", "1_0", "#", "\x07"]  # fmt: skip
    return _insert(case, f" {numbers.choice(pieces)} ", numbers)


def _insert(case: Case, piece: str, numbers: random.Random) -> Case:
    places = [end for _, end, _ in _tokens(case.query)] or [0]
    place = numbers.choice(places)
    return _edit(case, case.query[:place] + piece + case.query[place:])


def _swap_name(case: Case, schema: GraphQLSchema, numbers: random.Random) -> Case:
    names = [(start, end) for start, end, kind in _tokens(case.query) if kind is TokenKind.NAME]
    if not names:
        return case
    start, end = numbers.choice(names)
    other = numbers.choice(names)
    words = [case.query[slice(*other)], numbers.choice(sorted(schema.type_map)), "nowhere", "__typename", "__schema",
             "on", "if", "String", "Int", "filter", "limit", "input", "reason", "_nothing"]  # fmt: skip
    return _edit(case, case.query[:start] + numbers.choice(words) + case.query[end:])


def _swap_value(case: Case, _: GraphQLSchema, numbers: random.Random) -> Case:
    kinds = {TokenKind.INT, TokenKind.FLOAT, TokenKind.STRING, TokenKind.BLOCK_STRING}
    values = [(start, end) for start, end, kind in _tokens(case.query) if kind in kinds]
    values += [
        (start, end)
        for start, end, kind in _tokens(case.query)
        if kind is TokenKind.NAME and case.query[start:end] in {"true", "false", "null"}
    ]
    if not values:
        return case
    start, end = numbers.choice(values)
    words = ["null", "true", "7", "2147483648", "1.5", '"text"', "NAME", "[1]", "[]", "{}", "{a: 1}", "$nowhere", "-0"]
    return _edit(case, case.query[:start] + numbers.choice(words) + case.query[end:])


def _add_directive(case: Case, _: GraphQLSchema, numbers: random.Random) -> Case:
    directives = ["@skip(if: true)", "@include", "@include(if: true) @include(if: true)", "@nowhere", "@deprecated",
                  "@skip(unless: true)", "@skip(if: $nowhere)", '@specifiedBy(url: "x")', "@oneOf", "@skip(if: null)",
                  "@defer", "@stream"]  # fmt: skip
    return _insert(case, f" {numbers.choice(directives)} ", numbers)


def _add_definition(case: Case, schema: GraphQLSchema, numbers: random.Random) -> Case:
    query = schema.query_type.name if schema.query_type else "Query"
    any_type = numbers.choice([name for name in sorted(schema.type_map) if not name.startswith("__")])
    field_name = numbers.choice(sorted(schema.query_type.fields)) if schema.query_type else "x"
    definitions = [
        f"fragment Unused on {query} {{ __typename }}",
        f"fragment A on {query} {{ ...B }} fragment B on {query} {{ ...A }}",
        f"fragment A on {query} {{ __typename }} fragment A on {query} {{ __typename }} query OpA {{ ...A }}",
        f"query Spread {{ ...Y }} fragment Y on {any_type} {{ __typename }}",
        f"query Inline {{ ... on {any_type} {{ __typename }} }}",
        "query Missing { ...Nowhere }",
        "{ __typename }",
        "query Op1 { __typename }",
        "query Twice($a: Int, $a: Int) { __typename @skip(if: $a) }",
        "query Output($a: Query) { __typename }",
        f"query Typed($a: {any_type}) {{ __typename @include(if: $a) }}",
        "query Default($a: Boolean! = null) { __typename @include(if: $a) }",
        "query Default($a: Boolean = 7) { __typename @include(if: $a) }",
        "query Nullable($a: Boolean) { __typename @include(if: $a) }",
        "query Filled($a: Boolean = true) { __typename @include(if: $a) }",
        f"query Conflict {{ a: {field_name} a: __typename }}",
        "query Same { a: __typename a: __typename }",
        "query Leaf { __typename { x } }",
        f"query Bare {{ {field_name} }}",
        f"query Argued {{ {field_name}(nowhere: 1) {{ __typename }} }}",
        f"query Twins {{ {field_name}(limit: 1, limit: 1) {{ __typename }} }}",
        f"query Differ {{ a: {field_name}(limit: 1) {{ __typename }} a: {field_name}(limit: 2) {{ __typename }} }}",
        "query Introspect { __schema { types { name fields { name } } } __type(name: \"Query\") { kind } }",
        "query Introspect { __type { kind } }",
        "type T { a: Int }",
        "extend type Query { a: Int }",
        "schema { query: Query }",
        'directive @x on FIELD',
        "query Empty { }",
        "query Empty() { __typename }",
        "fragment on on Query { __typename }",
        '"described" query Described { __typename }',
        "fragment V($a: Int) on Query { __typename }",
    ]  # fmt: skip
    return _edit(case, f"{case.query}\n{numbers.choice(definitions)}")


def _cut(case: Case, _: GraphQLSchema, numbers: random.Random) -> Case:
    return _edit(case, case.query[: numbers.randrange(len(case.query) + 1)])


def _noise(case: Case, _: GraphQLSchema, numbers: random.Random) -> Case:
    place = numbers.randrange(len(case.query) + 1)
    return _edit(case, case.query[:place] + numbers.choice(string.printable) + case.query[place:])


def _rename_operation(case: Case, _: GraphQLSchema, numbers: random.Random) -> Case:
    return Case(case.query, numbers.choice([None, "Nowhere", "Op1", "op"]), case.variables)


def _bend_variable(case: Case, _: GraphQLSchema, numbers: random.Random) -> Case:
    if not case.variables:
        return case
    name = numbers.choice(sorted(case.variables))
    rest = {key: value for key, value in case.variables.items() if key != name}
    others: list[Any] = [
        None,
        True,
        [],
        {},
        [None],
        [[1]],
        {"nowhere": 1},
        {"a": {"b": [1]}},
        *TOO_LARGE,
        1.5,
        -0.0,
        1e40,
    ]
    value = numbers.choice(others)
    return Case(case.query, case.operation_name, rest | ({} if numbers.random() < 0.2 else {name: value}))


def _bend_inside(case: Case, _: GraphQLSchema, numbers: random.Random) -> Case:
    """A member of an object in the variables is dropped, added or replaced."""
    objects = [name for name, value in case.variables.items() if isinstance(value, dict)]
    if not objects:
        return _bend_variable(case, _, numbers)
    name = numbers.choice(objects)
    value = dict(case.variables[name])
    key = numbers.choice([*sorted(value), "nowhere"])
    if numbers.random() < 0.3:
        value.pop(key, None)
    else:
        value[key] = numbers.choice([None, True, [], {}, [[None]], 1.5, 2**31])
    return Case(case.query, case.operation_name, case.variables | {name: value})


_BREAKS: list[Break] = [
    _drop_token, _double_token, _insert_token, _swap_name, _swap_name, _swap_value, _swap_value, _add_directive,
    _add_definition, _add_definition, _add_definition, _cut, _noise, _rename_operation, _bend_variable, _bend_variable,
    _bend_inside,
]  # fmt: skip
