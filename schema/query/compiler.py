"""RoleView: the door to this room. A document, once prepared, and per shape of its variables a compiled operation."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, cast

import orjson
from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
)

from db.errors import ConstraintViolated
from db.sql import Statement
from schema.bounded import Bounded
from schema.expression.coerce import claim_argument, coercer
from schema.expression.lift import lift
from schema.expression.predicate import ComposedValue, Constant, CursorValue, Lifted, PrincipalValue, VariableValue
from schema.principal import Principal
from schema.query.building.schema import DRY_RUN, QuerySchema
from schema.query.constraints import told
from schema.query.cursors import CursorKey, CursorPad
from schema.query.document import Limits, choose_operation, read_document, validate_document
from schema.query.plan import (
    Call,
    CallMutation,
    Delete,
    Fixed,
    Insert,
    Plan,
    ResultPart,
    RowKeyValue,
    Update,
    VariableColumn,
    Writes,
)
from schema.query.planning.context import Grants
from schema.query.planning.operation import plan_operation
from schema.query.planning.time_limits import TimingGrants
from schema.query.rendering.context import Rendering
from schema.query.rendering.rows import render_writes
from schema.query.rendering.statement import render_mutation, render_query
from schema.query.rendering.step import Step
from schema.query.shape import Shaper, shape_of, variable_shapers
from schema.query.variables import VariableReader, variable_reader

#: For tenants whose statements have no cursors.
NO_CURSORS = CursorKey(b"")
MAX_DOCUMENTS = 1000
#: Longer documents are prepared anew each time, so that what is kept stays small.
MAX_KEPT_CHARACTERS = 20_000
MAX_PLANS_PER_DOCUMENT = 100
Variables = Mapping[str, object]
Introspect = Callable[[DocumentNode, Variables], Mapping[str, object]]
#: The last are the results of the steps before.
Binder = Callable[[Variables, Principal, Sequence[Sequence[object]]], object]


@dataclass(frozen=True, slots=True)
class MutationField:
    """A root field of a mutation: its steps, or its JSON where no row is touched."""

    key: str
    target: str
    capability: Literal["insert", "update", "delete"]
    ignores_conflict: bool
    steps: tuple[Step, ...]
    binders: tuple[tuple[Binder, ...], ...] = ()
    fixed: str | None = None

    def bind(
        self, place: int, variables: Variables, principal: Principal, results: Sequence[Sequence[object]] = ()
    ) -> list[object]:
        """The arguments of the step at `place`, where `results` is what the steps before gave. Raises as Compiled.bind
        does."""
        return [binder(variables, principal, results) for binder in self.binders[place]]


@dataclass(frozen=True, slots=True)
class Compiled:
    """What answers an operation: fixed bytes, one statement, or the fields of a mutation in order."""

    plan: Plan
    fixed: bytes | None = None
    statement: Statement | None = None
    binders: tuple[Binder, ...] = ()
    fields: tuple[MutationField, ...] = ()
    tell: Callable[[ConstraintViolated], ConstraintViolated] | None = None
    is_dry_run: bool = False
    max_seconds: float | None = None

    def bind(self, variables: Variables, principal: Principal) -> list[object]:
        """The arguments of `statement` for one request. Raises WrongType and its like for values that do not fit."""
        return [binder(variables, principal, ()) for binder in self.binders]


@dataclass
class Prepared:
    """A validated operation of one document for one view."""

    operation: OperationDefinitionNode
    fragments: Mapping[str, FragmentDefinitionNode]
    document: DocumentNode
    read_variables: VariableReader
    shapers: Mapping[str, tuple[Shaper, ...]]
    plans: Bounded[Hashable, Compiled] = field(default_factory=lambda: Bounded(MAX_PLANS_PER_DOCUMENT))

    @property
    def is_mutation(self) -> bool:
        return self.operation.operation is OperationType.MUTATION


class RoleView:
    """The schema, grants and plans that principals with the same fingerprint share."""

    def __init__(
        self,
        schema: QuerySchema,
        grants: Grants,
        limits: Limits,
        introspect: Introspect,
        cursors: CursorKey = NO_CURSORS,
    ) -> None:
        """`introspect` gives the data of a valid document that asks for nothing but introspection."""
        self.schema = schema
        self._introspect = introspect
        self._grants = grants
        self._cursors = cursors
        self._limits = limits
        self._documents: Bounded[tuple[str, str | None], Prepared] = Bounded(MAX_DOCUMENTS)

    def prepare(self, text: str, operation_name: str | None) -> Prepared:
        """The operation, ready to be compiled. Raises DocumentError; what is refused is not kept."""
        found = self._documents.get((text, operation_name))
        if found is None:
            found = self._prepare(text, operation_name)
            if len(text) <= MAX_KEPT_CHARACTERS:
                self._documents[text, operation_name] = found
        return found

    def compile(self, prepared: Prepared, variables: Variables) -> Compiled:
        """The plan for coerced variables of this shape. Raises OperationError."""
        shape = shape_of(prepared.shapers, variables)
        compiled = prepared.plans.get(shape)
        if compiled is None:
            compiled = self._compile(prepared, variables)
            prepared.plans[shape] = compiled
        return compiled

    def _prepare(self, text: str, operation_name: str | None) -> Prepared:
        document = read_document(text, self._limits)
        validate_document(self.schema.graphql, document)
        operation = choose_operation(document, operation_name)
        reader = variable_reader(self.schema.graphql, operation)
        return Prepared(
            operation=operation,
            fragments={
                node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)
            },
            document=document,
            read_variables=reader,
            shapers=variable_shapers(document, reader.variables),
        )

    def _compile(self, prepared: Prepared, variables: Variables) -> Compiled:
        def introspect(key: str, nodes: Sequence[FieldNode]) -> str:
            return introspection_json(self._introspect, prepared, key, nodes, variables)

        grants = TimingGrants(self._grants)
        plan = plan_operation(prepared.operation, prepared.fragments, self.schema, grants, variables, introspect)
        if plan.operation == "mutation":
            fields = tuple(self._mutation_field(output.key, output.node) for output in plan.outputs)
            return Compiled(
                plan,
                fields=fields,
                tell=lambda error: told(error, self.schema),
                is_dry_run=any(each.name.value == DRY_RUN.name for each in prepared.operation.directives or ()),
                max_seconds=grants.max_seconds,
            )
        if all(isinstance(output.node, Fixed) for output in plan.outputs):
            texts = {output.key: output.node.json for output in plan.outputs if isinstance(output.node, Fixed)}
            return Compiled(plan, fixed=b'{"data":{' + _members(texts) + b"}}")
        statement = render_query(plan, self.schema.model)
        binders = _binders(statement, self._cursors)
        return Compiled(plan, statement=statement, binders=binders, max_seconds=grants.max_seconds)

    def _mutation_field(self, key: str, node: object) -> MutationField:
        match node:
            case Insert(entity) | Update(entity) | Delete(entity):
                capability: Literal["insert", "update", "delete"] = (
                    "insert" if isinstance(node, Insert) else "update" if isinstance(node, Update) else "delete"
                )
                steps = render_mutation(node, self.schema.model)
                ignores_conflict = isinstance(node, Insert) and node.on_conflict == "ignore"
                return self._field(key, entity.name, capability, steps, ignores_conflict=ignores_conflict)
            case Writes():
                steps = render_writes(Rendering(self.schema.model), node)
                return self._field(key, node.entity.name, node.capability, steps)
            case CallMutation(result):
                call = result.call
                assert isinstance(call, Call)
                return self._field(key, call.routine.name, "update", render_mutation(node, self.schema.model))
            case Fixed(json):
                return MutationField(key, "", "insert", ignores_conflict=False, steps=(), fixed=json)
            case _:
                raise TypeError(node)

    def _field(
        self,
        key: str,
        target: str,
        capability: Literal["insert", "update", "delete"],
        steps: tuple[Step, ...],
        *,
        ignores_conflict: bool = False,
    ) -> MutationField:
        binders = tuple(_binders(step.statement, self._cursors) for step in steps)
        return MutationField(key, target, capability, ignores_conflict, steps, binders)


def _members(texts: Mapping[str, str]) -> bytes:
    return ",".join(f'"{key}":{json}' for key, json in texts.items()).encode()


def introspection_json(
    introspect: Introspect, prepared: Prepared, key: str, nodes: Sequence[FieldNode], variables: Variables
) -> str:
    """The JSON of one introspection field."""
    operation = prepared.operation
    asked = OperationDefinitionNode(
        operation=operation.operation,
        name=operation.name,
        variable_definitions=operation.variable_definitions,
        directives=(),
        selection_set=SelectionSetNode(selections=tuple(nodes)),
    )
    document = DocumentNode(definitions=(asked, *prepared.fragments.values()))
    return orjson.dumps(introspect(document, variables).get(key)).decode()


def bind(
    statement: Statement, variables: Variables, principal: Principal, cursors: CursorKey = NO_CURSORS
) -> list[object]:
    """The arguments of a statement for one request. Raises WrongType and its like for values that do not fit, and
    CursorInvalid."""
    return [binder(variables, principal, ()) for binder in _binders(statement, cursors)]


def _binders(statement: Statement, cursors: CursorKey) -> tuple[Binder, ...]:
    """For each argument of a statement the function that gives its value for one request."""
    return tuple(_binder(source, cursors) for source in statement.sources)


def _binder(source: Hashable, cursors: CursorKey) -> Binder:
    match source:
        case Constant(value, _):
            return lambda _variables, _principal, _: value
        case Lifted(index, _, coerce, name):
            return lambda variables, _principal, _: coerce(lift(str(variables[name])).literals[index])
        case PrincipalValue():
            return _principal_binder(source)
        case VariableValue((str(name),), _, coerce):
            return lambda variables, _principal, _: _coerced(coerce, variables.get(name))
        case VariableValue(path, _, coerce):
            return lambda variables, _principal, _: _coerced(coerce, _at(variables, path))
        case ComposedValue(_, compose, _, coerce):
            return lambda variables, _principal, _: _coerced(coerce, compose(variables))
        case ResultPart(write, index):
            return lambda _variables, _principal, results: results[write][index]
        case VariableColumn():
            return lambda variables, _principal, _: _column_of(source, variables)
        case RowKeyValue(index, _):
            return lambda _variables, _principal, results: results[-1][index]
        case CursorValue(cursor, context, index, kind):
            written, coerce_part = _binder(cursor, cursors), coercer(kind)
            return lambda variables, principal, results: coerce_part(
                cursors.read(written(variables, principal, results), context)[index]
            )
        case CursorPad():
            pad = cursors.pad(source)
            return lambda _variables, _principal, _: pad
        case _:
            raise TypeError(source)


def _principal_binder(source: PrincipalValue) -> Binder:
    attribute, kind, claim = source.attribute, source.type, source.claim
    if attribute == "claims":
        return lambda _variables, principal, _: claim_argument(principal.claims.get(claim), kind)
    coerce = coercer(kind)
    return lambda _variables, principal, _: coerce(principal.attribute(attribute))


def _coerced(coerce: Callable[[object], object], value: object) -> object:
    return None if value is None else coerce(value)


def _column_of(source: VariableColumn, variables: Variables) -> list[object]:
    rows = cast("list[dict[str, object]]", _at(variables, source.path))
    values = [_coerced(source.coerce, row[source.member]) for row in rows]
    if source.type.kind == "base":
        return values
    # What has no array type that the driver knows travels as texts.
    return [None if value is None else str(value) for value in values]


def _at(variables: Variables, path: tuple[str | int, ...]) -> object:
    value: Any = variables
    for step in path:
        value = value[step] if isinstance(step, int) or step in value else None
        if value is None:
            return None
    return value
