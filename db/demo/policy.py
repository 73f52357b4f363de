"""Who may do what in the demo tenants, as plain values: roles by login, classes by name. Role ids come later."""

from dataclasses import dataclass
from enum import Enum
from typing import Final, Literal, TypeAlias


class StandingRole(Enum):
    """A role that the gateway itself makes, under a login that is not known beforehand."""

    NOBODY = "nobody"


NOBODY: Final = StandingRole.NOBODY
"""In a rule: the role of anonymous visitors."""

RoleReference: TypeAlias = str | Literal[StandingRole.NOBODY]


@dataclass(frozen=True, slots=True)
class DemoClass:
    name: str


@dataclass(frozen=True, slots=True)
class DemoRole:
    """A role that can be logged in as. `classes` are names."""

    login: str
    name: str
    capabilities: frozenset[str]
    classes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DemoRule:
    """A grant. `roles` are logins or NOBODY, `classes` are names; with neither the rule is global."""

    name: str
    capabilities: frozenset[str]
    targets: tuple[str, ...]
    filter: str = ""
    roles: tuple[RoleReference, ...] = ()
    classes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DemoTenant:
    """A tenant beside its root role, which no rule binds."""

    name: str
    allows_anonymous: bool
    classes: tuple[DemoClass, ...]
    roles: tuple[DemoRole, ...]
    rules: tuple[DemoRule, ...]


SELECT: Final = frozenset({"select"})
INSERT: Final = frozenset({"insert"})
CREATE_ROLE: Final = frozenset({"create_role"})

OWN_ROWS: Final = "devii_roleid = $_PRINCIPAL.roleid"

FLIGHTS: Final = DemoTenant(
    name="flights",
    allows_anonymous=True,
    classes=(DemoClass("analysts"),),
    roles=(
        DemoRole(
            login="analyst",
            name="Analyst",
            capabilities=frozenset({"login", "select"}),
            classes=("analysts",),
        ),
    ),
    rules=(
        DemoRule("Everybody reads airlines and airports", SELECT, ("airlines", "airports")),
        DemoRule(
            "Analysts read everything",
            SELECT,
            ("airlines", "airports", "planes", "weather", "flights"),
            classes=("analysts",),
        ),
    ),
)

TODO: Final = DemoTenant(
    name="todo",
    allows_anonymous=True,
    classes=(DemoClass("users"),),
    roles=(),
    rules=(
        DemoRule("Visitors sign up: the role", CREATE_ROLE, ("roles_pbac.roles",), roles=(NOBODY,)),
        DemoRule(
            "Visitors sign up: into the class of users",
            CREATE_ROLE,
            ("roles_pbac.role_classes",),
            filter="name = 'users'",
            roles=(NOBODY,),
        ),
        # A profile of Nobody's own would be every visitor's, and so is refused.
        DemoRule(
            "Visitors sign up: the profile",
            INSERT,
            ("public.devii_users",),
            filter="devii_roleid != $_PRINCIPAL.roleid",
            roles=(NOBODY,),
        ),
        # No row is a visitor's own, so this shows none, not even the profile just stored: all visitors share one role,
        # and what one may see every other may. It is here so that a sign-up may name the columns in its selection.
        DemoRule("Visitors see no profile", SELECT, ("public.devii_users",), filter=OWN_ROWS, roles=(NOBODY,)),
        # Clients that sign in before they store the profile insert it as themselves.
        DemoRule(
            "Users keep their own profile",
            frozenset({"select", "insert", "update"}),
            ("public.devii_users",),
            filter=OWN_ROWS,
            classes=("users",),
        ),
        DemoRule(
            "Users keep their own lists and items",
            frozenset({"select", "insert", "update", "delete"}),
            ("list", "item"),
            filter=OWN_ROWS,
            classes=("users",),
        ),
        DemoRule("Users read the statuses", SELECT, ("status_value",), classes=("users",)),
    ),
)

DEMO_TENANTS: Final = (FLIGHTS, TODO)
