"""Principals: from a token's text to who that makes its bearer, from memory as long as nothing has changed.

A change notice drops what it concerns. While the listener has no connection, notices may be lost, so then nothing
that is remembered about sessions, roles and tenants counts, and the control database is asked for each request.
"""

import asyncio
import hashlib
from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from db.records import Role, Session, Tenant
from db.roles import find_nobody, find_role, list_children
from db.secrets import MasterKey
from db.sessions import find_session, find_session_by_secret, store_uses
from db.tenants import find_tenant
from gateway.auth.keys import KeyRing
from gateway.auth.refusals import TokenRevoked
from gateway.auth.tokens import Claims, TokenRules, TokenType, check_claims, key_id_of, verify_token
from schema.bounded import Bounded
from schema.principal import Principal, build_principal, is_shut_out


@dataclass(frozen=True, slots=True)
class Known:
    """A session's principal, when the session ends by itself (seconds since 1970), and after which changes it was read.

    What was read before a change of its tenant counts no more; so a change costs nothing, however much is remembered.
    """

    principal: Principal
    expires_at: float
    changes: "Changes"
    use: "SessionUse | None" = None


@dataclass(slots=True)
class SessionUse:
    """When a session was used last (seconds since 1970), by this process or as the control database has it; it is over
    when it was not used for `idle_seconds`, and its use is worth storing every `step_seconds`."""

    idle_seconds: int | None
    last: float
    stored: float

    @property
    def step_seconds(self) -> float:
        return LONGEST_STEP_SECONDS if self.idle_seconds is None else self.idle_seconds / IDLE_STEPS

    def is_idle(self, now: float) -> bool:
        return self.idle_seconds is not None and now >= self.last + self.idle_seconds


# How many changes were heard: of the tenant, and of everything.
Changes = tuple[int, int]

# So exact is an idle limit where several processes serve one session: to a sixtieth of it.
IDLE_STEPS: Final = 60
LONGEST_STEP_SECONDS: Final = 600.0

_SCHEME: Final = "Bearer "
_UNKNOWN: Final[tuple[str, Claims | None]] = ("", None)


class Principals:
    def __init__(
        self,
        engine: AsyncEngine,
        master_key: MasterKey,
        keys: KeyRing,
        rules: TokenRules,
        *,
        clock: Callable[[], float],
        cache_size: int,
    ) -> None:
        self._engine = engine
        self._master_key = master_key
        self._keys = keys
        self._rules = rules
        self._clock = clock
        self._claims: Bounded[bytes, tuple[str, Claims]] = Bounded(cache_size)
        self._known: Bounded[str, Known] = Bounded(cache_size)
        # Of sessions with an idle limit, and of guests. It outlives what is remembered of them: what was not stored
        # yet is known nowhere else.
        self._uses: Bounded[str, SessionUse] = Bounded(cache_size)
        self._to_store: set[str] = set()
        self._readings: dict[Hashable, asyncio.Future[Known]] = {}
        self._secrets: Bounded[bytes, Claims] = Bounded(cache_size)
        self._tenant_changes: Counter[int] = Counter()
        self._general_changes = 0
        self._ended_sessions = 0
        self._is_listening = False

    def recall(self, authorization: Sequence[str]) -> Principal | None:
        """Whom one Authorization line stands for, where everything about it is remembered and still counts.

        None is no refusal: `authenticate` tells what is wrong, if anything is."""
        if len(authorization) != 1 or not authorization[0].startswith(_SCHEME) or not self._is_listening:
            return None
        key_id, claims = self._claims.get(_digest(authorization[0][len(_SCHEME) :]), _UNKNOWN)
        if claims is None or key_id not in self._keys.verifying or claims.type != "access":
            return None
        known = self._known.get(claims.session_id)
        now = self._clock()
        if known is None or now >= min(known.expires_at, claims.expires_at) or now < claims.issued_at:
            return None
        principal = known.principal
        if known.changes != self._changes_of(principal.tenant_id):
            return None
        belongs = principal.tenant_id == claims.tenant_id and principal.role_id == claims.role_id
        if not belongs or (known.use is not None and not self._note_use(claims.session_id, known.use, now)):
            return None
        return principal

    async def claims_of(self, token: str, type_: TokenType | None) -> Claims:
        """The claims of a token that is genuine, of the type and in date. Raises TokenError.

        A verification costs 0.6 ms, looking up a digest a microsecond. Time and type are looked at each time.
        """
        digest = _digest(token)
        key_id, claims = self._claims.get(digest, _UNKNOWN)
        # A key that was retired takes the tokens with it that were verified before.
        if claims is None or key_id not in self._keys.verifying:
            key_id = key_id_of(token)
            if key_id not in self._keys.verifying:
                await self._keys.learn(key_id)
            claims = verify_token(token, self._keys.verifying, self._rules)
            self._claims[digest] = key_id, claims
        check_claims(claims, self._rules, type_=type_, now=self._clock())
        return claims

    async def claims_of_secret(self, secret: str) -> Claims:
        """The claims that the token of a session stands for that is no JWT: as long as the session goes on, however
        often it is used. Raises TokenRevoked."""
        digest = _digest(secret)
        claims = self._secrets.get(digest)
        if claims is None:
            async with self._engine.connect() as connection:
                session = await find_session_by_secret(connection, digest.hex())
            if session is None:
                raise TokenRevoked
            claims = Claims(
                role_id=session.role_id,
                tenant_id=session.tenant_id,
                session_id=session.session_id,
                token_id=session.session_id,
                type="access",
                issued_at=int(session.created_at.timestamp()),
                expires_at=int(session.expires_at.timestamp()),
            )
            self._secrets[digest] = claims
        return claims

    async def principal_of(self, claims: Claims, *, is_use: bool = True) -> Principal:
        """Whom genuine claims stand for, now. Raises TokenRevoked when session, role or tenant is no longer there.

        Where it `is_use` an idle session begins to wait anew; to ask whether it still goes on need not be."""
        now = self._clock()
        known = self._known.get(claims.session_id) if self._is_listening else None
        is_current = known is not None and known.changes == self._changes_of(known.principal.tenant_id)
        if known is None or not is_current or (known.use is not None and known.use.is_idle(now)):
            known = await self._read(claims)
        principal = known.principal
        if known.expires_at <= now:
            raise TokenRevoked
        if is_use and known.use is not None:
            self._note_use(claims.session_id, known.use, now)
        if (principal.tenant_id, principal.role_id) != (claims.tenant_id, claims.role_id):
            raise TokenRevoked
        return principal

    async def store_uses(self) -> None:
        """Nothing; the control database, and with it every process, knows which sessions were used since."""
        session_ids, self._to_store = self._to_store, set()
        uses = {session_id: use for session_id in session_ids if (use := self._uses.get(session_id)) is not None}
        if not uses:
            return
        for use in uses.values():
            use.stored = use.last
        async with self._engine.begin() as connection:
            times = {session_id: datetime.fromtimestamp(use.last, UTC) for session_id, use in uses.items()}
            await store_uses(connection, times)

    def _note_use(self, session_id: str, use: SessionUse, now: float) -> bool:
        """Whether the session is not idle; then it was used now."""
        if use.is_idle(now):
            return False
        if now > use.last:
            use.last = now
            if now - use.stored >= use.step_seconds:
                self._to_store.add(session_id)
        return True

    def _use_of(self, session: Session, principal: Principal) -> SessionUse | None:
        """The use of a session that has to be known: what this process or the control database knows, the later."""
        if session.idle_seconds is None and principal.kind != "guest":
            return None
        stored = (session.last_used_at or session.created_at).timestamp()
        use = self._uses.get(session.session_id)
        if use is None:
            use = self._uses[session.session_id] = SessionUse(session.idle_seconds, stored, stored)
        use.last, use.stored = max(use.last, stored), max(use.stored, stored)
        return use

    def drop_tenant(self, tenant_id: int) -> None:
        """Nothing; what is remembered about the tenant's roles and sessions counts no more."""
        self._tenant_changes[tenant_id] += 1

    def drop_session(self, session_id: str) -> None:
        """Nothing; what is remembered about a session is forgotten."""
        self._ended_sessions += 1
        self._known.pop(session_id, None)

    def drop_all(self) -> None:
        """Nothing; everything is forgotten, verified tokens as well."""
        self._general_changes += 1
        self._known.clear()
        self._claims.clear()

    def set_listening(self, *, is_listening: bool) -> None:
        """Nothing; whether change notices arrive, and so whether memory counts."""
        self.drop_all()
        self._is_listening = is_listening

    def _changes_of(self, tenant_id: int) -> Changes:
        return self._tenant_changes[tenant_id], self._general_changes

    async def _read(self, claims: Claims) -> Known:
        """What the control database knows. Requests of one session that come at once ask it once, unless something has
        changed in between."""
        key = (claims.session_id, claims.tenant_id, claims.role_id, self._changes_of(claims.tenant_id))
        reading = self._readings.get((*key, self._ended_sessions))
        if reading is None or not self._is_listening:
            reading = asyncio.ensure_future(self._read_now(claims))
            place = (*key, self._ended_sessions)
            self._readings[place] = reading
            reading.add_done_callback(lambda _: self._readings.pop(place, None))
        # Who hangs up takes the answer from nobody else.
        return await asyncio.shield(reading)

    async def _read_now(self, claims: Claims) -> Known:
        changes, ended_sessions = self._changes_of(claims.tenant_id), self._ended_sessions
        async with self._engine.connect() as connection:
            known = await self._find(connection, claims, changes)
        if known is None:
            raise TokenRevoked
        # The session may have been ended while it was read, and nobody will tell again.
        if ended_sessions == self._ended_sessions:
            self._known[claims.session_id] = known
        return known

    async def _find(self, connection: AsyncConnection, claims: Claims, changes: Changes) -> Known | None:
        session = await find_session(connection, claims.session_id)
        if session is None or not _is_open(session, claims):
            return None
        tenant = await find_tenant(connection, claims.tenant_id, self._master_key)
        role = await find_role(connection, claims.tenant_id, claims.role_id)
        if tenant is None or tenant.suspended or role is None or role.deleted:
            return None
        principal = await read_principal(connection, tenant, role, session.session_id)
        use = self._use_of(session, principal)
        if use is not None and use.is_idle(self._clock()):
            return None
        return Known(principal, session.expires_at.timestamp(), changes, use)


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


async def read_principal(connection: AsyncConnection, tenant: Tenant, role: Role, session_id: str) -> Principal:
    """The principal that a role of this tenant makes (schema/principal.py). Raises TokenRevoked for a guest while the
    tenant allows none."""
    nobody = await find_nobody(connection, tenant) if role.kind == "guest" else None
    if is_shut_out(role, nobody):
        raise TokenRevoked
    children = await list_children(connection, tenant.tenant_id, role.role_id)
    return build_principal(tenant, role, nobody, children, session_id)


def _is_open(session: Session, claims: Claims) -> bool:
    belongs = (session.tenant_id, session.role_id) == (claims.tenant_id, claims.role_id)
    return belongs and session.ended_at is None
