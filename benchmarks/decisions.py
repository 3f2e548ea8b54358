"""Whether decisions can be believed: false ones under no difference, power against an A/B split, worse candidates, rehearsal, watch.

    python -m benchmarks.decisions [--long] [--only PART]      UNDERSTUDY_REAL_DATA=FOLDER takes real bike rentals for the power

Everything is decided by the product's own functions: the intervals of stats/, the rules of rollout/, and for the rehearsal the real tick,
ledger, registry, gateway, traffic log and shadow process.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

from benchmarks.frame import RESULTS, Bench
from benchmarks.simulated import coverage, live, plots, power, watch
from benchmarks.simulated.looks import rules
from benchmarks.simulated.pools import pool

_PACKAGES = ("numpy", "scipy", "scikit-learn", "mlflow")


def main() -> int:
    """Measure every part, or one."""
    parts: dict[str, Callable[[Bench, int], None]] = {"coverage": _coverage, "watch": _watch, "power": _power, "rehearsal": _rehearsal}
    parser = argparse.ArgumentParser(prog="python -m benchmarks.decisions", description="Whether decisions can be believed.")
    parser.add_argument("--long", action="store_true", help="five times as many simulated rollouts")
    parser.add_argument("--only", choices=list(parts), help="one part; its rows are shown and nothing is written")
    chosen = parser.parse_args()
    bench = Bench("decisions", _PACKAGES)
    for name, part in parts.items():
        if chosen.only in (None, name):
            part(bench, 5 if chosen.long else 1)
    return bench.finish() if chosen.only is None else int(any(row.holds is False for row in bench.rows))


def _coverage(bench: Bench, times: int) -> None:
    before = len(bench.rows)
    coverage.measure(bench, 2_000 * times)
    RESULTS.mkdir(exist_ok=True)
    plots.coverage(bench.rows[before:], rules().alpha, RESULTS / "decisions_coverage.svg")
    plots.sequence(RESULTS / "decisions_sequence.svg")


def _watch(bench: Bench, times: int) -> None:
    watch.measure(bench, 200 * times)


def _power(bench: Bench, times: int) -> None:
    fits = pool()
    curves = power.measure(bench, fits, 200 * times)
    plots.power(curves, fits.name, RESULTS / "decisions_power.svg")
    power.measure_even(bench, fits, 2_000 * times)
    power.measure_worse(bench, fits, 2_000 * times)


def _rehearsal(bench: Bench, times: int) -> None:  # noqa: ARG001 - the parts share one form; a wall time is measured once
    live.measure(bench)


if __name__ == "__main__":
    raise SystemExit(main())
