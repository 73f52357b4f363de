"""What root can read of the guests of its tenant: how many there are, and what was chosen for them."""

from typing import Final

import strawberry

from db.guests import count_live_guests
from schema.roles_pbac.fields import ControlInfo

_SECONDS: Final = "In seconds; null where it is not bounded."


@strawberry.type(description="The guests of the tenant, and what was chosen for them.")
class Guests:
    @strawberry.field(description="How many guests there are.")
    async def live(self, info: ControlInfo) -> int | None:
        async with info.context.transaction.use() as connection:
            return await count_live_guests(connection, info.context.tenant.tenant_id)

    @strawberry.field(description="Whether visitors of /anonauth share one role, or are guests of their own.")
    def mode(self, info: ControlInfo) -> str:
        return info.context.tenant.guests.mode

    @strawberry.field(description="Whether visitors may make themselves an account.")
    def registration(self, info: ControlInfo) -> bool:
        return info.context.tenant.guests.registration

    @strawberry.field(description=_SECONDS)
    def session_seconds(self, info: ControlInfo) -> int | None:
        return info.context.tenant.guests.session_seconds

    @strawberry.field(description=_SECONDS)
    def idle_seconds(self, info: ControlInfo) -> int | None:
        return info.context.tenant.guests.idle_seconds

    @strawberry.field(description="How long a guest is kept, in seconds.")
    def retention_seconds(self, info: ControlInfo) -> int:
        return info.context.tenant.guests.retention_seconds

    @strawberry.field(description="From when on: last_use, creation or session_end.")
    def retention_from(self, info: ControlInfo) -> str:
        return info.context.tenant.guests.retention_from

    @strawberry.field(description="How many guests there may be; null for any number.")
    def max_guests(self, info: ControlInfo) -> int | None:
        return info.context.tenant.guests.max_guests

    @strawberry.field(description="What becomes of the rows of guests who go: keep, disown or delete.")
    def rows(self, info: ControlInfo) -> str:
        return info.context.tenant.guests.rows
