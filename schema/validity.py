"""TimedPolicy: the policy of the rules that are in force now, made anew when one begins or ends."""

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Generic, TypeVar

from db.records import Rule

Compiled = TypeVar("Compiled")


def is_in_force(rule: Rule, now: datetime) -> bool:
    """Whether the rule counts at this moment: from its `valid_from` on, and before its `valid_until`."""
    begins, ends = rule.options.valid_from, rule.options.valid_until
    return (begins is None or begins <= now) and (ends is None or now < ends)


class TimedPolicy(Generic[Compiled]):
    """What `compile_rules` makes of the rules in force."""

    def __init__(self, rules: Iterable[Rule], compile_rules: Callable[[Sequence[Rule]], Compiled]) -> None:
        #: All of them, in force or not.
        self.rules = tuple(rules)
        self._compile = compile_rules
        moments = {
            moment for rule in self.rules for moment in (rule.options.valid_from, rule.options.valid_until) if moment
        }
        self._moments = sorted(moment.timestamp() for moment in moments)
        # Between two moments at which a rule begins or ends nothing changes by itself.
        self._interval: int | None = None
        self._compiled: Compiled | None = None

    def at(self, now: float) -> Compiled:
        """The policy at a moment in seconds since 1970."""
        interval = sum(moment <= now for moment in self._moments) if self._moments else 0
        if self._compiled is None or interval != self._interval:
            moment = datetime.fromtimestamp(now, UTC)
            self._compiled = self._compile(tuple(rule for rule in self.rules if is_in_force(rule, moment)))
            self._interval = interval
        return self._compiled
