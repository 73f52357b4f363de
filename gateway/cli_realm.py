"""The commands `ostiary realm`: the configuration of an app of Realm, as far as a tenant has the same choice."""

from pathlib import Path
from typing import Annotated

import typer

from db.tenants import announce_change
from gateway.facades.realm_files import ANONYMOUS_FILE, AppFileInvalid, parse_anonymous, render_anonymous
from gateway.operator import TenantId, get_tenant, out, with_control
from gateway.serve import Control
from schema.roles_pbac.anonymous import find_nobody, let_visitors_in, shut_visitors_out

realm_app = typer.Typer(
    help="Take over what an app of Realm says of its visitors, or write it down as one.", no_args_is_help=True
)

Folder = Annotated[Path, typer.Argument(help=f"The folder of the app, in which {ANONYMOUS_FILE} is.")]


@realm_app.command("import")
def realm_import(tenant_id: TenantId, folder: Folder) -> None:
    """Let visitors in or shut them out, as the app's auth_providers/anon-user.json says."""
    lets_in = parse_anonymous(_read(folder / ANONYMOUS_FILE))

    async def change(control: Control) -> None:
        tenant = await get_tenant(control, tenant_id)
        async with control.engine.begin() as connection:
            await announce_change(connection, tenant_id)
            if lets_in:
                await let_visitors_in(connection, tenant_id, creator_id=tenant.root_role_id or 0)
            else:
                await shut_visitors_out(connection, tenant_id)

    with_control(change)
    out.print(f"Visitors of tenant {tenant_id} are {'let in' if lets_in else 'shut out'}.")


@realm_app.command("export")
def realm_export(tenant_id: TenantId, folder: Folder) -> None:
    """Write auth_providers/anon-user.json: whether visitors are let in."""

    async def read(control: Control) -> bool:
        await get_tenant(control, tenant_id)
        async with control.engine.connect() as connection:
            nobody = await find_nobody(connection, tenant_id)
        return nobody is not None and not nobody.deleted

    path = folder / ANONYMOUS_FILE
    text = render_anonymous(lets_in=with_control(read))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    out.print(f"Written: {path}", markup=False, soft_wrap=True)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise AppFileInvalid(f"The file {path} cannot be read.") from error
