"""The targets of a rule: tables of the tenant's database and of the control schema, and a filter that fits them all."""

from collections.abc import Iterable

from schema.expression.check import check_expression
from schema.expression.parse import parse_expression
from schema.expression.predicate import Constant
from schema.model import Entity, Model
from schema.roles_pbac.control_model import CONTROL_MODEL, CONTROL_TARGETS
from schema.roles_pbac.errors import BadInput

Target = tuple[Entity, Model]


def find_targets(targets: Iterable[str], model: Model) -> tuple[Target, ...]:
    """What each target names, with the model that it belongs to. Raises BadInput for a name that nothing has."""
    return tuple(_find_target(target, model) for target in sorted(targets))


def _find_target(target: str, model: Model) -> Target:
    for table in CONTROL_TARGETS:
        if target == f"{table.schema}.{table.name}":
            return CONTROL_MODEL.by_table[table], CONTROL_MODEL
    for table, entity in model.by_table.items():
        if target in (entity.name, table.name, f"{table.schema}.{table.name}"):
            return entity, model
    raise BadInput(f"There is no target {target!r}.")


def check_filter(text: str, targets: Iterable[Target]) -> None:
    """Raises what parsing and checking raise, where the filter does not fit one of the targets."""
    if not text.strip():
        return
    expression = parse_expression(text)
    for entity, model in targets:
        check_expression(
            expression,
            entity,
            model,
            lambda _, value, type_, coerce: Constant(coerce(value), type_),
            under_grant=False,
        )
