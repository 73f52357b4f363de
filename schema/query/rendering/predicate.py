"""render_predicate: a predicate on the rows of one table → a SQL condition."""

from typing import assert_never

from db.catalog import PgType
from db.sql import Sql, join, name, slot, sql
from schema.expression.predicate import (
    ALWAYS,
    Always,
    And,
    AnyOf,
    Applied,
    ColumnOf,
    Compare,
    Comparison,
    ComposedValue,
    Constant,
    Counted,
    CursorValue,
    Exists,
    Fenced,
    IsNull,
    JsonAt,
    Lifted,
    Matches,
    Never,
    Not,
    NotTrue,
    Or,
    Predicate,
    PrincipalValue,
    RowCount,
    Search,
    VariableValue,
)
from schema.model import Entity, Model, Relation
from schema.query.plan import Argument, RowKeyValue
from schema.query.rendering.operators import render_search, render_test


class Aliases:
    """Aliases by table, counted: film_1, film_2."""

    def __init__(self) -> None:
        self._count = 0

    def new(self, entity: Entity) -> str:
        self._count += 1
        return f"{entity.name[:40]}_{self._count}"


_OPERATORS: dict[Comparison, Sql] = {
    "=": sql("="),
    "!=": sql("<>"),
    "<": sql("<"),
    ">": sql(">"),
    "<=": sql("<="),
    ">=": sql(">="),
}


def render_argument(value: Argument) -> Sql:
    """A slot of the value's type. What asyncpg cannot send as that type goes as text and is cast."""
    if value.type.kind in {"range", "composite"}:
        return sql("{text}::{type}", text=slot(value, "text"), type=_type_name(value.type))
    return slot(value, value.type.name)


def _type_name(kind: PgType) -> Sql:
    return Sql((kind.name,))


def render_predicate(predicate: Predicate, entity: Entity, alias: str, model: Model, aliases: Aliases) -> Sql:
    """The condition on the row that `alias` stands for, in parentheses where it needs them."""

    def inner(operand: Predicate) -> Sql:
        return render_predicate(operand, entity, alias, model, aliases)

    match predicate:
        case Always():
            return sql("true")
        case Never():
            return sql("false")
        case Compare(left, operator, right):
            return sql(
                "({left} {operator} {right})",
                left=_operand(left, alias),
                operator=_OPERATORS[operator],
                right=_operand(right, alias),
            )
        case IsNull(operand, negated):
            test = sql("is not null") if negated else sql("is null")
            return sql("({operand} {test})", operand=_operand(operand, alias), test=test)
        case Matches(operand, pattern, operator, negated):
            word = {"like": sql("~~"), "ilike": sql("~~*")}[operator]
            match_ = sql(
                "({operand}::text {word} {pattern})",
                operand=_operand(operand, alias),
                word=word,
                pattern=_operand(pattern, alias),
            )
            return sql("(not {match})", match=match_) if negated else match_
        case AnyOf(operand, items, negated):
            found = sql("({left} = any ({right}))", left=_operand(operand, alias), right=_array(items, operand.type))
            return sql("(not {found})", found=found) if negated else found
        case Not(operand):
            return sql("(not {operand})", operand=inner(operand))
        case And(operands):
            return sql("({all})", all=join(" and ", [inner(each) for each in operands]))
        case Or(operands):
            return sql("({any})", any=join(" or ", [inner(each) for each in operands]))
        case Exists(relation, where, _, via):
            return _render_exists(entity.relations[relation], where, via, alias, model, aliases)
        case NotTrue() | Fenced() | Applied() | Counted() | Search():
            return _render_further(predicate, entity, alias, model, aliases)
        case _:
            assert_never(predicate)


def _render_further(
    predicate: NotTrue | Fenced | Applied | Counted | Search, entity: Entity, alias: str, model: Model, aliases: Aliases
) -> Sql:
    def inner(operand: Predicate) -> Sql:
        return render_predicate(operand, entity, alias, model, aliases)

    match predicate:
        case NotTrue(operand):
            return sql("({operand} is not true)", operand=inner(operand))
        case Fenced(guard, condition):
            return sql("(case when {guard} then {condition} end)", guard=inner(guard), condition=inner(condition))
        case Applied(operand, operator, value):
            tested = (
                _render_count(operand, entity, alias, model, aliases)
                if isinstance(operand, RowCount)
                else _operand(operand, alias)
            )
            return render_test(tested, operator, render_argument(value))
        case Counted(operand, operator, value):
            return sql(
                "({count} {operator} {value})",
                count=_render_count(operand, entity, alias, model, aliases),
                operator=_OPERATORS[operator],
                value=render_argument(value),
            )
        case Search(operand, query):
            return render_search(_operand(operand, alias), predicate, render_argument(query))


def _render_count(count: RowCount, entity: Entity, alias: str, model: Model, aliases: Aliases) -> Sql:
    relation = entity.relations[count.relation]
    target = model.by_table[relation.target]
    inner = aliases.new(target)
    return sql(
        "(select count(*) from {source} where {meets} and {where})",
        source=render_source(relation, target, inner),
        meets=render_link(relation, alias, inner, count.via, model, aliases),
        where=render_predicate(count.where, target, inner, model, aliases),
    )


def _render_exists(
    relation: Relation, where: Predicate, via: Predicate, alias: str, model: Model, aliases: Aliases
) -> Sql:
    target = model.by_table[relation.target]
    inner = aliases.new(target)
    return sql(
        "exists (select from {source} where {meets} and {where})",
        source=render_source(relation, target, inner),
        meets=render_link(relation, alias, inner, via, model, aliases),
        where=render_predicate(where, target, inner, model, aliases),
    )


def render_source(relation: Relation, target: Entity, alias: str) -> Sql:
    """The target's table under its alias, joined to the junction if the relation has one."""
    table = sql("{table} as {alias}", table=table_name(target), alias=name(alias))
    if relation.junction is None:
        return table
    junction = relation.junction
    return sql(
        "{table} join {junction} as {middle} on {meets}",
        table=table,
        junction=name(junction.table.schema, junction.table.name),
        middle=name(alias + "_via"),
        meets=_equal(alias + "_via", junction.far, alias, relation.target_columns),
    )


def render_link(relation: Relation, parent: str, alias: str, via: Predicate, model: Model, aliases: Aliases) -> Sql:
    """The condition under which the row of `alias` belongs to the row of `parent`, over a row of the junction that
    satisfies `via`."""
    if relation.junction is None:
        return _equal(alias, relation.target_columns, parent, relation.columns)
    middle = alias + "_via"
    meets = _equal(middle, relation.junction.near, parent, relation.columns)
    if via == ALWAYS:
        return meets
    junction = model.by_table[relation.junction.table]
    return sql("{meets} and {via}", meets=meets, via=render_predicate(via, junction, middle, model, aliases))


def table_name(entity: Entity) -> Sql:
    return name(entity.table.name.schema, entity.table.name.name)


def _equal(left: str, left_columns: tuple[str, ...], right: str, right_columns: tuple[str, ...]) -> Sql:
    pairs = zip(left_columns, right_columns, strict=True)
    return join(" and ", [sql("{a} = {b}", a=name(left, a), b=name(right, b)) for a, b in pairs])


def _operand(operand: ColumnOf | JsonAt | Argument, alias: str) -> Sql:
    match operand:
        case ColumnOf(column, _):
            return name(alias, column)
        case JsonAt(ColumnOf(column, _), path, as_text):
            return sql(
                "({column} {operator} {path})",
                column=name(alias, column),
                operator=sql("#>>") if as_text else sql("#>"),
                path=render_argument(path),
            )
        case Constant() | Lifted() | PrincipalValue() | VariableValue():
            return render_argument(operand)
        case ComposedValue() | CursorValue() | RowKeyValue():
            return render_argument(operand)


def _array(items: "tuple[Argument, ...] | PrincipalValue", kind: PgType) -> Sql:
    if isinstance(items, PrincipalValue):
        return render_argument(items)
    if not items:
        return sql("array[]::{type}[]", type=_type_name(kind))
    return sql("array[{items}]", items=join(", ", [render_argument(item) for item in items]))
