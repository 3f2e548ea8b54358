"""The first tables; decisions can only be added, never changed or removed."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def _text(name: str, size: int, *, primary_key: bool = False, nullable: bool = False) -> "sa.Column[str]":
    return sa.Column(name, sa.String(size), primary_key=primary_key, nullable=nullable)


def upgrade() -> None:
    """Make the tables and forbid changes to decisions."""
    op.create_table("rollouts", _text("pipeline", 64, primary_key=True), sa.Column("revision", sa.Integer, nullable=False), _json("state"))
    op.create_table(
        "decisions",
        sa.Column("id", _ID, primary_key=True, autoincrement=True),
        _text("pipeline", 64),
        sa.Column("revision", sa.Integer, nullable=False),
        _text("at", 40),
        _text("clock", 40),
        _text("act", 16),
        sa.Column("reason", sa.Text, nullable=False),
        _text("actor", 128),
        _text("version", 32, nullable=True),
        sa.Column("epoch", sa.Integer, nullable=False),
        _text("phase", 16),
        _json("verdicts"),
        sa.UniqueConstraint("pipeline", "revision"),
    )
    _create_requests()
    _create_views()
    _forbid_changes()


def _json(name: str) -> "sa.Column[object]":
    return sa.Column(name, sa.JSON, nullable=False)


def _create_requests() -> None:
    op.create_table(
        "intents",
        sa.Column("id", _ID, primary_key=True, autoincrement=True),
        _text("pipeline", 64),
        _text("kind", 16),
        _text("actor", 128),
        sa.Column("reason", sa.Text, nullable=False),
        _text("at", 40),
        sa.Column("consumed_by", sa.Integer),
    )
    op.create_table(
        "submissions",
        sa.Column("id", _ID, primary_key=True, autoincrement=True),
        _text("pipeline", 64),
        _text("version", 32),
        _json("model"),
        _json("gates"),
        _text("at", 40),
        _text("cause", 16),
        sa.Column("reason", sa.Text, nullable=False),
        _text("actor", 128),
        sa.Column("consumed_by", sa.Integer),
        sa.UniqueConstraint("pipeline", "version"),
    )


def _create_views() -> None:
    op.create_table(
        "gateways", _text("pipeline", 64, primary_key=True), _text("id", 128, primary_key=True), _json("view"), _text("seen_at", 40)
    )
    op.create_table("shadows", _text("pipeline", 64, primary_key=True), _json("view"))
    op.create_table(
        "findings",
        sa.Column("id", _ID, primary_key=True, autoincrement=True),
        _text("pipeline", 64),
        _text("at", 40),
        _text("run", 64),
        _json("finding"),
    )
    op.create_index("ix_findings_pipeline_at", "findings", ["pipeline", "at"])
    op.create_table(
        "alerts",
        _text("id", 128, primary_key=True),
        _text("pipeline", 64),
        _json("alert"),
        _text("started_at", 40),
        _text("resolved_at", 40, nullable=True),
    )
    op.create_table(
        "calls",
        sa.Column("id", _ID, primary_key=True, autoincrement=True),
        sa.Column("at", sa.Float, nullable=False),
        _text("pipeline", 64, nullable=True),
        _text("kind", 32),
        _text("cause", 16, nullable=True),
        sa.Column("status", sa.Integer, nullable=False),
        _text("flow_run", 64, nullable=True),
        sa.Column("detail", sa.Text, nullable=False),
    )
    op.create_index("ix_calls_pipeline_at", "calls", ["pipeline", "at"])


def _forbid_changes() -> None:
    if op.get_bind().dialect.name == "sqlite":
        for change in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER decisions_no_{change.lower()} BEFORE {change} ON decisions "
                "BEGIN SELECT RAISE(ABORT, 'decisions are append-only'); END"
            )
        return
    op.execute(
        "CREATE FUNCTION decisions_append_only() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'decisions are append-only'; END $$"
    )
    op.execute(
        "CREATE TRIGGER decisions_append_only BEFORE UPDATE OR DELETE ON decisions FOR EACH ROW EXECUTE FUNCTION decisions_append_only()"
    )
