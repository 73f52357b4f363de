"""What login, anonymous login and acting for another role share: a session opened, a session's tokens issued again."""

import hashlib
import uuid
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from db.records import Session
from db.sessions import GraceReuse, Reused, Rotated, SessionOver, find_session, insert_session, rotate_session
from gateway.auth.refusals import TokenRevoked
from gateway.auth.tokens import Claims, TokenType, sign_token
from gateway.state import AppState
from schema.principal import Principal


@dataclass(frozen=True, slots=True)
class TokenPair:
    access: str = field(repr=False)
    refresh: str = field(repr=False)
    #: The token that is no JWT, of a session that was opened with one.
    secret: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Entered:
    """Who has come in, by which session, and with which tokens."""

    principal: Principal
    session: Session
    tokens: TokenPair


def new_id(state: AppState) -> str:
    """A random UUID (RFC 9562, version 4)."""
    return str(uuid.UUID(bytes=state.random(16), version=4))


@dataclass(frozen=True, slots=True)
class Terms:
    """How long a session lasts however often it is refreshed, and, where it has an idle limit, how long unused; by
    which wire and from which device it was opened. With `has_secret` it has a token besides that is no JWT."""

    max_seconds: int
    idle_seconds: int | None = None
    facade: str = "native"
    device_id: str | None = None
    has_secret: bool = False


async def open_session(
    state: AppState, connection: AsyncConnection, principal: Principal, *, max_seconds: int
) -> TokenPair:
    """The tokens of a new session, which lasts at most so long however often it is refreshed. The caller commits."""
    _, tokens = await begin_session(state, connection, principal, Terms(max_seconds))
    return tokens


async def begin_session(
    state: AppState, connection: AsyncConnection, principal: Principal, terms: Terms
) -> tuple[Session, TokenPair]:
    """A new session on these terms, and its tokens. The caller commits."""
    now = moment(state)
    secret = state.random(32).hex() if terms.has_secret else None
    session = Session(
        session_id=new_id(state),
        tenant_id=principal.tenant_id,
        role_id=principal.role_id,
        created_at=now,
        expires_at=now + timedelta(seconds=terms.max_seconds),
        ended_at=None,
        refresh_jti=new_id(state),
        previous_jti=None,
        rotated_at=None,
        last_used_at=now,
        idle_seconds=terms.idle_seconds,
        facade=terms.facade,
        device_id=terms.device_id,
        secret_hash=None if secret is None else hashlib.sha256(secret.encode()).hexdigest(),
    )
    await insert_session(connection, session)
    return session, replace(_issue_pair(state, session), secret=secret)


async def refresh_session(state: AppState, connection: AsyncConnection, claims: Claims) -> TokenPair | None:
    """The next tokens of a session; None when there are none, because it is over or is ended by this very use.

    A second use within the grace gives the same successor again, since the first answer may have been lost. The
    caller commits in each case.
    """
    rotation = await rotate_session(
        connection,
        claims.session_id,
        expected_jti=claims.token_id,
        new_jti=new_id(state),
        now=moment(state),
        grace=timedelta(seconds=state.settings.refresh_grace_seconds),
    )
    match rotation:
        case Rotated(session) | GraceReuse(session):
            return _issue_pair(state, session)
        case Reused() | SessionOver():
            return None


async def renew_session(state: AppState, connection: AsyncConnection, session: Session) -> TokenPair | None:
    """New tokens of a session for whom may have them without its refresh token, which is then used up; None where the
    session is over. The caller commits."""
    rotation = await rotate_session(
        connection,
        session.session_id,
        expected_jti=session.refresh_jti,
        new_jti=new_id(state),
        now=moment(state),
        grace=timedelta(0),
    )
    return _issue_pair(state, rotation.session) if isinstance(rotation, Rotated) else None


async def reissue_access(
    state: AppState, connection: AsyncConnection, claims: Claims, *, facade: str | None = None
) -> tuple[Session, str]:
    """The session and a new access token of it, whose refresh token stays what it is: for clients that never store
    another. Whether the session goes on is for the caller to know. Raises TokenRevoked where it was not opened by
    `facade`, if one is given."""
    session = await find_session(connection, claims.session_id)
    if session is None or (facade is not None and session.facade != facade):
        raise TokenRevoked
    return session, issue_access_token(state, session)


def issue_access_token(state: AppState, session: Session) -> str:
    """A new access token of a session."""
    return _issue(state, session, "access", new_id(state), moment(state))


def moment(state: AppState) -> datetime:
    """Now, in whole seconds, as tokens count them."""
    return datetime.fromtimestamp(int(state.clock()), UTC)


def _issue_pair(state: AppState, session: Session) -> TokenPair:
    # The refresh token dates from its rotation, so that a repeated refresh gives the same claims again.
    rotated_at = session.rotated_at or session.created_at
    return TokenPair(
        access=issue_access_token(state, session),
        refresh=_issue(state, session, "refresh", session.refresh_jti, rotated_at),
    )


def _issue(state: AppState, session: Session, type_: TokenType, token_id: str, issued_at: datetime) -> str:
    lifetime = timedelta(seconds=state.token_rules.lifetime_seconds(type_))
    claims = Claims(
        role_id=session.role_id,
        tenant_id=session.tenant_id,
        session_id=session.session_id,
        token_id=token_id,
        type=type_,
        issued_at=int(issued_at.timestamp()),
        expires_at=int(min(issued_at + lifetime, session.expires_at).timestamp()),
    )
    return sign_token(claims, state.keys.signing, state.token_rules)
