"""What the traffic log costs: appending by sync policy, the frame's format against others, and the join of requests with their feedback.

Appending is timed one batch at a time, in turns, on the disk of the system's temporary folder. The join is `understudy traffic --sql` over
the view `labelled` (DuckDB, 512 MB and then disk) in a process of its own: its closed segments are one real one, copied under other ids.

    python -m benchmarks.log [--requests 10000000] [--appends 2000]
"""

from __future__ import annotations

import argparse
import os
import statistics
import struct
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.ipc
import pyarrow.parquet as pq

from adapters.traffic_closing import close_segments
from adapters.traffic_log import TrafficLog
from adapters.traffic_rules import Fsync, TrafficRules
from benchmarks.frame import Bench, Row
from contracts.traffic import AnsweredBatch, FeedbackBatch
from serving.gateway.upkeep import Upkeep

_FEATURES = 12
_COPIED_ROWS = 250_000
_LABELLED = 0.9  # share of the requests that get a label
_SQL = "SELECT count(*), count(label), avg(abs(prediction - label_value)) FROM labelled"
_JOIN = """
import json, resource, sys, time
from pathlib import Path
from adapters.traffic_sql import ask_traffic
began = time.perf_counter()
(row,) = ask_traffic(Path(sys.argv[1]), sys.argv[2])[1]
print(json.dumps([*row, time.perf_counter() - began, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024]))
"""


def main() -> int:
    """Measure everything."""
    asked = argparse.ArgumentParser(prog="python -m benchmarks.log", description="What the traffic log costs.")
    asked.add_argument("--requests", type=int, default=10_000_000, help="how many are joined with their feedback")
    asked.add_argument("--appends", type=int, default=2000, help="how many batches are appended by each way")
    chosen = asked.parse_args()
    bench = Bench("log", ("msgspec", "pyarrow", "duckdb", "numpy"))
    with tempfile.TemporaryDirectory() as folder:
        measure_appends(bench, Path(folder), chosen.appends)
        measure_join(bench, Path(folder) / "join", chosen.requests)
    return bench.finish()


def _batch(number: int, rows: int, draw: np.random.Generator) -> AnsweredBatch:
    ids = [f"{number:08x}-{row:04x}-4000-8000-000000000000" for row in range(rows)]
    times = [1_700_000_000_000_000 + number * 1000] * rows
    features = {f"f{one}": draw.normal(size=rows).tolist() for one in range(_FEATURES)}
    return AnsweredBatch(
        "p", "7", 3, "champion", 1.0, times[0], 900, ids, list(range(rows)), times, [None] * rows, features, draw.random(rows).tolist()
    )


def measure_appends(bench: Bench, folder: Path, appends: int) -> None:
    """Time one append: by policy, and by format with the policy none."""
    for rows in (1, 64):
        draw = np.random.default_rng(0)
        batches = [_batch(number, rows, draw) for number in range(64)]
        policies: tuple[Fsync, ...] = ("none", "interval", "batch")
        logs = {one: TrafficLog(folder / f"{one}{rows}", TrafficRules(fsync=one)) for one in policies}
        upkeep = Upkeep(logs["interval"].tend)  # as the gateway has it: once a second, in another thread
        upkeep.start()
        ways: dict[str, Callable[[AnsweredBatch], object]] = {name: log.append for name, log in logs.items()} | {
            name: _written(folder / f"{name}{rows}", encode) for name, encode in _FORMATS.items()
        }
        spent = _in_turns(ways, batches, appends)
        upkeep.stop()
        said = f"µs to append {rows} row{'s' if rows > 1 else ''}"
        bench.add(Row(f"{said}, 18 columns", spent["none"], spent["arrow"], "Arrow IPC, a column a feature", bar=0.5))
        bench.add(Row(f"{said}, 18 columns", spent["none"], spent["arrow_list"], "Arrow IPC, features as one list"))
        bench.add(Row(f"{said}, 18 columns", spent["none"], spent["packed"], "packed NumPy record (texts cut to a width)"))
        bench.add(Row(f"{said}, fsync every second", spent["interval"], spent["none"], "fsync none"))
        bench.add(Row(f"{said}, fsync every batch", spent["batch"], spent["none"], "fsync none"))


def _in_turns(ways: dict[str, Callable[[AnsweredBatch], object]], batches: list[AnsweredBatch], appends: int) -> dict[str, float]:
    """Return the median microseconds of each way."""
    spent: dict[str, list[float]] = {name: [] for name in ways}
    draw = np.random.default_rng(0)
    for number in range(appends):
        for name in draw.permutation([*ways]).tolist():  # whoever comes after its like finds its code in the cache
            append = ways[name]
            if name == "batch" and number % 10:  # it waits for the disk: fewer are enough
                continue
            began = time.perf_counter()
            append(batches[number % len(batches)])
            spent[name].append((time.perf_counter() - began) * 1e6)
    return {name: statistics.median(values) for name, values in spent.items()}


def _written(path: Path, encode: Callable[[AnsweredBatch], bytes]) -> Callable[[AnsweredBatch], object]:
    path.parent.mkdir(parents=True, exist_ok=True)
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def append(batch: AnsweredBatch) -> int:
        body = encode(batch)
        return os.write(file, struct.pack("<II", len(body), zlib.crc32(body)) + body)

    return append


def _columns(batch: AnsweredBatch) -> dict[str, Any]:
    count = len(batch.rows)
    return {
        "version": [batch.version] * count, "epoch": [batch.epoch] * count, "request_id": batch.request_ids, "row": batch.rows,
        "event_time": batch.event_times, "prediction": batch.predictions,
    }  # fmt: skip


def _arrow(batch: AnsweredBatch) -> bytes:
    return _ipc(pa.record_batch(_columns(batch) | batch.features))


def _arrow_list(batch: AnsweredBatch) -> bytes:
    values = np.array([*batch.features.values()]).T.ravel()
    features = pa.FixedSizeListArray.from_arrays(pa.array(values), _FEATURES)
    return _ipc(pa.record_batch(_columns(batch) | {"features": features}))


def _ipc(batch: pa.RecordBatch) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return bytes(sink.getvalue())


_RECORD = np.dtype([
    ("version", "S8"), ("epoch", "<i8"), ("request_id", "S36"), ("row", "<i4"), ("event_time", "<i8"), ("prediction", "<f8"),
    ("features", "<f8", (_FEATURES,)),
])  # fmt: skip


def _packed(batch: AnsweredBatch) -> bytes:
    record = np.empty(len(batch.rows), dtype=_RECORD)
    record["version"], record["epoch"] = batch.version, batch.epoch
    record["request_id"], record["row"] = batch.request_ids, batch.rows
    record["event_time"], record["prediction"] = batch.event_times, batch.predictions
    for place, values in enumerate(batch.features.values()):
        record["features"][:, place] = values
    return record.tobytes()


_FORMATS: dict[str, Callable[[AnsweredBatch], bytes]] = {"arrow": _arrow, "arrow_list": _arrow_list, "packed": _packed}


def measure_join(bench: Bench, folder: Path, requests: int) -> None:
    """Time the closing of a real segment, and the join of many like it with their feedback."""
    rows = min(_COPIED_ROWS, requests)
    draw = np.random.default_rng(0)
    log = TrafficLog(folder, TrafficRules(segment_bytes=2**40))
    for number in range(rows // 50):
        batch = _batch(number, 50, draw)
        log.append(batch)
        known = int(50 * _LABELLED)
        told = [round(value) for value in batch.predictions[:known]]
        log.append(FeedbackBatch("p", batch.logged_at, batch.request_ids[:known], batch.rows[:known], told, [None] * known, [0] * known))
    log.close()
    live = sum(path.stat().st_size for path in (folder / "answers").iterdir())
    began = time.perf_counter()
    for stream in ("answers", "feedback"):
        close_segments(folder / stream, print)
    closed = time.perf_counter() - began
    size = sum(path.stat().st_size for path in (folder / "answers").iterdir())
    bench.add(Row("seconds to close 1 million requests and their feedback", closed * 1e6 / rows))
    bench.add(Row("bytes of a closed row", size / rows, live / rows, "bytes of a live row", bar=1.0))
    copies = max(1, requests // rows)
    for stream in ("answers", "feedback"):
        _copy(next((folder / stream).glob("*.parquet")), copies)
    done = subprocess.run([sys.executable, "-c", _JOIN, str(folder), _SQL], check=True, capture_output=True, text=True)
    count, labelled, _error, seconds, peak = (float(one) for one in done.stdout.strip("[]\n").split(","))
    if (count, labelled) != (rows // 50 * 50 * copies, rows // 50 * int(50 * _LABELLED) * copies):
        raise RuntimeError(f"{count:.0f} requests were joined and {labelled:.0f} labels found: the join is wrong")
    millions = f"{count / 1e6:g} million requests with {labelled / 1e6:g} million labels"
    bench.add(Row(f"seconds to join {millions} (DuckDB)", seconds, bar=180.0))
    bench.add(Row(f"MB at the peak of that, joining {millions}", peak, bar=2048.0))


def _copy(path: Path, copies: int) -> None:
    """Put copies of a closed segment beside it, each with ids of its own."""
    table = pq.read_table(path)
    place = table.schema.get_field_index("request_id")
    for number in range(1, copies):
        ids = pc.binary_join_element_wise(str(number), table["request_id"], "-")
        made = table.set_column(place, table.schema.field(place), ids)
        stamp, _, rest = path.name.partition("-")
        pq.write_table(made, path.with_name(f"{int(stamp) + number:020d}-{rest}"), compression="zstd", row_group_size=50_000)


if __name__ == "__main__":
    raise SystemExit(main())
