"""Which wires of other systems a tenant opens, beside the gateway's own; at first none.

Revision ID: 0011
Revises: 0010
"""

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
        alter table ostiary.tenant add column facades text[] default '{}' not null
            constraint tenant_facades_check check (facades <@ array['realm', 'backendless', 'mudbase'])
    """)


def downgrade() -> None:
    op.execute("alter table ostiary.tenant drop column facades")
