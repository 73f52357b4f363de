"""Principal: who the caller is, as policy sees them."""

from dataclasses import dataclass, field
from typing import Final, Literal

from db.records import Claim, Claims, Role, Tenant

CAPABILITIES: Final = (
    "login",
    "select",
    "insert",
    "update",
    "delete",
    "upload",
    "download",
    "create_role",
    "update_role",
    "delete_role",
    "view_role",
    "create_class",
    "update_class",
    "delete_class",
    "view_class",
    "create_rule",
    "update_rule",
    "delete_rule",
    "view_rule",
    "admin",
)
NORMAL_CAPABILITIES: Final = frozenset({"delete", "download", "insert", "login", "select", "update", "upload"})
NOBODY_CAPABILITIES: Final = frozenset(
    {"select", "insert", "update", "delete", "upload", "download", "create_role", "view_role"}
)

Attribute = Literal["roleid", "capabilities", "classes", "children", "parentid", "tenantid", "is_guest"]
Named = Attribute | Literal["claims"]
Kind = Literal["nobody", "guest", "account"]


@dataclass(frozen=True, slots=True)
class Principal:
    """A role of one tenant, with what policy asks about it. Root and admins bypass rules within their tenant.
    `tenant_version` is the version of the tenant at which all this was read. A guest has besides its own rules those of
    the Nobody role, `lender_id`."""

    tenant_id: int
    role_id: int
    login: str
    parent_id: int | None = None
    capabilities: frozenset[str] = frozenset()
    class_ids: frozenset[int] = frozenset()
    child_ids: frozenset[int] = frozenset()
    is_root: bool = False
    session_id: str = ""
    tenant_version: int = 0
    claims: Claims = field(default_factory=dict[str, Claim], hash=False)
    kind: Kind = "account"
    public_id: str = ""
    lender_id: int | None = None

    @property
    def is_guest(self) -> bool:
        """Whether nobody knows who it is: a guest, or a visitor who shares the Nobody role."""
        return self.kind != "account"

    @property
    def rule_role_ids(self) -> tuple[int, ...]:
        """The roles whose rules are the principal's."""
        return (self.role_id,) if self.lender_id is None else (self.role_id, self.lender_id)

    @property
    def bypasses_policy(self) -> bool:
        return self.is_root or "admin" in self.capabilities

    def may(self, capability: str) -> bool:
        """Whether the role itself holds a capability. `select` is implied unless a non-empty list leaves it out."""
        if self.bypasses_policy or capability in self.capabilities:
            return True
        return capability == "select" and not self.capabilities

    def attribute(self, name: Attribute) -> int | bool | None | list[int] | list[str]:
        """The value of `$_PRINCIPAL.<name>`; lists are sorted."""
        match name:
            case "roleid":
                return self.role_id
            case "tenantid":
                return self.tenant_id
            case "parentid":
                return self.parent_id
            case "capabilities":
                return sorted(self.capabilities)
            case "classes":
                return sorted(self.class_ids)
            case "children":
                return sorted(self.child_ids)
            case "is_guest":
                return self.is_guest


def is_shut_out(role: Role, nobody: Role | None) -> bool:
    """Whether a role is a guest that cannot come in, as the tenant lets no visitors in: it has no Nobody role."""
    return role.kind == "guest" and (nobody is None or nobody.deleted)


def build_principal(
    tenant: Tenant, role: Role, nobody: Role | None, child_ids: frozenset[int], session_id: str = ""
) -> Principal:
    """The principal that a role of this tenant makes: a guest may do what the Nobody role may, and is what that one is
    in, besides the class of guests; an account is in the class of accounts."""
    lender = nobody if role.kind == "guest" else None
    by_kind = class_by_kind(tenant, role)
    class_ids = role.class_ids if by_kind is None else role.class_ids | {by_kind}
    return Principal(
        tenant_id=tenant.tenant_id,
        role_id=role.role_id,
        login=role.login,
        parent_id=role.parent_id,
        capabilities=role.capabilities if lender is None else lender.capabilities,
        class_ids=class_ids if lender is None else class_ids | lender.class_ids,
        child_ids=child_ids,
        is_root=role.role_id == tenant.root_role_id,
        session_id=session_id,
        tenant_version=tenant.version,
        claims=role.claims,
        kind=role.kind,
        public_id=role.public_id,
        lender_id=None if lender is None else lender.role_id,
    )


def class_by_kind(tenant: Tenant, role: Role) -> int | None:
    """The class that a role is in by what it is, which is stored nowhere."""
    return {"guest": tenant.guests.guest_class_id, "account": tenant.guests.account_class_id}.get(role.kind)
