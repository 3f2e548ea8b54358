"""Promotions and roll-backs under full load: how soon the last worker answers with the decided version, and what it costs whoever asks.

Two versions that answer differently take turns, by decisions in the ledger as a tick saves them: the second is promoted, and an operator
rolls it back. Every answer is checked: it is what the version it names says, and that version was in force at some time between sending
and answering. Then forests are loaded as champions under the same load, and the latency meanwhile is held against the latency before.

    python -m benchmarks.swaps [--swaps 200] [--connections 16] [--trees 300]
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import numpy as np
from sklearn.base import clone
from sklearn.ensemble import RandomForestClassifier

from adapters.package_store import write_package
from benchmarks.frame import Bench, Row
from benchmarks.served.checked import Answer, Checked
from benchmarks.served.forms import v2
from benchmarks.served.home import Home
from benchmarks.served.models import MAKERS, Model
from benchmarks.served.servers import ours, running
from contracts.package import Manifest, package_digest
from contracts.rollout import ModelRef
from training.package import package_files

_WORKERS = (1, 2)
_SECONDS, _STALL = 1.0, 1.5  # what is promised: from the decision to the last worker, and p99 while loading ÷ p99 before
_CLOSE, _LOOK, _PATIENCE = 1e-9, 0.005, 300.0
_CALM, _ROUNDS = 15.0, 3  # seconds before each forest, and how many forests: one stretch of a busy machine is not like the next
_ANSWERS = "answers of a version that was not in force, or that say what another would"


@dataclass(frozen=True, slots=True)
class Swap:
    """One decision: when saving it began and ended, and when every worker had told that it answers with it."""

    version: str
    began: float
    saved: float
    told: float


def main(arguments: list[str] | None = None) -> int:
    """Measure everything; exit 1 where a bar is not met."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--swaps", type=int, default=200, help="with each number of workers")
    parser.add_argument("--connections", type=int, default=16, help="that ask without pause")
    parser.add_argument("--trees", type=int, default=300, help="of the forest that is loaded under load")
    asked = parser.parse_args(arguments)
    bench = Bench("swaps", ("scikit-learn", "uvicorn", "uvloop", "httptools"))
    first = MAKERS["logistic"]()
    second = replace(first, ours=clone(first.ours).fit(first.rows, first.ours.predict(first.rows)))  # the same columns, other answers
    with tempfile.TemporaryDirectory() as place:
        for workers in _WORKERS:
            _swaps(bench, Path(place) / str(workers), [first, second], workers, asked.swaps, asked.connections)
        _loading(bench, Path(place) / "loading", first, asked.trees, asked.connections)
    return bench.finish()


def _swaps(bench: Bench, folder: Path, models: list[Model], workers: int, count: int, connections: int) -> None:
    home = Home(folder / "home")
    refs = [home.put(model, str(place)) for place, model in enumerate(models)]
    name = models[0].name
    done = [_swap(refs[0], 0, lambda: home.route(name, *refs))]
    with running(ours("--workers", str(workers)), models[0], folder) as one:
        done = [_told(home, name, done[0], 1, workers)]
        with Checked(one.url, v2(models[0], 1), connections) as load:
            for turn in range(1, count + 1):
                decide = (lambda: home.promote(name, refs[1])) if turn % 2 else (lambda: home.roll_back(name))
                done.append(_told(home, name, _swap(refs[turn % 2], turn, decide), turn + 1, workers))
    truth = {ref.version: float(model.truth(1)[0]) for ref, model in zip(refs, models, strict=True)}
    _tell(bench, done, load.answers, truth, f"{workers} worker{'s' * (workers > 1)}, {count} swaps, {connections} connections")


def _tell(bench: Bench, done: list[Swap], answers: list[Answer], truth: dict[str, float], where: str) -> None:
    times = _times(done, answers)
    for what, some in (("promotion", times[::2]), ("an operator's roll-back", times[1::2])):
        bench.add(Row(f"{where}: {what}, decision saved to the last worker answering with it, p50 (s)", float(np.percentile(some, 50))))
        bench.add(Row(f"{where}: {what}, the same, p99 (s)", float(np.percentile(some, 99)), bar=_SECONDS))
    bench.add(Row(f"{where}: answers", len(answers)))
    bench.add(Row(f"{where}: failed answers", sum(not one.version for one in answers), bar=0))
    bench.add(Row(f"{where}: {_ANSWERS}", len(misversioned(done, answers, truth)), bar=0))


def _swap(champion: ModelRef, turn: int, decide: Callable[[], int]) -> Swap:
    began = time.monotonic()
    epoch = decide()
    if epoch != turn + 1:
        raise RuntimeError(f"the route has epoch {epoch} and not {turn + 1}")
    return Swap(champion.version, began, time.monotonic(), 0.0)


def _told(home: Home, pipeline: str, swap: Swap, epoch: int, workers: int) -> Swap:
    """Wait until every worker has told the ledger that it answers with this epoch."""
    while time.monotonic() < swap.saved + _PATIENCE:
        views = home.ledger.gateways(pipeline, datetime.now(UTC) - timedelta(seconds=10))
        if [view.epoch for view in views] == [epoch] * workers:
            return replace(swap, told=time.monotonic())
        time.sleep(_LOOK)
    raise RuntimeError(f"not every one of {workers} workers answered with epoch {epoch} within {_PATIENCE:g} s")


def _times(done: list[Swap], answers: list[Answer]) -> list[float]:
    """Return the seconds from each decision to the later of two: every worker told so, and the last answer of the version before."""
    arrived = sorted((one.answered, one.version) for one in answers if one.version)
    ends = [swap.began for swap in done[2:]] + [float("inf")]
    times, at = [], 0
    for swap, end in zip(done[1:], ends, strict=True):
        last = swap.told
        while at < len(arrived) and arrived[at][0] < end:
            if arrived[at][1] != swap.version:
                last = max(last, arrived[at][0])
            at += 1
        times.append(last - swap.saved)
    return times


def misversioned(done: list[Swap], answers: list[Answer], truth: dict[str, float]) -> list[Answer]:
    """Return the answers of a version that was not in force between sending and answering, or that are not what the named version says.

    A version is in force from the moment its decision is being saved until every worker has told that it answers with the next one.
    """
    began = np.array([swap.began for swap in done])
    ended = np.array([swap.told for swap in done[1:]] + [float("inf")])
    versions = np.array([swap.version for swap in done])
    wrong = []
    for one in filter(lambda one: one.version, answers):
        low, high = np.searchsorted(ended, one.sent), np.searchsorted(began, one.answered, side="right")
        if one.version not in versions[low:high] or abs(one.said - truth[one.version]) > _CLOSE:
            wrong.append(one)
    return wrong


def _loading(bench: Bench, folder: Path, model: Model, trees: int, connections: int) -> None:
    home = Home(folder / "home")
    small = home.put(model, "0")
    forests = [_forest(home, model, trees, seed) for seed in range(_ROUNDS)]  # what was loaded once may be kept: each of them is new
    first = _swap(small, 0, lambda: home.route(model.name, small))
    stays, loads = [], []
    with running(ours(), model, folder) as one:
        _told(home, model.name, first, 1, 1)
        with Checked(one.url, v2(model, 1), connections) as load:
            for turn, (big, _) in enumerate(forests):
                stays.append(_stay())
                loads.append(_told(home, model.name, _swap(big, 2 * turn + 1, partial(home.route, model.name, big)), 2 * turn + 2, 1))
                _told(home, model.name, _swap(small, 2 * turn + 2, partial(home.route, model.name, small)), 2 * turn + 3, 1)
    answers = [one for one in load.answers if one.version == "0"]
    before = [one.answered - one.sent for one in answers if any(began < one.sent and one.answered < ended for began, ended in stays)]
    while_loading = [one.answered - one.sent for one in answers if any(swap.saved < one.sent < swap.told for swap in loads)]
    seconds = float(np.median([swap.told - swap.saved for swap in loads]))
    where = f"{_ROUNDS} forests of {trees} trees ({forests[0][1]:.0f} MB, {seconds:.1f} s) become champion, {connections} connections"
    p99s = [float(np.percentile(some, 99)) * 1e3 for some in (while_loading, before)]
    bench.add(Row(f"{where}: p99 while they are loaded (ms)", p99s[0], p99s[1], "before", _STALL))
    bench.add(Row(f"{where}: the slowest answer (ms)", max(while_loading) * 1e3, max(before) * 1e3, "before"))
    bench.add(Row(f"{where}: failed answers", sum(not one.version for one in load.answers), bar=0))


def _stay() -> tuple[float, float]:
    began = time.monotonic()
    time.sleep(_CALM)
    return began, time.monotonic()


def _forest(home: Home, model: Model, trees: int, seed: int) -> tuple[ModelRef, float]:
    """Put a version of many deep trees into the registry; without a proof, so that scikit-learn answers for it."""
    rows = model.rows
    fitted = clone(model.ours).set_params(estimator=RandomForestClassifier(trees, random_state=seed, n_jobs=1))
    fitted.fit(rows, np.random.default_rng(seed).integers(0, 2, len(rows)))  # of noise: its trees are as deep as they can be
    columns = dict.fromkeys(rows, "float")
    manifest = Manifest(
        pipeline=model.name,
        task="binary",
        target="y",
        columns=columns,
        classes=(0, 1),
        cutoff="2026-01-01T00:00:00+00:00",
    )
    files = package_files(fitted, manifest, None)
    place = write_package(home.folder / "registry" / model.name / f"big-{seed}", files)
    reference = ModelRef(f"big-{seed}", package_digest(files), place.as_uri(), "s1", datetime(2026, 1, 1, tzinfo=UTC))
    return reference, sum(map(len, files.values())) / 1e6


if __name__ == "__main__":
    raise SystemExit(main())
