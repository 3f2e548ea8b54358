"""On what a decision's verdicts rest."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add the column; decisions of before cannot be computed again."""
    op.add_column("decisions", sa.Column("basis", sa.JSON))
