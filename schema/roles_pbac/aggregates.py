"""The functions over rows that stand under `Aggregates`, with the arguments that they have on /query."""

from typing import Annotated, Any

import strawberry

from schema.roles_pbac.fields import ControlInfo, Filter, GenericScalar, Limit, Offset, Ordering, looked_up

Subquery = Annotated[
    str | None,
    strawberry.argument(
        name="subquery", description="A query of one kind of row: its first field is aggregated, the others group."
    ),
]
Having = Annotated[
    str | None, strawberry.argument(name="having", description="An expression that the result rows satisfy.")
]
DistinctOn = Annotated[
    list[str | None] | None,
    strawberry.argument(name="distincton", description="Columns whose repetitions are dropped."),
]


def aggregate() -> Any:
    """A field whose rows were read with the object that it is in."""

    def rows(
        self: Any,
        info: ControlInfo,
        subquery: Subquery = strawberry.UNSET,
        where: Filter = strawberry.UNSET,
        having: Having = strawberry.UNSET,
        ordering: Ordering = strawberry.UNSET,
        limit: Limit = strawberry.UNSET,
        offset: Offset = strawberry.UNSET,
        distincton: DistinctOn = strawberry.UNSET,
    ) -> Any:
        return looked_up(self, info)

    return strawberry.field(resolver=rows)


@strawberry.type
class Aggregates:
    avg: GenericScalar | None = aggregate()
    count: GenericScalar | None = aggregate()
    max: GenericScalar | None = aggregate()
    min: GenericScalar | None = aggregate()
    sum: GenericScalar | None = aggregate()
