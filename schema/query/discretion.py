"""discreet: what the database refused, told without the names of what the caller may not see."""

from db.errors import ConstraintViolated, PublicError
from schema.model import Entity
from schema.principal import Principal


def discreet(error: PublicError, entity: Entity | None, principal: Principal) -> PublicError:
    """The error itself where it names nothing hidden: for whoever no rule binds, and where the constraint is one of a
    table whose columns the caller may all see. A constraint is often named after its columns, or is another table's."""
    if not isinstance(error, ConstraintViolated) or entity is None or principal.bypasses_policy:
        return error
    is_own = error.table in (None, entity.table.name.name)
    if is_own and not entity.hidden_columns:
        return error
    bare = type(error)("The row does not satisfy a constraint of the database.")
    bare.field = error.field
    return bare
