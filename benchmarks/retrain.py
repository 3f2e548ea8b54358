"""What a retrain costs beyond fitting and evaluating, by step; the peer is the bare fit and evaluation in plain scikit-learn code.

One process, as a warm worker is: a first retrain per pipeline brings in the history and pays for imports and migrations, three more
each bring in one further week and are what counts. The peer fits and judges the same rows of the same snapshot, in the same process.

    python -m benchmarks.retrain      UNDERSTUDY_BIKE_DATA=FILE adds the real bike-sharing data to the simulated clicks
"""

from __future__ import annotations

import os
import shutil
import statistics
import tempfile
import time
import warnings
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from benchmarks.frame import Bench, Row

_WEEKS = 3
_FIRST = {"ad_clicks": datetime(2026, 2, 9, tzinfo=UTC), "bike_demand": datetime(2012, 3, 5, tzinfo=UTC)}
_BAR_SECONDS = 15.0  # of overhead, in a warm worker
_PACKAGES = ("scikit-learn", "pandas", "mlflow", "dvc", "great-expectations")


def main() -> int:
    """Measure every pipeline whose data is here."""
    warnings.simplefilter("ignore")  # libraries about their own insides
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    bench = Bench("retrain", _PACKAGES)
    for name, first in _FIRST.items():
        if name == "bike_demand" and not os.environ.get("UNDERSTUDY_BIKE_DATA"):
            print("bike_demand: left out, for UNDERSTUDY_BIKE_DATA is unset")
            continue
        with tempfile.TemporaryDirectory() as home:
            _measure(bench, name, first, Path(home))
    return bench.finish()


def _measure(bench: Bench, name: str, first: datetime, home: Path) -> None:
    from adapters.pipeline_files import load_pipeline
    from adapters.settings import read_settings
    from contracts.events import Cause, Trigger
    from flows.stages.retrain import RetrainResult, retrain_local

    shutil.copytree(Path(__file__).parents[1] / "pipelines" / name, home / "pipelines" / name)  # nobody edits them meanwhile
    settings = read_settings(home / "state", home / "pipelines")
    pipeline = load_pipeline(settings, name)
    trigger = Trigger(Cause.OPERATOR, "measured", "benchmark")

    def retrain(until: datetime) -> tuple[RetrainResult, float]:
        began = time.perf_counter()
        done = retrain_local(settings, pipeline, trigger, until=until)
        return done, time.perf_counter() - began

    cold, cold_seconds = retrain(first)
    _plain(settings, pipeline, cold.snapshot)  # the peer's first run is not counted either
    weeks, plain = [], []
    for week in range(1, _WEEKS + 1):  # in turns, so that a busy machine treats both alike
        weeks.append(retrain(first + timedelta(weeks=week)))
        plain.append(_plain(settings, pipeline, weeks[-1][0].snapshot))
    peer = statistics.median(plain)
    whole = statistics.median(seconds for _, seconds in weeks)
    fitted = statistics.median(done.seconds["fit"] + done.seconds["evaluate"] for done, _ in weeks)
    peer_name = "plain scikit-learn, as many threads"
    bench.add(Row(f"{name}: fit and evaluate, s", fitted, peer, peer_name))
    bench.add(Row(f"{name}: whole retrain, warm, s", whole, peer, peer_name))
    bench.add(
        Row(f"{name}: overhead beyond fit and evaluate, warm, s", statistics.median(one.overhead for one, _ in weeks), bar=_BAR_SECONDS)
    )
    for step in (one for one in weeks[0][0].seconds if one not in ("fit", "evaluate")):
        bench.add(Row(f"{name}: of it {step}, s", statistics.median(one.seconds[step] for one, _ in weeks)))
    bench.add(Row(f"{name}: first retrain, with imports, migrations and {cold.new_rows} rows, s", cold_seconds))


def _plain(settings: Any, pipeline: Any, snapshot: str) -> float:
    """Return the seconds that fitting and judging the snapshot's rows takes in a notebook; reading them is not timed.

    It gets as many threads as ours: on a busy machine the number of threads would decide, not the code.
    """
    from adapters.data_repo import DataRepo

    spec = pipeline.spec
    repo = DataRepo(settings)
    frame = repo.frame(repo.get(spec.name, snapshot))
    began = time.perf_counter()
    _notebook(frame, spec, pipeline.params)
    return time.perf_counter() - began


def _notebook(frame: Any, spec: Any, params: Any) -> float:
    from sklearn.compose import ColumnTransformer
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
    from sklearn.metrics import log_loss, mean_absolute_error
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OrdinalEncoder

    from training.threads import threads_for

    numeric, categorical, target = spec.columns.features.numeric, spec.columns.features.categorical, spec.columns.target
    edge = frame["event_time"].max() - spec.train.holdout
    fitted = frame[(frame["event_time"] <= edge) & (frame["event_time"] > edge - spec.train.window)]
    held_out = frame[frame["event_time"] > edge]
    columns = ColumnTransformer(
        [
            ("numeric", "passthrough", numeric),
            ("categorical", OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1), categorical),
        ]
    )
    kind = HistGradientBoostingRegressor if spec.task == "regression" else HistGradientBoostingClassifier
    model = make_pipeline(columns, kind(**params.estimator, random_state=params.seed))
    with threads_for(len(fitted)):
        model.fit(fitted[numeric + categorical], fitted[target])
    if spec.task == "regression":
        return float(mean_absolute_error(held_out[target], model.predict(held_out[numeric + categorical])))
    return float(log_loss(held_out[target], model.predict_proba(held_out[numeric + categorical])))


if __name__ == "__main__":
    raise SystemExit(main())
