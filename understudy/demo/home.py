"""The demonstration's home: begun afresh each time, and only where a demonstration made it."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

from adapters.settings import Settings
from contracts.errors import UsageError

MARKER = "demo.json"
PLAYED = {"ad_clicks", "bike_demand"}
_KEPT = {"templates", "webhook.secret", "run", MARKER}
_DATABASES = {"prefect.db": "prefect/prefect.db", "mlflow.db": "mlflow.db"}  # template → where its server looks for it


def begin_afresh(settings: Settings) -> None:
    """Remove what an earlier demonstration left in this home; migrated empty databases are put in place where they were kept.

    Raises:
        UsageError: the home holds state that no demonstration made; nothing was removed.
    """
    home = settings.home
    strangers = _strangers(home)
    if strangers:
        raise UsageError(
            f"{home} holds {', '.join(strangers)}, which no demonstration made; it is left alone.",
            "Give the demonstration another home: understudy --home DIR demo",
        )
    home.mkdir(parents=True, exist_ok=True)
    (home / MARKER).write_text(json.dumps({"made_by": "understudy demo"}) + "\n")
    for path in home.iterdir():
        if path.name not in _KEPT:
            _remove(path)
    for name, place in _DATABASES.items():
        if (home / "templates" / name).exists():
            (home / place).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(home / "templates" / name, home / place)


def _strangers(home: Path) -> list[str]:
    """Return what a demonstration must not remove: anything where none was played, and other pipelines' data where one was."""
    if not home.exists():
        return []
    if not (home / MARKER).exists():
        return sorted(path.name for path in home.iterdir())[:5]
    folders = [path for name in ("traffic", "data-repo") for path in (home / name).glob("[!.]*") if path.is_dir()]
    return sorted({f"pipeline '{path.name}'" for path in folders if path.name not in PLAYED})


def keep_templates(settings: Settings) -> None:
    """Keep the servers' databases as they are before the first act: migrating them again would take half a minute."""
    folder = settings.home / "templates"
    folder.mkdir(exist_ok=True)
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
