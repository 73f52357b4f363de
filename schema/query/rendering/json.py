"""The JSON of a value, as SQL text."""

from collections.abc import Sequence

from db.catalog import Column, PgType
from db.sql import Sql, concatenate, join, json_text, name, quoted, slot, sql, stop
from schema.enums import mapped_labels
from schema.expression.predicate import Constant
from schema.expression.types import INT8
from schema.query.plan import AttributeOutput, TypenameOutput

_NUMBERS = frozenset({"int2", "int4", "oid", "bool"})
_PLAIN = frozenset({"uuid", "date"})
_JSON = frozenset({"json", "jsonb"})
_SELF_QUOTING = frozenset({"float4", "float8", "timestamp", "timestamptz"})
NOTHING = sql("")
# Not within a template, where braces have a meaning.
_SIXTEEN_OR_MORE = Sql(("{16,}",))


def render_column(value: Sql, column: Column, *, as_id: bool) -> Sql:
    """The JSON of a column's value, as text that is never null."""
    text = _json_value(value, column.type, as_id=as_id)
    return text if column.not_null else sql("coalesce({text}, 'null')", text=text)


def render_value(value: Sql, kind: PgType) -> Sql:
    """The JSON of a value that may be null, as text that never is."""
    return sql("coalesce({json}, 'null')", json=_json_value(value, kind, as_id=False))


def render_array(item: Sql, source: Sql, before: Sql = NOTHING, *, max_rows: int | None = None) -> Sql:
    """A JSON array of the items that a scan of `source` gives, as parts of a concatenation: within the subquery the
    brackets would copy a long text once more. Of more than `max_rows` it stops the statement."""
    items = sql("string_agg({item}, ',')", item=item)
    if max_rows is not None:
        items = sql(
            "case when count(*) > {most} then {stop} else {items} end",
            most=slot(Constant(max_rows, INT8), "int8"),
            stop=stop("rows"),
            items=items,
        )
    scan = sql("coalesce(({before}select {items} from {source}), '')", before=before, items=items, source=source)
    return concatenate([json_text("["), scan, json_text("]")])


def render_composite(value: Sql, kind: PgType, attributes: Sequence[AttributeOutput | TypenameOutput]) -> Sql:
    """The JSON of a composite value, or of a list of those, with what is selected of it; `null` where there is none."""
    # A row of nulls `is null` although it is there.
    present = sql("({value}) is distinct from null", value=value)
    if kind.kind == "array" and kind.element is not None:
        item = sql("({value})[i]", value=value)
        json = sql(
            "(select coalesce('[' || string_agg({item}, ',' order by i) || ']', '[]')"
            " from generate_subscripts({value}, 1) as i)",
            item=render_composite(item, kind.element, attributes),
            value=value,
        )
    else:
        json = _object(value, attributes)
    return sql("(case when {present} then {json} else 'null' end)", present=present, json=json)


def _object(value: Sql, attributes: Sequence[AttributeOutput | TypenameOutput]) -> Sql:
    parts: list[Sql] = []
    for index, output in enumerate(attributes):
        parts.append(json_text('{"' if index == 0 else ',"', (output.key,), '":'))
        if isinstance(output, TypenameOutput):
            parts.append(json_text('"', (output.type_name,), '"'))
            continue
        member = sql("({value}).{name}", value=value, name=name(output.name))
        parts.append(
            render_composite(member, output.type, output.attributes)
            if output.attributes
            else render_value(member, output.type)
        )
    return concatenate([*parts, json_text("}")])


def _enum_name(value: Sql, kind: PgType) -> Sql:
    """The name of a label; only what is not its own name has to be looked for."""
    cases = [
        sql("when {label} then {name}", label=_constant(label), name=_constant(mapped))
        for label, mapped in mapped_labels(kind.labels).items()
    ]
    if not cases:
        return sql("{value}::text", value=value)
    return sql("(case {value}::text {cases} else {value}::text end)", value=value, cases=join(" ", cases))


def _constant(text: str) -> Sql:
    return sql("{text}::text", text=quoted(text))


def _json_value(value: Sql, kind: PgType, *, as_id: bool) -> Sql:
    if kind.kind == "array":
        if kind.element is not None and mapped_labels(kind.element.labels):
            return sql(
                "case when {value} is not null then (select coalesce(json_agg({name} order by i), '[]')"
                " from unnest({value}) with ordinality as e (v, i))::text end",
                value=value,
                name=_enum_name(sql("e.v"), kind.element),
            )
        json = sql("to_json({value})::text", value=value)
        if kind.element is None or kind.element.base != "int8":
            return json
        # Among so many digits may be a number beyond 2^53; those of 16 below it become text with it.
        return sql("""regexp_replace({json}, '(-?[0-9]{many})', '"\\1"', 'g')""", json=json, many=_SIXTEEN_OR_MORE)
    if kind.base in _PLAIN or (as_id and kind.base in {"int2", "int4", "int8"}):
        return sql("""('"' || {value} || '"')""", value=value)
    if as_id:
        return sql("to_json({value}::text)::text", value=value)
    if kind.kind == "enum":
        return sql("to_json({name})::text", name=_enum_name(value, kind))
    if kind.base in _NUMBERS or kind.base in _JSON:
        return sql("{value}::text", value=value)
    if kind.base == "int8":
        return sql(
            """(case when {value} between -9007199254740991 and 9007199254740991 then {value}::text"""
            """ else '"' || {value} || '"' end)""",
            value=value,
        )
    if kind.base == "numeric":
        # What is no finite number has no scale, and is quoted; to_json for all would cost more than all the rest.
        return sql("(case when scale({value}) is null then to_json({value})::text else {value}::text end)", value=value)
    if kind.base in _SELF_QUOTING:
        return sql("to_json({value})::text", value=value)
    return sql("to_json({value}::text)::text", value=value)
