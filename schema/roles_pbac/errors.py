"""The refusals of the control schema."""

from schema.errors import OperationError


class NoSuchRow(OperationError):
    """A role, class or rule that is not there, or not for the caller: the two get the same answer."""

    code = "NO_SUCH_ROW"

    def __init__(self, kind: str, key: int) -> None:
        super().__init__(f"There is no {kind} {key}.")


class WrongTenant(OperationError):
    """A role of another tenant, or a tenant that is not the token's."""

    code = "WRONG_TENANT"

    def __init__(self) -> None:
        super().__init__("Role is not in this tenant.")


class AdministratorsOnly(OperationError):
    """Something that takes root or an administrator."""

    code = "ADMINISTRATORS_ONLY"

    def __init__(self) -> None:
        super().__init__("Non-administrators may not access other roles.")


class RootOnly(OperationError):
    """Something that takes the tenant's root role."""

    code = "ROOT_ONLY"

    def __init__(self, what: str) -> None:
        super().__init__(f"{what} is for the tenant's root role only.")


class RoleProtected(OperationError):
    """A role that this principal cannot change, or not in this way, whatever the rules say."""

    code = "ROLE_PROTECTED"


class CapabilityNotHeld(OperationError):
    """A capability is given away by someone without it."""

    code = "CAPABILITY_NOT_HELD"

    def __init__(self, capability: str) -> None:
        super().__init__(f"You cannot grant the capability {capability!r}, which you do not hold.")


class RuleRefused(OperationError):
    """A rule that would grant less than it says, or nothing."""

    code = "RULE_REFUSED"


class BadInput(OperationError):
    """An input that is well formed and still makes no sense."""

    code = "BAD_INPUT"
