"""Runs one drift library over windows that were handed over; needs pyarrow and numpy only, for it runs inside each peer's environment.

    python drift_PEER.py score FOLDER OUT.json SECONDS      scores of FOLDER's pairs, as many as fit into the time (of CPU)
    python drift_PEER.py time FOLDER OUT.json REPEATS       seconds of FOLDER/big_*.parquet, and the process's peak memory

A detector takes reference and window, prepared, and returns a score for each column it looked at; more is more drift.
"""

from __future__ import annotations

import csv
import json
import math
import resource
import statistics
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

Detector = Callable[[Any, Any], dict[str, float]]


def main(
    prepare: Callable[[pa.Table], Any], detectors: dict[str, Detector], timed: tuple[str, ...], only_timed: tuple[str, ...] = ()
) -> None:
    """Do what the command line asks for.

    Args:
        prepare: turns a table into what the library takes; not timed.
        timed: the detectors that together are one look at all columns. only_timed: those that give no score.
    """
    warnings.simplefilter("ignore")
    mode, folder, out, number = sys.argv[1:5]
    if mode == "score":
        found = _score(Path(folder), prepare, {name: one for name, one in detectors.items() if name not in only_timed}, float(number))
    else:
        found = _time(Path(folder), prepare, [detectors[name] for name in timed], int(number))
    Path(out).write_text(json.dumps(found))


def surprise(p_value: float) -> float:
    """Return a p-value as a score."""
    return -math.log10(max(float(p_value), 1e-300))


def _score(folder: Path, prepare: Callable[[pa.Table], Any], detectors: dict[str, Detector], seconds: float) -> dict[str, Any]:
    references, windows = pq.ParquetFile(folder / "references.parquet"), pq.ParquetFile(folder / "windows.parquet")
    with (folder / "pairs.csv").open() as file:
        draws = [int(row["draw"]) for row in csv.DictReader(file)]
    scores: list[dict[str, dict[str, float]]] = []
    end = time.process_time() + seconds  # of CPU, so that a busy machine gives the same windows
    for number, draw in enumerate(draws):
        if time.process_time() > end:
            break
        reference, window = prepare(references.read_row_group(draw)), prepare(windows.read_row_group(number))
        scores.append({name: one(reference, window) for name, one in detectors.items()})
    return {"scores": scores}


def _time(folder: Path, prepare: Callable[[pa.Table], Any], detectors: list[Detector], repeats: int) -> dict[str, Any]:
    reference, window = (prepare(pq.read_table(folder / f"big_{name}.parquet")) for name in ("reference", "window"))
    wall, cpu = [], []
    for _ in range(1 + repeats):  # the first is not counted
        began = time.perf_counter(), time.process_time()
        for one in detectors:
            one(reference, window)
        wall.append(time.perf_counter() - began[0])
        cpu.append(time.process_time() - began[1])
    kept = slice(min(1, repeats), None)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"wall": statistics.median(wall[kept]), "cpu": statistics.median(cpu[kept]), "peak_mb": peak}
