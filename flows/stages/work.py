"""The folder one retrain works in: what each stage leaves there for the next, and how results are written."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import msgspec

from adapters.file_lock import file_lock
from adapters.settings import Settings
from adapters.whole_file import write_whole

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Work:
    """Where the files of one retrain are."""

    folder: Path

    @property
    def package(self) -> Path:
        """The fitted model."""
        return self.folder / "package"

    @property
    def held_out(self) -> Path:
        """Rows the fit has not seen: Parquet."""
        return self.folder / "held_out.parquet"

    @property
    def window(self) -> Path:
        """Rows to fit, where they are not in memory, while they are fitted: Parquet, a batch a row group."""
        return self.folder / "window.parquet"

    @property
    def answers(self) -> Path:
        """Truth, answers and losses of candidate and champion on the rows that were compared: Parquet."""
        return self.folder / "answers.parquet"

    @property
    def predictions(self) -> Path:
        """The candidate's answers to the first rows that were compared, bit by bit, for a reproduction: Parquet."""
        return self.folder / "predictions.parquet"

    @property
    def error_over_time(self) -> Path:
        """Mean loss of candidate and champion over held-out time: CSV."""
        return self.folder / "error_over_time.csv"

    @property
    def report(self) -> Path:
        """What the registry keeps with the version."""
        return self.folder / "report"

    def result(self, stage: str) -> Path:
        """What a stage found, as JSON."""
        return self.folder / f"{stage}.json"


@contextmanager
def work_folder(settings: Settings, pipeline: str, run: str) -> Iterator[Path]:
    """Give a retrain a folder of its own and take it away at the end; a second retrain of the pipeline waits here.

    What a killed run left goes first: whoever holds the lock knows that nobody else works there.

    Raises:
        OutsideError: another retrain of the pipeline ran for the whole waiting time.
    """
    place = settings.home / "work" / pipeline
    with file_lock(settings.home / "locks" / f"retrain-{pipeline}"):
        shutil.rmtree(place, ignore_errors=True)
        folder = place / run
        folder.mkdir(parents=True)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def write_json(path: Path, record: object) -> None:
    """Write a record as indented JSON, whole or not at all."""
    write_whole(path, msgspec.json.format(msgspec.json.encode(record), indent=2) + b"\n")


def read_json(path: Path, kind: type[_T]) -> _T:
    """Return the record that `write_json` wrote."""
    return msgspec.json.decode(path.read_bytes(), type=kind)
