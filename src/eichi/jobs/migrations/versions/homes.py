"""Several machines: at which one a job was added, whose paths it names, and what was in the files of its request."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.add_column("jobs", sa.Column("node", sa.Text, nullable=False, server_default=""))
    op.add_column("jobs", sa.Column("inputs", sa.JSON))
