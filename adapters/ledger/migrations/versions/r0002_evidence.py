"""What the newest tick measured, whether or not it led to a decision."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make the table; one row a pipeline."""
    op.create_table("evidence", sa.Column("pipeline", sa.String(64), primary_key=True), sa.Column("seen", sa.JSON, nullable=False))
