"""A call of a function by its name and a list of arguments → the operation of /query that makes it. Pure.

Which functions there are for a caller, and what they show of their rows, is the policy's to say: it is all in the
schema that the caller sees.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from graphql import GraphQLObjectType, GraphQLType, get_named_type, is_leaf_type, is_required_argument

from gateway.errors import RequestError
from gateway.facades.realm_errors import FunctionNotFound
from schema.model import Routine
from schema.query.building.schema import QuerySchema

#: Composite values within one another, as far as they are looked into.
MAX_LEVELS: Final = 5


class TooManyArguments(RequestError):
    """A function is called with more arguments than it has."""

    code = "TOO_MANY_ARGUMENTS"

    def __init__(self, name: str, number: int) -> None:
        super().__init__(f"The function {name} takes at most {number} arguments.")


@dataclass(frozen=True, slots=True)
class FunctionCall:
    """A document with its variables; what the function gave stands in the data under `path`."""

    document: str
    variables: Mapping[str, object]
    path: tuple[str, ...]
    changes: bool

    def result_in(self, body: bytes) -> bytes:
        """What the function gave, as it stands in the body of the reply to the document."""
        head = b"".join(b'{"%s":' % name.encode() for name in ("data", *self.path))
        tail = b"}" * (1 + len(self.path))
        assert body.startswith(head), body[: len(head)]
        assert body.endswith(tail)
        return body[len(head) : -len(tail)]


def build_call(schema: QuerySchema, name: str, arguments: Sequence[object]) -> FunctionCall:
    """The call of the function with these arguments, in the order in which it takes them; those left out have their
    defaults. Of rows it gives every column that the caller sees. Raises FunctionNotFound, TooManyArguments."""
    routine = schema.model.routines.get(name)
    if routine is None:
        raise FunctionNotFound(name)
    changes = routine.function.changes_state
    holder = schema.graphql.mutation_type if changes else _functions_type(schema)
    path = (f"call_{name}",) if changes else ("Functions", name)
    field = None if holder is None else holder.fields.get(path[-1])
    if field is None:
        raise FunctionNotFound(name)
    if len(arguments) > len(routine.arguments):
        raise TooManyArguments(name, len(routine.arguments))
    # What lists of rows take besides comes behind the function's own arguments, and is not sent.
    given = dict(zip(routine.arguments, arguments, strict=False))
    declared = ", ".join(f"${argument}: {field.args[argument].type}" for argument in given)
    passed = ", ".join(f"{argument}: ${argument}" for argument in given)
    call = path[-1] + (f"({passed})" if passed else "") + _selection(field.type, _columns(schema, routine))
    inner = call if changes else f"Functions {{ {call} }}"
    head = ("mutation" if changes else "query") + (f" ({declared})" if declared else "")
    return FunctionCall(f"{head} {{ {inner} }}", given, path, changes)


def _functions_type(schema: QuerySchema) -> GraphQLObjectType | None:
    query = schema.graphql.query_type
    field = None if query is None else query.fields.get("Functions")
    return field.type if field is not None and isinstance(field.type, GraphQLObjectType) else None


def _columns(schema: QuerySchema, routine: Routine) -> frozenset[str] | None:
    """The columns of the table whose rows it gives; None where it gives anything else."""
    return None if routine.rows_of is None else frozenset(schema.model.by_table[routine.rows_of].columns)


def _selection(kind: GraphQLType, only: frozenset[str] | None = None, level: int = 0) -> str:
    """All that can be selected of a value, with a space before it; of a row only its columns."""
    named = get_named_type(kind)
    if not isinstance(named, GraphQLObjectType) or level == MAX_LEVELS:
        return ""
    fields: list[str] = []
    for name, field in named.fields.items():
        if (only is not None and name not in only) or any(map(is_required_argument, field.args.values())):
            continue
        inner = _selection(field.type, level=level + 1)
        if inner or is_leaf_type(get_named_type(field.type)):
            fields.append(name + inner)
    return f" {{ {' '.join(fields) or '__typename'} }}"
