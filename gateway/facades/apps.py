"""Which tenant clients of another system mean: by the id that they know it by, or by the token that they have."""

from db.records import Facade, Tenant
from db.tenants import find_tenant, find_tenant_of_app
from gateway.auth.refusals import AuthError
from gateway.state import AppState


class AppNotFound(AuthError):
    """No tenant that opens this facade is meant by the id, whatever tenants there are besides."""

    code = "APP_NOT_FOUND"
    status = 404

    def __init__(self) -> None:
        super().__init__("There is no app with this id.")


async def get_app(state: AppState, app_id: str, facade: Facade) -> Tenant:
    """The tenant whose clients name it so. Raises AppNotFound, alike for what there is not and for what is closed."""
    async with state.engine.connect() as connection:
        tenant = await find_tenant_of_app(connection, app_id, facade, state.master_key)
    if tenant is None:
        raise AppNotFound
    return tenant


async def is_open(state: AppState, tenant_id: int, facade: Facade) -> bool:
    """Whether the tenant opens the facade now: its tokens count there no longer than that."""
    async with state.engine.connect() as connection:
        tenant = await find_tenant(connection, tenant_id, state.master_key)
    return tenant is not None and not tenant.suspended and facade in tenant.facades


def is_meant(tenant: Tenant, app_id: str, facade: Facade) -> bool:
    """Whether the tenant of a caller is the one that the caller names, and opens the facade."""
    return facade in tenant.facades and app_id in {str(tenant.tenant_id), tenant.name}
