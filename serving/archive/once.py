"""One pass: close, send, forget; a pipeline in trouble keeps no other from its turn."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError
from structlog.typing import FilteringBoundLogger

from adapters.ledger import Ledger
from adapters.settings import Settings
from adapters.traffic_closing import close_segments
from adapters.traffic_holes import clear_marks
from adapters.traffic_keeping import SENT, forget, send
from adapters.traffic_segments import held_if_closed
from adapters.traffic_store import Store, open_store
from contracts.errors import UnderstudyError
from serving.archive.needed import needed_of


def archive(settings: Settings, log: FilteringBoundLogger) -> None:
    """Close every segment without a writer, send what is closed, delete what may go.

    Raises:
        UsageError: the address of the object store is none.
    """
    store = None if settings.traffic_rules.url is None else open_store(settings.traffic_rules.url)
    for folder in _logs(settings):
        says = log.bind(pipeline=folder.name)
        closed = sum(close_segments(stream, says.warning) for stream in sorted(folder.iterdir()) if stream.is_dir())
        clear_marks(folder)
        sent = 0 if store is None else send(folder, folder.name, store, says.warning)
        gone = 0 if store is None else _forgotten(settings, folder, store, says)
        if closed or sent or gone:
            says.info("archived", closed=closed, sent=sent, deleted=gone)


def _forgotten(settings: Settings, folder: Path, store: Store, says: FilteringBoundLogger) -> int:
    """Delete what may go; whoever cannot be asked what is needed needs everything."""
    try:
        ledger = Ledger(settings.ledger_url)
        try:
            needed = needed_of(settings, ledger, folder.name, datetime.now(UTC))
        finally:
            ledger.close()
        return forget(folder, folder.name, settings.traffic_rules, needed, store, datetime.now(UTC))
    except (UnderstudyError, SQLAlchemyError, OSError) as error:
        says.warning("nothing is deleted", why=str(error)[:300])
        return 0


def is_due(settings: Settings) -> bool:
    """Whether a pass would close or send something; quick enough to be asked every minute."""
    return any(_is_free(path) for folder in _logs(settings) for path in folder.glob("*/*.seg")) or (
        settings.traffic_rules.url is not None
        and any(not path.with_suffix(SENT).exists() for folder in _logs(settings) for path in folder.glob("*/*.parquet"))
    )


def _is_free(segment: Path) -> bool:
    try:
        with held_if_closed(segment) as free:
            return free and segment.stat().st_size > 0
    except FileNotFoundError:
        return False


def _logs(settings: Settings) -> list[Path]:
    return sorted(one for one in settings.traffic.iterdir() if one.is_dir()) if settings.traffic.is_dir() else []
