"""The control database's tables, defined here only; `migrations/` leads up to them.

They live in a PostgreSQL schema of their own, so that the control database may be one that holds other tables as well.
Whatever belongs to a tenant carries its id in each foreign key: that a role of one tenant is never a child, a member
or the owner of a session in another is for PostgreSQL to hold.
"""

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Double,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    Integer,
    MetaData,
    Numeric,
    Table,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

CONTROL_SCHEMA: Final = "ostiary"

metadata: Final = MetaData(
    schema=CONTROL_SCHEMA,
    naming_convention={
        "ix": "%(table_name)s_%(column_0_N_name)s_index",
        "uq": "%(table_name)s_%(column_0_N_name)s_key",
        "ck": "%(table_name)s_%(constraint_name)s_check",
        "fk": "%(table_name)s_%(column_0_N_name)s_fkey",
        "pk": "%(table_name)s_pkey",
    },
)


def _created_at() -> Column[object]:
    return Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now())


def _contact_columns() -> list[Column[object]]:
    names = ("address", "city", "stateprov", "mailcd", "phone", "email")
    return [Column(name, Text, nullable=False, server_default="") for name in names]


tenant: Final = Table(
    "tenant",
    metadata,
    Column("tenant_id", Integer, Identity(), primary_key=True),
    Column("name", Text, CheckConstraint("name <> ''", name="name"), nullable=False),
    Column("platform", Text, nullable=False, server_default="postgresql"),
    Column("host", Text, nullable=False),
    Column("database", Text, nullable=False),
    Column("sealed_dsn", Text, nullable=False),
    Column("schemas", ARRAY(Text), nullable=False, server_default="{public}"),
    Column("packages", ARRAY(Text), nullable=False, server_default="{core}"),
    Column("root_role_id", Integer),
    Column("nobody_role_id", Integer),
    Column("suspended", Boolean, nullable=False, server_default=text("false")),
    # Null leaves it to the gateway's setting.
    Column("conceal_logins", Boolean),
    # Whether /query answers documents of `trusted_document` and no others.
    Column("only_trusted", Boolean, nullable=False, server_default=text("false")),
    Column("version", BigInteger, nullable=False, server_default=text("1")),
    _created_at(),
    Column(
        "rule_choice",
        Text,
        CheckConstraint("rule_choice in ('add_up', 'most_specific')", name="rule_choice"),
        nullable=False,
        server_default="add_up",
    ),
    Column(
        "facades",
        ARRAY(Text),
        CheckConstraint("facades <@ array['realm', 'backendless', 'mudbase']", name="facades"),
        nullable=False,
        server_default="{}",
    ),
    # Tenant and role point at each other, hence `use_alter`.
    ForeignKeyConstraint(
        ["tenant_id", "root_role_id"],
        ["role.tenant_id", "role.role_id"],
        name="tenant_root_role_id_fkey",
        use_alter=True,
    ),
    ForeignKeyConstraint(
        ["tenant_id", "nobody_role_id"],
        ["role.tenant_id", "role.role_id"],
        name="tenant_nobody_role_id_fkey",
        use_alter=True,
    ),
)

role: Final = Table(
    "role",
    metadata,
    Column("role_id", Integer, Identity(), primary_key=True),
    Column("tenant_id", Integer, ForeignKey(tenant.c.tenant_id), nullable=False),
    Column("login", Text, CheckConstraint("login <> ''", name="login"), nullable=False),
    Column("name", Text, nullable=False),
    Column("parent_id", Integer, CheckConstraint("parent_id <> role_id", name="parent_id")),
    # No foreign key: 0 says that a role was not created by another one, as a tenant's first.
    Column("creator_id", Integer, nullable=False),
    Column("capabilities", ARRAY(Text), nullable=False, server_default="{}"),
    Column("deleted", Boolean, nullable=False, server_default=text("false")),
    Column("password_hash", Text),
    Column("password_set_at", DateTime(timezone=True)),
    Column("password_set_by", Integer),
    _created_at(),
    Column(
        "claims",
        JSONB(none_as_null=True),
        CheckConstraint("jsonb_typeof(claims) = 'object' and octet_length(claims::text) <= 8192", name="claims"),
    ),
    # The one place that says whether somebody is a guest.
    Column(
        "kind",
        Text,
        CheckConstraint("kind in ('nobody', 'guest', 'account')", name="kind"),
        nullable=False,
        server_default="account",
    ),
    # The id under which clients know a role that want a text of 24 hexadecimal characters.
    Column(
        "public_id",
        Text,
        nullable=False,
        server_default=text("substr(replace(gen_random_uuid()::text, '-', ''), 1, 24)"),
    ),
    UniqueConstraint("tenant_id", "role_id"),
    UniqueConstraint("tenant_id", "public_id"),
    ForeignKeyConstraint(["tenant_id", "parent_id"], ["role.tenant_id", "role.role_id"]),
    Index("role_tenant_id_parent_id_index", "tenant_id", "parent_id"),
    Index("role_tenant_id_login_index", "tenant_id", "login"),
    # The login of Nobody stays taken while anonymous logins are off, since enabling them brings the same role back.
    Index(
        "role_login_key",
        "tenant_id",
        "login",
        unique=True,
        postgresql_where=text("not deleted or login = 'nobody' || tenant_id::text"),
    ),
)

role_class: Final = Table(
    "role_class",
    metadata,
    Column("class_id", Integer, Identity(), primary_key=True),
    Column("tenant_id", Integer, ForeignKey(tenant.c.tenant_id), nullable=False),
    Column("name", Text, CheckConstraint("name <> ''", name="name"), nullable=False),
    Column("inherit", Text, CheckConstraint("inherit in ('none', 'create', 'full')", name="inherit"), nullable=False),
    Column("creator_id", Integer, nullable=False),
    _created_at(),
    UniqueConstraint("tenant_id", "class_id"),
)

role_membership: Final = Table(
    "role_membership",
    metadata,
    Column("role_id", Integer, primary_key=True),
    Column("class_id", Integer, primary_key=True),
    Column("tenant_id", Integer, nullable=False),
    ForeignKeyConstraint(["tenant_id", "role_id"], ["role.tenant_id", "role.role_id"], ondelete="CASCADE"),
    ForeignKeyConstraint(
        ["tenant_id", "class_id"], ["role_class.tenant_id", "role_class.class_id"], ondelete="CASCADE"
    ),
    Index("role_membership_tenant_id_class_id_index", "tenant_id", "class_id"),
)

policy_rule: Final = Table(
    "policy_rule",
    metadata,
    Column("rule_id", Integer, Identity(), primary_key=True),
    Column("tenant_id", Integer, ForeignKey(tenant.c.tenant_id), nullable=False, index=True),
    Column("name", Text, nullable=False),
    Column(
        "capabilities",
        ARRAY(Text),
        CheckConstraint("cardinality(capabilities) > 0", name="capabilities"),
        nullable=False,
    ),
    Column("targets", ARRAY(Text), CheckConstraint("cardinality(targets) > 0", name="targets"), nullable=False),
    Column("filter", Text, nullable=False, server_default=""),
    Column("role_ids", ARRAY(Integer), nullable=False, server_default="{}"),
    Column("class_ids", ARRAY(Integer), nullable=False, server_default="{}"),
    Column("creator_id", Integer, nullable=False),
    _created_at(),
    Column("read_columns", ARRAY(Text)),
    Column("write_columns", ARRAY(Text)),
    Column("forced", JSONB(none_as_null=True)),
    Column("defaults", JSONB(none_as_null=True)),
    Column("masks", JSONB(none_as_null=True)),
    Column("aggregates", Text, CheckConstraint("aggregates in ('none', 'also', 'only')", name="aggregates")),
    Column("min_group_size", Integer, CheckConstraint("min_group_size > 0", name="min_group_size")),
    Column("max_rows", Integer, CheckConstraint("max_rows >= 0", name="max_rows")),
    Column("max_seconds", Double, CheckConstraint("max_seconds > 0", name="max_seconds")),
    Column("valid_from", DateTime(timezone=True)),
    Column("valid_until", DateTime(timezone=True)),
    Column("group_columns", ARRAY(Text)),
)

# What happened, only ever added to. No foreign keys: what it tells of may be gone. Never a secret.
audit: Final = Table(
    "audit",
    metadata,
    Column("entry_id", BigInteger, Identity(), primary_key=True),
    Column("tenant_id", Integer, nullable=False),
    Column("happened_at", DateTime(timezone=True), nullable=False, server_default=func.clock_timestamp()),
    Column("role_id", Integer),
    Column("action", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("subject_id", Integer),
    Column("before", JSONB(none_as_null=True)),
    Column("after", JSONB(none_as_null=True)),
    Index("audit_tenant_id_entry_id_index", "tenant_id", "entry_id"),
    Index("audit_happened_at_index", "happened_at"),
)

session: Final = Table(
    "session",
    metadata,
    Column("session_id", Text, primary_key=True),
    Column("tenant_id", Integer, nullable=False),
    Column("role_id", Integer, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("expires_at", DateTime(timezone=True), nullable=False, index=True),
    Column("ended_at", DateTime(timezone=True)),
    Column("refresh_jti", Text, nullable=False),
    Column("previous_jti", Text),
    Column("rotated_at", DateTime(timezone=True)),
    Column("last_used_at", DateTime(timezone=True)),
    # A session that is not used for so long is over. Null lets it rest.
    Column("idle_seconds", Integer, CheckConstraint("idle_seconds > 0", name="idle_seconds")),
    Column("facade", Text, nullable=False, server_default="native"),
    Column("device_id", Text),
    # Of a token that is no JWT, its SHA-256.
    Column("secret_hash", Text),
    UniqueConstraint("secret_hash"),
    ForeignKeyConstraint(["tenant_id", "role_id"], ["role.tenant_id", "role.role_id"], ondelete="CASCADE"),
    Index("session_role_id_index", "role_id"),
)

# When a guest came, was seen last, and what became of it: an account, or part of one.
guest: Final = Table(
    "guest",
    metadata,
    Column("role_id", Integer, primary_key=True, autoincrement=False),
    Column("tenant_id", Integer, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("last_seen_at", DateTime(timezone=True), nullable=False),
    Column("converted_at", DateTime(timezone=True)),
    Column("adopted_by", Integer),
    ForeignKeyConstraint(["tenant_id", "role_id"], ["role.tenant_id", "role.role_id"], ondelete="CASCADE"),
    Index(
        "guest_tenant_id_last_seen_at_index",
        "tenant_id",
        "last_seen_at",
        postgresql_where=text("converted_at is null and adopted_by is null"),
    ),
)

# By what somebody is known to a provider. Without a role it is a registered login that nobody has entered by yet.
identity: Final = Table(
    "identity",
    metadata,
    Column("identity_id", BigInteger, Identity(), primary_key=True),
    Column("tenant_id", Integer, ForeignKey(tenant.c.tenant_id), nullable=False),
    Column("provider", Text, nullable=False),
    Column("subject", Text, CheckConstraint("subject <> ''", name="subject"), nullable=False),
    Column("role_id", Integer),
    Column("password_hash", Text),
    Column("verified", Boolean, nullable=False, server_default=text("false")),
    Column("created_at", DateTime(timezone=True), nullable=False),
    UniqueConstraint("tenant_id", "provider", "subject"),
    ForeignKeyConstraint(["tenant_id", "role_id"], ["role.tenant_id", "role.role_id"], ondelete="CASCADE"),
    Index("identity_role_id_index", "role_id"),
    Index("identity_created_at_index", "created_at", postgresql_where=text("role_id is null")),
)

# What a tenant has chosen for its guests. Whether there are any is for its Nobody role to say.
guest_policy: Final = Table(
    "guest_policy",
    metadata,
    Column("tenant_id", Integer, ForeignKey(tenant.c.tenant_id, ondelete="CASCADE"), primary_key=True),
    Column(
        "mode",
        Text,
        CheckConstraint("mode in ('shared', 'identity')", name="mode"),
        nullable=False,
        server_default="shared",
    ),
    Column("guest_class_id", Integer),
    Column("account_class_id", Integer),
    Column("registration", Boolean, nullable=False, server_default=text("true")),
    Column("session_seconds", Integer, CheckConstraint("session_seconds > 0", name="session_seconds")),
    Column("idle_seconds", Integer, CheckConstraint("idle_seconds > 0", name="idle_seconds")),
    Column(
        "retention_seconds",
        Integer,
        CheckConstraint("retention_seconds >= 0", name="retention_seconds"),
        nullable=False,
        server_default=text("7776000"),
    ),
    Column(
        "retention_from",
        Text,
        CheckConstraint("retention_from in ('last_use', 'creation', 'session_end')", name="retention_from"),
        nullable=False,
        server_default="last_use",
    ),
    Column("max_guests", Integer, CheckConstraint("max_guests >= 0", name="max_guests")),
    Column(
        "rows",
        Text,
        CheckConstraint("rows in ('keep', 'disown', 'delete')", name="rows"),
        nullable=False,
        server_default="keep",
    ),
    Column("owner_columns", ARRAY(Text)),
    Column("hooks", JSONB(none_as_null=True)),
    Column("sealed_hook_secret", Text),
)

guest_tally: Final = Table(
    "guest_tally",
    metadata,
    Column("tenant_id", Integer, ForeignKey(tenant.c.tenant_id, ondelete="CASCADE"), primary_key=True),
    Column("slot", Integer, primary_key=True, autoincrement=False),
    Column("live", BigInteger, nullable=False),
)

# What hooks have still to be told.
hook_outbox: Final = Table(
    "hook_outbox",
    metadata,
    Column("entry_id", BigInteger, Identity(), primary_key=True),
    Column("tenant_id", Integer, ForeignKey(tenant.c.tenant_id, ondelete="CASCADE"), nullable=False),
    Column("event", Text, nullable=False),
    Column("payload", JSONB, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("tries", Integer, nullable=False, server_default=text("0")),
    Column("next_try_at", DateTime(timezone=True), nullable=False, index=True),
)

idempotency: Final = Table(
    "idempotency",
    metadata,
    Column("tenant_id", Integer, primary_key=True),
    Column("role_id", Integer, primary_key=True),
    Column("scope", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("digest", Text, nullable=False),
    Column("claim", Text, nullable=False),
    Column("claimed_at", DateTime(timezone=True), nullable=False, server_default=func.now(), index=True),
    Column("transaction_id", Text),
    Column("sealed_reply", Text),
    ForeignKeyConstraint(["tenant_id", "role_id"], ["role.tenant_id", "role.role_id"], ondelete="CASCADE"),
)

trusted_document: Final = Table(
    "trusted_document",
    metadata,
    Column("document_id", Integer, Identity(), primary_key=True),
    Column("tenant_id", Integer, ForeignKey("tenant.tenant_id", ondelete="CASCADE"), nullable=False),
    Column("id", Text, CheckConstraint("id <> ''", name="id"), nullable=False),
    Column("name", Text, nullable=False, server_default=""),
    Column("digest", Text, nullable=False),
    Column("query", Text, nullable=False),
    _created_at(),
    UniqueConstraint("tenant_id", "id"),
    Index(None, "tenant_id", "digest"),
)

signing_key: Final = Table(
    "signing_key",
    metadata,
    Column("key_id", Text, primary_key=True),
    Column("sealed_private_pem", Text, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("retired_at", DateTime(timezone=True)),
)

role_contactinfo: Final = Table(
    "role_contactinfo",
    metadata,
    Column("role_id", Integer, primary_key=True),
    Column("tenant_id", Integer, nullable=False),
    *_contact_columns(),
    ForeignKeyConstraint(["tenant_id", "role_id"], ["role.tenant_id", "role.role_id"], ondelete="CASCADE"),
)

tenant_contactinfo: Final = Table(
    "tenant_contactinfo",
    metadata,
    Column("tenant_id", Integer, ForeignKey(tenant.c.tenant_id, ondelete="CASCADE"), primary_key=True),
    *_contact_columns(),
)

package: Final = Table(
    "package",
    metadata,
    Column("package", Text, primary_key=True),
    Column("description", Text, nullable=False),
    Column("license_cost", Numeric, nullable=False, server_default=text("0")),
)

capability: Final = Table(
    "capability",
    metadata,
    Column("capability", Text, primary_key=True),
    Column("package", Text, ForeignKey(package.c.package), nullable=False),
    Column("description", Text, nullable=False),
    Column("subset", Text, nullable=False),
)

package_function: Final = Table(
    "package_function",
    metadata,
    Column("name", Text, primary_key=True),
    Column("package", Text, ForeignKey(package.c.package), nullable=False),
)
