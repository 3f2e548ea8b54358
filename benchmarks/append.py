"""Appending costs what is new, not what is there: the time to add one more day to a data repository of 10 and of 1,000 partitions.

`make bench-append` (a few minutes; `--partitions 200` for a shorter history). Each addition is the whole of it: partition written, stored
and pushed by DVC to a remote, manifest committed, tagged. The bar: at the end of the history it takes at most half as long again. Beside
the wall, which a busy machine stretches, stands the processor's time, git's included.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd

from adapters.data_repo import DataRepo
from adapters.settings import read_settings
from benchmarks.frame import Bench, Row

_ROWS = 24 * 60
_LOOKS = 15  # additions that are timed at the start, and at the end


def _day(number: int) -> pd.DataFrame:
    start = pd.Timestamp("2020-01-01", tz="UTC") + pd.Timedelta(days=number)
    times = pd.date_range(start, periods=_ROWS, freq="1min", unit="us")
    first = number * _ROWS
    return pd.DataFrame({"event_time": times, "id": range(first, first + _ROWS), "x": [float(one % 97) for one in range(_ROWS)], "y": 1.0})


def _worked() -> float:
    """Return the seconds of processor time of this process and of those that it waited for."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def main() -> int:
    """Add the days one by one, and compare the first with the last."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--partitions", type=int, default=1000)
    wanted = parser.parse_args().partitions
    bench = Bench("append", ("dvc", "pandas", "pyarrow"))
    taken, worked = [], []
    with tempfile.TemporaryDirectory(prefix="understudy-append-") as folder:
        repo = DataRepo(read_settings(Path(folder) / "home", Path(folder)))
        for number in range(wanted + _LOOKS):
            day = _day(number)
            began, busy = time.perf_counter(), _worked()
            snapshot = repo.add("sales", day, day.iloc[:0], ["id"])
            taken.append(time.perf_counter() - began)
            worked.append(_worked() - busy)
            if number % 100 == 0:
                print(f"{number} partitions: {taken[-1] * 1000:.0f} ms", file=sys.stderr, flush=True)
        began = time.perf_counter()
        window = repo.frame(snapshot, since=snapshot.watermark - pd.Timedelta(days=7))
        read = time.perf_counter() - began
    for what, seconds in (("ms", taken), ("processor ms", worked)):
        early, late = (statistics.median(some) for some in (seconds[10 : 10 + _LOOKS], seconds[wanted:]))
        bench.add(Row(f"add one more at {wanted} partitions, {what}", late * 1000, early * 1000, "at 10 partitions", bar=1.5))
    bench.add(Row(f"read the newest week ({len(window)} rows) of {wanted} partitions, ms", read * 1000))
    return bench.finish()


if __name__ == "__main__":
    raise SystemExit(main())
