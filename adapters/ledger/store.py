"""Reads and writes the ledger; the only place that swaps a rollout's state."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, insert, inspect, select, update
from sqlalchemy.engine import make_url
from sqlalchemy.exc import IntegrityError, OperationalError

from adapters.ledger import tables
from adapters.ledger.observations import Observations
from adapters.ledger.rows import from_json, text, time, to_json
from contracts.errors import Conflict, OutsideError
from contracts.events import Intent, IntentKind, Trigger
from contracts.rollout import Act, Basis, Decision, DecisionRecord, ModelRef, Phase, RolloutState, Route, Submission, fresh_state
from contracts.verdict import Verdict

_MIGRATIONS = Path(__file__).with_name("migrations")
_ONE_MIGRATION = threading.Lock()  # Alembic keeps its context in a module: one thread of a process at a time
_MIGRATION_LOCK = 7_483_920  # PostgreSQL advisory lock: one process migrates at a time


class Ledger(Observations):
    """The ledger at an SQLAlchemy URL (SQLite or PostgreSQL); its schema is brought up to date when it is opened."""

    def __init__(self, url: str) -> None:
        self._engine = _engine(url)
        with _clear_errors(url):
            self.migrate()

    @contextmanager
    def _write(self) -> Iterator[Connection]:
        with self._engine.execution_options(writes=True).begin() as connection:
            yield connection

    def _read(self) -> Any:
        return self._engine.connect()

    def close(self) -> None:
        """Give back every connection."""
        self._engine.dispose()

    def migrate(self) -> None:
        """Run the migrations that are missing; safe when several processes start at once."""
        if self._is_current():
            return
        from alembic import command
        from alembic.config import Config

        config = Config()
        config.set_main_option("script_location", str(_MIGRATIONS))
        config.set_main_option("path_separator", "os")
        # begun here: Alembic would commit after each migration on SQLite, and let another process in that has yet to run the same ones
        with _ONE_MIGRATION, self._write() as connection:
            if self._engine.dialect.name == "postgresql":
                connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_MIGRATION_LOCK})")
            config.attributes["connection"] = connection
            command.upgrade(config, "head")

    def _is_current(self) -> bool:
        """Whether the newest migration has run: asked first, since Alembic's import alone takes longer than a decision."""
        newest = max(path.stem for path in (_MIGRATIONS / "versions").glob("r*.py"))
        with self._read() as connection:
            if not inspect(connection).has_table("alembic_version"):
                return False
            found = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
        return newest.startswith(f"r{found}_")

    def state(self, pipeline: str) -> RolloutState:
        """Return where a rollout stands."""
        with self._read() as connection:
            found = connection.execute(select(tables.rollouts.c.state).where(tables.rollouts.c.pipeline == pipeline)).scalar()
        return fresh_state(pipeline) if found is None else from_json(found, RolloutState)

    def routes(self) -> dict[str, Route]:
        """Return the desired route of every pipeline that has a champion."""
        with self._read() as connection:
            states = [from_json(row, RolloutState) for row in connection.execute(select(tables.rollouts.c.state)).scalars()]
        return {state.pipeline: state.route for state in states if state.champion is not None}

    def save(self, decision: Decision, clock: datetime, basis: Basis | None = None) -> DecisionRecord:
        """Swap the state, add the decision with what its verdicts rest on, and consume what it answers, all or nothing.

        Raises:
            Conflict: somebody else decided first; read again and decide again.
        """
        state = decision.state
        try:
            with self._write() as connection:
                _swap(connection, state)
                added = connection.execute(insert(tables.decisions).values(_decision_row(decision, clock, basis)))
                for table, ids in ((tables.intents, decision.intents), (tables.submissions, decision.submissions)):
                    connection.execute(update(table).where(table.c.id.in_(ids)).values(consumed_by=state.revision))
                key = added.inserted_primary_key
        except IntegrityError as error:
            raise Conflict(f"Revision {state.revision} of '{state.pipeline}' was written by somebody else.", "Read again.") from error
        return self.decision(state.pipeline, int(key[0] if key else 0))

    def decisions(self, pipeline: str, limit: int = 50) -> list[DecisionRecord]:
        """Return the decisions, newest first."""
        table = tables.decisions
        query = select(table).where(table.c.pipeline == pipeline).order_by(table.c.id.desc()).limit(limit)
        with self._read() as connection:
            return [_record(row) for row in connection.execute(query).mappings()]

    def decision(self, pipeline: str, decision_id: int) -> DecisionRecord:
        """Return one decision.

        Raises:
            KeyError: there is no such decision.
        """
        table = tables.decisions
        with self._read() as connection:
            row = connection.execute(select(table).where(table.c.pipeline == pipeline, table.c.id == decision_id)).mappings().first()
        if row is None:
            raise KeyError(decision_id)
        return _record(row)

    def add_intent(self, pipeline: str, kind: IntentKind, actor: str, reason: str, version: str | None = None) -> Intent:
        """Record what an operator asks for; with a version, only while that is the candidate."""
        at = datetime.now(UTC)
        row = {"pipeline": pipeline, "kind": kind.value, "actor": actor, "reason": reason, "at": text(at), "version": version}
        with self._write() as connection:
            key = connection.execute(insert(tables.intents).values(row)).inserted_primary_key
        return Intent(int(key[0] if key else 0), kind, actor, reason, at, version)

    def intents(self, pipeline: str) -> tuple[Intent, ...]:
        """Return the intents that no decision has answered, oldest first."""
        table = tables.intents
        query = select(table).where(table.c.pipeline == pipeline, table.c.consumed_by.is_(None)).order_by(table.c.id)
        with self._read() as connection:
            rows = connection.execute(query).mappings().all()
        return tuple(
            Intent(row["id"], IntentKind(row["kind"]), row["actor"], row["reason"], time(row["at"]), row["version"]) for row in rows
        )

    def answer_to(self, intent: Intent, pipeline: str) -> DecisionRecord | None:
        """Return the decision that answered an intent, or None while none has."""
        answered = select(tables.intents.c.consumed_by).where(tables.intents.c.id == intent.id).scalar_subquery()
        table = tables.decisions
        query = select(table).where(table.c.pipeline == pipeline, table.c.revision == answered)
        with self._read() as connection:
            row = connection.execute(query).mappings().first()
        return None if row is None else _record(row)

    def submit(self, pipeline: str, model: ModelRef, gates: tuple[Verdict, ...], trigger: Trigger) -> Submission:
        """Ask that a registered version become champion; the same version asks once, however often it is submitted."""
        row = {
            "pipeline": pipeline,
            "version": model.version,
            "model": to_json(model),
            "gates": to_json(gates),
            "at": text(datetime.now(UTC)),
            "cause": trigger.cause.value,
            "reason": trigger.reason,
            "actor": trigger.actor,
        }
        table = tables.submissions
        query = select(table).where(table.c.pipeline == pipeline, table.c.version == model.version)
        with self._write() as connection:
            if connection.execute(query).first() is None:
                connection.execute(insert(table).values(row))
            return _submission(connection.execute(query).mappings().one())

    def submissions(self, pipeline: str, *, waiting: bool = True) -> tuple[Submission, ...]:
        """Return the versions that wait to be taken up, oldest first; with `waiting=False` all there ever were."""
        table = tables.submissions
        query = select(table).where(table.c.pipeline == pipeline).order_by(table.c.id)
        if waiting:
            query = query.where(table.c.consumed_by.is_(None))
        with self._read() as connection:
            return tuple(_submission(row) for row in connection.execute(query).mappings())


def _engine(url: str) -> Engine:
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite":
        return create_engine(parsed, pool_pre_ping=True)
    if parsed.database:
        Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(parsed, connect_args={"timeout": 30})
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # SQLAlchemy begins the transaction itself, so that a swap holds the lock from its first read
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")


def _begin_sqlite(connection: Connection) -> None:
    """A writer takes the lock at once, so that what it reads before it swaps cannot change; readers never wait."""
    connection.exec_driver_sql("BEGIN IMMEDIATE" if connection.get_execution_options().get("writes") else "BEGIN")


@contextmanager
def _clear_errors(url: str) -> Iterator[None]:
    try:
        yield
    except OperationalError as error:
        where = make_url(url).render_as_string(hide_password=True)
        raise OutsideError(
            f"The ledger at {where} cannot be opened: {error.orig}.", "Check UNDERSTUDY_LEDGER_URL and try again."
        ) from error


def _swap(connection: Connection, state: RolloutState) -> None:
    table = tables.rollouts
    values = {"revision": state.revision, "state": to_json(state)}
    if state.revision == 1:
        connection.execute(insert(table).values(pipeline=state.pipeline, **values))
        return
    before = (table.c.pipeline == state.pipeline) & (table.c.revision == state.revision - 1)
    if connection.execute(update(table).where(before).values(values)).rowcount != 1:
        raise Conflict(f"Revision {state.revision - 1} of '{state.pipeline}' is no longer the newest.", "Read again.")


def _decision_row(decision: Decision, clock: datetime, basis: Basis | None) -> dict[str, Any]:
    state = decision.state
    return {
        "pipeline": state.pipeline,
        "revision": state.revision,
        "at": text(datetime.now(UTC)),
        "clock": text(clock),
        "act": decision.act.value,
        "reason": decision.reason,
        "actor": decision.actor,
        "version": decision.version,
        "epoch": state.epoch,
        "phase": state.phase.value,
        "verdicts": [asdict(one) for one in decision.verdicts],
        "basis": None if basis is None or not decision.verdicts else to_json(basis),
    }


def _record(row: Any) -> DecisionRecord:
    values = {str(name): value for name, value in row.items()}
    values |= {"at": time(row["at"]), "clock": time(row["clock"]), "act": Act(row["act"]), "phase": Phase(row["phase"])}
    values["basis"] = None if row["basis"] is None else from_json(row["basis"], Basis)
    return DecisionRecord(**values | {"verdicts": from_json(row["verdicts"], tuple[Verdict, ...])})


def _submission(row: Any) -> Submission:
    model, gates = from_json(row["model"], ModelRef), from_json(row["gates"], tuple[Verdict, ...])
    return Submission(row["id"], model, time(row["at"]), row["cause"], row["reason"], row["actor"], gates)
