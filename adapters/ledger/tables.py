"""The ledger's tables as SQLAlchemy sees them; the migrations are what makes them."""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Column, Float, Index, Integer, MetaData, String, Table, Text, UniqueConstraint

metadata = MetaData()
_Id = BigInteger().with_variant(Integer, "sqlite")

rollouts = Table(
    "rollouts",
    metadata,
    Column("pipeline", String(64), primary_key=True),
    Column("revision", Integer, nullable=False),
    Column("state", JSON, nullable=False),
)

decisions = Table(
    "decisions",
    metadata,
    Column("id", _Id, primary_key=True, autoincrement=True),
    Column("pipeline", String(64), nullable=False),
    Column("revision", Integer, nullable=False),
    Column("at", String(40), nullable=False),
    Column("clock", String(40), nullable=False),
    Column("act", String(16), nullable=False),
    Column("reason", Text, nullable=False),
    Column("actor", String(128), nullable=False),
    Column("version", String(32)),
    Column("epoch", Integer, nullable=False),
    Column("phase", String(16), nullable=False),
    Column("verdicts", JSON, nullable=False),
    Column("basis", JSON),
    UniqueConstraint("pipeline", "revision"),
)

intents = Table(
    "intents",
    metadata,
    Column("id", _Id, primary_key=True, autoincrement=True),
    Column("pipeline", String(64), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("actor", String(128), nullable=False),
    Column("reason", Text, nullable=False),
    Column("at", String(40), nullable=False),
    Column("consumed_by", Integer),
    Column("version", String(32)),
)

submissions = Table(
    "submissions",
    metadata,
    Column("id", _Id, primary_key=True, autoincrement=True),
    Column("pipeline", String(64), nullable=False),
    Column("version", String(32), nullable=False),
    Column("model", JSON, nullable=False),
    Column("gates", JSON, nullable=False),
    Column("at", String(40), nullable=False),
    Column("cause", String(16), nullable=False),
    Column("reason", Text, nullable=False),
    Column("actor", String(128), nullable=False),
    Column("consumed_by", Integer),
    UniqueConstraint("pipeline", "version"),
)

gateways = Table(
    "gateways",
    metadata,
    Column("pipeline", String(64), primary_key=True),
    Column("id", String(128), primary_key=True),
    Column("view", JSON, nullable=False),
    Column("seen_at", String(40), nullable=False),
)

shadows = Table(
    "shadows",
    metadata,
    Column("pipeline", String(64), primary_key=True),
    Column("view", JSON, nullable=False),
)

evidence = Table(
    "evidence",
    metadata,
    Column("pipeline", String(64), primary_key=True),
    Column("seen", JSON, nullable=False),
)

findings = Table(
    "findings",
    metadata,
    Column("id", _Id, primary_key=True, autoincrement=True),
    Column("pipeline", String(64), nullable=False),
    Column("at", String(40), nullable=False),
    Column("run", String(64), nullable=False),
    Column("finding", JSON, nullable=False),
    Index("ix_findings_pipeline_at", "pipeline", "at"),
)

alerts = Table(
    "alerts",
    metadata,
    Column("id", String(128), primary_key=True),
    Column("pipeline", String(64), nullable=False),
    Column("alert", JSON, nullable=False),
    Column("started_at", String(40), nullable=False),
    Column("resolved_at", String(40)),
)

calls = Table(
    "calls",
    metadata,
    Column("id", _Id, primary_key=True, autoincrement=True),
    Column("at", Float, nullable=False),
    Column("pipeline", String(64)),
    Column("kind", String(32), nullable=False),
    Column("cause", String(16)),
    Column("status", Integer, nullable=False),
    Column("flow_run", String(64)),
    Column("detail", Text, nullable=False),
    Index("ix_calls_pipeline_at", "pipeline", "at"),
)
