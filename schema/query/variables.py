"""The variables of a request, from what JSON holds to the values that an operation works with.

The rules are those of the specification (GraphQL September 2025, 6.1.2 and the Input Coercion of section 3), made wider
where clients of the wire rely on it: digits in a text for Int and Float, a number for String and ID.
"""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias, cast

from graphql import (
    GraphQLEnumType,
    GraphQLError,
    GraphQLInputObjectType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLScalarType,
    GraphQLSchema,
    OperationDefinitionNode,
    Undefined,
    VariableDefinitionNode,
    is_required_input_field,
)
from graphql import is_input_type as _is_input_type  # pyright: ignore[reportUnknownVariableType]
from graphql import type_from_ast as _type_from_ast  # pyright: ignore[reportUnknownVariableType]
from graphql.utilities.coerce_input_value import coerce_default_value
from graphql.utilities.coerce_input_value import (
    coerce_input_literal as _coerce_input_literal,  # pyright: ignore[reportUnknownVariableType]
)

from db.errors import PublicError
from schema.enums import label_of
from schema.expression.coerce import WrittenFloat
from schema.query.building.types import CompositeInput, LabelEnum
from schema.query.errors import Fault, VariablesInvalid, clip

Path: TypeAlias = tuple[str | int, ...]

# graphql-core's own alias leaves open what a list holds, which the type checker does not let through.
InputType: TypeAlias = (
    GraphQLScalarType | GraphQLEnumType | GraphQLInputObjectType | GraphQLList[Any] | GraphQLNonNull[Any]
)

MAX_FAULTS = 20

# An input type may contain itself, so that only the value bounds how deep coercion goes.
MAX_VALUE_NESTING = 60

INT_RANGE = range(-(2**31), 2**31)

# Every repetition is bounded and followed by something it cannot match itself: linear in the length of the text.
_WHOLE_NUMBER = re.compile(r"[+-]?[0-9]{1,20}(?:\.0{1,20})?")
_NUMBER = re.compile(r"[+-]?(?:[0-9]{1,400}(?:\.[0-9]{0,400})?|\.[0-9]{1,400})(?:[eE][+-]?[0-9]{1,4})?")
# As PostgreSQL writes them, and so as they stand in answers: JSON has no such numbers.
_NOT_FINITE = frozenset({"NaN", "Infinity", "-Infinity"})


class _Refused(Exception):
    """A value that does not fit; the path leads to it from its variable."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(reason)
        self.path = path
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable as an operation declares it. `default` is Undefined where there is none."""

    name: str
    type: InputType
    default: object
    location: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class VariableReader:
    """The variables of one operation, made ready for many requests."""

    variables: tuple[Variable, ...]

    def coerce(self, raw: Mapping[str, object]) -> dict[str, object]:
        """The values of the declared variables as resolvers take them: enums and scalars parsed, defaults filled in.

        What is absent and has no default stays absent. Entries that are not declared are ignored.
        Raises VariablesInvalid.
        """
        return self._read(raw, wire=False)

    def conform(self, raw: Mapping[str, object]) -> dict[str, object]:
        """The values as JSON still, but such that an executor bound to the letter of the specification takes them.

        Enums, custom scalars and defaults are left to the executor. Raises VariablesInvalid.
        """
        return self._read(raw, wire=True)

    def _read(self, raw: Mapping[str, object], *, wire: bool) -> dict[str, object]:
        values: dict[str, object] = {}
        faults: list[Fault] = []
        for variable in self.variables:
            value = raw.get(variable.name, Undefined)
            if value is Undefined:
                if variable.default is not Undefined:
                    if not wire:
                        values[variable.name] = variable.default
                    continue
                if not isinstance(variable.type, GraphQLNonNull):
                    continue
            try:
                values[variable.name] = _coerce(value, variable.type, (variable.name,), wire)
            except _Refused as refused:
                faults.append(Fault(clip(f"Variable {_spell(refused.path)} {refused.reason}."), variable.location))
                if len(faults) == MAX_FAULTS:
                    break
        if faults:
            raise VariablesInvalid(faults)
        return values


def variable_reader(schema: GraphQLSchema, operation: OperationDefinitionNode) -> VariableReader:
    """What reads the variables of this operation, which must be valid for the schema. Raises VariablesInvalid."""
    return VariableReader(tuple(_declare(schema, node) for node in operation.variable_definitions or ()))


def coerce_variables(
    schema: GraphQLSchema, operation: OperationDefinitionNode, raw: Mapping[str, object] | None
) -> dict[str, object]:
    """The values of the variables of one request; VariableReader.coerce says more. Raises VariablesInvalid."""
    return variable_reader(schema, operation).coerce(raw or {})


def _declare(schema: GraphQLSchema, node: VariableDefinitionNode) -> Variable:
    name = node.variable.name.value
    location = ((node.loc.start_token.line, node.loc.start_token.column),) if node.loc is not None else ()
    type_ = _type_from_ast(schema, node.type)
    if not _is_input_type(type_):
        raise VariablesInvalid([Fault(f"Variable ${name} is not of an input type.", location)])
    default: object = Undefined
    if node.default_value is not None:
        default = _coerce_input_literal(node.default_value, type_)
        if default is Undefined:
            raise VariablesInvalid([Fault(f"Variable ${name} has an invalid default value.", location)])
    return Variable(name, cast("InputType", type_), default, location)


def _coerce(value: object, type_: InputType, path: Path, wire: bool) -> object:  # noqa: FBT001 - hot path
    if isinstance(type_, GraphQLNonNull):
        if value is Undefined:
            raise _Refused(path, f"of required type {type_} was not given")
        if value is None:
            raise _Refused(path, f"of type {type_} must not be null")
        return _coerce(value, type_.of_type, path, wire)
    if value is None:
        return None
    if isinstance(type_, GraphQLScalarType):
        return _coerce_scalar(value, type_, path, wire)
    if len(path) > MAX_VALUE_NESTING:
        raise _Refused(path[:3], "is nested too deeply")
    if isinstance(type_, GraphQLList):
        if not isinstance(value, list):
            # One value stands for a list of one (section 3.12).
            return [_coerce(value, type_.of_type, path, wire)]
        items = cast("list[object]", value)
        return [
            _coerce(item, type_ if _is_nested(item, type_.of_type) else type_.of_type, (*path, index), wire)
            for index, item in enumerate(items)
        ]
    if isinstance(type_, GraphQLEnumType):
        return _coerce_enum(value, type_, path, wire)
    return _coerce_object(value, type_, path, wire)


def _is_nested(item: object, of_type: InputType) -> bool:
    """Whether a list stands where the type has a scalar: arrays of PostgreSQL have as many dimensions as one likes."""
    return isinstance(item, list) and isinstance(of_type, GraphQLScalarType | LabelEnum)


def _coerce_object(value: object, type_: GraphQLInputObjectType, path: Path, wire: bool) -> object:  # noqa: FBT001
    if isinstance(value, str) and isinstance(type_, CompositeInput):
        return value
    if not isinstance(value, dict):
        raise _Refused(path, f"must be an object of type {type_.name}, but is {_kind(value)}")
    given = cast("dict[str, object]", value)
    values: dict[str, object] = {}
    for name, field in type_.fields.items():
        if name in given:
            values[field.out_name if field.out_name and not wire else name] = _coerce(
                given[name], field.type, (*path, name), wire
            )
        elif is_required_input_field(field):
            raise _Refused((*path, name), f"of required type {field.type} was not given")
        elif not wire:
            default = coerce_default_value(field)
            if default is not Undefined:
                values[field.out_name or name] = default
    for name in given:
        if name not in type_.fields:
            raise _Refused((*path, name), f"is not a field of {type_.name}")
    if type_.is_one_of and (len(given) != 1 or None in given.values()):
        raise _Refused(path, f"must have exactly one field of {type_.name}, and not null")
    return values if wire else type_.out_type(values)


def _coerce_enum(value: object, type_: GraphQLEnumType, path: Path, wire: bool) -> object:  # noqa: FBT001
    if isinstance(type_, LabelEnum) and isinstance(value, str):
        label = label_of(type_.labels, value)
        if label is not None:
            return label
    if not isinstance(value, str) or value not in type_.values:
        raise _Refused(path, f"must be a name of the enum {type_.name}")
    return value if wire else type_.values[value].value


def _coerce_scalar(value: object, type_: GraphQLScalarType, path: Path, wire: bool) -> object:  # noqa: FBT001
    built_in = _BUILT_IN.get(type_.name)
    if built_in is not None:
        coerced = built_in(value)
        if coerced is None:
            raise _Refused(path, f"must be {_EXPECTED[type_.name]}, but is {_kind(value)}")
        return coerced
    if wire:
        return value
    try:
        return type_.coerce_input_value(value)
    except (PublicError, GraphQLError) as error:
        raise _Refused(path, f"is not a valid {type_.name}: {error.message.rstrip('.')}") from error
    except (ValueError, TypeError, ArithmeticError) as error:
        # The text of such an error was not written to be shown.
        raise _Refused(path, f"is not a valid {type_.name}") from error


def _read_int(value: object) -> int | None:
    if isinstance(value, str):
        number = int(value.split(".")[0]) if _WHOLE_NUMBER.fullmatch(value := value.strip()) else None
    elif isinstance(value, bool):
        number = None
    elif isinstance(value, int):
        number = value
    else:
        number = int(value) if isinstance(value, float) and value.is_integer() else None
    return number if number is not None and number in INT_RANGE else None


def _read_float(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    if isinstance(value, str):
        text = value.strip()
        if text in _NOT_FINITE:
            return WrittenFloat(text)
        number = WrittenFloat(text) if _NUMBER.fullmatch(text) else None
        return number if number is not None and math.isfinite(number) else None
    try:
        number = float(value)
    except OverflowError:
        return None
    return (number if isinstance(value, float) else WrittenFloat(str(value))) if math.isfinite(number) else None


def _read_string(value: object) -> str | None:
    if isinstance(value, str):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _spell_number(value)
    return None


def _read_id(value: object) -> str | None:
    if isinstance(value, float) and not value.is_integer():
        return None
    return _read_string(int(value)) if isinstance(value, float) else _read_string(value)


def _read_boolean(value: object) -> bool | None:
    return value if isinstance(value, bool) else None


def _spell_number(value: float) -> str | None:
    try:
        return str(value)
    except ValueError:
        # Python refuses to write integers of more than 4,300 digits: the conversion is quadratic.
        return None


_BUILT_IN: Mapping[str, Callable[[object], object]] = {
    "Int": _read_int,
    "Float": _read_float,
    "String": _read_string,
    "ID": _read_id,
    "Boolean": _read_boolean,
}
_EXPECTED: Mapping[str, str] = {
    "Int": "a whole number of 32 bits",
    "Float": "a number",
    "String": "a text",
    "ID": "an ID, which is a text or a whole number",
    "Boolean": "true or false",
}


def _kind(value: object) -> str:
    """What a value is in words. The value itself is not repeated: it may be a password."""
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case int() | float():
            return "another number"
        case str():
            return "another text"
        case list():
            return "a list"
        case _:
            return "an object"


def _spell(path: Path) -> str:
    return "$" + str(path[0]) + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path[1:])
