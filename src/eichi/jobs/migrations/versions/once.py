"""A job remembers what it was asked for by, so that asking once more makes no other, also after a restart."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.add_column("jobs", sa.Column("once", sa.String(64)))
