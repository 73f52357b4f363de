"""find_owner_columns(rules, model): where a tenant's tables say whose a row is, as rules and foreign keys tell it."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from db.catalog import Column, Table, TableName
from db.errors import PublicError
from db.owned_rows import IdType, OwnerColumn
from db.records import Rule
from schema.expression import syntax
from schema.expression.names import get_column, get_relation
from schema.expression.parse import parse_expression
from schema.expression.types import is_text
from schema.model import Entity, Model

_ROLE: Final = "roleid"
_PRESET: Final = "$_PRINCIPAL.roleid"
_TABLES: Final = frozenset({"table", "partitioned_table"})

Place = tuple[TableName, str]


def find_owner_columns(rules: Iterable[Rule], model: Model) -> tuple[OwnerColumn, ...]:
    """The columns that rules compare with `$_PRINCIPAL.roleid`, or preset to it; those that refer to one of them, and
    those that refer to the same column as one of them does."""
    places: set[Place] = set()
    entities = {str(entity.table.name): entity for entity in model.entities.values()} | dict(model.entities)
    entities |= {f"{entity.table.name.schema}.{entity.table.name.name}": entity for entity in model.entities.values()}
    for rule in rules:
        for target in rule.targets:
            entity = entities.get(target)
            if entity is not None:
                places.update(_places_of(rule, entity, model))
    tables = [entity.table for entity in model.entities.values()]
    return _owner_columns(_with_references(places, tables), tables)


def named_owner_columns(names: Iterable[str], model: Model) -> tuple[OwnerColumn, ...]:
    """The columns of these names, `table.column` or `schema.table.column`; what there is not is left out."""
    tables = [entity.table for entity in model.entities.values()]
    wanted = set(names)
    places = {
        (table.name, column.name)
        for table in tables
        for column in table.columns
        if {f"{table.name}.{column.name}", f"{table.name.schema}.{table.name.name}.{column.name}"} & wanted
    }
    return _owner_columns(places, tables)


def _places_of(rule: Rule, entity: Entity, model: Model) -> Iterator[Place]:
    for column_name, value in (*rule.options.forced, *rule.options.defaults):
        if value == _PRESET:
            column = entity.columns.get(column_name) or entity.table.by_name.get(column_name)
            if column is not None:
                yield entity.table.name, column.name
    try:
        expression = parse_expression(rule.filter)
    except PublicError:
        # A rule that cannot be read grants nothing, and tells nothing.
        return
    for path in _compared_with_role(expression):
        try:
            yield _resolve(path, entity, model)
        except PublicError:
            continue


def _compared_with_role(node: syntax.Expression) -> Iterator[syntax.Path]:
    match node:
        case syntax.Conjunction() | syntax.Disjunction():
            for operand in node.operands:
                yield from _compared_with_role(operand)
        case syntax.Comparison(left, "=", right):
            for one, other in ((left, right), (right, left)):
                is_role = isinstance(other, syntax.PrincipalAttribute) and other.name == _ROLE
                if isinstance(one, syntax.Path) and is_role:
                    yield one
        case _:
            # What a row must not be, or is calculated of, does not say whose it is.
            return


def _resolve(path: syntax.Path, entity: Entity, model: Model) -> Place:
    *through, last = path.names
    for step in through:
        _, entity = get_relation(entity, step, model)
    return entity.table.name, get_column(entity, last).name


def _with_references(places: Iterable[Place], tables: Sequence[Table]) -> set[Place]:
    """The places, and all whose values are of the same kind by a foreign key of one column."""
    references = [
        ((table.name, key.columns[0]), (key.target, key.target_columns[0]))
        for table in tables
        for key in table.foreign_keys
        if len(key.columns) == 1
    ]
    found = set(places)
    while True:
        # What an owner column refers to holds the ids of roles as well, but its rows are no possession.
        roots = found | {target for source, target in references if source in found}
        more = {source for source, target in references if target in roots} - found
        if not more:
            return found
        found |= more


def _owner_columns(places: Iterable[Place], tables: Sequence[Table]) -> tuple[OwnerColumn, ...]:
    by_name = {table.name: table for table in tables}
    columns: list[OwnerColumn] = []
    for table_name, column_name in sorted(places):
        table = by_name[table_name]
        id_type = _id_type(table.by_name[column_name])
        if table.kind in _TABLES and id_type is not None:
            columns.append(OwnerColumn(table_name, column_name, id_type, table.constraints))
    return tuple(columns)


def _id_type(column: Column) -> IdType | None:
    if column.type.base in {"int4", "int8"}:
        return "int8"
    return "text" if is_text(column.type) else None
