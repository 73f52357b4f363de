"""Rows of the control database, as frozen values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Literal, TypeAlias, get_args

RuleChoice: TypeAlias = Literal["add_up", "most_specific"]
"""Of the rules that apply to a role: all of them together, or the most specific alone."""

Scalar: TypeAlias = str | int | float | bool | None

Claim: TypeAlias = Scalar | list[Scalar]
Claims: TypeAlias = Mapping[str, Claim]
"""What root says of a role, for the filters of rules."""


Kind: TypeAlias = Literal["nobody", "guest", "account"]
"""Who shares the role of visitors; who has one for as long as nobody knows who it is; who can log in."""

GuestMode: TypeAlias = Literal["shared", "identity"]
RetentionFrom: TypeAlias = Literal["last_use", "creation", "session_end"]
RowsOfTheGone: TypeAlias = Literal["keep", "disown", "delete"]

Facade: TypeAlias = Literal["realm", "backendless", "mudbase"]
"""A wire of another system, which a tenant may open beside the gateway's own."""
FACADES: Final[tuple[Facade, ...]] = get_args(Facade)


@dataclass(frozen=True, slots=True)
class Hook:
    """What is asked (`before_…`, `challenge`) or told (`after_…`) at an event: `target` is an address, or where
    `kind` is `sql` a function of the tenant's database."""

    event: str
    kind: Literal["http", "sql"]
    target: str
    timeout_seconds: float = 3.0


@dataclass(frozen=True, slots=True)
class GuestPolicy:
    """What a tenant has chosen for its guests; whether there are any is for its Nobody role to say.

    `mode` is whether those who come by `/anonauth` share the Nobody role. A session of a guest ends after
    `session_seconds`, or when it was not used for `idle_seconds`. A guest goes `retention_seconds` after its last use,
    its creation or the end of its last session, and `rows` is what becomes of its rows. `owner_columns`, each
    `table.column`, are where rows name their owner; None finds them in the rules.
    """

    mode: GuestMode = "shared"
    guest_class_id: int | None = None
    account_class_id: int | None = None
    registration: bool = True
    session_seconds: int | None = None
    idle_seconds: int | None = None
    retention_seconds: int = 7_776_000
    retention_from: RetentionFrom = "last_use"
    max_guests: int | None = None
    rows: RowsOfTheGone = "keep"
    owner_columns: tuple[str, ...] | None = None
    hooks: tuple[Hook, ...] = ()
    sealed_hook_secret: str | None = field(default=None, repr=False)


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
    rule_choice: RuleChoice = "add_up"
    guests: GuestPolicy = GuestPolicy(registration=False)
    only_trusted: bool = False
    facades: frozenset[Facade] = frozenset()


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
    claims: "Claims" = field(default_factory=dict[str, "Claim"])
    kind: Kind = "account"
    public_id: str = ""


@dataclass(frozen=True, slots=True)
class Guest:
    """When a guest came, was seen last, and what became of it."""

    role_id: int
    tenant_id: int
    public_id: str
    created_at: datetime
    last_seen_at: datetime
    live_sessions: int = 0


@dataclass(frozen=True, slots=True)
class ProviderIdentity:
    """By what somebody is known to a provider; without a role, a registered login that nobody has entered by yet."""

    identity_id: int
    tenant_id: int
    provider: str
    subject: str
    role_id: int | None
    password_hash: str | None = field(repr=False)
    verified: bool
    created_at: datetime


@dataclass(frozen=True, slots=True)
class RoleClass:
    class_id: int
    tenant_id: int
    name: str
    inherit: str
    creator_id: int
    created_at: datetime


@dataclass(frozen=True, slots=True)
class ColumnMask:
    """What is shown of a column where `unless`, an expression on the row, does not hold, or where `when` is not false:
    nothing (`null`), a `hash`, its `last_four` characters, a fixed `text`, or what the expression `value` gives for the
    row (`expression`)."""

    column: str
    kind: str
    unless: str = ""
    text: str = ""
    when: str = ""
    value: str = ""


@dataclass(frozen=True, slots=True)
class RuleOptions:
    """What a rule may say besides; None says nothing, and the rule is as if the option were not there.

    Column lists bound what is read and written. `forced` values are stored whatever the caller gives, and `defaults`
    where it gives none; a text that begins with `$_PRINCIPAL.` is that value of the caller. `aggregates` is `none`,
    `also` (as None) or `only`: then rows count where at least `min_group_size` of them are equal in `group_columns`, by
    which alone they are picked and grouped. No list has more than `max_rows`, no operation lasts longer than
    `max_seconds`. The rule is in force from `valid_from` on and before `valid_until`.
    """

    read_columns: frozenset[str] | None = None
    write_columns: frozenset[str] | None = None
    forced: tuple[tuple[str, Scalar], ...] = ()
    defaults: tuple[tuple[str, Scalar], ...] = ()
    masks: tuple[ColumnMask, ...] = ()
    aggregates: str | None = None
    min_group_size: int | None = None
    max_rows: int | None = None
    max_seconds: float | None = None
    valid_from: datetime | None = None
    valid_until: datetime | None = None
    group_columns: frozenset[str] | None = None


NO_OPTIONS: Final = RuleOptions()


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
    options: RuleOptions = NO_OPTIONS


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
    last_used_at: datetime | None = None
    idle_seconds: int | None = None
    facade: str = "native"
    device_id: str | None = None
    secret_hash: str | None = field(default=None, repr=False)

    @property
    def idle_at(self) -> datetime | None:
        """When it is over unless it is used before; None where it may rest."""
        if self.idle_seconds is None:
            return None
        return (self.last_used_at or self.created_at) + timedelta(seconds=self.idle_seconds)

    def is_open(self, now: datetime) -> bool:
        """Whether it goes on at this moment."""
        return self.ended_at is None and now < self.expires_at and (self.idle_at is None or now < self.idle_at)
