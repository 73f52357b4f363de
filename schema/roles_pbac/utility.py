"""What stands under `Utility`: functions that are fields of Query, also where they change something."""

import strawberry

from schema.roles_pbac.anonymous import disable_anonymous_logins, enable_anonymous_logins, find_nobody
from schema.roles_pbac.documents import TrustedDocument, only_trusted_documents, read_documents
from schema.roles_pbac.errors import AdministratorsOnly, RootOnly
from schema.roles_pbac.fields import ControlInfo, GenericScalar


@strawberry.type
class Utility:
    @strawberry.field(description="Reads the tenant's database again and gives its query schema.")
    async def introspect(self, info: ControlInfo) -> GenericScalar | None:
        """For whoever is not an administrator the database is not read again: that is work for the gateway."""
        return GenericScalar(await info.context.lent.introspect(info.context.principal.bypasses_policy))

    @strawberry.field(description="An access token for another role of the tenant; for administrators.")
    async def role_token(self, info: ControlInfo, roleid: int) -> str | None:
        context = info.context
        if not context.principal.bypasses_policy:
            raise AdministratorsOnly
        return await context.lent.issue_token(roleid)

    @strawberry.field(description="Whether anonymous logins are on: the Nobody role's id, or false; for root.")
    async def anonymous_logins(self, info: ControlInfo, enable: bool | None = strawberry.UNSET) -> GenericScalar | None:  # noqa: FBT001
        context = info.context
        if not context.principal.is_root:
            raise RootOnly("anonymous_logins")
        if enable is True:
            return GenericScalar(await enable_anonymous_logins(context))
        if enable is False:
            await disable_anonymous_logins(context)
            return GenericScalar(False)  # noqa: FBT003 - the wire answers false
        async with context.transaction.use() as connection:
            nobody = await find_nobody(connection, context.tenant.tenant_id)
        return GenericScalar(nobody.role_id if nobody and not nobody.deleted else False)

    @strawberry.field(description="The documents that requests may name by their ids; for root.")
    async def trusted_documents(self, info: ControlInfo) -> list[TrustedDocument | None] | None:
        return [*await read_documents(info)]

    @strawberry.field(description="Whether /query answers trusted documents and no others; for root.")
    async def only_trusted_documents(self, info: ControlInfo, enable: bool | None = strawberry.UNSET) -> bool | None:  # noqa: FBT001
        return await only_trusted_documents(info, enable)
