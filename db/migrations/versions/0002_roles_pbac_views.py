"""The views in schema roles_pbac: what /roles_pbac reads, with the columns named as on the wire and without secrets.

Revision ID: 0002
Revises: 0001
"""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

VIEWS = {
    "roles": """
        select r.role_id as roleid, r.login, r.name, r.tenant_id as tenantid, r.parent_id as parentid,
               r.creator_id as creatorid, r.created_at as createtime, r.deleted, r.capabilities,
               coalesce(r.password_set_at, r.created_at) as password_createtime,
               coalesce(r.password_set_by, r.creator_id) as password_setby,
               not r.deleted and not 'admin' = any (r.capabilities)
                 and r.role_id is distinct from t.root_role_id
                 and r.role_id is distinct from t.nobody_role_id as normal
          from ostiary.role as r
          join ostiary.tenant as t on t.tenant_id = r.tenant_id
    """,
    "role_classes": """
        select class_id as classid, name, tenant_id as tenantid, creator_id as creatorid, created_at as createtime,
               inherit
          from ostiary.role_class
    """,
    # Who is in a class by itself, then who is because a role above it is. The tenant is part of both, so that a
    # query for one class asks the function about the roles of its tenant alone, and that only where it is inherited.
    "memberships": """
        select tenant_id as tenantid, role_id as roleid, class_id as classid
          from ostiary.role_membership
         union all
        select r.tenant_id, r.role_id, c.class_id
          from ostiary.role as r
          join ostiary.role_class as c on c.tenant_id = r.tenant_id
         where c.inherit = 'full' and r.parent_id is not null
           and c.class_id = any (ostiary.role_class_ids(r.role_id))
           and not exists (select from ostiary.role_membership as m
                            where m.role_id = r.role_id and m.class_id = c.class_id)
    """,
    "policy_rules": """
        select rule_id as ruleid, tenant_id as tenantid, name, filter, creator_id as creatorid,
               created_at as createtime, capabilities, role_ids as roles, class_ids as classes, targets
          from ostiary.policy_rule
    """,
    "tenants": """
        select tenant_id as tenantid, name, platform, host, database, '********'::text as credential,
               created_at as createtime, packages as packagelist
          from ostiary.tenant
    """,
    "capabilities": "select capability, package, description, subset from ostiary.capability",
    "packages": "select package, description, license_cost::double precision as licensecost from ostiary.package",
    "package_functions": "select name, package from ostiary.package_function",
    "role_contactinfo": """
        select role_id as roleid, tenant_id as tenantid, address, city, stateprov, mailcd, phone, email
          from ostiary.role_contactinfo
    """,
    "tenant_contactinfo": """
        select tenant_id as tenantid, address, city, stateprov, mailcd, phone, email
          from ostiary.tenant_contactinfo
    """,
}


def upgrade() -> None:
    op.execute("create schema roles_pbac")
    for name, query in VIEWS.items():
        op.execute(f"create view roles_pbac.{name} as {query}")


def downgrade() -> None:
    op.execute("drop schema roles_pbac cascade")
