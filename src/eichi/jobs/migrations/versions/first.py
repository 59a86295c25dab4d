"""The first schema: jobs, what they said, and whether the queue is held."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "jobs",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("request", sa.JSON, nullable=False),
        sa.Column("plan", sa.JSON, nullable=False),
        sa.Column("pace_key", sa.Text, nullable=False),
        sa.Column("folder", sa.Text, nullable=False),
        sa.Column("batch", sa.String(32)),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("priority", sa.Integer, nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("created", sa.Float, nullable=False),
        sa.Column("started", sa.Float),
        sa.Column("ended", sa.Float),
        sa.Column("runner", sa.Text),
        sa.Column("beat", sa.Float),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("ask", sa.String(16)),
        sa.Column("checkpoint", sa.Text),
        sa.Column("progress", sa.JSON),
        sa.Column("result", sa.JSON),
        sa.Column("error", sa.JSON),
        sa.Column("pace", sa.Float),
        sa.Column("said", sa.Integer, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("jobs_order", "jobs", ["status", "priority", "position"])
    op.create_index("jobs_pace", "jobs", ["pace_key"])
    op.create_table(
        "events",
        sa.Column("job", sa.Integer, sa.ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("time", sa.Float, nullable=False),
        sa.Column("body", sa.JSON, nullable=False),
    )
    state = op.create_table(
        "state",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("held", sa.Boolean, nullable=False),
    )
    op.bulk_insert(state, [{"id": 1, "held": False}])
