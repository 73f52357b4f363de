"""Subject: a role that is asked about, as far as whoever asks may know it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from schema.principal import Principal


@dataclass(frozen=True, slots=True)
class Subject:
    """`own_class_ids` are the classes that the role is in by itself; into the others of its principal it has come from
    above. `class_names` are those of the tenant's classes that may be told."""

    principal: Principal
    is_deleted: bool = False
    own_class_ids: frozenset[int] = frozenset()
    class_names: Mapping[int, str] = field(default_factory=dict[int, str])

    def class_text(self, class_id: int) -> str:
        """A class as a sentence names it."""
        name = self.class_names.get(class_id)
        return f"class {class_id}" if name is None else f"class {class_id} ({name})"
