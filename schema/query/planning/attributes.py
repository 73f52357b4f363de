"""plan_attributes: what is selected of composite values."""

from collections.abc import Sequence

from graphql import FieldNode

from db.catalog import PgType
from schema.model import attribute_names
from schema.query.plan import AttributeOutput, TypenameOutput
from schema.query.planning.context import Planning


def composite_of(kind: PgType) -> PgType | None:
    """The composite type that values of the type, or of its elements, have."""
    while kind.kind == "array" and kind.element is not None:
        kind = kind.element
    return kind if kind.kind == "composite" and kind.attributes else None


def is_composite(kind: PgType) -> bool:
    return composite_of(kind) is not None


def plan_attributes(
    planning: Planning, kind: PgType, nodes: Sequence[FieldNode]
) -> tuple[AttributeOutput | TypenameOutput, ...]:
    """The attributes in the order of the selection."""
    composite = composite_of(kind)
    assert composite is not None
    names = attribute_names(composite)
    outputs: list[AttributeOutput | TypenameOutput] = []
    for key, each in planning.fields(nodes).items():
        name = each[0].name.value
        if name == "__typename":
            outputs.append(TypenameOutput(key, planning.model.type_name(composite)))
            continue
        attribute = names[name]
        within = plan_attributes(planning, attribute.type, each) if is_composite(attribute.type) else ()
        outputs.append(AttributeOutput(key, attribute.name, attribute.type, within))
    return tuple(outputs)
