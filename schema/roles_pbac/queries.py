"""The root fields for reading: a list of each object type, with the same four arguments everywhere."""

from typing import Any

import strawberry

from schema.roles_pbac.aggregates import Aggregates
from schema.roles_pbac.errors import RootOnly
from schema.roles_pbac.fields import ControlInfo, Filter, Limit, Offset, Ordering
from schema.roles_pbac.guests import Guests
from schema.roles_pbac.policy import Policy
from schema.roles_pbac.rows import read_aggregates, read_rows
from schema.roles_pbac.types import (
    AuditEntry,
    Capability,
    Package,
    PackageFunction,
    PolicyRule,
    Role,
    RoleClass,
    RoleContactinfo,
    Tenant,
    TenantContactinfo,
)
from schema.roles_pbac.utility import Utility


def listing(name: str) -> Any:
    """A field for the rows of one entity that the caller may see."""

    async def rows(
        info: ControlInfo,
        where: Filter = strawberry.UNSET,
        ordering: Ordering = strawberry.UNSET,
        limit: Limit = strawberry.UNSET,
        offset: Offset = strawberry.UNSET,
    ) -> Any:
        return await read_rows(info, name)

    return strawberry.field(resolver=rows)


@strawberry.type(description="What happened in the tenant: it is only ever added to.")
class Audit:
    entries: list[AuditEntry | None] | None = listing("audit_entry")


@strawberry.type
class Query:
    role: list[Role | None] | None = listing("role")
    role_class: list[RoleClass | None] | None = listing("role_class")
    policy_rule: list[PolicyRule | None] | None = listing("policy_rule")
    tenant: list[Tenant | None] | None = listing("tenant")
    capability: list[Capability | None] | None = listing("capability")
    package: list[Package | None] | None = listing("package")
    package_function: list[PackageFunction | None] | None = listing("package_function")
    role_contactinfo: list[RoleContactinfo | None] | None = listing("role_contactinfo")
    tenant_contactinfo: list[TenantContactinfo | None] | None = listing("tenant_contactinfo")

    @strawberry.field(name="Aggregates")
    async def aggregates(self, info: ControlInfo) -> Aggregates | None:
        return await read_aggregates(info)

    @strawberry.field(name="Audit", description="What happened in the tenant, for its root role.")
    def audit(self, info: ControlInfo) -> Audit | None:
        if not info.context.principal.is_root:
            raise RootOnly("Audit")
        return Audit()

    @strawberry.field(name="Guests", description="The guests of the tenant, for its root role.")
    def guests(self, info: ControlInfo) -> Guests | None:
        if not info.context.principal.is_root:
            raise RootOnly("Guests")
        return Guests()

    @strawberry.field(name="Policy", description="What the policy says, and why, for those who may see its rules.")
    def policy(self) -> Policy | None:
        return Policy()

    @strawberry.field(name="Utility")
    def utility(self) -> Utility | None:
        return Utility()
