"""Subject: a role that is asked about, as far as whoever asks may know it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from schema.expression.coerce import claim_argument
from schema.expression.parts import parts_of
from schema.expression.predicate import Predicate, PrincipalValue
from schema.principal import Principal


@dataclass(frozen=True, slots=True)
class Subject:
    """`own_class_ids` are the classes that the role is in by itself, `kind_class_id` is the one that it is in by what
    it is, `lent_class_ids` are those of the Nobody role, for a guest; into the others of its principal it has come from
    above. `class_names` are those of the tenant's classes that may be told. Where `claims_are_told` is false, they are
    not known here."""

    principal: Principal
    is_deleted: bool = False
    is_shut_out: bool = False
    own_class_ids: frozenset[int] = frozenset()
    kind_class_id: int | None = None
    lent_class_ids: frozenset[int] = frozenset()
    class_names: Mapping[int, str] = field(default_factory=dict[int, str])
    claims_are_told: bool = True

    @property
    def lender_name(self) -> str:
        """Whose capabilities it has, as a sentence names it."""
        return "the role" if self.principal.lender_id is None else "the Nobody role"

    def class_text(self, class_id: int) -> str:
        """A class as a sentence names it."""
        name = self.class_names.get(class_id)
        return f"class {class_id}" if name is None else f"class {class_id} ({name})"

    def membership_text(self, class_id: int) -> str:
        """How the role has come to be in a class."""
        if class_id in self.own_class_ids:
            return "which the role is in by itself"
        if class_id == self.kind_class_id:
            return f"which every {self.principal.kind} is in"
        if class_id in self.lent_class_ids:
            return "which the Nobody role is in, of which a guest borrows"
        return "which has been handed on to the role from above"

    def missing_claims(self, predicate: Predicate) -> tuple[str, ...]:
        """The claims that a condition looks at and the role has not, or not as values that fit: with them nothing
        holds. None where its claims are not to be told."""
        if not self.claims_are_told:
            return ()
        asked = (each for each in parts_of(predicate) if isinstance(each, PrincipalValue) and each.claim)
        claims = self.principal.claims
        return tuple(
            dict.fromkeys(value.claim for value in asked if claim_argument(claims.get(value.claim), value.type) is None)
        )
