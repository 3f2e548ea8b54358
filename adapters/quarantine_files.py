"""The files of a pipeline's quarantine: rows set aside, refused batches, rows that were released, and who released them."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from adapters.parquet_files import write_parquet
from adapters.row_digest import row_digest
from adapters.same_rows import same_rows
from adapters.settings import Settings
from adapters.whole_file import write_whole
from contracts.columns import EVENT_TIME, REASONS

_REFUSED = "refused-"
_SECOND = "%Y%m%dT%H%M%SZ"


def span_of(rows: pd.DataFrame) -> str:
    """Return from when to when rows are, as names of files and folders have it."""
    return f"{rows[EVENT_TIME].min():{_SECOND}}-{rows[EVENT_TIME].max():{_SECOND}}"


class QuarantineFiles:
    """What `quarantine/PIPELINE` holds; whoever writes holds the data repository."""

    def __init__(self, settings: Settings, pipeline: str) -> None:
        self.folder = settings.home / "quarantine" / pipeline
        self._journal = self.folder / "releasing.json"
        self._audit = self.folder / "releases.jsonl"

    def aside(self) -> list[Path]:
        """Return the files of rows that were set aside, by time; what a release has only begun to write is none of them."""
        return [path for path in sorted(self.folder.glob("[!.]*.parquet")) if not path.name.startswith(_REFUSED)]

    def refused(self) -> list[Path]:
        """Return the files of batches that were refused, by time."""
        return sorted(self.folder.glob(f"{_REFUSED}*.parquet"))

    def releases(self) -> list[dict[str, Any]]:
        """Return who released what and why, oldest first."""
        return [json.loads(line) for line in self._audit.read_text(encoding="utf-8").splitlines()] if self._audit.is_file() else []

    def keep(self, parts: list[pd.DataFrame], watermark: datetime | None) -> None:
        """Keep rows of a batch that is about to be committed, and take them out of the files that an ingest left that was killed.

        Of such a file the rows after the watermark go, for they are read again, and those that are set aside again now.
        """
        parts = [rows for rows in parts if not rows.empty]
        kept = [self.folder / f"{span_of(rows)}-{row_digest(rows)[:8]}.parquet" for rows in parts]
        for path, rows in zip(kept, parts, strict=True):
            write_parquet(rows, path)
        spans = [_ends(path) for path in kept]
        since = "" if watermark is None else f"{watermark:{_SECOND}}"
        for path in sorted(set(self.aside()) - set(kept)):
            first, last = _ends(path)  # most files need not be opened
            if last >= since or any(first <= other[1] and other[0] <= last for other in spans):
                _take_out(path, parts, watermark)

    def refuse(self, rows: pd.DataFrame) -> Path:
        """Keep the rows of a refused batch, and return where."""
        path = self.folder / f"{_REFUSED}{span_of(rows)}.parquet"
        write_parquet(rows, path)
        return path

    def begin_release(self, left: dict[Path, pd.DataFrame], record: dict[str, Any]) -> None:
        """Note what each file is to hold after a release, and the record of it, before anything is done."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for path, rows in left.items():
            write_parquet(rows, self._after(path))
        text = json.dumps({"files": {path.name: row_digest(pd.read_parquet(path)) for path in left}, "record": record})
        write_whole(self._journal, text.encode())

    def begun(self) -> dict[str, Any] | None:
        """Return the record of a release that was begun and not finished; None where there is none."""
        if not self._journal.is_file():
            return None
        record: dict[str, Any] = json.loads(self._journal.read_text(encoding="utf-8"))["record"]
        return record

    def finish_release(self, done: dict[str, Any]) -> None:
        """Replace the files by what is left of them, and write the record; may be killed and called again."""
        for name, digest in json.loads(self._journal.read_text(encoding="utf-8"))["files"].items():
            path = self.folder / name
            after = self._after(path)
            if after.is_file() and path.is_file() and row_digest(pd.read_parquet(path)) == digest:
                after.replace(path)
            if path.is_file() and pd.read_parquet(path, columns=[EVENT_TIME]).empty:
                path.unlink()
        if not any(one["id"] == done["id"] for one in self.releases()):
            with self._audit.open("a", encoding="utf-8") as stream:
                stream.write(json.dumps(done) + "\n")
        self.drop_release()

    def drop_release(self) -> None:
        """Forget a release that was begun."""
        for left in self.folder.glob(".after-*"):
            left.unlink()
        self._journal.unlink(missing_ok=True)

    def _after(self, path: Path) -> Path:
        return self.folder / f".after-{path.name}"


def _ends(path: Path) -> tuple[str, str]:
    """Return the first and the last second of a file's rows: its name has them."""
    first, last = path.name.split("-")[:2]
    return first, last


def _take_out(path: Path, parts: list[pd.DataFrame], watermark: datetime | None) -> None:
    rows = pd.read_parquet(path)
    gone = np.full(len(rows), fill_value=True) if watermark is None else (rows[EVENT_TIME] > watermark).to_numpy()
    for part in parts:
        gone = gone | same_rows(rows.drop(columns=REASONS, errors="ignore"), part)
    if gone.all():
        path.unlink()
    elif gone.any():
        write_parquet(rows[~gone].reset_index(drop=True), path)
