"""AppState: all that a request may need, passed along and never global."""

import ipaddress
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.requests import HTTPConnection

from db.secrets import MasterKey
from gateway.auth.keys import KeyRing
from gateway.auth.passwords import PasswordChecker
from gateway.auth.principals import Principals
from gateway.auth.rate_limit import RateLimiter
from gateway.auth.tokens import TokenRules
from gateway.changes import ChangeListener
from gateway.compression import DeflatedTexts
from gateway.graphql_http import HttpLimits
from gateway.metrics import Metrics
from gateway.refusal_notes import RefusalNotes
from gateway.settings import Settings
from gateway.tenancy import LoadedTenant
from schema.principal import Principal
from schema.query.document import Limits

Clock = Callable[[], float]
Random = Callable[[int], bytes]


class SchemaText(Protocol):
    """A GraphQL schema as login replies carry it: `body` is the JSON `{"gql": …, "json": {"__schema": …}}`.

    Equal tags stand for equal bodies.
    """

    @property
    def body(self) -> bytes: ...
    @property
    def etag(self) -> str: ...


class Tenants(Protocol):
    """What the endpoints and the change listener ask of the loaded tenants."""

    async def get(self, tenant_id: int, version: int = 0, /) -> LoadedTenant:
        """The tenant as of this version or a later one. Raises NoSuchTenant, StoreError."""
        ...

    def recall(self, principal: Principal, /) -> LoadedTenant | None:
        """The principal's tenant, if it is loaded and no older than the principal."""
        ...

    async def role_schemas(self, principal: Principal) -> tuple[SchemaText, SchemaText]:
        """The schemas of /query and of /roles_pbac as the principal may see them."""
        ...

    async def ping(self, tenant_id: int) -> None:
        """Nothing, when the tenant's database answers. Raises StoreError."""
        ...

    async def refresh(self, tenant_id: int) -> None:
        """Nothing; what is known of the tenant is as the control database now has it."""
        ...

    async def refresh_all(self) -> None:
        """Nothing; the same for every loaded tenant, since changes may have been missed."""
        ...

    async def notice_changes(self) -> None:
        """Nothing; tenants in use whose tables have changed are as their databases now have them."""
        ...

    async def catch_up(self, loaded: LoadedTenant, /) -> LoadedTenant | None:
        """The tenant as it is now; None where it has not changed. Raises StoreError."""
        ...

    async def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class AppState:
    settings: Settings
    engine: AsyncEngine
    master_key: MasterKey
    tenants: Tenants
    keys: KeyRing
    token_rules: TokenRules
    principals: Principals
    passwords: PasswordChecker
    limiter: RateLimiter
    changes: ChangeListener
    deflated: DeflatedTexts
    trusted_proxies: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]
    clock: Clock
    random: Random
    refusals: RefusalNotes
    metrics: Metrics = field(default_factory=Metrics)
    http_limits: HttpLimits = field(default_factory=HttpLimits)
    document_limits: Limits = field(default_factory=Limits)


def state_of(connection: HTTPConnection) -> AppState:
    """The state of the application that serves this request."""
    state: AppState = connection.app.state.ostiary
    return state
