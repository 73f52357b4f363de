"""render_functions, render_call_mutation: calls of functions and procedures → SQL."""

from collections.abc import Sequence
from dataclasses import replace

from db.catalog import Parameter, PgType
from db.sql import Sql, concatenate, join, json_text, name, sql, to_statement
from schema.query.plan import (
    Argument,
    Call,
    CallMutation,
    CallValue,
    Fixed,
    Functions,
    KeptRows,
    Read,
    RowKeyValue,
)
from schema.query.rendering import reads
from schema.query.rendering.context import Rendering
from schema.query.rendering.json import render_array, render_composite, render_value
from schema.query.rendering.predicate import render_argument
from schema.query.rendering.step import Step


def render_functions(rendering: Rendering, node: Functions) -> Sql:
    """The JSON object with what each function gives."""
    parts: list[Sql] = []
    for index, (key, output) in enumerate(node.outputs):
        parts.append(json_text('{"' if index == 0 else ',"', (key,), '":'))
        match output:
            case Fixed():
                parts.append(json_text('"Functions"'))
            case Read():
                parts.append(render_rows(rendering, output, ""))
            case CallValue():
                parts.append(render_call_value(output, ""))
    return concatenate([*parts, json_text("}")])


def render_rows(rendering: Rendering, read: Read, parent: str) -> Sql:
    """The JSON of the rows that a function gives, or of the one row."""
    assert read.call is not None
    if read.many:
        return reads.render_list(rendering, read, parent)
    return reads.render_one(rendering, read, source=render_source(read.call, parent))


def render_source(call: Call | KeptRows, parent: str) -> Sql:
    """What gives the rows, to stand behind `from`."""
    if isinstance(call, Call):
        return render_call(call, parent)
    table = call.entity.table.name
    rows = PgType(f"{''.join(map(str, name(table.schema, table.name).pieces))}[]", "", "composite")
    return sql("unnest({rows})", rows=render_argument(RowKeyValue(0, rows)))


def render_call_value(value: CallValue, parent: str) -> Sql:
    """The JSON of what a function gives when that is no rows. It is called once, however often its value is named:
    `offset 0` keeps the subquery apart."""
    routine = value.call.routine
    result = routine.function.result
    given = sql("x.v")
    json = (
        sql("'true'")
        if routine.gives_nothing
        else render_composite(given, result, value.attributes)
        if value.attributes
        else render_value(given, result)
    )
    call = render_call(value.call, parent)
    if routine.function.returns_set:
        return render_array(json, sql("(select {call} as v offset 0) as x", call=call))
    return sql("(select {json} from (select {call} as v offset 0) as x)", json=json, call=call)


def render_call(call: Call, parent: str) -> Sql:
    """`f(…)`, with a row of `parent` as its first argument where the field is a computed one."""
    row: list[Sql] = []
    if call.row_of is not None:
        columns = [name(parent, column.name) for column in call.row_of.table.columns]
        table = call.row_of.table.name
        # Not the alias itself: behind a page it stands for the columns alone that are needed.
        row.append(sql("row({columns})::{type}", columns=join(", ", columns), type=name(table.schema, table.name)))
    return _call(call, [*row, *_arguments(call.arguments)])


def render_call_mutation(rendering: Rendering, node: CallMutation) -> tuple[Step, ...]:
    """The call, and what reads what it gave as things then stand."""
    result = node.result
    call = result.call
    assert isinstance(call, Call)
    routine = call.routine
    if routine.function.is_procedure:
        return _procedure(rendering, call, result)
    if isinstance(result, CallValue):
        return (Step(to_statement(sql("select {json}", json=render_call_value(result, ""))), "answer"),)
    if routine.rows_of is None:
        return (Step(to_statement(sql("select {json}", json=render_rows(rendering, result, ""))), "answer"),)
    # What is selected around the rows is read by a statement of its own, which sees what the call has done.
    kept = sql("select array_agg(x.v)::text from (select {call} as v offset 0) as x", call=render_call(call, ""))
    rows = replace(result, call=KeptRows(result.entity))
    return (
        Step(to_statement(kept), "call"),
        Step(to_statement(sql("select {json}", json=render_rows(rendering, rows, ""))), "answer"),
    )


def _procedure(rendering: Rendering, call: Call, result: Read | CallValue) -> tuple[Step, ...]:
    function = call.routine.function
    inputs = {parameter.name for parameter in function.parameters}
    places = [sql("{name} => null", name=name(output.name)) for output in function.outputs if output.name not in inputs]
    statement = to_statement(sql("call {call}", call=_call(call, [*_arguments(call.arguments), *places])))
    if isinstance(result, CallValue):
        return Step(statement, "call"), Step(to_statement(sql("select 'true'::text")), "answer")
    values = [
        sql("{value} as {name}", value=render_argument(RowKeyValue(index, column.type)), name=name(column.name))
        for index, column in enumerate(result.entity.table.columns)
    ]
    source = sql("(select {values})", values=join(", ", values))
    json = reads.render_one(rendering, result, source=source)
    return Step(statement, "call"), Step(to_statement(sql("select {json}", json=json)), "answer")


def _call(call: Call, arguments: Sequence[Sql]) -> Sql:
    function = call.routine.function.name
    return sql("{name}({arguments})", name=name(function.schema, function.name), arguments=join(", ", arguments))


def _arguments(arguments: Sequence[tuple[Parameter, Argument]]) -> list[Sql]:
    """By name, and by place as far as there are parameters without one (PostgreSQL: Calling Functions)."""
    nameless = [index for index, (parameter, _) in enumerate(arguments) if not parameter.name]
    first_by_name = nameless[-1] + 1 if nameless else 0
    return [
        sql(
            "{variadic}{name}{value}",
            variadic=sql("variadic ") if parameter.is_variadic else sql(""),
            name=sql("{name} => ", name=name(parameter.name)) if index >= first_by_name else sql(""),
            value=render_argument(value),
        )
        for index, (parameter, value) in enumerate(arguments)
    ]
