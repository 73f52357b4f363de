"""The command `ostiary tenant facades`: by which other systems' clients a tenant can be used."""

from collections.abc import Sequence
from typing import Annotated

import typer

from db.errors import PublicError
from db.records import FACADES, Facade
from db.tenants import set_facades
from gateway.operator import TenantId, get_tenant, out, with_control
from gateway.serve import Control


class UnknownFacade(PublicError):
    """A tenant is to be used by clients of a system that there is no facade for."""

    code = "UNKNOWN_FACADE"

    def __init__(self) -> None:
        super().__init__(f"The facades that there are: {', '.join(FACADES)}; none closes them all.")


def tenant_facades(
    tenant_id: TenantId,
    names: Annotated[
        list[str] | None, typer.Argument(help="Any of realm, backendless, mudbase; none closes them all.")
    ] = None,
) -> None:
    """Choose by which other systems' clients a tenant can be used, or without names show it."""

    async def choose(control: Control) -> frozenset[Facade]:
        tenant = await get_tenant(control, tenant_id)
        if not names:
            return tenant.facades
        facades = parse_facades(names)
        async with control.engine.begin() as connection:
            await set_facades(connection, tenant_id, facades)
        return facades

    chosen = ", ".join(sorted(with_control(choose))) or "none"
    out.print(f"The facades of tenant {tenant_id}: {chosen}.")


def parse_facades(names: Sequence[str]) -> frozenset[Facade]:
    """The facades of these names, of which `none` stands for no facade. Raises UnknownFacade."""
    chosen = set(names) - ({"none"} if len(names) == 1 else set[str]())
    if not chosen <= set(FACADES):
        raise UnknownFacade
    return frozenset(facade for facade in FACADES if facade in chosen)
