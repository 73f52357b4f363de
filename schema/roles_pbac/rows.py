"""Reading rows of CONTROL_MODEL: what is selected below a root field is one statement, by the compiler of /query."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import orjson
from sqlalchemy.ext.asyncio import AsyncConnection

from db.catalog import TableName
from schema.errors import AccessDenied, PolicyViolated
from schema.expression.predicate import NEVER, Constant, Predicate
from schema.model import Entity
from schema.query.building.schema import QuerySchema, RootField
from schema.query.compiler import bind
from schema.query.plan import Aggregate, Aggregates, ColumnOutput, Plan, Read, RootOutput
from schema.query.planning.aggregates import plan_aggregates
from schema.query.planning.context import Planning
from schema.query.planning.reads import plan_list
from schema.query.rendering.statement import render_query
from schema.roles_pbac.access import IN_TENANT, VIEW_CAPABILITIES
from schema.roles_pbac.arguments import timed
from schema.roles_pbac.context import ControlContext
from schema.roles_pbac.control_model import CONTROL_MODEL
from schema.roles_pbac.errors import NoSuchRow
from schema.roles_pbac.fields import ControlInfo

Row = Mapping[str, object]
ROWS = "rows"


async def read_rows(info: ControlInfo, name: str) -> list[Any]:
    """The rows of an entity that the caller may see, with everything that is selected below them. The field's own
    arguments are read where they are written, as those of nested fields are. Raises AccessDenied."""
    entity = CONTROL_MODEL.entities[name]
    return await _run_read(info, _checked(entity, _plan_read(info, entity)))


async def read_row(info: ControlInfo, name: str, key: int, *, is_new: bool = False) -> Any:
    """The row with this key, or None if the caller may not see it. What it has just created it may see."""
    entity = CONTROL_MODEL.entities[name]
    read = _with_key(_plan_read(info, entity), key)
    rows = await _run_read(info, replace(read, grant=IN_TENANT) if is_new else read)
    return rows[0] if rows else None


async def read_aggregates(info: ControlInfo) -> Any:
    """What is asked of `Aggregates`, by response key. Raises AccessDenied, SubqueryInvalid."""
    node = plan_aggregates(_planning(info), _subquery_schema(info), info.core.field_nodes)
    for _, output in node.outputs:
        if isinstance(output, Aggregate):
            _checked(output.read.entity, output.read)
    async with info.context.transaction.use() as connection:
        return await _fetch(info.context, connection, node, info.variables)


async def find_visible(context: ControlContext, connection: AsyncConnection, table: TableName) -> frozenset[int] | None:
    """The keys of the rows of a table that the caller may see; None for all of its tenant. Raises AccessDenied where no
    row could ever be among them."""
    entity = CONTROL_MODEL.by_table[table]
    if context.policy.sees_all(context.principal, table):
        return None
    [key] = entity.table.primary_key
    grant = context.policy.grant(context.principal, table)
    read = _checked(entity, Read(entity, grant, outputs=(ColumnOutput("key", entity.columns[key], as_id=False),)))
    return frozenset(row["key"] for row in await _fetch(context, connection, read, {}))


async def require_before(
    context: ControlContext, connection: AsyncConnection, table: TableName, key: int, grant: Predicate
) -> None:
    """Nothing, where the row is within the grant. Raises NoSuchRow: what may not be touched is not told apart."""
    if not await _is_within(context, connection, table, key, grant):
        raise NoSuchRow(CONTROL_MODEL.by_table[table].name, key)


async def require_after(
    context: ControlContext, connection: AsyncConnection, table: TableName, key: int, capability: str, grant: Predicate
) -> None:
    """Nothing, where the row as it now stands is within the grant. Raises PolicyViolated."""
    if not await _is_within(context, connection, table, key, grant):
        raise PolicyViolated(capability, str(table))


async def _is_within(
    context: ControlContext, connection: AsyncConnection, table: TableName, key: int, grant: Predicate
) -> bool:
    read = _with_key(Read(CONTROL_MODEL.by_table[table], grant, outputs=()), key)
    return bool(await _fetch(context, connection, read, {}))


def _plan_read(info: ControlInfo, entity: Entity) -> Read:
    return plan_list(_planning(info), entity, info.core.field_nodes)


def _planning(info: ControlInfo) -> Planning:
    grants = info.context.policy.grants(info.context.principal)
    return Planning(CONTROL_MODEL, grants, info.core.fragments, info.variables)


def _subquery_schema(info: ControlInfo) -> QuerySchema:
    fields = {name: RootField("select", entity) for name, entity in CONTROL_MODEL.entities.items()}
    return QuerySchema(info.core.schema, CONTROL_MODEL, fields)


def _checked(entity: Entity, read: Read) -> Read:
    """The read, or AccessDenied where no row could ever be in it. Below the root it is an empty list instead."""
    if read.grant == NEVER:
        raise AccessDenied(VIEW_CAPABILITIES.get(entity.table.name, "select"), str(entity.table.name))
    return read


def _with_key(read: Read, key: int) -> Read:
    [name] = read.entity.table.primary_key
    column = read.entity.columns[name]
    return replace(read, key=((column, Constant(key, column.type)),))


async def _run_read(info: ControlInfo, read: Read) -> list[Any]:
    async with info.context.transaction.use() as connection:
        return await _fetch(info.context, connection, read, info.variables)


async def _fetch(
    context: ControlContext, connection: AsyncConnection, node: Read | Aggregates, variables: Mapping[str, object]
) -> Any:
    statement = render_query(Plan("query", (RootOutput(ROWS, node),)), CONTROL_MODEL)
    arguments = timed(statement, bind(statement, variables, context.principal))
    result = await connection.exec_driver_sql(statement.text, tuple(arguments))
    return orjson.loads(result.scalar_one())["data"][ROWS]
