"""The commands `ostiary guests`: what a tenant has chosen for its guests, who they are, and the sweep."""

import secrets
from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated, Literal

import typer
from rich.table import Table

from db.errors import PublicError
from db.guests import count_live_guests, list_guests, set_guest_policy
from db.records import Guest, GuestPolicy, Hook
from gateway.auth.sweep import sweep_all, sweep_tenant
from gateway.hooks import EVENTS, UnknownEvent, with_hook
from gateway.operator import TenantId, get_tenant, out, with_control
from gateway.serve import Control
from gateway.tenancy import Tenants
from schema.query.building.schema_text import SchemaText
from schema.query.document import Limits


class HookUnclear(PublicError):
    """A hook is to be set, and it is not said to what."""

    code = "HOOK_UNCLEAR"

    def __init__(self) -> None:
        super().__init__("Give one of --url, --function and --remove.")


guests_app = typer.Typer(
    help="List the guests of a tenant, choose what becomes of them, and let those go that are due.",
    no_args_is_help=True,
)


@guests_app.command("list")
def guests_list(
    tenant_id: TenantId,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many to list.")] = 100,
) -> None:
    """List guests of a tenant, those who were not seen for the longest time first."""

    async def read(control: Control) -> tuple[int, tuple[Guest, ...]]:
        await get_tenant(control, tenant_id)
        async with control.engine.connect() as connection:
            found = await list_guests(connection, tenant_id, max_rows=limit)
            return await count_live_guests(connection, tenant_id), found

    total, found = with_control(read)
    table = Table("role", "id", "came", "last seen", "sessions")
    for guest in found:
        came, seen = (moment.isoformat(timespec="seconds") for moment in (guest.created_at, guest.last_seen_at))
        table.add_row(str(guest.role_id), guest.public_id, came, seen, str(guest.live_sessions))
    out.print(table)
    out.print(f"{total} guests.")


@guests_app.command("sweep")
def guests_sweep(
    tenant_id: Annotated[int | None, typer.Argument(help="The tenant's id; without one, all tenants.")] = None,
) -> None:
    """Let the guests go that are due, as the gateway does by itself every now and then."""

    async def sweep(control: Control) -> int:
        now = datetime.now(UTC)
        limits, nothing = Limits(), SchemaText(b"", "")
        tenants = Tenants(control.engine, control.master_key, nothing, limits, control.databases.resolve)
        try:
            if tenant_id is None:
                return await sweep_all(control.engine, control.master_key, tenants, now)
            return await sweep_tenant(control.engine, tenants, await get_tenant(control, tenant_id), now)
        finally:
            await tenants.close()

    out.print(f"{with_control(sweep)} guests went.")


@guests_app.command("policy")
def guests_policy(
    tenant_id: TenantId,
    mode: Annotated[
        Literal["shared", "identity"] | None,
        typer.Option(help="Whether those who come by /anonauth share one role, or get one each."),
    ] = None,
    registration: Annotated[bool | None, typer.Option(help="Whether visitors may make themselves an account.")] = None,
    session_seconds: Annotated[int | None, typer.Option(min=0, help="Longest session of a guest; 0: as set.")] = None,
    idle_seconds: Annotated[int | None, typer.Option(min=0, help="A session unused so long ends; 0: none.")] = None,
    retention_days: Annotated[float | None, typer.Option(min=0, help="How long a guest is kept.")] = None,
    retention_from: Annotated[
        Literal["last_use", "creation", "session_end"] | None, typer.Option(help="From when on that counts.")
    ] = None,
    max_guests: Annotated[int | None, typer.Option(min=-1, help="How many guests at most; -1: any number.")] = None,
    rows: Annotated[
        Literal["keep", "disown", "delete"] | None, typer.Option(help="What becomes of the rows of those who go.")
    ] = None,
    owner_column: Annotated[
        list[str] | None,
        typer.Option(help="A column that names a row's owner, table.column; 'auto' finds them in the rules."),
    ] = None,
) -> None:
    """Show what a tenant has chosen for its guests, or change what is given."""

    async def change(control: Control) -> GuestPolicy:
        before = (await get_tenant(control, tenant_id)).guests
        given = {
            "mode": mode,
            "registration": registration,
            "retention_seconds": None if retention_days is None else int(retention_days * 86_400),
            "retention_from": retention_from,
            "rows": rows,
        }
        changes: dict[str, object] = {name: value for name, value in given.items() if value is not None}
        changes |= {"session_seconds": session_seconds or None} if session_seconds is not None else {}
        changes |= {"idle_seconds": idle_seconds or None} if idle_seconds is not None else {}
        changes |= {"max_guests": None if max_guests == -1 else max_guests} if max_guests is not None else {}
        if owner_column:
            changes["owner_columns"] = None if owner_column == ["auto"] else tuple(owner_column)
        if not changes:
            return before
        # Whoever chooses anything has guests who may become accounts, unless it says otherwise.
        chosen = before if before.guest_class_id is not None else GuestPolicy()
        async with control.engine.begin() as connection:
            return await set_guest_policy(connection, tenant_id, replace(chosen, **changes))  # pyright: ignore[reportArgumentType]

    policy = with_control(change)
    table = Table("choice", "value")
    for name in (
        "mode",
        "registration",
        "session_seconds",
        "idle_seconds",
        "retention_seconds",
        "retention_from",
        "max_guests",
        "rows",
    ):
        value = getattr(policy, name)
        table.add_row(name, "-" if value is None else str(value))
    table.add_row("owner_columns", "-" if policy.owner_columns is None else ", ".join(policy.owner_columns))
    out.print(table)


@guests_app.command("hook")
def guests_hook(
    tenant_id: TenantId,
    event: Annotated[str, typer.Argument(help="When: " + ", ".join(EVENTS) + ".")],
    url: Annotated[str | None, typer.Option(help="An address that gets signed requests.")] = None,
    function: Annotated[
        str | None, typer.Option(help="A function of the tenant's database that takes a jsonb, schema.name.")
    ] = None,
    timeout_seconds: Annotated[float, typer.Option(min=0.1, max=30, help="How long it may take.")] = 3.0,
    remove: Annotated[bool, typer.Option("--remove", help="Ask and tell nobody any more.")] = False,  # noqa: FBT002
) -> None:
    """Choose whom a tenant asks or tells at an event; prints the secret of signatures, once."""

    async def change(control: Control) -> str | None:
        policy = (await get_tenant(control, tenant_id)).guests
        secret = None
        if event not in EVENTS:
            raise UnknownEvent
        if [url is not None, function is not None, remove].count(True) != 1:
            raise HookUnclear
        if remove:
            policy = replace(policy, hooks=tuple(hook for hook in policy.hooks if hook.event != event))
        else:
            hook = Hook(event, "sql", function or "", timeout_seconds)
            if url is not None:
                hook = Hook(event, "http", url, timeout_seconds)
            policy, secret = with_hook(policy, hook, control.master_key, secrets.token_bytes)
        async with control.engine.begin() as connection:
            await set_guest_policy(connection, tenant_id, policy)
        return secret

    secret = with_control(change)
    if secret is not None:
        out.print(f"Requests are signed with {secret}", soft_wrap=True, markup=False)
    out.print(f"Hook {event} of tenant {tenant_id} is {'gone' if remove else 'set'}.")
