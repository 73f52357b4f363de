"""plan_operation: an operation that passed validation → a Plan."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from graphql import FieldNode, OperationDefinitionNode, OperationType

from schema.model import Entity
from schema.query.building.schema import QuerySchema, RootOperation
from schema.query.plan import Fixed, Plan, RootNode, RootOutput, Writes
from schema.query.planning.aggregates import plan_aggregates
from schema.query.planning.calls import plan_call_mutation, plan_functions
from schema.query.planning.context import Grants, Planning
from schema.query.planning.given import Variables
from schema.query.planning.reads import plan_list
from schema.query.planning.rows import (
    plan_delete_by_key,
    plan_delete_where,
    plan_insert_rows,
    plan_update_by_key,
    plan_update_many,
    plan_update_where,
    plan_upsert_rows,
)
from schema.query.planning.writes import plan_delete, plan_insert, plan_update
from schema.query.selection import Fragments, collect_fields

Introspect = Callable[[str, Sequence[FieldNode]], str]
PlanRoot = Callable[[Planning, Entity, Sequence[FieldNode]], RootNode]

_PLANS: dict[RootOperation, PlanRoot] = {
    "select": plan_list,
    "insert": plan_insert,
    "update": plan_update,
    "delete": plan_delete,
    "insert_rows": plan_insert_rows,
    "upsert_rows": plan_upsert_rows,
    "update_where": plan_update_where,
    "delete_where": plan_delete_where,
    "update_many": plan_update_many,
    "update_by_key": plan_update_by_key,
    "delete_by_key": plan_delete_by_key,
}


def plan_operation(
    operation: OperationDefinitionNode,
    fragments: Fragments,
    schema: QuerySchema,
    grants: Grants,
    variables: Variables,
    introspect: Introspect,
) -> Plan:
    """The plan for variables of this shape. `introspect` gives the JSON of `__schema` and `__type` fields."""
    planning = Planning(schema.model, grants, fragments, variables)
    is_mutation = operation.operation is OperationType.MUTATION
    root_type = "Mutation" if is_mutation else "Query"

    def plan_root(key: str, nodes: Sequence[FieldNode]) -> RootNode:
        name = nodes[0].name.value
        if name == "__typename":
            return Fixed(f'"{root_type}"')
        if name == "Aggregates":
            return plan_aggregates(planning, schema, nodes)
        if name == "Functions":
            return plan_functions(planning, nodes)
        if is_mutation and name in schema.calls:
            return plan_call_mutation(planning, schema.calls[name], nodes)
        if name not in schema.fields:
            return Fixed(introspect(key, nodes))
        root = schema.fields[name]
        node = _PLANS[root.operation](planning, root.entity, nodes)
        return replace(node, type_name=schema.mutation_type(name)) if isinstance(node, Writes) else node

    fields = collect_fields([operation.selection_set], fragments, variables)
    outputs = tuple(RootOutput(key, plan_root(key, nodes)) for key, nodes in fields.items())
    return Plan("mutation" if is_mutation else "query", outputs)
