"""Rulebook: the rules that whoever asks may see, as they are at a moment, and the policies that they make."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property

from db.catalog import TableName
from db.records import Rule, RuleChoice
from schema.errors import OperationError
from schema.model import Entity, Model
from schema.policy import CONTROL_TARGETS, Decision, Policy, compile_control_policy, compile_policy, targets_of
from schema.principal import Principal
from schema.roles_pbac.control_model import CONTROL_MODEL
from schema.validity import is_in_force


class NoSuchTarget(OperationError):
    """The policy is asked about a target that is not there, or not for the caller."""

    code = "NO_SUCH_TARGET"

    def __init__(self, target: str) -> None:
        super().__init__(f"There is no target {target!r}.")


@dataclass(frozen=True, slots=True)
class Target:
    """What a rule can be about, by the name that it was asked for; `entity` has its columns, where it has rows."""

    written: str
    name: TableName
    entity: Entity | None
    is_control: bool = False


@dataclass(frozen=True)
class Rulebook:
    tenant_id: int
    rules: tuple[Rule, ...]
    model: Model = field(repr=False)
    choice: RuleChoice
    now: datetime

    def with_rules(self, rules: tuple[Rule, ...]) -> "Rulebook":
        """The same, if these were the rules."""
        return replace(self, rules=rules)

    @cached_property
    def in_force(self) -> tuple[Rule, ...]:
        return tuple(rule for rule in self.rules if is_in_force(rule, self.now))

    @cached_property
    def spellings(self) -> Mapping[str, TableName]:
        """Every name of a target of the tenant's own."""
        return targets_of(self.model)

    def get_target(self, written: str) -> Target:
        """Raises NoSuchTarget."""
        if written in CONTROL_TARGETS:
            name = CONTROL_TARGETS[written]
            return Target(written, name, CONTROL_MODEL.by_table[name], is_control=True)
        name = self.spellings.get(written)
        if name is None:
            raise NoSuchTarget(written)
        return self.target_of(name, written)

    def target_of(self, name: TableName, written: str = "") -> Target:
        return Target(written or str(name), name, self.model.by_table.get(name))

    def model_of(self, target: Target) -> Model:
        return CONTROL_MODEL if target.is_control else self.model

    def decide(self, principal: Principal, target: Target, operation: str) -> Decision:
        """What the gateway decides by these rules."""
        return self.policy_of(target).decide(principal, target.name, operation)

    def policy_of(self, target: Target) -> Policy:
        """The policy that decides about the target."""
        return self._control_policy if target.is_control else self._policy

    def whole_policy_of(self, target: Target) -> Policy:
        """The same, of the rules that are not in force as well."""
        if len(self.in_force) == len(self.rules):
            return self.policy_of(target)
        return self._whole_control_policy if target.is_control else self._whole_policy

    @cached_property
    def _policy(self) -> Policy:
        return compile_policy(self.in_force, self.model, tenant_id=self.tenant_id, choice=self.choice)

    @cached_property
    def _control_policy(self) -> Policy:
        return compile_control_policy(self.in_force, CONTROL_MODEL, tenant_id=self.tenant_id, choice=self.choice)

    @cached_property
    def _whole_policy(self) -> Policy:
        return compile_policy(self.rules, self.model, tenant_id=self.tenant_id, choice=self.choice)

    @cached_property
    def _whole_control_policy(self) -> Policy:
        return compile_control_policy(self.rules, CONTROL_MODEL, tenant_id=self.tenant_id, choice=self.choice)
