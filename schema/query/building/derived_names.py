"""Names that the generated schema gives to what stands under `Aggregates`. A table always keeps its own name."""

from itertools import count

from schema.model import Entity, Model
from schema.names import derived_type_name
from schema.query.building.arguments import FUNCTIONS


def type_name(model: Model, entity: Entity, ending: str) -> str:
    """The name of a type that belongs to the table. It depends on the model alone, so it is the same for all roles."""
    return derived_type_name(model, entity, f"_{ending}")


def free_name(model: Model, name: str) -> str:
    """The name, or where a table or its input type has it, the name with the first number that is free."""
    names = (name if number == 1 else f"{name}_{number}" for number in count(1))
    return next(each for each in names if not _is_taken(model, each))


def field_name(model: Model, entity: Entity) -> str:
    """The name of the table's field under `Aggregates`: its own, except where a function is called so."""
    return entity.name if entity.name not in FUNCTIONS else free_name(model, f"{entity.name}_rows")


def _is_taken(model: Model, name: str) -> bool:
    return name in model.entities or name.removesuffix("Input") in model.entities
