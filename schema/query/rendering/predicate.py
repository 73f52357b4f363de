"""render_predicate: a predicate on the rows of one table → a SQL condition; `behind` fences what can raise."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, LiteralString, assert_never

from db.catalog import PgType
from db.sql import Sql, join, name, slot, sql
from db.text_types import TEXT_TYPES
from schema.expression.predicate import (
    ALWAYS,
    NEVER,
    Aggregated,
    AggregateFunction,
    Alike,
    Always,
    And,
    AnyOf,
    Applied,
    Calculated,
    Cast,
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
    Operand,
    Operation,
    Or,
    Outer,
    Predicate,
    PrincipalValue,
    Related,
    RowCount,
    Search,
    VariableValue,
)
from schema.expression.totality import can_raise
from schema.expression.types import INT8, INTEGERS, TEXT
from schema.grants import Mask
from schema.model import Entity, Model, Relation, Sight
from schema.query.plan import Argument, ResultPart, RowKeyValue, WrittenValue
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


#: Types whose arrays travel as arrays of that type, in binary.
_BINARY = frozenset({"int2", "int4", "int8", "float4", "float8", "bool", "text", "varchar", "bpchar", "name"})


def render_argument(value: Argument) -> Sql:
    """A slot of the value's type. What asyncpg cannot send as that type goes as text and is cast."""
    if isinstance(value, WrittenValue):
        # What a step has written travels as texts, whatever its type.
        written = slot(ResultPart(value.write, value.index + 1), "text[]")
        return sql("({written})[1]::{type}", written=written, type=_type_name(value.type))
    kind = value.type
    if kind.kind == "array" and kind.element is not None:
        if kind.element.kind == "enum" or (kind.element.kind == "base" and kind.element.base in _BINARY):
            return slot(value, kind.name)
        return sql("{texts}::{type}", texts=slot(value, "text[]"), type=_type_name(kind))
    if kind.kind == "enum" or (kind.kind == "base" and (kind.base in _BINARY or kind.base in TEXT_TYPES)):
        return slot(value, kind.name)
    return sql("{text}::{type}", text=slot(value, "text"), type=_type_name(kind))


def _type_name(kind: PgType) -> Sql:
    return Sql((kind.name,))


def render_predicate(predicate: Predicate, entity: Entity, alias: str, model: Model, aliases: Aliases) -> Sql:
    """The condition on the row that `alias` stands for, in parentheses where it needs them."""
    return _Rows(model, aliases, ((entity, alias),)).predicate(predicate)


def behind(conditions: Sequence[Sql], predicate: Predicate, rendered: Sql) -> list[Sql]:
    """All of the conditions and the predicate, which if it can raise is evaluated on no row that they keep out.

    PostgreSQL evaluates what stands in one WHERE in any order, but of a CASE only the branch that is taken. (What has
    no column in it may be evaluated before, when the statement is planned: then no row has a part in that.)
    """
    if not conditions or not can_raise(predicate):
        return [*conditions, rendered]
    fence = sql(
        "(case when {conditions} then {condition} end)", conditions=join(" and ", conditions), condition=rendered
    )
    return [*conditions, fence]


@dataclass(frozen=True, slots=True)
class _Rows:
    """Renders what is about the last of some rows; those before are where Exists and aggregates have come from."""

    model: Model
    aliases: Aliases
    rows: tuple[tuple[Entity, str], ...]

    def predicate(self, predicate: Predicate) -> Sql:
        match predicate:
            case Always():
                return sql("true")
            case Never():
                return sql("false")
            case Compare(left, operator, right):
                return sql(
                    "({left} {operator} {right})",
                    left=self.operand(left),
                    operator=_OPERATORS[operator],
                    right=self.operand(right),
                )
            case IsNull(operand, negated):
                test = sql("is not null") if negated else sql("is null")
                return sql("({operand} {test})", operand=self.operand(operand), test=test)
            case Matches():
                return self.matches(predicate)
            case AnyOf(operand, items, negated):
                found = sql("({left} = any ({right}))", left=self.operand(operand), right=_array(items, operand.type))
                return sql("(not {found})", found=found) if negated else found
            case Not(operand):
                return sql("(not {operand})", operand=self.predicate(operand))
            case And(operands):
                return sql("({all})", all=join(" and ", [self.predicate(each) for each in operands]))
            case Or(operands):
                return sql("({any})", any=join(" or ", [self.predicate(each) for each in operands]))
            case Exists():
                return self.exists(predicate)
            case _:
                return self.further(predicate)

    def further(self, predicate: NotTrue | Fenced | Applied | Counted | Search | Alike) -> Sql:
        match predicate:
            case Alike():
                return self.alike(predicate)
            case NotTrue(operand):
                return sql("({operand} is not true)", operand=self.predicate(operand))
            case Fenced(guard, condition):
                return sql(
                    "(case when {guard} then {condition} end)",
                    guard=self.predicate(guard),
                    condition=self.predicate(condition),
                )
            case Applied(operand, operator, value):
                tested = self.count(operand) if isinstance(operand, RowCount) else self.operand(operand)
                return render_test(tested, operator, render_argument(value))
            case Counted(operand, operator, value):
                return sql(
                    "({count} {operator} {value})",
                    count=self.count(operand),
                    operator=_OPERATORS[operator],
                    value=render_argument(value),
                )
            case Search(operand, query):
                return render_search(self.operand(operand), predicate, render_argument(query))
            case _:
                assert_never(predicate)

    def alike(self, test: Alike) -> Sql:
        """Whether the row is in a group that is large enough. Groups are made once for the whole statement, by texts,
        as nulls are alike too."""
        entity, alias = self.rows[-1]
        inner = self.aliases.new(entity)
        rows = sql(
            "from {table} as {inner} where {rows}",
            table=table_name(entity),
            inner=name(inner),
            rows=_Rows(self.model, self.aliases, ((entity, inner),)).predicate(test.rows),
        )
        least = slot(Constant(test.least, INT8), "int8")
        if not test.columns:
            return sql("((select count(*) {rows}) >= {least})", rows=rows, least=least)
        keys = [sql("coalesce({c}::text, ''), {c} is null", c=name(inner, column.name)) for column in test.columns]
        own = [sql("coalesce({c}::text, ''), {c} is null", c=name(alias, column.name)) for column in test.columns]
        return sql(
            "(({own}) in (select {keys} {rows} group by {keys} having count(*) >= {least}))",
            own=join(", ", own),
            keys=join(", ", keys),
            rows=rows,
            least=least,
        )

    def count(self, count: RowCount) -> Sql:
        entity, alias = self.rows[-1]
        relation = entity.relation(count.relation)
        target = self.model.by_table[relation.target]
        inner = self.aliases.new(target)
        meets = render_link(relation, alias, inner, count.via, self.model, self.aliases)
        where = _Rows(self.model, self.aliases, (*self.rows, (target, inner))).predicate(count.where)
        return sql(
            "(select count(*) from {source} where {all})",
            source=render_source(relation, target, inner, self.aliases),
            all=join(" and ", behind([meets], count.where, where)),
        )

    def matches(self, test: Matches) -> Sql:
        # What LIKE does to citext (PostgreSQL: citext), wherever the extension's own operators may be.
        folds = test.operator == "ilike" or "citext" in (test.operand.type.base, test.pattern.type.base)
        found = sql(
            "({operand}::text {word} {pattern})",
            operand=self.operand(test.operand),
            word=sql("~~*") if folds else sql("~~"),
            pattern=self.operand(test.pattern),
        )
        return sql("(not {found})", found=found) if test.negated else found

    def exists(self, test: Exists) -> Sql:
        entity, alias = self.rows[-1 - test.outer]
        relation = entity.relation(test.relation)
        target = self.model.by_table[relation.target]
        inner = self.aliases.new(target)
        conditions = [render_link(relation, alias, inner, test.via, self.model, self.aliases)]
        conditions += self.granted(test.grant, target, inner)
        where = _Rows(self.model, self.aliases, (*self.rows, (target, inner))).predicate(test.where)
        return sql(
            "exists (select from {source} where {all})",
            source=render_source(relation, target, inner, self.aliases),
            all=join(" and ", behind(conditions, test.where, where)),
        )

    def operand(self, operand: Operand | Argument) -> Sql:
        match operand:
            case ColumnOf(column, _):
                return name(self.rows[-1][1], column)
            case Related():
                return self.related(operand)
            case Outer(levels, inner):
                return _Rows(self.model, self.aliases, self.rows[:-levels]).operand(inner)
            case Cast(inner, pg_type):
                return sql("{operand}::{type}", operand=self.operand(inner), type=_type_name(pg_type))
            case Calculated(operation, operands):
                return _calculated(operation, [self.operand(each) for each in operands])
            case Aggregated():
                return self.aggregated(operand)
            case JsonAt(column, path, as_text):
                return sql(
                    "({column} {operator} {path})",
                    column=self.operand(column),
                    operator=sql("#>>") if as_text else sql("#>"),
                    path=render_argument(path),
                )
            case ComposedValue() | CursorValue():
                return render_argument(operand)
            case Constant() | Lifted() | PrincipalValue() | VariableValue() | RowKeyValue() | WrittenValue():
                return render_argument(operand)

    def related(self, value: Related) -> Sql:
        entity, alias = self.rows[-1]
        relation = entity.relation(value.relation)
        target = self.model.by_table[relation.target]
        inner = self.aliases.new(target)
        conditions = [render_link(relation, alias, inner, value.via, self.model, self.aliases)]
        conditions += self.granted(value.grant, target, inner)
        return sql(
            "(select {value} from {source} where {all})",
            value=_Rows(self.model, self.aliases, (*self.rows, (target, inner))).operand(value.operand),
            source=render_source(relation, target, inner, self.aliases),
            all=join(" and ", conditions),
        )

    def aggregated(self, value: Aggregated) -> Sql:
        """A subquery. What is aggregated in it is evaluated only after its WHERE, and needs no fence of its own."""
        entity, alias = self.rows[-1]
        sources: list[Sql] = []
        conditions: list[Sql] = []
        if not value.ways:
            alias = self.aliases.new(entity)
            sources.append(render_table(entity, alias, self.aliases))
            conditions += self.granted(value.grant, entity, alias)
        for way in value.ways:
            relation = entity.relation(way.relation)
            entity = self.model.by_table[relation.target]
            inner = self.aliases.new(entity)
            sources.append(render_source(relation, entity, inner, self.aliases))
            conditions.append(render_link(relation, alias, inner, way.via, self.model, self.aliases))
            conditions += self.granted(way.grant, entity, inner)
            alias = inner
        counted = sql("*")
        if value.operand is not None:
            counted = _Rows(self.model, self.aliases, (*self.rows, (entity, alias))).operand(value.operand)
        return sql(
            "(select {function}({value}) from {sources}{where})",
            function=AGGREGATES[value.function],
            value=counted,
            sources=join(", ", sources),
            where=sql(" where {all}", all=join(" and ", conditions)) if conditions else sql(""),
        )

    def granted(self, grant: Predicate, entity: Entity, alias: str) -> list[Sql]:
        return [] if grant == ALWAYS else [render_predicate(grant, entity, alias, self.model, self.aliases)]


AGGREGATES: Final[dict[AggregateFunction, Sql]] = {
    "avg": sql("avg"),
    "count": sql("count"),
    "max": sql("max"),
    "min": sql("min"),
    "sum": sql("sum"),
}


def _calculated(operation: Operation, operands: list[Sql]) -> Sql:
    match operation:
        case "coalesce" | "concat":
            function = sql("coalesce") if operation == "coalesce" else sql("concat")
            return sql("{function}({all})", function=function, all=join(", ", operands))
        case "now":
            return sql("now()")
        case "current_date":
            return sql("current_date")
        case _:
            pass
    if len(operands) == 1:
        return sql(_OF_ONE[operation], a=operands[0])
    return sql(_OF_TWO[operation], a=operands[0], b=operands[1])


_OF_ONE: Final[dict[Operation, LiteralString]] = {
    "negative": "(- {a})",
    "lower": "lower({a})",
    "upper": "upper({a})",
    "length": "length({a})",
    "trim": "btrim({a})",
    "abs": "abs({a})",
    "round": "round({a})",
}
_OF_TWO: Final[dict[Operation, LiteralString]] = {
    "+": "({a} + {b})",
    "-": "({a} - {b})",
    "*": "({a} * {b})",
    "/": "({a} / nullif({b}, 0))",
    "div": "div({a}, nullif({b}, 0))",
    "%": "({a} % nullif({b}, 0))",
    "^": "power({a}, {b})",
    "&": "({a} & {b})",
    "|": "({a} | {b})",
    "#": "({a} # {b})",
    # How far a bigint is shifted beyond its 64 bits is the processor's to decide otherwise.
    "<<": "({a} << ({b} & 63)::int4)",
    ">>": "({a} >> ({b} & 63)::int4)",
    "round_to": "round({a}, {b})",
    "trim_of": "btrim({a}, {b})",
}


def render_source(relation: Relation, target: Entity, alias: str, aliases: Aliases) -> Sql:
    """The target's table under its alias, joined to the junction if the relation has one."""
    table = render_table(target, alias, aliases)
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


def render_table(entity: Entity, alias: str, aliases: Aliases, source: Sql | None = None) -> Sql:
    """The rows of the table under an alias, with what is seen of its columns beside them. `source` are rows of the
    table in its place."""
    rows = source or table_name(entity)
    if entity.sights is None:
        return sql("{rows} as {alias}", rows=rows, alias=name(alias))
    inner = aliases.new(entity)
    # PostgreSQL takes this subquery apart: what is not asked for is not computed, and indexes serve as ever.
    return sql(
        "(select {inner}.*, {seen} from {rows} as {inner}) as {alias}",
        inner=name(inner),
        seen=join(", ", [_render_sight(each, entity, inner, aliases) for each in entity.sights.columns]),
        rows=rows,
        alias=name(alias),
    )


def _render_sight(sight: Sight, entity: Entity, alias: str, aliases: Aliases) -> Sql:
    """What is seen of a column. The conditions are rules' own, and see rows whole."""
    assert entity.sights is not None
    model = entity.sights.model
    column = name(alias, sight.column.name)

    def when(condition: Predicate, value: Sql) -> Sql:
        whole = model.by_table[entity.table.name]
        return sql(
            " when {condition} then {value}",
            condition=render_predicate(condition, whole, alias, model, aliases),
            value=value,
        )

    cases = [] if sight.view.plain == NEVER else [when(sight.view.plain, column)]
    whole = _Rows(model, aliases, ((model.by_table[entity.table.name], alias),))
    cases += [
        when(rows, _render_mask(mask, column, sight.column.type, whole))
        for rows, mask in sight.view.masked
        if mask.kind != "null"
    ]
    seen = (
        sql("case{cases} end", cases=join("", cases))
        if cases
        else sql("null::{type}", type=_type_name(sight.column.type))
    )
    return sql("{seen} as {name}", seen=seen, name=name(sight.name))


def _render_mask(mask: Mask, column: Sql, kind: PgType, row: _Rows) -> Sql:
    match mask.kind:
        case "expression" if mask.value is not None:
            return _fitted(row.operand(mask.value), mask.value.type, kind)
        case "hash":
            return sql("encode(sha256(convert_to({column}::text, 'UTF8')), 'hex')", column=column)
        case "last_four":
            # Of four characters the last four would be all.
            return sql(
                "overlay(repeat('*', length({column}::text)) placing"
                " case when length({column}::text) > 4 then right({column}::text, 4) else '' end"
                " from greatest(length({column}::text) - 3, 1))",
                column=column,
            )
        case _:
            return sql(
                "case when {column} is not null then {text} end",
                column=column,
                text=slot(Constant(mask.text, TEXT), "text"),
            )


def _fitted(value: Sql, given: PgType, wanted: PgType) -> Sql:
    """The value as one of the wanted type; null where it does not fit."""
    cast = sql("({value})::{type}", value=value, type=_type_name(wanted))
    if given.base in INTEGERS | {"numeric"} and wanted.base in INTEGERS:
        most = _MOST[wanted.base]
        # A numeric may be no number at all, or as large as can be.
        return sql(
            "(case when round(({value})::numeric) between {least} and {most} then {cast} end)",
            value=value,
            least=Sql((str(-most - 1),)),
            most=Sql((str(most),)),
            cast=cast,
        )
    return cast


_MOST: Final = {"int2": 2**15 - 1, "int4": 2**31 - 1, "int8": 2**63 - 1}


def table_name(entity: Entity) -> Sql:
    """The table's name; that of result rows, which are a query of the same statement, has no schema."""
    if not entity.table.name.schema:
        return name(entity.table.name.name)
    return name(entity.table.name.schema, entity.table.name.name)


def _equal(left: str, left_columns: tuple[str, ...], right: str, right_columns: tuple[str, ...]) -> Sql:
    pairs = zip(left_columns, right_columns, strict=True)
    return join(" and ", [sql("{a} = {b}", a=name(left, a), b=name(right, b)) for a, b in pairs])


def _array(items: "tuple[Argument, ...] | PrincipalValue", kind: PgType) -> Sql:
    if isinstance(items, PrincipalValue):
        return render_argument(items)
    if not items:
        return sql("array[]::{type}[]", type=_type_name(kind))
    return sql("array[{items}]", items=join(", ", [render_argument(item) for item in items]))
