"""Retrain-level alarms on real data: how many, and the error they save; beside never, a calendar with as many fits, and alarms on inputs.

    UNDERSTUDY_REAL_DATA=FOLDER python -m benchmarks.alarms [--worlds bike_demand,bank_calls]

FOLDER holds bike_sharing/hour.csv and bank_marketing/bank-additional-full.csv. Draws results/alarms_WORLD.svg.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import warnings
from datetime import timedelta
from pathlib import Path

from benchmarks.drift.raw_alarms import weekly
from benchmarks.drift.real import STARTS, by_error_alone, world_of
from benchmarks.drift.time_line import by_error, draw
from benchmarks.frame import RESULTS, Bench, Row
from understudy.backtest.compare import Comparison, calendar_of, compare_policies
from understudy.backtest.cost import Cost

_STEP = timedelta(days=7)
_SELDOM = 0.25  # of the weeks may have a retrain-level alarm by the error
_NOT_EACH = 0.5  # of the weeks may have one at all: one in each is a schedule


def main(arguments: list[str] | None = None) -> int:
    """Walk each world; exit 1 where a bar is not met; without the data nothing is measured, and said so."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--worlds", default=",".join(STARTS), help="which of them")
    asked = parser.parse_args(arguments)
    data = os.environ.get("UNDERSTUDY_REAL_DATA")
    if not data:
        print("alarms: left out, for UNDERSTUDY_REAL_DATA is unset; it names the folder that holds bike_sharing and bank_marketing")
        return 0
    warnings.simplefilter("ignore")  # libraries about their own insides
    bench = Bench("alarms", ("scikit-learn", "pandas", "scipy"))
    for name in asked.worlds.split(","):
        with tempfile.TemporaryDirectory() as folder:
            _measure(bench, name, Path(data), Path(folder))
    return bench.finish()


def _measure(bench: Bench, name: str, data: Path, folder: Path) -> None:
    world, rows = world_of(name, data, folder)
    calendar = calendar_of(rows, world, STARTS[name], None, _STEP)
    weeks = weekly(world.spec, rows, calendar.looks, calendar.start)
    for rule, count in (("PSI > 0.25", sum(one.psi for one in weeks)), ("KS, Bonferroni", sum(one.ks for one in weeks))):
        bench.add(Row(f"{name}: of {len(weeks)} weeks, those with an alarm of inputs by {rule}", count))
    bench.add(
        Row(
            f"{name}: of {len(weeks)} weeks, those with a warning of ours about inputs, which refits nothing",
            sum(one.warned for one in weeks),
        )
    )
    alone = compare_policies(by_error_alone(world, rows), ["never", "drift"], calendar)
    both = compare_policies(world, ["never", "drift"], calendar)
    for found, setting in ((alone, "by the error alone"), (both, "by error or age, as set up")):
        _rows(bench, f"{name}, {setting}", found, len(weeks))
        mark = "_error" if found is alone else ""
        draw(f"{name}, {setting}", found.loss, *_costs(found), weeks, RESULTS / f"alarms_{name}{mark}.svg")


def _costs(found: Comparison) -> tuple[Cost, Cost]:
    never, drift = (next(one for one in found.costs if one.policy == policy) for policy in ("never", "drift"))
    return never, drift


def _rows(bench: Bench, what: str, found: Comparison, weeks: int) -> None:
    never, drift = _costs(found)
    peer = next((one for one in found.costs if one.budget_of == "drift"), None)
    alarms = [one for one in drift.refits if one.cause == "drift"]
    found_out = sum(by_error(one) for one in alarms)
    bench.add(Row(f"{what}: share of weeks with a retrain-level alarm by the error ({found_out})", found_out / weeks, bar=_SELDOM))
    aged = f"{what}: share of weeks with a retrain-level alarm, by age too ({len(alarms)})"  # how often by age is the spec's own wish
    bench.add(Row(aged, len(alarms) / weeks, bar=_NOT_EACH))
    bench.add(Row(f"{what}: {found.loss} with {drift.fits} fits", drift.loss, never.loss, "never refitted", bar=1.0))
    if peer is not None:
        bench.add(Row(f"{what}: {found.loss} with {drift.fits} fits", drift.loss, peer.loss, peer.policy))


if __name__ == "__main__":
    raise SystemExit(main())
