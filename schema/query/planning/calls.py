"""plan_functions, plan_call_mutation, plan_computed: calls of functions and procedures."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from graphql import FieldNode

from db.catalog import Parameter
from schema.errors import OperationError
from schema.expression.predicate import ALWAYS, Constant
from schema.model import Entity, Routine
from schema.query.plan import Argument, Call, CallMutation, CallOutput, CallValue, Fixed, Functions, Read, ReadOutput
from schema.query.planning import reads
from schema.query.planning.attributes import is_composite, plan_attributes
from schema.query.planning.context import Planning


class ArgumentNeeded(OperationError):
    """A parameter without a name is passed by its place, so that no other before it can be left out."""

    code = "ARGUMENT_NEEDED"

    def __init__(self, routine: str, argument: str) -> None:
        super().__init__(f"{routine} needs its argument {argument}.")


def plan_functions(planning: Planning, nodes: Sequence[FieldNode]) -> Functions:
    """What is selected of `Functions`."""

    def plan(each: Sequence[FieldNode]) -> Read | CallValue | Fixed:
        name = each[0].name.value
        if name == "__typename":
            return Fixed('"Functions"')
        return _plan(planning, planning.model.routines[name], each, None)

    return Functions(tuple((key, plan(each)) for key, each in planning.fields(nodes).items()))


def plan_call_mutation(planning: Planning, routine: Routine, nodes: Sequence[FieldNode]) -> CallMutation:
    return CallMutation(_plan(planning, routine, nodes, None))


def plan_computed(
    planning: Planning, entity: Entity, routine: Routine, key: str, nodes: Sequence[FieldNode]
) -> ReadOutput | CallOutput:
    """The field of a row that a function computes from it."""
    found = _plan(planning, routine, nodes, entity)
    return ReadOutput(key, found) if isinstance(found, Read) else CallOutput(key, found)


def _plan(planning: Planning, routine: Routine, nodes: Sequence[FieldNode], row_of: Entity | None) -> Read | CallValue:
    # A function is a target of its own: whoever is not granted it has no such field, and must not get here either.
    planning.grants.grant(routine.function.name, routine.capability)
    call = Call(routine, _arguments(planning, routine, nodes[0]), row_of)
    if routine.rows_of is not None:
        target = planning.model.by_table[routine.rows_of]
        return _rows(planning, target, call, nodes)
    if routine.record is not None:
        return _rows(planning, routine.record, call, nodes)
    result = routine.function.result
    return CallValue(call, plan_attributes(planning, result, nodes) if is_composite(result) else ())


def _rows(planning: Planning, target: Entity, call: Call, nodes: Sequence[FieldNode]) -> Read:
    """The rows that it gives. Those of a table are seen as far as the caller may see rows of that table."""
    grant = planning.grant(target, "select") if call.routine.rows_of is not None else ALWAYS
    outputs = reads.plan_outputs(planning, target, nodes)
    if call.routine.function.returns_set:
        rows = reads.plan_rows(planning, target, nodes[0], outputs, grant=grant)
        max_rows = planning.max_rows(target) if call.routine.rows_of is not None else None
        return replace(rows, call=call, max_rows=max_rows)
    return Read(target, grant, outputs, many=False, call=call)


def _arguments(planning: Planning, routine: Routine, node: FieldNode) -> tuple[tuple[Parameter, Argument], ...]:
    """What is passed: what is given, null for what has no default, and nothing where the default holds."""
    given: list[tuple[Parameter, Argument]] = []
    by_place = _by_place(routine.arguments)
    left_out = ""
    for place, (name, parameter) in enumerate(routine.arguments.items()):
        value = planning.argument(node, name)
        if value is not None or not parameter.has_default:
            if left_out and place < by_place:
                raise ArgumentNeeded(routine.name, left_out)
        else:
            left_out = left_out or name
        if value is not None:
            given.append((parameter, value.argument(parameter.type)))
        elif parameter.is_variadic:
            given.append((parameter, Constant((), parameter.type)))
        elif not parameter.has_default:
            given.append((parameter, Constant(None, parameter.type)))
    return tuple(given)


def _by_place(arguments: Mapping[str, Parameter]) -> int:
    """How many are passed by their place: all up to the last that has no name."""
    nameless = [place for place, parameter in enumerate(arguments.values()) if not parameter.name]
    return nameless[-1] + 1 if nameless else 0
