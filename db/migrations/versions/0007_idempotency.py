"""What became of mutations that carry an idempotency key.

Revision ID: 0007
Revises: 0006
"""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
        create table ostiary.idempotency (
            tenant_id integer not null,
            role_id integer not null,
            scope text not null,
            key text not null,
            digest text not null,
            claim text not null,
            claimed_at timestamptz not null default now(),
            transaction_id text,
            sealed_reply text,
            constraint idempotency_pkey primary key (tenant_id, role_id, scope, key),
            constraint idempotency_tenant_id_role_id_fkey foreign key (tenant_id, role_id)
                references ostiary.role (tenant_id, role_id) on delete cascade
        )
    """)
    op.execute("create index idempotency_claimed_at_index on ostiary.idempotency (claimed_at)")


def downgrade() -> None:
    op.execute("drop table ostiary.idempotency")
