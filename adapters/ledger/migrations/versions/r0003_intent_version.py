"""An operator's wish may be about one version only."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add the column; wishes of before are about whichever candidate there is."""
    op.add_column("intents", sa.Column("version", sa.String(32)))
