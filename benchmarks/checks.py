"""A suite of 20 expectations on 10 million rows × 12 columns: ours beside Great Expectations on pandas, pandera and Polars.

The Parquet file is made once, in a temporary folder. Each runs in a process of its own, pandera and Polars in an environment that the first
run builds below .venv/peers. Time is that of the check alone, without imports; memory is the process's peak, libraries included.
`bound` is one read of the file's columns, a batch at a time. Who answered otherwise than ours is named, and that fails the run.

    python -m benchmarks.checks [--rows 10000000]
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.frame import Bench, Row
from benchmarks.peers.checks_data import write
from benchmarks.peers.environments import environment, quiet, versions

_HERE = Path(__file__).parent
_OWN = ("ours", "bound", "great_expectations")
_PEERS = ("polars", "pandera_polars", "pandera_pandas")
_REPEATS = {"ours": 3, "bound": 3, "polars": 3}  # the least of so many; one of those that take long
_MEMORY = 1024


def main(arguments: list[str] | None = None) -> int:
    """Measure everything; exit 1 where a bar is not met, or where two do not agree."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=10_000_000)
    asked = parser.parse_args(arguments)
    bench = Bench("checks", ("duckdb", "great-expectations", "pandas", "pyarrow"))
    environment("pandera")
    with tempfile.TemporaryDirectory(prefix="understudy-bench-") as folder:
        path = Path(folder) / "rows.parquet"
        write(path, asked.rows)
        found = {name: _run(name, path) for name in (*_OWN, *_PEERS)}
    differ = sorted(name for name, one in found.items() if name != "bound" and one["failing"] != found["ours"]["failing"])
    _rows(bench, asked.rows, found)
    bench.peers |= {name: version for name, version in versions("pandera").items() if name in ("pandera", "polars")}
    code = bench.finish()
    if differ:
        print(f"Another number of failing rows: {', '.join(differ)}: {[found[name]['failing'] for name in ('ours', *differ)]}")
    return 1 if differ else code


def _run(name: str, path: Path) -> dict[str, Any]:
    """Return the quickest of some runs, each in a process of its own."""
    runs = [_once(name, path) for _ in range(_REPEATS.get(name, 1))]
    best = min(runs, key=lambda one: one["seconds"])
    return best | {"peak_mb": max(one["peak_mb"] for one in runs)}


def _once(name: str, path: Path) -> dict[str, Any]:
    if name in _OWN:
        command, env = [sys.executable, "-m", "benchmarks.peers.checks_own", name, str(path)], dict(os.environ)
    else:
        command, env = [str(environment("pandera")), str(_HERE / "peers" / "checks_peers.py"), name, str(path)], quiet()
    done = subprocess.run(command, check=True, env=env, cwd=_HERE.parent, stdout=subprocess.PIPE, text=True, timeout=600)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    print(
        f"{name}: {found['seconds']:.2f} s, {found['cpu']:.2f} s of CPU, {found['peak_mb']:.0f} MB, {found['failing']} failing", flush=True
    )
    return found


def _rows(bench: Bench, rows: int, found: dict[str, Any]) -> None:
    ours = found["ours"]
    for name in ("great_expectations", *_PEERS, "bound"):
        one, bar = found[name], 1 / 6 if name == "great_expectations" else None
        bench.add(Row(f"{rows:,} × 12, 20 expectations, s", ours["seconds"], one["seconds"], name, bar=bar))
        bench.add(Row(f"{rows:,} × 12, 20 expectations, s of CPU", ours["cpu"], one["cpu"], name))
        memory = (ours["peak_mb"], one["peak_mb"], name)
        what = "peak memory of the process, libraries included, MB"
        bench.add(Row(what, *memory, bar=_MEMORY if name == "great_expectations" else None, bar_on="ours"))


if __name__ == "__main__":
    sys.exit(main())
