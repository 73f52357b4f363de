"""plan_operation: an operation that passed validation → a Plan, each node guarded by the grant of its table."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, cast

from graphql import (
    FieldNode,
    ListValueNode,
    NullValueNode,
    ObjectValueNode,
    OperationDefinitionNode,
    OperationType,
    ValueNode,
    VariableNode,
    value_from_ast_untyped,
)

from db.catalog import Column, PgType, TableName
from schema.errors import AccessDenied, OperationError, UnknownColumn
from schema.expression.check import check_expression
from schema.expression.coerce import coercer
from schema.expression.names import get_column, get_relation
from schema.expression.ordering import OrderTerm, parse_ordering
from schema.expression.parse import parse_expression
from schema.expression.predicate import (
    ALWAYS,
    And,
    Constant,
    Exists,
    Lifted,
    Not,
    Or,
    Predicate,
    Value,
    all_of,
)
from schema.model import Entity, Model, Relation
from schema.query.aggregates import SubqueryInvalid, as_function, distinct_names, read_subquery, result_entity
from schema.query.build import QuerySchema
from schema.query.plan import (
    Aggregate,
    Aggregates,
    Argument,
    ColumnOutput,
    Delete,
    Fixed,
    FlatColumn,
    Hop,
    Insert,
    Order,
    Output,
    Plan,
    Read,
    ReadOutput,
    RootOutput,
    RowKeyValue,
    TypenameOutput,
    Update,
    VariableValue,
)
from schema.query.scalars import is_key
from schema.query.selection import Fragments, Variables, argument, collect_fields

INT8 = PgType("int8", "int8")


class Grants(Protocol):
    """What the policy gives one principal."""

    def grant(self, table: TableName, capability: str, /) -> Predicate: ...


class InvalidPage(OperationError):
    """`limit` or `offset` is negative."""

    code = "INVALID_PAGE"


class NothingToStore(OperationError):
    """A mutation has no `input`."""

    code = "NO_INPUT"


def plan_operation(
    operation: OperationDefinitionNode,
    fragments: Fragments,
    schema: QuerySchema,
    grants: Grants,
    variables: Variables,
    introspect: Callable[[str, Sequence[FieldNode]], str],
) -> Plan:
    """The plan for variables of this shape. `introspect` gives the JSON of `__schema` and `__type` fields."""
    planner = Planner(schema.model, grants, fragments, variables)
    is_mutation = operation.operation is OperationType.MUTATION
    root_type = "Mutation" if is_mutation else "Query"
    outputs: list[RootOutput] = []
    for key, nodes in collect_fields([operation.selection_set], fragments, variables).items():
        name = nodes[0].name.value
        if name == "__typename":
            outputs.append(RootOutput(key, Fixed(f'"{root_type}"')))
        elif name.startswith("_") and name not in schema.fields:
            outputs.append(RootOutput(key, Fixed(introspect(key, nodes))))
        elif name == "Aggregates":
            outputs.append(RootOutput(key, planner.aggregates(schema, nodes)))
        else:
            root = schema.fields[name]
            outputs.append(RootOutput(key, _PLANNERS[root.operation](planner, root.entity, nodes)))
    return Plan("mutation" if is_mutation else "query", tuple(outputs))


@dataclass(frozen=True)
class Planner:
    """What the planning of one operation shares."""

    model: Model
    grants: Grants
    fragments: Fragments
    variables: Variables

    def read(self, entity: Entity, nodes: Sequence[FieldNode]) -> Read:
        """A root list."""
        return self._list(entity, nodes, relation=None)

    def insert(self, entity: Entity, nodes: Sequence[FieldNode]) -> Insert:
        check = self._grant(entity, "insert")
        values = self._input(entity, nodes[0])
        on_conflict = self._on_conflict(nodes[0])
        return Insert(
            entity=entity,
            values=values,
            check=check,
            result=self._result(entity, nodes, _written_key(entity)),
            on_conflict=on_conflict,
            conflict_columns=_conflict_columns(entity, {column.name for column, _ in values}),
            update_check=self._grant(entity, "update") if on_conflict == "update" else None,
        )

    def update(self, entity: Entity, nodes: Sequence[FieldNode]) -> Update:
        return Update(
            entity=entity,
            key=self._key(entity, nodes[0]),
            values=self._input(entity, nodes[0]),
            grant=self._grant(entity, "update"),
            result=self._result(entity, nodes, _written_key(entity)),
        )

    def delete(self, entity: Entity, nodes: Sequence[FieldNode]) -> Delete:
        key = self._key(entity, nodes[0])
        return Delete(entity, key, self._grant(entity, "delete"), self._result(entity, nodes, key))

    def aggregates(self, schema: QuerySchema, nodes: Sequence[FieldNode]) -> Aggregates:
        """The functions asked of `Aggregates`."""
        fields = collect_fields(
            [node.selection_set for node in nodes if node.selection_set], self.fragments, self.variables
        )
        return Aggregates(tuple((key, self._aggregate(schema, each[0])) for key, each in fields.items()))

    def _aggregate(self, schema: QuerySchema, node: FieldNode) -> Aggregate | Fixed:
        function = node.name.value
        if function == "__typename":
            return Fixed('"Aggregates"')
        text, _ = self._text(argument(node, "subquery"))
        root, fragments = read_subquery(text or "", schema)
        entity = schema.fields[root.name.value].entity
        inner = Planner(self.model, self.grants, fragments, {})
        columns = tuple(inner.flat_columns(entity, [root], (), ""))
        result = result_entity(as_function(function), columns)
        read = Read(
            entity=entity,
            grant=self._grant(entity, "select"),
            outputs=(),
            filter=all_of(
                inner.filter(entity, argument(root, "filter")), self.filter(entity, argument(node, "filter"))
            ),
            order=self._order(result, argument(node, "ordering")),
            limit=self._page(node, "limit"),
            offset=self._page(node, "offset"),
        )
        return Aggregate(
            function=as_function(function),
            read=read,
            columns=columns,
            distinct_on=distinct_names(_texts(self._plain(argument(node, "distincton"))), columns),
            result=result,
            having=self.filter(result, argument(node, "having")),
        )

    def flat_columns(
        self,
        entity: Entity,
        nodes: Sequence[FieldNode],
        path: tuple[Hop, ...],
        prefix: str,
    ) -> Iterable[FlatColumn]:
        """The columns that a subquery selects, those of to-one relations as `<relation>_<column>`."""
        fields = collect_fields(
            [node.selection_set for node in nodes if node.selection_set], self.fragments, self.variables
        )
        for key, each in fields.items():
            name = each[0].name.value
            if column := entity.columns.get(name):
                yield FlatColumn(prefix + key, path, column)
            elif relation := entity.relations.get(name):
                if relation.many:
                    raise SubqueryInvalid(f"An aggregate cannot group by the collection {name}.")
                hop = self._hop(entity, name)
                yield from self.flat_columns(hop.target, each, (*path, hop), f"{prefix}{key}_")

    def _list(self, entity: Entity, nodes: Sequence[FieldNode], relation: Relation | None) -> Read:
        node = nodes[0]
        return Read(
            entity=entity,
            grant=self._grant(entity, "select"),
            outputs=self._outputs(entity, nodes),
            relation=relation,
            via=self._via(relation) if relation else None,
            filter=self.filter(entity, argument(node, "filter")),
            order=self._order(entity, argument(node, "ordering")),
            limit=self._page(node, "limit"),
            offset=self._page(node, "offset"),
        )

    def _result(self, entity: Entity, nodes: Sequence[FieldNode], key: tuple[tuple[Column, Argument], ...]) -> Read:
        """The written row as the caller may see it; without a grant to select, its key alone."""
        try:
            grant = self._grant(entity, "select")
        except AccessDenied:
            grant = ALWAYS
        return Read(entity, grant, self._outputs(entity, nodes), key=key, many=False)

    def _outputs(self, entity: Entity, nodes: Sequence[FieldNode]) -> tuple[Output, ...]:
        selections = [node.selection_set for node in nodes if node.selection_set]
        fields = collect_fields(selections, self.fragments, self.variables)
        return tuple(self._output(entity, key, each) for key, each in fields.items())

    def _output(self, entity: Entity, key: str, nodes: Sequence[FieldNode]) -> Output:
        name = nodes[0].name.value
        if name == "__typename":
            return TypenameOutput(key, entity.name)
        if column := entity.columns.get(name):
            return ColumnOutput(key, column, as_id=is_key(entity.table, column))
        relation = entity.relations[name]
        target = self.model.by_table[relation.target]
        if relation.many:
            return ReadOutput(key, self._list(target, nodes, relation))
        grant = self._grant(target, "select")
        return ReadOutput(key, Read(target, grant, self._outputs(target, nodes), relation=relation, many=False))

    def _grant(self, entity: Entity, capability: str) -> Predicate:
        return self.grants.grant(entity.table.name, capability)

    def filter(self, entity: Entity, node: ValueNode | None) -> Predicate:
        """The predicate of a filter argument, with the caller's grants on what it looks into."""
        text, source = self._text(node)
        if not text or not text.strip():
            return ALWAYS

        def literal(index: int, value: object, kind: PgType, coerce: Callable[[object], object]) -> Value:
            return Lifted(index, kind, coerce, source) if source else Constant(_frozen(coerce(value)), kind)

        predicate = check_expression(parse_expression(text), entity, self.model, literal, under_grant=True)
        return self._guarded(predicate, entity)

    def _guarded(self, predicate: Predicate, entity: Entity) -> Predicate:
        """The predicate with the caller's grant on every related table that it looks into."""
        match predicate:
            case And(operands):
                return And(tuple(self._guarded(operand, entity) for operand in operands))
            case Or(operands):
                return Or(tuple(self._guarded(operand, entity) for operand in operands))
            case Not(operand):
                return Not(self._guarded(operand, entity))
            case Exists(relation, where, under_grant=True):
                hop = self._hop(entity, relation)
                guarded = all_of(hop.grant, self._guarded(where, hop.target))
                return Exists(relation, guarded, under_grant=False, via=hop.via)
            case _:
                return predicate

    def _hop(self, entity: Entity, name: str) -> Hop:
        """The way over a relation. Where the caller may not go there it does not exist."""
        relation = entity.relations[name]
        target = self.model.by_table[relation.target]
        try:
            return Hop(relation, target, self._grant(target, "select"), self._via(relation))
        except AccessDenied:
            raise UnknownColumn(entity.name, name) from None

    def _via(self, relation: Relation) -> Predicate:
        """The grant on the junction of a many-to-many relation: whoever sees the relation sees its rows."""
        junction = relation.junction and self.model.by_table.get(relation.junction.table)
        return self._grant(junction, "select") if junction else ALWAYS

    def _text(self, node: ValueNode | None) -> tuple[str | None, str]:
        """A text argument, and the variable it comes from."""
        if isinstance(node, VariableNode):
            value = self.variables.get(node.name.value)
            return (value if isinstance(value, str) else None), node.name.value
        value = value_from_ast_untyped(node) if node else None
        return (value if isinstance(value, str) else None), ""

    def _order(self, entity: Entity, node: ValueNode | None) -> tuple[Order, ...]:
        return tuple(self._order_term(entity, term) for term in parse_ordering(_texts(self._plain(node))))

    def _order_term(self, entity: Entity, term: OrderTerm) -> Order:
        path: list[Hop] = []
        for step in term.path[:-1]:
            relation, _ = get_relation(entity, step, self.model)
            path.append(self._hop(entity, relation.name))
            entity = path[-1].target
        return Order(tuple(path), get_column(entity, term.path[-1]), term.descending)

    def _page(self, node: FieldNode, name: str) -> Argument | None:
        given = argument(node, name)
        if given is None or self._plain(given) is None:
            return None

        def coerce(value: object) -> object:
            if not isinstance(value, int) or value < 0:
                raise InvalidPage(f"{name} must not be negative.")
            return value

        if isinstance(given, VariableNode):
            return VariableValue((given.name.value,), INT8, coerce)
        return Constant(coerce(self._plain(given)), INT8)

    def _key(self, entity: Entity, node: FieldNode) -> tuple[tuple[Column, Argument], ...]:
        return tuple(
            (column, self._value(given, column))
            for name, column in entity.columns.items()
            if is_key(entity.table, column) and (given := argument(node, name)) is not None
        )

    def _input(self, entity: Entity, node: FieldNode) -> tuple[tuple[Column, Argument], ...]:
        given = argument(node, "input")
        if isinstance(given, ObjectValueNode):
            return tuple(
                (entity.columns[field.name.value], self._value(field.value, entity.columns[field.name.value]))
                for field in given.fields
                if not (isinstance(field.value, VariableNode) and field.value.name.value not in self.variables)
            )
        if isinstance(given, VariableNode):
            value = self.variables.get(given.name.value)
            if isinstance(value, dict):
                columns = [(str(name), entity.columns[str(name)]) for name in value]  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
                return tuple(
                    (column, VariableValue((given.name.value, name), column.type, coercer(column.type)))
                    for name, column in columns
                )
        raise NothingToStore(f"{node.name.value} needs an input.")

    def _on_conflict(self, node: FieldNode) -> Literal["fail", "update", "ignore"]:
        match self._plain(argument(node, "onconflict")):
            case "update":
                return "update"
            case "ignore":
                return "ignore"
            case _:
                return "fail"

    def _value(self, node: ValueNode, column: Column) -> Argument:
        coerce = coercer(column.type)
        if isinstance(node, VariableNode):
            return VariableValue((node.name.value,), column.type, coerce)
        value = self._plain(node)
        return Constant(None if value is None else _frozen(coerce(value)), column.type)

    def _plain(self, node: ValueNode | None) -> object:
        """The value as plain Python, variables filled in."""
        match node:
            case None | NullValueNode():
                return None
            case VariableNode():
                return self.variables.get(node.name.value)
            case ListValueNode():
                return [self._plain(item) for item in node.values]
            case _:
                return value_from_ast_untyped(node, dict(self.variables))


_PLANNERS: dict[str, Callable[[Planner, Entity, Sequence[FieldNode]], Read | Insert | Update | Delete]] = {
    "select": Planner.read,
    "insert": Planner.insert,
    "update": Planner.update,
    "delete": Planner.delete,
}


def _written_key(entity: Entity) -> tuple[tuple[Column, Argument], ...]:
    by_name = entity.table.by_name
    return tuple(
        (by_name[name], RowKeyValue(index, by_name[name].type)) for index, name in enumerate(entity.table.primary_key)
    )


def _conflict_columns(entity: Entity, given: set[str]) -> tuple[str, ...]:
    """The primary key if it is given whole, else the first unique key that is, else none: any conflict."""
    keys = (entity.table.primary_key, *entity.table.unique_keys)
    return next((key for key in keys if key and set(key) <= given), ())


def _texts(value: object) -> list[str]:
    """The texts of a list of texts, or of one text in place of a list."""
    listed = cast("list[object]", value) if isinstance(value, list) else [value]
    return [entry for entry in listed if isinstance(entry, str)]


def _frozen(value: object) -> object:
    return tuple(_frozen(item) for item in cast("list[object]", value)) if isinstance(value, list) else value
