"""Rows of the control database, as frozen values."""

from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Tenant:
    tenant_id: int
    name: str
    root_role_id: int | None
    nobody_role_id: int | None
    suspended: bool
    dsn: str = field(repr=False)
    schemas: tuple[str, ...] = ("public",)
    version: int = 1
    conceal_logins: bool | None = None


@dataclass(frozen=True, slots=True)
class Role:
    role_id: int
    tenant_id: int
    login: str
    name: str
    parent_id: int | None
    creator_id: int
    capabilities: frozenset[str]
    class_ids: frozenset[int]
    deleted: bool
    password_hash: str | None = field(repr=False)
    created_at: datetime
    password_set_at: datetime | None = None
    password_set_by: int | None = None


@dataclass(frozen=True, slots=True)
class RoleClass:
    class_id: int
    tenant_id: int
    name: str
    inherit: str
    creator_id: int
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Rule:
    """A grant. With neither roles nor classes it is global: it holds for every role of the tenant."""

    rule_id: int
    tenant_id: int
    name: str
    capabilities: frozenset[str]
    targets: frozenset[str]
    filter: str = ""
    role_ids: frozenset[int] = frozenset()
    class_ids: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Session:
    """What can be ended: a login and all the tokens that came of it."""

    session_id: str
    tenant_id: int
    role_id: int
    created_at: datetime
    expires_at: datetime
    ended_at: datetime | None
    refresh_jti: str
    previous_jti: str | None
    rotated_at: datetime | None
