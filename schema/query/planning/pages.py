"""plan_pages: `limit` and `offset`, or `first after last before` → which rows of an order make a page."""

from dataclasses import dataclass

from graphql import FieldNode

from db.catalog import Column, PgType
from schema.errors import OperationError
from schema.expression.predicate import Constant, CursorValue, VariableValue
from schema.expression.types import INT8, INTEGERS, NUMERIC, TEXT, is_ordered, literal_type
from schema.model import Entity
from schema.query.cursors import CursorInvalid, context_of, nulls_in
from schema.query.plan import Argument, Bound, Keyset, Order
from schema.query.planning.context import Planning
from schema.query.planning.given import Given


class InvalidPage(OperationError):
    """A page of a negative size, or of two sizes at once."""

    code = "INVALID_PAGE"


@dataclass(frozen=True, slots=True)
class Page:
    """`order` is total where there is a keyset."""

    order: tuple[Order, ...]
    limit: Argument | None
    offset: Argument | None
    keyset: Keyset | None = None


def plan_page(planning: Planning, node: FieldNode, name: str) -> Argument | None:
    """The value of `limit`, `offset`, `first` or `last`. Raises InvalidPage."""
    value = planning.argument(node, name)
    if value is None or value.is_null:
        return None

    def coerce(number: object) -> object:
        if not isinstance(number, int) or number < 0:
            raise InvalidPage(f"{name} must not be negative.")
        return number

    return value.argument(INT8, coerce)


def plan_pages(
    planning: Planning, entity: Entity, node: FieldNode, order: tuple[Order, ...], *, by_keys: bool = False
) -> Page:
    """The page that the arguments ask for; `by_keys` makes it one by keys even if none of them is there.

    Raises InvalidPage, CursorInvalid.
    """
    limit, first, last = (plan_page(planning, node, name) for name in ("limit", "first", "last"))
    if sum(size is not None for size in (limit, first, last)) > 1:
        raise InvalidPage("Of limit, first and last only one can be given.")
    after, before = (_cursor(planning, node, name) for name in ("after", "before"))
    offset = plan_page(planning, node, "offset")
    if not by_keys and all(part is None for part in (first, last, after, before)):
        return Page(order, limit, offset)
    if last is not None and offset is not None:
        raise InvalidPage("An offset is counted from the first row, and cannot be beside last.")
    order = total_order(entity, order)
    context = order_context(entity, order)
    keyset = Keyset(
        context=context,
        after=_bound(after, context, order),
        before=_bound(before, context, order),
        backward=last is not None,
    )
    return Page(order, limit or first or last, offset, keyset)


def total_order(entity: Entity, order: tuple[Order, ...]) -> tuple[Order, ...]:
    """The order, and after it what tells all rows apart: the primary key, else a unique key without nulls, else every
    column that has an order. Only columns that the caller may see, as a cursor shows what is in it."""
    named = {each.column.name for each in order if not each.path}
    further = [column for column in _telling(entity) if column.name not in named]
    return (*order, *(Order((), column, descending=False) for column in further))


def order_context(entity: Entity, order: tuple[Order, ...]) -> str:
    """What the cursors of rows of this entity in this order are for."""
    return context_of(
        str(entity.table.name),
        *(
            ".".join((*(hop.relation.name for hop in each.path), each.column.name, each.function or ""))
            + f" {each.descending} {each.nulls_first}"
            for each in order
        ),
    )


def order_type(order: Order) -> PgType:
    """The type of the values that rows are ordered by, as an argument beside them has it."""
    kind = literal_type(order.column.type, with_decimals=False)
    match order.function:
        case "count":
            return INT8
        case "avg" if kind.base in INTEGERS:
            return NUMERIC
        case "sum" if order.column.type.base == "int8":
            return NUMERIC
        case "avg" if kind.base == "float4":
            return PgType("float8", "float8")
        case _:
            return kind


def _telling(entity: Entity) -> list[Column]:
    seen = {column.name: column for column in entity.columns.values()}
    for key in (entity.table.primary_key, *entity.table.unique_keys):
        if key and all(name in seen and seen[name].not_null for name in key):
            return [seen[name] for name in key]
    return [column for column in seen.values() if is_ordered(column.type)]


def _cursor(planning: Planning, node: FieldNode, name: str) -> Given | None:
    value = planning.argument(node, name)
    return None if value is None or value.is_null else value


def _bound(cursor: Given | None, context: str, order: tuple[Order, ...]) -> Bound | None:
    if cursor is None:
        return None
    nulls = nulls_in(cursor.plain())
    if len(nulls) != len(order):
        raise CursorInvalid
    text = cursor.argument(TEXT)
    if not isinstance(text, Constant | VariableValue):
        raise CursorInvalid
    return Bound(
        tuple(
            None if is_null else CursorValue(text, context, index, order_type(each))
            for index, (each, is_null) in enumerate(zip(order, nulls, strict=True))
        )
    )
