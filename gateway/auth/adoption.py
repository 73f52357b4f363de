"""adopt: with both sessions at hand, the rows of a guest become those of an account that is there already."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass

from db.audit import set_actor
from db.commit import commit
from db.guests import bury_guest, lock_role
from db.owned_rows import Moved, OwnerColumn, RowsInTheWay, Strategy, move_rows
from db.sessions import lock_session
from gateway.auth.guests import drop_sessions
from gateway.auth.refusals import AdoptionRefused, BadField, NotAGuest, NotAnAccount, TokenRevoked
from gateway.auth.sessions import moment
from gateway.auth.tokens import Claims
from gateway.state import AppState
from gateway.tenancy import LoadedTenant
from schema.ownership import find_owner_columns, named_owner_columns
from schema.principal import Principal

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Adopted:
    """Whose rows are whose now, and by table how many moved and how many stayed with the guest's tombstone."""

    account: Principal
    guest: Principal
    rows: Mapping[str, int]
    left: Mapping[str, int]


async def adopt(
    state: AppState,
    account_claims: Claims,
    guest_claims: Claims,
    *,
    strategy: Strategy = "refuse",
    columns: tuple[str, ...] | None = None,
) -> Adopted:
    """The account with the guest's rows; the guest is a tombstone, and its sessions are over. `columns` leaves out all
    other columns that name owners. On any failure nothing has changed. Raises TokenRevoked, NotAGuest, NotAnAccount,
    AdoptionRefused, BadField, StoreError.

    Both roles are locked while the rows move, so a conversion, another adoption and the sweep come before or after. The
    rows are stored before the tombstone is: if the gateway ends in between, the rows are the account's, and the guest,
    who has none any more, can be adopted again.
    """
    account = await state.principals.principal_of(account_claims)
    guest = await state.principals.principal_of(guest_claims)
    if guest.kind != "guest":
        raise NotAGuest
    if account.kind != "account":
        raise NotAnAccount
    if account.tenant_id != guest.tenant_id:
        raise NotAGuest
    loaded = await state.tenants.get(account.tenant_id, account.tenant_version)
    chosen = _choose(loaded, account, columns)
    async with state.passwords.turns, state.engine.connect() as connection:
        await set_actor(connection, account.role_id)
        # In the order of their ids, as everybody does who locks several.
        locked = {
            role_id: await lock_role(connection, account.tenant_id, role_id)
            for role_id in sorted((account.role_id, guest.role_id))
        }
        for claims in sorted((account_claims, guest_claims), key=lambda each: each.session_id):
            session = await lock_session(connection, claims.session_id)
            role = locked[claims.role_id]
            is_open = session is not None and session.ended_at is None and session.expires_at > moment(state)
            if not is_open or role is None or role["deleted"]:
                raise TokenRevoked
        if (row := locked[guest.role_id]) is None or row["kind"] != "guest":
            raise NotAGuest
        moved = await _move(loaded, chosen, guest.role_id, account.role_id, strategy)
        session_ids = await bury_guest(connection, guest.role_id, adopted_by=account.role_id, now=moment(state))
        await commit(connection)
    drop_sessions(state, session_ids)
    log.info("role %d of tenant %d adopted guest %d", account.role_id, account.tenant_id, guest.role_id)
    return Adopted(account, guest, moved.rows, moved.left)


def owner_columns(loaded: LoadedTenant) -> tuple[OwnerColumn, ...]:
    """The columns by which the tenant's rows name their owner: those that it has named, or those of its rules."""
    named = loaded.tenant.guests.owner_columns
    if named is not None:
        return named_owner_columns(named, loaded.model)
    return find_owner_columns(loaded.timed_policy.rules, loaded.model)


def _choose(loaded: LoadedTenant, account: Principal, wanted: tuple[str, ...] | None) -> tuple[OwnerColumn, ...]:
    known = owner_columns(loaded)
    if wanted is None:
        return known
    shown = [column for column in known if loaded.policy.may(account, column.table, "select")]
    chosen = tuple(column for column in shown if str(column) in wanted)
    # Of what is no owner column nothing is told, not even whether there is such a column.
    if len(chosen) < len(set(wanted)):
        raise BadField("columns may hold only columns by which rows name their owner.")
    return chosen


async def _move(
    loaded: LoadedTenant, columns: tuple[OwnerColumn, ...], guest_id: int, account_id: int, strategy: Strategy
) -> Moved:
    if not columns:
        return Moved({}, {})
    try:
        async with loaded.database.transaction() as running:
            return await move_rows(running, columns, guest_id, account_id, strategy)
    except RowsInTheWay as error:
        raise AdoptionRefused("Rows of the account stand in the way of the guest's; choose a strategy.") from error
