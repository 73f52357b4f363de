"""The queries of table `policy_rule`."""

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import RowMapping, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from db import tables
from db.errors import CheckViolated
from db.identities import is_identity, require_storable
from db.records import NO_OPTIONS, ColumnMask, Rule, RuleOptions, Scalar
from db.references import require_classes, require_roles
from db.tenants import announce_change


@dataclass(frozen=True, slots=True)
class RuleChanges:
    """What becomes of a rule; what is None stays."""

    name: str | None = None
    capabilities: frozenset[str] | None = None
    targets: frozenset[str] | None = None
    filter: str | None = None
    role_ids: frozenset[int] | None = None
    class_ids: frozenset[int] | None = None
    options: RuleOptions | None = None


async def find_rule(connection: AsyncConnection, tenant_id: int, rule_id: int) -> Rule | None:
    if not is_identity(tenant_id) or not is_identity(rule_id):
        return None
    query = select(tables.policy_rule).where(
        tables.policy_rule.c.tenant_id == tenant_id, tables.policy_rule.c.rule_id == rule_id
    )
    row = (await connection.execute(query)).mappings().one_or_none()
    return None if row is None else _to_rule(row)


async def list_rules(connection: AsyncConnection, tenant_id: int) -> tuple[Rule, ...]:
    """All rules of a tenant, by id."""
    query = (
        select(tables.policy_rule)
        .where(tables.policy_rule.c.tenant_id == tenant_id)
        .order_by(tables.policy_rule.c.rule_id)
    )
    return tuple(_to_rule(row) for row in (await connection.execute(query)).mappings())


async def insert_rule(
    connection: AsyncConnection,
    *,
    tenant_id: int,
    name: str,
    capabilities: Iterable[str],
    targets: Iterable[str],
    creator_id: int,
    filter_text: str = "",
    role_ids: Iterable[int] = (),
    class_ids: Iterable[int] = (),
    options: RuleOptions = NO_OPTIONS,
) -> Rule:
    """The new rule. What the capabilities, targets and filter say is not looked at. Raises CheckViolated when it has
    no capability or no target, ForeignKeyViolated for an unknown role or class, InvalidValue."""
    rule = Rule(
        rule_id=0,
        tenant_id=tenant_id,
        name=name,
        capabilities=frozenset(capabilities),
        targets=frozenset(targets),
        filter=filter_text,
        role_ids=frozenset(role_ids),
        class_ids=frozenset(class_ids),
        options=options,
    )
    _require_whole(rule)
    await announce_change(connection, tenant_id)
    await require_roles(connection, tenant_id, rule.role_ids)
    await require_classes(connection, tenant_id, rule.class_ids)
    statement = (
        insert(tables.policy_rule)
        .values(tenant_id=tenant_id, creator_id=creator_id, **_values(rule))
        .returning(tables.policy_rule)
    )
    return _to_rule((await connection.execute(statement)).mappings().one())


async def update_rule(connection: AsyncConnection, tenant_id: int, rule_id: int, changes: RuleChanges) -> Rule | None:
    """The rule as it now is, or None if the tenant has none of this id. A class that was deleted may stay where it was
    named. Raises as `insert_rule` does."""
    await announce_change(connection, tenant_id)
    before = await find_rule(connection, tenant_id, rule_id)
    if before is None:
        return None
    after = Rule(
        rule_id=rule_id,
        tenant_id=tenant_id,
        name=before.name if changes.name is None else changes.name,
        capabilities=before.capabilities if changes.capabilities is None else changes.capabilities,
        targets=before.targets if changes.targets is None else changes.targets,
        filter=before.filter if changes.filter is None else changes.filter,
        role_ids=before.role_ids if changes.role_ids is None else changes.role_ids,
        class_ids=before.class_ids if changes.class_ids is None else changes.class_ids,
        options=before.options if changes.options is None else changes.options,
    )
    _require_whole(after)
    await require_roles(connection, tenant_id, after.role_ids - before.role_ids)
    await require_classes(connection, tenant_id, after.class_ids - before.class_ids)
    await connection.execute(
        update(tables.policy_rule).where(tables.policy_rule.c.rule_id == rule_id).values(**_values(after))
    )
    return after


async def delete_rule(connection: AsyncConnection, tenant_id: int, rule_id: int) -> Rule | None:
    """The rule that was, or None if the tenant has none of this id."""
    await announce_change(connection, tenant_id)
    before = await find_rule(connection, tenant_id, rule_id)
    if before is not None:
        await connection.execute(delete(tables.policy_rule).where(tables.policy_rule.c.rule_id == rule_id))
    return before


def _require_whole(rule: Rule) -> None:
    if not rule.capabilities or not rule.targets:
        raise CheckViolated("A policy rule has at least one capability and one target.", table="policy_rule")
    require_storable(name=rule.name, filter=rule.filter)
    for capability in rule.capabilities:
        require_storable(capability=capability)
    for target in rule.targets:
        require_storable(target=target)


def _values(rule: Rule) -> dict[str, object]:
    return {
        "name": rule.name,
        "capabilities": sorted(rule.capabilities),
        "targets": sorted(rule.targets),
        "filter": rule.filter,
        "role_ids": sorted(rule.role_ids),
        "class_ids": sorted(rule.class_ids),
    } | _option_values(rule.options)


def _option_values(options: RuleOptions) -> dict[str, object]:
    return {
        "read_columns": None if options.read_columns is None else sorted(options.read_columns),
        "write_columns": None if options.write_columns is None else sorted(options.write_columns),
        "forced": dict(options.forced) or None,
        "defaults": dict(options.defaults) or None,
        "masks": {mask.column: _mask_values(mask) for mask in options.masks} or None,
        "aggregates": options.aggregates,
        "min_group_size": options.min_group_size,
        "max_rows": options.max_rows,
        "max_seconds": options.max_seconds,
        "valid_from": options.valid_from,
        "valid_until": options.valid_until,
        "group_columns": None if options.group_columns is None else sorted(options.group_columns),
    }


def _mask_values(mask: ColumnMask) -> dict[str, str]:
    values = {"mask": mask.kind, "unless": mask.unless, "text": mask.text}
    further = {"when": mask.when, "value": mask.value}
    return values | {name: value for name, value in further.items() if value}


def _to_rule(row: RowMapping) -> Rule:
    return Rule(
        rule_id=row["rule_id"],
        tenant_id=row["tenant_id"],
        name=row["name"],
        capabilities=frozenset(row["capabilities"]),
        targets=frozenset(row["targets"]),
        filter=row["filter"],
        role_ids=frozenset(row["role_ids"]),
        class_ids=frozenset(row["class_ids"]),
        options=_to_options(row),
    )


def _to_options(row: RowMapping) -> RuleOptions:
    forced: dict[str, Scalar] = row["forced"] or {}
    defaults: dict[str, Scalar] = row["defaults"] or {}
    masks: dict[str, dict[str, str]] = row["masks"] or {}
    return RuleOptions(
        read_columns=None if row["read_columns"] is None else frozenset(row["read_columns"]),
        write_columns=None if row["write_columns"] is None else frozenset(row["write_columns"]),
        forced=tuple(forced.items()),
        defaults=tuple(defaults.items()),
        masks=tuple(_to_mask(column, mask) for column, mask in masks.items()),
        aggregates=row["aggregates"],
        min_group_size=row["min_group_size"],
        max_rows=row["max_rows"],
        max_seconds=row["max_seconds"],
        valid_from=row["valid_from"],
        valid_until=row["valid_until"],
        group_columns=None if row["group_columns"] is None else frozenset(row["group_columns"]),
    )


def _to_mask(column: str, mask: dict[str, str]) -> ColumnMask:
    return ColumnMask(column, mask["mask"], mask["unless"], mask["text"], mask.get("when", ""), mask.get("value", ""))
