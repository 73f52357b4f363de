"""The input types of the control schema. A field that may be left out is then UNSET and stays as it is."""

import enum

import strawberry

from schema.roles_pbac.fields import DateTime, GenericScalar


@strawberry.input(name="roleInput")
class RoleInput:
    tenantid: int
    login: str
    name: str
    parentid: int | None = strawberry.UNSET
    classes: list[int | None] | None = strawberry.UNSET
    capabilities: list[str | None] | None = strawberry.UNSET
    deleted: bool | None = strawberry.UNSET
    password: str | None = strawberry.UNSET
    claims: GenericScalar | None = strawberry.field(
        default=strawberry.UNSET, description="What rules know of the role by `$_PRINCIPAL.claims`. Root alone sets it."
    )


@strawberry.input(name="role_classInput")
class RoleClassInput:
    name: str
    tenantid: int
    inherit: str
    members: list[strawberry.ID | None] | None = strawberry.UNSET


@strawberry.input(name="policy_ruleInput")
class PolicyRuleInput:
    name: str
    filter: str | None = strawberry.UNSET
    capabilities: list[str | None] | None = strawberry.UNSET
    roles: list[strawberry.ID | None] | None = strawberry.UNSET
    classes: list[strawberry.ID | None] | None = strawberry.UNSET
    targets: list[str | None] | None = strawberry.UNSET
    read_columns: list[str | None] | None = strawberry.field(
        default=strawberry.UNSET, description="The columns that can be read; all where this is null."
    )
    write_columns: list[str | None] | None = strawberry.field(
        default=strawberry.UNSET, description="The columns that can be given values; all where this is null."
    )
    forced: GenericScalar | None = strawberry.field(
        default=strawberry.UNSET, description="Values by column that are stored whatever is given."
    )
    defaults: GenericScalar | None = strawberry.field(
        default=strawberry.UNSET, description="Values by column that are stored where none is given."
    )
    masks: GenericScalar | None = strawberry.field(
        default=strawberry.UNSET,
        description="By column how it is masked: `mask`, `unless` or `when`, `text` or `value`.",
    )
    valid_from: DateTime | None = strawberry.field(
        default=strawberry.UNSET, description="The moment from which on the rule counts."
    )
    valid_until: DateTime | None = strawberry.field(
        default=strawberry.UNSET, description="The moment from which on it counts no more."
    )
    aggregates: str | None = strawberry.field(
        default=strawberry.UNSET,
        description="`none`: its rows are in no aggregate; `only`: they are in nothing else; `also`, or null: in both.",
    )
    min_group_size: int | None = strawberry.field(
        default=strawberry.UNSET, description="How many rows are alike where rows are in aggregates `only`."
    )
    group_columns: list[str | None] | None = strawberry.field(
        default=strawberry.UNSET, description="The columns in which they are alike, and by which they can be picked."
    )
    max_rows: int | None = strawberry.field(
        default=strawberry.UNSET, description="How many rows a list can have at most."
    )
    max_seconds: float | None = strawberry.field(
        default=strawberry.UNSET, description="How long an operation can take at most."
    )


@strawberry.input(name="policy_ruleChange", description="A rule to be made, changed (with `ruleid`) or removed.")
class PolicyRuleChange:
    ruleid: strawberry.ID | None = strawberry.UNSET
    input: PolicyRuleInput | None = strawberry.UNSET
    remove: bool | None = strawberry.UNSET


@strawberry.input(name="role_contactinfoInput")
class RoleContactinfoInput:
    roleid: strawberry.ID
    address: str
    city: str
    stateprov: str
    mailcd: str
    phone: str
    email: str


@strawberry.enum(name="OnConflict", description="What a create does about a row that is already there.")
class OnConflict(enum.Enum):
    fail = "fail"
    update = "update"
    ignore = "ignore"
