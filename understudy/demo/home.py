"""The demonstration's home: begun afresh each time, and only where nothing but demonstrations has left state."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

from adapters.settings import Settings
from contracts.errors import UsageError
from understudy.services.detached import nothing_up

PLAYED = {"ad_clicks", "bike_demand"}
_KEPT = {"templates", "webhook.secret", "prefect.auth", "run"}
_SQLITE = ("", "-journal", "-wal", "-shm")  # a database, and what lies beside it while it is written or after a kill
# Everything that our code and the servers make in a home; a test reads the code and says what is missing here.
_OURS = _KEPT | {f"{name}{beside}" for name in ("ledger.db", "mlflow.db") for beside in _SQLITE} | {
    "mlartifacts", "prefect", "traffic", "shadow", "data-repo", "data-repo.lock", "data-repo.building", "dvc-remote", "data-docs",
    "sources", "staging", "checks", "quarantine", "work", "locks", "damaged", "model-cache", "monitor", "logs",
    "report.html", "report.json",
}  # fmt: skip
_BY_PIPELINE = ("traffic", "data-repo", "checks", "work")
_DATABASES = {"prefect.db": "prefect/prefect.db", "mlflow.db": "mlflow.db"}  # template → where its server looks for it

_PATIENCE_SECONDS = 30.0  # what an interrupted demonstration had started takes up to ten to stop


def begin_afresh(settings: Settings) -> None:
    """Remove what an earlier demonstration left in this home; migrated empty databases are put in place where they were kept.

    Raises:
        UsageError: the home holds state that no demonstration made; nothing was removed.
        OutsideError: something still works in this home; nothing was removed.
    """
    home = settings.home
    strangers = _strangers(home)
    if strangers:
        raise UsageError(
            f"{home} holds {', '.join(strangers)}, which no demonstration made; it is left alone.",
            "Give the demonstration another home: understudy --home DIR demo",
        )
    with nothing_up(settings, _PATIENCE_SECONDS):
        for path in home.iterdir():
            if path.name not in _KEPT:
                _remove(path)
        for name, place in _DATABASES.items():
            if (home / "templates" / name).exists():
                (home / place).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(home / "templates" / name, home / place)


def _strangers(home: Path) -> list[str]:
    """Return what a demonstration must not remove: files that are not Understudy's, and other pipelines' data."""
    if not home.exists():
        return []
    files = [path.name for path in home.iterdir() if path.name not in _OURS]
    folders = [path for name in _BY_PIPELINE for path in (home / name).glob("[!.]*") if path.is_dir()]
    return sorted(files)[:5] + sorted({f"pipeline '{path.name}'" for path in folders if path.name not in PLAYED})


def keep_templates(settings: Settings) -> None:
    """Keep the servers' databases as they are before the first act: migrating them again would take half a minute."""
    folder = settings.home / "templates"
    folder.mkdir(exist_ok=True)
    for left in folder.glob("*.part*"):
        left.unlink()
    for name, place in _DATABASES.items():
        if (folder / name).exists() or not (settings.home / place).exists():
            continue
        with closing(sqlite3.connect(settings.home / place)) as source, closing(sqlite3.connect(folder / f"{name}.part")) as copy:
            source.backup(copy)
        (folder / f"{name}.part").replace(folder / name)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
