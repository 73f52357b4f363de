"""The object types of the control schema. Their values are rows of the views in `roles_pbac`, read whole."""

import strawberry

from schema.roles_pbac.fields import (
    ControlInfo,
    DateTime,
    Filter,
    GenericScalar,
    Limit,
    Offset,
    Ordering,
    column,
    looked_up,
)


@strawberry.type(name="role", description="Who can sign in, and groups of them.")
class Role:
    roleid: strawberry.ID = column()
    login: str = column()
    name: str = column()
    tenantid: int | None = column()
    parentid: int | None = column()
    creatorid: int = column()
    createtime: DateTime | None = column()
    deleted: bool | None = column()

    @strawberry.field
    def classes(
        self,
        info: ControlInfo,
        where: Filter = strawberry.UNSET,
        ordering: Ordering = strawberry.UNSET,
        limit: Limit = strawberry.UNSET,
        offset: Offset = strawberry.UNSET,
    ) -> "list[RoleClass | None] | None":
        return looked_up(self, info)

    capabilities: list[str | None] | None = column()

    @strawberry.field
    def children(
        self,
        info: ControlInfo,
        where: Filter = strawberry.UNSET,
        ordering: Ordering = strawberry.UNSET,
        limit: Limit = strawberry.UNSET,
        offset: Offset = strawberry.UNSET,
    ) -> "list[Role | None] | None":
        return looked_up(self, info)

    tenant: "Tenant | None" = column()
    contactinfo: "RoleContactinfo | None" = column()
    parent: "Role | None" = column()
    password_createtime: DateTime = column()
    password_setby: int = column()
    claims: GenericScalar | None = column()


@strawberry.type(name="role_class", description="A mix-in that rules can be scoped to.")
class RoleClass:
    classid: strawberry.ID = column()
    name: str = column()
    tenantid: int = column()
    creatorid: int = column()
    createtime: DateTime | None = column()
    inherit: str = column()

    @strawberry.field
    def members(
        self,
        info: ControlInfo,
        where: Filter = strawberry.UNSET,
        ordering: Ordering = strawberry.UNSET,
        limit: Limit = strawberry.UNSET,
        offset: Offset = strawberry.UNSET,
    ) -> "list[Role | None] | None":
        return looked_up(self, info)


@strawberry.type(name="policy_rule", description="A grant of capabilities on targets.")
class PolicyRule:
    ruleid: strawberry.ID = column()
    tenantid: int = column()
    name: str = column()
    filter: str | None = column()
    creatorid: int = column()
    createtime: DateTime | None = column()
    capabilities: list[str | None] | None = column()
    roles: list[int | None] | None = column()
    classes: list[int | None] | None = column()
    targets: list[str | None] | None = column()
    read_columns: list[str | None] | None = column()
    write_columns: list[str | None] | None = column()
    forced: GenericScalar | None = column()
    defaults: GenericScalar | None = column()
    masks: GenericScalar | None = column()
    valid_from: DateTime | None = column()
    valid_until: DateTime | None = column()
    aggregates: str | None = column()
    min_group_size: int | None = column()
    group_columns: list[str | None] | None = column()
    max_rows: int | None = column()
    max_seconds: float | None = column()


@strawberry.type(name="tenant", description="Roles, classes, rules, and the one database that they guard.")
class Tenant:
    tenantid: strawberry.ID = column()
    name: str = column()
    platform: str = column()
    host: str = column()
    database: str = column()
    credential: str = column()
    createtime: DateTime | None = column()
    contactinfo: "TenantContactinfo | None" = column()
    packagelist: list[str | None] | None = column()


@strawberry.type(name="capability", description="What a role can be able to do and a rule can grant.")
class Capability:
    capability: strawberry.ID = column()
    package: str = column()
    description: str = column()
    subset: str | None = column()


@strawberry.type(name="package", description="A set of capabilities and functions.")
class Package:
    package: strawberry.ID = column()
    description: str = column()
    licensecost: float = column()


@strawberry.type(name="package_function", description="A function that expressions may call.")
class PackageFunction:
    name: strawberry.ID = column()
    package: strawberry.ID = column()


@strawberry.type(name="role_contactinfo", description="Where a role can be reached.")
class RoleContactinfo:
    roleid: strawberry.ID = column()
    role: Role | None = column()
    address: str = column()
    city: str = column()
    stateprov: str = column()
    mailcd: str = column()
    phone: str = column()
    email: str = column()


@strawberry.type(name="tenant_contactinfo", description="Where the owner of a tenant can be reached.")
class TenantContactinfo:
    tenantid: strawberry.ID = column()
    tenant: Tenant | None = column()
    address: str = column()
    city: str = column()
    stateprov: str = column()
    mailcd: str = column()
    phone: str = column()
    email: str = column()


@strawberry.type(name="audit_entry", description="One thing that happened: by whom, to what, and what it changed.")
class AuditEntry:
    entryid: strawberry.ID = column()
    happened: DateTime = column()
    roleid: int | None = column()
    action: str = column()
    kind: str = column()
    subjectid: int | None = column()
    before: GenericScalar | None = column()
    after: GenericScalar | None = column()
