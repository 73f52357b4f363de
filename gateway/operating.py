"""What the commands of an operator share: the control database, the tenant that one names, and where they print."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Annotated, TypeVar

import typer
from rich.console import Console

from db.records import Tenant
from db.tenants import find_tenant
from gateway.serve import Control, open_control
from gateway.settings import Settings, load_settings
from gateway.tenancy import NoSuchTenant

Result = TypeVar("Result")
TenantId = Annotated[int, typer.Argument(help="The tenant's id, as `ostiary tenant list` shows it.")]

out = Console(highlight=False)


def with_control(work: Callable[[Control], Awaitable[Result]]) -> Result:
    """What the work gives that is done with the control database."""
    settings = load_settings()

    async def inside(settings: Settings) -> Result:
        # Operators add roles and tenants while the gateway serves.
        async with open_control(settings, may_join=True) as control:
            return await work(control)

    return asyncio.run(inside(settings))


async def get_tenant(control: Control, tenant_id: int) -> Tenant:
    """The tenant. Raises NoSuchTenant."""
    async with control.engine.connect() as connection:
        tenant = await find_tenant(connection, tenant_id, control.master_key)
    if tenant is None:
        raise NoSuchTenant(tenant_id)
    return tenant
