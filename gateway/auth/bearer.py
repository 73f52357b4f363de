"""authenticate(lines, state) → Principal, from the Authorization header (RFC 6750, 2.1) and nowhere else."""

from collections.abc import Sequence

from starlette.datastructures import Headers

from gateway.auth.refusals import TokenForged, TokenMissing
from gateway.auth.tokens import MAX_TOKEN_CHARS
from gateway.state import AppState
from schema.principal import Principal


async def authenticate(lines: Sequence[str], state: AppState) -> Principal:
    """Who sends a request with these Authorization lines, by an access token. Raises TokenError."""
    claims = await state.principals.claims_of(_token_in(lines), "access")
    return await state.principals.principal_of(claims)


def bearer_token(headers: Headers) -> str:
    """The text of the bearer token, still unread. Raises TokenMissing, TokenForged."""
    return _token_in(headers.getlist("authorization"))


def _token_in(lines: Sequence[str]) -> str:
    if not lines:
        raise TokenMissing
    if len(lines) > 1:
        raise TokenForged("Token is given twice")
    scheme, _, token = lines[0].partition(" ")
    if scheme.lower() != "bearer" or not token.strip(" "):
        raise TokenMissing
    if len(token) > MAX_TOKEN_CHARS:
        raise TokenForged("Token is malformed")
    return token.strip(" ")


def holds_a_token(headers: Headers) -> bool:
    """Whether the header holds what may be a token at all: browsers send `Bearer undefined` and worse with a login."""
    try:
        return bearer_token(headers).count(".") == 2
    except TokenMissing:
        return False
    except TokenForged:
        return True
