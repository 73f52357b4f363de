"""plan_summary: what the field of a table under `Aggregates` asks about a set of its rows."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import cast

from graphql import FieldNode

from schema.aggregate_view import AggregateView
from schema.errors import OperationError
from schema.expression.looks_at import own_columns
from schema.expression.predicate import ALWAYS
from schema.model import Entity
from schema.policy import AGGREGATE, COMPARE
from schema.query.building.derived_names import free_name, type_name
from schema.query.plan import (
    GroupsOutput,
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


class GroupColumnsOnly(OperationError):
    """Rows that are for aggregates only are looked at by another column than those which group them."""

    code = "GROUP_COLUMNS_ONLY"

    def __init__(self, entity: Entity, columns: Iterable[str]) -> None:
        named = ", ".join(columns)
        super().__init__(f"Rows of {entity.name} can only be picked and grouped by {named or 'nothing: ask for all'}.")


def plan_summary(planning: Planning, view: AggregateView, nodes: Sequence[FieldNode]) -> Summary:
    """The summary of the rows that the arguments choose. Raises AccessDenied, UnknownColumn, GroupColumnsOnly …

    Rows for aggregates only take part in what looks at no other columns than those by which they are grouped.
    """
    if view.grouped is None:
        return _Asked(planning, view.whole, COMPARE, nodes).summary()
    asked = _Asked(planning, view.whole, AGGREGATE, nodes).summary()
    if not asked.rows.distinct_on and _looked_at(asked) <= view.grouped:
        return asked
    if view.rows is None:
        raise GroupColumnsOnly(view.whole, view.groups.columns)
    return _Asked(planning, view.rows, COMPARE, nodes).summary()


@dataclass(frozen=True, slots=True)
class _Asked:
    """What is asked of a table under `Aggregates`, with the rows of `capability`."""

    planning: Planning
    entity: Entity
    capability: str
    nodes: Sequence[FieldNode]

    def summary(self) -> Summary:
        fields = self.planning.fields(self.nodes)
        names = {each[0].name.value for each in fields.values()}
        by_keys = "page_info" in names
        rows = plan_summed(self.planning, self.entity, self.nodes[0], self.capability, by_keys=by_keys)
        page = self._page(by_keys=by_keys) if names & {"nodes", "page_info"} else rows
        if page == rows:
            page = rows
        outputs = tuple(self._output(rows, page, key, each) for key, each in fields.items())
        return Summary(rows, outputs, page)

    def _page(self, *, by_keys: bool) -> Read:
        """The rows one by one: as any list has them."""
        entity = self.planning.model.by_table[self.entity.table.name]
        return plan_summed(self.planning, entity, self.nodes[0], "select", by_keys=by_keys)

    def _output(self, rows: Read, page: Read, key: str, nodes: Sequence[FieldNode]) -> SummaryOutput:
        planning = self.planning
        measured = plan_measure(planning, rows.entity, key, nodes)
        if measured is not None:
            return measured
        match nodes[0].name.value:
            case "nodes":
                outputs = plan_outputs(planning, page.entity, nodes)
                return ReadOutput(key, replace(page, outputs=outputs, max_rows=planning.max_rows(page.entity)))
            case "page_info":
                return _page_info(planning, key, nodes)
            case "groups":
                groups = plan_groups(planning, rows.entity, key, nodes).groups
                max_rows = planning.max_rows(rows.entity, self.capability)
                return GroupsOutput(key, replace(groups, max_rows=max_rows))
            case _:
                return TypenameOutput(key, type_name(planning.model, rows.entity, "aggregates"))


def plan_summed(planning: Planning, entity: Entity, node: FieldNode, capability: str, *, by_keys: bool = False) -> Read:
    """The rows that are aggregated, or their page: the one place that says under which grant."""
    return plan_rows(planning, entity, node, (), by_keys=by_keys, grant=planning.grant(entity, capability))


def _looked_at(asked: Summary) -> frozenset[str]:
    """The columns, as the database names them, by which rows are picked and grouped."""
    entity = asked.rows.entity
    names = own_columns(asked.rows.filter or ALWAYS, entity)
    for output in asked.outputs:
        if isinstance(output, GroupsOutput):
            for grouping in output.groups.groupings:
                names |= frozenset(grouping.path[0].relation.columns if grouping.path else [grouping.column.name])
    sights = entity.sights.columns if entity.sights else ()
    shown = {sight.name: sight.column.name for sight in sights}
    return frozenset(shown.get(name, name) for name in names)


def _page_info(planning: Planning, key: str, nodes: Sequence[FieldNode]) -> ObjectOutput:
    def output(key: str, name: str) -> SummaryOutput:
        if name == "total":
            return MeasureOutput(key, COUNT)
        if name == "__typename":
            return TypenameOutput(key, free_name(planning.model, "PageInfo"))
        return PageOutput(key, cast("PageMember", name))

    fields = planning.fields(nodes)
    return ObjectOutput(key, tuple(output(name, each[0].name.value) for name, each in fields.items()))
