"""render_query, render_mutation: a plan → SQL whose one value is the JSON of the response, put together by `||`.

Concatenation costs PostgreSQL least (less than json_agg, far less than jsonb), keeps the order of the selection and
knows no limit on the length of a response key.
"""

from db.catalog import PgType
from db.sql import Sql, Statement, concatenate, json_text, slot, sql, to_statement
from schema.expression.predicate import Constant
from schema.model import Model
from schema.query.plan import Aggregates, CallMutation, Delete, Fixed, Functions, Insert, Plan, Read, Update
from schema.query.rendering.aggregates import render_aggregates
from schema.query.rendering.calls import render_call_mutation, render_functions
from schema.query.rendering.context import Rendering
from schema.query.rendering.reads import render_list
from schema.query.rendering.step import Step
from schema.query.rendering.writes import render_delete, render_insert, render_update


def render_query(plan: Plan, model: Model) -> Statement:
    """One statement for a whole read operation; its value is the bytes of the response."""
    rendering = Rendering(model)
    parts: list[Sql] = [json_text('{"data":{')]
    for index, output in enumerate(plan.outputs):
        parts.append(json_text('"' if index == 0 else ',"', (output.key,), '":'))
        match output.node:
            case Read() as read:
                parts.append(render_list(rendering, read, parent=""))
            case Functions() as functions:
                parts.append(render_functions(rendering, functions))
            case Aggregates() as aggregates:
                parts.append(render_aggregates(rendering, aggregates))
            case Fixed(json):
                parts.append(slot(Constant(json, PgType("text", "text")), "text"))
            case _:
                raise TypeError(output.node)
    parts.append(json_text("}}"))
    return to_statement(sql("select {json}", json=concatenate(parts)))


def render_mutation(node: Insert | Update | Delete | CallMutation, model: Model) -> tuple[Step, ...]:
    """The statements of one root field, in the order in which they run."""
    rendering = Rendering(model)
    match node:
        case Insert():
            return render_insert(rendering, node)
        case Update():
            return render_update(rendering, node)
        case Delete():
            return render_delete(rendering, node)
        case CallMutation():
            return render_call_mutation(rendering, node)
