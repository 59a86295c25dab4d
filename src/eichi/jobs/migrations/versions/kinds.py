"""What a job said is told apart by `kind`, in small letters; before, it was the name of a class under `event`."""

import json
import re
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

JOBS = sa.table("jobs", sa.column("id", sa.Integer), sa.column("progress", sa.JSON), sa.column("result", sa.JSON))
EVENTS = sa.table("events", sa.column("job", sa.Integer), sa.column("number", sa.Integer), sa.column("body", sa.JSON))


def upgrade() -> None:
    connection = op.get_bind()
    for name in ("progress", "result"):
        column = JOBS.c[name]
        for id, text in connection.execute(sa.select(JOBS.c.id, sa.cast(column, sa.Text))).all():
            if (told := _kind(text)) is not None:
                connection.execute(sa.update(JOBS).where(JOBS.c.id == id).values({name: told}))
    kept = sa.select(EVENTS.c.job, EVENTS.c.number, sa.cast(EVENTS.c.body, sa.Text))
    for job, number, text in connection.execute(kept).all():
        if (told := _kind(text)) is not None:
            mine = (EVENTS.c.job == job) & (EVENTS.c.number == number)
            connection.execute(sa.update(EVENTS).where(mine).values(body=told))


def _kind(text: str | None) -> dict[str, Any] | None:
    """The message with its kind, None for what is none of the old form; a damaged one stays as it is."""
    try:
        told = json.loads(text or "null")
    except ValueError:
        return None
    if not isinstance(told, dict) or "event" not in told:
        return None
    name = str(told.pop("event"))
    return told | {"kind": re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()}
