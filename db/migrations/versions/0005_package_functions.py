"""The functions that expressions may call, as /roles_pbac lists them.

Revision ID: 0005
Revises: 0004
"""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

FUNCTIONS = (
    *("abs", "coalesce", "concat", "current_date", "length", "lower", "now", "round", "trim", "upper"),
    *("avg", "count", "max", "min", "sum"),
)


def upgrade() -> None:
    values = ", ".join(f"('{name}', 'core')" for name in FUNCTIONS)
    op.execute(f"insert into ostiary.package_function (name, package) values {values} on conflict do nothing")  # noqa: S608 - our own names


def downgrade() -> None:
    names = ", ".join(f"'{name}'" for name in FUNCTIONS)
    op.execute(f"delete from ostiary.package_function where name in ({names})")  # noqa: S608 - our own names
