"""The types under `Aggregates`: the functions over a subquery, and for each table an object about a set of its rows.

The types of a table are called `<table>_aggregates`, `<table>_group` and so on. No such ending ends in another, so two
tables never claim one name; where a table has that name itself, the type gets `_` behind it.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Final, TypeVar

from graphql import (
    GraphQLArgument,
    GraphQLBoolean,
    GraphQLEnumType,
    GraphQLField,
    GraphQLID,
    GraphQLInputField,
    GraphQLInputObjectType,
    GraphQLInt,
    GraphQLList,
    GraphQLNamedType,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLScalarType,
    GraphQLString,
)

from db.catalog import Column, PgType, Table, TableName
from schema.aggregate_view import AggregateView
from schema.expression.types import INT8
from schema.model import Entity, Model, Relation
from schema.query.building.arguments import function_fields, list_arguments
from schema.query.building.conditions import RowArguments
from schema.query.building.derived_names import field_name, free_name, type_name
from schema.query.building.operators import ORDER_DIRECTION, column_test
from schema.query.building.scalars import BigInt, is_key, scalar_for
from schema.query.building.types import OutputType, ValueTypes
from schema.query.measures import MeasureFunction, can_group, measured_type, shown_type

_Made = TypeVar("_Made", bound=GraphQLNamedType)

#: The functions that have an object with a field for each column, by the ending of the name of that object's type.
MEASURES: Final[Mapping[str, tuple[MeasureFunction, ...]]] = {
    "sum": ("sum",),
    "avg": ("avg",),
    "spread": ("stddev", "stddev_pop", "variance", "var_pop"),
    "extremes": ("min", "max"),
    "truth": ("bool_and", "bool_or"),
}
_DESCRIBED: Final[Mapping[MeasureFunction, str]] = {
    "count": "How many rows there are.",
    "sum": "Sums. A sum of integers may be larger than any of them can be.",
    "avg": "Means.",
    "stddev": "Standard deviations, of a sample.",
    "stddev_pop": "Standard deviations, of all there is.",
    "variance": "Variances, of a sample.",
    "var_pop": "Variances, of all there is.",
    "min": "The least values.",
    "max": "The greatest values.",
    "bool_and": "Whether it is true in every row.",
    "bool_or": "Whether it is true in some row.",
}
_NO_TABLE: Final = Table(TableName("", ""), ())
_DAYS: Final = ("year", "quarter", "month", "week", "day")
_TIMES: Final = (*_DAYS, "hour", "minute", "second")
_BUCKETS: Final[Mapping[str, tuple[str, ...]]] = {
    "date": ("DateBucket", *_DAYS),
    "timestamp": ("TimeBucket", *_TIMES),
    "timestamptz": ("TimeBucket", *_TIMES),
}


class AggregateTypes:
    """The types under `Aggregates` for those tables that have a view. Fields are thunks: nothing recurses."""

    def __init__(
        self,
        model: Model,
        views: Iterable[AggregateView],
        may_follow: Callable[[Relation], bool],
        rows: Callable[[Entity], GraphQLObjectType | None],
        row_arguments: RowArguments,
        value_types: ValueTypes,
    ) -> None:
        self._model = model
        self._views = {view.whole.table.name: view for view in views}
        self._fields = {field_name(model, view.whole): view for view in self._views.values()}
        self._may_follow = may_follow
        self._rows = rows
        self._row_arguments = row_arguments
        self._value_types = value_types
        self._types: dict[str, GraphQLNamedType] = {}
        for view in self._views.values():
            for ending in _endings(view):
                self._make(view, ending)

    @property
    def types(self) -> list[GraphQLNamedType]:
        return list(self._types.values())

    @property
    def fields(self) -> Mapping[str, AggregateView]:
        """The tables by the names of their fields under `Aggregates`."""
        return self._fields

    def root(self) -> GraphQLObjectType:
        fields = function_fields()
        for name, view in self._fields.items():
            kind = self._object(view.whole, "aggregates")
            fields[name] = GraphQLField(
                GraphQLNonNull(kind),
                # A type without any fields would be none.
                args={**list_arguments(), **self._row_arguments.of(view.asked)} if view.asked.columns else {},
                description=f"About all rows of {view.whole.name} that the arguments choose.",
            )
        return GraphQLObjectType("Aggregates", fields)

    def _make(self, view: AggregateView, ending: str) -> None:
        entity = view.whole
        name = type_name(self._model, entity, ending)
        match ending:
            case "aggregates":
                made = GraphQLObjectType(name, lambda: self._aggregates(view))
            case "group":
                made = GraphQLObjectType(name, lambda: self._group(view), description="Rows with one key in common.")
            case "key":
                made = GraphQLObjectType(
                    name, lambda: self._key(view.groups), description="What the rows have in common."
                )
            case "grouping":
                made = GraphQLInputObjectType(name, lambda: self._grouping(view.groups))
            case "having":
                made = GraphQLInputObjectType(name, lambda: self._having(entity))
            case "sorting":
                made = GraphQLInputObjectType(name, lambda: self._sorting(entity))
            case _:
                made = self._measured(name, entity, MEASURES[ending][0])
        self._types[name] = made

    def _object(self, entity: Entity, ending: str) -> GraphQLObjectType:
        found = self._types[type_name(self._model, entity, ending)]
        assert isinstance(found, GraphQLObjectType)
        return found

    def _aggregates(self, view: AggregateView) -> dict[str, GraphQLField]:
        entity = view.whole
        fields = self._measures(view)
        if groupable(view.groups):
            fields["groups"] = GraphQLField(
                _list_of(self._object(entity, "group")),
                args=self._group_arguments(entity),
                description="The rows in groups, each with what its rows have in common.",
            )
        if (rows := self._rows(entity)) is not None:
            fields["nodes"] = GraphQLField(_list_of(rows), description="The rows of the page.")
            fields["page_info"] = GraphQLField(GraphQLNonNull(self._page_info()))
        return fields

    def _group(self, view: AggregateView) -> dict[str, GraphQLField]:
        return {"key": GraphQLField(GraphQLNonNull(self._object(view.whole, "key"))), **self._measures(view)}

    def _input(self, entity: Entity, ending: str) -> GraphQLInputObjectType:
        found = self._types[type_name(self._model, entity, ending)]
        assert isinstance(found, GraphQLInputObjectType)
        return found

    def _group_arguments(self, entity: Entity) -> dict[str, GraphQLArgument]:
        grouping = self._input(entity, "grouping")
        return {
            "by": GraphQLArgument(
                GraphQLNonNull(GraphQLList(GraphQLNonNull(grouping))),
                description="What the rows of a group have in common.",
            ),
            "zone": GraphQLArgument(
                GraphQLString, description="The time zone in which days and the like begin; UTC if it is missing."
            ),
            "having": GraphQLArgument(self._input(entity, "having"), description="What the groups satisfy."),
            "order_by": GraphQLArgument(
                GraphQLList(GraphQLNonNull(self._input(entity, "sorting"))),
                description="By what the groups are ordered; where they are cut, at last by their keys.",
            ),
            "limit": GraphQLArgument(GraphQLInt, description="How many groups at most."),
            "offset": GraphQLArgument(GraphQLInt, description="How many groups to pass over first."),
        }

    def _measures(self, view: AggregateView) -> dict[str, GraphQLField]:
        entity = view.whole
        fields = {"count": self._count(view.asked)}
        for ending, functions in MEASURES.items():
            if not measurable(entity, functions[0]):
                continue
            for function in functions:
                kind = self._object(entity, shared_ending(entity, ending))
                fields[function] = GraphQLField(GraphQLNonNull(kind), description=_DESCRIBED[function])
        return fields

    def _count(self, entity: Entity) -> GraphQLField:
        arguments: dict[str, GraphQLArgument] = {}
        if groupable(entity):
            columns = GraphQLList(GraphQLNonNull(self._row_arguments.column(entity)))
            arguments = {
                "columns": GraphQLArgument(columns, description="Count the rows in which none of these is null."),
                "distinct": GraphQLArgument(
                    columns, description="Count the different values of these, where none of them is null."
                ),
            }
        return GraphQLField(GraphQLNonNull(BigInt), args=arguments, description=_DESCRIBED["count"])

    def _measured(self, name: str, entity: Entity, function: MeasureFunction) -> GraphQLObjectType:
        def fields() -> dict[str, GraphQLField]:
            return {
                key: GraphQLField(scalar_for(shown), description=column.comment or None)
                for key, column in measurable(entity, function).items()
                if (shown := shown_type(function, column.type)) is not None
            }

        return GraphQLObjectType(name, fields)

    def _key(self, entity: Entity) -> dict[str, GraphQLField]:
        fields: dict[str, GraphQLField] = {}
        for name, column in groupable(entity).items():
            bucket = self._bucket(column)
            arguments = {"to": GraphQLArgument(bucket, description="Of several groupings by this column, which.")}
            fields[name] = GraphQLField(
                self._key_type(entity, column),
                args=arguments if bucket.name != "GroupBy" else {},
                description=column.comment or None,
            )
        for name, target in self._related(entity):
            fields[name] = GraphQLField(GraphQLNonNull(self._object(target, "key")))
        return fields

    def _key_type(self, entity: Entity, column: Column) -> OutputType:
        # What is grouped by is one value, a composite one too.
        if column.type.kind == "enum" and not is_key(entity.table, column):
            return self._value_types.output(column.type)
        return GraphQLID if is_key(entity.table, column) else scalar_for(column.type)

    def _grouping(self, entity: Entity) -> dict[str, GraphQLInputField]:
        fields = {
            name: GraphQLInputField(self._bucket(column), description=column.comment or None)
            for name, column in groupable(entity).items()
        }
        for name, target in self._related(entity):
            fields[name] = GraphQLInputField(self._input(target, "grouping"))
        return fields

    def _having(self, entity: Entity) -> dict[str, GraphQLInputField]:
        own = self._input(entity, "having")
        fields = {
            name: GraphQLInputField(self._tests(column.type))
            for name, column in entity.columns.items()
            if functions_of(column.type)
        }
        return fields | {
            "_and": GraphQLInputField(GraphQLList(GraphQLNonNull(own))),
            "_or": GraphQLInputField(GraphQLList(GraphQLNonNull(own))),
            "_not": GraphQLInputField(own),
            "_count": GraphQLInputField(test_of(INT8), description="How many rows the group has."),
        }

    def _sorting(self, entity: Entity) -> dict[str, GraphQLInputField]:
        fields = {name: GraphQLInputField(self._orders(column.type)) for name, column in groupable(entity).items()}
        for name, target in self._related(entity):
            fields[name] = GraphQLInputField(
                self._input(target, "sorting"), description="By its keys alone: nothing else is known of it."
            )
        return fields | {"_count": GraphQLInputField(ORDER_DIRECTION)}

    def _tests(self, kind: PgType) -> GraphQLInputObjectType:
        """The tests of what functions give for columns of the type."""
        return self._shared(
            f"{_kind_name(kind)}Having",
            lambda free: GraphQLInputObjectType(
                free,
                lambda: {
                    function: GraphQLInputField(test_of(shown), description=_DESCRIBED[function])
                    for function, shown in functions_of(kind).items()
                },
            ),
            GraphQLInputObjectType,
        )

    def _orders(self, kind: PgType) -> GraphQLInputObjectType:
        return self._shared(
            f"{_kind_name(kind)}Sorting",
            lambda free: GraphQLInputObjectType(
                free, {name: GraphQLInputField(ORDER_DIRECTION) for name in ("key", *functions_of(kind))}
            ),
            GraphQLInputObjectType,
        )

    def _related(self, entity: Entity) -> Iterable[tuple[str, Entity]]:
        for name, relation in entity.relations.items():
            target = self._model.by_table.get(relation.target)
            if relation.many or target is None or not self._may_follow(relation) or not groupable(target):
                continue
            # Elsewhere a table with rows for aggregates only is as its lists are.
            view = self._views.get(target.table.name)
            if view is not None and view.whole is target:
                yield name, target

    def _bucket(self, column: Column) -> GraphQLEnumType:
        name, *buckets = _BUCKETS.get(column.type.base, ("GroupBy",))
        return self._shared(
            name,
            lambda free: GraphQLEnumType(
                free,
                {each: each for each in ("value", *buckets)},
                description="The value itself, or the beginning of the period that it lies in."
                if buckets
                else "The value itself.",
            ),
            GraphQLEnumType,
        )

    def _page_info(self) -> GraphQLObjectType:
        def make(name: str) -> GraphQLObjectType:
            flag = GraphQLNonNull(GraphQLBoolean)
            return GraphQLObjectType(
                name,
                {
                    "start_cursor": GraphQLField(GraphQLString, description="The cursor of the first row of the page."),
                    "end_cursor": GraphQLField(GraphQLString, description="The cursor of the last row of the page."),
                    "has_next_page": GraphQLField(flag, description="Whether rows follow those of the page."),
                    "has_previous_page": GraphQLField(flag, description="Whether rows precede those of the page."),
                    "total": GraphQLField(GraphQLNonNull(BigInt), description="How many rows all pages have."),
                },
                description="Where the page lies among all the rows.",
            )

        return self._shared("PageInfo", make, GraphQLObjectType)

    def _shared(self, name: str, make: Callable[[str], _Made], kind: type[_Made]) -> _Made:
        """The type that all tables share under this name, made when first asked for."""
        free = free_name(self._model, name)
        found = self._types.get(free) or self._types.setdefault(free, make(free))
        assert isinstance(found, kind)
        return found


def groupable(entity: Entity) -> Mapping[str, Column]:
    """The columns by whose values rows can be told apart."""
    return {name: column for name, column in entity.columns.items() if can_group(column.type)}


def measurable(entity: Entity, function: MeasureFunction) -> Mapping[str, Column]:
    """The columns that the function can be taken of."""
    return {name: column for name, column in entity.columns.items() if measured_type(function, column.type)}


def functions_of(kind: PgType) -> Mapping[MeasureFunction, PgType]:
    """The functions that can be taken of a column of the type, and the types of what they give."""
    return {
        function: shown
        for functions in MEASURES.values()
        for function in functions
        if (shown := shown_type(function, kind)) is not None
    }


def test_of(kind: PgType) -> GraphQLInputObjectType:
    """The tests that a value of the type can be put to, whichever table it comes from."""
    return column_test(_NO_TABLE, Column("", kind))


def _kind_name(kind: PgType) -> str:
    """A name for all types that have the same functions with the same results."""
    scalar = scalar_for(kind)
    if kind.base in {"interval", "money", "oid"} and kind.kind != "array":
        return kind.base.capitalize()
    if not isinstance(scalar, GraphQLScalarType) or not functions_of(kind):
        return "Key"
    return scalar.name


def _endings(view: AggregateView) -> list[str]:
    entity = view.whole
    measured = [
        ending
        for ending, functions in MEASURES.items()
        if measurable(entity, functions[0]) and ending == shared_ending(entity, ending)
    ]
    return [
        "aggregates",
        *measured,
        *(("group", "key", "grouping", "having", "sorting") if groupable(view.groups) else ()),
    ]


def shared_ending(entity: Entity, ending: str) -> str:
    """The ending under which the type of these measures is found: `avg` in place of `spread` where both are of the same
    columns, so that there are few types."""
    is_shared = ending == "spread" and measurable(entity, "avg").keys() == measurable(entity, "stddev").keys()
    return "avg" if is_shared else ending


def _list_of(kind: GraphQLObjectType) -> GraphQLNonNull[GraphQLList[GraphQLNonNull[GraphQLObjectType]]]:
    return GraphQLNonNull(GraphQLList(GraphQLNonNull(kind)))
