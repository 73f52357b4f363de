"""TimingGrants: what the policy gives one principal, and how long an operation may take for that."""

from dataclasses import dataclass

from db.catalog import TableName
from schema.expression.predicate import Predicate
from schema.grants import Grant
from schema.query.planning.context import Grants


@dataclass
class TimingGrants:
    """Grants that note which of them are asked for: `max_seconds` is the least that one of these allows, None where
    none has a limit."""

    grants: Grants
    max_seconds: float | None = None

    def grant(self, table: TableName, capability: str, /) -> Predicate:
        return self.get_grant(table, capability).rows

    def get_grant(self, table: TableName, capability: str, /) -> Grant:
        found = self.grants.get_grant(table, capability)
        limits = [limit for limit in (self.max_seconds, found.max_seconds) if limit is not None]
        self.max_seconds = min(limits, default=None)
        return found
