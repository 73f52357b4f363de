"""Who may try again, and when; the library `limits` does the counting."""

import hashlib
import ipaddress
import math
import time
from collections.abc import Iterable
from typing import Final, Protocol

from limits import RateLimitItem, parse_many
from limits.aio.storage import Storage
from limits.aio.strategies import FixedWindowRateLimiter
from limits.storage import storage_from_string

from gateway.auth.refusals import TooManyAttempts

# One subscriber usually holds a whole /64 of IPv6 addresses.
IPV6_PREFIX: Final = 64

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Limits(Protocol):
    """The part of Settings that this module needs."""

    @property
    def login_limit_address(self) -> str: ...
    @property
    def login_limit_login(self) -> str: ...
    @property
    def login_limit_everywhere(self) -> str: ...
    @property
    def login_limit_tenant(self) -> str: ...
    @property
    def anonymous_limit_address(self) -> str: ...
    @property
    def anonymous_limit_tenant(self) -> str: ...
    @property
    def role_limit_address(self) -> str: ...
    @property
    def role_limit_tenant(self) -> str: ...
    @property
    def rate_limit_storage(self) -> str: ...


class RateLimiter:
    """Counts attempts. An attempt that one limit refuses does not count against the limits behind it.

    The address comes first, so that nobody can spend another's allowance, or our memory, from one address.
    """

    def __init__(self, limits: Limits) -> None:
        storage = storage_from_string(limits.rate_limit_storage)
        if not isinstance(storage, Storage):
            raise TypeError("rate_limit_storage must begin with async+")
        self._counter = FixedWindowRateLimiter(storage)
        self._address = parse_many(limits.login_limit_address)
        self._login = parse_many(limits.login_limit_login)
        self._everywhere = parse_many(limits.login_limit_everywhere)
        self._tenant = parse_many(limits.login_limit_tenant)
        self._anonymous_address = parse_many(limits.anonymous_limit_address)
        self._anonymous_tenant = parse_many(limits.anonymous_limit_tenant)
        self._role_address = parse_many(limits.role_limit_address)
        self._role_tenant = parse_many(limits.role_limit_tenant)

    async def hit_login(self, address: str, tenant_id: int, login: str) -> None:
        """Nothing, and the attempt is counted. Raises TooManyAttempts."""
        await self._hit(self._address, "login-address", network_of(address))
        await self._hit(self._login, "login", network_of(address), str(tenant_id), _digest(login))
        await self._hit(self._everywhere, "login-everywhere", str(tenant_id), _digest(login))
        await self._hit(self._tenant, "login-tenant", str(tenant_id))

    async def forget_failures(self, address: str, tenant_id: int, login: str) -> None:
        """Nothing; a success clears what this login had failed before, but not the address and the tenant."""
        for item in self._login:
            await self._counter.clear(item, "login", network_of(address), str(tenant_id), _digest(login))
        for item in self._everywhere:
            await self._counter.clear(item, "login-everywhere", str(tenant_id), _digest(login))

    async def hit_refresh(self, address: str) -> None:
        """Nothing, and the attempt is counted with the logins of the address. Raises TooManyAttempts."""
        await self._hit(self._address, "refresh-address", network_of(address))

    async def hit_anonymous(self, address: str, tenant_id: int) -> None:
        """Nothing, and the attempt is counted. Raises TooManyAttempts."""
        await self._hit(self._anonymous_address, "anonymous-address", network_of(address))
        await self._hit(self._anonymous_tenant, "anonymous-tenant", str(tenant_id))

    async def hit_role(self, address: str, tenant_id: int) -> None:
        """Nothing, and one more role made or password set is counted. Raises TooManyAttempts."""
        await self._hit(self._role_address, "role-address", network_of(address))
        await self._hit(self._role_tenant, "role-tenant", str(tenant_id))

    async def _hit(self, items: Iterable[RateLimitItem], *identifiers: str) -> None:
        for item in items:
            if not await self._counter.hit(item, *identifiers):
                window = await self._counter.get_window_stats(item, *identifiers)
                raise TooManyAttempts(max(1, math.ceil(window.reset_time - time.time())))


def network_of(address: str) -> str:
    """The network that stands for one client: an IPv4 address, or the /64 of an IPv6 address."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.ip_network((parsed, IPV6_PREFIX), strict=False))
    return str(parsed)


def client_address(peer: str, forwarded_for: Iterable[str], trusted: Iterable[Network]) -> str:
    """The address of the client: the last hop that is not one of our proxies.

    `forwarded_for` are the X-Forwarded-For lines. They are read from the right, and only as far as the hops are
    trusted: what stands further left was written by the client and may be forged.
    """
    networks = tuple(trusted)
    address = peer
    for hop in reversed([part.strip() for line in forwarded_for for part in line.split(",")]):
        if not _is_trusted(address, networks):
            break
        if not _is_address(hop):
            break
        address = hop
    return address


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _is_trusted(address: str, networks: tuple[Network, ...]) -> bool:
    return _is_address(address) and any(ipaddress.ip_address(address) in network for network in networks)


def _digest(login: str) -> str:
    # Fixed length, and no separator that a login could fake.
    return hashlib.sha256(login.encode("utf-8", "surrogatepass")).hexdigest()
