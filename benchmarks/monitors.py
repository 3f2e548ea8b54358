"""The monitors of inputs beside Evidently, Frouros, NannyML and River: false alarms, power, time and memory, on the same windows.

Ours is what the monitor flow calls. Each peer runs in an environment of its own, which the first run builds below .venv/peers, and
gets the threshold that alarms as often as ours where nothing changed. What each of them saw in the time it had is said in the table.

    python -m benchmarks.monitors [--seconds 100] [--nulls 500] [--draws 24] [--peers evidently,frouros,nannyml,river]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import binom

from benchmarks.drift.judge import Seen, by_window, compared, interval, power, setups
from benchmarks.drift.picture import draw
from benchmarks.drift.season import season_alarms
from benchmarks.drift.windows import SIZES, plan, population, write
from benchmarks.frame import RESULTS, Bench, Row
from benchmarks.peers.environments import environment, quiet, versions

PEERS = ("evidently", "frouros", "nannyml", "river")
_HERE = Path(__file__).parent
_SEED = 20261124
_ROWS = (2000, 1000)  # of reference and window
_BIG = 50_000
_NULLS, _DRAWS = 500, 24
_LEAST_NULLS = 30  # for a peer's threshold
_LEAST_CHANGED = 20  # of one kind, for a bar: of fewer nobody can say who sees more
_ROUNDS = 3  # of all in turn
_REPEATS = {"river": 1}  # of the time; three where it is not long
_STATED = 0.05  # monitors.fdr as shipped
_PARTS = {
    "columns by test": ("columns",),
    "classifier by test": ("classifier",),
    "all": ("columns", "classifier"),
    "as shipped": ("shipped",),
}


def main(arguments: list[str] | None = None) -> int:
    """Measure everything; exit 1 where a bar is not met."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=100, help="of CPU that each peer may look at windows; two run at a time")
    parser.add_argument("--nulls", type=int, default=_NULLS, help="windows without a change")
    parser.add_argument("--draws", type=int, default=_DRAWS, help="windows of each kind and size of change")
    parser.add_argument("--peers", default=",".join(PEERS), help="which of them")
    asked = parser.parse_args(arguments)
    names = [name for name in asked.peers.split(",") if name]
    bench = Bench("monitors", ("numpy", "scipy", "pandas", "scikit-learn"))
    for name in names:
        environment(name)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        pairs = _windows(folder, asked.nulls, asked.draws)
        times = _times(folder, ("ours", *names))
        with ThreadPoolExecutor(2) as pool:
            limits = {"ours": 1e9} | dict.fromkeys(names, asked.seconds)
            jobs = {name: pool.submit(_run, name, "score", folder, seconds) for name, seconds in limits.items()}
            scores = {name: job.result()["scores"] for name, job in jobs.items()}
    _judge(bench, pairs, scores.pop("ours"), scores)
    season_alarms(bench)
    _speed(bench, times)
    bench.peers |= {f"{name}'s {package}": versions(name)[package] for name in names for package in (name, "numpy", "scipy")}
    return bench.finish()


def _times(folder: Path, names: Sequence[str]) -> dict[str, Any]:
    """Time all in turn, several times, and keep the least of each: what else the machine does comes and goes."""
    rounds = [{name: _run(name, "time", folder, _REPEATS.get(name, 3)) for name in names} for _ in range(_ROUNDS)]
    return {name: {what: min(one[name][what] for one in rounds) for what in rounds[0][name]} for name in names}


def _windows(folder: Path, nulls: int, draws: int) -> pd.DataFrame:
    write(folder, plan(nulls, draws), _SEED, _ROWS)
    random = np.random.default_rng(_SEED)
    for name in ("reference", "window"):
        population(random, _BIG).to_parquet(folder / f"big_{name}.parquet", index=False)
    return pd.read_csv(folder / "pairs.csv", keep_default_na=False)


def _run(name: str, mode: str, folder: Path, number: float) -> dict[str, Any]:
    """Run one monitor in its environment and return what it wrote."""
    out = folder / f"{name}_{mode}.json"
    script = _HERE / "peers" / f"drift_{name}.py"
    theirs = [str(environment(name)), str(script)] if name != "ours" else []
    command = theirs or [sys.executable, "-m", "benchmarks.peers.drift_ours"]
    alone = {"OMP_NUM_THREADS": "1"} if mode == "score" else {}  # two at a time, and CPU is counted: no threads that wait for each other
    command += [mode, str(folder), str(out), str(number)]
    subprocess.run(command, check=True, env=quiet() | alone, cwd=_HERE.parent, stdout=subprocess.DEVNULL)
    found: dict[str, Any] = json.loads(out.read_text())
    return found


def _judge(bench: Bench, pairs: pd.DataFrame, ours: Any, scores: dict[str, Any]) -> None:
    null = (pairs["kind"] == "none").to_numpy()
    said = {name: _alarms(ours, prefixes) for name, prefixes in _PARTS.items()}
    limit = float(binom.ppf(0.95, null.sum(), _STATED) / null.sum())
    for name in ("columns by test", "classifier by test", "as shipped"):
        _false_alarms(bench, name, said[name][null], limit)
    _false_alarms(bench, "all tests together: the peers' thresholds are put to this", said["all"][null], None)
    found = {}
    for name, one in scores.items():
        nulls = int(null[: len(one)].sum())
        bench.add(Row(f"windows that {name} saw in its time, of {len(null)}; {nulls} of them without a change", len(one)))
        if nulls < _LEAST_NULLS:
            print(f"{name}: left out of power, for it saw {nulls} windows without a change; {_LEAST_NULLS} are needed: --seconds")
        else:
            found[name] = _setups(one, null, float(said["all"][null].mean()))
    for kind in SIZES:
        _power(bench, kind, pairs, said, found)
    curves = {"ours": power(said["all"], pairs)} | {name: power(_best_overall(one, pairs).alarms, pairs) for name, one in found.items()}
    draw(curves, RESULTS / "monitors_power.svg")


def _alarms(scores: Any, prefixes: tuple[str, ...]) -> np.ndarray:
    return np.array([any(value and name.startswith(prefixes) for name, value in one["all"].items()) for one in scores])


def _false_alarms(bench: Bench, what: str, alarms: np.ndarray, limit: float | None) -> None:
    low, high = interval(int(alarms.sum()), len(alarms))
    bench.add(Row(f"false alarms in {len(alarms)} windows, {what} (95 %: {low:.3f} to {high:.3f})", float(alarms.mean()), bar=limit))


def _setups(scores: Any, null: np.ndarray, rate: float) -> list[Seen]:
    mine = null[: len(scores)]
    return setups(by_window(scores, mine), mine, rate)


def _power(bench: Bench, kind: str, pairs: pd.DataFrame, said: dict[str, np.ndarray], found: dict[str, list[Seen]]) -> None:
    """Add a row for each peer as it is set up best for all kinds; the bar is two standard errors of the difference."""
    for name, ways in found.items():
        best = _best_overall(ways, pairs)
        ours, peer, error = compared(said["all"], best.alarms, pairs, kind)
        seen = int((pairs["kind"][: len(best.alarms)] == kind).sum())
        bar = 1 - 2 * error / peer if peer and seen >= _LEAST_CHANGED else None
        bench.add(Row(f"power, {kind}, {seen} windows", ours, peer, f"{name}: {best.setup}", bar=bar, better="higher"))
    alone = [(one, name) for name, ways in found.items() for one in ways if "+" not in one.setup]
    if alone:
        one, name = max(alone, key=lambda each: compared(said["all"], each[0].alarms, pairs, kind)[1])
        ours, peer, _ = compared(said["all"], one.alarms, pairs, kind)
        bench.add(Row(f"power, {kind}, beside the one detector that sees most of it", ours, peer, f"{name}: {one.setup}"))
    bench.add(
        Row(f"power, {kind}, as shipped: with its least effect", float(said["as shipped"][(pairs["kind"] == kind).to_numpy()].mean()))
    )


def _best_overall(ways: list[Seen], pairs: pd.DataFrame) -> Seen:
    """Return the setup with the greatest power over all kinds, chosen with hindsight: nobody could have set the peer up better."""
    changed = (pairs["kind"] != "none").to_numpy()
    return max(ways, key=lambda one: float(one.alarms[changed[: len(one.alarms)]].mean()))


def _speed(bench: Bench, times: dict[str, Any]) -> None:
    ours = times.pop("ours")
    quickest = min((one["cpu"] for one in times.values()), default=None)
    for name, one in times.items():
        bar = 1.0 if one["cpu"] == quickest else None
        bench.add(Row(f"all columns of {_BIG:,} × 12 against as many, s of CPU", ours["cpu"], one["cpu"], name, bar=bar))
        bench.add(Row(f"all columns of {_BIG:,} × 12 against as many, s", ours["wall"], one["wall"], name))
        bench.add(Row("peak memory of the process, libraries included, MB", ours["peak_mb"], one["peak_mb"], name))


if __name__ == "__main__":
    raise SystemExit(main())
