"""A tenant says for itself whether its logins are concealed; null leaves it to the gateway's setting.

Revision ID: 0003
Revises: 0002
"""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("alter table ostiary.tenant add column conceal_logins boolean")


def downgrade() -> None:
    op.execute("alter table ostiary.tenant drop column conceal_logins")
