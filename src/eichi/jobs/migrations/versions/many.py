"""Several workers: who they are, whose a job is and which model it takes; pieces of files; indexes for long queues."""

import json
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

JOBS = sa.table("jobs", *(sa.column(name) for name in ("id", "request", "model")))


def upgrade() -> None:
    op.add_column("jobs", sa.Column("owner", sa.Text, nullable=False, server_default=""))
    op.add_column("jobs", sa.Column("model", sa.Text, nullable=False, server_default=""))
    op.add_column("jobs", sa.Column("overtaken", sa.Integer, nullable=False, server_default="0"))
    connection = op.get_bind()
    for id, text in connection.execute(sa.select(JOBS.c.id, sa.cast(JOBS.c.request, sa.Text))).all():
        if model := _model(text):
            connection.execute(sa.update(JOBS).where(JOBS.c.id == id).values(model=model))
    op.drop_index("jobs_order", "jobs")
    op.create_index("jobs_order", "jobs", ["status", sa.text("priority DESC"), "position", "id", "ended", "binned"])
    for name in ("position", "once", "batch", "runner", "started", "ended"):
        op.create_index(f"jobs_{name}", "jobs", [name])
    op.create_index("jobs_owner", "jobs", ["owner", "status"])
    op.create_table(
        "workers",
        sa.Column("runner", sa.Text, primary_key=True),
        sa.Column("node", sa.Text, nullable=False),
        sa.Column("device", sa.Text, nullable=False),
        sa.Column("body", sa.JSON, nullable=False),
        sa.Column("since", sa.Float, nullable=False),
        sa.Column("beat", sa.Float, nullable=False),
    )
    op.create_table(
        "pieces",
        sa.Column("key", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.Column("size", sa.Integer, nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("time", sa.Float, nullable=False),
    )


def _model(text: Any) -> str | None:
    """The model that a request asks for, None where it cannot be read: then any worker may take it, as before."""
    try:
        asked = json.loads(text or "null")
    except (ValueError, TypeError, RecursionError):
        return None
    model = asked.get("model") if isinstance(asked, dict) else None
    return model if isinstance(model, str) else None
