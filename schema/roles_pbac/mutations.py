"""The mutations of the control schema. Each does its work and then reads what is selected of the row, as it now is;
a deletion of a row reads it before."""

from typing import Annotated, TypeVar

import strawberry

from schema.roles_pbac import classes, contactinfo, roles, rules
from schema.roles_pbac.documents import TrustedDocumentInput, add_documents, remove_documents
from schema.roles_pbac.errors import BadInput
from schema.roles_pbac.fields import ControlInfo
from schema.roles_pbac.inputs import OnConflict, PolicyRuleInput, RoleClassInput, RoleContactinfoInput, RoleInput
from schema.roles_pbac.keys import parse_key
from schema.roles_pbac.rows import read_row
from schema.roles_pbac.types import PolicyRule, Role, RoleClass, RoleContactinfo

Given = TypeVar("Given")
Named = TypeVar("Named")

RoleArgument = Annotated[RoleInput | None, strawberry.argument(name="input")]
RoleClassArgument = Annotated[RoleClassInput | None, strawberry.argument(name="input")]
PolicyRuleArgument = Annotated[PolicyRuleInput | None, strawberry.argument(name="input")]
ContactinfoArgument = Annotated[RoleContactinfoInput | None, strawberry.argument(name="input")]


def get_input(given: Given | None) -> Given:
    """The input. The wire declares it nullable, for clients that do so in their variables; but it has to be there."""
    if given is None or given is strawberry.UNSET:
        raise BadInput("The argument 'input' is missing.")
    return given


@strawberry.type
class Mutation:
    @strawberry.mutation
    async def create_role(
        self,
        info: ControlInfo,
        given: RoleArgument = strawberry.UNSET,
        onconflict: OnConflict | None = strawberry.UNSET,
    ) -> Role | None:
        role_id = await roles.create_role(info.context, get_input(given))
        return await read_row(info, "role", role_id, is_new=True)

    @strawberry.mutation
    async def update_role(
        self, info: ControlInfo, roleid: strawberry.ID, given: RoleArgument = strawberry.UNSET
    ) -> Role | None:
        role_id = parse_key("role", roleid)
        await roles.change_role(info.context, role_id, get_input(given))
        return await read_row(info, "role", role_id)

    @strawberry.mutation
    async def delete_role(self, info: ControlInfo, roleid: strawberry.ID) -> Role | None:
        role_id = parse_key("role", roleid)
        await roles.delete_role(info.context, role_id)
        return await read_row(info, "role", role_id)

    @strawberry.mutation
    async def create_role_class(
        self,
        info: ControlInfo,
        given: RoleClassArgument = strawberry.UNSET,
        onconflict: OnConflict | None = strawberry.UNSET,
    ) -> RoleClass | None:
        class_id = await classes.create_class(info.context, get_input(given))
        return await read_row(info, "role_class", class_id, is_new=True)

    @strawberry.mutation
    async def update_role_class(
        self, info: ControlInfo, classid: strawberry.ID, given: RoleClassArgument = strawberry.UNSET
    ) -> RoleClass | None:
        class_id = parse_key("class", classid)
        await classes.change_class(info.context, class_id, get_input(given))
        return await read_row(info, "role_class", class_id)

    @strawberry.mutation
    async def delete_role_class(self, info: ControlInfo, classid: strawberry.ID) -> RoleClass | None:
        class_id = parse_key("class", classid)
        row = await read_row(info, "role_class", class_id)
        await classes.remove_class(info.context, class_id)
        return row

    @strawberry.mutation
    async def create_policy_rule(
        self,
        info: ControlInfo,
        given: PolicyRuleArgument = strawberry.UNSET,
        onconflict: OnConflict | None = strawberry.UNSET,
    ) -> PolicyRule | None:
        rule_id = await rules.create_rule(info.context, get_input(given))
        return await read_row(info, "policy_rule", rule_id, is_new=True)

    @strawberry.mutation
    async def update_policy_rule(
        self, info: ControlInfo, ruleid: strawberry.ID, given: PolicyRuleArgument = strawberry.UNSET
    ) -> PolicyRule | None:
        rule_id = parse_key("rule", ruleid)
        await rules.change_rule(info.context, rule_id, get_input(given))
        return await read_row(info, "policy_rule", rule_id)

    @strawberry.mutation
    async def delete_policy_rule(self, info: ControlInfo, ruleid: strawberry.ID) -> PolicyRule | None:
        rule_id = parse_key("rule", ruleid)
        row = await read_row(info, "policy_rule", rule_id)
        await rules.remove_rule(info.context, rule_id)
        return row

    @strawberry.mutation
    async def create_role_contactinfo(
        self,
        info: ControlInfo,
        given: ContactinfoArgument = strawberry.UNSET,
        onconflict: OnConflict | None = strawberry.UNSET,
    ) -> RoleContactinfo | None:
        role_id = await contactinfo.create_contactinfo(info.context, get_input(given))
        return await read_row(info, "role_contactinfo", role_id, is_new=True)

    @strawberry.mutation
    async def update_role_contactinfo(
        self, info: ControlInfo, roleid: strawberry.ID, given: ContactinfoArgument = strawberry.UNSET
    ) -> RoleContactinfo | None:
        role_id = parse_key("role", roleid)
        await contactinfo.change_contactinfo(info.context, role_id, get_input(given))
        return await read_row(info, "role_contactinfo", role_id)

    @strawberry.mutation
    async def delete_role_contactinfo(self, info: ControlInfo, roleid: strawberry.ID) -> RoleContactinfo | None:
        role_id = parse_key("role", roleid)
        row = await read_row(info, "role_contactinfo", role_id)
        await contactinfo.remove_contactinfo(info.context, role_id)
        return row

    @strawberry.mutation(description="Registers documents, and gives the ids of those that are new; for root.")
    async def add_trusted_documents(
        self, info: ControlInfo, given: Annotated[list[TrustedDocumentInput], strawberry.argument(name="input")]
    ) -> list[str | None] | None:
        return [*await add_documents(info, given)]

    @strawberry.mutation(description="Lets go of documents, and gives the ids of those that were there; for root.")
    async def remove_trusted_documents(self, info: ControlInfo, ids: list[str]) -> list[str | None] | None:
        return [*await remove_documents(info, ids)]
