"""Who asks, and which rules there are: as the judges know them, and as Ostiary stores them."""

from dataclasses import dataclass
from typing import Literal

from db.records import ColumnMask, RuleOptions
from db.records import Rule as StoredRule
from schema.principal import Principal
from tests.oracle.shape import Value
from tests.oracle.tree import Test, Who, text_of

TENANT = 1
Capability = Literal["select", "insert", "update", "delete"]
CAPABILITIES: tuple[Capability, ...] = ("select", "insert", "update", "delete")


@dataclass(frozen=True)
class Person:
    """A role with what follows from where it stands in the tree of roles, and from the classes there are."""

    role: int
    parent: int | None
    children: frozenset[int]
    classes: frozenset[int]
    capabilities: frozenset[str]
    is_root: bool = False

    @property
    def bypasses(self) -> bool:
        return self.is_root or "admin" in self.capabilities

    def may(self, capability: str) -> bool:
        implied = capability == "select" and not self.capabilities
        return self.bypasses or implied or capability in self.capabilities

    def stored(self) -> Principal:
        return Principal(
            TENANT,
            self.role,
            f"role{self.role}",
            parent_id=self.parent,
            capabilities=self.capabilities,
            class_ids=self.classes,
            child_ids=self.children,
            is_root=self.is_root,
        )


@dataclass(frozen=True)
class MaskOf:
    column: str
    kind: Literal["null", "hash", "last_four", "text"]
    unless: Test | None = None
    text: str = ""


@dataclass(frozen=True)
class Grants:
    """A rule. Where it lists neither roles nor classes it is for everybody."""

    number: int
    capabilities: tuple[Capability, ...]
    targets: tuple[str, ...]
    filter: Test | None = None
    roles: tuple[int, ...] = ()
    classes: tuple[int, ...] = ()
    read_columns: tuple[str, ...] | None = None
    write_columns: tuple[str, ...] | None = None
    forced: tuple[tuple[str, Value | Who], ...] = ()
    defaults: tuple[tuple[str, Value | Who], ...] = ()
    masks: tuple[MaskOf, ...] = ()

    def is_for(self, person: Person) -> bool:
        if not self.roles and not self.classes:
            return True
        return person.role in self.roles or bool(person.classes & set(self.classes))

    @property
    def is_plain(self) -> bool:
        """Whether it is about rows alone."""
        lists = self.read_columns is None and self.write_columns is None
        return lists and not (self.forced or self.defaults or self.masks)

    def stored(self) -> StoredRule:
        return StoredRule(
            self.number,
            TENANT,
            f"rule {self.number}",
            frozenset(self.capabilities),
            frozenset(self.targets),
            "" if self.filter is None else text_of(self.filter),
            frozenset(self.roles),
            frozenset(self.classes),
            RuleOptions(
                read_columns=None if self.read_columns is None else frozenset(self.read_columns),
                write_columns=None if self.write_columns is None else frozenset(self.write_columns),
                forced=tuple((name, _stored(value)) for name, value in self.forced),
                defaults=tuple((name, _stored(value)) for name, value in self.defaults),
                masks=tuple(
                    ColumnMask(mask.column, mask.kind, "" if mask.unless is None else text_of(mask.unless), mask.text)
                    for mask in self.masks
                ),
            ),
        )


def _stored(value: Value | Who) -> str | int | float | bool | None:
    if isinstance(value, Who):
        return text_of(value)
    return value if isinstance(value, str | int | float | bool | None) else str(value)
