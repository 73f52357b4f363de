"""plan_summary: what the field of a table under `Aggregates` asks about a set of its rows."""

from collections.abc import Sequence
from dataclasses import replace
from typing import cast

from graphql import FieldNode

from schema.model import Entity
from schema.query.building.derived_names import free_name, type_name
from schema.query.plan import (
    MeasureOutput,
    ObjectOutput,
    PageMember,
    PageOutput,
    Read,
    ReadOutput,
    Summary,
    SummaryOutput,
    TypenameOutput,
)
from schema.query.planning.context import Planning
from schema.query.planning.groups import plan_groups
from schema.query.planning.measured import COUNT, plan_measure
from schema.query.planning.reads import plan_outputs, plan_rows


def plan_summary(planning: Planning, entity: Entity, nodes: Sequence[FieldNode]) -> Summary:
    """The summary of the rows that the arguments choose. Raises AccessDenied, UnknownColumn and such."""
    fields = planning.fields(nodes)
    wants_cursors = any(each[0].name.value == "page_info" for each in fields.values())
    rows = plan_summed(planning, entity, nodes[0], by_keys=wants_cursors)
    return Summary(rows, tuple(_output(planning, rows, key, each) for key, each in fields.items()))


def plan_summed(planning: Planning, entity: Entity, node: FieldNode, *, by_keys: bool = False) -> Read:
    """The rows that are aggregated, and their page: the one place that says under which grant."""
    return plan_rows(planning, entity, node, (), by_keys=by_keys)


def _output(planning: Planning, rows: Read, key: str, nodes: Sequence[FieldNode]) -> SummaryOutput:
    measured = plan_measure(planning, rows.entity, key, nodes)
    if measured is not None:
        return measured
    match nodes[0].name.value:
        case "nodes":
            return ReadOutput(key, replace(rows, outputs=plan_outputs(planning, rows.entity, nodes)))
        case "page_info":
            return _page_info(planning, key, nodes)
        case "groups":
            return plan_groups(planning, rows.entity, key, nodes)
        case _:
            return TypenameOutput(key, type_name(planning.model, rows.entity, "aggregates"))


def _page_info(planning: Planning, key: str, nodes: Sequence[FieldNode]) -> ObjectOutput:
    def output(key: str, name: str) -> SummaryOutput:
        if name == "total":
            return MeasureOutput(key, COUNT)
        if name == "__typename":
            return TypenameOutput(key, free_name(planning.model, "PageInfo"))
        return PageOutput(key, cast("PageMember", name))

    fields = planning.fields(nodes)
    return ObjectOutput(key, tuple(output(name, each[0].name.value) for name, each in fields.items()))
