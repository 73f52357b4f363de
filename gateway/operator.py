"""What the commands share: how they print, and how they reach the control database."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Annotated, TypeVar

import typer
from rich.console import Console
from sqlalchemy.ext.asyncio import AsyncConnection

from db.errors import PublicError
from db.records import Role, Tenant
from db.roles import find_login
from db.tenants import find_tenant
from gateway.serve import Control, open_control
from gateway.settings import Settings, load_settings
from gateway.tenancy import NoSuchTenant

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)
Result = TypeVar("Result")
TenantId = Annotated[int, typer.Argument(help="The tenant's id, as `ostiary tenant list` shows it.")]


class NoSuchLogin(PublicError):
    """The tenant has no role with this login."""

    code = "NO_SUCH_LOGIN"

    def __init__(self, login: str, tenant_id: int) -> None:
        super().__init__(f"No such role {login} for tenant {tenant_id}.")


async def get_tenant(control: Control, tenant_id: int) -> Tenant:
    """Raises NoSuchTenant."""
    async with control.engine.connect() as connection:
        tenant = await find_tenant(connection, tenant_id, control.master_key)
    if tenant is None:
        raise NoSuchTenant(tenant_id)
    return tenant


async def get_login(connection: AsyncConnection, tenant_id: int, login: str) -> Role:
    """Raises NoSuchLogin."""
    role = await find_login(connection, tenant_id, login)
    if role is None:
        raise NoSuchLogin(login, tenant_id)
    return role


def with_control(work: Callable[[Control], Awaitable[Result]]) -> Result:
    """What the work gives, which is done with the control database at hand."""
    settings = load_settings()

    async def inside(settings: Settings) -> Result:
        # Operators add roles and tenants while the gateway serves.
        async with open_control(settings, may_join=True) as control:
            return await work(control)

    return asyncio.run(inside(settings))
