"""Rows of a tenant's database by the role that they name as their owner: moved to another, disowned, or deleted."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from db.catalog import TableName
from db.errors import ConstraintViolated, StoreError, UniqueViolated
from db.sql import Sql, join, name, slot, sql, to_statement
from db.tenant_database import Running

Strategy: TypeAlias = Literal["refuse", "keep_account", "keep_guest"]
"""Where a row of the guest and one of the account cannot both be the account's: nothing is moved at all; the guest's
stays the guest's; or the account's is deleted for it."""

IdType: TypeAlias = Literal["int8", "text"]

_BEGIN: Final = "savepoint owned_rows"
_UNDO: Final = "rollback to savepoint owned_rows"
_END: Final = "release savepoint owned_rows"


@dataclass(frozen=True, slots=True, order=True)
class OwnerColumn:
    """A column that holds the id of the role whose row it is. `keys` are the columns of each unique constraint and
    index of the table by its name."""

    table: TableName
    column: str
    id_type: IdType = "int8"
    keys: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]], compare=False)

    def __str__(self) -> str:
        return f"{self.table}.{self.column}"

    def value_of(self, role_id: int) -> object:
        return role_id if self.id_type == "int8" else str(role_id)


@dataclass(frozen=True, slots=True)
class Moved:
    """How many rows moved, and how many stayed, by table."""

    rows: Mapping[str, int]
    left: Mapping[str, int]


class RowsInTheWay(StoreError):
    """Rows cannot change their owner, since others stand in their way."""

    code = "ROWS_IN_THE_WAY"

    def __init__(self, column: OwnerColumn) -> None:
        super().__init__(f"Rows of {column.table} cannot be moved: rows of the account stand in their way.")


async def move_rows(
    running: Running, columns: Sequence[OwnerColumn], guest_id: int, account_id: int, strategy: Strategy
) -> Moved:
    """What became of the guest's rows. Raises RowsInTheWay, and then the caller's transaction is to be undone."""
    moved: Counter[str] = Counter()
    left: Counter[str] = Counter()
    # Those that can be checked at the end are, so that it does not matter which table comes first.
    await running.fetch("set constraints all deferred", [])
    pending = await _try_all(running, columns, moved, guest_id, account_id)
    for column in pending:
        await _move_one_by_one(running, column, guest_id, account_id, strategy, moved, left)
    await running.check_deferred()
    return Moved(dict(moved), dict(left))


async def disown_rows(running: Running, columns: Sequence[OwnerColumn], role_ids: Sequence[int]) -> int:
    """How many rows name no owner any more. A column that must have a value keeps it."""
    return await _change_all(running, columns, role_ids, disowns=True)


async def delete_rows(running: Running, columns: Sequence[OwnerColumn], role_ids: Sequence[int]) -> int:
    """How many rows of these owners were deleted; those that others need stay. So do those that name somebody else as
    well, who has not gone: they name these owners no more."""
    deleted = await _change_all(running, columns, role_ids, disowns=False)
    shared = [column for column in columns if _beside(column, columns)]
    await _change_all(running, shared, role_ids, disowns=True)
    return deleted


async def _try_all(
    running: Running, columns: Sequence[OwnerColumn], moved: Counter[str], guest_id: int, account_id: int
) -> list[OwnerColumn]:
    """The columns of which not all rows could be moved at once: tried again as long as others make way for them."""
    pending = list(columns)
    while pending:
        stuck: list[OwnerColumn] = []
        for column in pending:
            number = await _attempt(running, _update(column), _values(column, guest_id, account_id))
            if number is None:
                stuck.append(column)
            elif number:
                moved[str(column.table)] += number
        if len(stuck) == len(pending):
            return stuck
        pending = stuck
    return []


async def _move_one_by_one(
    running: Running,
    column: OwnerColumn,
    guest_id: int,
    account_id: int,
    strategy: Strategy,
    moved: Counter[str],
    left: Counter[str],
) -> None:
    if strategy == "refuse":
        raise RowsInTheWay(column)
    values = _values(column, guest_id, account_id)
    for (place,) in await _fetch(running, _places(column), values):
        given = {**values, "place": place.decode()}
        error = await _conflict(running, _update_at(column), given)
        if error is not None and strategy == "keep_guest" and await _delete_rival(running, column, error, given):
            error = await _conflict(running, _update_at(column), given)
        if error is None:
            moved[str(column.table)] += 1
        elif isinstance(error, UniqueViolated) and strategy == "keep_account":
            left[str(column.table)] += 1
        else:
            raise RowsInTheWay(column) from error


async def _delete_rival(
    running: Running, column: OwnerColumn, error: ConstraintViolated, given: Mapping[str, object]
) -> bool:
    """Whether the account's row that the guest's collides with was found, and deleted."""
    key = column.keys.get(error.constraint or "")
    if not isinstance(error, UniqueViolated) or key is None or column.column not in key:
        return False
    others = [
        sql("rival.{column} is not distinct from own.{column}", column=name(other))
        for other in key
        if other != column.column
    ]
    statement = sql(
        "delete from {table} as rival using {table} as own"
        " where own.ctid = {place}::tid and rival.{column} = {account} and {others} returning true",
        table=name(column.table.schema, column.table.name),
        column=name(column.column),
        place=slot("place", "text"),
        account=slot("account", column.id_type),
        others=join(" and ", others or [sql("true")]),
    )
    return bool(await _attempt(running, statement, given))


async def _change_all(
    running: Running, columns: Sequence[OwnerColumn], role_ids: Sequence[int], *, disowns: bool
) -> int:
    total = 0
    pending = list(columns)
    while pending:
        stuck: list[OwnerColumn] = []
        for column in pending:
            ids = {"int8": list(role_ids), "text": [str(role_id) for role_id in role_ids]}
            change = _disown(column) if disowns else _delete(column, _beside(column, columns))
            number = await _attempt(running, change, ids)
            if number is None:
                stuck.append(column)
            total += number or 0
        if len(stuck) == len(pending):
            break
        pending = stuck
    return total


def _values(column: OwnerColumn, guest_id: int, account_id: int) -> dict[str, object]:
    return {"guest": column.value_of(guest_id), "account": column.value_of(account_id)}


def _update(column: OwnerColumn) -> Sql:
    return sql(
        "update {table} set {column} = {account} where {column} = {guest} returning true",
        table=name(column.table.schema, column.table.name),
        column=name(column.column),
        account=slot("account", column.id_type),
        guest=slot("guest", column.id_type),
    )


def _update_at(column: OwnerColumn) -> Sql:
    return sql(
        "update {table} set {column} = {account} where ctid = {place}::tid and {column} = {guest} returning true",
        table=name(column.table.schema, column.table.name),
        column=name(column.column),
        account=slot("account", column.id_type),
        guest=slot("guest", column.id_type),
        place=slot("place", "text"),
    )


def _places(column: OwnerColumn) -> Sql:
    return sql(
        "select ctid::text from {table} where {column} = {guest} for update",
        table=name(column.table.schema, column.table.name),
        column=name(column.column),
        guest=slot("guest", column.id_type),
    )


def _disown(column: OwnerColumn) -> Sql:
    return sql(
        "update {table} set {column} = null where {column} = any ({owners}) returning true",
        table=name(column.table.schema, column.table.name),
        column=name(column.column),
        owners=_owners(column),
    )


def _delete(column: OwnerColumn, beside: Sequence[OwnerColumn]) -> Sql:
    return sql(
        "delete from {table} where {column} = any ({owners}){alone} returning true",
        table=name(column.table.schema, column.table.name),
        column=name(column.column),
        owners=_owners(column),
        alone=join(
            "",
            [
                sql(
                    " and ({other} is null or {other} = any ({owners}))",
                    other=name(other.column),
                    owners=_owners(other),
                )
                for other in beside
            ],
        ),
    )


def _owners(column: OwnerColumn) -> Sql:
    return slot(column.id_type, f"{column.id_type}[]")


def _beside(column: OwnerColumn, columns: Sequence[OwnerColumn]) -> list[OwnerColumn]:
    """The other columns by which a row of the same table names an owner."""
    return [other for other in columns if other.table == column.table and other != column]


async def _attempt(running: Running, statement: Sql, values: Mapping[str, object]) -> int | None:
    """How many rows the statement gave; None where a constraint forbade it, and nothing of it was done."""
    await running.fetch(_BEGIN, [])
    try:
        rows = await _fetch(running, statement, values)
    except ConstraintViolated:
        await running.fetch(_UNDO, [])
        return None
    await running.fetch(_END, [])
    return len(rows)


async def _conflict(running: Running, statement: Sql, values: Mapping[str, object]) -> ConstraintViolated | None:
    """What forbade the statement; None where nothing did."""
    await running.fetch(_BEGIN, [])
    try:
        await _fetch(running, statement, values)
    except ConstraintViolated as error:
        await running.fetch(_UNDO, [])
        return error
    await running.fetch(_END, [])
    return None


async def _fetch(running: Running, statement: Sql, values: Mapping[str, object]) -> list[tuple[bytes, ...]]:
    written = to_statement(statement)
    return await running.fetch(written.text, [values[str(source)] for source in written.sources])
