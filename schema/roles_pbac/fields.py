"""What the object types of the control schema are made of: columns that are looked up in rows, and shared arguments."""

from collections.abc import Mapping
from typing import Annotated, Any, NewType, cast

import strawberry
from graphql import GraphQLResolveInfo
from strawberry.types.field import StrawberryField

from schema.roles_pbac.context import ControlContext

Filter = Annotated[str | None, strawberry.argument(name="filter")]
Ordering = Annotated[list[str | None] | None, strawberry.argument(name="ordering")]
Limit = Annotated[int | None, strawberry.argument(name="limit")]
Offset = Annotated[int | None, strawberry.argument(name="offset")]

DateTime = NewType("DateTime", str)
GenericScalar = NewType("GenericScalar", object)


class ControlInfo(strawberry.Info[ControlContext, None]):
    """What a resolver is told, with graphql-core's own description of the field beside Strawberry's."""

    @property
    def core(self) -> GraphQLResolveInfo[ControlContext]:
        return cast("GraphQLResolveInfo[ControlContext]", self._raw_info)  # pyright: ignore[reportUnknownMemberType]

    @property
    def variables(self) -> Mapping[str, object]:
        """The operation's variables, coerced."""
        # Strawberry hands on the plain dict in place of graphql-core's container, and leaves the type as it was.
        return cast("Mapping[str, object]", self.core.variable_values)


class Column(StrawberryField):
    """A field without arguments whose value stands in the row under its response key."""

    @property
    def is_basic_field(self) -> bool:
        return False

    def get_result(self, source: Any, info: Any, args: list[Any], kwargs: Any) -> Any:
        return looked_up(source, info)


def column() -> Any:
    return Column()


def looked_up(row: object, info: strawberry.Info) -> Any:
    """What the statement has already brought for this field. Rows are keyed by response key: with other arguments a
    field may stand in one selection twice."""
    return cast("Mapping[str, object]", row)[str(info.path.key)]
