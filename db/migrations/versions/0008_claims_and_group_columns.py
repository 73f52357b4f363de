"""What root says of a role in its claims, and by which columns rows may be counted that nobody reads.

Revision ID: 0008
Revises: 0007
"""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_RULES = """
    select rule_id as ruleid, tenant_id as tenantid, name, filter, creator_id as creatorid,
           created_at as createtime, capabilities, role_ids as roles, class_ids as classes, targets,
           read_columns, write_columns, forced, defaults, masks, aggregates, min_group_size, max_rows, max_seconds,
           valid_from, valid_until{more}
      from ostiary.policy_rule
"""
_ROLES = """
    select r.role_id as roleid, r.login, r.name, r.tenant_id as tenantid, r.parent_id as parentid,
           r.creator_id as creatorid, r.created_at as createtime, r.deleted, r.capabilities,
           coalesce(r.password_set_at, r.created_at) as password_createtime,
           coalesce(r.password_set_by, r.creator_id) as password_setby,
           not r.deleted and not 'admin' = any (r.capabilities)
             and r.role_id is distinct from t.root_role_id
             and r.role_id is distinct from t.nobody_role_id as normal{more}
      from ostiary.role as r
      join ostiary.tenant as t on t.tenant_id = r.tenant_id
"""


def upgrade() -> None:
    op.execute("alter table ostiary.policy_rule add group_columns text[]")
    op.execute(
        """
        alter table ostiary.role
            add claims jsonb constraint role_claims_check
                check (jsonb_typeof(claims) = 'object' and octet_length(claims::text) <= 8192)
        """
    )
    op.execute("create or replace view roles_pbac.policy_rules as" + _RULES.format(more=", group_columns"))
    op.execute("create or replace view roles_pbac.roles as" + _ROLES.format(more=", r.claims"))


def downgrade() -> None:
    op.execute("drop view roles_pbac.policy_rules")
    op.execute("create view roles_pbac.policy_rules as" + _RULES.format(more=""))
    op.execute("drop view roles_pbac.roles")
    op.execute("create view roles_pbac.roles as" + _ROLES.format(more=""))
    op.execute("alter table ostiary.policy_rule drop group_columns")
    op.execute("alter table ostiary.role drop claims")
