"""A row counts its changes, so that who looks at all reads only those that changed; a removed job can come back."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.add_column("jobs", sa.Column("version", sa.Integer, nullable=False, server_default="0"))
    op.add_column("jobs", sa.Column("binned", sa.Float))
    op.add_column("jobs", sa.Column("binned_files", sa.Boolean))
