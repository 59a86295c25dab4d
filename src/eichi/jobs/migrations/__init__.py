"""How a store of any age becomes one of today: a folder for Alembic, append-only."""
